//! Replies and calls, written around ranges that were validated elsewhere. Never serialises a value again.

/// Appends a reply to a client: `{"jsonrpc":"2.0","id":…,"result":…}`, id and result byte for byte.
pub fn write_result(out: &mut Vec<u8>, id: &[u8], result: &[u8]) {
    begin_result(out, id);
    out.extend_from_slice(result);
    out.push(b'}');
}

/// Appends what goes before a streamed result; [`RESULT_END`] goes behind it.
pub fn begin_result(out: &mut Vec<u8>, id: &[u8]) {
    let _ = (out, id);
    todo!()
}

/// What goes behind a streamed result.
pub const RESULT_END: &[u8] = b"}";

/// Bytes of a reply around a result: `write_result(id, result).len() - result.len()`.
#[must_use]
pub fn result_overhead_bytes(id: &[u8]) -> usize {
    let _ = id;
    todo!()
}

/// Appends an error reply of our own. `id` is the caller's bytes, `None` gives null; `data` is raw JSON.
pub fn write_error(
    out: &mut Vec<u8>,
    id: Option<&[u8]>,
    code: i64,
    message: &str,
    data: Option<&[u8]>,
) {
    let _ = (out, id, code, message, data);
    todo!()
}

/// Appends a reply around a node's own error object, byte for byte.
pub fn write_error_object(out: &mut Vec<u8>, id: Option<&[u8]>, error: &[u8]) {
    let _ = (out, id, error);
    todo!()
}

/// Appends a call to an upstream under an id of ours. `method` is the unescaped name; without params `[]` is written.
pub fn write_call(out: &mut Vec<u8>, id: u64, method: &[u8], params: Option<&[u8]>) {
    let _ = (out, id, method, params);
    todo!()
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
pub fn write_replaced(out: &mut Vec<u8>, bytes: &[u8], span: crate::Span, with: &[u8]) {
    let _ = (out, bytes, span, with);
    todo!()
}
