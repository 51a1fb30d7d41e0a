//! Replies and calls, written around ranges that were validated elsewhere. Never serialises a value again.

use crate::Span;
use crate::json::write_string;

/// How every reply and every call begins: jsonrpc, then the id.
const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";

const RESULT_KEY: &[u8] = b",\"result\":";

/// Appends a reply to a client: `{"jsonrpc":"2.0","id":…,"result":…}`, id and result byte for byte.
pub fn write_result(out: &mut Vec<u8>, id: &[u8], result: &[u8]) {
    begin_result(out, id);
    out.extend_from_slice(result);
    out.push(b'}');
}

/// Appends what goes before a streamed result; [`RESULT_END`] goes behind it.
pub fn begin_result(out: &mut Vec<u8>, id: &[u8]) {
    out.extend_from_slice(HEAD);
    out.extend_from_slice(id);
    out.extend_from_slice(RESULT_KEY);
}

/// What goes behind a streamed result.
pub const RESULT_END: &[u8] = b"}";

/// Bytes of a reply around a result: `write_result(id, result).len() - result.len()`.
#[must_use]
pub fn result_overhead_bytes(id: &[u8]) -> usize {
    HEAD.len() + id.len() + RESULT_KEY.len() + RESULT_END.len()
}

/// Appends an error reply of our own. `id` is the caller's bytes, `None` gives null; `data` is raw JSON.
pub fn write_error(
    out: &mut Vec<u8>,
    id: Option<&[u8]>,
    code: i64,
    message: &str,
    data: Option<&[u8]>,
) {
    begin_error(out, id);
    out.extend_from_slice(b"{\"code\":");
    out.extend_from_slice(itoa::Buffer::new().format(code).as_bytes());
    out.extend_from_slice(b",\"message\":");
    write_string(out, message);
    if let Some(data) = data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data);
    }
    out.extend_from_slice(b"}}");
}

/// Appends a reply around a node's own error object, byte for byte.
pub fn write_error_object(out: &mut Vec<u8>, id: Option<&[u8]>, error: &[u8]) {
    begin_error(out, id);
    out.extend_from_slice(error);
    out.push(b'}');
}

fn begin_error(out: &mut Vec<u8>, id: Option<&[u8]>) {
    out.extend_from_slice(HEAD);
    out.extend_from_slice(id.unwrap_or(b"null"));
    out.extend_from_slice(b",\"error\":");
}

/// Appends a call to an upstream under an id of ours.
///
/// `method` is the unescaped name; it is escaped again where it must be. Without params `[]` is written, which every
/// node takes, while some refuse an absent member or null.
pub fn write_call(out: &mut Vec<u8>, id: u64, method: &[u8], params: Option<&[u8]>) {
    out.extend_from_slice(HEAD);
    out.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
    out.extend_from_slice(b",\"method\":");
    if method
        .iter()
        .all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        out.push(b'"');
        out.extend_from_slice(method);
        out.push(b'"');
    } else {
        // A validated body is UTF-8, and so is what was unescaped from it.
        write_string(out, &String::from_utf8_lossy(method));
    }
    out.extend_from_slice(b",\"params\":");
    out.extend_from_slice(params.unwrap_or(b"[]"));
    out.push(b'}');
}

/// Joins replies or calls to an array in a buffer.
#[derive(Debug, Default)]
pub struct ArrayJoin {
    items: usize,
}

impl ArrayJoin {
    /// Appends `[`.
    #[must_use]
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { items: 0 }
    }

    /// To be called before each item is appended: writes the comma where one is due.
    pub fn item(&mut self, out: &mut Vec<u8>) {
        if self.items > 0 {
            out.push(b',');
        }
        self.items = self.items.saturating_add(1);
    }

    /// Items so far.
    #[must_use]
    pub const fn items(&self) -> usize {
        self.items
    }

    /// Appends `]`.
    pub fn end(self, out: &mut Vec<u8>) {
        out.push(b']');
    }
}

/// Appends `bytes` with the bytes of `span` replaced by `with`: e.g. a filter id within params.
/// A span that does not lie within `bytes` replaces nothing.
pub fn write_replaced(out: &mut Vec<u8>, bytes: &[u8], span: Span, with: &[u8]) {
    let parts = bytes
        .get(..span.start as usize)
        .zip(bytes.get(span.end as usize..));
    let Some((before, after)) = parts else {
        out.extend_from_slice(bytes);
        return;
    };
    out.extend_from_slice(before);
    out.extend_from_slice(with);
    out.extend_from_slice(after);
}
