//! One call's life: what is asked, which attempts were made, what came of them. It belongs to the driver, which hands it back to the
//! shard with every event; it holds no policy and decides nothing by itself.

use core::time::Duration;

use crate::fault::Fault;
use crate::index::{
    AttemptId, CallId, ChainIndex, PolicyIndex, StrategyIndex, UpstreamIndex, UpstreamSet,
};
use crate::method::{Effect, MethodId};
use crate::time::Instant;

/// What the driver knows of a call when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// On which chain.
    pub chain: ChainIndex,
    /// Under which policy of the chain; one that does not exist is the default.
    pub policy: PolicyIndex,
    /// Which method.
    pub method: MethodId,
    /// What the call leaves behind ([`crate::method::effect_of_unknown`] for a method that the table does not know).
    pub effect: Effect,
    /// The client's patience. The policy's time-out may end the call earlier.
    pub deadline: Instant,
    /// Another strategy than the policy's.
    pub strategy: Option<StrategyIndex>,
    /// This upstream and no other.
    pub pinned: Option<UpstreamIndex>,
    /// Upstreams that must not be sent this call: what `methods.deny` and `methods.allow` say about a name that the method
    /// table does not know.
    pub excluded: UpstreamSet,
}

/// What the driver reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An attempt ended: with a result that was judged good, or a fault. A node's own error is a fault too; the engine decides
    /// whether it is relayed.
    Finished {
        /// Which.
        attempt: AttemptId,
        /// How.
        result: Result<(), Fault>,
    },
    /// The first byte of the answer is here.
    FirstByte {
        /// Of which attempt.
        attempt: AttemptId,
    },
    /// Bytes of this attempt's answer have gone to the client: nothing else can be answered any more.
    Committed {
        /// Which.
        attempt: AttemptId,
    },
    /// A pooled connection turned out to have been closed before it gave a byte of an answer. Not held against the upstream:
    /// once more on a fresh connection, if the effect allows it.
    Stale {
        /// Which attempt ended so.
        attempt: AttemptId,
        /// Bytes of the call may have left through it.
        sent: bool,
    },
    /// The client is gone.
    ClientGone,
}

/// What the driver must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the call.
    Dispatch {
        /// The name of this send.
        attempt: AttemptId,
        /// Where to.
        upstream: UpstreamIndex,
        /// When it is given up, body included. The engine says `Cancel` then if it is driven by time.
        deadline: Instant,
        /// On a new connection, not one from the pool.
        fresh: bool,
    },
    /// Give the attempt up; whatever it still says is not heard.
    Cancel {
        /// Which.
        attempt: AttemptId,
    },
    /// The call is over. Said exactly once, and last.
    Complete(Outcome),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Send the client what this attempt answered.
    Relay {
        /// Which.
        attempt: AttemptId,
        /// `None` for a result; the fault for a node's own error (or, with `tx_idempotent`, the hash in its place).
        fault: Option<Fault>,
    },
    /// Send the client one clear error.
    Emit {
        /// What to tell. Its `hold_off` is when to come back.
        fault: Fault,
        /// The attempt that said so, whose own words may be relayed where the class's rule allows it.
        attempt: Option<AttemptId>,
        /// The call may have had its effect: say that this is unknown.
        outcome_unknown: bool,
    },
    /// Bytes already went to the client, or it is gone: cut the connection.
    Abort {
        /// What happened.
        fault: Fault,
    },
}

/// The most attempts that one call can ever make: the policy's, and one for a connection that had died.
pub const MAX_CALL_ATTEMPTS: usize = crate::config::MAX_ATTEMPTS as usize + 1;

/// One call. Made by [`Shard::begin`](crate::shard::Shard::begin), driven to [`Action::Complete`], then dropped.
///
/// One that is dropped before leaves its attempts counted as in flight: report [`Event::ClientGone`] first.
#[derive(Debug)]
pub struct Call {
    pub(crate) id: CallId,
    pub(crate) request: Request,
    pub(crate) deadline: Instant,
    pub(crate) done: Option<Duration>,
}

impl Call {
    /// Its name in notes.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.id
    }
    /// Has it ended? `Complete` may still wait to be polled.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done.is_some()
    }
}
