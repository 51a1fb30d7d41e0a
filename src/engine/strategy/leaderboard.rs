//! `leaderboard`: the better an upstream, the larger its share. It works on costs that others measured; it measures nothing.
//!
//! Each candidate's share is `weight · (best cost / its cost)^sharpness`, and none at all beyond four times the best cost. With the default
//! sharpness of 4 an upstream that is twice as slow keeps a seventeenth, one that is 10 % slower two fifths.
//!
//! **Why shares and not "the best one".** A ranking that sends everything to the first flaps: two upstreams of equal cost swap
//! places with the noise of measurement, and each swap moves all of the traffic onto the other's cold connections. A share is continuous in
//! the costs, so a small error moves a little traffic. That is the hysteresis, without a state to go stale.
//!
//! **What is not known is tried, but not at anybody's expense.** An upstream on trial counts as average, but has at most
//! [`TRIAL_IN_FLIGHT`] calls at a time while one that is known is there: if it hangs, it hangs two calls.
//!
//! **Who has no share is looked at again.** A half-open breaker gets its probes from the first calls that can afford it; and a small part
//! of the calls (1 %, less where traffic is dense) explores whoever has been silent longest, so that a recovery is noticed. An upstream
//! whose last answers were much better than believed is looked at eight times as often until the belief is settled. Calls
//! with effects, and retries, never explore.

use alloc::boxed::Box;

use super::options::{EXPLORE, EXPLORE_AFTER, MAX_SHARE, SHARPNESS};
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
        sharpness: 4,
        explore_basis_points: 100,
        explore_after_us: 1_000_000,
    })
}

/// How many calls an upstream on trial may have at a time, while another is known.
pub const TRIAL_IN_FLIGHT: u32 = 2;
/// Beyond this many times the best cost there is no share.
const MAX_COST_RATIO: u64 = 4;
/// Costs above this (years) are all the same; the arithmetic has room for them.
const MAX_COST_US: u64 = 1 << 47;
/// A promising upstream is explored this many times as often.
const PROMISING: u64 = 8;
const BASIS_POINTS: u64 = 10_000;
const ONE: u64 = 1 << 16;

#[derive(Debug)]
pub(super) struct Leaderboard {
    sharpness: u32,
    explore_basis_points: u64,
    explore_after_us: u64,
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
            && let Some((position, reason)) = self.explore(candidates, rng)
        {
            promote(candidates, position);
            return reason;
        }
        if let Some(position) = self.draw(candidates, &trial_is_full, rng) {
            promote(candidates, position);
        }
        Reason::Share
    }
}

impl Leaderboard {
    /// With the options that begin at `from`: sharpness, explore, explore_after.
    pub(super) fn new(values: &Values, from: usize) -> Self {
        Self {
            sharpness: values.get(from) as u32,
            explore_basis_points: values.get(from + 1),
            explore_after_us: values.get(from + 2) / 1_000,
        }
    }

    fn explore(&self, candidates: &[Candidate], rng: &mut Rng) -> Option<(usize, Reason)> {
        let probe = candidates.iter().position(|candidate| candidate.probe_due);
        if let Some(position) = probe {
            return Some((position, Reason::Probe));
        }
        let (position, silent) = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.weight > 0 && is_explorable(candidate))
            .max_by_key(|(_, candidate)| (candidate.promising, candidate.silent_for_us))?;
        let (patience, haste) = if silent.promising {
            (self.explore_after_us / PROMISING, PROMISING)
        } else {
            (self.explore_after_us, 1)
        };
        let due = silent.silent_for_us >= patience;
        (due && rng.chance(self.explore_basis_points * haste, BASIS_POINTS))
            .then_some((position, Reason::Explored))
    }

    /// Draws one by share. `None` where nobody has one.
    fn draw(
        &self,
        candidates: &[Candidate],
        left_out: &impl Fn(&Candidate) -> bool,
        rng: &mut Rng,
    ) -> Option<usize> {
        let best_us = candidates
            .iter()
            .filter(|candidate| candidate.weight > 0 && !left_out(candidate))
            .map(|candidate| candidate.cost_us)
            .min()?;
        let share = |candidate: &Candidate| {
            if left_out(candidate) {
                0
            } else {
                self.share(best_us, candidate)
            }
        };
        let total: u64 = candidates.iter().map(share).sum();
        let mut drawn = rng.below(total);
        candidates.iter().position(|candidate| {
            let share = share(candidate);
            let hit = drawn < share;
            drawn = drawn.saturating_sub(share);
            hit
        })
    }

    fn share(&self, best_us: u64, candidate: &Candidate) -> u64 {
        if candidate.cost_us / MAX_COST_RATIO >= best_us {
            return 0;
        }
        let best_us = best_us.min(MAX_COST_US);
        let ratio = ((best_us << 16) / candidate.cost_us.max(1)).min(ONE);
        let power = (0..self.sharpness).fold(ONE, |power, _| (power * ratio) >> 16);
        power * u64::from(candidate.weight)
    }
}

/// One of which nothing is known must not be given many calls to find out that it hangs.
fn is_explorable(candidate: &Candidate) -> bool {
    candidate.in_flight < TRIAL_IN_FLIGHT || !candidate.cold
}

/// While somebody is known, an upstream on trial with enough calls in flight gets no more.
fn trial_limit(candidates: &[Candidate]) -> impl Fn(&Candidate) -> bool + use<> {
    let somebody_is_known = candidates
        .iter()
        .any(|candidate| !candidate.cold && candidate.weight > 0);
    move |candidate: &Candidate| {
        somebody_is_known && candidate.cold && candidate.in_flight >= TRIAL_IN_FLIGHT
    }
}

/// Moves the one at `position` to the front and keeps the order of the others.
fn promote(candidates: &mut [Candidate], position: usize) {
    if let Some(front) = candidates.get_mut(..=position) {
        front.rotate_right(1);
    }
}
