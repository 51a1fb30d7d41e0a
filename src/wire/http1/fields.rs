//! Which field names and values may be written. Never repairs one: what does not pass is refused.

/// Why [`append_header`] refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidHeader {
    /// Not a token (RFC 9110 §5.6.2).
    Name,
    /// A control byte, a byte outside ASCII, or white space at an end.
    Value,
}

/// Whether `name` is a field name: a non-empty token.
#[must_use]
pub fn is_header_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `value` may be written as a field value: visible ASCII, with spaces and tabs only between.
#[must_use]
pub fn is_header_value(value: &[u8]) -> bool {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !blank(value.first())
        && !blank(value.last())
        && value
            .iter()
            .all(|byte| byte.is_ascii_graphic() || blank(Some(byte)))
}

/// Whether `name` (any case) is one that configuration must not set: framing, connection and the ones we write.
#[must_use]
pub fn is_reserved_header(name: &[u8]) -> bool {
    const RESERVED: [&str; 17] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-request-id",
    ];
    RESERVED
        .iter()
        .any(|reserved| name.eq_ignore_ascii_case(reserved.as_bytes()))
}

/// Whether a client's `X-Request-Id` is harmless enough to be echoed and logged: 1 to 128 of `[A-Za-z0-9._:/+=@-]`.
#[must_use]
pub fn is_request_id(value: &[u8]) -> bool {
    (1..=128).contains(&value.len())
        && value.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'_' | b':' | b'/' | b'+' | b'=' | b'@' | b'-')
        })
}

/// Appends `name: value\r\n` after checking both, to build the header blocks that the head writers take.
///
/// # Errors
/// [`InvalidHeader`]; then nothing is appended.
pub fn append_header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<(), InvalidHeader> {
    if !is_header_name(name) {
        return Err(InvalidHeader::Name);
    }
    if !is_header_value(value) {
        return Err(InvalidHeader::Value);
    }
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// A byte of a token (RFC 9110 §5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
