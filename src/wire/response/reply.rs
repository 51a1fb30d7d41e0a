//! One whole answer to one call. Never looks into a result.

use super::ReplyFault;
use crate::Span;

/// A string's content within a body: the bytes between the quotes, and whether they have escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The content without its quotes.
    pub span: Span,
    /// Whether it has escapes ([`crate::json::unescape`]).
    pub escaped: bool,
}

/// How an error's id compares with the expected one. (A result's id is always equal.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdMatch {
    /// Equal.
    Equal,
    /// `null`: refused before the id was read.
    Null,
    /// Absent.
    Absent,
}

/// An upstream's error member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorView {
    /// The member's whole value.
    pub raw: Span,
    /// How the id compares.
    pub id: IdMatch,
    /// The code, if it is a number that is whole and fits, or a string that spells one.
    pub code: Option<i64>,
    /// The message (or the whole error, where that is a bare string).
    pub message: Option<Text>,
    /// The data's raw JSON, if it is there and not null.
    pub data: Option<Span>,
    /// Whether it is as JSON-RPC has it (an object with an integer `code` and a string `message`, no duplicates), so that `raw`
    /// may be relayed as it stands.
    pub regular: bool,
}

/// A usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A result under the right id.
    Result {
        /// The result's raw JSON.
        result: Span,
        /// The id's bytes.
        id: Span,
        /// Whether the body may be relayed as it stands (where the id is the caller's own): jsonrpc, id and result, nothing else.
        verbatim_ok: bool,
    },
    /// The node's error.
    Error(ErrorView),
}

/// Parses a whole body that answers the call `expected_id`.
///
/// # Errors
/// [`ReplyFault`].
pub fn parse_reply(body: &[u8], expected_id: u64) -> Result<Reply, ReplyFault> {
    let _ = (body, expected_id);
    todo!()
}
