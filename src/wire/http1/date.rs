//! Moments in headers: HTTP dates. Never reads a clock.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const DAY_S: u64 = 86_400;

/// Formats `unix_s` as an IMF-fixdate (RFC 9110 §5.6.7), e.g. `Sun, 06 Nov 1994 08:49:37 GMT`.
/// The form ends with the year 9999, and later moments are given as its last second.
#[must_use]
pub fn http_date(unix_s: u64) -> [u8; 29] {
    const LAST: u64 = 253_402_300_799;
    let unix_s = unix_s.min(LAST);
    let (days, second) = (unix_s / DAY_S, unix_s % DAY_S);
    let (year, month, day) = civil_from_days(days);
    let mut date = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let weekday = WEEKDAYS.get((days % 7) as usize).copied();
    let month = MONTHS.get(month as usize).copied();
    put(&mut date, 0, weekday.unwrap_or("Thu").as_bytes());
    put(&mut date, 8, month.unwrap_or("Jan").as_bytes());
    put(&mut date, 12, &two_digits(year / 100));
    put(&mut date, 14, &two_digits(year % 100));
    for (at, value) in [
        (5, day),
        (17, second / 3600),
        (20, second / 60 % 60),
        (23, second % 60),
    ] {
        put(&mut date, at, &two_digits(value));
    }
    date
}

fn put(date: &mut [u8; 29], at: usize, text: &[u8]) {
    for (to, from) in date.iter_mut().skip(at).zip(text) {
        *to = *from;
    }
}

const fn two_digits(value: u64) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// Year, month (from 0) and day (from 1) of a day since the epoch: years are counted from March, so that the leap day
/// comes last, in eras of 400 years.
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = era * 400 + year_of_era + (month < 2) as u64;
    (year, month, day)
}

/// The other way round; `None` before 1970.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month < 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let from_march = (month + 10) % 12;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * from_march + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

/// Parses an HTTP date in any of the three forms of RFC 9110 §5.6.7 to seconds since the epoch.
///
/// The weekday is not compared with the date. `None` before 1970.
#[must_use]
pub fn parse_http_date(raw: &[u8]) -> Option<u64> {
    let mut words = [&[][..]; 8];
    let mut count = 0;
    for word in raw
        .split(|byte| matches!(byte, b' ' | b',' | b'-' | b':'))
        .filter(|word| !word.is_empty())
    {
        *words.get_mut(count)? = word;
        count += 1;
    }
    let (year, month, day, clock) = match (count, words) {
        // Sun, 06 Nov 1994 08:49:37 GMT and Sunday, 06-Nov-94 08:49:37 GMT
        (8, [_, day, month, year, hour, minute, second, b"GMT"]) => {
            (year, month, day, [hour, minute, second])
        }
        // Sun Nov  6 08:49:37 1994
        (7, [_, month, day, hour, minute, second, year, _]) => {
            (year, month, day, [hour, minute, second])
        }
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| name.as_bytes() == month)? as u64;
    let year = match (year.len(), number(year)?) {
        (2, year @ 70..) => 1900 + year,
        (2, year) => 2000 + year,
        (4, year) => year,
        _ => return None,
    };
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    let [hour, minute, second] = clock.map(number);
    let hour = hour.filter(|&hour| hour < 24)?;
    let minute = minute.filter(|&minute| minute < 60)?;
    // 60 is a leap second.
    let second = second.filter(|&second| second <= 60)?;
    Some(days_from_civil(year, month, day)? * DAY_S + hour * 3600 + minute * 60 + second)
}

/// Digits, nothing else, within 64 bits.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
