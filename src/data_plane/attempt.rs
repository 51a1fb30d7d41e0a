//! One send to one upstream and its judged answer. It asks nobody what to do next; [`super::call`] does.

use std::rc::Rc;

use engine::index::{AttemptId, UpstreamIndex};
use engine::method::{Effect, FilterRole};

use super::asked::Question;
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

/// A long answer that has begun.
pub struct Begun {
    /// What came so far and the rest.
    pub long: Long,
    /// Which attempt it answers.
    pub attempt: AttemptId,
    /// The id that the upstream was sent.
    pub expected_id: u64,
    /// That is the caller's own.
    pub own_id_sent: bool,
    /// When the attempt is given up.
    pub deadline_ns: u64,
    /// Who answers.
    pub upstream: Rc<Upstream>,
    /// When the attempt began.
    pub started_ns: u64,
    /// How far it got.
    pub reached: Rc<Reached>,
}

/// What one attempt came to.
pub enum Attempted {
    /// A judged answer; whether the upstream was sent the caller's own id.
    Judged(Judged, bool),
    /// A pooled connection had died.
    Stale,
    /// A long answer began.
    Long(Box<Begun>),
}

/// One send and its judged answer.
pub async fn send(
    worker: &Rc<Worker>,
    question: &Question<'_>,
    upstream: &Rc<Upstream>,
    dispatch: Dispatch,
    budget: &HoldBudget,
    may_stream: bool,
    reached: &Rc<Reached>,
) -> Attempted {
    let started_ns = rt::now();
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
    let streamable = may_stream && question.entry.filter == FilterRole::None;
    let outgoing = Outgoing {
        payload,
        fresh_only: dispatch.fresh || question.entry.effect == Effect::NodeWrite,
        stream_id: streamable.then_some(expected_id),
        budget,
    };
    let received = exchange(upstream, &outgoing, &worker.limits.answer, reached).await;
    rt::recycle(written);
    let judged = match received {
        Ok(Received::Long(long)) => {
            return Attempted::Long(Box::new(Begun {
                long: *long,
                attempt: dispatch.attempt,
                expected_id,
                own_id_sent: own_id.is_some(),
                deadline_ns: dispatch.deadline_ns,
                upstream: upstream.clone(),
                started_ns,
                reached: reached.clone(),
            }));
        }
        Ok(Received::Whole { facts, body }) => {
            let held_bytes = body.len();
            let judged = judge_one(
                upstream,
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
