//! Reverts in every spelling, brought into the one that clients decode: code 3 with hex data. Never touches an error that
//! already has that form, and never takes a contract's return value for a revert unless it can be nothing else.

use core::ops::Range;

use super::text::{find, hex_len};
use super::{Observed, Verdict};
use crate::fault::FaultClass;

/// Selector of `Error(string)`, Solidity's `require` and `revert` with a reason.
const ERROR_SELECTOR: &[u8] = b"08c379a0";
/// Selector of `Panic(uint256)`, Solidity's `assert`, overflow and kin.
const PANIC_SELECTOR: &[u8] = b"4e487b71";
/// The codes that Solidity's panics have.
const PANIC_CODES: [u8; 10] = [0x00, 0x01, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32, 0x41, 0x51];
/// A word of the ABI, in hex digits.
const WORD_DIGITS: usize = 64;

/// Where the revert's hex data stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HexAt {
    /// In [`Observed::data`], or, from [`check_result`], in the result's bytes.
    Data(Range<usize>),
    /// In [`Observed::message`].
    Message(Range<usize>),
    /// Nowhere: the client is sent `"0x"`, as geth does.
    Nowhere,
}

/// How an error is said to the client where its own form would not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Normalized {
    /// A revert: code 3, and the hex data as a string.
    Revert {
        /// Where the data is, `0x` included, quotes not.
        hex: HexAt,
        /// The upstream's message stays. Otherwise it is "execution reverted": ethers decodes the data only
        /// where the message speaks of a revert.
        keeps_message: bool,
    },
}

impl Normalized {
    /// The revert's data, from the error (or the result) that was judged; `"0x"` where there was none.
    #[must_use]
    pub fn hex<'a>(&self, message: &'a str, data: &'a str) -> &'a str {
        let Self::Revert { hex, .. } = self;
        let found = match hex {
            HexAt::Data(range) => data.get(range.clone()),
            HexAt::Message(range) => message.get(range.clone()),
            HexAt::Nowhere => None,
        };
        found.unwrap_or("0x")
    }
}

/// The commonest error of all, decided before any rule: the words after "execution reverted" are the contract's own, and a
/// reason such as "rate limit" or "header not found" must not be read as the node's.
pub(super) fn plain_revert(observed: &Observed<'_>) -> Option<Verdict> {
    const OPENINGS: [&str; 4] = [
        "execution reverted",
        "vm exception while processing transaction: revert",
        "error: vm exception while processing transaction: revert",
        "error: transaction reverted",
    ];
    let message = observed.message.trim_ascii_start();
    let opens = OPENINGS.iter().any(|opening| {
        message
            .get(..opening.len())
            .is_some_and(|front| front.eq_ignore_ascii_case(opening))
    });
    opens.then(|| Verdict {
        normalized: normalize(observed),
        ..Verdict::plain(FaultClass::Execution, "revert_with_reason")
    })
}

/// What has to change before a client can decode this revert; nothing where it has the usual form, or where the call submits
/// a transaction, whose errors clients read by their text.
pub(super) fn normalize(observed: &Observed<'_>) -> Option<Normalized> {
    if observed.method.starts_with("eth_send") {
        return None;
    }
    let hex = locate_hex(observed);
    let is_whole = hex == HexAt::Data(0..observed.data.len());
    let is_bare = hex == HexAt::Nowhere && observed.data.is_empty();
    if observed.code == Some(3) && (is_whole || is_bare) {
        return None;
    }
    Some(Normalized::Revert {
        hex,
        keeps_message: observed
            .message
            .as_bytes()
            .windows(6)
            .any(|window| window.eq_ignore_ascii_case(b"revert")),
    })
}

/// Finds the data: the whole of `data`; after Parity's "Reverted "; nested in an object (hardhat, ganache); in the message.
fn locate_hex(observed: &Observed<'_>) -> HexAt {
    let data = observed.data.as_bytes();
    if let Some(range) =
        first_hex(data, 0).filter(|range| range.start == 0 && range.end == data.len())
    {
        return HexAt::Data(range);
    }
    let reverted = b"reverted ";
    if data
        .get(..reverted.len())
        .is_some_and(|front| front.eq_ignore_ascii_case(reverted))
        && let Some(range) = first_hex(data, reverted.len())
    {
        return HexAt::Data(range);
    }
    for key in [
        &b"\"data\""[..],
        b"\"result\"",
        b"\"return\"",
        b"\"output\"",
    ] {
        if let Some(range) = hex_member(data, key) {
            return HexAt::Data(range);
        }
    }
    let message = observed.message.as_bytes();
    let from_message = [ERROR_SELECTOR, PANIC_SELECTOR]
        .iter()
        .find_map(|selector| {
            let at = find(message, selector)?.checked_sub(2)?;
            first_hex(message, at).filter(|range| range.start == at)
        });
    from_message.map_or(HexAt::Nowhere, HexAt::Message)
}

