//! Looks into a call's params and a node's error: a block parameter, a log filter, the first string, the words.
//!
//! simd-json reads what must be understood, on a scratch copy, because it rewrites its input. Never an error to a
//! client: where the library refuses legal JSON, or a param is not what the method expects, the view is `Opaque`, the
//! node judges, and we route without the knowledge.

use simd_json::prelude::ValueAsScalar;
use simd_json::tape::{Object, Value};
use simd_json::{Buffers, Tape};

use crate::Span;
use crate::json::{Cursor, REPLY_WORDS, unescape};
use crate::quantity::{self, BlockTag};
use crate::response::ErrorView;

#[cfg(test)]
mod tests;

/// Objects longer than this are not looked into: opaque. A log filter of 5000 addresses fits.
pub const MAX_LOOK_BYTES: usize = 256 * 1024;

/// Buffers for looking inside; kept and used again, one a shard.
#[derive(Default)]
pub struct Scratch {
    bytes: Vec<u8>,
    words: [Vec<u8>; 4],
    buffers: Buffers,
    /// Empty between uses. (`Tape::null` would allocate each time.)
    tape: Option<Tape<'static>>,
}

impl Scratch {
    /// Empty buffers; they grow to what was looked into, [`MAX_LOOK_BYTES`] at most (the tape to a small multiple).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows an object to `look`; `None` if it is too long, or if simd-json refuses it, or if it is no object.
    fn with_object<R>(
        &mut self,
        json: &[u8],
        look: impl FnOnce(&Object<'_, '_>, &mut [Vec<u8>; 4]) -> R,
    ) -> Option<R> {
        if json.len() > MAX_LOOK_BYTES {
            return None;
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(json);
        let mut tape = match self.tape.take() {
            Some(tape) => tape.reset(),
            None => Tape::null(),
        };
        let parsed = simd_json::fill_tape(&mut self.bytes, &mut self.buffers, &mut tape);
        let object = parsed.ok().and_then(|()| tape.as_value().as_object());
        let seen = object.map(|object| look(&object, &mut self.words));
        self.tape = Some(tape.reset());
        seen
    }
}

/// A block parameter as a call gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockParam {
    /// Not given, or null: the node takes its default (`latest`).
    Absent,
    /// By name.
    Tag(BlockTag),
    /// By number.
    Number(u64),
    /// By hash (EIP-1898, or a bare 32-byte hash).
    Hash {
        /// The block's hash.
        hash: [u8; 32],
        /// EIP-1898's `requireCanonical`.
        require_canonical: bool,
    },
    /// Something else: the node judges.
    Opaque,
}

/// The range of blocks that a log filter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogsFilter {
    /// `fromBlock` to `toBlock`.
    Range {
        /// First block.
        from: BlockParam,
        /// Last block.
        to: BlockParam,
    },
    /// One block by hash (EIP-234).
    Block {
        /// The block's hash.
        hash: [u8; 32],
    },
    /// Something else: the node judges.
    Opaque,
}

/// An error's words, unescaped: views into the scratch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorWords<'s> {
    /// The message.
    pub message: &'s str,
    /// The data: its text if it is a string, else its raw JSON. Empty if absent, or longer than [`MAX_LOOK_BYTES`].
    pub data: &'s str,
    /// Of data that is an object: the text of its `message` or `reason`, or of such a member one level down.
    pub nested_message: &'s str,
    /// Of data that is an object: the text of its `data`, `result` or `output`, or of such a member one level down.
    pub nested_data: &'s str,
}

/// The raw JSON of the element at `position` of a params array.
#[must_use]
pub fn element(params: &[u8], position: usize) -> Option<Span> {
    let mut cursor = Cursor::<REPLY_WORDS>::new(params).ok()?;
    if cursor.peek() != Some(b'[') {
        return None;
    }
    cursor.pass();
    for index in 0..=position {
        if !cursor.element(index == 0).ok()? {
            return None;
        }
        let value = cursor.value(1).ok()?;
        if index == position {
            return Some(value);
        }
    }
    None
}

/// The content (without quotes) of the first element of a params array, if it is a string without escapes: a raw
/// transaction, a hash, a filter id.
#[must_use]
pub fn first_string(params: &[u8]) -> Option<Span> {
    let mut cursor = Cursor::<REPLY_WORDS>::new(params).ok()?;
    if cursor.peek() != Some(b'[') {
        return None;
    }
    cursor.pass();
    if cursor.peek() != Some(b'"') {
        return None;
    }
    let text = cursor.text().ok()?;
    (!text.escaped).then_some(text.span)
}

/// The block parameter at `position` of a params array.
#[must_use]
pub fn block_param(params: Option<&[u8]>, position: usize, scratch: &mut Scratch) -> BlockParam {
    let Some(params) = params else {
        return BlockParam::Absent;
    };
    if params.first() != Some(&b'[') {
        return BlockParam::Opaque;
    }
    let Some(element) = element(params, position) else {
        return BlockParam::Absent;
    };
    let element = element.of(params);
    match element {
        b"null" => BlockParam::Absent,
        [b'"', text @ .., b'"'] if memchr::memchr(b'\\', text).is_none() => block_text(text),
        [b'"', text @ .., b'"'] if text.len() <= MAX_LOOK_BYTES => {
            scratch.bytes.clear();
            unescape(text, &mut scratch.bytes);
            block_text(&scratch.bytes)
        }
        [b'{', ..] => scratch
            .with_object(element, |object, _| block_object(object))
            .unwrap_or(BlockParam::Opaque),
        _ => BlockParam::Opaque,
    }
}

