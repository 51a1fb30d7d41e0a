//! One call from its begin to its outcome: asks the engine what to do, does it, and reports what happened. Linear; every
//! decision is the engine's. Dropping it at any point tells the engine that the client is gone.

use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;

use engine::call::{Action, Event as EngineEvent, Outcome, Request};
use engine::fault::{Fault, FaultClass};
use engine::index::{AttemptId, UpstreamIndex};
use engine::method::Effect;
use engine::time::Instant;
use telemetry::{AttemptOutcome, AttemptRecord, CallOutcome, CallRecord};

use super::asked::Question;
use super::attempt::{Attempted, Begun, Dispatch, send};
use super::observe;
use super::upstream::Upstream;
use super::upstream::body::HoldBudget;
use super::upstream::exchange::Reached;
use super::upstream::judge::{Answer, Bytes, Judged, Kind};
use super::verify;
use super::worker::Worker;

/// How a call ended, as far as the client is concerned.
pub enum Settled {
    /// This answer goes to the client.
    Answer {
        /// The answer.
        answer: Answer,
        /// The upstream was sent the caller's own id.
        own_id_sent: bool,
        /// The class of the node's own error, if it is one.
        fault: Option<Fault>,
    },
    /// A long answer has begun; the rest is to be relayed while it arrives.
    Long(Box<Begun>),
    /// One error of ours.
    Error {
        /// What happened.
        fault: Fault,
        /// The call may have had its effect.
        outcome_unknown: bool,
        /// A node's own words about it, which may be relayed where the fault's rule allows.
        words: Option<Answer>,
    },
}

/// What is kept of an attempt's answer until the engine says which one is relayed.
struct Kept {
    attempt: AttemptId,
    answer: Answer,
    own_id_sent: bool,
}

/// A call in progress.
pub struct LiveCall<'q> {
    worker: Rc<Worker>,
    question: &'q Question<'q>,
    call: engine::call::Call,
    started_ns: u64,
    attempts: u16,
    last_upstream: Option<UpstreamIndex>,
    kept: Vec<Kept>,
    /// What the engine said while an attempt was out.
    waiting: VecDeque<Action>,
    /// The attempt that is out, for the counters if the client leaves.
    in_flight: Option<InFlight>,
    /// Bytes of an answer have gone to the client.
    committed: bool,
    ended: bool,
}

/// An attempt that is out.
struct InFlight {
    upstream: UpstreamIndex,
    reached: Rc<Reached>,
    started_ns: u64,
}

/// What the engine wants done next.
pub enum Next {
    /// This send.
    Dispatch(Dispatch),
    /// The call is over.
    Settled(Settled),
}

impl<'q> LiveCall<'q> {
    /// Begins a call.
    pub fn begin(worker: &Rc<Worker>, question: &'q Question<'q>, request: Request) -> Self {
        let now = worker.now();
        let call = worker.engine.borrow_mut().begin(now, request);
        worker
            .recorder
            .borrow_mut()
            .call_started(request.chain.as_usize());
        observe::call_started(worker, question);
        Self {
            worker: worker.clone(),
            question,
            call,
            started_ns: now.0,
            attempts: 0,
            last_upstream: None,
            kept: Vec::new(),
            waiting: VecDeque::new(),
            in_flight: None,
            committed: false,
            ended: false,
        }
    }

    /// The question that it asks.
    pub const fn question(&self) -> &'q Question<'q> {
        self.question
    }

    /// Attempts made so far.
    pub const fn attempts(&self) -> u16 {
        self.attempts
    }

    /// The upstream that was asked last.
    pub const fn last_upstream(&self) -> Option<UpstreamIndex> {
        self.last_upstream
    }

    /// Drives the call to its end, from `first` if that has been asked of the engine already.
    pub async fn drive(
        &mut self,
        first: Option<Next>,
        budget: &HoldBudget,
        may_stream: bool,
    ) -> Settled {
        let mut next = first;
        loop {
            let step = match next.take() {
                Some(step) => step,
                None => self.next().await,
            };
            match step {
                Next::Settled(settled) => return self.verified(settled).await,
                Next::Dispatch(dispatch) => {
                    if let Some(begun) = self.attempt(dispatch, budget, may_stream).await {
                        return Settled::Long(begun);
                    }
                }
            }
        }
    }

