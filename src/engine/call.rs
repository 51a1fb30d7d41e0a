//! One call's life: what is asked, which attempts were made, what came of them. It belongs to the driver, which hands it back to the
//! shard with every event; it holds no policy and decides nothing by itself.

use alloc::vec::Vec;
use core::num::NonZeroU64;
use core::time::Duration;

use crate::block::Height;
use crate::breaker;
use crate::fault::Fault;
use crate::index::{
    AccountIndex, AttemptId, CallId, ChainIndex, PolicyIndex, RegionIndex, StrategyIndex,
    UpstreamIndex, UpstreamSet,
};
use crate::method::{self, Effect, MethodGroup, MethodId};
use crate::protocol::ProtocolSet;
use crate::score::Outing;
use crate::throttle;
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
    /// How far an upstream must have come to serve it ([`BlockRef::height`](crate::block::BlockRef::height)).
    pub height: Height,
    /// How many blocks it asks for, first and last included ([`BlockRef::blocks`](crate::block::BlockRef::blocks)): 1 for a single one,
    /// 0 where that is not known.
    pub blocks: u64,
    /// Of which session it is, for the `sticky_session` strategy; `None` for no session, which goes wherever the strategy beneath sends it.
    pub session: Option<SessionKey>,
    /// Where the client is; `None` for what [`GeoConfig::home`](crate::config::GeoConfig::home) says.
    pub region: Option<RegionIndex>,
    /// An upstream must speak one of these.
    pub protocols: ProtocolSet,
}

impl Default for Request {
    /// A call of an unknown method without an effect and with all the time there is, for whoever can serve it on the first chain.
    fn default() -> Self {
        Self {
            chain: ChainIndex(0),
            policy: PolicyIndex(0),
            method: MethodId::OTHER,
            effect: Effect::None,
            deadline: Instant::NEVER,
            strategy: None,
            pinned: None,
            excluded: UpstreamSet::EMPTY,
            height: Height::Any,
            session: None,
            region: None,
            protocols: ProtocolSet::ANY,
            blocks: 0,
        }
    }
}

/// What a session is known by: a keyed hash of whatever tells sessions apart (a tenant and a header, a cookie, a connection). Calls of one
/// key go to one upstream, on every shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(NonZeroU64);

impl SessionKey {
    /// The key of this hash.
    #[must_use]
    pub const fn new(hash: u64) -> Self {
        match NonZeroU64::new(hash) {
            Some(hash) => Self(hash),
            None => Self(NonZeroU64::MAX),
        }
    }

    /// The hash.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
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
///
/// Up to [`MAX_LIVE_ATTEMPTS`] of a call may be out at once where its policy hedges or its strategy races: each is sent on a connection of its own,
/// and their events are reported as they come, in any order. The engine decides which of them is the answer; bytes of an answer may go to the client only
/// after `Committed` was reported for it and no `Cancel` of it came in return.
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
    /// Give the attempt up, at once: its buffers and its slot are free from here on, and whatever it still says is not heard. Its
    /// connection carries an answer that nobody reads, so it is no longer one for the pool (unless it carries many calls
    /// and can end one of them). Never said of an attempt whose end was reported, and never after `Complete`.
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

/// The most that are out at once: a call and its hedge, or the attempts of a race.
pub const MAX_LIVE_ATTEMPTS: usize = 3;
/// The most attempts that one call can ever make: the policy's, one for a connection that had died, and those beside the first.
pub const MAX_CALL_ATTEMPTS: usize =
    crate::config::MAX_ATTEMPTS as usize + 1 + (MAX_LIVE_ATTEMPTS - 1);

/// One call. Made by [`Shard::begin`](crate::shard::Shard::begin), driven to [`Action::Complete`], then dropped.
///
/// One that is dropped before leaves its attempts counted as in flight: report [`Event::ClientGone`] first.
#[derive(Debug)]
pub struct Call {
    pub(crate) id: CallId,
    pub(crate) request: Request,
    /// The kind of work that it is.
    pub(crate) group: MethodGroup,
    pub(crate) strategy: StrategyIndex,
    pub(crate) deadline: Instant,
    /// The client's patience ends before the policy's time-out.
    pub(crate) hurried: bool,
    /// The policy's limit, and one more once a dead connection was replaced.
    pub(crate) attempts_allowed: usize,
    pub(crate) phase: Phase,
    /// Those that throttled it: they did nothing, so it may go back after a wait.
    pub(crate) throttled: UpstreamSet,
    /// It waits for the first of those that throttle us.
    pub(crate) is_held: bool,
    /// No longer than this; zero while it never has.
    pub(crate) held_until: Instant,
    /// The end of its waits for room; the base before the first.
    pub(crate) room_until: Instant,
    /// When to send it to a second upstream if the first has not begun to answer; [`Instant::NEVER`] for not at all, and after that.
    pub(crate) hedge_at: Instant,
    pub(crate) tried: UpstreamSet,
    /// Failed in a way that allows another try on the same upstream.
    pub(crate) may_return: UpstreamSet,
    /// Tried there again already.
    pub(crate) returned: UpstreamSet,
    pub(crate) answer: Option<Failure>,
    /// An attempt failed after its bytes had left, in a way that does not say whether they took effect.
    pub(crate) ambiguous: bool,
    /// Bytes of this call may have reached an upstream.
    pub(crate) sent: bool,
    /// A class that allows one more opinion has had it.
    pub(crate) second_opinion: bool,
    pub(crate) replaced_connection: bool,
    /// One upstream was refused for its account in this call; a second refusal is the call's doing.
    pub(crate) refused: bool,
    /// Most calls make one.
    first_attempt: Option<Attempt>,
    later_attempts: Vec<Attempt>,
    /// Attempts that the driver has not been told to send yet, a bit each.
    to_dispatch: u16,
    /// Attempts that the driver has not been told to give up yet, a bit each.
    to_cancel: u16,
    /// How it ended, until the driver has been told.
    outcome: Option<Outcome>,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// At least one attempt is out.
    Attempting,
    /// Waiting to go back to an upstream that failed.
    Backoff { until: Instant },
    /// This attempt's answer is on its way to the client.
    Committed { attempt: AttemptId },
    /// `Complete` was queued.
    Done,
}

/// The failure that the client will be told of, unless something better comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) attempt: AttemptId,
    pub(crate) fault: Fault,
}

