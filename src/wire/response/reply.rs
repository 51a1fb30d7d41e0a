//! One whole answer to one call. Never looks into a result.

use super::ReplyFault;
use crate::Span;
use crate::json::{Cursor, Fault, FaultAt, REPLY_WORDS, Text, spells};

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
    /// Whether it is as JSON-RPC has it (an object with an integer `code` and a string `message`, neither of them twice),
    /// so that `raw` may be relayed as it stands.
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
        /// Whether the body may be relayed as it stands (where the id is the caller's own): jsonrpc, id and result,
        /// nothing else.
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
    let mut cursor = open(body)?;
    if cursor.peek() != Some(b'{') {
        // Whether it is JSON at all is the more telling fault.
        cursor.value(0)?;
        cursor.end()?;
        return Err(ReplyFault::Shape);
    }
    let members = Members::read(&mut cursor, body, 0)?;
    cursor.end()?;
    let mut expected = itoa::Buffer::new();
    members.judge(body, expected.format(expected_id).as_bytes())
}

/// A cursor at the first byte of a body that may be JSON.
pub(super) fn open(body: &[u8]) -> Result<Cursor<'_, REPLY_WORDS>, ReplyFault> {
    let mut cursor = Cursor::new(body)?;
    match cursor.peek() {
        None => Err(ReplyFault::Empty),
        Some(b'<') => Err(ReplyFault::Html),
        Some(_) => Ok(cursor),
    }
}

impl From<FaultAt> for ReplyFault {
    fn from(at: FaultAt) -> Self {
        Self::Json(at.fault)
    }
}

impl From<Fault> for ReplyFault {
    fn from(fault: Fault) -> Self {
        Self::Json(fault)
    }
}

/// The members of an answer that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Version,
    Id,
    Result,
    Error,
    Other,
}

impl Member {
    /// Those of a result, in their usual spelling.
    const USUAL: [(&[u8], Self); 3] = [
        (b"\"jsonrpc\":", Self::Version),
        (b"\"id\":", Self::Id),
        (b"\"result\":", Self::Result),
    ];

    /// The member of that name, in whatever spelling.
    pub(super) fn named(bytes: &[u8], key: Text) -> Self {
        if spells(bytes, key, b"result") {
            Self::Result
        } else if spells(bytes, key, b"id") {
            Self::Id
        } else if spells(bytes, key, b"jsonrpc") {
            Self::Version
        } else if spells(bytes, key, b"error") {
            Self::Error
        } else {
            Self::Other
        }
    }
}

/// Where the members of an answer lie.
#[derive(Default)]
pub(super) struct Members {
    version: Option<Span>,
    pub(super) id: Option<Span>,
    result: Option<Span>,
    error: Option<Span>,
    duplicate: bool,
    /// A member beyond jsonrpc, id and result, or a key with escapes.
    unusual: bool,
}

impl Members {
    /// Which member comes next, leaving the cursor at its value; `None` behind the closing brace.
    #[inline]
    fn next(
        &mut self,
        cursor: &mut Cursor<'_, REPLY_WORDS>,
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

    /// Reads the object at the cursor.
    pub(super) fn read(
        cursor: &mut Cursor<'_, REPLY_WORDS>,
        body: &[u8],
        levels: usize,
    ) -> Result<Self, FaultAt> {
        let mut members = Self::default();
        cursor.pass();
        let mut first = true;
        while let Some(member) = members.next(cursor, body, first)? {
            first = false;
            let value = cursor.value(levels + 1)?;
            let slot = match member {
                Member::Version => &mut members.version,
                Member::Id => &mut members.id,
                Member::Result => &mut members.result,
                Member::Error => {
                    members.unusual = true;
                    &mut members.error
                }
                Member::Other => {
                    members.unusual = true;
                    continue;
                }
            };
            members.duplicate |= slot.replace(value).is_some();
        }
        Ok(members)
    }

    /// What the members say together.
    pub(super) fn judge(&self, body: &[u8], expected_id: &[u8]) -> Result<Reply, ReplyFault> {
        if self.duplicate {
            return Err(ReplyFault::Duplicate);
        }
        if self.version.is_some_and(|span| span.of(body) != b"\"2.0\"") {
            return Err(ReplyFault::Version);
        }
        let present = |member: Option<Span>| member.filter(|span| span.of(body) != b"null");
        let id = match self.id.map(|id| id.of(body)) {
            None => IdMatch::Absent,
            Some(b"null") => IdMatch::Null,
            Some(id) if id == expected_id => IdMatch::Equal,
            Some(_) => return Err(ReplyFault::WrongId),
        };
        match (self.result, present(self.error)) {
            (Some(result), Some(_)) if present(Some(result)).is_some() => Err(ReplyFault::Both),
            (_, Some(error)) => Ok(Reply::Error(ErrorView::read(body, error, id)?)),
            (Some(result), None) => match (id, self.id) {
                (IdMatch::Equal, Some(id)) => Ok(Reply::Result {
                    result,
                    id,
                    verbatim_ok: !self.unusual && self.version.is_some(),
                }),
                _ => Err(ReplyFault::WrongId),
            },
            (None, None) => Err(ReplyFault::Neither),
        }
    }
}

impl ErrorView {
    /// Reads the error at `raw`, which was validated as part of `body`.
    fn read(body: &[u8], raw: Span, id: IdMatch) -> Result<Self, FaultAt> {
        let mut view = Self {
            raw,
            id,
            code: None,
            message: None,
            data: None,
            regular: false,
        };
        let value = raw.of(body);
        let offset = raw.start as usize;
        let shifted = |text: Text| Text {
            span: text.span.shifted(offset),
            escaped: text.escaped,
        };
        let mut cursor = Cursor::<REPLY_WORDS>::new(value)?;
        match cursor.peek() {
            Some(b'"') => {
                view.message = Some(shifted(cursor.text()?));
                return Ok(view);
            }
            Some(b'{') => cursor.pass(),
            _ => return Ok(view),
        }
        let (mut codes, mut messages) = (0, 0);
        let mut integer = false;
        let mut first = true;
        while let Some(key) = cursor.key(first)? {
            first = false;
            if spells(value, key, b"message") && cursor.peek() == Some(b'"') {
                view.message = Some(shifted(cursor.text()?));
                messages += 1;
                continue;
            }
            let member = cursor.value(1)?;
            if spells(value, key, b"code") {
                (view.code, integer) = parse_code(member.of(value));
                codes += 1;
            } else if spells(value, key, b"data") && member.of(value) != b"null" {
                view.data = Some(member.shifted(offset));
            } else if spells(value, key, b"message") {
                messages += 2;
            }
        }
        view.regular = integer && view.code.is_some() && codes == 1 && messages == 1;
        Ok(view)
    }
}

/// The code, and whether it is spelled as an integer.
fn parse_code(raw: &[u8]) -> (Option<i64>, bool) {
    /// Beyond this a float no longer tells integers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let (text, quoted) = match raw {
        [b'"', text @ .., b'"'] => (text, true),
        _ => (raw, false),
    };
    let Ok(text) = core::str::from_utf8(text) else {
        return (None, false);
    };
    if let Ok(code) = text.parse::<i64>() {
        return (Some(code), !quoted);
    }
    let float = text.parse::<f64>().ok();
    let whole = float.filter(|float| float.fract() == 0.0 && float.abs() < EXACT);
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
    (whole.map(|float| float as i64), false)
}