    /// The same, unless a transaction that seems refused turns out to have been taken before.
    async fn verified(&self, settled: Settled) -> Settled {
        let doubt = match &settled {
            Settled::Answer {
                fault: Some(fault), ..
            } => verify::is_in_doubt(self.question, fault, self.attempts),
            _ => false,
        };
        let upstream = self
            .last_upstream
            .filter(|_| doubt)
            .and_then(|index| self.worker.upstream(self.question.route.chain, index));
        let Some(upstream) = upstream else {
            return settled;
        };
        match verify::known_hash(self.question, upstream).await {
            Some(hash) => Settled::Answer {
                answer: Answer {
                    bytes: Bytes::Own(Vec::new()),
                    kind: Kind::Made(hash),
                },
                own_id_sent: false,
                fault: None,
            },
            None => settled,
        }
    }

    /// Waits for the next send, or the end.
    async fn next(&mut self) -> Next {
        loop {
            if let Some(next) = self.next_now() {
                return next;
            }
            let next = self.worker.engine.borrow().next_deadline(&self.call);
            let Some(next) = next else {
                return Next::Settled(broken_promise());
            };
            rt::sleep_until(next.0).await;
            self.on_time();
        }
    }

    /// The next send or the end, if the engine names it without waiting.
    pub fn next_now(&mut self) -> Option<Next> {
        loop {
            let action = match self.waiting.pop_front() {
                Some(action) => Some(action),
                None => {
                    let now = self.worker.now();
                    let polled = self
                        .worker
                        .engine
                        .borrow_mut()
                        .poll_action(&mut self.call, now);
                    self.take_notes();
                    polled
                }
            };
            match action? {
                Action::Dispatch {
                    attempt,
                    upstream,
                    deadline,
                    fresh,
                } => {
                    self.attempts += 1;
                    self.last_upstream = Some(upstream);
                    return Some(Next::Dispatch(Dispatch {
                        attempt,
                        upstream,
                        deadline_ns: deadline.0,
                        fresh,
                    }));
                }
                // Attempts run one after another here, so an attempt that is cancelled has ended already.
                Action::Cancel { .. } => (),
                Action::Complete(outcome) => return Some(Next::Settled(self.settle(outcome))),
            }
        }
    }

    /// Makes one attempt and reports its end. A long answer that began is given back; its end is reported by
    /// [`LiveCall::finish_long`]. The engine is asked meanwhile whenever it wants to be: it may give the attempt up early.
    async fn attempt(
        &mut self,
        dispatch: Dispatch,
        budget: &HoldBudget,
        may_stream: bool,
    ) -> Option<Box<Begun>> {
        let (worker, question) = (self.worker.clone(), self.question);
        let chain = question.route.chain;
        let Some(upstream) = worker.upstream(chain, dispatch.upstream) else {
            self.report(dispatch.attempt, Err(broken_fault()));
            return None;
        };
        let started_ns = rt::now();
        let reached = Rc::new(Reached::default());
        self.in_flight = Some(InFlight {
            upstream: dispatch.upstream,
            reached: reached.clone(),
            started_ns,
        });
        let mut sending = pin!(send(
            &worker, question, upstream, dispatch, budget, may_stream, &reached
        ));
        let attempted = loop {
            let due = worker.engine.borrow().next_deadline(&self.call);
            let due_ns = due.map_or(u64::MAX, |at| at.0).min(dispatch.deadline_ns);
            match rt::timeout_at(due_ns, sending.as_mut()).await {
                Ok(attempted) => break attempted,
                Err(rt::Elapsed) if rt::now() >= dispatch.deadline_ns => {
                    break Attempted::Judged(
                        Judged {
                            answer: None,
                            fault: Some(reached.timeout()),
                        },
                        false,
                    );
                }
                Err(rt::Elapsed) => {
                    if self.engine_gives_up(dispatch.attempt) {
                        let fault = Fault::new(FaultClass::Timeout, "upstream_silent");
                        self.in_flight = None;
                        self.record_attempt(upstream, &reached, started_ns, Some(Some(fault)));
                        return None;
                    }
                }
            }
        };
        self.in_flight = None;
        match attempted {
            Attempted::Long(begun) => return Some(begun),
            Attempted::Stale => {
                self.record_attempt(upstream, &reached, started_ns, None);
                worker
                    .recorder
                    .borrow_mut()
                    .connection_stale(chain.as_usize(), dispatch.upstream.as_usize());
                self.report_stale(dispatch.attempt);
            }
            Attempted::Judged(judged, own_id_sent) => {
                self.record_attempt(upstream, &reached, started_ns, Some(judged.fault));
                self.take_judged(dispatch.attempt, judged, own_id_sent);
            }
        }
        None
    }

