//! Which field names and values may be written. Never repairs one: what does not pass is refused.

/// Why [`append_header`] refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidHeader {
    /// Not a token (RFC 9110 §5.6.2).
    Name,
    /// A name that belongs to the framing or that we set ourselves.
    Reserved,
    /// A control byte, a byte outside ASCII, or white space at an end.
    Value,
}

/// Whether `name` is a field name: a non-empty token.
#[must_use]
pub fn is_header_name(name: &[u8]) -> bool {
    let _ = name;
    todo!()
}

/// Whether `value` may be written as a field value: visible ASCII, with spaces and tabs only between.
#[must_use]
pub fn is_header_value(value: &[u8]) -> bool {
    let _ = value;
    todo!()
}

/// Whether `name` (any case) is one that configuration must not set: framing, connection and the ones we write.
#[must_use]
pub fn is_reserved_header(name: &[u8]) -> bool {
    let _ = name;
    todo!()
}

/// Whether a client's `X-Request-Id` is harmless enough to be echoed and logged: 1 to 128 of `[A-Za-z0-9._:/+=@-]`.
#[must_use]
pub fn is_request_id(value: &[u8]) -> bool {
    let _ = value;
    todo!()
}

/// Appends `name: value\r\n` after checking both, to build the header blocks that the head writers take.
///
/// # Errors
/// [`InvalidHeader`]; then nothing is appended.
pub fn append_header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<(), InvalidHeader> {
    let _ = (out, name, value);
    todo!()
}
