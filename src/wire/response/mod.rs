//! An upstream's answer: its shape, its id, its ranges; whole, in a batch, or as a stream of slices.
//!
//! A result is opaque (validated, never read); the envelope around it is not trusted: exactly one of result and error,
//! the id equal by type and value, nothing behind it. Never decides what a fault means for an upstream.
//!
//! Tolerated, because real nodes do it: members in any order (ganache sends the id first), unknown members (`stack`),
//! a missing `jsonrpc`, `"error":null` beside a result and `"result":null` beside an error, an error whose id is null
//! or absent (gateways refuse before they read it), an error that is a bare string, a code spelled as a string or a
//! float. Refused: a `jsonrpc` other than `"2.0"`, duplicates, both, neither, a wrong id.

mod batch;
mod reply;
mod stream;

pub use batch::{BatchReplies, BatchShape, Slot};
pub use reply::{ErrorView, IdMatch, Reply, parse_reply};
pub use stream::{Fed, Front, ResultStream};

use crate::json::Fault;

/// Why an upstream's answer cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyFault {
    /// No bytes, or white space only.
    Empty,
    /// Markup where JSON was due.
    Html,
    /// Not JSON, cut off, too deep, or with something behind it.
    Json(Fault),
    /// JSON, but not the shape that was due: an array for a single call, a scalar.
    Shape,
    /// `jsonrpc` is there and is not `"2.0"`.
    Version,
    /// The id is another one (by type or value), or a result has none.
    WrongId,
    /// `jsonrpc`, `id`, `result` or `error` came twice.
    Duplicate,
    /// Both a result and an error that are not null.
    Both,
    /// Neither a result nor an error.
    Neither,
}

impl ReplyFault {
    /// A stable name for metrics and logs, in snake_case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Html => "html",
            Self::Json(_) => "bad_json",
            Self::Shape => "wrong_shape",
            Self::Version => "wrong_version",
            Self::WrongId => "wrong_id",
            Self::Duplicate => "duplicate_member",
            Self::Both => "result_and_error",
            Self::Neither => "no_result_no_error",
        }
    }
}
