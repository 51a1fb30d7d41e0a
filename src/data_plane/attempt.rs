//! One send to one upstream and its judged answer. It asks nobody what to do next; [`super::call`] does.

use std::rc::Rc;

use engine::index::{AttemptId, UpstreamIndex};
use engine::method::{Effect, FilterRole};

use super::asked::Question;
use super::call::Out;
use super::upstream::Upstream;
use super::upstream::body::HoldBudget;
use super::upstream::exchange::{Broken, Long, Outgoing, Reached, Received, exchange};
use super::upstream::judge::{Judged, judge_one};
use super::worker::Worker;

/// One send that the engine asked for.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch {
    /// Its name.
    pub attempt: AttemptId,
    /// Where to.
    pub upstream: UpstreamIndex,
    /// When it is given up.
    pub deadline_ns: u64,
    /// Not on a pooled connection.
    pub fresh: bool,
}

/// Whether a long answer may go to the client while it arrives.
#[derive(Clone, Copy)]
pub enum Streaming<'a> {
    /// No: it is held whole.
    Never,
    /// Unless others wait for the same answer by then.
    Unless(&'a dyn Fn() -> bool),
    /// Yes.
    Always,
}

/// A long answer that has begun.
pub struct Begun {
    /// What came so far and the rest.
    pub long: Long,
    /// The attempt that it answers.
    pub out: Out,
    /// The id that the upstream was sent.
    pub expected_id: u64,
    /// That is the caller's own.
    pub own_id_sent: bool,
    /// When the attempt is given up.
    pub deadline_ns: u64,
}

/// What one attempt came to.
pub enum Attempted {
    /// A judged answer; whether the upstream was sent the caller's own id.
    Judged(Judged, bool),
    /// A pooled connection had died.
    Stale,
    /// A long answer began, to a call sent under this id, which may be the caller's own.
    Long(Box<Long>, u64, bool),
}

/// One send and its judged answer.
pub async fn send(
    worker: &Rc<Worker>,
    question: &Question<'_>,
    upstream: Rc<Upstream>,
    dispatch: Dispatch,
    budget: &HoldBudget,
    streaming: Streaming<'_>,
    reached: Rc<Reached>,
) -> Attempted {
    let own_id = question.own_id();
    let expected_id = own_id.unwrap_or_else(|| upstream.take_ids(1));
    let mut written = Vec::new();
    let payload = match own_id {
        Some(_) => question.raw(),
        None => {
            written = rt::take_buffer();
            question.write_call(&mut written, expected_id);
            written.as_slice()
        }
    };
    let streaming = match question.entry.filter {
        FilterRole::None => streaming,
        FilterRole::Creates | FilterRole::Uses => Streaming::Never,
    };
    let outgoing = Outgoing {
        payload,
        fresh_only: dispatch.fresh || question.entry.effect == Effect::NodeWrite,
        stream_id: match streaming {
            Streaming::Never => None,
            Streaming::Unless(_) | Streaming::Always => Some(expected_id),
        },
        hold_on: match streaming {
            Streaming::Unless(others_wait) => Some(others_wait),
            Streaming::Never | Streaming::Always => None,
        },
        budget,
    };
    let received = exchange(&upstream, &outgoing, &worker.limits.answer, &reached).await;
    rt::recycle(written);
    let judged = match received {
        Ok(Received::Long(long)) => {
            return Attempted::Long(long, expected_id, own_id.is_some());
        }
        Ok(Received::Whole { facts, body }) => {
            let held_bytes = body.len();
            let judged = judge_one(
                &upstream,
                question.asked(),
                expected_id,
                &facts,
                body,
                &mut worker.scratch.borrow_mut(),
            );
            if judged.answer.is_none() {
                budget.give_back(held_bytes);
            }
            judged
        }
        Err(Broken::Stale) => return Attempted::Stale,
        Err(Broken::Fault(fault)) => Judged {
            answer: None,
            fault: Some(fault),
        },
    };
    Attempted::Judged(judged, own_id.is_some())
}
