//! A client's body as calls: one pass, ranges only, edge cases as go-ethereum answers them.
//!
//! Never rewrites a byte, and never leaves room for a second reading: what is judged here is what policy sees and
//! what goes upstream. A duplicate of `jsonrpc`, `id`, `method` or `params` makes a call invalid (DESIGN §4).

use crate::Span;
use crate::json::{Cursor, FaultAt, REQUEST_WORDS, Text, spells, unescape, unescaped_len};

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
    /// [`Refusal`] where the body as a whole has one answer. Then there are no items.
    pub fn parse(&mut self, body: &[u8], limits: &Limits) -> Result<Shape, Refusal> {
        self.items.clear();
        let parsed = self.parse_into(body, limits);
        if parsed.is_err() {
            self.items.clear();
        }
        parsed
    }

    fn parse_into(&mut self, body: &[u8], limits: &Limits) -> Result<Shape, Refusal> {
        let mut cursor = Cursor::new(body).map_err(Refusal::Syntax)?;
        if cursor.peek() != Some(b'[') {
            let item = parse_item(&mut cursor, body, 0, limits).map_err(Refusal::Syntax)?;
            self.items.push(item);
            cursor.end().map_err(Refusal::Syntax)?;
            return Ok(Shape::Single);
        }
        cursor.pass();
        // Elements beyond the limit are still parsed, so that a syntax error behind it is answered as one.
        let mut surplus = false;
        let mut first_call = None;
        while cursor
            .element(self.items.is_empty())
            .map_err(Refusal::Syntax)?
        {
            let item = parse_item(&mut cursor, body, 1, limits).map_err(Refusal::Syntax)?;
            if first_call.is_none() && matches!(item.kind, Kind::Call(_)) {
                first_call = item.id;
            }
            if self.items.len() < limits.max_batch_calls.max(1) {
                self.items.push(item);
            } else {
                surplus = true;
            }
        }
        cursor.end().map_err(Refusal::Syntax)?;
        match (surplus, self.items.is_empty()) {
            (true, _) => Err(Refusal::BatchTooLarge {
                first_id: first_call,
            }),
            (_, true) => Err(Refusal::EmptyBatch),
            _ => Ok(Shape::Batch),
        }
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
    if !call.method_escaped {
        return call.method.of(body);
    }
    scratch.clear();
    unescape(call.method.of(body), scratch);
    scratch
}

/// What has been seen of an object that may be a call. Each member is kept as the first one of its name had it.
#[derive(Default)]
struct Members {
    version: Option<bool>,
    id: Option<Span>,
    /// Outer: the member is there. Inner: it is a string.
    method: Option<Option<Text>>,
    params: Option<Span>,
    duplicate: bool,
    duplicate_id: bool,
    /// A member beyond the four, or an escape where names are compared: its bytes could be read in another way.
    unusual: bool,
}

fn parse_item(
    cursor: &mut Cursor<'_, REQUEST_WORDS>,
    body: &[u8],
    levels: usize,
    limits: &Limits,
) -> Result<Item, FaultAt> {
    let start = cursor.at();
    if cursor.peek() != Some(b'{') {
        let raw = cursor.value(levels)?;
        return Ok(Item {
            raw,
            id: None,
            kind: Kind::Invalid(Why::NotAnObject),
        });
    }
    cursor.pass();
    let mut members = Members::default();
    let mut first = true;
    while let Some(member) = members.next(cursor, body, first)? {
        first = false;
        members.take(cursor, body, member, levels + 1)?;
    }
    let raw = Span::new(start, cursor.at());
    let (id, kind) = members.judge(body, limits);
    Ok(Item { raw, id, kind })
}

/// The members of a call that mean something.
#[derive(Clone, Copy)]
enum Member {
    Version,
    Id,
    Method,
    Params,
    Other,
}

impl Member {
    /// In their usual spelling.
    const USUAL: [(&[u8], Self); 4] = [
        (b"\"id\":", Self::Id),
        (b"\"jsonrpc\":", Self::Version),
        (b"\"method\":", Self::Method),
        (b"\"params\":", Self::Params),
    ];

    /// The member of that name, in whatever spelling.
    fn named(body: &[u8], key: Text) -> Self {
        if spells(body, key, b"method") {
            Self::Method
        } else if spells(body, key, b"id") {
            Self::Id
        } else if spells(body, key, b"params") {
            Self::Params
        } else if spells(body, key, b"jsonrpc") {
            Self::Version
        } else {
            Self::Other
        }
    }
}

