//! Points on a shard's timeline. Nothing here reads a clock: the driver says what time it is.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time: nanoseconds since the base that the driver chose (the process's start, or a simulation's).
///
/// All arithmetic saturates: a time that cannot be represented is the latest one that can, which no clock reaches
/// (584 years).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// The base itself.
    pub const ZERO: Self = Self(0);
    /// Later than any time that comes to pass: "never", as a deadline.
    pub const NEVER: Self = Self(u64::MAX);

    /// How long after `earlier` this is; nothing if it is not after.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Microseconds since the base.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }
}

/// A span in nanoseconds, saturating.
#[must_use]
pub const fn nanos(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:06}s",
            self.0 / 1_000_000_000,
            self.0 / 1_000 % 1_000_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Instant::NEVER + Duration::from_secs(1), Instant::NEVER);
        assert_eq!(Instant(5) - Duration::from_secs(1), Instant::ZERO);
        assert_eq!(
            Instant(5).saturating_duration_since(Instant(7)),
            Duration::ZERO
        );
        assert_eq!(
            Instant(7).saturating_duration_since(Instant(5)),
            Duration::from_nanos(2)
        );
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }

    #[test]
    fn reads_as_seconds() {
        assert_eq!(std::format!("{}", Instant(1_500_000_000)), "1.500000s");
    }
}
