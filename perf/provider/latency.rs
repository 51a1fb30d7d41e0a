//! How long an answer takes: distributions to draw from. Draws only; never waits.

use crate::Rng;
use std::time::Duration;

/// A distribution of answer times. Waits are made with a timer of one millisecond's resolution that rounds up:
/// `Fixed(300 µs)` takes between 1 and 2 ms; only [`Latency::None`] adds nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Latency {
    /// Answer as soon as the request is read.
    #[default]
    None,
    /// Always the same.
    Fixed(Duration),
    /// Uniform between the two, the second excluded.
    Uniform(Duration, Duration),
    /// Lognormal: what network and node latencies look like. `sigma` is the standard deviation of the logarithm
    /// (0.3 is calm, 1.0 has a heavy tail).
    Lognormal {
        /// Half of the answers are faster than this.
        median: Duration,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Mostly `base`, but this share of the answers stalls.
    Stalls {
        /// What the other answers take.
        base: Box<Latency>,
        /// Share of answers that stall, 0 to 1.
        share: f64,
        /// What a stalled answer takes.
        stall: Duration,
    },
}

impl Latency {
    /// One draw. `None` means: do not touch the timer at all.
    pub(super) fn draw(&self, rng: &mut Rng) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::Fixed(time) => Some(*time),
            Self::Uniform(low, high) => {
                let span_ns = high.saturating_sub(*low).as_nanos();
                let offset_ns = rng.below(u64::try_from(span_ns).unwrap_or(u64::MAX));
                Some(*low + Duration::from_nanos(offset_ns))
            }
            Self::Lognormal { median, sigma } => {
                let factor = (sigma * rng.normal()).exp();
                Some(Duration::try_from_secs_f64(median.as_secs_f64() * factor).unwrap_or(LONGEST))
            }
            Self::Stalls { base, share, stall } => {
                if rng.unit() < *share {
                    Some(*stall)
                } else {
                    base.draw(rng)
                }
            }
        }
        .map(|time| time.min(LONGEST))
    }
}

/// No draw is longer: a careless `sigma` must not make a request outlive the test that sent it.
const LONGEST: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::Latency;
    use crate::Rng;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn uniform_stays_within() {
        let mut rng = Rng::new(3);
        let latency = Latency::Uniform(5 * MS, 9 * MS);
        for _ in 0..1000 {
            let drawn = latency.draw(&mut rng).unwrap();
            assert!(drawn >= 5 * MS && drawn < 9 * MS);
        }
    }

    #[test]
    fn lognormal_has_its_median() {
        let mut rng = Rng::new(3);
        let latency = Latency::Lognormal {
            median: 20 * MS,
            sigma: 0.5,
        };
        let faster = (0..10_000)
            .filter(|_| latency.draw(&mut rng).unwrap() < 20 * MS)
            .count();
        assert!((4_800..5_200).contains(&faster), "{faster}");
    }

    #[test]
    fn stalls_have_their_share() {
        let mut rng = Rng::new(3);
        let latency = Latency::Stalls {
            base: Box::new(Latency::None),
            share: 0.02,
            stall: MS,
        };
        let stalled = (0..10_000)
            .filter(|_| latency.draw(&mut rng).is_some())
            .count();
        assert!((150..250).contains(&stalled), "{stalled}");
    }
}
