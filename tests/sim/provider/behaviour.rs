//! What an upstream may do, and when: faults are phases laid over a latency. Data; nothing is drawn here.

use core::time::Duration;

use engine::config::MethodSet;
use engine::fault::Fault;
use engine::method::MethodId;
use engine::time::{Instant, nanos};

use super::Saying;

/// From, until, what. Phases of one upstream at one time are all in force, in their order: the first that ends an attempt ends it, what
/// slows down adds up.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// The first instant of it.
    pub from: Instant,
    /// The first instant after it.
    pub until: Instant,
    /// With these methods only; with all where it is not given.
    pub only: Option<MethodSet>,
    /// What the upstream does then.
    pub behaviour: Behaviour,
}

/// What an upstream does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Behaviour {
    /// Connections are refused at once.
    Refuse,
    /// Of a thousand attempts so many are refused at once.
    RefuseSome(u32),
    /// Nothing ever comes.
    Hang,
    /// Of a thousand attempts so many never get an answer.
    HangSome(u32),
    /// Of a thousand answers so many come this much later.
    StallSome(u32, Duration),
    /// Every so often it stands still for so long; what comes then waits until it goes on.
    Pauses(Duration, Duration),
    /// The connection is reset after the bytes were sent.
    Reset,
    /// Of a thousand attempts so many are reset.
    ResetSome(u32),
    /// Slower, in per cent of the usual: 500 is five times.
    Slow(u32),
    /// Slower with one method, in per cent of the usual.
    SlowWith(MethodId, u32),
    /// From so slow at the phase's beginning to so slow at its end, in per cent of the usual.
    Drift(u32, u32),
    /// Every answer takes this much longer.
    Later(Duration),
    /// Of a thousand attempts so many end with this error, in a vendor's words.
    Say(Saying, u32),
    /// Of a thousand attempts so many end with this fault.
    Fail(Fault, u32),
    /// More than this many in a second are refused, with a Retry-After in seconds or without one.
    Limit(u32, Option<u64>),
    /// Of a thousand attempts so many find a dead pooled connection.
    Stale(u32),
    /// Of a thousand attempts so many break after a part of the answer went to the client.
    BreakMidStream(u32),
    /// Of a thousand answers so many are wrong, and look right.
    WrongResults(u32),
    /// Answers for another chain, as fast as ever; checks beside the traffic see it.
    WrongChain,
    /// Its head stands still; checks beside the traffic see it, and what it says of the newest block is of the past.
    StuckHead,
    /// Its head is so many blocks behind.
    Behind(u64),
    /// It says that its head is so many blocks ahead of the chain's.
    Ahead(u64),
}

impl Phase {
    /// Is it in force then, for this method?
    #[must_use]
    pub fn holds(&self, now: Instant, method: MethodId) -> bool {
        let is_meant = match (self.behaviour, &self.only) {
            (Behaviour::SlowWith(slow, _), _) => slow == method,
            (_, Some(only)) => only.contains(method),
            (_, None) => true,
        };
        is_meant && self.from <= now && now < self.until
    }

    /// How slow it makes an answer that begins now, in per cent of the usual.
    #[must_use]
    pub(crate) fn percent(&self, now: Instant) -> u32 {
        match self.behaviour {
            Behaviour::Slow(percent) | Behaviour::SlowWith(_, percent) => percent,
            Behaviour::Drift(from, to) => {
                let whole = nanos(self.until.saturating_duration_since(self.from)).max(1);
                let done = nanos(now.saturating_duration_since(self.from)).min(whole);
                let share = |of: u32, part: u64| u128::from(of) * u128::from(part);
                ((share(from, whole - done) + share(to, done)) / u128::from(whole)) as u32
            }
            _ => 100,
        }
    }

    /// How long what comes now waits until the upstream goes on; nothing unless it stands still.
    pub(crate) fn standstill(&self, now: Instant) -> Duration {
        let Behaviour::Pauses(every, lasts) = self.behaviour else {
            return Duration::ZERO;
        };
        let since = nanos(now.saturating_duration_since(self.from));
        let into = since.checked_rem(nanos(every)).unwrap_or(0);
        Duration::from_nanos(nanos(lasts).saturating_sub(into))
    }
}
