//! One distribution: an HDR histogram with an exact sum beside it, and the shape that all share.
//! Never allocates while recording; never holds more than [`HIGHEST_DURATION_US`] can say.

use hdrhistogram::Histogram;

use crate::metrics::Kind;

/// Durations above this are recorded as this: five minutes, in µs.
pub const HIGHEST_DURATION_US: u64 = 300_000_000;

/// Sizes above this are recorded as this.
pub const HIGHEST_SIZE: u64 = 1_000_000;

/// Significant decimal digits that are kept: 24 KiB a histogram of durations, within 1 % of the truth.
const SIGNIFICANT_DIGITS: u8 = 2;

/// Upper bounds of the classic buckets of durations, in µs, with the text of `le` in seconds.
pub const DURATION_BOUNDS: &[(u64, &str)] = &[
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
];

/// Upper bounds of the classic buckets of sizes.
pub const SIZE_BOUNDS: &[(u64, &str)] = &[
    (1, "1"),
    (2, "2"),
    (5, "5"),
    (10, "10"),
    (20, "20"),
    (50, "50"),
    (100, "100"),
    (200, "200"),
    (500, "500"),
    (1_000, "1000"),
];

/// The classic bucket bounds of a kind of distribution; none for what is not one.
#[must_use]
pub const fn bounds(kind: Kind) -> &'static [(u64, &'static str)] {
    match kind {
        Kind::Durations => DURATION_BOUNDS,
        Kind::Sizes => SIZE_BOUNDS,
        _ => &[],
    }
}

/// One distribution.
#[derive(Clone, Debug)]
pub struct Series {
    histogram: Histogram<u64>,
    /// HDR keeps buckets, not a sum; Prometheus wants the sum exact.
    sum: u64,
}

impl Series {
    /// An empty distribution; `None` for a metric that is not one.
    #[must_use]
    pub fn new(kind: Kind) -> Option<Self> {
        let highest = match kind {
            Kind::Durations => HIGHEST_DURATION_US,
            Kind::Sizes => HIGHEST_SIZE,
            _ => return None,
        };
        let histogram = Histogram::new_with_bounds(1, highest, SIGNIFICANT_DIGITS).ok()?;
        Some(Self { histogram, sum: 0 })
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.histogram.saturating_record(value);
        self.sum = self.sum.saturating_add(value);
    }

    /// Adds what another distribution of the same kind holds.
    pub fn merge(&mut self, other: &Self) {
        // Same bounds and digits on both sides, so the addition cannot be refused.
        if self.histogram.add(&other.histogram).is_ok() {
            self.sum = self.sum.saturating_add(other.sum);
        }
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Their exact sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The histogram itself, for exact percentiles.
    #[must_use]
    pub const fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Calls `put` with the cumulative count for each bound, in order. A value counts below a bound when the
    /// lowest value that HDR cannot tell from it is not above the bound.
    pub fn cumulative(
        &self,
        bounds: &[(u64, &'static str)],
        mut put: impl FnMut(&'static str, u64),
    ) {
        let mut recorded = self.histogram.iter_recorded().peekable();
        let mut below = 0;
        for (bound, text) in bounds {
            while let Some(cell) = recorded.peek() {
                if self.histogram.lowest_equivalent(cell.value_iterated_to()) > *bound {
                    break;
                }
                below += cell.count_at_value();
                recorded.next();
            }
            put(text, below);
        }
    }
}