/// A block parameter that is a string.
fn block_text(text: &[u8]) -> BlockParam {
    if let Some(tag) = BlockTag::parse(text) {
        return BlockParam::Tag(tag);
    }
    if let Some(number) = quantity::parse_padded(text) {
        return BlockParam::Number(number);
    }
    match quantity::parse_hash(text) {
        Some(hash) => BlockParam::Hash {
            hash,
            require_canonical: false,
        },
        None => BlockParam::Opaque,
    }
}

/// A block parameter that is an object (EIP-1898): one of hash and number.
fn block_object(object: &Object<'_, '_>) -> BlockParam {
    let Some([hash, number, canonical]) =
        members(object, ["blockHash", "blockNumber", "requireCanonical"])
    else {
        return BlockParam::Opaque;
    };
    let canonical = match canonical {
        None => Some(false),
        Some(value) => value.as_bool(),
    };
    let text = |value: &Value<'_, '_>| value.as_str().map(|text| block_text(text.as_bytes()));
    match (hash, number, canonical) {
        (Some(hash), None, Some(require_canonical)) => match text(&hash) {
            Some(BlockParam::Hash { hash, .. }) => BlockParam::Hash {
                hash,
                require_canonical,
            },
            _ => BlockParam::Opaque,
        },
        (None, Some(number), Some(_)) => match text(&number) {
            Some(block @ (BlockParam::Number(_) | BlockParam::Tag(_))) => block,
            _ => BlockParam::Opaque,
        },
        _ => BlockParam::Opaque,
    }
}

/// The members of these names, absent where null; `None` if one of them comes twice, because nodes would differ on it.
fn members<'t, 'i, const N: usize>(
    object: &Object<'t, 'i>,
    names: [&str; N],
) -> Option<[Option<Value<'t, 'i>>; N]> {
    let mut found = [const { None }; N];
    let mut seen = [false; N];
    for (key, value) in object.iter() {
        let Some(index) = names.iter().position(|name| *name == key) else {
            continue;
        };
        let (slot, seen) = found.get_mut(index).zip(seen.get_mut(index))?;
        if core::mem::replace(seen, true) {
            return None;
        }
        if value.as_null().is_none() {
            *slot = Some(value);
        }
    }
    Some(found)
}

/// The block range of the log filter that is the first element of `params`.
#[must_use]
pub fn logs_filter(params: Option<&[u8]>, scratch: &mut Scratch) -> LogsFilter {
    params
        .and_then(|params| Some(element(params, 0)?.of(params)))
        .and_then(|filter| scratch.with_object(filter, |object, _| filter_object(object)))
        .unwrap_or(LogsFilter::Opaque)
}

fn filter_object(object: &Object<'_, '_>) -> LogsFilter {
    let Some([hash, from, to]) = members(object, ["blockHash", "fromBlock", "toBlock"]) else {
        return LogsFilter::Opaque;
    };
    let block = |value: Option<Value<'_, '_>>| match value {
        None => BlockParam::Absent,
        Some(value) => match value.as_str().map(|text| block_text(text.as_bytes())) {
            Some(block @ (BlockParam::Number(_) | BlockParam::Tag(_))) => block,
            _ => BlockParam::Opaque,
        },
    };
    match (hash, &from, &to) {
        (None, ..) => LogsFilter::Range {
            from: block(from),
            to: block(to),
        },
        (Some(hash), None, None) => match hash
            .as_str()
            .and_then(|text| quantity::parse_hash(text.as_bytes()))
        {
            Some(hash) => LogsFilter::Block { hash },
            None => LogsFilter::Opaque,
        },
        _ => LogsFilter::Opaque,
    }
}

/// The words of an error that [`crate::response`] found in `body`, for classification.
#[must_use]
pub fn error_words<'s>(body: &[u8], error: &ErrorView, scratch: &'s mut Scratch) -> ErrorWords<'s> {
    for word in &mut scratch.words {
        word.clear();
    }
    let [message, data_text, ..] = &mut scratch.words;
    if let Some(text) = error.message {
        unescape(text.span.of(body), message);
    }
    let data = error.data.map(|data| data.of(body)).unwrap_or_default();
    match data {
        _ if data.len() > MAX_LOOK_BYTES => {}
        [b'"', text @ .., b'"'] => unescape(text, data_text),
        _ => data_text.extend_from_slice(data),
    }
    if data.first() == Some(&b'{') {
        // Nothing nested is what a refusal amounts to.
        let _ = scratch.with_object(data, |object, words| {
            let [.., message, data] = words;
            collect_words(object, message, data);
            for (_, value) in object.iter() {
                if let Some(inner) = value.as_object() {
                    collect_words(&inner, message, data);
                }
            }
        });
    }
    let [message, data, nested_message, nested_data] = &scratch.words;
    let text = |word: &'s [u8]| core::str::from_utf8(word).unwrap_or_default();
    ErrorWords {
        message: text(message),
        data: text(data),
        nested_message: text(nested_message),
        nested_data: text(nested_data),
    }
}

/// Takes the message and the data of an object, where none was found before.
fn collect_words(object: &Object<'_, '_>, message: &mut Vec<u8>, data: &mut Vec<u8>) {
    for (key, value) in object.iter() {
        let word = match key {
            "message" | "reason" => &mut *message,
            "data" | "result" | "output" => &mut *data,
            _ => continue,
        };
        if let Some(text) = value.as_str().filter(|_| word.is_empty()) {
            word.extend_from_slice(text.as_bytes());
        }
    }
}
