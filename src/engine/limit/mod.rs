//! How much an upstream can carry, found by trying, to stay below it: attempts a second by its throttles, attempts at once by its latency.
//! It says who has enough; it never fails a call, since whoever has enough is still the least bad where nobody has room.
//!
//! Nothing is limited until something is found, so a healthy upstream keeps all of its throughput and costs one compare. What is found is
//! this shard's share: each finds its own, as TCP's flows on one link do.
//!
//! **Attempts a second**, found by throttles. AIMD's argument (Chiu and Jain, *Analysis of the Increase and Decrease Algorithms*, 1989)
//! with the growth of CUBIC (Ha, Rhee and Xu, 2008; RFC 9438), which stays near what was too much for most of the time: a throttle
//! sets the rate to 90 % of w₀, what was served in the last second or in the best of the last twenty, and from then on it is
//! w(t) = w₀ · (1 + 0.1 · ((t − K)/K)³): back at w₀ after K, a tenth above it after twice that, and if that was not too much either it is
//! forgotten. K is 20 s to 30 s by chance, so that several upstreams' limits, and several shards' parts of one, are not tried at once. What is
//! refused is not served, and does not count.
//!
//! A throttle that another shard tells of sets this one's part, too, where none is known yet: what was too much was everybody's traffic
//! together, and each used its part of it. A throttle that was an accident costs a tenth for a moment.
//!
//! Where everybody has enough attempts a second a call waits for room, for a moment ([`ROOM_WAIT`]), and goes then to whoever has room first. Without
//! that wait the limit of one, exceeded, is the hold-off of one, and its traffic the excess of the next.
//!
//! **Attempts at once**, found by latency, as TCP Vegas does (Brakmo and Peterson, 1995) and Netflix's *concurrency-limits* for
//! services: answers that take four times what they took without load, with [`in_flight::WATCHED`] attempts and more in flight, are
//! taken for a queue, and by Little's law what the upstream serves without one is the number in flight divided by that ratio. The limit is
//! set to twice that, and it is an experiment: if latency has not fallen by a quarter once the surplus has drained, the upstream is slow and not
//! full, the limit goes, what is seen now counts as usual, and a minute passes before the next one. If it has, the limit moves by a
//! sixteenth up or an eighth down a round, and is forgotten when it has grown to four times what it was.

pub mod in_flight;
pub mod rate;
#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::config::LimiterConfig;
use crate::rng::Rng;
use crate::score::Load;
use crate::time::Instant;

use in_flight::{InFlight, Moved};
use rate::Rate;

/// The longest that a call waits because everybody has enough attempts a second; then it is sent all the same.
pub const ROOM_WAIT: Duration = Duration::from_millis(150);

/// A limit that was found, as this shard's share of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many attempts at once; `u32::MAX` once that is no longer so.
    InFlight(u32),
    /// So many attempts a second, in thousandths.
    RateMillis(u64),
}

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing new.
    Nothing,
    /// A limit was found, or let go.
    Limit(Limit),
    /// It is slow, not full: what is seen now is its usual latency.
    Slow,
}

/// One upstream's limits.
#[derive(Clone, Debug)]
pub struct Limiter {
    config: LimiterConfig,
    in_flight: InFlight,
    rate: Rate,
}

impl Limiter {
    /// Nothing was found.
    #[must_use]
    pub const fn new(config: LimiterConfig) -> Self {
        Self {
            config,
            in_flight: InFlight::new(),
            rate: Rate::new(),
        }
    }

    /// Is there no limit at all?
    #[must_use]
    pub fn is_free(&self, now: Instant) -> bool {
        self.config.max_in_flight == u32::MAX
            && self.in_flight.limit().is_none()
            && self.rate.limit_millis(now).is_none()
    }

    /// Has it room for one more, with so many in flight?
    #[must_use]
    pub fn has_room(&self, load: Load, now: Instant) -> bool {
        self.may_carry(load) && self.rate.has_room(now)
    }

    const fn may_carry(&self, load: Load) -> bool {
        load.all < self.config.max_in_flight && load.fresh < self.in_flight.most()
    }

    /// When its rate leaves room for one more; `None` where that is not what is short.
    #[must_use]
    pub fn room_at(&self, load: Load, now: Instant) -> Option<Instant> {
        self.rate.room_at(now).filter(|_| self.may_carry(load))
    }

    /// The most attempts at once, where there is a limit.
    #[must_use]
    pub fn max_in_flight(&self) -> Option<u32> {
        let most = self.config.max_in_flight.min(self.in_flight.most());
        (most < u32::MAX).then_some(most)
    }

    /// The most attempts a second, in thousandths, where there is a limit.
    #[must_use]
    pub fn max_rate_millis(&self, now: Instant) -> Option<u64> {
        self.rate.limit_millis(now)
    }

    /// An attempt was sent.
    pub fn started(&mut self, now: Instant) {
        self.rate.started(now);
    }

    /// Is [`Self::answered`] to be told of an answer, with so many in flight?
    #[must_use]
    pub const fn watches(&self, in_flight: u32) -> bool {
        self.config.in_flight
            && (in_flight >= in_flight::WATCHED || self.in_flight.limit().is_some())
    }

    /// An answer came that took so many sixteenths of what one takes without load, with so many in flight.
    pub fn answered(&mut self, stretch: u32, in_flight: u32, now: Instant) -> Found {
        match self.in_flight.answered(stretch, in_flight, now) {
            None => Found::Nothing,
            Some(Moved::To(limit)) => Found::Limit(Limit::InFlight(limit)),
            Some(Moved::Off) => Found::Limit(Limit::InFlight(u32::MAX)),
            Some(Moved::Slow) => Found::Slow,
        }
    }

    /// An attempt that was sent at `started` was throttled.
    pub fn refused(&mut self, started: Instant) {
        self.rate.refused(started);
    }

    /// Is a rate known already?
    #[must_use]
    pub fn knows_rate(&self, now: Instant) -> bool {
        self.rate.limit_millis(now).is_some()
    }

    /// A hold-off began, since an attempt was throttled.
    pub fn throttled(&mut self, now: Instant, rng: &mut Rng) -> Found {
        if !self.config.rate {
            return Found::Nothing;
        }
        match self.rate.throttled(now, rng) {
            Some(millis) => Found::Limit(Limit::RateMillis(millis)),
            None => Found::Nothing,
        }
    }
}
