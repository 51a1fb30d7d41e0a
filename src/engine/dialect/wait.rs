//! Durations as upstreams write them: `7`, `7.25 seconds`, `500ms`, `2m30s`, `6m0s`. Integers throughout; what is too large for 64 bits
//! counts as the most, and nothing is rounded down. It never reads a clock and never fails on any bytes.

use core::time::Duration;

/// What a bare number counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Nanos,
    Micros,
    Millis,
    Seconds,
}

impl Unit {
    const fn ns(self) -> u64 {
        match self {
            Self::Nanos => 1,
            Self::Micros => MICRO_NS,
            Self::Millis => MILLI_NS,
            Self::Seconds => SECOND_NS,
        }
    }
}

const MICRO_NS: u64 = 1_000;
const MILLI_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// Nanoseconds of the units, by each of their names. Those below a millisecond are what Go prints of short durations.
const UNITS: [(u64, &[&str]); 7] = [
    (1, &["ns"]),
    (MICRO_NS, &["us", "µs", "μs"]),
    (
        MILLI_NS,
        &[
            "ms",
            "msec",
            "msecs",
            "milli",
            "millis",
            "millisecond",
            "milliseconds",
        ],
    ),
    (SECOND_NS, &["s", "sec", "secs", "second", "seconds"]),
    (60 * SECOND_NS, &["m", "min", "mins", "minute", "minutes"]),
    (3_600 * SECOND_NS, &["h", "hr", "hrs", "hour", "hours"]),
    (86_400 * SECOND_NS, &["d", "day", "days"]),
];

/// A number that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// Its digits before the point; the most where it has more than 64 bits.
    pub whole: u64,
    /// What is after the point, rounded up.
    billionths: u64,
}

impl Decimal {
    /// So many of the unit, in nanoseconds.
    pub(super) fn in_ns(self, unit: Unit) -> u128 {
        self.times(unit.ns())
    }

    // 64 bits times a day's 47 and a sum of two such are far within 128.
    fn times(self, unit_ns: u64) -> u128 {
        let fraction = u128::from(self.billionths) * u128::from(unit_ns);
        u128::from(self.whole) * u128::from(unit_ns) + fraction.div_ceil(u128::from(SECOND_NS))
    }
}

/// The decimal number at the beginning, and what follows it. A point is of the number if a digit follows.
pub(super) fn decimal(text: &[u8]) -> Option<(Decimal, &[u8])> {
    let (digits, mut rest) = digits(text);
    if digits.is_empty() {
        return None;
    }
    let whole = digits.iter().fold(0_u64, |value, digit| {
        let value = value.saturating_mul(10);
        value.saturating_add(u64::from(digit - b'0'))
    });
    let mut billionths = 0;
    if let Some(after) = rest.strip_prefix(b".")
        && let (fraction, after) = self::digits(after)
        && !fraction.is_empty()
    {
        let places = fraction.iter().chain(core::iter::repeat(&b'0')).take(9);
        billionths = places.fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        let beyond = fraction.iter().skip(9).any(|digit| *digit != b'0');
        billionths += u64::from(beyond);
        rest = after;
    }
    Some((Decimal { whole, billionths }, rest))
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    text.split_at_checked(len).unwrap_or((text, b""))
}

/// The duration that begins a sentence's rest: "7", "250 ms", "2 minutes.", "1m30s". Zero is no wait.
pub(super) fn leading(text: &[u8], bare: Unit) -> Option<Duration> {
    read(text, bare).and_then(|(ns, _)| rounded(ns))
}

/// The duration that a header's whole value is; anything else in it makes it none. Zero is no wait.
pub(super) fn whole(value: &[u8], bare: Unit) -> Option<Duration> {
    let (ns, rest) = read(value, bare)?;
    rounded(ns).filter(|_| rest.is_empty())
}

/// Whole milliseconds, rounded up; the most where they are more than 64 bits hold. Zero is no wait.
pub(super) fn rounded(ns: u128) -> Option<Duration> {
    let millis = ns.div_ceil(u128::from(MILLI_NS));
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// A duration in nanoseconds, and what follows it. After a number with its unit others may follow at once, as in `1h0m30s`; a number after a
/// space is one of the sentence's.
fn read(text: &[u8], bare: Unit) -> Option<(u128, &[u8])> {
    let (number, after) = decimal(text)?;
    let Some((unit_ns, mut rest)) = unit(after.trim_ascii_start()) else {
        return Some((number.in_ns(bare), after));
    };
    let mut sum = number.times(unit_ns);
    while let Some((number, after)) = decimal(rest)
        && let Some((unit_ns, after)) = unit(after)
    {
        sum = sum.saturating_add(number.times(unit_ns));
        rest = after;
    }
    Some((sum, rest))
}

/// The unit that the next word names, and what follows it.
fn unit(text: &[u8]) -> Option<(u64, &[u8])> {
    let is_letter = |b: &&u8| b.is_ascii_alphabetic() || !b.is_ascii();
    let (word, rest) = text.split_at_checked(text.iter().take_while(is_letter).count())?;
    let is_named = |names: &[&str]| {
        let mut names = names.iter();
        names.any(|name| name.as_bytes().eq_ignore_ascii_case(word))
    };
    let (ns, _) = UNITS.iter().find(|(_, names)| is_named(names))?;
    Some((*ns, rest))
}
