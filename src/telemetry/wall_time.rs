//! A moment as text: RFC 3339 in UTC with microseconds.
//! Never reads a clock: the moment is an argument.

use std::fmt::Write as _;

/// Appends `2026-11-22T20:57:07.123456Z` for microseconds since the Unix epoch.
pub fn push_rfc3339(out: &mut String, unix_us: u64) {
    let seconds = unix_us / 1_000_000;
    let (year, month, day) = civil_from_days(seconds / 86_400);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z",
        unix_us % 1_000_000
    );
}

/// Year, month, day of a count of days since 1970-01-01, proleptic Gregorian. The year is taken to begin in
/// March, so that the leap day is its last (H. Hinnant, "chrono-compatible low-level date algorithms").
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + (month <= 2) as u64;
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(unix_us: u64) -> String {
        let mut out = String::new();
        push_rfc3339(&mut out, unix_us);
        out
    }

    #[test]
    fn known_moments() {
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(951_782_400_000_001), "2000-02-29T00:00:00.000001Z");
        assert_eq!(shown(1_709_251_199_999_999), "2024-02-29T23:59:59.999999Z");
        assert_eq!(shown(4_107_542_400_000_000), "2100-03-01T00:00:00.000000Z");
    }
}
