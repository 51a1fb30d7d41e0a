//! Looking at upstreams that have no share, so that a recovery is noticed: which one, and when. It spends calls that may be spent, and no
//! others.
//!
//! A half-open breaker gets its probes from the first calls that can afford it; and a small part of the calls (1 %, less where traffic
//! is dense) explores whoever has been silent longest. An upstream whose last answers were much better than believed is looked at eight
//! times as often until the belief is settled.

use super::shares::TRIAL_IN_FLIGHT;
use super::{Candidate, Reason};
use crate::rng::Rng;

/// A promising upstream is explored this many times as often.
const PROMISING: u64 = 8;
const BASIS_POINTS: u64 = 10_000;

/// How much is spent on looking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Explorer {
    basis_points: u64,
    after_us: u64,
}

impl Explorer {
    /// Of so many of ten thousand calls, whoever has been silent for so long.
    pub(super) const fn new(basis_points: u64, after_us: u64) -> Self {
        Self {
            basis_points,
            after_us,
        }
    }

    /// The position of the candidate to look at now, if any. Only for calls that may explore.
    pub(super) fn look(&self, candidates: &[Candidate], rng: &mut Rng) -> Option<(usize, Reason)> {
        let (mut probes, mut silence_us) = (false, 0);
        for candidate in candidates {
            probes |= candidate.probe_due;
            silence_us = silence_us.max(candidate.silent_for_us);
        }
        if probes {
            let probe = candidates.iter().position(|candidate| candidate.probe_due);
            return probe.map(|position| (position, Reason::Probe));
        }
        // Where traffic is dense nobody is silent, and there is nothing to weigh.
        if silence_us < self.after_us / PROMISING {
            return None;
        }
        let (position, silent) = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.weight > 0 && is_explorable(candidate))
            .max_by_key(|(_, candidate)| (candidate.promising, candidate.silent_for_us))?;
        let (patience, haste) = if silent.promising {
            (self.after_us / PROMISING, PROMISING)
        } else {
            (self.after_us, 1)
        };
        let due = silent.silent_for_us >= patience;
        (due && rng.chance(self.basis_points * haste, BASIS_POINTS))
            .then_some((position, Reason::Explored))
    }
}

/// One of which nothing is known must not be given many calls to find out that it hangs.
const fn is_explorable(candidate: &Candidate) -> bool {
    candidate.in_flight < TRIAL_IN_FLIGHT || !candidate.cold
}
