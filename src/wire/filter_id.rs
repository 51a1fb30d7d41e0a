//! Filter ids that name their upstream: any core can send a follow-up to the node that has the filter, without a table.
//!
//! Ours is `0x`, a nibble 1, seven digits of the upstream's tag, and the node's own digits verbatim. It is a quantity
//! without a leading zero, so clients that parse it to an integer and print it again give the same text. Never guesses:
//! what does not fit is an error.

use crate::quantity::{hex_digit, write_hex};

/// Why an id could not be encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterIdError {
    /// Not `0x` with hex digits.
    NotHex,
    /// The node's id has more than [`MAX_NODE_DIGITS`] digits.
    TooLong,
    /// Not one of ours: the prefix is not there.
    Foreign,
}

/// Hex digits that a node's own id may have: what 256 bits leave beside our prefix.
pub const MAX_NODE_DIGITS: usize = 56;

/// A decoded id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The upstream's [`tag`].
    pub tag: u32,
    /// The node's own digits, without `0x`.
    pub digits: &'a [u8],
}

impl Decoded<'_> {
    /// Appends the node's own id, `0x…`, without quotes.
    pub fn write_node_id(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"0x");
        out.extend_from_slice(self.digits);
    }
}

/// Hex digits of the tag.
const TAG_DIGITS: u32 = 7;

/// The first digit of an id of ours. Not zero, so that nothing strips it.
const LEAD: u8 = b'1';

/// The tag of an upstream: FNV-1a (32 bits) over its name, folded to 28 bits, the same in every process and release.
#[must_use]
pub fn tag(name: &str) -> u32 {
    const OFFSET: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    const BITS: u32 = 4 * TAG_DIGITS;
    let hash = name.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(PRIME)
    });
    (hash >> BITS ^ hash) & ((1 << BITS) - 1)
}

/// Appends our id (without quotes) for a node's id, given as the content of its string (`0x…`).
/// Only the low 28 bits of `tag` count.
///
/// # Errors
/// [`FilterIdError`]; then nothing is appended.
pub fn encode(out: &mut Vec<u8>, tag: u32, node_id: &[u8]) -> Result<(), FilterIdError> {
    let digits = hex_digits(node_id)?;
    if digits.len() > MAX_NODE_DIGITS {
        return Err(FilterIdError::TooLong);
    }
    out.extend_from_slice(b"0x");
    out.push(LEAD);
    for place in (0..TAG_DIGITS).rev() {
        write_hex(out, u64::from(tag >> (4 * place) & 15));
    }
    out.extend_from_slice(digits);
    Ok(())
}

/// Decodes an id of ours, given as the content of its string (`0x…`).
///
/// # Errors
/// [`FilterIdError`].
pub fn decode(id: &[u8]) -> Result<Decoded<'_>, FilterIdError> {
    let [LEAD, rest @ ..] = hex_digits(id)? else {
        return Err(FilterIdError::Foreign);
    };
    let (prefix, digits) = rest
        .split_at_checked(TAG_DIGITS as usize)
        .ok_or(FilterIdError::Foreign)?;
    if digits.is_empty() {
        return Err(FilterIdError::Foreign);
    }
    if digits.len() > MAX_NODE_DIGITS {
        return Err(FilterIdError::TooLong);
    }
    let tag = prefix.iter().try_fold(0, |tag, &digit| {
        hex_digit(digit).map(|digit| tag << 4 | u32::from(digit))
    });
    let tag = tag.ok_or(FilterIdError::NotHex)?;
    Ok(Decoded { tag, digits })
}

/// The digits behind `0x`, at least one.
fn hex_digits(id: &[u8]) -> Result<&[u8], FilterIdError> {
    match id {
        [b'0', b'x', digits @ ..]
            if !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit) =>
        {
            Ok(digits)
        }
        _ => Err(FilterIdError::NotHex),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_they_were() {
        for node_id in [
            "0x1",
            "0x0",
            "0x00ab",
            "0xDEADbeef",
            &format!("0x{}", "f".repeat(56)),
        ] {
            let tag = tag("alchemy");
            let mut ours = Vec::new();
            encode(&mut ours, tag, node_id.as_bytes()).unwrap();
            assert!(ours.len() <= 2 + 64 && ours.starts_with(b"0x1"));
            let decoded = decode(&ours).unwrap();
            assert_eq!(decoded.tag, tag);
            let mut back = Vec::new();
            decoded.write_node_id(&mut back);
            assert_eq!(back, node_id.as_bytes());
        }
    }

    #[test]
    fn tags_are_stable_and_tell_names_apart() {
        // FNV-1a of "alchemy" and of the empty name, folded: these may never change, ids outlive a release.
        assert_eq!(tag(""), 0x011c_9dc5 ^ 8);
        assert_eq!(
            tag("a"),
            (0xe40c_292c_u32 >> 28 ^ 0xe40c_292c) & 0x0fff_ffff
        );
        assert_ne!(tag("alchemy"), tag("infura"));
        assert!(tag("drpc") < 1 << 28);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut out = Vec::new();
        for node_id in ["", "0x", "1", "0xg", "0X1", "0x1 ", "\"0x1\""] {
            assert_eq!(
                encode(&mut out, 1, node_id.as_bytes()),
                Err(FilterIdError::NotHex),
                "{node_id}"
            );
        }
        let long = format!("0x{}", "f".repeat(57));
        assert_eq!(
            encode(&mut out, 1, long.as_bytes()),
            Err(FilterIdError::TooLong)
        );
        assert!(out.is_empty());
        for (id, error) in [
            ("0x", FilterIdError::NotHex),
            ("0x1z", FilterIdError::NotHex),
            ("0x1", FilterIdError::Foreign),
            ("0x10000000", FilterIdError::Foreign),
            ("0x2000000012", FilterIdError::Foreign),
            (&format!("0x1{}", "0".repeat(64)), FilterIdError::TooLong),
        ] {
            assert_eq!(decode(id.as_bytes()), Err(error), "{id}");
        }
    }
}
