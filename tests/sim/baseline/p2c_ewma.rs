//! Power of two choices over a peak-sensitive moving average, as Finagle's `p2cPeakEwma` and tower's `PeakEwma` do it: a slower answer than the
//! average replaces it at once, a faster one moves it with a decay time of ten seconds; the load is that average times the calls in flight
//! and one. Finagle's failure accrual: five in a row, five seconds doubled to three hundred.

use core::time::Duration;

use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::{Instant, nanos};

use super::{Accrual, Ended, Kind, Rule};

pub(super) static KIND: Kind = Kind {
    name: "baseline_p2c_ewma",
    summary: "Of two at random the one of lower peak EWMA times calls in flight.",
    accrual: Accrual {
        failures: 5,
        out: Duration::from_secs(5),
        longest: Duration::from_secs(300),
        throttle: None,
    },
    build: |upstreams| {
        Box::new(PeakEwma {
            known: vec![Average::default(); upstreams.len()],
        })
    },
};

/// The decay time.
const TAU_NS: f64 = 10e9;

#[derive(Clone, Copy, Debug, Default)]
struct Average {
    cost_ns: f64,
    at: Instant,
    pending: u32,
}

#[derive(Debug)]
struct PeakEwma {
    known: Vec<Average>,
}

impl Average {
    fn observe(&mut self, sample_ns: f64, now: Instant) {
        let passed = nanos(now.saturating_duration_since(self.at)) as f64;
        self.at = now;
        if sample_ns > self.cost_ns {
            self.cost_ns = sample_ns;
        } else {
            let kept = decay(passed / TAU_NS);
            self.cost_ns = self.cost_ns * kept + sample_ns * (1.0 - kept);
        }
    }

    /// Idle upstreams are forgiven, so that they are tried again.
    fn load(&mut self, now: Instant) -> f64 {
        self.observe(0.0, now);
        if self.cost_ns == 0.0 && self.pending > 0 {
            // Nothing is known, and it has something to prove.
            return 1e15 + f64::from(self.pending);
        }
        self.cost_ns * f64::from(self.pending + 1)
    }
}

/// e to the power of −x, by multiplications alone: those are the same on every machine.
fn decay(x: f64) -> f64 {
    let mut power = 1.0 - (x / 1024.0).min(1.0);
    for _ in 0..10 {
        power *= power;
    }
    power
}

impl Rule for PeakEwma {
    fn choose(&mut self, candidates: &[usize], _: MethodId, now: Instant, rng: &mut Rng) -> usize {
        let count = candidates.len() as u64;
        let first = rng.below(count);
        let second = (first + 1 + rng.below(count.saturating_sub(1))) % count;
        let (one, other) = (candidates[first as usize], candidates[second as usize]);
        if self.known[other].load(now) < self.known[one].load(now) {
            other
        } else {
            one
        }
    }

    fn sent(&mut self, upstream: usize, _: Instant) {
        self.known[upstream].pending += 1;
    }

    fn ended(&mut self, upstream: usize, _: MethodId, how: Ended, took: Duration, now: Instant) {
        let known = &mut self.known[upstream];
        known.pending = known.pending.saturating_sub(1);
        // Finagle ends its measurement whether the call returned or threw.
        if how != Ended::GivenUp {
            known.observe(nanos(took) as f64, now);
        }
    }
}
