//! Shares by score: `weight · (best cost / its cost)^sharpness`, and none beyond four times the best cost. It works on costs that others
//! measured, and keeps no state, so that there is none to go stale.
//!
//! **What is not known is tried, but not at anybody's expense.** An upstream on trial counts as average, but has at most
//! [`TRIAL_IN_FLIGHT`] calls at a time while one that is known is there: if it hangs, it hangs two calls.

use super::Candidate;
use crate::rng::Rng;

/// How many calls an upstream on trial may have at a time, while another is known.
pub(super) const TRIAL_IN_FLIGHT: u32 = 2;
/// Beyond this many times the best cost there is no share.
const MAX_COST_RATIO: u64 = 4;
/// Costs above this (years) are all the same; the arithmetic has room for them.
const MAX_COST_US: u64 = 1 << 47;
/// One, as a part of a share.
pub(super) const ONE: u64 = 1 << 16;

/// How shares follow costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    sharpness: u32,
}

impl Shares {
    /// In proportion to the speed's power of so much.
    pub(super) const fn new(sharpness: u32) -> Self {
        Self { sharpness }
    }

    /// Draws one by its share; of each share only the part that `part` says counts, in 1/65536. `None` where nobody has one.
    pub(super) fn draw(
        &self,
        candidates: &[Candidate],
        left_out: &impl Fn(&Candidate) -> bool,
        part: &impl Fn(&Candidate) -> u64,
        rng: &mut Rng,
    ) -> Option<usize> {
        let best_us = candidates
            .iter()
            .filter(|candidate| candidate.weight > 0 && !left_out(candidate) && part(candidate) > 0)
            .map(|candidate| candidate.cost_us)
            .min()?;
        let share = |candidate: &Candidate| {
            if left_out(candidate) {
                0
            } else {
                self.share(best_us, candidate, part)
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

    fn share(&self, best_us: u64, candidate: &Candidate, part: &impl Fn(&Candidate) -> u64) -> u64 {
        if candidate.cost_us / MAX_COST_RATIO >= best_us {
            return 0;
        }
        let best_us = best_us.min(MAX_COST_US);
        let ratio = ((best_us << 16) / candidate.cost_us.max(1)).min(ONE);
        let power = (0..self.sharpness).fold(ONE, |power, _| (power * ratio) >> 16);
        ((power * part(candidate).min(ONE)) >> 16) * u64::from(candidate.weight)
    }
}

/// The whole of a share.
pub(super) const fn whole(_: &Candidate) -> u64 {
    ONE
}

/// While somebody is known, an upstream on trial with enough calls in flight gets no more.
pub(super) fn trial_limit(candidates: &[Candidate]) -> impl Fn(&Candidate) -> bool + use<> {
    let somebody_is_known = candidates
        .iter()
        .any(|candidate| !candidate.cold && candidate.weight > 0);
    move |candidate: &Candidate| somebody_is_known && is_on_full_trial(candidate)
}

/// It is not known yet, and as many calls as may find out are on their way.
pub(super) const fn is_on_full_trial(candidate: &Candidate) -> bool {
    candidate.cold && candidate.in_flight >= TRIAL_IN_FLIGHT
}

/// Moves the one at `position` to the front and keeps the order of the others.
pub(super) fn promote(candidates: &mut [Candidate], position: usize) {
    if let Some(front) = candidates.get_mut(..=position) {
        front.rotate_right(1);
    }
}
