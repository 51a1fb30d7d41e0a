//! What an error says about itself in numbers: when to come back, how large a range may be. It reads; it decides nothing
//! about waiting or splitting.

use core::time::Duration;

use super::rule::{Rule, Subject};
use super::text::{find, hex_len, number_len};
use super::wait::{self, Unit};
use crate::fault::{FaultClass, Hint};

/// No upstream can hold itself off for longer than this by what it says: a wrong header must not take it out for a day.
pub const MAX_HOLD_OFF: Duration = Duration::from_secs(60 * 60);

/// What a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitUnit {
    /// Blocks between the first and the last, both included.
    Blocks,
    /// Logs or other items of the answer.
    Results,
    /// Addresses, topics or filters in the query.
    Addresses,
    /// Bytes of the answer or the request.
    Bytes,
    /// Calls of a batch.
    Calls,
    /// It was not said.
    #[default]
    Unknown,
}

/// What a range or size error tells about the upstream's limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RangeHint {
    /// What `limit` counts.
    pub unit: LimitUnit,
    /// The limit, where the text names one.
    pub limit: Option<u64>,
    /// The block range that the upstream says would work, first and last included.
    pub suggested: Option<(u64, u64)>,
}

/// How long the upstream wants to be left alone: the longest that its headers, its data and its text ask for, else the end of the window that is
/// used up; and never less than the rule's own.
pub(super) fn hold_off(subject: &Subject<'_>, rule: &Rule) -> Option<Duration> {
    use FaultClass as C;
    // A wait makes sense where time heals. A range or a revert with a Retry-After says nothing about the next call.
    let heals = matches!(
        rule.class,
        C::RateLimited
            | C::QuotaBilling
            | C::Auth
            | C::Syncing
            | C::Server
            | C::Transport
            | C::Timeout
            | C::Unclassified
    );
    if !heals {
        return rule.hold_off;
    }
    let observed = subject.observed;
    let asked = observed
        .retry_after
        .max(from_data(subject.data.bytes()))
        .max(from_text(subject.message.bytes()));
    // On an answer that is no throttle a reset only says when a window turns over, and whoever asks for a wait knows better than a window.
    let is_throttle = matches!(rule.class, C::RateLimited | C::QuotaBilling)
        || matches!(observed.http_status, 429 | 529);
    let said = asked.or(observed.window.filter(|_| is_throttle));
    said.map(|wait| wait.min(MAX_HOLD_OFF)).max(rule.hold_off)
}

/// Infura's `rate.backoff_seconds` and its kin.
fn from_data(data: &[u8]) -> Option<Duration> {
    const KEYS: [(&[u8], Unit); 4] = [
        (b"\"backoff_seconds\"", Unit::Seconds),
        (b"\"try_again_in\"", Unit::Seconds),
        (b"\"retry_after\"", Unit::Seconds),
        (b"\"retry_after_ms\"", Unit::Millis),
    ];
    KEYS.iter().find_map(|(key, unit)| {
        let after = data.get(find(data, key)? + key.len()..)?;
        let skipped = after.iter().take_while(|b| b": \"\t".contains(b)).count();
        wait::leading(after.get(skipped..)?, *unit)
    })
}

/// "try again in 5s", "retry after 250 ms", "please wait 10 seconds", "resets in 2m30s".
fn from_text(message: &[u8]) -> Option<Duration> {
    const OPENINGS: [&[u8]; 8] = [
        b"try again in ",
        b"retry in ",
        b"retry after ",
        b"please wait ",
        b"wait for ",
        b"available in ",
        b"resets in ",
        b"reset in ",
    ];
    OPENINGS.iter().find_map(|opening| {
        let after = message.get(find(message, opening)? + opening.len()..)?;
        wait::leading(after, Unit::Seconds)
    })
}

