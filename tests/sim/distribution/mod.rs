//! Distributions in integers: latencies with a tail, measured ones, and the gaps between arrivals. Each is a table of quantiles with
//! straight lines between them, so that no float makes two machines differ.

pub mod hlog;

use core::time::Duration;
use std::sync::Arc;

use engine::rng::Rng;
use engine::time::nanos;

/// One, as a share: quantiles are in millionths.
pub const WHOLE: u64 = 1_000_000;

/// A quantile in millionths, and the value there in thousandths of the distribution's scale.
type Point = (u64, u64);

/// How heavy a tail is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// A machine of one's own in the next rack: 99 % within 1.5 times the median, the worst at three times.
    Short,
    /// A hosted node: 90 % below 1.6 times the median, 99 % below 3 times, the worst at ten times.
    #[default]
    Usual,
    /// A crowded one: 90 % below twice the median, 99 % below 8 times, the worst at forty times.
    Long,
}

const SHORT: [Point; 5] = [
    (0, 700),
    (500_000, 1_000),
    (900_000, 1_200),
    (990_000, 1_500),
    (1_000_000, 3_000),
];

/// Log-normal-like with a tail.
const USUAL: [Point; 6] = [
    (0, 500),
    (500_000, 1_000),
    (900_000, 1_600),
    (990_000, 3_000),
    (999_000, 6_000),
    (1_000_000, 10_000),
];

const LONG: [Point; 6] = [
    (0, 400),
    (500_000, 1_000),
    (900_000, 2_000),
    (990_000, 8_000),
    (999_000, 20_000),
    (1_000_000, 40_000),
];

/// −ln(1 − p): the gaps between arrivals that do not know of each other.
const EXPONENTIAL: [Point; 12] = [
    (0, 0),
    (100_000, 105),
    (200_000, 223),
    (300_000, 357),
    (400_000, 511),
    (500_000, 693),
    (600_000, 916),
    (700_000, 1_204),
    (800_000, 1_609),
    (900_000, 2_303),
    (990_000, 4_605),
    (1_000_000, 9_000),
];

/// The mean of [`EXPONENTIAL`] as it stands, in thousandths: straight lines between its points lie a little above the curve.
const EXPONENTIAL_MEAN: u64 = 1_055;

/// How long answers take. Cheap to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Quantiles in millionths and the values there in nanoseconds. Both rise; the first quantile is 0, the last a million.
    points: Arc<[(u64, u64)]>,
}

impl Latency {
    /// Around this median, with a tail.
    #[must_use]
    pub fn around(median: Duration, tail: Tail) -> Self {
        let table: &[Point] = match tail {
            Tail::Short => &SHORT,
            Tail::Usual => &USUAL,
            Tail::Long => &LONG,
        };
        let scale = nanos(median);
        let points = table
            .iter()
            .map(|&(quantile, value)| (quantile, scale.saturating_mul(value) / 1_000));
        Self {
            points: points.collect(),
        }
    }

    /// Through these quantiles, each in millionths with its latency. What lies below the first is as fast as the half of it, what lies
    /// above the last as slow as the last. `None` where there are none, or they do not rise.
    #[must_use]
    pub fn through(quantiles: &[(u64, Duration)]) -> Option<Self> {
        let &(first, fastest) = quantiles.first()?;
        let mut points = Vec::with_capacity(quantiles.len() + 2);
        if first > 0 {
            points.push((0, nanos(fastest) / 2));
        }
        points.extend(quantiles.iter().map(|&(at, span)| (at, nanos(span))));
        let &(last, slowest) = points.last()?;
        if last < WHOLE {
            points.push((WHOLE, slowest));
        }
        let rises = points
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        (rises && last <= WHOLE).then(|| Self {
            points: points.into(),
        })
    }

    /// Of these measured latencies in microseconds, sorted. `None` where there are none.
    #[must_use]
    pub fn measured(sorted_us: &[u64]) -> Option<Self> {
        let last = sorted_us.len().checked_sub(1)? as u64;
        let at = |quantile: u64| {
            let us = sorted_us[(last * quantile / WHOLE) as usize];
            (quantile, us.saturating_mul(1_000))
        };
        Some(Self {
            points: LADDER.iter().map(|&quantile| at(quantile)).collect(),
        })
    }

