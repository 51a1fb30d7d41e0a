//! A client's request head. Never forwards: it gives the few values that the proxy uses, and how the body is framed.

use core::mem::MaybeUninit;

use super::head::{
    ConnectionFields, Framing, FramingFields, HeadError, HeadLimits, Version, head_end, version,
};

/// Request method (RFC 9110 §9). Case-sensitive, as the RFC has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
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
        let authority_and_path = match self.target {
            [b'h', b't', b't', b'p', b':', b'/', b'/', rest @ ..]
            | [b'h', b't', b't', b'p', b's', b':', b'/', b'/', rest @ ..] => rest,
            other => return before_query(other),
        };
        match memchr::memchr2(b'/', b'?', authority_and_path) {
            Some(at) if authority_and_path.get(at) == Some(&b'/') => {
                before_query(authority_and_path.get(at..).unwrap_or_default())
            }
            _ => b"/",
        }
    }
}

fn before_query(target: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'?', target).unwrap_or(target.len());
    target.get(..end).unwrap_or_default()
}

impl Method {
    fn from_token(token: &str) -> Self {
        match token {
            "POST" => Self::Post,
            "GET" => Self::Get,
            "OPTIONS" => Self::Options,
            "HEAD" => Self::Head,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "CONNECT" => Self::Connect,
            "TRACE" => Self::Trace,
            "PATCH" => Self::Patch,
            _ => Self::Other,
        }
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
    Ok(parse_with_length(buffer, limits)?.map(|(head, _)| head))
}

/// A head, and the digits of its `Content-Length` if it has one.
pub(super) type WithLength<'b> = (RequestHead<'b>, Option<&'b [u8]>);

/// As [`parse_request_head`], with the digits of the length.
pub(super) fn parse_with_length<'b>(
    buffer: &'b [u8],
    limits: &HeadLimits,
) -> Result<Option<WithLength<'b>>, HeadError> {
    // One empty line too many behind the last body is a known fault of clients (RFC 9112 §2.2).
    let skipped = if buffer.starts_with(b"\r\n") { 2 } else { 0 };
    let head = buffer.get(skipped..).unwrap_or_default();
    if head.first().is_some_and(|byte| !byte.is_ascii_graphic()) && head != b"\r" {
        return Err(HeadError::StartLine);
    }
    let max_head_bytes = limits.max_head_bytes.saturating_sub(skipped);
    let Some(end) = head_end(head, max_head_bytes)? else {
        check_start(head, limits)?;
        return Ok(None);
    };
    let head = head.get(..end).unwrap_or_default();
    check_start(head, limits)?;

    let mut slots = [const { MaybeUninit::uninit() }; HeadLimits::HEADER_SLOTS];
    let slots = slots.get_mut(..limits.slots()).unwrap_or_default();
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, slots)? {
        httparse::Status::Complete(bytes) if bytes == end => {}
        _ => return Err(HeadError::StartLine),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(HeadError::StartLine);
    };
    let method = Method::from_token(method);
    let target = target.as_bytes();
    check_target(method, target, limits)?;
    let version = version(parsed.version)?;
    let mut head = RequestHead {
        method,
        target,
        version,
        head_bytes: skipped + end,
        framing: BodyFraming::None,
        keep_alive: false,
        expect_continue: false,
        host: None,
        origin: None,
        access_control_request_method: None,
        access_control_request_headers: None,
        content_type: None,
        content_encoding: None,
        x_request_id: None,
        authorization: None,
        user_agent: None,
    };
    let digits = head.take_fields(parsed.headers)?;
    Ok(Some((head, digits)))
}

/// Checks the start line as far as it is there: its length, and that nobody speaks HTTP/2 to us.
fn check_start(head: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
    /// Room for a method and a version beside the target.
    const BESIDE_TARGET_BYTES: usize = 40;
    let line = memchr::memchr(b'\r', head).unwrap_or(head.len());
    if head.starts_with(b"PRI * HTTP/2.0") {
        return Err(HeadError::Version);
    }
    if line > limits.max_target_bytes.saturating_add(BESIDE_TARGET_BYTES) {
        return Err(HeadError::TargetTooLong);
    }
    Ok(())
}

/// Target forms of RFC 9112 §3.2, visible ASCII, without a fragment.
fn check_target(method: Method, target: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
    if target.len() > limits.max_target_bytes {
        return Err(HeadError::TargetTooLong);
    }
    if !target
        .iter()
        .all(|&byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return Err(HeadError::Target);
    }
    let fits = match target {
        [b'/', ..] => method != Method::Connect,
        b"*" => method == Method::Options,
        _ if method == Method::Connect => true,
        _ => target.starts_with(b"http://") || target.starts_with(b"https://"),
    };
    fits.then_some(()).ok_or(HeadError::Target)
}

impl<'b> RequestHead<'b> {
    /// Takes the fields that mean something; gives the digits of the length.
    fn take_fields(
        &mut self,
        fields: &[httparse::Header<'b>],
    ) -> Result<Option<&'b [u8]>, HeadError> {
        let mut framing = FramingFields::default();
        let mut connection = ConnectionFields::default();
        let mut expect = None;
        for field in fields {
            let (name, value) = (field.name.as_bytes(), field.value);
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            // By length first: most fields of a browser's head are none of ours.
            match name.len() {
                4 if is("host") => once(&mut self.host, value)?,
                6 if is("origin") => once(&mut self.origin, value)?,
                6 if is("expect") => once(&mut expect, value)?,
                10 if is("connection") => connection.take(value),
                10 if is("user-agent") => {
                    self.user_agent.get_or_insert(value);
                }
                12 if is("content-type") => once(&mut self.content_type, value)?,
                12 if is("x-request-id") => {
                    self.x_request_id.get_or_insert(value);
                }
                13 if is("authorization") => once(&mut self.authorization, value)?,
                14 if is("content-length") => framing.content_length(value)?,
                16 if is("content-encoding") => once(&mut self.content_encoding, value)?,
                17 if is("transfer-encoding") => framing.transfer_encoding(value)?,
                29 if is("access-control-request-method") => {
                    once(&mut self.access_control_request_method, value)?;
                }
                30 if is("access-control-request-headers") => {
                    once(&mut self.access_control_request_headers, value)?;
                }
                _ => {}
            }
        }
        match self.host {
            Some(host) if !is_host(host) => return Err(HeadError::Host),
            None if self.version == Version::Http11 => return Err(HeadError::Host),
            _ => {}
        }
        self.framing = match framing.framing(self.version)? {
            Framing::Absent => BodyFraming::None,
            Framing::Length(length) => BodyFraming::Length(length),
            Framing::Chunked => BodyFraming::Chunked,
        };
        self.keep_alive = connection.keeps_alive(self.version);
        self.expect_continue = match expect {
            Some(value) if !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(HeadError::Expectation);
            }
            // HTTP/1.0 knows no interim answers (RFC 9110 §10.1.1).
            expect => expect.is_some() && self.version == Version::Http11,
        };
        Ok(framing.digits())
    }
}

/// Keeps the value of a field that may come once.
fn once<'b>(slot: &mut Option<&'b [u8]>, value: &'b [u8]) -> Result<(), HeadError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(HeadError::RepeatedHeader),
    }
}

/// Whether a `Host` is a name or address with at most a port behind it: nothing that could hide a path, a list or user info.
fn is_host(host: &[u8]) -> bool {
    !host.is_empty()
        && host.iter().all(|byte| {
            matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b':' | b'[' | b']')
        })
}