/// The date of RFC 9110 §5.6.7 in its preferred form, `Sun, 06 Nov 1994 08:49:37 GMT`, as seconds since 1970.
pub(super) fn http_date(value: &[u8]) -> Option<u64> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    if value.len() != 29 || !value.ends_with(b" GMT") {
        return None;
    }
    let field = |from: usize, to: usize| -> Option<u64> {
        let digits = value.get(from..to)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| number(digits))
            .flatten()
    };
    let name = value.get(8..11)?;
    let month = MONTHS.chunks_exact(3).position(|own| own == name)? as u64 + 1;
    let (day, year) = (field(5, 7)?, field(12, 16)?);
    let (hour, minute, second) = (field(17, 19)?, field(20, 22)?, field(23, 25)?);
    if year < 1970 || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, counting years from March so that leap days fall at their ends.
    let (shifted_year, shifted_month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days_to_year =
        365 * shifted_year + shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = (days_to_year + day_of_year).checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Reads the limit and the suggested range out of the texts.
pub(super) fn range(subject: &Subject<'_>, unit: LimitUnit) -> RangeHint {
    let (message, data) = (subject.message.bytes(), subject.data.bytes());
    RangeHint {
        unit,
        limit: limit(message).or_else(|| limit(data)),
        suggested: bracketed(message).or_else(|| from_to(data)),
    }
}

/// What a range or size error teaches of the upstream. Limits of results and addresses depend on the query, so they teach nothing of the next
/// one.
pub(super) fn of_range(range: Option<&RangeHint>) -> Hint {
    let Some(range) = range else {
        return Hint::None;
    };
    let most = range.limit.and_then(|limit| u32::try_from(limit).ok());
    match range.unit {
        LimitUnit::Blocks => Hint::TooManyBlocks(most),
        LimitUnit::Calls => Hint::TooManyCalls(most),
        LimitUnit::Results | LimitUnit::Addresses | LimitUnit::Bytes | LimitUnit::Unknown => {
            Hint::None
        }
    }
}

/// The number after one of the phrases that limits are named with, the more telling phrases first.
fn limit(text: &[u8]) -> Option<u64> {
    const PHRASES: [&[u8]; 15] = [
        b"limited to",
        b"limit of",
        b"limit is",
        b"set to",
        b"up to",
        b"at most",
        b"size than",
        b"than size",
        b"ranges over",
        b"more than",
        b"greater than",
        b"maximum",
        b"max",
        b" > ",
        b"blocks is",
    ];
    PHRASES.iter().find_map(|phrase| {
        let after = text.get(find(text, phrase)? + phrase.len()..)?;
        number_soon(after)
    })
}

/// The first number other than zero within a few words; a 0x number ends the search.
fn number_soon(text: &[u8]) -> Option<u64> {
    const FEW_WORDS_BYTES: usize = 40;
    let mut at = 0;
    while at < text.len().min(FEW_WORDS_BYTES) {
        let here = text.get(at..)?;
        if here.starts_with(b"0x") {
            return None;
        }
        match number_len(here) {
            None => at += 1,
            Some(len) => {
                let value = number(here)?;
                if value > 0 {
                    return value.checked_mul(multiplier(here.get(len..)?));
                }
                at += len;
            }
        }
    }
    None
}

/// What a letter right after a number makes of it: `10k` blocks, `5MB`.
fn multiplier(after: &[u8]) -> u64 {
    match after.trim_ascii_start() {
        [b'k', b'b', ..] => 1 << 10,
        [b'm', b'b', ..] => 1 << 20,
        _ if after.first() == Some(&b'k') => 1000,
        _ => 1,
    }
}

/// `[0x1, 0x2]`, as Alchemy and Infura suggest ranges.
fn bracketed(text: &[u8]) -> Option<(u64, u64)> {
    let mut rest = text;
    while let Some(open) = find(rest, b"[0x") {
        rest = rest.get(open + 1..)?;
        let (from, after) = hex(rest)?;
        let spaces = after.iter().take_while(|b| b", ".contains(b)).count();
        if let Some((to, end)) = after.get(spaces..).and_then(hex)
            && end.first() == Some(&b']')
            && from <= to
        {
            return Some((from, to));
        }
    }
    None
}

/// `{"from":"0x1","to":"0x2"}`, as Infura's data has it.
fn from_to(json: &[u8]) -> Option<(u64, u64)> {
    let member = |key: &[u8]| -> Option<u64> {
        let after = json.get(find(json, key)? + key.len()..)?;
        let skipped = after.iter().take_while(|b| b": \"".contains(b)).count();
        hex(after.get(skipped..)?).map(|(value, _)| value)
    };
    let (from, to) = (member(b"\"from\"")?, member(b"\"to\"")?);
    (from <= to).then_some((from, to))
}

/// A 0x number that fits 64 bits, and what follows it.
fn hex(text: &[u8]) -> Option<(u64, &[u8])> {
    let (own, rest) = text.split_at_checked(hex_len(text)?)?;
    let digits = core::str::from_utf8(own.get(2..)?).ok()?;
    Some((u64::from_str_radix(digits, 16).ok()?, rest))
}

/// The decimal number at the beginning, separators skipped.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.get(..number_len(text)?)?;
    digits
        .iter()
        .filter(|b| b.is_ascii_digit())
        .try_fold(0_u64, |value, b| {
            value.checked_mul(10)?.checked_add(u64::from(b - b'0'))
        })
}
