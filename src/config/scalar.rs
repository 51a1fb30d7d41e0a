//! Scalars as operators write them: durations, sizes, shares. Each is read and written here, so that
//! what a dump writes is what a load reads. Never rounds silently.

use std::time::Duration;

/// Units of time, longest first, in nanoseconds. `m` is minutes.
const TIME_UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of size, in bytes. Decimal and binary are told apart, as IEC 80000-13 does.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads `250ms`, `10s`, `1m30s`, `1.5s`. `None` for anything else, a bare number included (but `0`).
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let unit_end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end)?;
        let &(_, scale) = TIME_UNITS.iter().find(|(name, _)| *name == unit)?;
        // `30s1m` and `1s1s` are more likely slips than wishes.
        if scale >= last {
            return None;
        }
        last = scale;
        total = total.checked_add(scaled(number, scale)?)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_nanos(total))
}

/// Writes a duration so that [`parse_duration`] reads the same: `90s` becomes `1m30s`.
pub(crate) fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, scale) in TIME_UNITS {
        let count = rest / scale;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
        rest %= scale;
    }
    text
}

/// Reads `64KiB`, `5MiB`, `10MB`, `512B` or a bare number of bytes.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let unit = unit.trim_start_matches(' ');
    if unit.is_empty() {
        return scaled(number, 1);
    }
    let known = |name: &str| name == unit || (name == "kB" && unit == "KB");
    let &(_, scale) = SIZE_UNITS.iter().find(|(name, _)| known(name))?;
    scaled(number, scale)
}

/// Writes a size in the largest binary unit that loses nothing.
pub(crate) fn format_size(bytes: u64) -> String {
    let whole = |(_, scale): &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(*scale);
    let binary = SIZE_UNITS.iter().filter(|(unit, _)| unit.ends_with("iB"));
    match binary.rev().find(whole) {
        Some((unit, scale)) => format!("{}{unit}", bytes / scale),
        None => format!("{bytes}B"),
    }
}

/// Reads `20%`, `2.5%` or `0.2`: a share from 0 to 1.
pub(crate) fn parse_share(text: &str) -> Option<f64> {
    parse_part(text).filter(|share| *share <= 1.0)
}

/// Reads `150%` or `1.5`: what may be more than the whole.
pub(crate) fn parse_part(text: &str) -> Option<f64> {
    let (digits, percent) = match text.strip_suffix('%') {
        Some(digits) => (digits.trim_end_matches(' '), true),
        None => (text, false),
    };
    let (_, rest) = split_number(digits)?;
    if !rest.is_empty() {
        return None;
    }
    // Read with its exponent rather than divided: the nearest number to what is written, so that bounds hold.
    let share: f64 = if percent {
        format!("{digits}e-2").parse().ok()?
    } else {
        digits.parse().ok()?
    };
    Some(share)
}

/// Writes a share as percent where that loses nothing, else as a fraction.
pub(crate) fn format_share(share: f64) -> String {
    let percent = format!("{}%", share * 100.0);
    if percent.len() <= 7 && parse_part(&percent) == Some(share) {
        percent
    } else {
        format!("{share}")
    }
}

/// Reads an amount of money as in `0.45`, in whole millionths; `None` for anything finer.
pub(crate) fn parse_money(text: &str) -> Option<u64> {
    let (number, rest) = split_number(text)?;
    rest.is_empty().then(|| scaled(number, 1_000_000)).flatten()
}

/// Writes millionths of a currency so that [`parse_money`] reads the same.
pub(crate) fn format_money(millionths: u64) -> String {
    let (whole, fraction) = (millionths / 1_000_000, millionths % 1_000_000);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = format!("{fraction:06}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// Reads a whole number in decimal. No sign, no `0x`, no separators.
pub(crate) fn parse_whole(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// `true` and `false`, as YAML 1.2's core schema spells them.
pub(crate) fn parse_flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A decimal number as digits before and after the point.
type Decimal<'a> = (&'a str, &'a str);

/// The decimal number that begins `text`, and what follows.
fn split_number(text: &str) -> Option<(Decimal<'_>, &str)> {
    let end = |text: &str| {
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let (whole, rest) = text.split_at_checked(end(text))?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest
            .split_at_checked(end(rest))
            .filter(|(fraction, _)| !fraction.is_empty())?,
        None => ("", rest),
    };
    (!whole.is_empty()).then_some(((whole, fraction), rest))
}

/// `number` × `scale`, exactly, or nothing.
fn scaled((whole, fraction): Decimal<'_>, scale: u64) -> Option<u64> {
    let mut total = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    if !fraction.is_empty() {
        let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(scale);
        let tens = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        if parts % tens != 0 {
            return None;
        }
        total = total.checked_add(u64::try_from(parts / tens).ok()?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests;
