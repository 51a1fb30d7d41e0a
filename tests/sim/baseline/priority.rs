//! The first in the configured order that is not left out, as `proxy_next_upstream` with `backup` servers or a client library's fallback
//! transport do it.

use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::Instant;

use super::{Kind, Rule, random};

pub(super) static KIND: Kind = Kind {
    name: "baseline_priority",
    summary: "The first in the configured order, with plain failover.",
    accrual: random::NGINX,
    build: |upstreams| {
        let priorities = upstreams.iter().map(|one| one.priority);
        Box::new(Priority {
            priorities: priorities.collect(),
        })
    },
};

#[derive(Debug)]
struct Priority {
    priorities: Vec<u32>,
}

impl Rule for Priority {
    fn choose(&mut self, candidates: &[usize], _: MethodId, _: Instant, _: &mut Rng) -> usize {
        let first = candidates.iter().copied();
        first
            .min_by_key(|one| (self.priorities[*one], *one))
            .unwrap_or(candidates[0])
    }
}
