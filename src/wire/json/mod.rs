//! JSON (RFC 8259) as bytes: is it valid, and where do values end. Nothing is turned into numbers or strings.
//!
//! What is legal passes, even where libraries refuse it: integers beyond 64 bits, `1e400`, a lone `\ud800`. What is
//! not legal is refused, invalid UTF-8 and too deep nesting included. There is no recursion: open brackets are bits.

mod cursor;
mod scanner;
mod string;
mod text;

pub use cursor::Text;
pub use scanner::{Progress, Scanner};
pub use text::{unescape, write_string, write_string_content};

pub(crate) use cursor::Cursor;
pub(crate) use string::{InString, plain_string_end, string_end};
pub(crate) use text::{spells, unescaped_len};

/// Greatest nesting depth of what a client may send.
pub const REQUEST_DEPTH: usize = 128;

/// Greatest nesting depth of what an upstream may answer: a call trace nests two levels a frame, and the EVM
/// goes 1024 frames deep.
pub const REPLY_DEPTH: usize = 4096;

/// Words of stack for [`REQUEST_DEPTH`].
pub(crate) const REQUEST_WORDS: usize = REQUEST_DEPTH / 64;

/// Words of stack for [`REPLY_DEPTH`].
pub(crate) const REPLY_WORDS: usize = REPLY_DEPTH / 64;

/// Why a text is not acceptable JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The text ends within a value (or has none).
    Truncated,
    /// A byte that cannot stand where it stands.
    Unexpected,
    /// A control byte in a string.
    Control,
    /// A malformed escape in a string.
    Escape,
    /// A string that is not UTF-8.
    Utf8,
    /// A malformed number.
    Number,
    /// Nested deeper than the scanner's limit.
    TooDeep,
    /// Something other than white space behind the value.
    Trailing,
    /// A text of 4 GiB or more.
    TooLong,
}

/// A fault and the offset of the byte at which it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultAt {
    /// What is wrong.
    pub fault: Fault,
    /// Offset in bytes from the start of what was scanned.
    pub at: usize,
}

/// Checks that `text` is exactly one JSON value of at most [`REQUEST_DEPTH`] levels, with white space around it at most.
///
/// # Errors
/// The first [`Fault`] and where it is.
pub fn validate(text: &[u8]) -> Result<(), FaultAt> {
    let mut cursor = Cursor::<REQUEST_WORDS>::new(text)?;
    cursor.peek();
    cursor.value(0)?;
    cursor.end()
}
