//! Uniformly at random, as most client libraries' "load balancing" and many DNS set-ups are.

use core::time::Duration;

use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::Instant;

use super::{Accrual, Kind, Rule};

/// nginx's defaults: `max_fails=1 fail_timeout=10s`.
pub(super) const NGINX: Accrual = Accrual {
    failures: 1,
    out: Duration::from_secs(10),
    longest: Duration::from_secs(10),
    throttle: None,
};

pub(super) static KIND: Kind = Kind {
    name: "baseline_random",
    summary: "Uniformly at random, with plain failover.",
    accrual: NGINX,
    build: |_| Box::new(Random),
};

#[derive(Debug)]
struct Random;

impl Rule for Random {
    fn choose(&mut self, candidates: &[usize], _: MethodId, _: Instant, rng: &mut Rng) -> usize {
        candidates[rng.below(candidates.len() as u64) as usize]
    }
}
