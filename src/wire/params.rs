//! The first string of a call's params, and the words of a node's error.
//!
//! simd-json reads an error's data, on a scratch copy, because it rewrites its input. Never an error to a client: where the
//! library refuses legal JSON, nothing is seen, and the words are those that were found.

use simd_json::prelude::ValueAsScalar;
use simd_json::tape::Object;
use simd_json::{Buffers, Tape};

use crate::Span;
use crate::json::{Cursor, REPLY_WORDS, unescape};
use crate::response::ErrorView;

#[cfg(test)]
mod tests;

/// An error's data longer than this is not looked into.
pub const MAX_LOOK_BYTES: usize = 256 * 1024;

/// Buffers for looking inside an error; kept and used again, one a shard.
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
