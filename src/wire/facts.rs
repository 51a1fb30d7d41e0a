//! What a result says about itself: nothing, emptiness, the block that it belongs to. Never takes for a fact what stands
//! inside a string or deeper than where the fact has its place, and never reads more than a bounded part.

use crate::Span;
use crate::json::{Cursor, REPLY_WORDS};
use crate::quantity;

/// Results are read up to so many bytes. A block's own number, and a transaction's or receipt's, is among the first few hundred
/// on most nodes; arrays are read whole or not at all.
pub const MAX_LOOK_BYTES: usize = 256 * 1024;

/// What [`result_facts`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It is `null`.
    pub null: bool,
    /// It is `[]`, `{}`, `""` or `"0x"`: right perhaps, but also what a node says that has not got there yet.
    pub empty: bool,
    /// It says that it is of no block yet: `blockNumber` (or a block's `number`) is null, of itself or of an element.
    pub pending: bool,
    /// The block that it belongs to. Of an object its own member `blockNumber` (transactions, receipts, logs, traces) or `number`
    /// (blocks); of an array of such objects the highest. `None` if it is not said, or not of every element, or not in the
    /// first [`MAX_LOOK_BYTES`].
    pub block_number: Option<u64>,
}

/// Reads the raw JSON of a result, as [`crate::response`] found it.
///
/// The numbers are the node's word, and mean what is said above only for methods whose results have these members; a tracer that
/// the caller wrote can put anything there.
#[must_use]
pub fn result_facts(raw: &[u8]) -> Facts {
    let none = Facts::default();
    match raw {
        b"null" => Facts { null: true, ..none },
        b"[]" | b"{}" | b"\"\"" | b"\"0x\"" => Facts {
            empty: true,
            ..none
        },
        [b'{', ..] => match of_object(raw) {
            Said::Number(number) => Facts {
                block_number: Some(number),
                ..none
            },
            Said::Null => Facts {
                pending: true,
                ..none
            },
            Said::Nothing => none,
        },
        [b'[', ..] if raw.len() <= MAX_LOOK_BYTES => of_array(raw).unwrap_or(none),
        _ => none,
    }
}

/// The block that the beginning of a long result names: of an object its own, of an array the highest of those that its elements name
/// in the part that is here. What follows may name a higher one.
#[must_use]
pub fn front_block(front: &[u8]) -> Option<u64> {
    match front {
        [b'{', ..] => match of_object(front) {
            Said::Number(number) => Some(number),
            Said::Null | Said::Nothing => None,
        },
        [b'[', ..] => {
            let mut highest = None;
            // It ends where the part ends.
            let _ = read_front(front.get(..MAX_LOOK_BYTES).unwrap_or(front), &mut highest);
            highest
        }
        _ => None,
    }
}

/// Reads the elements of an array as far as it goes.
fn read_front(look: &[u8], highest: &mut Option<u64>) -> Option<()> {
    let mut cursor = Cursor::<REPLY_WORDS>::new(look).ok()?;
    cursor.pass();
    let mut first = true;
    while cursor.element(first).ok()? && cursor.peek()? == b'{' {
        first = false;
        cursor.pass();
        let mut first_key = true;
        while let Some(key) = cursor.key(first_key).ok()? {
            first_key = false;
            let value = cursor.value(2).ok()?;
            if !key.escaped
                && key.span.of(look) == b"blockNumber"
                && let Said::Number(number) = Said::read(value.of(look))
            {
                *highest = (*highest).max(Some(number));
            }
        }
    }
    None
}

/// What an object says of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Number(u64),
    Null,
    Nothing,
}

impl Said {
    /// Reads the value of a member: a quantity, or an integer as in traces.
    fn read(value: &[u8]) -> Self {
        let number = match value {
            b"null" => return Self::Null,
            [b'"', ..] => quantity::parse_quoted(value),
            [b'0'..=b'9', ..] => core::str::from_utf8(value)
                .ok()
                .and_then(|digits| digits.parse().ok()),
            _ => None,
        };
        number.map_or(Self::Nothing, Self::Number)
    }
}

/// An object by itself: the first of its members that says it, so that what follows is not read.
fn of_object(raw: &[u8]) -> Said {
    let look = raw.get(..MAX_LOOK_BYTES).unwrap_or(raw);
    let read = || {
        let mut cursor = Cursor::<REPLY_WORDS>::new(look).ok()?;
        cursor.pass();
        let mut first = true;
        while let Some(key) = cursor.key(first).ok()? {
            first = false;
            let value = cursor.value(1).ok()?;
            if !key.escaped && matches!(key.span.of(look), b"blockNumber" | b"number") {
                return Some(Said::read(value.of(look)));
            }
        }
        None
    };
    read().unwrap_or(Said::Nothing)
}

/// An array whole.
fn of_array(raw: &[u8]) -> Option<Facts> {
    let mut facts = Facts::default();
    let mut cursor = Cursor::<REPLY_WORDS>::new(raw).ok()?;
    cursor.pass();
    let mut first = true;
    while cursor.element(first).ok()? {
        if cursor.peek()? != b'{' {
            return None;
        }
        match element(&mut cursor, raw)? {
            Said::Number(number) => facts.block_number = facts.block_number.max(Some(number)),
            Said::Null => facts.pending = true,
            Said::Nothing => return None,
        }
        first = false;
    }
    facts.empty = first;
    if facts.pending {
        facts.block_number = None;
    }
    Some(facts)
}

/// An element, to its end.
fn element(cursor: &mut Cursor<'_, REPLY_WORDS>, raw: &[u8]) -> Option<Said> {
    cursor.pass();
    let mut first = true;
    let mut found: Option<Span> = None;
    while let Some(key) = cursor.key(first).ok()? {
        first = false;
        let value = cursor.value(2).ok()?;
        if !key.escaped && key.span.of(raw) == b"blockNumber" && found.replace(value).is_some() {
            return None;
        }
    }
    Some(found.map_or(Said::Nothing, |value| Said::read(value.of(raw))))
}
