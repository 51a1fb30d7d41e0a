//! The road of one request's body, stage by stage: envelope → describe → begin → drive → respond → record. It reads no socket;
//! a long answer is handed back begun.

use std::rc::Rc;

use engine::fault::{EmitRule, Fault, FaultClass};
use engine::method::FilterRole;
use telemetry::{CallOutcome, RequestRefusal};
use wire::envelope::{
    Envelope, Item, Kind, Limits as EnvelopeLimits, Refusal as BodyRefusal, Shape,
};

use super::ask::{Ask, Ended};
use super::asked::{Question, RequestContext, Unasked};
use super::attempt::Begun;
use super::batch;
use super::call::{LiveCall, Settled};
use super::connection::UNWATCHED_BYTES;
use super::explain::Explain;
use super::meter::Meter;
use super::respond::{self, Refusal, Status};
use super::route::Route;
use super::upstream::body::HoldBudget;
use super::worker::Worker;

/// What a request comes to.
pub struct Served {
    /// For the HTTP layer.
    pub status: Status,
    /// The body; empty where there is none to send (nothing but notifications).
    pub body: Vec<u8>,
    /// For the explanation headers.
    pub explain: Explain,
    /// Calls of a batch.
    pub batch_calls: Option<usize>,
    /// What the body takes of the shard's budget, until the client has been sent it. Short answers take nothing.
    pub held: Option<HoldBudget>,
}

/// Takes a long answer to the client while it arrives.
pub trait Relay {
    /// Relays it to its end.
    ///
    /// # Errors
    /// The fault for which it had to be cut; the client's connection is gone then.
    fn relay(
        &mut self,
        call: &mut LiveCall<'_>,
        begun: Box<Begun>,
        explain: Explain,
    ) -> impl Future<Output = Result<u64, Fault>>;
}

/// What came of a body.
pub enum Done {
    /// To be sent.
    Served(Served),
    /// It was relayed while it arrived; the connection may go on.
    Relayed,
    /// A long answer had to be cut: the connection is of no more use.
    Cut,
}

/// Serves one request's body.
pub async fn serve(
    worker: &Rc<Worker>,
    context: &RequestContext<'_>,
    route: Route,
    body: &[u8],
    envelope: &mut Envelope,
    relay: &mut impl Relay,
) -> Done {
    let limits = EnvelopeLimits {
        max_batch_calls: worker.limits.max_batch_calls,
        ..EnvelopeLimits::default()
    };
    match envelope.parse(body, &limits) {
        Err(refusal) => Done::Served(refuse(worker, body, &refusal)),
        Ok(Shape::Batch) => {
            // In a place of its own: calls that stand alone do not pay for its size.
            let batch = Box::pin(batch::serve(worker, context, route, body, envelope.items()));
            Done::Served(batch.await)
        }
        Ok(Shape::Single) => match envelope.items().first() {
            Some(item) => single(worker, context, route, body, item, relay).await,
            None => Done::Served(refuse(worker, body, &BodyRefusal::EmptyBatch)),
        },
    }
}

/// One answer for a body that is no request.
fn refuse(worker: &Worker, body: &[u8], refusal: &BodyRefusal) -> Served {
    let (why, id) = match refusal {
        BodyRefusal::Syntax(_) => (RequestRefusal::BadJson, None),
        BodyRefusal::EmptyBatch => (RequestRefusal::BadJson, None),
        BodyRefusal::BatchTooLarge { first_id } => (RequestRefusal::BatchTooLarge, *first_id),
    };
    worker.recorder.borrow_mut().request_refused(why);
    let mut out = rt::take_buffer();
    // geth answers a batch that is too large with an array of one.
    let in_array = matches!(refusal, BodyRefusal::BatchTooLarge { .. });
    if in_array {
        out.push(b'[');
    }
    respond::write_refusal(
        &mut out,
        &Refusal {
            id: id.map(|span| span.of(body)),
            code: refusal.code(),
            message: refusal.message(),
        },
    );
    if in_array {
        out.push(b']');
    }
    Served {
        status: Status::OK,
        body: out,
        explain: Explain::default(),
        batch_calls: None,
        held: None,
    }
}

