//! A batch: each call is routed on its own, in parallel; the answer is an array in request order. Calls for one upstream travel
//! together where it allows, and are judged one by one. One failing item never fails the others.

use std::pin::pin;
use std::rc::Rc;

use engine::fault::Fault;
use engine::index::UpstreamIndex;
use engine::method::Effect;
use futures_lite::future;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use wire::envelope::{Item, Kind};
use wire::splice::{self, ArrayJoin};

use super::ask::{Ask, Ended, Way};
use super::asked::{Question, RequestContext};
use super::attempt::Dispatch;
use super::call::{LiveCall, Next, Settled, record_attempt};
use super::explain::Explain;
use super::flights::Lead;
use super::pipeline::{self, Served, Told};
use super::respond::Status;
use super::route::Route;
use super::upstream::Upstream;
use super::upstream::body::HoldBudget;
use super::upstream::exchange::{Broken, Outgoing, Received, exchange};
use super::upstream::judge::{Judged, judge_batch};
use super::worker::Worker;

/// Upstream requests that one batch has out at once: a large batch takes its turns and leaves the pools to others too.
const MAX_AT_ONCE: usize = 64;

/// One item of the batch on its way to its answer.
enum Slot<'b> {
    /// Answered without asking anybody.
    Ready(Vec<u8>),
    /// To be asked.
    Asked(Box<Question<'b>>),
}

/// A call that leads: sent somewhere by the engine, or ended.
struct Begun<'q> {
    at: usize,
    ask: Ask<'q>,
    lead: Option<Lead<Settled>>,
    live: LiveCall<'q>,
    first: Option<Next>,
}

/// What one item came to.
struct Finished {
    at: usize,
    answer: Vec<u8>,
    explain: Explain,
}

/// Serves a batch.
pub async fn serve(
    worker: &Rc<Worker>,
    context: &RequestContext<'_>,
    route: Route,
    body: &[u8],
    items: &[Item],
) -> Served {
    // Its calls are polled apart, each with a waker of its own.
    let context = &RequestContext {
        alarm: None,
        ..*context
    };
    let slots: Vec<Slot<'_>> = items
        .iter()
        .zip(0..)
        .map(|(item, ordinal)| describe(worker, context, route, ordinal, body, item))
        .collect();
    let budget = HoldBudget::below(&worker.held, worker.limits.answer.max_response_bytes);
    let asked: Vec<(usize, &Question<'_>)> = slots
        .iter()
        .enumerate()
        .filter_map(|(at, slot)| match slot {
            Slot::Asked(question) => Some((at, &**question)),
            Slot::Ready(_) => None,
        })
        .collect();
    let mut answers: Vec<Option<Vec<u8>>> = slots.iter().map(|_| None).collect();
    // Its calls may have gone to several upstreams, each chosen on its own: the head tells of one of them, and how many attempts all made.
    let mut explain = Explain::default();
    // A call begins when its turn comes, not before: its deadline must not run while it waits behind its own batch.
    let together = largest_upstream_batch(worker, route);
    {
        let mut running = pin!(
            stream::iter(asked.chunks(together))
                .map(|calls| run_some(worker, route, calls, &budget))
                .buffer_unordered(MAX_AT_ONCE)
        );
        while let Some(finished) = running.next().await {
            for one in finished {
                explain.attempts += one.explain.attempts;
                explain.upstream = one.explain.upstream.or(explain.upstream);
                if let Some(answer) = answers.get_mut(one.at) {
                    *answer = Some(one.answer);
                }
            }
        }
    }
    let answers = slots.iter().zip(answers).map(|(slot, answer)| match slot {
        Slot::Ready(answer) => answer.clone(),
        Slot::Asked(_) => answer.unwrap_or_default(),
    });
    let body = join(items, answers);
    Served {
        status: Status::OK,
        body,
        explain,
        batch_calls: Some(items.len()),
        held: Some(budget),
    }
}

/// The most calls of one batch that any upstream of the chain takes together.
fn largest_upstream_batch(worker: &Worker, route: Route) -> usize {
    let upstreams = worker.chain(route.chain).map(|chain| &chain.upstreams);
    let largest = upstreams
        .into_iter()
        .flatten()
        .map(|upstream| upstream.batch_max_calls)
        .max();
    largest.unwrap_or(1).max(1)
}

/// Begins some calls of the batch and takes them to their ends.
async fn run_some<'q>(
    worker: &Rc<Worker>,
    route: Route,
    calls: &[(usize, &'q Question<'q>)],
    budget: &HoldBudget,
) -> Vec<Finished> {
    let mut finished = Vec::with_capacity(calls.len());
    let mut begun = Vec::new();
    let mut following = FuturesUnordered::new();
    for &(at, question) in calls {
        let mut ask = Ask::begin(worker, question);
        let mut answer = rt::take_buffer();
        if let Some(told) = ask.look(&mut answer, budget.left_bytes()) {
            let told = keep_within(budget, &ask, told, &mut answer);
            finished.push(finish(at, &mut ask, told, answer));
            continue;
        }
        rt::recycle(answer);
        match ask.join() {
            Way::Lead(lead) => {
                let mut live = ask.begin_attempts();
                let first = live.next_now();
                begun.push(Begun {
                    at,
                    ask,
                    lead,
                    live,
                    first,
                });
            }
            way @ Way::Follow(_) => following.push(follow(worker, at, ask, way, budget)),
        }
    }
    let mut running: FuturesUnordered<_> = group(worker, route, begun)
        .into_iter()
        .map(|together| run(worker, together, budget))
        .collect();
    // Whoever follows may follow a call of this very batch, so both make progress.
    let leading = async {
        let mut finished = Vec::new();
        while let Some(mut some) = running.next().await {
            finished.append(&mut some);
        }
        finished
    };
    let followed = async {
        let mut finished = Vec::new();
        while let Some(one) = following.next().await {
            finished.push(one);
        }
        finished
    };
    let (mut led, mut followed) = future::zip(leading, followed).await;
    finished.append(&mut led);
    finished.append(&mut followed);
    finished
}

