//! The cap on one provider's part of the calls, whatever the strategy: no company gets more than its part while another could take the
//! call. It changes who is first in a ranking, and nothing else.
//!
//! Counted over the last minute, in ten parts of it, on this shard: each selection that had the choice between two companies, and no
//! other. A provider that was alone for a while is thus not starved when the others are back. The part is rounded up, so that one call
//! is always allowed. An upstream without weight, or one on trial that has its calls already, is nobody who could take it. Where
//! all are at their caps (which is so from the start where the caps do not add up to the whole), whoever has had fewest is first.

use alloc::boxed::Box;

use super::Candidate;
use super::shares::{is_on_full_trial, promote};
use crate::index::{MAX_UPSTREAMS, ProviderIndex, UpstreamIndex};
use crate::time::Instant;

/// The window is this many parts.
const PARTS: usize = 10;
/// Of so many nanoseconds each.
const PART_NS: u64 = 6_000_000_000;
const BASIS_POINTS: u64 = 10_000;

/// How many calls each provider has had, and may have.
#[derive(Clone, Debug)]
pub(crate) struct Cap {
    max_basis_points: u64,
    /// By upstream: its provider, numbered without gaps.
    providers: Box<[u8]>,
    /// By part of the window, by provider.
    parts: Box<[[u32; MAX_UPSTREAMS]]>,
    /// By provider, over the window.
    sums: [u32; MAX_UPSTREAMS],
    /// Over the window and all providers.
    total: u64,
    /// The number of the newest part.
    newest: u64,
    /// The ranking that was looked at last had two companies to choose from.
    contested: bool,
}

impl Cap {
    /// Of ten thousand calls no provider gets more than so many.
    pub(crate) fn new(
        max_basis_points: u64,
        providers: impl Iterator<Item = ProviderIndex>,
    ) -> Self {
        let mut known = alloc::vec::Vec::new();
        let number = |provider: ProviderIndex| {
            let at = known.iter().position(|&other| other == provider);
            at.unwrap_or_else(|| {
                known.push(provider);
                known.len() - 1
            }) as u8
        };
        Self {
            max_basis_points,
            providers: providers.map(number).collect(),
            parts: alloc::vec![[0; MAX_UPSTREAMS]; PARTS].into_boxed_slice(),
            sums: [0; MAX_UPSTREAMS],
            total: 0,
            newest: 0,
            contested: false,
        }
    }

    /// Puts another provider's upstream first where the first one's has had its part. True if it did.
    pub(crate) fn enforce(&mut self, candidates: &mut [Candidate], now: Instant) -> bool {
        self.contested = false;
        let Some(first) = candidates.first() else {
            return false;
        };
        let company = self.provider(first.upstream);
        let could = |candidate: &&Candidate| candidate.weight > 0 && !is_on_full_trial(candidate);
        let others = candidates.iter().filter(could);
        let mut others = others.map(|candidate| self.provider(candidate.upstream));
        if !others.any(|other| other != company) {
            return false;
        }
        self.contested = true;
        self.forget(now);
        if self.allows(company) {
            return false;
        }
        let allowed = candidates.iter().position(|candidate| {
            could(&candidate) && self.allows(self.provider(candidate.upstream))
        });
        let fewest = || {
            let all = candidates.iter().enumerate();
            let all = all.filter(|(_, candidate)| could(candidate));
            let count = |upstream| self.sum(self.provider(upstream));
            let least = all.min_by_key(|(_, candidate)| count(candidate.upstream));
            let (position, least) = least?;
            (count(least.upstream) < self.sum(company)).then_some(position)
        };
        match allowed.or_else(fewest) {
            Some(position) => {
                promote(candidates, position);
                true
            }
            None => false,
        }
    }

    /// The call goes there.
    pub(crate) fn count(&mut self, upstream: UpstreamIndex) {
        if !self.contested {
            return;
        }
        let provider = usize::from(self.provider(upstream));
        let part = self.parts.get_mut((self.newest % PARTS as u64) as usize);
        if let Some(count) = part.and_then(|part| part.get_mut(provider)) {
            *count = count.saturating_add(1);
        }
        if let Some(sum) = self.sums.get_mut(provider) {
            *sum = sum.saturating_add(1);
        }
        self.total += 1;
    }

    /// One more is not more than its part, rounded up.
    fn allows(&self, provider: u8) -> bool {
        let part = (self.max_basis_points * (self.total + 1)).div_ceil(BASIS_POINTS);
        u64::from(self.sum(provider)) < part
    }

    fn sum(&self, provider: u8) -> u32 {
        self.sums.get(usize::from(provider)).copied().unwrap_or(0)
    }

    fn provider(&self, upstream: UpstreamIndex) -> u8 {
        let provider = self.providers.get(upstream.as_usize());
        provider.copied().unwrap_or_default()
    }

    /// Drops the parts that are older than the window.
    fn forget(&mut self, now: Instant) {
        let newest = now.0 / PART_NS;
        // Bounded: after as many steps as there are parts all are empty.
        let steps = newest.saturating_sub(self.newest).min(PARTS as u64);
        for step in 0..steps {
            let number = newest - step;
            let Some(part) = self.parts.get_mut((number % PARTS as u64) as usize) else {
                continue;
            };
            for (count, sum) in part.iter_mut().zip(&mut self.sums) {
                self.total -= u64::from(*count);
                *sum -= *count;
                *count = 0;
            }
        }
        self.newest = self.newest.max(newest);
    }
}