/// One send.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempt {
    pub(crate) upstream: UpstreamIndex,
    pub(crate) live: bool,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    /// When to look whether its upstream has fallen silent; [`Instant::NEVER`] for not at all.
    pub(crate) check: Instant,
    /// [`Instant::NEVER`] for not yet.
    pub(crate) first_byte: Instant,
    /// On a new connection.
    pub(crate) fresh: bool,
    pub(crate) committed: bool,
    pub(crate) breaker: breaker::Permit,
    pub(crate) throttle: throttle::Permit,
    pub(crate) quarantined: bool,
    /// Its upstream had not its whole share when it was sent.
    pub(crate) on_trial: bool,
    /// Which of its upstream's outings it was sent in.
    pub(crate) outing: Outing,
    /// How long an answer was believed to take here when it was sent, in microseconds.
    pub(crate) expected_us: u32,
    /// How long one took when one last came, in microseconds: how long nobody's answering is no silence yet.
    pub(crate) usual_us: u32,
    /// Whose limits it uses up, and by how many compute units.
    pub(crate) account: Option<AccountIndex>,
    pub(crate) units: u32,
}

// The bits of `to_dispatch` and `to_cancel` are enough.
const _: () = assert!(MAX_CALL_ATTEMPTS <= 16);

const fn bit(id: AttemptId) -> u16 {
    1_u16.wrapping_shl(id.0 as u32)
}

impl Attempt {
    /// How long an answer was believed to take here when it was sent.
    pub(crate) const fn expected(&self) -> Duration {
        Duration::from_micros(self.expected_us as u64)
    }

    /// How long an answer took when one last came.
    pub(crate) const fn usual(&self) -> Duration {
        Duration::from_micros(self.usual_us as u64)
    }
}