/// Waits for somebody else's answer, and asks where there is none.
async fn follow(
    worker: &Rc<Worker>,
    at: usize,
    mut ask: Ask<'_>,
    way: Way,
    budget: &HoldBudget,
) -> Finished {
    let mut live = None;
    let ended = ask.go(way, &mut live, budget, false).await;
    write(worker, at, &mut ask, &ended, budget)
}

/// Writes what a call came to. What it received itself is charged to the batch already; an answer that it shares is charged here.
fn write(
    worker: &Rc<Worker>,
    at: usize,
    ask: &mut Ask<'_>,
    ended: &Ended,
    budget: &HoldBudget,
) -> Finished {
    let mut answer = rt::take_buffer();
    let shared_bytes = match ended {
        Ended::Shared(settled) => settled.result_bytes(),
        Ended::Own(_) | Ended::Long(_) => 0,
    };
    let told = if shared_bytes > budget.left_bytes() {
        pipeline::write_too_large(&mut answer, ask.question())
    } else {
        ended.write(worker, &mut answer, ask.question())
    };
    let told = match ended {
        Ended::Shared(_) => keep_within(budget, ask, told, &mut answer),
        Ended::Own(_) | Ended::Long(_) => told,
    };
    finish(at, ask, told, answer)
}

/// Charges an answer to the batch, or writes that it is too large in its place.
fn keep_within(budget: &HoldBudget, ask: &Ask<'_>, told: Told, answer: &mut Vec<u8>) -> Told {
    if budget.take(answer.len()) {
        return told;
    }
    *answer = Vec::new();
    pipeline::write_too_large(answer, ask.question())
}

/// Closes a call's account.
fn finish(at: usize, ask: &mut Ask<'_>, told: Told, answer: Vec<u8>) -> Finished {
    ask.meter.ended(told.outcome, told.fault, 200, answer.len());
    Finished {
        at,
        answer,
        explain: ask.meter.explain(),
    }
}

