//! Filter ids that name their upstream: any core can send a follow-up to the node that has the filter, without a table.
//!
//! Ours is `0x`, a nibble 1, seven digits of the upstream's tag, and the node's own digits verbatim. It is a quantity
//! without a leading zero, so clients that parse it to an integer and print it again give the same text. Never guesses:
//! what does not fit is an error.

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

/// The tag of an upstream: 28 bits of FNV-1a (32 bits, folded) over its name, the same in every process.
#[must_use]
pub fn tag(name: &str) -> u32 {
    let _ = name;
    todo!()
}

/// Appends our id (without quotes) for a node's id, given as the content of its string (`0x…`).
///
/// # Errors
/// [`FilterIdError`]; then nothing is appended.
pub fn encode(out: &mut Vec<u8>, tag: u32, node_id: &[u8]) -> Result<(), FilterIdError> {
    let _ = (out, tag, node_id);
    todo!()
}

/// Decodes an id of ours, given as the content of its string (`0x…`).
///
/// # Errors
/// [`FilterIdError`].
pub fn decode(id: &[u8]) -> Result<Decoded<'_>, FilterIdError> {
    let _ = id;
    todo!()
}
