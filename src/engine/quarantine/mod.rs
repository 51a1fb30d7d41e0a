//! One upstream's quarantine: taken out for long because something about our account or its configuration is wrong, which time alone
//! seldom mends. It knows no call; that a call cannot quarantine two upstreams is seen to by the shard.
//!
//! A refused credential or an unpaid account takes two refusals in a row: a single 403 may be a firewall's opinion of one
//! request, and a request that is refused everywhere must not take out every upstream. The first quarantine is a minute, doubled each
//! time up to the class's own duration. Afterwards one attempt at a time is admitted until one is answered.
//!
//! **Answers that are none** (pages, broken JSON, the id of another call) count four each, and an answer takes one off: five in a row, or more than
//! one in five for long. The breaker hears of each, too; but what hands out other calls' answers is to be looked at by a person.
//!
//! What another shard tells of its quarantine is taken over where it ends later than what is known here. Nothing that is told ends one.
//!
//! The wrong chain is different: any answer would be a wrong answer. Only a check that sees the right chain id ends it.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::rng::Rng;
use crate::time::Instant;

/// Why an upstream is quarantined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its credential is refused.
    Auth,
    /// The account is used up or unpaid.
    QuotaBilling,
    /// What it answers is no answer: pages, broken JSON, other calls' ids.
    InvalidAnswers,
    /// It serves another chain: never used, not even as the least bad.
    WrongChain,
}

impl Cause {
    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::QuotaBilling => "quota_billing",
            Self::InvalidAnswers => "invalid_answers",
            Self::WrongChain => "wrong_chain",
        }
    }
}

/// The first quarantine, unless the class's own duration or the upstream's word says otherwise.
pub const FIRST: Duration = Duration::from_secs(60);
/// The longest that an upstream's word about its account is believed.
pub const MAX: Duration = Duration::from_secs(24 * 3_600);
/// Refusals in a row.
const STRIKES: u32 = 2;
/// The longest quarantine for answers that are none.
pub const MAX_INVALID: Duration = Duration::from_secs(15 * 60);
/// What an answer that is none counts, and how much is too much. An answer takes one off.
const INVALID: u32 = 4;
const TOO_MANY_INVALID: u32 = 20;
const JITTER_PERCENT: u32 = 10;

/// One upstream's quarantine.
#[derive(Clone, Debug)]
pub struct Quarantine {
    cause: Option<Cause>,
    began: Instant,
    until: Instant,
    strikes: u32,
    /// Answers that were none, as they count.
    invalid: u32,
    /// Quarantines in a row, without an answer between them.
    row: u32,
    out: u32,
}

impl Quarantine {
    /// Not quarantined.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cause: None,
            began: Instant::ZERO,
            until: Instant::ZERO,
            strikes: 0,
            invalid: 0,
            row: 0,
            out: 0,
        }
    }

    /// Is nothing held against it, and nothing counted?
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.cause.is_none() && self.strikes == 0 && self.invalid == 0
    }

    /// Would it admit an attempt now?
    #[must_use]
    pub fn admits(&self, now: Instant) -> bool {
        self.cause.is_none() || (now >= self.until && self.out == 0)
    }

    /// Where nothing else is left: anything but the wrong chain.
    #[must_use]
    pub fn admits_least_bad(&self) -> bool {
        self.cause != Some(Cause::WrongChain)
    }

    /// Why it is quarantined, and until when at least.
    #[must_use]
    pub fn state(&self) -> Option<(Cause, Instant)> {
        self.cause.map(|cause| (cause, self.until))
    }

    /// When the last one began, by its own count.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Counts an attempt in. The answer is handed back with the attempt's end.
    pub const fn admit(&mut self) -> bool {
        let counted = self.cause.is_some();
        if counted {
            self.out += 1;
        }
        counted
    }

    /// Counts an attempt out again, whatever came of it.
    pub const fn leave(&mut self, counted: bool) {
        if counted {
            self.out = self.out.saturating_sub(1);
        }
    }

    /// The upstream answered: its account works. True if that ended a quarantine.
    pub fn answered(&mut self) -> bool {
        self.strikes = 0;
        self.invalid = self.invalid.saturating_sub(1);
        if self.cause == Some(Cause::WrongChain) {
            return false;
        }
        self.row = 0;
        self.cause.take().is_some()
    }

    /// The upstream refused for a reason of account. The answer is the end of a quarantine that began with it.
    ///
    /// `longest` is the class's own duration, `asked` the upstream's word.
    pub fn refused(
        &mut self,
        cause: Cause,
        longest: Duration,
        asked: Option<Duration>,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Instant> {
        self.strikes = self.strikes.saturating_add(1);
        (self.strikes >= STRIKES || self.cause.is_some())
            .then(|| self.begin(cause, longest, asked, now, rng))?
    }

    /// What the upstream answered was no answer. The answer is the end of a quarantine that began with it.
    pub fn malformed(&mut self, now: Instant, rng: &mut Rng) -> Option<Instant> {
        self.invalid = (self.invalid + INVALID).min(TOO_MANY_INVALID);
        (self.invalid >= TOO_MANY_INVALID)
            .then(|| self.begin(Cause::InvalidAnswers, MAX_INVALID, None, now, rng))?
    }

    /// Another shard quarantined it, until then. The answer is the end of a quarantine that begins with it.
    pub fn adopt(&mut self, cause: Cause, until: Instant, now: Instant) -> Option<Instant> {
        let until = until.min(now + MAX * 2);
        if cause == Cause::WrongChain || self.cause == Some(Cause::WrongChain) || until <= now {
            return None;
        }
        let began = self.cause.is_none();
        if self
            .cause
            .is_none_or(|known| (self.until, known) < (until, cause))
        {
            self.cause = Some(cause);
            self.until = until;
        }
        began.then_some(until)
    }

    fn begin(
        &mut self,
        cause: Cause,
        longest: Duration,
        asked: Option<Duration>,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Instant> {
        // One that is on is not begun again before an attempt after its end has failed.
        if self.cause == Some(Cause::WrongChain) || self.cause.is_some() && now < self.until {
            return None;
        }
        let grown = FIRST
            .min(longest)
            .saturating_mul(1 << self.row.min(16))
            .min(longest);
        self.row = self.row.saturating_add(1);
        self.cause = Some(cause);
        self.began = now;
        self.until = now
            + rng.stretched(
                grown.max(asked.unwrap_or_default().min(MAX)),
                JITTER_PERCENT,
            );
        Some(self.until)
    }

    /// A check saw another chain's id. True if that is news.
    pub fn wrong_chain(&mut self) -> bool {
        let news = self.cause != Some(Cause::WrongChain);
        self.cause = Some(Cause::WrongChain);
        self.until = Instant::NEVER;
        news
    }

    /// A check saw the right chain's id. True if that ended a quarantine.
    pub fn right_chain(&mut self) -> bool {
        let ends = self.cause == Some(Cause::WrongChain);
        if ends {
            *self = Self::new();
        }
        ends
    }
}

impl Default for Quarantine {
    fn default() -> Self {
        Self::new()
    }
}