/// The 0x number at this position, if it has an even number of digits.
fn first_hex(text: &[u8], at: usize) -> Option<Range<usize>> {
    let len = hex_len(text.get(at..)?)?;
    len.is_multiple_of(2).then_some(at..at + len)
}

/// The hex string that is the value of this member, somewhere in a JSON text.
fn hex_member(json: &[u8], quoted_key: &[u8]) -> Option<Range<usize>> {
    let mut from = 0;
    while let Some(found) = find(json.get(from..)?, quoted_key) {
        let mut at = from + found + quoted_key.len();
        from = at;
        while json
            .get(at)
            .is_some_and(|b| b.is_ascii_whitespace() || *b == b':')
        {
            at += 1;
        }
        if json.get(at) == Some(&b'"')
            && let Some(range) = first_hex(json, at + 1)
            && json.get(range.end) == Some(&b'"')
        {
            return Some(range);
        }
    }
    None
}

/// Looks for a failure dressed as a success: what some nodes answer with a `result`.
///
/// - `eth_call`: the whole result is the exact ABI encoding of `Error(string)` or `Panic(uint256)`: selector, offset, length and zero
///   padding all in place. Such a text is 4 bytes past a multiple of 32, which no function returning values makes;
///   a contract that returns the captured data of an inner revert by hand could, and is the price. Anything less exact
///   passes as a result.
/// - `debug_trace*`: geth reports a transaction that ran out of time inside a good answer. Only what is held is
///   searched, which is where the caller stops.
///
/// `result` is the JSON value's text. The range in [`HexAt::Data`] refers to it.
#[must_use]
pub fn check_result(method: &str, result: &[u8]) -> Option<Verdict> {
    if method == "eth_call" {
        let hex = result.strip_prefix(b"\"0x")?.strip_suffix(b"\"")?;
        return is_encoded_error(hex).then(|| Verdict {
            normalized: Some(Normalized::Revert {
                hex: HexAt::Data(1..result.len() - 1),
                keeps_message: false,
            }),
            ..Verdict::plain(FaultClass::Execution, "revert_as_result")
        });
    }
    if method.starts_with("debug_trace") {
        return has_timed_out(result)
            .then(|| Verdict::plain(FaultClass::Timeout, "timeout_inside_trace"));
    }
    None
}

/// Is there a member `error` that says so? Traces are long, and nearly none says it.
fn has_timed_out(trace: &[u8]) -> bool {
    memchr::memmem::find_iter(trace, b"\"execution timeout\"").any(|at| {
        let before = trace.get(..at).unwrap_or_default().trim_ascii_end();
        before
            .strip_suffix(b":")
            .is_some_and(|key| key.trim_ascii_end().ends_with(b"\"error\""))
    })
}

/// Is this exactly an encoded `Error(string)` or `Panic(uint256)`?
fn is_encoded_error(hex: &[u8]) -> bool {
    let Some((selector, arguments)) = hex.split_at_checked(ERROR_SELECTOR.len()) else {
        return false;
    };
    if selector.eq_ignore_ascii_case(PANIC_SELECTOR) {
        return arguments.len() == WORD_DIGITS
            && word(arguments, 0)
                .and_then(|code| u8::try_from(code).ok())
                .is_some_and(|code| PANIC_CODES.contains(&code));
    }
    if !selector.eq_ignore_ascii_case(ERROR_SELECTOR) || word(arguments, 0) != Some(32) {
        return false;
    }
    let Some(len) = word(arguments, 1).and_then(|len| usize::try_from(len).ok()) else {
        return false;
    };
    let text = arguments.get(2 * WORD_DIGITS..).unwrap_or(&[]);
    let padded = len.div_ceil(32).checked_mul(WORD_DIGITS);
    let padding = len.checked_mul(2).and_then(|digits| text.get(digits..));
    Some(text.len()) == padded
        && text.iter().all(u8::is_ascii_hexdigit)
        && padding.is_some_and(|rest| rest.iter().all(|&b| b == b'0'))
}

/// The ABI word at this position, if it fits 64 bits.
fn word(arguments: &[u8], position: usize) -> Option<u64> {
    let start = position * WORD_DIGITS;
    let digits = core::str::from_utf8(arguments.get(start..start + WORD_DIGITS)?).ok()?;
    let (high, low) = digits.split_at_checked(WORD_DIGITS - 16)?;
    if high.bytes().any(|b| b != b'0') || low.starts_with('+') {
        return None;
    }
    u64::from_str_radix(low, 16).ok()
}