fn describe<'b>(
    worker: &Rc<Worker>,
    context: &'b RequestContext<'b>,
    route: Route,
    ordinal: u32,
    body: &'b [u8],
    item: &Item,
) -> Slot<'b> {
    let mut out = Vec::new();
    let (Kind::Call(call) | Kind::Notification(call)) = &item.kind else {
        if let Kind::Invalid(why) = item.kind {
            pipeline::write_invalid(&mut out, body, item, why);
        }
        return Slot::Ready(out);
    };
    let (question, served) = Question::describe(worker, context, route, ordinal, body, item, call);
    match served {
        Ok(()) => Slot::Asked(Box::new(question)),
        Err(why) => {
            pipeline::write_unasked(worker, &mut out, &question, why);
            Slot::Ready(out)
        }
    }
}

/// The array in request order; notifications have no place in it, and without any other item there is no body at all.
fn join(items: &[Item], answers: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = rt::take_buffer();
    if items
        .iter()
        .all(|item| matches!(item.kind, Kind::Notification(_)))
    {
        return out;
    }
    let mut array = ArrayJoin::begin(&mut out);
    for (item, answer) in items.iter().zip(answers) {
        if !matches!(item.kind, Kind::Notification(_)) {
            array.item(&mut out);
            out.extend_from_slice(&answer);
        }
        rt::recycle(answer);
    }
    array.end(&mut out);
    out
}

/// Puts calls that may travel together into groups; everything else travels alone.
fn group<'q>(worker: &Worker, route: Route, begun: Vec<Begun<'q>>) -> Vec<Vec<Begun<'q>>> {
    let mut groups: Vec<Vec<Begun<'q>>> = Vec::new();
    let mut open: Vec<(UpstreamIndex, usize)> = Vec::new();
    for one in begun {
        let upstream = match &one.first {
            Some(Next::Dispatch(dispatch)) => worker.upstream(route.chain, dispatch.upstream),
            _ => None,
        };
        // A write that must not be sent twice shares its fate with nothing, and what is raced is sent to several.
        let alone = one.ask.question().entry.effect == Effect::NodeWrite || one.live.is_raced();
        let most = upstream.map_or(1, |upstream| most_calls(worker, upstream));
        let Some(upstream) = upstream.filter(|_| most > 1 && !alone) else {
            groups.push(vec![one]);
            continue;
        };
        let place = open
            .iter()
            .find(|(index, _)| *index == upstream.index)
            .map(|(_, at)| *at);
        match place.and_then(|at| groups.get_mut(at)) {
            Some(group) if group.len() < most => group.push(one),
            _ => {
                open.retain(|(index, _)| *index != upstream.index);
                open.push((upstream.index, groups.len()));
                groups.push(vec![one]);
            }
        }
    }
    groups
}

/// The most calls that an upstream is sent together: as configured, and no more than it was found to take.
fn most_calls(worker: &Worker, upstream: &Upstream) -> usize {
    if upstream.batch_max_calls == 1 {
        return 1;
    }
    let engine = worker.engine.borrow();
    let learned = engine.max_batch(upstream.chain, upstream.index, worker.now());
    learned.map_or(upstream.batch_max_calls, |most| {
        upstream.batch_max_calls.min(most.max(1) as usize)
    })
}

/// Takes the calls of one group to their ends: the first send together, whatever follows each on its own.
async fn run<'q>(
    worker: &Rc<Worker>,
    mut group: Vec<Begun<'q>>,
    budget: &HoldBudget,
) -> Vec<Finished> {
    if group.len() > 1 {
        send_together(worker, &mut group, budget).await;
    }
    let mut running: FuturesUnordered<_> = group
        .into_iter()
        .map(|one| lead(worker, one, budget))
        .collect();
    let mut finished = Vec::with_capacity(running.len());
    while let Some(one) = running.next().await {
        finished.push(one);
    }
    finished
}

/// Takes one call to its end.
async fn lead(worker: &Rc<Worker>, mut one: Begun<'_>, budget: &HoldBudget) -> Finished {
    let (first, lead) = (one.first.take(), one.lead.take());
    let ended = one
        .ask
        .lead(&mut one.live, first, lead, budget, false)
        .await;
    write(worker, one.at, &mut one.ask, &ended, budget)
}

