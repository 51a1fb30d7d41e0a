//! How fast a chain makes blocks and when its next one is due, learned from when its newest block was seen to change. It asks
//! nobody and knows no upstream.
//!
//! **Block time** is time over blocks, both summed over the last [`MEMORY_BLOCKS`], so that it does not matter how many blocks a
//! question missed.
//!
//! **Phase.** The questions sample the chain: a block came after the last answer without it and before the first answer with it. The
//! estimate of its coming is the last one plus the block time, brought between these two. A block that was found by the first question
//! may have been there for long, so the estimate then creeps forward until a question comes too early.

use core::time::Duration;

use crate::time::{Instant, nanos};

use super::gate::SHORTEST_BLOCK_TIME;

/// Blocks that the mean remembers.
const MEMORY_BLOCKS: u64 = 64;
/// Changes of the head from which on the block time is believed.
const ENOUGH_CHANGES: u32 = 3;
/// One gap counts at most so many times the usual: a chain that stood still for an hour has not changed its pace.
const LONGEST_GAP: u64 = 8;
/// The estimate creeps by this part of a block time.
const CREEP: u64 = 32;

/// The pace of one chain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    total_ns: u64,
    total_blocks: u64,
    changes: u32,
    last: Option<(u64, Instant)>,
    /// When the last block is believed to have come.
    came: Instant,
    /// The last answer without news since then.
    missed: Option<Instant>,
}

impl Pace {
    /// The newest block is another one now.
    pub fn advanced(&mut self, number: u64, at: Instant) {
        let missed = self.missed.take();
        let Some((before, seen)) = self.last.replace((number, at)) else {
            self.came = at;
            return;
        };
        let blocks = number.saturating_sub(before);
        if blocks == 0 {
            return;
        }
        self.follow_phase(blocks, missed, at);
        let usual = self.block_time().map_or(u64::MAX, nanos);
        let longest = usual.saturating_mul(LONGEST_GAP).saturating_mul(blocks);
        let took = nanos(at.saturating_duration_since(seen)).min(longest);
        self.total_ns = self.total_ns.saturating_add(took);
        self.total_blocks = self.total_blocks.saturating_add(blocks);
        if self.total_blocks > MEMORY_BLOCKS {
            let kept = u128::from(self.total_ns) * u128::from(MEMORY_BLOCKS)
                / u128::from(self.total_blocks);
            self.total_ns = kept as u64;
            self.total_blocks = MEMORY_BLOCKS;
        }
        self.changes = self.changes.saturating_add(1);
    }

    fn follow_phase(&mut self, blocks: u64, missed: Option<Instant>, at: Instant) {
        let Some(each) = self.block_time().map(nanos) else {
            self.came = at;
            return;
        };
        let creep = if missed.is_some() { 0 } else { each / CREEP };
        let guess = self.came.0.saturating_add(each.saturating_mul(blocks));
        let earliest = missed.map_or(0, |missed| missed.0);
        let guess = guess.saturating_sub(creep).max(earliest);
        self.came = Instant(guess.min(at.0));
    }

    /// An upstream answered, and the newest block is the same.
    pub fn unchanged(&mut self, at: Instant) {
        self.missed = self.missed.max(Some(at));
    }

    /// The chain is another one: nothing is known.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The mean time between two blocks; `None` until enough were seen.
    #[must_use]
    pub fn block_time(&self) -> Option<Duration> {
        if self.changes < ENOUGH_CHANGES {
            return None;
        }
        let mean = self.total_ns.checked_div(self.total_blocks)?;
        Some(Duration::from_nanos(mean).max(SHORTEST_BLOCK_TIME))
    }

    /// When the newest block is believed to have come.
    #[must_use]
    pub const fn came(&self) -> Instant {
        self.came
    }

    /// When the newest block was first seen; the base where none was.
    #[must_use]
    pub fn seen(&self) -> Instant {
        self.last.map_or(Instant::ZERO, |(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Instant {
        Instant(millis * 1_000_000)
    }

    #[test]
    fn nothing_is_learned_before_three_changes() {
        let mut pace = Pace::default();
        for (number, at) in [(10, 0), (11, 2_000), (12, 4_000)] {
            pace.advanced(number, ms(at));
            assert_eq!(pace.block_time(), None);
        }
        pace.advanced(13, ms(6_000));
        assert_eq!(pace.block_time(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn missed_blocks_do_not_matter() {
        let mut pace = Pace::default();
        for (number, at) in [
            (10, 0),
            (11, 2_000),
            (21, 22_000),
            (22, 24_000),
            (30, 40_000),
        ] {
            pace.advanced(number, ms(at));
        }
        assert_eq!(pace.block_time(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_chain_that_stood_still_keeps_its_pace_and_a_new_pace_is_learned() {
        let mut pace = Pace::default();
        for number in 0..100 {
            pace.advanced(number, ms(number * 2_000));
        }
        pace.advanced(100, ms(10_000_000));
        let after = pace.block_time().unwrap();
        assert!(after < Duration::from_millis(2_300), "{after:?}");
        for number in 1..=300 {
            pace.advanced(100 + number, ms(10_000_000 + number * 500));
        }
        let after = pace.block_time().unwrap();
        assert!(after < Duration::from_millis(520), "{after:?}");
    }

    /// Blocks every 12 s at 0.7 s past; a question a little after each is due, and again after a miss.
    #[test]
    fn the_phase_is_found_and_kept() {
        let mut pace = Pace::default();
        let block_at = |number: u64| number * 12_000 + 700;
        let newest = |at: u64| (at.saturating_sub(700)) / 12_000;
        let (mut at, mut known, mut questions) = (0, 0, 0);
        let mut worst = 0;
        while at < 3_000_000 {
            questions += 1;
            if newest(at) > known {
                known = newest(at);
                pace.advanced(known, ms(at));
                if at > 600_000 {
                    worst = worst.max(at - block_at(known));
                }
            } else {
                pace.unchanged(ms(at));
            }
            at = match pace.block_time() {
                Some(each) => {
                    let due = (pace.came() + each).0 / 1_000_000 + 100;
                    if at < due { due } else { at + 1_500 }
                }
                None => at + 1_000,
            };
        }
        assert!(worst <= 1_500, "{worst} ms late");
        assert!(questions < 250 * 2, "{questions} questions for 250 blocks");
    }
}
