//! `leaderboard`: the better an upstream, the larger its share. It works on costs that others measured; it measures nothing.
//!
//! Each candidate's share is `weight · (best cost / its cost)^sharpness`, and none at all beyond four times the best cost. With the default
//! sharpness of 5 an upstream that is twice as slow gets a 32nd of what the best gets, one that is 10 % slower three fifths. (Tuned on one half of the
//! simulator's suite: with 4 the slow ones' answers made up the tail, with 6 two equals began to take turns with the noise of measurement.)
//!
//! **Why shares and not "the best one".** A ranking that sends everything to the first flaps: two upstreams of equal cost swap
//! places with the noise of measurement, and each swap moves all of the traffic onto the other's cold connections. A share is continuous in
//! the costs, so a small error moves a little traffic. That is the hysteresis, without a state to go stale.
//!
//! **What is not known is tried, who has no share is looked at again**: [`shares`](super::shares) and [`explore`](super::explore) have the rules,
//! which other strategies share. Calls with effects, and retries, never explore.

use alloc::boxed::Box;

use super::explore::Explorer;
use super::options::{EXPLORE, EXPLORE_AFTER, MAX_SHARE, SHARPNESS};
use super::shares::{Shares, promote, trial_limit, whole};
use super::{Build, Candidate, Context, Reason, Strategy, StrategyKind, Values};
use crate::rng::Rng;

pub(super) static KIND: StrategyKind = StrategyKind {
    name: "leaderboard",
    summary: "The better an upstream's measured latency and health for a method, the larger its share of the calls.",
    when_to_use: "By default: for several providers of comparable price, when answers should be fast.",
    options: &[SHARPNESS, EXPLORE, EXPLORE_AFTER, MAX_SHARE],
    build: Build::Alone(|values| Box::new(Leaderboard::new(values, 0))),
};

/// One with its defaults.
pub(super) fn by_default() -> Box<dyn Strategy> {
    Box::new(Leaderboard {
        shares: Shares::new(5),
        explorer: Explorer::new(100, 1_000_000),
    })
}

#[derive(Debug)]
pub(super) struct Leaderboard {
    shares: Shares,
    explorer: Explorer,
}

impl Leaderboard {
    /// With the options that begin at `from`: sharpness, explore, explore_after.
    pub(super) fn new(values: &Values, from: usize) -> Self {
        Self {
            shares: Shares::new(values.get(from) as u32),
            explorer: Explorer::new(values.get(from + 1), values.get(from + 2) / 1_000),
        }
    }
}

impl Strategy for Leaderboard {
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason {
        let trial_is_full = trial_limit(candidates);
        candidates.sort_unstable_by_key(|candidate| {
            (
                candidate.weight == 0,
                trial_is_full(candidate),
                candidate.cost_us,
                candidate.upstream,
            )
        });
        if candidates.len() < 2 {
            return Reason::Only;
        }
        if context.may_explore
            && let Some((position, reason)) = self.explorer.look(candidates, rng)
        {
            promote(candidates, position);
            return reason;
        }
        let drawn = self.shares.draw(candidates, &whole(&trial_is_full), rng);
        if let Some(position) = drawn {
            promote(candidates, position);
        }
        Reason::Share
    }
}
