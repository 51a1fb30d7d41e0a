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
    #[inline]
    pub(super) fn draw(
        &self,
        candidates: &[Candidate],
        part: &impl Fn(&Candidate) -> u64,
        rng: &mut Rng,
    ) -> Option<usize> {
        let with_share = candidates
            .iter()
            .filter(|one| one.weight > 0 && part(one) > 0);
        let best_us = with_share.map(|candidate| candidate.cost_us).min()?;
        let share = |candidate: &Candidate| self.share(best_us, candidate, part(candidate));
        if candidates.len() > FEW {
            let total = candidates.iter().map(share).sum();
            return drawn(candidates.iter().map(share), rng.below(total));
        }
        // Of the usual few each share is worked out once.
        let mut shares = [0_u64; FEW];
        let mut total = 0;
        for (slot, candidate) in shares.iter_mut().zip(candidates) {
            *slot = share(candidate);
            total += *slot;
        }
        let few = shares.iter().copied().take(candidates.len());
        drawn(few, rng.below(total))
    }

    #[inline]
    fn share(&self, best_us: u64, candidate: &Candidate, part: u64) -> u64 {
        if part == 0 || candidate.cost_us / MAX_COST_RATIO >= best_us {
            return 0;
        }
        let best_us = best_us.min(MAX_COST_US);
        let ratio = ((best_us << 16) / candidate.cost_us.max(1)).min(ONE);
        let mut power = part.min(ONE);
        for _ in 0..self.sharpness {
            power = (power * ratio) >> 16;
        }
        power * u64::from(candidate.weight)
    }
}

/// So many shares are kept while one is drawn.
const FEW: usize = 8;

/// The position at which a number that is below the sum lies.
#[inline]
fn drawn(mut shares: impl Iterator<Item = u64>, mut number: u64) -> Option<usize> {
    shares.position(|share| {
        let hit = number < share;
        number = number.saturating_sub(share);
        hit
    })
}

/// The whole of a share, for whoever is not left out.
#[inline]
pub(super) fn whole(left_out: &impl Fn(&Candidate) -> bool) -> impl Fn(&Candidate) -> u64 {
    move |candidate| if left_out(candidate) { 0 } else { ONE }
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
