//! Lasso's `latency-weighted`: each upstream's share is (best mean / own mean)³ over means of successful answers by method, a moving average
//! of weight a twentieth. Its breaker: five failures in a row, thirty seconds; throttled, it is left alone for its Retry-After or thirty
//! seconds.
//!
//! Lasso's own probes measure upstreams before traffic does; here one that was never measured counts as the best until it is.

use core::time::Duration;

use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::{Instant, nanos};

use super::{Accrual, Ended, Kind, Rule};

pub(super) static KIND: Kind = Kind {
    name: "baseline_lasso",
    summary: "By share: (best mean / own mean) to the power of three.",
    accrual: Accrual {
        failures: 5,
        out: Duration::from_secs(30),
        longest: Duration::from_secs(30),
        throttle: Some(Duration::from_secs(30)),
    },
    build: |upstreams| {
        Box::new(LatencyWeighted {
            upstreams: upstreams.len(),
            means: vec![0.0; upstreams.len() * (MethodId::COUNT + 1)],
        })
    },
};

/// An answer moves the mean by this part.
const WEIGHT: f64 = 1.0 / 20.0;

#[derive(Debug)]
struct LatencyWeighted {
    upstreams: usize,
    /// By method and upstream, in nanoseconds; 0 for not measured.
    means: Vec<f64>,
}

impl LatencyWeighted {
    const fn place(&self, upstream: usize, method: MethodId) -> usize {
        method.index() * self.upstreams + upstream
    }
}

impl Rule for LatencyWeighted {
    fn choose(
        &mut self,
        candidates: &[usize],
        method: MethodId,
        _: Instant,
        rng: &mut Rng,
    ) -> usize {
        let mean = |one: usize| self.means[self.place(one, method)];
        let measured = candidates
            .iter()
            .map(|&one| mean(one))
            .filter(|ns| *ns > 0.0);
        let best = measured.fold(f64::INFINITY, f64::min);
        let weight = |one: usize| {
            let own = mean(one);
            let ratio = if own > 0.0 { best / own } else { 1.0 };
            ratio * ratio * ratio
        };
        let sum: f64 = candidates.iter().map(|&one| weight(one)).sum();
        let mut drawn = rng.below(1 << 53) as f64 / (1_u64 << 53) as f64 * sum;
        for &one in candidates {
            drawn -= weight(one);
            if drawn < 0.0 {
                return one;
            }
        }
        candidates[candidates.len() - 1]
    }

    fn ended(&mut self, upstream: usize, method: MethodId, how: Ended, took: Duration, _: Instant) {
        if how != Ended::Answered {
            return;
        }
        let place = self.place(upstream, method);
        let (mean, sample) = (&mut self.means[place], nanos(took) as f64);
        *mean = if *mean > 0.0 {
            *mean + (sample - *mean) * WEIGHT
        } else {
            sample
        };
    }
}
