//! One upstream's quarantine: taken out for long because something about our account or its configuration is wrong, which time alone
//! seldom mends. It knows no call; that a call cannot quarantine two upstreams is seen to by the shard.
//!
//! A refused credential or an unpaid account takes two refusals in a row: a single 403 may be a firewall's opinion of one
//! request, and a request that is refused everywhere must not take out every upstream. The first quarantine is a minute, doubled each
//! time up to the class's own duration. Afterwards one attempt at a time is admitted until one is answered.
//!
//! The wrong chain is different: any answer would be a wrong answer. Only a check that sees the right chain id ends it.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::rng::Rng;
use crate::time::Instant;

/// Why an upstream is quarantined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
const JITTER_PERCENT: u32 = 10;

/// One upstream's quarantine.
#[derive(Clone, Debug)]
pub struct Quarantine {
    cause: Option<Cause>,
    until: Instant,
    strikes: u32,
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
            until: Instant::ZERO,
            strikes: 0,
            row: 0,
            out: 0,
        }
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
        let again = self.cause.is_some_and(|known| known != Cause::WrongChain) && now >= self.until;
        if self.cause.is_some() && !again || self.cause.is_none() && self.strikes < STRIKES {
            return None;
        }
        let grown = FIRST
            .min(longest)
            .saturating_mul(1 << self.row.min(16))
            .min(longest);
        self.row = self.row.saturating_add(1);
        self.cause = Some(cause);
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
