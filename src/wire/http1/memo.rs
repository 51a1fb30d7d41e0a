//! Heads that are the same as the last one. On a connection that lives on, the same bytes come again and again, but for the digits
//! of `Content-Length`: then what the parser said last time is what it would say now, and the price is a comparison.
//!
//! Never lenient: nothing is taken but what the parsers accepted byte for byte, under the same limits.

use super::head::{HeadError, HeadLimits, Version};
use super::request::{BodyFraming, Method, RequestHead, parse_with_length as parse_request};
use super::response::{
    ContentEncoding, ResponseFraming, ResponseHead, parse_with_length as parse_response,
};
use crate::Span;

#[cfg(test)]
mod tests;

/// Heads longer than this are not remembered: a connection keeps one for as long as it lives.
pub const MAX_MEMO_BYTES: usize = 1024;

/// After so many heads in a row that were not the one before, a connection is taken for one whose heads all differ (a request
/// id in each), and only every [`RARELY`]th is remembered.
const MISSES: u32 = 8;
const RARELY: u32 = 64;

/// More digits than this in a length are not remembered, so that any of as many is within the parser's bound.
const MAX_DIGITS: usize = 15;

/// The bytes of a head that was accepted.
#[derive(Debug, Default)]
struct Template {
    head: Vec<u8>,
    /// The digits of `Content-Length`; empty without one.
    digits: Span,
    limits: HeadLimits,
    misses: u32,
}

/// A head that is the remembered one.
struct Same {
    /// What its `Content-Length` says, if it has one.
    length: Option<u64>,
}

impl Template {
    /// Whether the front of `buffer` is the remembered head, but for the digits of its length, of which there are as many.
    #[inline]
    fn read(&mut self, buffer: &[u8], limits: &HeadLimits) -> Option<Same> {
        let same = self.compare(buffer, limits);
        self.misses = match same {
            Some(_) => 0,
            None => self.misses.wrapping_add(1),
        };
        same
    }

    #[inline]
    fn compare(&self, buffer: &[u8], limits: &HeadLimits) -> Option<Same> {
        if self.head.is_empty() || self.limits != *limits {
            return None;
        }
        let Span { start, end } = self.digits;
        let (start, end) = (start as usize, end as usize);
        let head = buffer.get(..self.head.len())?;
        if head.get(end..)? != self.head.get(end..)?
            || head.get(..start)? != self.head.get(..start)?
        {
            return None;
        }
        if start == end {
            return Some(Same { length: None });
        }
        let mut digits = head.get(start..end)?.iter();
        let length = digits.try_fold(0, |length: u64, digit| {
            digit
                .is_ascii_digit()
                .then(|| length * 10 + u64::from(digit - b'0'))
        });
        Some(Same {
            length: Some(length?),
        })
    }

    /// Remembers the first `head_bytes` of `buffer`, whose length stands at `digits`. Says whether it did.
    fn learn(
        &mut self,
        buffer: &[u8],
        head_bytes: usize,
        digits: Option<&[u8]>,
        limits: &HeadLimits,
    ) -> bool {
        let often = self.misses <= MISSES || self.misses.is_multiple_of(RARELY);
        let fits = head_bytes <= MAX_MEMO_BYTES && digits.is_none_or(|d| d.len() <= MAX_DIGITS);
        let digits = digits.map_or(Some(Span::default()), |digits| span_in(buffer, digits));
        match (buffer.get(..head_bytes), digits) {
            (Some(head), Some(digits)) if often && fits => {
                self.head.clear();
                self.head.reserve_exact(head.len());
                self.head.extend_from_slice(head);
                self.digits = digits;
                self.limits = *limits;
                true
            }
            _ => false,
        }
    }
}

/// Where `part` lies in `whole`, of which it is a slice.
fn span_in(whole: &[u8], part: &[u8]) -> Option<Span> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (whole.get(start..end)? == part).then(|| Span::new(start, end))
}

/// Where a field's value lies; the empty span at 0, where no value is, if it is not there.
#[derive(Clone, Copy, Debug, Default)]
struct Place(Span);

impl Place {
    /// The place of a value; `None` if there is a value that is not within `whole`.
    fn of(whole: &[u8], value: Option<&[u8]>) -> Option<Self> {
        match value {
            None => Some(Self::default()),
            Some(value) => span_in(whole, value).map(Self),
        }
    }

    /// The value of the same field.
    #[inline]
    fn read(self, buffer: &[u8]) -> Option<&[u8]> {
        match self.0.end {
            0 => None,
            _ => buffer.get(self.0.range()),
        }
    }
}

/// [`super::parse_request_head`] for the requests of one connection: the same answers, sooner.
#[derive(Debug, Default)]
pub struct RequestMemo {
    template: Template,
    known: Option<KnownRequest>,
}

/// A [`RequestHead`] without its buffer and without its length.
#[derive(Clone, Copy, Debug)]
struct KnownRequest {
    method: Method,
    version: Version,
    head_bytes: usize,
    chunked: bool,
    keep_alive: bool,
    expect_continue: bool,
    target: Place,
    host: Place,
    origin: Place,
    access_control_request_method: Place,
    access_control_request_headers: Place,
    content_type: Place,
    content_encoding: Place,
    x_request_id: Place,
    authorization: Place,
    user_agent: Place,
}

