//! The auditor's books of one call and its attempts. They judge nothing.

use engine::call::{MAX_CALL_ATTEMPTS, Request};
use engine::fault::{Fault, FaultClass};
use engine::index::{AttemptId, CallId, UpstreamIndex};
use engine::method::{self, MethodGroup};
use engine::time::Instant;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) request: Request,
    pub(super) deadline: Instant,
    pub(super) made: [Attempt; MAX_CALL_ATTEMPTS],
    pub(super) made_count: usize,
    /// It pauses before it goes back.
    pub(super) paused: bool,
    /// An attempt ended after its bytes had left.
    pub(super) sent: bool,
    /// It has had its hedge.
    pub(super) hedged: bool,
    /// Attempts beside its first that it was sent to from the start.
    pub(super) raced: usize,
    /// An answer is on its way to the client.
    pub(super) committed: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) upstream: UpstreamIndex,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
    pub(super) end: AttemptEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptEnd {
    Live,
    Cancelled,
    Finished(Result<(), Fault>),
}

const NONE_YET: Attempt = Attempt {
    upstream: UpstreamIndex(0),
    started: Instant::ZERO,
    deadline: Instant::ZERO,
    end: AttemptEnd::Cancelled,
};

impl Call {
    pub(super) const fn new(id: CallId, request: Request, deadline: Instant) -> Self {
        Self {
            id,
            request,
            deadline,
            made: [NONE_YET; MAX_CALL_ATTEMPTS],
            made_count: 0,
            paused: false,
            sent: false,
            hedged: false,
            raced: 0,
            committed: false,
        }
    }

    pub(super) fn group(&self) -> MethodGroup {
        method::policy(self.request.method).class.group()
    }

    pub(super) fn attempts(&self) -> &[Attempt] {
        &self.made[..self.made_count]
    }

    pub(super) fn attempt(&mut self, attempt: AttemptId) -> Option<&mut Attempt> {
        self.made[..self.made_count].get_mut(attempt.as_usize())
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts()
            .iter()
            .filter(|attempt| attempt.end == AttemptEnd::Live)
    }
}

/// Given up by its deadline, or broken after the bytes had left.
pub(super) fn is_doubtful(end: AttemptEnd) -> bool {
    match end {
        AttemptEnd::Finished(Err(fault)) => {
            fault.sent
                && matches!(
                    fault.class,
                    FaultClass::Transport | FaultClass::Timeout | FaultClass::Server
                )
        }
        AttemptEnd::Cancelled => true,
        AttemptEnd::Finished(Ok(())) | AttemptEnd::Live => false,
    }
}
