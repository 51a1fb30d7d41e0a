//! Heads and chunk framing of our own. Never copies a client's header to an upstream or the other way round.

use super::fields::{InvalidHeader, is_header_value};
use super::head::Version;
use crate::quantity::write_hex;

/// The interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What ends a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What an upstream's request head is made of; everything but the length, which is all that differs between calls.
#[derive(Clone, Copy, Debug)]
pub struct RequestPrefix<'a> {
    /// Origin-form target with its query, e.g. `/v2/KEY`.
    pub target: &'a [u8],
    /// Value of `Host`: name, and port where it is not the scheme's own.
    pub host: &'a [u8],
    /// Whether to send `Accept-Encoding: gzip` (`identity` otherwise).
    pub accept_gzip: bool,
    /// The value of `User-Agent`, e.g. `livechain/0.1.0`.
    pub user_agent: &'a [u8],
    /// Configured headers as [`super::append_header`] wrote them; may be empty.
    pub extra_block: &'a [u8],
}

/// Appends the head of a POST up to `Content-Length: `. Made once per upstream and kept; see [`write_request_head`].
///
/// # Errors
/// [`InvalidHeader::Value`] if target, host or user agent could break out of their line.
pub fn write_request_prefix(
    out: &mut Vec<u8>,
    prefix: &RequestPrefix<'_>,
) -> Result<(), InvalidHeader> {
    let line_safe = !prefix.target.is_empty()
        && prefix.target.iter().all(u8::is_ascii_graphic)
        && !prefix.host.is_empty()
        && prefix.host.iter().all(u8::is_ascii_graphic)
        && is_header_value(prefix.user_agent);
    if !line_safe {
        return Err(InvalidHeader::Value);
    }
    let accept: &[u8] = if prefix.accept_gzip {
        b"gzip"
    } else {
        b"identity"
    };
    for part in [
        b"POST ",
        prefix.target,
        b" HTTP/1.1\r\nHost: ",
        prefix.host,
        b"\r\nUser-Agent: ",
        prefix.user_agent,
        b"\r\nAccept: application/json\r\nAccept-Encoding: ",
        accept,
        b"\r\nContent-Type: application/json\r\n",
        prefix.extra_block,
        b"Content-Length: ",
    ] {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// Appends a whole upstream request head: the kept prefix, the length, the end of the head.
pub fn write_request_head(out: &mut Vec<u8>, prefix: &[u8], content_length: u64) {
    out.extend_from_slice(prefix);
    out.extend_from_slice(itoa::Buffer::new().format(content_length).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
}

/// How the body of an answer to a client is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// `Content-Length: n`.
    Known(u64),
    /// `Transfer-Encoding: chunked` (never to an HTTP/1.0 client).
    Chunked,
    /// Neither header: for 204 and 304, which have no body, and for an answer that ends with the connection.
    None,
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It lives on. Said aloud only to HTTP/1.0 clients.
    KeepAlive,
    /// `Connection: close`.
    Close,
}

/// What an answer's head to a client is made of.
#[derive(Clone, Copy, Debug)]
pub struct ResponseParts<'a> {
    /// Status code; the reason phrase follows from it.
    pub status: u16,
    /// The client's version: whether keep-alive must be said aloud. The answer itself is always HTTP/1.1.
    pub version: Version,
    /// `Content-Type`, e.g. `application/json`.
    pub content_type: Option<&'a [u8]>,
    /// How the body is delimited.
    pub body: BodyLength,
    /// What becomes of the connection.
    pub connection: Connection,
    /// `X-Request-Id`; must satisfy [`super::is_request_id`] or be our own.
    pub request_id: Option<&'a [u8]>,
    /// Further headers as [`super::append_header`] wrote them; may be empty.
    pub extra_block: &'a [u8],
}

/// Appends the head of an answer to a client. A `request_id` or `content_type` that could break out of its line is left out.
pub fn write_response_head(out: &mut Vec<u8>, parts: &ResponseParts<'_>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(parts.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason(parts.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    if let Some(value) = parts.content_type.filter(|value| is_header_value(value)) {
        line(out, b"content-type: ", value);
    }
    match parts.body {
        BodyLength::Known(bytes) => line(
            out,
            b"content-length: ",
            itoa::Buffer::new().format(bytes).as_bytes(),
        ),
        BodyLength::Chunked => line(out, b"transfer-encoding: ", b"chunked"),
        BodyLength::None => {}
    }
    match (parts.connection, parts.version) {
        (Connection::Close, _) => line(out, b"connection: ", b"close"),
        (Connection::KeepAlive, Version::Http10) => line(out, b"connection: ", b"keep-alive"),
        (Connection::KeepAlive, Version::Http11) => {}
    }
    if let Some(value) = parts.request_id.filter(|value| is_header_value(value)) {
        line(out, b"x-request-id: ", value);
    }
    out.extend_from_slice(parts.extra_block);
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The reason phrase of a status that we send; `Unknown` for others.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

/// Appends what goes before a chunk of `data_bytes` (> 0: a chunk of 0 would end the body, so nothing is written for it).
pub fn begin_chunk(out: &mut Vec<u8>, data_bytes: usize) {
    if data_bytes > 0 {
        write_hex(out, data_bytes as u64);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends what goes behind a chunk's data. For a chunk of 0 bytes neither is called.
pub fn end_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}
