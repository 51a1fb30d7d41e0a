//! Distributions in integers: latencies with a tail, and the gaps between arrivals. Each is a table of quantiles with straight lines
//! between them, so that no float makes two machines differ.

use core::time::Duration;

use engine::rng::Rng;

/// A quantile in millionths, and the value there in thousandths of the distribution's scale.
type Point = (u64, u64);

/// Log-normal-like with a tail: the median is the scale, 90 % are below 1.6 times, 99 % below 3 times, the worst is at ten times.
const LATENCY: [Point; 6] = [
    (0, 500),
    (500_000, 1_000),
    (900_000, 1_600),
    (990_000, 3_000),
    (999_000, 6_000),
    (1_000_000, 10_000),
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

/// A latency around this median.
pub fn around(median: Duration, rng: &mut Rng) -> Duration {
    draw(&LATENCY, median, rng)
}

/// The gap to the next arrival, with this mean.
pub fn gap(mean: Duration, rng: &mut Rng) -> Duration {
    draw(&EXPONENTIAL, mean, rng).max(Duration::from_nanos(1))
}

fn draw(table: &[Point], scale: Duration, rng: &mut Rng) -> Duration {
    let quantile = rng.below(1_000_000);
    let value = table
        .windows(2)
        .find_map(|pair| match pair {
            &[(from, low), (to, high)] if quantile < to => {
                Some(low + (high - low) * (quantile - from) / (to - from))
            }
            _ => None,
        })
        .unwrap_or(1_000);
    let scale_ns = engine::time::nanos(scale);
    Duration::from_nanos(scale_ns.saturating_mul(value) / 1_000)
}
