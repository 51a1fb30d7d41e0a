//! What was sent within the last second, and how much may be. It counts in parts of a tenth of a second, and looks back over eleven of them, so
//! that no second, wherever it begins, has more than the limit.

use crate::time::Instant;

/// Parts that together are never less than a second.
const PARTS: usize = 11;
const PART_NS: u64 = 100_000_000;
/// A learned limit that was not felt for so long is forgotten.
const FORGET_NS: u64 = 300_000_000_000;
/// It grows by this part of itself a second.
const GROWTH: u64 = 32;

/// A sliding second.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    parts: [u64; PARTS],
    sum: u64,
    newest: u64,
    learned: Option<Learned>,
}

/// What a throttle has taught.
#[derive(Clone, Copy, Debug)]
struct Learned {
    amount: u64,
    at: Instant,
}

impl Second {
    /// So much was sent.
    pub(super) fn add(&mut self, amount: u64, now: Instant) {
        self.forget(now);
        if let Some(part) = self.parts.get_mut((self.newest % PARTS as u64) as usize) {
            *part += amount;
            self.sum += amount;
        }
    }

    /// What was sent in the last second, at least.
    pub(super) fn sent(&mut self, now: Instant) -> u64 {
        self.forget(now);
        self.sum
    }

    /// When so much can be sent again within `limit`, if nothing else is sent.
    pub(super) fn free_at(&mut self, amount: u64, limit: u64, now: Instant) -> Instant {
        self.forget(now);
        let mut left = self.sum;
        for back in (0..PARTS as u64).rev() {
            if left.saturating_add(amount) <= limit {
                break;
            }
            let number = self.newest.saturating_sub(back);
            let part = self.parts.get((number % PARTS as u64) as usize);
            left = left.saturating_sub(part.copied().unwrap_or(0));
            if left.saturating_add(amount) <= limit {
                return Instant((number + PARTS as u64).saturating_mul(PART_NS));
            }
        }
        now
    }

    /// The provider throttled an attempt that was sent at `started`: what was sent then is too much. A hundred in flight that are all refused are
    /// one throttle.
    pub(super) fn throttled(&mut self, started: Instant, now: Instant) {
        if self.learned.is_some_and(|learned| started < learned.at) {
            return;
        }
        let sent = self.sent(now);
        let known = self.learned(now).unwrap_or(u64::MAX);
        let amount = (sent.min(known) / 8 * 7).max(1);
        self.learned = Some(Learned { amount, at: now });
    }

    /// The limit that throttles have taught, if they have: an eighth below what was too much, and growing until it is felt again.
    pub(super) fn learned(&self, now: Instant) -> Option<u64> {
        let learned = self.learned?;
        let age_ns = now.0.saturating_sub(learned.at.0);
        if age_ns >= FORGET_NS {
            return None;
        }
        let grown = learned.amount.max(GROWTH) / GROWTH * (age_ns / 1_000_000_000);
        Some(learned.amount.saturating_add(grown))
    }

    fn forget(&mut self, now: Instant) {
        let newest = now.0 / PART_NS;
        // Bounded: after as many steps as there are parts all are empty.
        let steps = newest.saturating_sub(self.newest).min(PARTS as u64);
        for step in 0..steps {
            let number = newest - step;
            if let Some(part) = self.parts.get_mut((number % PARTS as u64) as usize) {
                self.sum -= *part;
                *part = 0;
            }
        }
        self.newest = self.newest.max(newest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Instant {
        Instant(millis * 1_000_000)
    }

    #[test]
    fn what_was_sent_counts_for_a_second_and_a_tenth_at_most() {
        let mut second = Second::default();
        second.add(3, ms(950));
        assert_eq!(second.sent(ms(1_950)), 3, "a whole second");
        assert_eq!(second.sent(ms(1_999)), 3);
        assert_eq!(second.sent(ms(2_000)), 0);
        second.add(5, ms(9_000_000));
        assert_eq!(second.sent(ms(9_000_000)), 5, "after a long pause");
    }

    #[test]
    fn it_says_when_there_is_room_again() {
        let mut second = Second::default();
        second.add(4, ms(100));
        second.add(4, ms(500));
        assert_eq!(second.free_at(2, 10, ms(600)), ms(600), "now");
        assert_eq!(second.free_at(3, 10, ms(600)), ms(1_200));
        assert_eq!(second.free_at(7, 10, ms(600)), ms(1_600));
        assert_eq!(second.sent(ms(1_199)), 8);
        assert_eq!(second.sent(ms(1_200)), 4);
    }

    #[test]
    fn a_throttle_teaches_a_limit_that_grows_and_is_forgotten() {
        let mut second = Second::default();
        assert_eq!(second.learned(ms(0)), None);
        second.add(800, ms(1_000));
        second.throttled(ms(1_000), ms(1_050));
        assert_eq!(second.learned(ms(1_050)), Some(700));
        second.add(100, ms(1_060));
        second.throttled(ms(1_049), ms(1_070));
        assert_eq!(second.learned(ms(1_070)), Some(700), "the same throttle");
        assert_eq!(second.learned(ms(33_050)), Some(700 + 32 * (700 / 32)));
        second.add(50, ms(33_060));
        second.throttled(ms(33_060), ms(33_070));
        assert_eq!(second.learned(ms(33_070)), Some(42), "it was less by now");
        assert_eq!(second.learned(ms(333_069)), Some(42 + 299));
        assert_eq!(second.learned(ms(333_070)), None);
        let mut idle = Second::default();
        idle.throttled(ms(5), ms(6));
        assert_eq!(idle.learned(ms(6)), Some(1), "never nothing");
    }
}