async fn single(
    worker: &Rc<Worker>,
    context: &RequestContext<'_>,
    route: Route,
    body: &[u8],
    item: &Item,
    relay: &mut impl Relay,
) -> Done {
    let mut out = rt::take_buffer();
    let served = |status, body, explain, held| {
        Done::Served(Served {
            status,
            body,
            explain,
            batch_calls: None,
            held,
        })
    };
    let (call, answered) = match &item.kind {
        Kind::Invalid(why) => {
            write_invalid(&mut out, body, item, *why);
            return served(Status::OK, out, Explain::default(), None);
        }
        Kind::Call(call) => (call, true),
        Kind::Notification(call) => (call, false),
    };
    let (question, asked) = Question::describe(worker, context, route, 0, body, item, call);
    if let Err(why) = asked {
        write_unasked(worker, &mut out, &question, why);
        if !answered {
            out.clear();
        }
        return served(Status::OK, out, Explain::default(), None);
    }
    let mut ask = Ask::begin(worker, &question);
    let mut held = None;
    let mut told = match ask.look(&mut out, usize::MAX) {
        Some(told) => told,
        None => {
            let budget = held.insert(HoldBudget::below(
                &worker.held,
                worker.limits.answer.max_response_bytes,
            ));
            let way = ask.join();
            let mut live = None;
            match ask.go(way, &mut live, budget, answered).await {
                Ended::Long(begun) => {
                    return Box::pin(relay_long(relay, &mut ask.meter, live, begun)).await;
                }
                ended => ended.write(worker, &mut out, &question),
            }
        }
    };
    if !answered {
        out.clear();
    }
    if !hold(worker, &mut held, out.len()) {
        out.clear();
        let fault = Fault::unsent(FaultClass::Overloaded, "answers_held");
        told = write_fault(worker, &mut out, &question, fault, false, None);
    }
    ask.meter
        .ended(told.outcome, told.fault, told.status.http, out.len());
    served(told.status, out, ask.meter.explain(), held)
}

/// Charges an answer that will be waited for until its client has taken it; false where the shard holds as much as it may. The budget of a short
/// one is dropped: it is handed to the kernel at once.
fn hold(worker: &Rc<Worker>, held: &mut Option<HoldBudget>, bytes: usize) -> bool {
    if bytes <= UNWATCHED_BYTES {
        *held = None;
        return true;
    }
    let budget = held.get_or_insert_with(|| {
        HoldBudget::below(&worker.held, worker.limits.answer.max_response_bytes)
    });
    budget.charge_to(bytes)
}

/// Relays a long answer while it arrives; the call ends with it.
async fn relay_long(
    relay: &mut impl Relay,
    meter: &mut Meter<'_>,
    live: Option<LiveCall<'_>>,
    begun: Box<Begun>,
) -> Done {
    let Some(mut live) = live else {
        return Done::Cut;
    };
    match relay.relay(&mut live, begun, meter.explain()).await {
        Ok(bytes) => {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            meter.ended(CallOutcome::Ok, None, 200, bytes);
            Done::Relayed
        }
        Err(fault) => {
            meter.ended(CallOutcome::Aborted, Some(fault), 200, 0);
            Done::Cut
        }
    }
}

/// How a settled call was told to its client.
pub struct Told {
    /// For the HTTP layer, if the call stands alone.
    pub status: Status,
    /// For the counters.
    pub outcome: CallOutcome,
    /// For the counters.
    pub fault: Option<Fault>,
}

impl Told {
    /// A result.
    pub const OK: Self = told(Status::OK, CallOutcome::Ok, None);
}