impl Members {
    /// Which member comes next, leaving the cursor at its value; `None` behind the closing brace.
    #[inline]
    fn next(
        &mut self,
        cursor: &mut Cursor<'_, REQUEST_WORDS>,
        body: &[u8],
        first: bool,
    ) -> Result<Option<Member>, FaultAt> {
        if let Some(member) = cursor.usual_key(first, &Member::USUAL) {
            return Ok(Some(member));
        }
        let Some(key) = cursor.key(first)? else {
            return Ok(None);
        };
        self.unusual |= key.escaped;
        Ok(Some(Member::named(body, key)))
    }

    /// Takes a member, at whose value the cursor stands.
    #[inline]
    fn take(
        &mut self,
        cursor: &mut Cursor<'_, REQUEST_WORDS>,
        body: &[u8],
        member: Member,
        levels: usize,
    ) -> Result<(), FaultAt> {
        match member {
            Member::Method => {
                let method = match cursor.peek() {
                    Some(b'"') => Some(cursor.text()?),
                    _ => {
                        cursor.value(levels)?;
                        None
                    }
                };
                self.duplicate |= self.method.is_some();
                self.method.get_or_insert(method);
            }
            Member::Id => {
                let id = cursor.value(levels)?;
                self.duplicate_id |= self.id.is_some();
                self.id.get_or_insert(id);
            }
            Member::Params => {
                let params = cursor.value(levels)?;
                self.duplicate |= self.params.is_some();
                self.params.get_or_insert(params);
            }
            Member::Version => {
                let right = self.version(cursor, body, levels)?;
                self.duplicate |= self.version.is_some();
                self.version.get_or_insert(right);
            }
            Member::Other => {
                self.unusual = true;
                cursor.value(levels)?;
            }
        }
        Ok(())
    }

    /// Whether the version at the cursor is the right one.
    #[inline]
    fn version(
        &mut self,
        cursor: &mut Cursor<'_, REQUEST_WORDS>,
        body: &[u8],
        levels: usize,
    ) -> Result<bool, FaultAt> {
        if cursor.took(b"\"2.0\"") {
            return Ok(true);
        }
        if cursor.peek() != Some(b'"') {
            cursor.value(levels)?;
            return Ok(false);
        }
        let version = cursor.text()?;
        self.unusual |= version.escaped;
        Ok(spells(body, version, b"2.0"))
    }

    /// The id to answer under, and what the object is. The order of the questions is go-ethereum's: without a right
    /// version it is neither call nor notification; an id that cannot be echoed leaves only null.
    fn judge(&self, body: &[u8], limits: &Limits) -> (Option<Span>, Kind) {
        let scalar_id = self
            .id
            .filter(|id| !matches!(id.of(body).first(), Some(b'{' | b'[')));
        let id = scalar_id.filter(|_| !self.duplicate_id);
        let invalid = |why| (id, Kind::Invalid(why));
        if self.duplicate || self.duplicate_id {
            return invalid(Why::Duplicate);
        }
        if self.version != Some(true) {
            return invalid(Why::Version);
        }
        if self.id.is_some() && scalar_id.is_none() {
            return invalid(Why::Id);
        }
        let Some(Some(method)) = self.method else {
            return invalid(Why::Method);
        };
        if method.span.is_empty() {
            return invalid(Why::Method);
        }
        let method_bytes = match method.escaped {
            false => method.span.len(),
            true => unescaped_len(method.span.of(body)),
        };
        if method_bytes > limits.max_method_bytes {
            return invalid(Why::MethodTooLong);
        }
        let null_params = self.params.is_some_and(|params| params.of(body) == b"null");
        let params = self.params.filter(|_| !null_params);
        let structured =
            params.is_none_or(|span| matches!(span.of(body).first(), Some(b'{' | b'[')));
        let call = Call {
            method: method.span,
            method_escaped: method.escaped,
            params: params.filter(|_| structured),
            verbatim_ok: !self.unusual
                && !method.escaped
                && !null_params
                && id.is_some_and(|id| is_safe_integer(id.of(body))),
        };
        match (id, structured) {
            // Nobody would read the answer.
            (None, _) => (None, Kind::Notification(call)),
            (Some(_), true) => (id, Kind::Call(call)),
            (Some(_), false) => invalid(Why::Params),
        }
    }
}

/// Whether an id is an integer 0 ≤ n < 2^53 in its shortest spelling, which every node gives back as it came.
fn is_safe_integer(id: &[u8]) -> bool {
    const LIMIT: u64 = 1 << 53;
    match id {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] if rest.len() <= 15 => id
            .iter()
            .try_fold(0_u64, |number, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| number * 10 + u64::from(digit - b'0'))
            })
            .is_some_and(|number| number < LIMIT),
        _ => false,
    }
}
