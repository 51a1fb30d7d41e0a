//! An upstream's response head, read as strictly as a client's request. Never follows or relays a header of it.

use core::mem::MaybeUninit;

use super::head::{
    ConnectionFields, Framing, FramingFields, HeadError, HeadLimits, Version, head_end, version,
};
use super::waits::{WaitLines, is_wait_field};

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
    /// The lines from the first to the last field that may say when to come back, others between them included: [`super::wait_fields`] finds
    /// them.
    pub waits: Option<&'b [u8]>,
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
    Ok(parse_with_length(buffer, to_head, limits)?.map(|(head, _)| head))
}

/// A head, and the digits of its `Content-Length` if it has one.
pub(super) type WithLength<'b> = (ResponseHead<'b>, Option<&'b [u8]>);

/// As [`parse_response_head`], with the digits of the length.
pub(super) fn parse_with_length<'b>(
    buffer: &'b [u8],
    to_head: bool,
    limits: &HeadLimits,
) -> Result<Option<WithLength<'b>>, HeadError> {
    const PROTOCOL: &[u8] = b"HTTP/1.";
    if !PROTOCOL.iter().zip(buffer).all(|(due, byte)| due == byte) {
        return Err(HeadError::StartLine);
    }
    let Some(end) = head_end(buffer, limits.max_head_bytes)? else {
        return Ok(None);
    };
    let head = buffer.get(..end).unwrap_or_default();
    let mut slots = [const { MaybeUninit::uninit() }; HeadLimits::HEADER_SLOTS];
    let slots = slots.get_mut(..limits.slots()).unwrap_or_default();
    let mut parsed = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    match parser.parse_response_with_uninit_headers(&mut parsed, head, slots)? {
        httparse::Status::Complete(bytes) if bytes == end => {}
        _ => return Err(HeadError::StartLine),
    }
    let status = parsed.code.unwrap_or_default();
    // 101 would end HTTP on the connection, and we never ask for it.
    if !(100..600).contains(&status) || status == 101 {
        return Err(HeadError::Status);
    }
    let mut head = ResponseHead {
        status,
        version: version(parsed.version)?,
        head_bytes: end,
        interim: status < 200,
        framing: ResponseFraming::None,
        keep_alive: false,
        content_encoding: ContentEncoding::Identity,
        content_type: None,
        waits: None,
    };
    let mut waits = WaitLines::default();
    let digits = head.take_fields(parsed.headers, to_head, &mut waits)?;
    head.waits = waits.of(buffer);
    Ok(Some((head, digits)))
}

impl<'b> ResponseHead<'b> {
    fn take_fields(
        &mut self,
        fields: &[httparse::Header<'b>],
        to_head: bool,
        waits: &mut WaitLines<'b>,
    ) -> Result<Option<&'b [u8]>, HeadError> {
        let mut framing = FramingFields::default();
        let mut connection = ConnectionFields::default();
        let mut encoding = None;
        for field in fields {
            let (name, value) = (field.name.as_bytes(), field.value);
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            match name.len() {
                10 if is("connection") => connection.take(value),
                12 if is("content-type") => {
                    self.content_type.get_or_insert(value);
                }
                14 if is("content-length") => framing.content_length(value)?,
                16 if is("content-encoding") => {
                    let this = coding(value);
                    encoding = match encoding {
                        None => Some(this),
                        Some(_) => Some(ContentEncoding::Other),
                    };
                }
                17 if is("transfer-encoding") => framing.transfer_encoding(value)?,
                _ if is_wait_field(name) => waits.take(name, value),
                _ => {}
            }
        }
        self.content_encoding = encoding.unwrap_or(ContentEncoding::Identity);
        let digits = framing.digits();
        let framing = framing.framing(self.version)?;
        let mut clean = true;
        self.framing = if self.interim || self.status == 204 {
            // Neither may announce a body (RFC 9110 §8.6, RFC 9112 §6.1). Whoever does may also send one.
            clean = matches!(framing, Framing::Absent | Framing::Length(0));
            ResponseFraming::None
        } else if to_head || self.status == 304 {
            ResponseFraming::None
        } else {
            match framing {
                Framing::Length(length) => ResponseFraming::Length(length),
                Framing::Chunked => ResponseFraming::Chunked,
                Framing::Absent => ResponseFraming::UntilClose,
            }
        };
        self.keep_alive = clean
            && self.framing != ResponseFraming::UntilClose
            && connection.keeps_alive(self.version);
        Ok(digits)
    }
}

fn coding(value: &[u8]) -> ContentEncoding {
    let is = |known: &[u8]| value.eq_ignore_ascii_case(known);
    if is(b"gzip") || is(b"x-gzip") {
        ContentEncoding::Gzip
    } else if is(b"identity") || value.is_empty() {
        ContentEncoding::Identity
    } else {
        ContentEncoding::Other
    }
}
