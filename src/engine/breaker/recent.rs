//! What a breaker remembers of the last outcomes: by number (the last 64) and by time (a window in ten parts). It judges nothing.

use core::time::Duration;

use crate::time::Instant;

/// A window is counted in this many parts, so it forgets in steps of a tenth.
const PARTS: usize = 10;

/// The last 64 outcomes, a bit each: was it a failure, and only half of one?
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    whole: u64,
    half: u64,
    count: u32,
}

impl Last {
    pub(super) const EMPTY: Self = Self {
        whole: 0,
        half: 0,
        count: 0,
    };

    pub(super) fn push(&mut self, weight: u32) {
        self.whole = self.whole << 1 | u64::from(weight >= 75);
        self.half = self.half << 1 | u64::from((1..75).contains(&weight));
        self.count = (self.count + 1).min(u64::BITS);
    }

    /// How many outcomes are remembered.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// The share of failures among them, per thousand; nothing where nothing is remembered.
    pub(super) fn failed_permille(&self) -> u32 {
        let halves = self.whole.count_ones() * 2 + self.half.count_ones();
        (halves * 500).checked_div(self.count).unwrap_or(0)
    }

    /// How many in a row, up to now, were no failure at all.
    pub(super) fn successes_in_a_row(&self) -> u32 {
        (self.whole | self.half).trailing_zeros().min(self.count)
    }
}

#[derive(Clone, Copy, Debug)]
struct Part {
    number: u64,
    /// In per cent of a failure.
    failures: u32,
}

/// Failures within a span of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    parts: [Part; PARTS],
}

impl Window {
    pub(super) const EMPTY: Self = Self {
        parts: [Part {
            number: 0,
            failures: 0,
        }; PARTS],
    };

    pub(super) fn add(&mut self, weight: u32, span: Duration, now: Instant) {
        let number = number(span, now);
        let Some(part) = self.parts.get_mut((number % PARTS as u64) as usize) else {
            return;
        };
        if part.number != number {
            *part = Part {
                number,
                failures: 0,
            };
        }
        part.failures = part.failures.saturating_add(weight);
    }

    /// In per cent of a failure.
    pub(super) fn failures(&self, span: Duration, now: Instant) -> u32 {
        let oldest = number(span, now).saturating_sub(PARTS as u64 - 1);
        let recent = self.parts.iter().filter(|part| part.number >= oldest);
        recent.fold(0_u32, |sum, part| sum.saturating_add(part.failures))
    }
}

fn number(span: Duration, now: Instant) -> u64 {
    let part = crate::time::nanos(span) / PARTS as u64;
    // The number of parts is added so that the parts of a new window, numbered 0, are never taken for the first.
    now.0
        .checked_div(part)
        .unwrap_or(0)
        .saturating_add(PARTS as u64)
}
