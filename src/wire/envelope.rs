//! A client's body as calls: one pass, ranges only, edge cases as go-ethereum answers them.
//!
//! Never rewrites a byte, and never leaves room for a second reading: what is judged here is what policy sees and
//! what goes upstream. A duplicate of `jsonrpc`, `id`, `method` or `params` makes a call invalid (DESIGN §4).

use crate::Span;
use crate::json::FaultAt;

/// Bounds of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls in a batch.
    pub max_batch_calls: usize,
    /// Bytes of a method's name, unescaped.
    pub max_method_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_batch_calls: 1000,
            max_method_bytes: 2048,
        }
    }
}

/// Whether a body was one object or an array; the answer has the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value: exactly one item.
    Single,
    /// An array: one item for each element, at least one.
    Batch,
}

/// Why a whole body is refused with one error, and nothing of it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not JSON. Answer: one object, id null, −32700 `parse error`.
    Syntax(FaultAt),
    /// `[]`. Answer: one object, id null, −32600 `empty batch`.
    EmptyBatch,
    /// More than `max_batch_calls` elements. Answer: an *array* with one error that has the first call's id
    /// (null if none), −32600 `batch too large`.
    BatchTooLarge {
        /// The id of the first call in the batch.
        first_id: Option<Span>,
    },
}

impl Refusal {
    /// JSON-RPC error code of the answer.
    #[must_use]
    pub const fn code(&self) -> i64 {
        match self {
            Self::Syntax(_) => -32700,
            _ => -32600,
        }
    }

    /// Message of the answer, in go-ethereum's words.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "parse error",
            Self::EmptyBatch => "empty batch",
            Self::BatchTooLarge { .. } => "batch too large",
        }
    }
}

/// What makes an item invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Not an object (a nested batch included).
    NotAnObject,
    /// `jsonrpc` is absent or not the string `2.0`.
    Version,
    /// `id` is an object or an array. Answered with id null.
    Id,
    /// `method` is absent, not a string, or empty.
    Method,
    /// `method` is longer than `max_method_bytes`.
    MethodTooLong,
    /// `params` is neither array, object nor null.
    Params,
    /// `jsonrpc`, `id`, `method` or `params` came twice.
    Duplicate,
}

impl Why {
    /// JSON-RPC error code of the answer: −32600, or −32602 for params.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::Params => -32602,
            _ => -32600,
        }
    }

    /// Message of the answer.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Params => "non-array args",
            Self::MethodTooLong => "method name too long",
            Self::Duplicate => "duplicate member",
            _ => "invalid request",
        }
    }
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Content of the method's string, without its quotes.
    pub method: Span,
    /// Whether that content has escapes: unescape it ([`crate::json::unescape`]) before any policy.
    pub method_escaped: bool,
    /// The params, an array or an object; `None` if absent or null.
    pub params: Option<Span>,
    /// Whether the item's own bytes may go upstream as they are: the four members and no others, no escape in a key
    /// or in the method, params not null, and the id an integer 0 ≤ n < 2^53 in its shortest spelling.
    pub verbatim_ok: bool,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be answered (its `id` is `Some`, and may be `null`).
    Call(Call),
    /// Without an id: never answered.
    Notification(Call),
    /// To be answered with an error, under the item's id, or null where that is `None`.
    Invalid(Why),
}

/// One element of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The whole element.
    pub raw: Span,
    /// The id's bytes, any scalar.
    pub id: Option<Span>,
    /// What it is.
    pub kind: Kind,
}

/// A parsed body. Kept and used again: once its list has grown, parsing allocates nothing.
#[derive(Debug, Default)]
pub struct Envelope {
    items: Vec<Item>,
}

impl Envelope {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// Parses a whole body; the items of the last one are forgotten.
    ///
    /// # Errors
    /// [`Refusal`] where the body as a whole has one answer.
    pub fn parse(&mut self, body: &[u8], limits: &Limits) -> Result<Shape, Refusal> {
        let _ = (body, limits);
        todo!()
    }

    /// The items of the last body, in its order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }
}

/// The method's name: the content itself, or unescaped into `scratch` (cleared first) where it has escapes.
#[must_use]
pub fn method_name<'a>(body: &'a [u8], call: &Call, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let _ = (body, call, scratch);
    todo!()
}