    /// Lets the engine do what is due while an attempt is out. Whether that ended the attempt.
    fn engine_gives_up(&mut self, attempt: AttemptId) -> bool {
        self.on_time();
        let now = self.worker.now();
        loop {
            let action = self
                .worker
                .engine
                .borrow_mut()
                .poll_action(&mut self.call, now);
            match action {
                Some(action) => self.waiting.push_back(action),
                None => break,
            }
        }
        self.take_notes();
        self.waiting.iter().any(|action| match action {
            Action::Cancel { attempt: cancelled } => *cancelled == attempt,
            Action::Complete(_) => true,
            Action::Dispatch { .. } => false,
        })
    }

    /// Tells the engine what time it is.
    fn on_time(&mut self) {
        let now = self.worker.now();
        self.worker
            .engine
            .borrow_mut()
            .handle_timeout(&mut self.call, now);
        self.take_notes();
    }

    /// Reports a judged answer, and keeps it until the engine says what is relayed.
    pub fn take_judged(&mut self, attempt: AttemptId, judged: Judged, own_id_sent: bool) {
        if let Some(answer) = judged.answer {
            self.kept.push(Kept {
                attempt,
                answer,
                own_id_sent,
            });
        }
        self.report(attempt, judged.fault.map_or(Ok(()), Err));
    }

    /// Counts an attempt that ended; `end` is None for one that is nobody's fault.
    pub fn record_attempt(
        &self,
        upstream: &Upstream,
        reached: &Reached,
        started_ns: u64,
        end: Option<Option<Fault>>,
    ) {
        let (chain, index) = (upstream.chain.as_usize(), upstream.index.as_usize());
        let mut recorder = self.worker.recorder.borrow_mut();
        if let Some((outcome, took_us)) = reached.connect.get() {
            recorder.connect_ended(chain, index, outcome, took_us);
        }
        if reached.refused_by_pool.get() {
            recorder.pool_refused(chain, index);
        }
        let outcome = match end {
            None => AttemptOutcome::Cancelled,
            Some(None) => AttemptOutcome::Ok,
            Some(Some(fault)) if fault.traits().answered => AttemptOutcome::NodeError,
            Some(Some(_)) => AttemptOutcome::Fault,
        };
        recorder.attempt_ended(&AttemptRecord {
            chain,
            upstream: index,
            method: self.question.entry.id.index(),
            outcome,
            class: end.flatten().map(|fault| fault.class.index()),
            duration_us: rt::now().saturating_sub(started_ns) / 1000,
            first_byte_us: reached
                .first_byte_ns
                .get()
                .map(|at| at.saturating_sub(started_ns) / 1000),
            sent_bytes: reached.sent_bytes.get(),
            received_bytes: reached.received_bytes.get(),
        });
    }

    /// Says that bytes of a long answer have gone to the client: nothing else can be answered any more. Gives the time that the
    /// attempt may still take: all that is left of the call's, since no other upstream needs a share of it now.
    pub fn commit(&mut self, attempt: AttemptId) -> u64 {
        if !std::mem::replace(&mut self.committed, true) {
            self.event(EngineEvent::Committed { attempt });
            let until = self.worker.engine.borrow().next_deadline(&self.call);
            return until.map_or(0, |until| until.0.saturating_sub(rt::now()));
        }
        0
    }

    /// Reports the end of a long answer.
    pub fn finish_long(&mut self, begun: &Begun, end: Result<(), Fault>) {
        self.record_attempt(
            &begun.upstream,
            &begun.reached,
            begun.started_ns,
            Some(end.err()),
        );
        self.report(begun.attempt, end);
        let now = self.worker.now();
        while self
            .worker
            .engine
            .borrow_mut()
            .poll_action(&mut self.call, now)
            .is_some()
        {}
        self.take_notes();
    }

