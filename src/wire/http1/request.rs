//! A client's request head. Never forwards: it gives the few values that the proxy uses, and how the body is framed.

use super::head::{HeadError, HeadLimits, Version};

/// Request method (RFC 9110 §9). Case-sensitive, as the RFC has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
    /// Any other token.
    Other,
}

/// How the body that follows a request head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// No body.
    None,
    /// Exactly so many bytes (0 is possible).
    Length(u64),
    /// Chunks, for [`super::ChunkedDecoder`].
    Chunked,
}

/// A request head, all slices within the buffer that was parsed. Field values have no white space around them.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'b> {
    /// The method.
    pub method: Method,
    /// The request target as it was sent, visible ASCII only.
    pub target: &'b [u8],
    /// 1.0 or 1.1.
    pub version: Version,
    /// Length of the head with its empty line: the body starts here.
    pub head_bytes: usize,
    /// How the body is delimited.
    pub framing: BodyFraming,
    /// Whether the client lets the connection live after this exchange.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// `Host` (may be absent in HTTP/1.0).
    pub host: Option<&'b [u8]>,
    /// `Origin`.
    pub origin: Option<&'b [u8]>,
    /// `Access-Control-Request-Method`.
    pub access_control_request_method: Option<&'b [u8]>,
    /// `Access-Control-Request-Headers`.
    pub access_control_request_headers: Option<&'b [u8]>,
    /// `Content-Type`.
    pub content_type: Option<&'b [u8]>,
    /// `Content-Encoding` of the body; ours is a server that inflates nothing a client sends.
    pub content_encoding: Option<&'b [u8]>,
    /// `X-Request-Id`, unchecked: see [`super::is_request_id`].
    pub x_request_id: Option<&'b [u8]>,
    /// `Authorization`.
    pub authorization: Option<&'b [u8]>,
    /// `User-Agent`.
    pub user_agent: Option<&'b [u8]>,
}

impl<'b> RequestHead<'b> {
    /// The path of the target without query, whether the target came in origin form (`/x?y`) or in absolute form
    /// (`http://host/x?y`); `*` for the asterisk form. Not percent-decoded.
    #[must_use]
    pub fn path(&self) -> &'b [u8] {
        todo!()
    }
}

/// Parses a request head at the front of `buffer`.
///
/// `Ok(None)`: more bytes are needed (and what is there is sane so far).
///
/// # Errors
/// [`HeadError`], whose [`HeadError::status`] is what to answer before the connection is closed.
pub fn parse_request_head<'b>(
    buffer: &'b [u8],
    limits: &HeadLimits,
) -> Result<Option<RequestHead<'b>>, HeadError> {
    let _ = (buffer, limits);
    todo!()
}
