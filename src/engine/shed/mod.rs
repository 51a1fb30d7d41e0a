//! Which calls a shard refuses when it is itself overloaded: those that matter least, at once and with one clear fault, so that the others are
//! still served in time. It knows no upstream and no call; it is told how many calls are alive and how long work waits.
//!
//! **By number.** [`max_live_calls`](SheddingConfig::max_live_calls) calls may be alive at once. Bulk is refused from 70 % of that on,
//! ordinary reads from 85 %, cheap ones from 95 %, what has an effect at 100 %.
//!
//! **By waiting.** A queue that drains now and then is a burst; one that does not is overload. So it is the *shortest* wait within
//! [`INTERVAL`] that counts (CoDel: Nichols and Jacobson, *Controlling Queue Delay*, 2012; RFC 8289). Each interval in which even that was longer than
//! [`max_wait`](SheddingConfig::max_wait) sheds one priority more, up to everything but effects; each one in which it was not lets one in again
//! (by priority, as in DAGOR: Zhou et al., *Overload Control for Scaling WeChat Microservices*, 2018). Where nothing is reported for an
//! interval, nothing waits.
//!
//! In front of both stands one compare.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::config::SheddingConfig;
use crate::method::{Effect, MethodClass};
use crate::time::Instant;

/// What a call is worth while not all can be served. The order is the order in which they are shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Priority {
    /// Scans and traces: dear, slow, and mostly of programs that come again.
    Bulk,
    /// Reads.
    Normal,
    /// What is cheap and what everything else waits for: the head, and what never changes.
    Cheap,
    /// Whatever has an effect: a transaction that was refused is money.
    Critical,
}

impl Priority {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// Every priority, in the order in which they are shed.
    pub const ALL: [Self; Self::COUNT] = [Self::Bulk, Self::Normal, Self::Cheap, Self::Critical];

    /// Of a call of this class and effect.
    #[must_use]
    pub const fn of(class: MethodClass, effect: Effect) -> Self {
        if !matches!(effect, Effect::None) {
            return Self::Critical;
        }
        match class {
            MethodClass::Logs | MethodClass::Trace => Self::Bulk,
            MethodClass::HeadRead | MethodClass::Static => Self::Cheap,
            MethodClass::Write => Self::Critical,
            MethodClass::Read
            | MethodClass::Filter
            | MethodClass::Subscription
            | MethodClass::Admin
            | MethodClass::Other => Self::Normal,
        }
    }

    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Normal => "normal",
            Self::Cheap => "cheap",
            Self::Critical => "critical",
        }
    }

    /// It is refused from so many of a hundred calls on.
    const fn percent(self) -> u64 {
        match self {
            Self::Bulk => 70,
            Self::Normal => 85,
            Self::Cheap => 95,
            Self::Critical => 100,
        }
    }
}

/// How long the shortest wait must be too long.
pub const INTERVAL: Duration = Duration::from_millis(100);
/// When a client that was refused is told to come again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One shard's overload.
#[derive(Clone, Debug)]
pub struct Shedder {
    config: SheddingConfig,
    /// Below so many live calls nothing is refused: 0 while work waits.
    free: u64,
    /// Everything below this is refused for waiting.
    lets_in: Priority,
    /// When the interval ends.
    until: Instant,
    /// The shortest wait in it.
    shortest: Duration,
}

impl Shedder {
    /// Nothing waits.
    #[must_use]
    pub const fn new(config: SheddingConfig) -> Self {
        Self {
            config,
            free: Self::from(&config, Priority::Bulk),
            lets_in: Priority::Bulk,
            until: Instant::ZERO,
            shortest: Duration::MAX,
        }
    }

    const fn from(config: &SheddingConfig, priority: Priority) -> u64 {
        let share = config.max_live_calls as u64 * priority.percent();
        if share < 100 { 1 } else { share / 100 }
    }

    /// May it be that a call is refused while so many others are alive? If not, none is.
    #[must_use]
    pub const fn may_refuse(&self, live_calls: u64) -> bool {
        live_calls >= self.free
    }

    /// Is a call of this priority refused while so many others are alive? Changes its mind about waits that were long ago.
    pub fn refuses(&mut self, priority: Priority, live_calls: u64, now: Instant) -> bool {
        if self.is_waiting() && now >= self.until + INTERVAL {
            // Nobody has reported a wait for a whole interval and more.
            self.set(Priority::Bulk);
        }
        priority < self.lets_in || live_calls >= Self::from(&self.config, priority)
    }

    /// Is anything refused for waiting?
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.lets_in > Priority::Bulk
    }

    /// What is refused for waiting is below this.
    #[must_use]
    pub const fn lets_in(&self) -> Priority {
        self.lets_in
    }

    /// Work was done that had waited for so long. True if what is let in changed.
    pub fn waited(&mut self, wait: Duration, now: Instant) -> bool {
        if self.config.max_wait.is_zero() {
            return false;
        }
        if now < self.until {
            self.shortest = self.shortest.min(wait);
            return false;
        }
        let before = self.lets_in;
        // An interval that ended long ago says nothing of now.
        let is_recent = now < self.until + INTERVAL;
        let waits =
            is_recent && self.shortest > self.config.max_wait && self.shortest < Duration::MAX;
        self.set(match (waits, is_recent) {
            (true, _) => next(before),
            (false, true) => previous(before),
            (false, false) => Priority::Bulk,
        });
        self.until = now + INTERVAL;
        self.shortest = wait;
        self.lets_in != before
    }

    fn set(&mut self, lets_in: Priority) {
        self.lets_in = lets_in;
        self.free = if self.is_waiting() {
            0
        } else {
            Self::from(&self.config, Priority::Bulk)
        };
    }
}

const fn next(priority: Priority) -> Priority {
    match priority {
        Priority::Bulk => Priority::Normal,
        Priority::Normal => Priority::Cheap,
        Priority::Cheap | Priority::Critical => Priority::Critical,
    }
}

const fn previous(priority: Priority) -> Priority {
    match priority {
        Priority::Critical => Priority::Cheap,
        Priority::Cheap => Priority::Normal,
        Priority::Normal | Priority::Bulk => Priority::Bulk,
    }
}
