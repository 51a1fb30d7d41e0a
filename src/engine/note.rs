//! Typed observations: what was decided and why. They are copied into a bounded queue without allocating; telemetry turns
//! them into metrics and events, tests assert on them. A note never changes a decision.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::breaker::State;
use crate::eligibility::{LeastBad, LeftOut};
use crate::fault::FaultClass;
use crate::index::{
    AccountIndex, AttemptId, CallId, ChainIndex, StrategyIndex, UpstreamIndex, UpstreamSet,
};
use crate::learned::Learned;
use crate::limit::Limit;
use crate::method::{MethodGroup, MethodId};
use crate::quarantine::Cause;
use crate::shard::ProbeResult;
use crate::shed::Priority;
use crate::strategy::Reason;
use crate::time::Instant;

/// How many notes wait for the driver. Past that new ones are dropped, and counted.
pub const MAX_NOTES: usize = 1_024;

/// One observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Instant,
    /// On which chain.
    pub chain: ChainIndex,
    /// What.
    pub kind: NoteKind,
}

/// What was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// An upstream was chosen for a first or later attempt.
    Selected {
        /// For which call.
        call: CallId,
        /// The strategy that ranked.
        strategy: StrategyIndex,
        /// Why this one.
        reason: Reason,
        /// Which.
        chosen: UpstreamIndex,
        /// All that were eligible.
        candidates: UpstreamSet,
        /// All that were not, by reason.
        left_out: LeftOut,
        /// Nothing was eligible and this one was the least bad, in this way.
        least_bad: Option<LeastBad>,
    },
    /// Nothing could be chosen.
    NothingEligible {
        /// For which call.
        call: CallId,
        /// Everything that was left out, by reason.
        left_out: LeftOut,
    },
    /// An attempt was handed to the driver.
    AttemptStarted {
        /// Of which call.
        call: CallId,
        /// Which.
        attempt: AttemptId,
        /// Where to.
        upstream: UpstreamIndex,
        /// What for.
        purpose: Purpose,
        /// It is one of a half-open breaker's probes.
        probe: bool,
        /// The upstream was out, and this was sent all the same: the least bad, or the only one left.
        forced: bool,
    },
    /// A call waits before it goes back to an upstream that failed. The budget was drawn for it.
    Paused {
        /// Which call.
        call: CallId,
        /// Until when.
        until: Instant,
    },
    /// An attempt came to its end.
    AttemptFinished {
        /// Of which call.
        call: CallId,
        /// Which.
        attempt: AttemptId,
        /// Where.
        upstream: UpstreamIndex,
        /// The call's method.
        method: MethodId,
        /// The fault's class; `None` for a result.
        class: Option<FaultClass>,
        /// The rule that decided the class, or nothing.
        rule: &'static str,
        /// From dispatch to its end.
        latency: Duration,
    },
    /// An attempt was given up: the call had its answer from another attempt, or the client left. Nobody's fault.
    AttemptCancelled {
        /// Of which call.
        call: CallId,
        /// Which.
        attempt: AttemptId,
        /// Where.
        upstream: UpstreamIndex,
    },
    /// A breaker changed its state.
    Breaker {
        /// Whose.
        upstream: UpstreamIndex,
        /// Of which kind of work; `None` for the whole upstream. When the whole opens for failures seen here, those of its groups begin anew,
        /// closed; not when that was told by another shard.
        group: Option<MethodGroup>,
        /// From.
        from: State,
        /// To.
        to: State,
    },
    /// An upstream throttles us: nothing more until then.
    HoldOffBegan {
        /// Which.
        upstream: UpstreamIndex,
        /// When its ramp begins.
        until: Instant,
    },
    /// A hold-off is over, its ramp begins.
    HoldOffEnded {
        /// Which.
        upstream: UpstreamIndex,
    },
    /// An upstream was taken out for long. An operator should look.
    Quarantined {
        /// Which.
        upstream: UpstreamIndex,
        /// What for.
        cause: Cause,
        /// Until when at least.
        until: Instant,
    },
    /// An upstream is out of quarantine.
    Released {
        /// Which.
        upstream: UpstreamIndex,
    },
    /// An upstream does not serve a method.
    Banned {
        /// Which.
        upstream: UpstreamIndex,
        /// Not this one.
        method: MethodId,
        /// Until when.
        until: Instant,
    },
    /// Two upstreams of an account throttled us at once: the others of it are left alone, too. Each of them has a `HoldOffBegan` as well.
    AccountHeldOff {
        /// Which.
        account: AccountIndex,
        /// Until when.
        until: Instant,
    },
    /// An upstream is back, or new, and gets a share that grows with its answers.
    ProbationBegan {
        /// Which.
        upstream: UpstreamIndex,
    },
    /// An upstream has its whole share again.
    ProbationEnded {
        /// Which.
        upstream: UpstreamIndex,
    },
    /// A limit of an upstream was found.
    Limited {
        /// Of which.
        upstream: UpstreamIndex,
        /// What it is.
        to: Limit,
    },
    /// Something was learned of what an upstream takes. It is forgotten after a while.
    Learned {
        /// Of which.
        upstream: UpstreamIndex,
        /// What.
        what: Learned,
    },
    /// Too few of a chain's upstreams are well, and those that are out are used, too; or that is over.
    Panic {
        /// It began; else it ended.
        began: bool,
        /// So many are well.
        well: u8,
        /// Of so many.
        of: u8,
    },
    /// A call was refused since this shard is overloaded.
    Shed {
        /// Which.
        call: CallId,
        /// What it was worth.
        priority: Priority,
    },
    /// The work of this shard waits, or no longer does: who is refused from now on. Of no chain in particular (the first one is named).
    Overload {
        /// The least that is still let in; `None` for everything.
        lets_in: Option<Priority>,
    },
    /// No upstream could answer in the time that the call had left, so none was asked.
    Hopeless {
        /// Which call.
        call: CallId,
        /// The time that the fastest would have needed.
        needed: Duration,
        /// The time that was left.
        left: Duration,
    },
    /// Everybody who could take the call throttles us, or no retry is left for a throttled one; or everybody has as many attempts a second as it was
    /// found to serve: it waits for the first to come back, for a retry, or for room. Once a call for the former two, and once for room.
    Held {
        /// Which call.
        call: CallId,
        /// Until when at first.
        until: Instant,
    },
    /// A retry would have been made, but the budget is empty.
    RetryDenied {
        /// For which call.
        call: CallId,
    },
    /// A call has waited long enough for a hedge and somebody could take it, but hedges have had their share of the calls. At most once
    /// a call.
    HedgeDenied {
        /// For which call.
        call: CallId,
    },
    /// An attempt beyond the first of a race would have been sent, but they have had their share of the calls. At most once a call.
    RaceDenied {
        /// For which call.
        call: CallId,
    },
    /// A choice was made by price.
    Priced {
        /// For which call.
        call: CallId,
        /// What the chosen upstream asks for it now, in 10⁻¹² of the currency.
        price_pico: u64,
        /// What the upstream asks that the leaderboard would have put first. What is above `price_pico` is saved; where the cheap ones do
        /// not meet the objective it may be below.
        best_pico: u64,
    },
    /// An attempt that was sent has ended, and was spent.
    Spent {
        /// Of which call.
        call: CallId,
        /// Where.
        upstream: UpstreamIndex,
        /// Of whose limits.
        account: AccountIndex,
        /// How many compute units.
        units: u32,
        /// What it cost beyond what is included, in 10⁻¹² of the currency.
        price_pico: u64,
    },
    /// An upstream fell behind the best head by more than the limit, or caught up.
    Lagging {
        /// Which.
        upstream: UpstreamIndex,
        /// How far, in blocks.
        lag_blocks: u64,
        /// Is it left out now?
        left_out: bool,
    },
    /// A chain went back: the very upstreams that had given its head have said lower ones since. Everything that was
    /// known of its heads is forgotten.
    HeadReset {
        /// The head that was served.
        from: u64,
        /// The head that is served now.
        to: u64,
    },
    /// A probe's result was taken in.
    Probed {
        /// Of which upstream.
        upstream: UpstreamIndex,
        /// What it said.
        result: ProbeResult,
    },
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The call's first.
    First,
    /// After a failure, drawn from the retry budget.
    Retry,
    /// After an answer that says that *this* upstream cannot serve the call (method, range, history): no outage, so the
    /// budget is not drawn. Bounded by the call's attempts.
    Reroute,
    /// A pooled connection had died unnoticed: once more on a fresh one. At most one a call, and of the two sends only one can
    /// have been served, so the budget is not drawn.
    Fresh,
    /// Beside the first attempt, which has waited unusually long: whichever answers well first is the call's answer. Drawn from the
    /// policy's share of hedges ([`crate::hedge`]), not from the retry budget. At most one a call.
    Hedge,
    /// Beside the first attempt, from the start: the strategy races. Drawn from the strategy's share, not from the retry budget.
    Race,
}

impl Purpose {
    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Reroute => "reroute",
            Self::Fresh => "fresh",
            Self::Hedge => "hedge",
            Self::Race => "race",
        }
    }
}

/// The bounded queue of notes.
#[derive(Debug)]
pub(crate) struct Notes {
    queue: VecDeque<Note>,
    dropped: u64,
}

impl Notes {
    pub(crate) fn new() -> Self {
        Self {
            queue: VecDeque::with_capacity(MAX_NOTES),
            dropped: 0,
        }
    }

    pub(crate) fn push(&mut self, at: Instant, chain: ChainIndex, kind: NoteKind) {
        if self.queue.len() >= MAX_NOTES {
            self.dropped += 1;
        } else {
            self.queue.push_back(Note { at, chain, kind });
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Note> {
        let oldest = self.queue.pop_front();
        if self.queue.is_empty() {
            // Begins at the front again, so that the few notes of a verb stay in the lines of memory that are hot.
            self.queue.clear();
        }
        oldest
    }

    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
}
