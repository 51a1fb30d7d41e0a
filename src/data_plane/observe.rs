//! What happened to a call, as events for the access log: `livechain.rpc.request` and `livechain.selection`. Only for
//! requests that are sampled; never a body, params or a key.

use engine::eligibility::{LeastBad, LeftOut};
use engine::fault::Fault;
use engine::index::{StrategyIndex, UpstreamIndex, UpstreamSet};
use engine::note::{Note, NoteKind};
use engine::strategy::Reason;
use telemetry::{
    CacheStatus, CallEnd, CallOutcome, Event, EventHead, ForeignText, Protocol, SelectionMade,
};

use super::asked::Question;
use super::worker::Worker;

/// The name of the reason why there was no choice.
pub const NOTHING_ELIGIBLE: &str = "nothing_eligible";

/// How a call ended.
pub struct Ending {
    /// Who was asked last.
    pub upstream: Option<UpstreamIndex>,
    /// How it ended for the client.
    pub outcome: CallOutcome,
    /// With which fault.
    pub fault: Option<Fault>,
    /// After how long.
    pub duration_us: u64,
    /// After how many attempts.
    pub attempts: u16,
    /// Whether one of them was a hedge.
    pub hedged: bool,
    /// What the cache did for it.
    pub cache: Option<CacheStatus>,
    /// The HTTP status of the answer.
    pub http_status: u16,
    /// The length of the call's answer.
    pub response_bytes: usize,
}

/// A call began.
pub fn call_started(worker: &Worker, question: &Question<'_>) {
    if question.context.sampled {
        send(worker, Event::Start(head(worker, question)));
    }
}

/// A call ended.
pub fn call_ended(worker: &Worker, question: &Question<'_>, ending: &Ending) {
    if !question.context.sampled {
        return;
    }
    let chain = question.route.chain;
    let breaker_state = ending.upstream.and_then(|upstream| {
        let view = worker.engine.borrow().view(chain, upstream, worker.now())?;
        Some(view.breaker as u8)
    });
    let end = CallEnd {
        upstream: ending.upstream.map(|upstream| upstream.0),
        breaker_state,
        outcome: ending.outcome,
        duration_us: ending.duration_us,
        attempts: ending.attempts,
        cache: ending.cache,
        hedged: ending.hedged,
        http_status: ending.http_status,
        request_bytes: question.raw().len() as u64,
        response_bytes: ending.response_bytes as u64,
        fault_class: ending.fault.map(|fault| fault.class.index() as u8),
        fault_rule: ending.fault.map_or("", |fault| fault.rule),
    };
    send(worker, Event::End(head(worker, question), end));
}

/// An upstream was chosen for an attempt of the call, or none could be.
pub fn selection(worker: &Worker, question: &Question<'_>, attempt: u16, note: &Note) {
    if !question.context.sampled {
        return;
    }
    let kind_of = |strategy| {
        let chain = worker.chain(question.route.chain);
        let kind = chain.map(|chain| chain.kind_of(strategy));
        kind.and_then(|kind| u16::try_from(kind).ok()).unwrap_or(0)
    };
    let made = match note.kind {
        NoteKind::Selected {
            strategy,
            reason,
            chosen,
            candidates,
            left_out,
            least_bad,
            ..
        } => SelectionMade {
            attempt,
            strategy: kind_of(strategy),
            reason: self::reason(reason, least_bad),
            upstream: Some(chosen.0),
            candidates: members(candidates),
            left_out: reasons(&left_out),
        },
        NoteKind::NothingEligible { left_out, .. } => SelectionMade {
            attempt,
            strategy: kind_of(StrategyIndex(0)),
            reason: NOTHING_ELIGIBLE,
            upstream: None,
            candidates: Box::default(),
            left_out: reasons(&left_out),
        },
        _ => return,
    };
    send(
        worker,
        Event::Selection(head(worker, question), Box::new(made)),
    );
}

/// The name of a choice's reason: of how the upstream was the least bad, if it was.
pub const fn reason(reason: Reason, least_bad: Option<LeastBad>) -> &'static str {
    match least_bad {
        Some(way) => way.label(),
        None => reason.label(),
    }
}

fn members(set: UpstreamSet) -> Box<[u16]> {
    set.iter().map(|upstream| upstream.0).collect()
}

fn reasons(left_out: &LeftOut) -> Box<[(u16, u8)]> {
    left_out
        .iter()
        .map(|(upstream, why)| (upstream.0, why as u8))
        .collect()
}

fn head(worker: &Worker, question: &Question<'_>) -> EventHead {
    let known = question.entry.id.is_known();
    EventHead {
        at_ns: rt::now(),
        request_id: ForeignText::new(question.context.request_id.as_bytes()),
        call: question.ordinal,
        shard: u16::try_from(worker.number).unwrap_or(u16::MAX),
        chain: question.route.chain.0,
        method: question.entry.id.0,
        method_original: (!known).then(|| ForeignText::new(&question.method)),
        protocol: Protocol::Http,
    }
}

fn send(worker: &Worker, event: Event) {
    if !worker.events.send(event) {
        worker.recorder.borrow_mut().events_dropped(1);
    }
}