impl RequestMemo {
    /// Parses as [`super::parse_request_head`] does.
    ///
    /// # Errors
    /// [`HeadError`], as there.
    #[inline]
    pub fn parse<'b>(
        &mut self,
        buffer: &'b [u8],
        limits: &HeadLimits,
    ) -> Result<Option<RequestHead<'b>>, HeadError> {
        if let Some(same) = self.template.read(buffer, limits)
            && let Some(known) = &self.known
            && let Some(head) = known.head(buffer, &same)
        {
            return Ok(Some(head));
        }
        self.parse_new(buffer, limits)
    }

    #[inline(never)]
    fn parse_new<'b>(
        &mut self,
        buffer: &'b [u8],
        limits: &HeadLimits,
    ) -> Result<Option<RequestHead<'b>>, HeadError> {
        let Some((head, digits)) = parse_request(buffer, limits)? else {
            return Ok(None);
        };
        let template = &mut self.template;
        if template.learn(buffer, head.head_bytes, digits, limits) {
            self.known = KnownRequest::of(buffer, &head);
        }
        Ok(Some(head))
    }
}

impl KnownRequest {
    fn of(buffer: &[u8], head: &RequestHead<'_>) -> Option<Self> {
        let place = |value| Place::of(buffer, value);
        Some(Self {
            method: head.method,
            version: head.version,
            head_bytes: head.head_bytes,
            chunked: head.framing == BodyFraming::Chunked,
            keep_alive: head.keep_alive,
            expect_continue: head.expect_continue,
            target: place(Some(head.target))?,
            host: place(head.host)?,
            origin: place(head.origin)?,
            access_control_request_method: place(head.access_control_request_method)?,
            access_control_request_headers: place(head.access_control_request_headers)?,
            content_type: place(head.content_type)?,
            content_encoding: place(head.content_encoding)?,
            x_request_id: place(head.x_request_id)?,
            authorization: place(head.authorization)?,
            user_agent: place(head.user_agent)?,
        })
    }

    #[inline]
    fn head<'b>(&self, buffer: &'b [u8], same: &Same) -> Option<RequestHead<'b>> {
        Some(RequestHead {
            method: self.method,
            target: self.target.read(buffer)?,
            version: self.version,
            head_bytes: self.head_bytes,
            framing: match (same.length, self.chunked) {
                (Some(length), _) => BodyFraming::Length(length),
                (None, true) => BodyFraming::Chunked,
                (None, false) => BodyFraming::None,
            },
            keep_alive: self.keep_alive,
            expect_continue: self.expect_continue,
            host: self.host.read(buffer),
            origin: self.origin.read(buffer),
            access_control_request_method: self.access_control_request_method.read(buffer),
            access_control_request_headers: self.access_control_request_headers.read(buffer),
            content_type: self.content_type.read(buffer),
            content_encoding: self.content_encoding.read(buffer),
            x_request_id: self.x_request_id.read(buffer),
            authorization: self.authorization.read(buffer),
            user_agent: self.user_agent.read(buffer),
        })
    }
}

/// [`super::parse_response_head`] for the answers of one upstream (to anything but HEAD): the same answers, sooner.
#[derive(Debug, Default)]
pub struct ResponseMemo {
    template: Template,
    known: Option<KnownResponse>,
}

/// A [`ResponseHead`] without its buffer and without its length.
#[derive(Clone, Copy, Debug)]
struct KnownResponse {
    status: u16,
    version: Version,
    head_bytes: usize,
    chunked: bool,
    keep_alive: bool,
    content_encoding: ContentEncoding,
    content_type: Place,
    waits: Place,
}

impl ResponseMemo {
    /// Parses as [`super::parse_response_head`] does, of an answer to a request that was not HEAD.
    ///
    /// # Errors
    /// [`HeadError`], as there.
    #[inline]
    pub fn parse<'b>(
        &mut self,
        buffer: &'b [u8],
        limits: &HeadLimits,
    ) -> Result<Option<ResponseHead<'b>>, HeadError> {
        if let Some(same) = self.template.read(buffer, limits)
            && let Some(known) = &self.known
        {
            return Ok(Some(known.head(buffer, &same)));
        }
        self.parse_new(buffer, limits)
    }

    #[inline(never)]
    fn parse_new<'b>(
        &mut self,
        buffer: &'b [u8],
        limits: &HeadLimits,
    ) -> Result<Option<ResponseHead<'b>>, HeadError> {
        let Some((head, digits)) = parse_response(buffer, false, limits)? else {
            return Ok(None);
        };
        // Heads without a body of their own are rare, and what their length means is another matter.
        let usual = matches!(
            head.framing,
            ResponseFraming::Length(_) | ResponseFraming::Chunked
        );
        let template = &mut self.template;
        if usual && template.learn(buffer, head.head_bytes, digits, limits) {
            self.known = KnownResponse::of(buffer, &head);
        }
        Ok(Some(head))
    }
}

impl KnownResponse {
    fn of(buffer: &[u8], head: &ResponseHead<'_>) -> Option<Self> {
        let place = |value| Place::of(buffer, value);
        Some(Self {
            status: head.status,
            version: head.version,
            head_bytes: head.head_bytes,
            chunked: head.framing == ResponseFraming::Chunked,
            keep_alive: head.keep_alive,
            content_encoding: head.content_encoding,
            content_type: place(head.content_type)?,
            waits: place(head.waits)?,
        })
    }

    #[inline]
    fn head<'b>(&self, buffer: &'b [u8], same: &Same) -> ResponseHead<'b> {
        ResponseHead {
            status: self.status,
            version: self.version,
            head_bytes: self.head_bytes,
            interim: false,
            framing: match (same.length, self.chunked) {
                (Some(length), _) => ResponseFraming::Length(length),
                (None, true) => ResponseFraming::Chunked,
                (None, false) => ResponseFraming::UntilClose,
            },
            keep_alive: self.keep_alive,
            content_encoding: self.content_encoding,
            content_type: self.content_type.read(buffer),
            waits: self.waits.read(buffer),
        }
    }
}
