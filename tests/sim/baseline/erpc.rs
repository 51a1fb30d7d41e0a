//! eRPC's default selection policy (its `default_policy.js` of mid-2026): every fifteen seconds, from the last minute's metrics of each method,
//!
//! - left out: errors above 70 % or throttles above 40 % of at least ten calls; a 70th percentile above ten times the fastest one's (of at least
//!   twenty) or above thirty seconds; a head 16 blocks behind; where nobody is left, everybody is taken;
//! - ranked by 1 / (1 + 4 · errors + 15 · p70 in seconds + 4 · throttles + lag in blocks);
//! - the first stays first unless another's score is 30 % higher and thirty seconds have passed since the last change.
//!
//! eRPC mirrors a tenth of the calls to whoever is left out, in order to notice recovery; here its bad minute ages out of the window instead. Its
//! default has no breaker and no hedge.

use core::time::Duration;

use engine::fault::FaultClass;
use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::{Instant, nanos};

use super::{Accrual, Ended, Kind, Rule};

pub(super) static KIND: Kind = Kind {
    name: "baseline_erpc",
    summary: "The highest score of the last minute, evaluated every 15 s, with hysteresis.",
    accrual: Accrual {
        failures: 0,
        out: Duration::ZERO,
        longest: Duration::ZERO,
        throttle: None,
    },
    build: |upstreams| {
        Box::new(Scores {
            upstreams: upstreams.len(),
            slots: (0..=MethodId::COUNT).map(|_| None).collect(),
            heads: vec![0; upstreams.len()],
        })
    },
};

const EVALUATED_EVERY: Duration = Duration::from_secs(15);
const HEADS_EVERY: Duration = Duration::from_secs(5);
/// The window: so many parts, each so long.
const PARTS: usize = 10;
const PART_NS: u64 = 6_000_000_000;
const HYSTERESIS: f64 = 1.3;
const MIN_SWITCH: Duration = Duration::from_secs(30);
/// The 70th percentile is taken of this many latencies a part at most.
const MAX_SAMPLES: usize = 512;

#[derive(Clone, Debug, Default)]
struct Part {
    number: u64,
    calls: u32,
    errors: u32,
    throttles: u32,
    latencies_us: Vec<u32>,
}

/// One method.
#[derive(Debug)]
struct Slot {
    /// By upstream.
    parts: Vec<[Part; PARTS]>,
    /// The order of the last evaluation.
    order: Vec<usize>,
    evaluated: Instant,
    switched: Instant,
}

#[derive(Debug)]
struct Scores {
    upstreams: usize,
    slots: Vec<Option<Box<Slot>>>,
    heads: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Metrics {
    calls: u32,
    errors: f64,
    throttles: f64,
    p70_s: f64,
}

impl Slot {
    fn new(upstreams: usize, now: Instant) -> Box<Self> {
        Box::new(Self {
            parts: vec![Default::default(); upstreams],
            order: (0..upstreams).collect(),
            evaluated: now,
            switched: now,
        })
    }

    fn metrics(&self, upstream: usize, now: Instant) -> Metrics {
        let number = now.0 / PART_NS;
        let fresh = |part: &&Part| part.calls > 0 && part.number + PARTS as u64 > number;
        let mut all = Metrics::default();
        let (mut errors, mut throttles, mut latencies) = (0, 0, Vec::new());
        for part in self.parts[upstream].iter().filter(fresh) {
            all.calls += part.calls;
            errors += part.errors;
            throttles += part.throttles;
            latencies.extend_from_slice(&part.latencies_us);
        }
        if all.calls > 0 {
            all.errors = f64::from(errors) / f64::from(all.calls);
            all.throttles = f64::from(throttles) / f64::from(all.calls);
        }
        latencies.sort_unstable();
        let place = latencies.len() * 7 / 10;
        all.p70_s = latencies.get(place).map_or(0.0, |us| f64::from(*us) / 1e6);
        all
    }

    fn evaluate(&mut self, lags: &[u64], now: Instant) {
        self.evaluated = now;
        let metrics: Vec<_> = (0..self.parts.len())
            .map(|upstream| self.metrics(upstream, now))
            .collect();
        let latencies = metrics.iter().map(|one| one.p70_s).filter(|s| *s > 0.0);
        let fastest = latencies.fold(f64::INFINITY, f64::min);
        let is_out = |one: usize| {
            let known = &metrics[one];
            known.calls > 10 && (known.errors > 0.7 || known.throttles > 0.4)
                || known.calls > 20 && known.p70_s > fastest * 10.0
                || known.p70_s > 30.0
                || lags[one] >= 16
        };
        let score = |one: usize| {
            let known = &metrics[one];
            let penalty =
                4.0 * known.errors + 15.0 * known.p70_s + 4.0 * known.throttles + lags[one] as f64;
            1.0 / (1.0 + penalty)
        };
        let mut order: Vec<_> = (0..self.parts.len()).filter(|one| !is_out(*one)).collect();
        if order.is_empty() {
            order = (0..self.parts.len()).collect();
        }
        order.sort_by(|one, other| score(*other).total_cmp(&score(*one)).then(one.cmp(other)));
        let before = self.order.first().copied().unwrap_or(0);
        if let Some(place) = order.iter().position(|one| *one == before) {
            let soon = now.saturating_duration_since(self.switched) < MIN_SWITCH;
            if soon || score(order[0]) <= score(before) * HYSTERESIS {
                order[..=place].rotate_right(1);
            }
        }
        if order[0] != before {
            self.switched = now;
        }
        self.order = order;
    }
}

impl Rule for Scores {
    fn choose(
        &mut self,
        candidates: &[usize],
        method: MethodId,
        now: Instant,
        _: &mut Rng,
    ) -> usize {
        let best = self.heads.iter().copied().max().unwrap_or(0);
        let lags: Vec<_> = self
            .heads
            .iter()
            .map(|head| if *head == 0 { 0 } else { best - head })
            .collect();
        let slot = self.slots[method.index()].get_or_insert_with(|| Slot::new(self.upstreams, now));
        if now.saturating_duration_since(slot.evaluated) >= EVALUATED_EVERY {
            slot.evaluate(&lags, now);
        }
        let mut order = slot.order.iter().copied();
        order
            .find(|one| candidates.contains(one))
            .unwrap_or(candidates[0])
    }

    fn ended(
        &mut self,
        upstream: usize,
        method: MethodId,
        how: Ended,
        took: Duration,
        now: Instant,
    ) {
        let slot = self.slots[method.index()].get_or_insert_with(|| Slot::new(self.upstreams, now));
        let number = now.0 / PART_NS;
        let part = &mut slot.parts[upstream][(number % PARTS as u64) as usize];
        if part.number != number || part.calls == 0 {
            *part = Part {
                number,
                ..Part::default()
            };
        }
        match how {
            Ended::GivenUp => return,
            Ended::Answered => {
                if part.latencies_us.len() < MAX_SAMPLES {
                    part.latencies_us.push((nanos(took) / 1_000) as u32);
                }
            }
            Ended::Failed(fault) if fault.class == FaultClass::RateLimited => part.throttles += 1,
            Ended::Failed(_) => part.errors += 1,
        }
        part.calls += 1;
    }

    fn head(&mut self, upstream: usize, number: u64, _: Instant) {
        self.heads[upstream] = number;
    }

    fn asks_heads(&self) -> Option<Duration> {
        Some(HEADS_EVERY)
    }
}
