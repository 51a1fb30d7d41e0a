//! The inside of a JSON string: finds its closing quote and validates escapes and UTF-8 on the way, resumably.
//! Never turns anything into text.

use super::{Fault, FaultAt};

/// Where in a string a slice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InString {
    /// Between characters.
    Plain,
    /// Behind a backslash.
    Escape,
    /// Within `\uXXXX`: so many digits are due.
    Hex(u8),
    /// Within a character of several bytes: so many are due, the next one within these bounds.
    Utf8 { due: u8, low: u8, high: u8 },
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A byte at which plain text stops: quote, backslash, control, or the first of a multi-byte character.
/// (As a signed number the last two are one comparison.)
const fn is_stop(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte.cast_signed() < 0x20
}

/// The first stop among eight bytes, if there is one.
///
/// Subtracting from every byte at once sets the high bit of those that were too small: of zeros, once the quote (or the
/// backslash) has been made zero, and of control bytes. Bytes that have it already are stops too. A borrow can mark
/// bytes *behind* a true mark, never before it, so the lowest mark is exact.
#[inline]
fn stop_in_word(chunk: [u8; 8]) -> Option<usize> {
    let word = u64::from_le_bytes(chunk);
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let marks = (quote.wrapping_sub(ONES)
        | slash.wrapping_sub(ONES)
        | word.wrapping_sub(ONES * 0x20)
        | word)
        & HIGHS;
    (marks != 0).then(|| (marks.trailing_zeros() / 8) as usize)
}

/// Offset of the first stop at or behind `at`, or the length. Short strings (keys, quantities) are done by words;
/// long ones (call data, logs) by blocks that the compiler turns into vector code.
#[inline]
fn skip_plain(bytes: &[u8], at: usize) -> usize {
    const WORDS_FIRST: usize = 4;
    const BLOCK: usize = 64;
    let Some(rest) = bytes.get(at..) else {
        return bytes.len();
    };
    let mut done = 0;
    let (words, _) = rest.as_chunks::<8>();
    for word in words.iter().take(WORDS_FIRST) {
        if let Some(stop) = stop_in_word(*word) {
            return at + done + stop;
        }
        done += 8;
    }
    let rest = rest.get(done..).unwrap_or_default();
    let (blocks, _) = rest.as_chunks::<BLOCK>();
    for block in blocks {
        if block.iter().fold(false, |any, &byte| any | is_stop(byte)) {
            break;
        }
        done += BLOCK;
    }
    let rest = bytes.get(at + done..).unwrap_or_default();
    let (words, tail) = rest.as_chunks::<8>();
    for word in words {
        if let Some(stop) = stop_in_word(*word) {
            return at + done + stop;
        }
        done += 8;
    }
    let stop = tail.iter().position(|&byte| is_stop(byte));
    at + done + stop.unwrap_or(tail.len())
}

/// What the first byte of a multi-byte character asks of the next ones (Unicode, table 3-7: no overlong forms, no
/// surrogates, nothing beyond U+10FFFF).
const fn after_lead(lead: u8) -> Option<InString> {
    let (due, low, high) = match lead {
        0xc2..=0xdf => (1, 0x80, 0xbf),
        0xe0 => (2, 0xa0, 0xbf),
        0xe1..=0xec | 0xee | 0xef => (2, 0x80, 0xbf),
        0xed => (2, 0x80, 0x9f),
        0xf0 => (3, 0x90, 0xbf),
        0xf1..=0xf3 => (3, 0x80, 0xbf),
        0xf4 => (3, 0x80, 0x8f),
        _ => return None,
    };
    Some(InString::Utf8 { due, low, high })
}

/// Offset behind the closing quote of a string whose content begins at `at`, if the slice has all of it and it is plain.
#[inline]
pub(crate) fn plain_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = skip_plain(bytes, at);
    (bytes.get(end) == Some(&b'"')).then_some(end + 1)
}

/// Goes on within a string from `at`, behind its opening quote or wherever the last slice ended.
///
/// Gives the offset behind the closing quote, or `None` if the slice is used up before it; `state` then says where.
/// `escaped` is set if there is an escape.
#[inline]
pub(crate) fn string_end(
    bytes: &[u8],
    mut at: usize,
    state: &mut InString,
    escaped: &mut bool,
) -> Result<Option<usize>, FaultAt> {
    // Nearly every string is plain text up to its quote.
    if *state == InString::Plain {
        at = skip_plain(bytes, at);
        if bytes.get(at) == Some(&b'"') {
            return Ok(Some(at + 1));
        }
    }
    unusual_string_end(bytes, at, state, escaped)
}

/// The same for a string that is cut, or has escapes or characters beyond ASCII.
#[inline(never)]
fn unusual_string_end(
    bytes: &[u8],
    mut at: usize,
    state: &mut InString,
    escaped: &mut bool,
) -> Result<Option<usize>, FaultAt> {
    loop {
        if *state == InString::Plain {
            at = skip_plain(bytes, at);
        }
        let Some(&byte) = bytes.get(at) else {
            return Ok(None);
        };
        let fail = |fault| Err(FaultAt { fault, at });
        *state = match *state {
            InString::Plain => match byte {
                b'"' => return Ok(Some(at + 1)),
                b'\\' => {
                    *escaped = true;
                    InString::Escape
                }
                0..0x20 => return fail(Fault::Control),
                lead => match after_lead(lead) {
                    Some(state) => state,
                    None => return fail(Fault::Utf8),
                },
            },
            InString::Escape => match byte {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => InString::Plain,
                b'u' => InString::Hex(4),
                _ => return fail(Fault::Escape),
            },
            InString::Hex(due) => match (byte.is_ascii_hexdigit(), due) {
                (false, _) => return fail(Fault::Escape),
                (true, 2..) => InString::Hex(due - 1),
                (true, _) => InString::Plain,
            },
            InString::Utf8 { due, low, high } => match (low..=high).contains(&byte) {
                false => return fail(Fault::Utf8),
                true if due > 1 => InString::Utf8 {
                    due: due - 1,
                    low: 0x80,
                    high: 0xbf,
                },
                true => InString::Plain,
            },
        };
        at += 1;
    }
}
