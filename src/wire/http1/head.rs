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
    /// Number of header fields (at most [`HeadLimits::HEADER_SLOTS`]).
    pub max_headers: usize,
    /// Bytes of the request target.
    pub max_target_bytes: usize,
}

impl HeadLimits {
    /// Upper bound of `max_headers`.
    pub const HEADER_SLOTS: usize = 128;
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