/// Sends the calls of a group as one upstream batch and reports what came of each.
async fn send_together(worker: &Rc<Worker>, group: &mut [Begun<'_>], budget: &HoldBudget) {
    let dispatches: Vec<Dispatch> = group
        .iter_mut()
        .filter_map(|one| match one.first.take() {
            Some(Next::Dispatch(dispatch)) => Some(dispatch),
            _ => None,
        })
        .collect();
    // The bytes on the wire are counted once, with the first call.
    let mut first = None;
    for (one, dispatch) in group.iter_mut().zip(&dispatches) {
        let out = one.live.goes_out(*dispatch);
        first = first.or_else(|| {
            out.as_ref()
                .map(|o| (o.upstream.clone(), o.reached.clone()))
        });
        one.live.goes_alone(out);
    }
    let Some((upstream, reached)) = first.filter(|_| dispatches.len() == group.len()) else {
        return;
    };
    let first_id = upstream.take_ids(group.len());
    let payload = write_batch(group, first_id);
    let outgoing = Outgoing {
        payload: &payload,
        fresh_only: dispatches.iter().any(|dispatch| dispatch.fresh),
        stream_id: None,
        hold_on: None,
        budget,
    };
    let deadline_ns = dispatches.iter().map(|d| d.deadline_ns).min().unwrap_or(0);
    let received = rt::timeout_at(
        deadline_ns,
        exchange(&upstream, &outgoing, &worker.limits.answer, &reached),
    )
    .await;
    rt::recycle(payload);
    let judged = match received {
        Ok(Ok(Received::Whole { facts, body })) => {
            let held_bytes = body.len();
            let asked: Vec<_> = group.iter().map(|one| one.ask.question().asked()).collect();
            let mut scratch = worker.scratch.borrow_mut();
            let judged = judge_batch(&upstream, &asked, first_id, &facts, body, &mut scratch);
            if judged.iter().all(|one| one.answer.is_none()) {
                budget.give_back(held_bytes);
            }
            judged
        }
        Ok(Ok(Received::Long(_))) => faulty(group, reached.timeout()),
        Ok(Err(Broken::Stale)) => {
            for one in group {
                if let Some(out) = one.live.comes_back() {
                    record_attempt(worker, one.ask.question(), &out, None);
                    one.live.report_stale(out.dispatch.attempt);
                }
            }
            return;
        }
        Ok(Err(Broken::Fault(fault))) => faulty(group, fault),
        Err(rt::Elapsed) => faulty(group, reached.timeout()),
    };
    if judged.iter().all(Judged::is_refused_batch) {
        // It takes no batches, or none so long: that is learned, and these calls go again, one by one, as the same attempts.
        let hint = judged
            .iter()
            .find_map(|one| one.fault)
            .map(|fault| fault.hint);
        let calls = u32::try_from(group.len()).unwrap_or(u32::MAX);
        worker.engine.borrow_mut().batch_refused(
            worker.now(),
            upstream.chain,
            upstream.index,
            calls,
            hint.unwrap_or_default(),
        );
        worker.take_notes(|_| ());
        for one in group {
            one.first = one.live.goes_again().map(Next::Dispatch);
        }
        return;
    }
    for (one, judged) in group.iter_mut().zip(judged) {
        if let Some(out) = one.live.comes_back() {
            record_attempt(worker, one.ask.question(), &out, Some(judged.fault));
            one.live.take_judged(&out, judged, false);
        }
    }
}

fn faulty(group: &[Begun<'_>], fault: Fault) -> Vec<Judged> {
    group
        .iter()
        .map(|_| Judged {
            answer: None,
            fault: Some(fault),
        })
        .collect()
}

/// The calls as one array, under ids of ours in a row.
fn write_batch(group: &[Begun<'_>], first_id: u64) -> Vec<u8> {
    let mut payload = rt::take_buffer();
    let mut array = ArrayJoin::begin(&mut payload);
    for (one, id) in group.iter().zip(first_id..) {
        array.item(&mut payload);
        let question = one.ask.question();
        splice::write_call(&mut payload, id, &question.method, question.params());
    }
    array.end(&mut payload);
    payload
}