    /// Reports what came of an attempt.
    pub fn report(&mut self, attempt: AttemptId, result: Result<(), Fault>) {
        self.event(EngineEvent::Finished { attempt, result });
    }

    /// Reports a pooled connection that had died. A read is sent again without a word; a write is never: that it may have
    /// been sent is a failure like any other, for the engine to decide about and for the operator to see.
    pub fn report_stale(&mut self, attempt: AttemptId) {
        if self.question.entry.effect == Effect::None {
            self.event(EngineEvent::Stale {
                attempt,
                sent: true,
            });
        } else {
            let fault = Fault::new(FaultClass::Transport, "closed_before_answer");
            self.report(attempt, Err(fault));
        }
    }

    fn event(&mut self, event: EngineEvent) {
        let now = self.worker.now();
        self.worker
            .engine
            .borrow_mut()
            .handle_event(&mut self.call, now, event);
        self.take_notes();
    }

    fn take_notes(&self) {
        self.worker.take_notes(|note| {
            observe::selection(&self.worker, self.question, self.attempts + 1, note);
        });
    }

    fn settle(&mut self, outcome: Outcome) -> Settled {
        match outcome {
            Outcome::Relay { attempt, fault } => match self.take_kept(attempt) {
                Some(kept) => Settled::Answer {
                    answer: kept.answer,
                    own_id_sent: kept.own_id_sent,
                    fault,
                },
                // A class whose answer the engine would relay, said by a status without a body.
                None => Settled::Error {
                    fault: fault.unwrap_or_else(broken_fault),
                    outcome_unknown: false,
                    words: None,
                },
            },
            Outcome::Emit {
                fault,
                attempt,
                outcome_unknown,
            } => Settled::Error {
                fault,
                outcome_unknown,
                words: attempt
                    .and_then(|attempt| self.take_kept(attempt))
                    .map(|kept| kept.answer),
            },
            Outcome::Abort { fault } => Settled::Error {
                fault,
                outcome_unknown: false,
                words: None,
            },
        }
    }

    fn take_kept(&mut self, attempt: AttemptId) -> Option<Kept> {
        let at = self.kept.iter().position(|kept| kept.attempt == attempt)?;
        Some(self.kept.swap_remove(at))
    }

    /// Counts and logs how the call ended for its client.
    pub fn ended(&mut self, outcome: CallOutcome, fault: Option<Fault>, status: u16, bytes: usize) {
        self.ended = true;
        let duration_us = rt::now().saturating_sub(self.started_ns) / 1000;
        self.worker.recorder.borrow_mut().call_ended(&CallRecord {
            chain: self.question.route.chain.as_usize(),
            method: self.question.entry.id.index(),
            outcome,
            class: fault.map(|fault| fault.class.index()),
            duration_us,
        });
        observe::call_ended(
            &self.worker,
            self.question,
            &observe::Ending {
                upstream: self.last_upstream,
                outcome,
                fault,
                duration_us,
                attempts: self.attempts,
                http_status: status,
                response_bytes: bytes,
            },
        );
    }
}

impl Drop for LiveCall<'_> {
    fn drop(&mut self) {
        if let Some(out) = self.in_flight.take()
            && let Some(upstream) = self
                .worker
                .upstream(self.question.route.chain, out.upstream)
        {
            self.record_attempt(upstream, &out.reached, out.started_ns, None);
        }
        if !self.call.is_done() {
            self.event(EngineEvent::ClientGone);
            let now = Instant(rt::now());
            while self
                .worker
                .engine
                .borrow_mut()
                .poll_action(&mut self.call, now)
                .is_some()
            {}
            self.take_notes();
        }
        if !self.ended {
            self.ended(CallOutcome::Cancelled, None, 499, 0);
        }
    }
}

/// The fault of a state that the engine's contract rules out; a call ends with it rather than with a panic.
const fn broken_fault() -> Fault {
    Fault::unsent(FaultClass::NoUpstream, "engine_contract")
}

const fn broken_promise() -> Settled {
    Settled::Error {
        fault: broken_fault(),
        outcome_unknown: false,
        words: None,
    }
}
