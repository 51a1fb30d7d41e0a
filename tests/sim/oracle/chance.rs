//! The chance that a call is answered within a time, by the best order of attempts. One stretch of time, one method.

use core::time::Duration;

use engine::time::nanos;

use crate::distribution::WHOLE;
use crate::provider::Outlook;

/// Failures that come at once take so long.
const QUICK_NS: u64 = 2_000_000;
/// Times for which chances are tabled: from 50 µs, each a twelfth longer than the one before, up to over a minute.
const STEPS: usize = 180;
const FIRST_NS: f64 = 50_000.0;
const RATIO: f64 = 1.0 + 1.0 / 12.0;
/// The latency of a failure that comes late is taken at these quantiles, in millionths.
const QUADRATURE: [u64; 4] = [125_000, 375_000, 625_000, 875_000];
/// Hedges are considered at these quantiles of what the first attempt takes, in millionths.
const DELAYS: [u64; 12] = [
    300_000, 500_000, 700_000, 800_000, 850_000, 900_000, 930_000, 950_000, 970_000, 980_000,
    990_000, 999_000,
];

/// A hedge: what it adds to the chance of an answer in time, and how often it is sent. Both of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hedge {
    /// Sent in so many of the calls.
    pub price: f64,
    /// The chance, hedge included.
    pub chance: f64,
}

/// The chances of one method in one stretch.
#[derive(Clone, Debug)]
pub struct Chances {
    outlooks: Vec<Outlook>,
    providers: Vec<u16>,
    /// The best chance with this many attempts left but one, by time.
    again: Vec<f64>,
    times: Vec<u64>,
}

impl Chances {
    /// Of upstreams of these providers, with so many attempts.
    pub fn new(outlooks: Vec<Outlook>, providers: Vec<u16>, attempts: u8) -> Self {
        let times = std::iter::successors(Some(FIRST_NS), |ns| Some(ns * RATIO));
        let mut chances = Self {
            outlooks,
            providers,
            again: vec![0.0; STEPS],
            times: times.map(|ns| ns as u64).take(STEPS).collect(),
        };
        for _ in 1..attempts {
            let next = chances.times.iter().map(|&at| chances.best(at));
            chances.again = next.collect();
        }
        chances
    }

    /// The best chance of an answer within this time.
    pub fn best(&self, span_ns: u64) -> f64 {
        let all = 0..self.outlooks.len();
        all.map(|upstream| self.through(upstream, span_ns))
            .fold(0.0, f64::max)
    }

    /// The chance where this upstream is asked first.
    pub fn through(&self, upstream: usize, span_ns: u64) -> f64 {
        let Some(outlook) = self.outlooks.get(upstream) else {
            return 0.0;
        };
        let mut chance = part(outlook.answered_within(span_ns)) * (1.0 - part(outlook.wrong));
        if outlook.quick > 0 && span_ns > QUICK_NS {
            chance += part(outlook.quick) * self.later(span_ns - QUICK_NS);
        }
        if outlook.late > 0 {
            let percent = outlook
                .answers
                .first()
                .map_or(100, |answers| answers.percent);
            let each = part(outlook.late) / QUADRATURE.len() as f64;
            for quantile in QUADRATURE {
                let fails_ns = outlook.latency.at(quantile) * percent / 200;
                if span_ns > fails_ns {
                    chance += each * self.later(span_ns - fails_ns);
                }
            }
        }
        chance.min(1.0)
    }

    /// The best chance with one attempt less, by the table.
    fn later(&self, span_ns: u64) -> f64 {
        let after = self.times.partition_point(|&at| at <= span_ns);
        let Some(before) = after.checked_sub(1) else {
            return 0.0;
        };
        let (from, low) = (self.times[before], self.again[before]);
        match (self.times.get(after), self.again.get(after)) {
            (Some(&to), Some(&high)) => {
                low + (high - low) * (span_ns - from) as f64 / (to - from) as f64
            }
            _ => low,
        }
    }

    /// What hedging can do for calls that go to one of `first` first: the plans that are worth their price, by rising price. The first is
    /// not to hedge.
    pub fn hedges(&self, first: &[usize], span_ns: u64, min_delay: Duration) -> Vec<Hedge> {
        let plain = first
            .iter()
            .map(|&upstream| self.through(upstream, span_ns))
            .fold(0.0, f64::max);
        let mut plans = vec![Hedge {
            price: 0.0,
            chance: plain,
        }];
        for &upstream in first {
            let alone = self.through(upstream, span_ns);
            let Some(outlook) = self.outlooks.get(upstream) else {
                continue;
            };
            for quantile in DELAYS {
                let percent = outlook
                    .answers
                    .first()
                    .map_or(100, |answers| answers.percent);
                let later = outlook
                    .answers
                    .first()
                    .map_or(0, |answers| answers.later_ns);
                let delay = outlook.latency.at(quantile) * percent / 100 + later;
                let delay = delay.max(nanos(min_delay));
                let Some(left) = span_ns.checked_sub(delay) else {
                    continue;
                };
                let other = self.best_of_others(upstream, left);
                plans.push(Hedge {
                    price: part(outlook.waiting_after(delay)),
                    chance: 1.0 - (1.0 - alone) * (1.0 - other),
                });
            }
        }
        hull(plans)
    }

    fn best_of_others(&self, upstream: usize, span_ns: u64) -> f64 {
        let own = self.providers.get(upstream);
        let others = (0..self.outlooks.len()).filter(|other| self.providers.get(*other) != own);
        others
            .map(|other| self.through(other, span_ns))
            .fold(0.0, f64::max)
    }
}

/// The plans of which no mixture of others is better, by rising price.
fn hull(mut plans: Vec<Hedge>) -> Vec<Hedge> {
    plans.sort_by(|one, other| {
        let by_price = one.price.total_cmp(&other.price);
        by_price.then(other.chance.total_cmp(&one.chance))
    });
    let mut hull: Vec<Hedge> = Vec::new();
    for plan in plans {
        if hull.last().is_some_and(|last| plan.chance <= last.chance) {
            continue;
        }
        while let [.., before, last] = hull.as_slice() {
            let worth =
                |from: &Hedge, to: &Hedge| (to.chance - from.chance) / (to.price - from.price);
            if worth(before, last) > worth(last, &plan) {
                break;
            }
            hull.pop();
        }
        // Of one price, the better one is there already.
        if hull.last().is_none_or(|last| plan.price > last.price) {
            hull.push(plan);
        }
    }
    hull
}

fn part(millionths: u64) -> f64 {
    millionths as f64 / WHOLE as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(price: f64, chance: f64) -> Hedge {
        Hedge { price, chance }
    }

    #[test]
    fn only_plans_that_no_mixture_beats_are_left() {
        let plans = vec![
            plan(0.0, 0.9),
            plan(0.1, 0.92),
            plan(0.05, 0.95),
            plan(0.2, 0.97),
            plan(0.3, 0.96),
            plan(0.12, 0.955),
        ];
        assert_eq!(
            hull(plans),
            [plan(0.0, 0.9), plan(0.05, 0.95), plan(0.2, 0.97)]
        );
    }
}
