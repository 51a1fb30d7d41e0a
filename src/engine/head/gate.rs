//! How far a chain can have come: what tells a plausible number from nonsense. It remembers nothing.

use core::time::Duration;

use crate::time::nanos;

/// So many blocks at once are always plausible: a restart, a burst of a test chain, a gap between two questions.
pub const FREE_BLOCKS: u64 = 64;

/// A chain is believed to run this many times as fast as it usually does.
const HASTE: u64 = 8;

/// The block time of a chain that has not been learned yet, where the chain gets the benefit of the doubt: that of the fast ones.
const FAST: Duration = Duration::from_millis(250);

/// The same, where one answer gets none.
const SLOW: Duration = Duration::from_secs(1);

/// Two questions to two upstreams may be this far apart and still count as asked at once.
pub const RACE: Duration = Duration::from_millis(500);

/// No chain is believed to be faster than this; the divisions below need something above zero.
pub const SHORTEST_BLOCK_TIME: Duration = Duration::from_millis(1);

/// How many blocks the newest can be above what it was `passed` ago, by an upstream's own report.
pub fn allowance(block_time: Option<Duration>, passed: Duration) -> u64 {
    blocks_in(passed, block_time.unwrap_or(FAST))
        .saturating_mul(HASTE)
        .max(FREE_BLOCKS)
}

/// The same for a single answer that nobody confirms while there are others who could: a block or two between two questions.
/// Counted from what the reports agree on, so that one upstream cannot climb by its own answers.
pub fn slack(block_time: Option<Duration>, passed: Duration) -> u64 {
    blocks_in(passed, block_time.unwrap_or(SLOW))
        .saturating_mul(2)
        .saturating_add(2)
}

/// An upstream that was no further behind than this when it was asked has the newest block, but for the race between the questions.
pub fn race(block_time: Option<Duration>) -> u64 {
    blocks_in(RACE, block_time.unwrap_or(FAST)).saturating_add(1)
}

/// So many blocks the nodes behind one URL may be apart without being of two chains.
const POOL_SPREAD: u64 = 8;

/// Is this newest block so far below a final one that the chain it is of is not the one that had the final one?
pub fn is_below_final(newest: u64, finalized: u64, block_time: Option<Duration>) -> bool {
    let spread = POOL_SPREAD.max(race(block_time).saturating_mul(2));
    newest.saturating_add(spread) < finalized
}

/// Is this final block so far below another that both are not of one chain? Nodes behind one URL may be two epochs apart.
pub const fn is_final_no_more(finalized: u64, before: u64) -> bool {
    finalized.saturating_add(FREE_BLOCKS) < before
}

fn blocks_in(span: Duration, block_time: Duration) -> u64 {
    let each = block_time.max(SHORTEST_BLOCK_TIME);
    nanos(span).checked_div(nanos(each)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_grows_with_time_and_has_a_floor() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(allowance(second, Duration::ZERO), 64);
        assert_eq!(allowance(second, Duration::from_secs(8)), 64);
        assert_eq!(allowance(second, Duration::from_secs(9)), 72);
        assert_eq!(allowance(None, Duration::from_secs(9)), 288);
        assert!(allowance(Some(Duration::ZERO), Duration::MAX) > 1 << 46);
    }

    #[test]
    fn a_lone_answer_may_be_two_blocks_ahead_and_twice_the_usual() {
        let ethereum = Some(Duration::from_secs(12));
        assert_eq!(slack(ethereum, Duration::from_secs(11)), 2);
        assert_eq!(slack(ethereum, Duration::from_secs(36)), 8);
        assert_eq!(slack(None, Duration::from_secs(2)), 6);
    }

    #[test]
    fn the_race_counts_only_on_fast_chains() {
        assert_eq!(race(Some(Duration::from_secs(12))), 1);
        assert_eq!(race(Some(Duration::from_millis(501))), 1);
        assert_eq!(race(Some(Duration::from_millis(250))), 3);
        assert_eq!(race(None), 3);
    }
}