    /// One latency.
    pub fn draw(&self, rng: &mut Rng) -> Duration {
        Duration::from_nanos(self.at(rng.below(WHOLE)))
    }

    /// The latency below which this many millionths are, in nanoseconds.
    #[must_use]
    pub fn at(&self, quantile: u64) -> u64 {
        interpolate(&self.points, quantile)
    }

    /// Of a million answers so many come within this time.
    #[must_use]
    pub fn within(&self, span_ns: u64) -> u64 {
        let after = self.points.partition_point(|point| point.1 <= span_ns);
        match (after.checked_sub(1), self.points.get(after)) {
            (None, _) => 0,
            (Some(_), None) => WHOLE,
            (Some(before), Some(&(to, high))) => {
                let (from, low) = self.points[before];
                from + ((u128::from(to - from) * u128::from(span_ns - low))
                    / u128::from(high - low)) as u64
            }
        }
    }
}

/// The quantiles at which measured latencies are kept.
const LADDER: [u64; 24] = [
    0, 10_000, 50_000, 100_000, 150_000, 200_000, 250_000, 300_000, 350_000, 400_000, 450_000,
    500_000, 550_000, 600_000, 650_000, 700_000, 750_000, 800_000, 850_000, 900_000, 950_000,
    990_000, 999_000, 1_000_000,
];

/// The gap to the next arrival, with this mean.
pub fn gap(mean: Duration, rng: &mut Rng) -> Duration {
    let value = interpolate(&EXPONENTIAL, rng.below(WHOLE));
    let gap = nanos(mean).saturating_mul(value) / EXPONENTIAL_MEAN;
    Duration::from_nanos(gap.max(1))
}

/// The value at a quantile of a table that rises.
fn interpolate(table: &[(u64, u64)], quantile: u64) -> u64 {
    let after = table
        .iter()
        .position(|point| quantile < point.0)
        .unwrap_or(table.len());
    match (after.checked_sub(1), table.get(after)) {
        (Some(before), Some(&(to, high))) => {
            let (from, low) = table[before];
            low + ((high - low) as u128 * u128::from(quantile - from) / u128::from(to - from))
                as u64
        }
        (Some(last), None) => table[last].1,
        (None, first) => first.map_or(0, |point| point.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_quantile_and_the_share_within_it_are_each_other_s_inverse() {
        for tail in [Tail::Short, Tail::Usual, Tail::Long] {
            let latency = Latency::around(ms(40), tail);
            assert_eq!(latency.at(500_000), 40_000_000);
            for quantile in [1_000, 250_000, 500_000, 900_000, 985_000, 999_500] {
                let back = latency.within(latency.at(quantile));
                assert!(back.abs_diff(quantile) <= 1, "{tail:?}: {quantile} {back}");
            }
            assert_eq!(latency.within(0), 0);
            assert_eq!(latency.within(u64::MAX), WHOLE);
        }
    }

    #[test]
    fn gaps_have_the_mean_that_was_asked_for() {
        let mut rng = Rng::new(1);
        let total: u64 = (0..200_000).map(|_| nanos(gap(ms(10), &mut rng))).sum();
        let mean = total / 200_000;
        assert!((9_900_000..10_100_000).contains(&mean), "{mean}");
    }

    #[test]
    fn quantiles_that_do_not_rise_are_no_distribution() {
        assert!(Latency::through(&[]).is_none());
        assert!(Latency::through(&[(500_000, ms(20)), (900_000, ms(10))]).is_none());
        assert!(Latency::through(&[(500_000, ms(20)), (500_000, ms(30))]).is_none());
        let latency = Latency::through(&[(500_000, ms(20)), (990_000, ms(90))]).unwrap();
        assert_eq!(latency.at(0), 10_000_000);
        assert_eq!(latency.at(WHOLE), 90_000_000);
    }

    #[test]
    fn what_was_measured_is_what_is_drawn() {
        let sorted: Vec<u64> = (1..=1_000).map(|us| us * 100).collect();
        let latency = Latency::measured(&sorted).unwrap();
        assert_eq!(latency.at(0), 100_000);
        assert_eq!(latency.at(WHOLE), 100_000_000);
        let half = latency.at(500_000);
        assert!((49_000_000..51_000_000).contains(&half), "{half}");
        assert!(Latency::measured(&[]).is_none());
    }
}