impl Call {
    /// Its name in notes.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.id
    }

    /// What was asked.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// When it is given up at the latest.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The strategy that ranks for it.
    #[must_use]
    pub const fn strategy(&self) -> StrategyIndex {
        self.strategy
    }

    /// Has it ended? `Complete` may still wait to be polled.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// How many attempts it has made.
    #[must_use]
    pub const fn attempts_made(&self) -> usize {
        self.first_attempt.is_some() as usize + self.later_attempts.len()
    }

    /// Where an attempt was sent.
    #[must_use]
    pub fn upstream_of(&self, attempt: AttemptId) -> Option<UpstreamIndex> {
        self.attempt(attempt).map(|attempt| attempt.upstream)
    }

    pub(crate) fn new(
        id: CallId,
        request: Request,
        strategy: StrategyIndex,
        deadline: Instant,
        attempts: u8,
    ) -> Self {
        Self {
            id,
            request,
            group: method::policy(request.method).class.group(),
            strategy,
            deadline,
            hurried: false,
            attempts_allowed: usize::from(attempts.clamp(1, crate::config::MAX_ATTEMPTS)),
            phase: Phase::Attempting,
            throttled: UpstreamSet::EMPTY,
            is_held: false,
            held_until: Instant::ZERO,
            room_until: Instant::ZERO,
            hedge_at: Instant::NEVER,
            tried: UpstreamSet::EMPTY,
            may_return: UpstreamSet::EMPTY,
            returned: UpstreamSet::EMPTY,
            answer: None,
            ambiguous: false,
            sent: false,
            second_opinion: false,
            replaced_connection: false,
            refused: false,
            first_attempt: None,
            later_attempts: Vec::new(),
            to_dispatch: 0,
            to_cancel: 0,
            outcome: None,
        }
    }

    /// May the call be sent once more, given whether its bytes may have reached an upstream?
    pub(crate) fn may_send_again(&self, sent: bool) -> bool {
        !(sent && self.request.effect == Effect::NodeWrite)
    }

    /// All that were made, in order.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.first_attempt.iter().chain(&self.later_attempts)
    }

    fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        match id.as_usize() {
            0 => self.first_attempt.as_ref(),
            position => self.later_attempts.get(position - 1),
        }
    }

    /// Gives room for later attempts to a call that has had one.
    pub(crate) fn take_room(&mut self, spare: &mut Vec<Vec<Attempt>>) {
        if self.first_attempt.is_some()
            && self.later_attempts.capacity() == 0
            && let Some(room) = spare.pop()
        {
            self.later_attempts = room;
        }
    }

    /// Its room for later attempts, emptied, if it has any.
    pub(crate) fn give_room(&mut self) -> Option<Vec<Attempt>> {
        let mut room = core::mem::take(&mut self.later_attempts);
        room.clear();
        (room.capacity() > 0).then_some(room)
    }

    /// Files an attempt under the next ordinal; `None` where the call has made all that it ever can.
    pub(crate) fn add_attempt(&mut self, attempt: Attempt) -> Option<AttemptId> {
        let position = self.attempts_made();
        if position >= MAX_CALL_ATTEMPTS {
            return None;
        }
        if position == 0 {
            self.first_attempt = Some(attempt);
        } else {
            self.later_attempts.push(attempt);
        }
        let id = AttemptId(position as u16);
        self.to_dispatch |= bit(id);
        self.tried.insert(attempt.upstream);
        Some(id)
    }

    pub(crate) fn live(&mut self, id: AttemptId) -> Option<&mut Attempt> {
        let attempt = match id.as_usize() {
            0 => self.first_attempt.as_mut(),
            position => self.later_attempts.get_mut(position - 1),
        };
        attempt.filter(|attempt| attempt.live)
    }

    /// Ends an attempt and gives what it was.
    pub(crate) fn end(&mut self, id: AttemptId) -> Option<Attempt> {
        let attempt = self.live(id)?;
        attempt.live = false;
        Some(*attempt)
    }

    /// The first live attempt that is due at `now` (or any, with [`Instant::NEVER`]).
    pub(crate) fn first_live_due(&self, now: Instant) -> Option<AttemptId> {
        let position = self
            .attempts()
            .position(|attempt| attempt.live && attempt.deadline <= now)?;
        Some(AttemptId(position as u16))
    }

    pub(crate) fn has_live(&self) -> bool {
        self.first_live_due(Instant::NEVER).is_some()
    }

    /// Has the driver give an attempt up.
    pub(crate) const fn cancel(&mut self, id: AttemptId) {
        self.to_cancel |= bit(id);
    }

    /// Ends the call.
    pub(crate) const fn complete(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
        self.phase = Phase::Done;
    }

    /// What the driver must do next: by attempt, each sent before it is given up; the outcome last.
    pub(crate) fn pop(&mut self) -> Option<Action> {
        let due = self.to_dispatch | self.to_cancel;
        if due == 0 {
            return self.outcome.take().map(Action::Complete);
        }
        let id = AttemptId(due.trailing_zeros() as u16);
        if self.to_dispatch & bit(id) == 0 {
            self.to_cancel &= !bit(id);
            return Some(Action::Cancel { attempt: id });
        }
        self.to_dispatch &= !bit(id);
        let attempt = self.attempt(id)?;
        Some(Action::Dispatch {
            attempt: id,
            upstream: attempt.upstream,
            deadline: attempt.deadline,
            fresh: attempt.fresh,
        })
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let attempts = self.attempts().filter(|attempt| attempt.live);
        let due = |attempt: &Attempt| {
            if attempt.committed {
                attempt.deadline
            } else {
                attempt.check.min(attempt.deadline)
            }
        };
        let earliest = attempts.map(due).min();
        match self.phase {
            Phase::Done => None,
            Phase::Backoff { until } => Some(until.min(self.deadline)),
            Phase::Attempting | Phase::Committed { .. } => {
                let at = earliest.map_or(self.deadline, |at| at.min(self.deadline));
                Some(at.min(self.hedge_at))
            }
        }
    }
}
