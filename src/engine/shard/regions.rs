//! Who is too far away, by what was measured from here: upstreams of other regions than the client's, and those that are not expected to
//! answer in the time that is left. Neither leaves anybody out unless another is left, so neither ever makes an error of a call.
//!
//! **Regions**, where the chain prefers them. The client's region is the request's, or the chain's `home`. An upstream's label is
//! believed until a measurement says otherwise: latencies are those that this shard has seen of the method, and one that is not
//! known well yet says nothing.
//!
//! 1. *Near* is who has the client's label, and takes no longer than the fastest of all and the bound together. And whoever is as fast as the
//!    fastest of those, wherever it says it is.
//! 2. If anybody is near, all others are left out.
//! 3. If nobody is (they are out, or none is as near as its label says), whoever takes no longer than the fastest and the bound
//!    is left in, and all others are left out.
//!
//! What was too slow for the bound comes back once it is within three quarters of it. One call in [`LOOK_EVERY`] that may be spent on learning goes
//! by no region, so that what is far away is measured now and then, and found when it comes nearer.

use alloc::vec::Vec;

use crate::call::Call;
use crate::config::GeoConfig;
use crate::eligibility::{LeftOut, LeftOutBy};
use crate::hysteresis::Hysteresis;
use crate::index::{RegionIndex, UpstreamSet};
use crate::strategy::Candidate;
use crate::time::Instant;

use super::chain::Chain;

/// Of the calls that may be spent on learning one in so many goes by no region.
pub const LOOK_EVERY: u64 = 128;

/// A chain's preference.
#[derive(Debug)]
pub(super) struct Geo {
    config: GeoConfig,
    /// Who takes longer than the bound allows.
    slow: Hysteresis,
}

impl Geo {
    pub(super) fn new(config: GeoConfig) -> Self {
        Self {
            config,
            slow: Hysteresis::new(),
        }
    }

    /// Those that are left in. The labels are by upstream.
    fn near(
        &mut self,
        call: &Call,
        candidates: &[Candidate],
        label: impl Fn(&Candidate) -> Option<RegionIndex>,
    ) -> UpstreamSet {
        let Some(region) = call.request.region.or(self.config.home) else {
            return UpstreamSet::first(crate::index::MAX_UPSTREAMS);
        };
        let fastest = |among: &mut dyn Iterator<Item = &Candidate>| {
            among
                .filter(|one| !one.cold)
                .map(|one| one.latency_us)
                .min()
        };
        let bound_us = u64::try_from(self.config.bound.as_micros()).unwrap_or(u64::MAX);
        let best_us = fastest(&mut candidates.iter()).unwrap_or(0);
        let (limit_us, back_us) = (
            best_us.saturating_add(bound_us),
            best_us.saturating_add(bound_us / 4 * 3),
        );
        let mut within = UpstreamSet::EMPTY;
        let mut home = UpstreamSet::EMPTY;
        for candidate in candidates {
            let (upstream, latency_us) = (candidate.upstream, candidate.latency_us);
            let slow = &mut self.slow;
            let method = call.request.method;
            if candidate.cold || !slow.is_past(method, upstream, latency_us, limit_us, back_us) {
                within.insert(upstream);
                if label(candidate) == Some(region) && candidate.weight > 0 {
                    home.insert(upstream);
                }
            }
        }
        if home.is_empty() {
            return within;
        }
        let mut at_home = candidates.iter().filter(|one| home.contains(one.upstream));
        let nearest_us = fastest(&mut at_home).unwrap_or(0);
        for candidate in candidates {
            if !candidate.cold && candidate.latency_us <= nearest_us {
                home.insert(candidate.upstream);
            }
        }
        home
    }
}

impl Chain {
    /// Takes from the candidates those that are farther than need be. At least one is left.
    pub(super) fn keep_near(
        &mut self,
        call: &Call,
        may_explore: bool,
        candidates: &mut Vec<Candidate>,
        left_out: &mut LeftOut,
    ) {
        let Some(geo) = &mut self.geo else {
            return;
        };
        if may_explore && self.rng.chance(1, LOOK_EVERY) {
            return;
        }
        let upstreams = &self.upstreams;
        let near = geo.near(call, candidates, |candidate| {
            upstreams.get(candidate.upstream.as_usize())?.config.region
        });
        keep(candidates, left_out, LeftOutBy::Region, |candidate| {
            near.contains(candidate.upstream)
        });
    }
}

/// Takes from the candidates those of whom no answer is expected in the time that is left, if one is of another. Of one that is not known
/// well nothing is expected either way.
pub(super) fn keep_in_time(
    call: &Call,
    candidates: &mut Vec<Candidate>,
    left_out: &mut LeftOut,
    now: Instant,
) {
    let left_us = call.deadline.saturating_duration_since(now).as_micros();
    let fits =
        |candidate: &Candidate| candidate.cold || u128::from(candidate.latency_us) <= left_us;
    keep(candidates, left_out, LeftOutBy::Budget, fits);
}

/// Keeps those that are wanted, and says why the others are out; if nobody is wanted, everybody is kept.
fn keep(
    candidates: &mut Vec<Candidate>,
    left_out: &mut LeftOut,
    reason: LeftOutBy,
    wanted: impl Fn(&Candidate) -> bool,
) {
    if !candidates
        .iter()
        .any(|candidate| wanted(candidate) && candidate.weight > 0)
    {
        return;
    }
    candidates.retain(|candidate| {
        let keeps = wanted(candidate);
        if !keeps {
            left_out.add(reason, candidate.upstream);
        }
        keeps
    });
}

/// Is one of them slower than the time that is left?
pub(super) fn any_slower(call: &Call, candidates: &[Candidate], now: Instant) -> bool {
    let left_us = call.deadline.0.saturating_sub(now.0) / 1_000;
    let mut slowest_us = 0;
    for candidate in candidates {
        slowest_us = slowest_us.max(candidate.latency_us);
    }
    slowest_us > left_us
}
