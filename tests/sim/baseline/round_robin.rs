//! Smooth weighted round robin as nginx does it (since 1.3.1): each turn everybody's current weight grows by its own, the highest is chosen and
//! pays the sum.

use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::Instant;

use super::{Kind, Rule, random};

pub(super) static KIND: Kind = Kind {
    name: "baseline_round_robin",
    summary: "Smooth weighted round robin, with plain failover.",
    accrual: random::NGINX,
    build: |upstreams| {
        let weights = upstreams.iter().map(|one| i64::from(one.weight.max(1)));
        Box::new(RoundRobin {
            current: vec![0; upstreams.len()],
            weights: weights.collect(),
        })
    },
};

#[derive(Debug)]
struct RoundRobin {
    weights: Vec<i64>,
    current: Vec<i64>,
}

impl Rule for RoundRobin {
    fn choose(&mut self, candidates: &[usize], _: MethodId, _: Instant, _: &mut Rng) -> usize {
        let mut sum = 0;
        let mut best = candidates[0];
        for &one in candidates {
            self.current[one] += self.weights[one];
            sum += self.weights[one];
            if self.current[one] > self.current[best] {
                best = one;
            }
        }
        self.current[best] -= sum;
        best
    }
}
