//! What request and response heads share: limits, errors, and the line discipline that httparse does not enforce.
//! Never decides what is done about an error; it only names the status that fits.

/// HTTP version of a message. Anything else is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: closes unless asked to keep alive, knows no chunks.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Bounds of a head. What lies beyond is refused before anything is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, its empty line included.
    pub max_head_bytes: usize,
    /// Number of header fields; more than [`HeadLimits::HEADER_SLOTS`] are never taken.
    pub max_headers: usize,
    /// Bytes of the request target.
    pub max_target_bytes: usize,
}

impl HeadLimits {
    /// Upper bound of `max_headers`.
    pub const HEADER_SLOTS: usize = 128;

    /// Fields to make room for.
    pub(super) fn slots(&self) -> usize {
        self.max_headers.min(Self::HEADER_SLOTS)
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            max_head_bytes: 16 * 1024,
            max_headers: 100,
            max_target_bytes: 8 * 1024,
        }
    }
}

/// Why a head was refused. After any of these the connection cannot be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// Not an HTTP/1 start line.
    StartLine,
    /// The target has bytes that no target may have, or a form that fits neither method nor RFC 9112 §3.2.
    Target,
    /// The target is longer than `max_target_bytes`.
    TargetTooLong,
    /// The head is longer than `max_head_bytes`.
    TooLarge,
    /// More than `max_headers` fields.
    TooManyHeaders,
    /// A version other than 1.0 and 1.1 (or the HTTP/2 preface).
    Version,
    /// A line feed without its carriage return, or a carriage return alone.
    BareLineEnd,
    /// A field continued on the next line (obs-fold).
    Folded,
    /// A byte that no field name may have; also white space before the colon.
    HeaderName,
    /// A control byte in a field value.
    HeaderValue,
    /// `Content-Length` is empty, signed, a list, or over 2^63.
    ContentLength,
    /// More than one `Content-Length`, equal or not.
    RepeatedContentLength,
    /// `Content-Length` beside `Transfer-Encoding`.
    LengthAndEncoding,
    /// `Transfer-Encoding` repeated, empty, a list, or sent with HTTP/1.0.
    TransferEncoding,
    /// A transfer coding that we do not implement: a single one that is not `chunked`.
    UnknownCoding,
    /// HTTP/1.1 without `Host`, or an empty or malformed one.
    Host,
    /// A field that may come once came twice (`host`, `authorization`, `origin`, `content-type`, `expect`, …).
    RepeatedHeader,
    /// An expectation other than `100-continue`.
    Expectation,
    /// An upstream's status line is out of range, or an upgrade that nobody asked for (101).
    Status,
}

impl HeadError {
    /// The HTTP status that answers a client whose head has this error. (For an upstream's head the answer is a fault.)
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::TooLarge | Self::TooManyHeaders => 431,
            Self::Version => 505,
            Self::UnknownCoding => 501,
            Self::Expectation => 417,
            _ => 400,
        }
    }
}

/// Finds the end of the head at the front of `buffer`: offset behind its empty line, or `None` if more bytes are due.
///
/// Enforces what httparse lets pass: every line ends in CR LF, and none begins with white space. What is there of an
/// incomplete head is checked too, so that garbage is refused at once and not after the header timeout. (A CR inside a
/// line is refused by httparse, wherever it stands.)
pub(super) fn head_end(buffer: &[u8], max_head_bytes: usize) -> Result<Option<usize>, HeadError> {
    let within = buffer.get(..max_head_bytes).unwrap_or(buffer);
    let mut line_from = 0;
    for line_feed in memchr::memchr_iter(b'\n', within) {
        let line = within.get(line_from..line_feed).unwrap_or_default();
        match line {
            [b'\r'] if line_from > 0 => return Ok(Some(line_feed + 1)),
            [b' ' | b'\t', ..] if line_from > 0 => return Err(HeadError::Folded),
            [.., b'\r'] => {}
            _ => return Err(HeadError::BareLineEnd),
        }
        line_from = line_feed + 1;
    }
    if buffer.len() >= max_head_bytes {
        return Err(HeadError::TooLarge);
    }
    Ok(None)
}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => Self::HeaderName,
            httparse::Error::HeaderValue => Self::HeaderValue,
            httparse::Error::NewLine => Self::BareLineEnd,
            httparse::Error::Status => Self::Status,
            httparse::Error::Token => Self::StartLine,
            httparse::Error::TooManyHeaders => Self::TooManyHeaders,
            httparse::Error::Version => Self::Version,
        }
    }
}

/// The version as httparse counts it.
pub(super) fn version(minor: Option<u8>) -> Result<Version, HeadError> {
    match minor {
        Some(0) => Ok(Version::Http10),
        Some(1) => Ok(Version::Http11),
        _ => Err(HeadError::Version),
    }
}

/// The framing fields of a head, collected one by one; any repetition is an error.
#[derive(Default)]
pub(super) struct FramingFields<'b> {
    length: Option<u64>,
    /// The digits that say so.
    digits: Option<&'b [u8]>,
    chunked: bool,
}

/// What the framing fields say together.
pub(super) enum Framing {
    Absent,
    Length(u64),
    Chunked,
}

impl<'b> FramingFields<'b> {
    /// `Content-Length`: digits, nothing else, once.
    pub(super) fn content_length(&mut self, value: &'b [u8]) -> Result<(), HeadError> {
        const MAX: u64 = i64::MAX as u64;
        if self.length.is_some() {
            return Err(HeadError::RepeatedContentLength);
        }
        if value.is_empty() {
            return Err(HeadError::ContentLength);
        }
        let length = value.iter().try_fold(0_u64, |length, byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            length.checked_mul(10)?.checked_add(digit)
        });
        let length = length.filter(|&length| length <= MAX);
        self.length = Some(length.ok_or(HeadError::ContentLength)?);
        self.digits = Some(value);
        Ok(())
    }

    /// The value of `Content-Length`.
    pub(super) const fn digits(&self) -> Option<&'b [u8]> {
        self.digits
    }

    /// `Transfer-Encoding`: the word `chunked`, nothing else, once.
    pub(super) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if self.chunked || value.is_empty() || value.contains(&b',') {
            return Err(HeadError::TransferEncoding);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(HeadError::UnknownCoding);
        }
        self.chunked = true;
        Ok(())
    }

    pub(super) fn framing(&self, version: Version) -> Result<Framing, HeadError> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(HeadError::LengthAndEncoding),
            (None, true) if version == Version::Http10 => Err(HeadError::TransferEncoding),
            (None, true) => Ok(Framing::Chunked),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, false) => Ok(Framing::Absent),
        }
    }
}

/// What `Connection` fields ask for; several are one list.
#[derive(Default)]
pub(super) struct ConnectionFields {
    close: bool,
    keep_alive: bool,
}

impl ConnectionFields {
    pub(super) fn take(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    pub(super) fn keeps_alive(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}
