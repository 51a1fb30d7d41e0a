//! Days and months of UTC, from Unix time. No leap seconds, as Unix time has none; no clock: the shard's time and one number say when it is.
//!
//! The civil date is Howard Hinnant's `civil_from_days` (*chrono-Compatible Low-Level Date Algorithms*, 2013), for dates from 1970 on.

use crate::config::Period;
use crate::time::Instant;

const DAY_MS: u64 = 86_400_000;

/// One day or month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Which: days since 1970-01-01, or months since January 1970.
    pub number: u32,
    /// Its first moment, in milliseconds of Unix time.
    pub from_ms: u64,
    /// The first moment after it.
    pub to_ms: u64,
}

impl Span {
    /// The part of it that is over at a time, in 1/2³².
    #[must_use]
    pub fn elapsed(&self, unix_ms: u64) -> u64 {
        let whole = self.to_ms.saturating_sub(self.from_ms).max(1);
        let over = unix_ms.saturating_sub(self.from_ms).min(whole);
        // A month in milliseconds has 32 bits.
        (over << 32) / whole
    }

    /// Is this time in it?
    #[must_use]
    pub const fn contains(&self, unix_ms: u64) -> bool {
        self.from_ms <= unix_ms && unix_ms < self.to_ms
    }
}

/// Turns a shard's time into Unix time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    zero_ms: u64,
}

impl Calendar {
    /// One whose [`Instant::ZERO`] is this Unix time in milliseconds.
    #[must_use]
    pub const fn new(zero_ms: u64) -> Self {
        Self { zero_ms }
    }

    /// Unix time, in milliseconds.
    #[must_use]
    pub const fn unix_ms(&self, now: Instant) -> u64 {
        self.zero_ms.saturating_add(now.0 / 1_000_000)
    }

    /// A Unix time on the shard's timeline.
    #[must_use]
    pub const fn instant(&self, unix_ms: u64) -> Instant {
        Instant(
            unix_ms
                .saturating_sub(self.zero_ms)
                .saturating_mul(1_000_000),
        )
    }

    /// The period in which this time is.
    #[must_use]
    pub fn span(period: Period, unix_ms: u64) -> Span {
        let day = unix_ms / DAY_MS;
        match period {
            Period::Day => Span {
                number: day as u32,
                from_ms: day * DAY_MS,
                to_ms: (day + 1) * DAY_MS,
            },
            Period::Month => {
                let (year, month, of_month) = civil(day);
                let first = day - (of_month - 1);
                Span {
                    number: ((year - 1970) * 12 + month - 1) as u32,
                    from_ms: first * DAY_MS,
                    to_ms: (first + days_of(year, month)) * DAY_MS,
                }
            }
        }
    }
}

/// Year, month from 1, day of the month from 1.
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + (month <= 2) as u64;
    (year, month, day)
}

const fn days_of(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: u64, month: u64, day: u64) -> u64 {
        // Counted the slow way.
        let years: u64 = (1970..year)
            .map(|year| (1..=12).map(|month| days_of(year, month)).sum::<u64>())
            .sum();
        let months: u64 = (1..month).map(|month| days_of(year, month)).sum();
        (years + months + day - 1) * DAY_MS
    }

    #[test]
    fn every_month_of_two_centuries_begins_where_the_one_before_ends() {
        let mut unix_ms = 0;
        for number in 0..12 * 200 {
            let span = Calendar::span(Period::Month, unix_ms);
            assert_eq!((span.number, span.from_ms), (number, unix_ms));
            let last = Calendar::span(Period::Month, span.to_ms - 1);
            assert_eq!(last, span);
            unix_ms = span.to_ms;
        }
        assert_eq!(unix_ms, at(2170, 1, 1));
    }

    #[test]
    fn known_dates_are_where_they_are() {
        // 2024-02-29T12:00:00Z, by `date -u`.
        let noon = 1_709_208_000_000;
        let month = Calendar::span(Period::Month, noon);
        assert_eq!(month.number, (2024 - 1970) * 12 + 1);
        assert_eq!(
            (month.from_ms, month.to_ms),
            (at(2024, 2, 1), at(2024, 3, 1))
        );
        let day = Calendar::span(Period::Day, noon);
        assert_eq!(day.from_ms, at(2024, 2, 29));
        assert_eq!(day.elapsed(noon), 1 << 31);
        assert_eq!(day.elapsed(0), 0);
        assert_eq!(day.elapsed(u64::MAX), 1 << 32);
        assert!(day.contains(noon) && !day.contains(day.to_ms));
    }

    #[test]
    fn a_shard_s_time_is_turned_to_and_fro() {
        let calendar = Calendar::new(1_000);
        assert_eq!(calendar.unix_ms(Instant(5_999_999)), 1_005);
        assert_eq!(calendar.instant(1_005), Instant(5_000_000));
        assert_eq!(calendar.instant(7), Instant::ZERO);
        assert_eq!(
            calendar.unix_ms(Instant::NEVER),
            1_000 + u64::MAX / 1_000_000
        );
    }
}