/// Writes what a settled call's client gets; `own` says that the call's own attempts settled it, not those of a call like it.
pub fn write_settled(
    worker: &Worker,
    out: &mut Vec<u8>,
    question: &Question<'_>,
    settled: &Settled,
    own: bool,
) -> Told {
    let id = question.id();
    match settled {
        Settled::Answer {
            answer,
            own_id_sent,
            fault: None,
        } => {
            respond::write_answer(out, id, answer, *own_id_sent && own);
            Told::OK
        }
        Settled::Answer {
            answer,
            fault: Some(fault),
            ..
        } => write_fault(worker, out, question, *fault, false, Some(answer)),
        Settled::Error {
            fault,
            outcome_unknown,
            words,
            selection: _,
        } => write_fault(
            worker,
            out,
            question,
            *fault,
            *outcome_unknown,
            words.as_ref(),
        ),
        // A batch holds its answers, and a single call has been relayed before this.
        Settled::Long(_) => write_fault(
            worker,
            out,
            question,
            Fault::new(FaultClass::ResponseTooLarge, "response_too_large"),
            false,
            None,
        ),
    }
}

fn write_fault(
    worker: &Worker,
    out: &mut Vec<u8>,
    question: &Question<'_>,
    fault: Fault,
    outcome_unknown: bool,
    words: Option<&super::upstream::judge::Answer>,
) -> Told {
    let id = question.id();
    if question.entry.filter == FilterRole::Uses && respond::filter_is_gone(fault.class) {
        respond::write_filter_not_found(out, id);
        return told(Status::OK, CallOutcome::Failed, Some(fault));
    }
    if fault.traits().emit == EmitRule::TransactionHash
        && respond::write_transaction_hash(out, id, question.params())
    {
        return told(Status::OK, CallOutcome::Ok, Some(fault));
    }
    let secrets = worker.secrets(question.route.chain);
    if let Some(answer) = words
        && !outcome_unknown
        && respond::may_relay(&fault, answer, secrets)
    {
        respond::write_answer(out, id, answer, false);
        return told(Status::OK, CallOutcome::NodeError, Some(fault));
    }
    let status = respond::write_fault(out, id, &fault, question.method_text(), outcome_unknown);
    told(status, CallOutcome::Failed, Some(fault))
}

const fn told(status: Status, outcome: CallOutcome, fault: Option<Fault>) -> Told {
    Told {
        status,
        outcome,
        fault,
    }
}

/// Writes the answer to a call whose result is longer than what is left for it.
pub fn write_too_large(out: &mut Vec<u8>, question: &Question<'_>) -> Told {
    let fault = Fault::unsent(FaultClass::ResponseTooLarge, "response_too_large");
    let status = respond::write_fault(out, question.id(), &fault, question.method_text(), false);
    told(status, CallOutcome::Failed, Some(fault))
}

/// Writes the answer to an item that is no call.
pub fn write_invalid(out: &mut Vec<u8>, body: &[u8], item: &Item, why: wire::envelope::Why) {
    respond::write_refusal(
        out,
        &Refusal {
            id: item.id.map(|span| span.of(body)),
            code: why.code(),
            message: why.message(),
        },
    );
}

/// Writes the answer to a call that nobody is asked, and counts it.
pub fn write_unasked(worker: &Worker, out: &mut Vec<u8>, question: &Question<'_>, why: Unasked) {
    let class = match why {
        Unasked::NotAllowed => {
            let fault = Fault::unsent(FaultClass::UnsupportedMethod, "not_allowed");
            respond::write_fault(out, question.id(), &fault, question.method_text(), false);
            fault.class
        }
        Unasked::FilterNotFound => {
            respond::write_filter_not_found(out, question.id());
            FaultClass::NoUpstream
        }
    };
    let chain = question.route.chain.as_usize();
    let mut recorder = worker.recorder.borrow_mut();
    recorder.call_started(chain);
    recorder.call_ended(&telemetry::CallRecord {
        chain,
        method: question.entry.id.index(),
        outcome: CallOutcome::Rejected,
        class: Some(class.index()),
        duration_us: 0,
    });
}
