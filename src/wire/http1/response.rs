//! An upstream's response head, read as strictly as a client's request. Never follows or relays a header of it.

use super::head::{HeadError, HeadLimits, Version};

/// How the body that follows a response head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// No body (1xx, 204, 304, or the answer to HEAD).
    None,
    /// Exactly so many bytes.
    Length(u64),
    /// Chunks, for [`super::ChunkedDecoder`].
    Chunked,
    /// Until the connection ends; it cannot be told from a truncation, so the JSON must be whole.
    UntilClose,
}

/// `Content-Encoding` of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// None, or `identity`.
    Identity,
    /// `gzip` or `x-gzip`.
    Gzip,
    /// Anything else, lists included: we did not ask for it.
    Other,
}

/// A response head, all slices within the buffer that was parsed.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'b> {
    /// Status code, 100 to 599.
    pub status: u16,
    /// 1.0 or 1.1.
    pub version: Version,
    /// Length of the head with its empty line: the body (or after an interim head, the next head) starts here.
    pub head_bytes: usize,
    /// A 1xx head: skip it and parse the next one.
    pub interim: bool,
    /// How the body is delimited.
    pub framing: ResponseFraming,
    /// Whether the upstream lets the connection live after this exchange.
    pub keep_alive: bool,
    /// How the body is encoded.
    pub content_encoding: ContentEncoding,
    /// `Content-Type`.
    pub content_type: Option<&'b [u8]>,
    /// `Retry-After`, raw: see [`super::parse_retry_after`].
    pub retry_after: Option<&'b [u8]>,
    /// `RateLimit-Reset`, `X-RateLimit-Reset` or `X-Rate-Limit-Reset`, raw: see [`super::parse_rate_limit_reset`].
    pub rate_limit_reset: Option<&'b [u8]>,
}

/// Parses a response head at the front of `buffer`. `to_head` tells that the request was HEAD.
///
/// `Ok(None)`: more bytes are needed (and what is there is sane so far).
///
/// # Errors
/// [`HeadError`]: the answer is unusable and so is the connection.
pub fn parse_response_head<'b>(
    buffer: &'b [u8],
    to_head: bool,
    limits: &HeadLimits,
) -> Result<Option<ResponseHead<'b>>, HeadError> {
    let _ = (buffer, to_head, limits);
    todo!()
}
