//! Reads the head of an HTTP/1.1 request: as much as a provider needs to find the body. Not a validating parser; what
//! reaches a provider was written by the proxy under test.

use crate::fields::{decimal, value_of};

/// What the head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Length of the head, the empty line included.
    pub(super) head_bytes: usize,
    /// Length of the body.
    pub(super) body_bytes: usize,
    /// The client closes after the answer.
    pub(super) close: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
    /// Anything but POST: a load balancer's probe.
    pub(super) is_post: bool,
}

/// What is in the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Not yet a whole head.
    Partial,
    Whole(Head),
    /// Nothing that this parser reads (a chunked request, no length that is a number).
    Bad,
}

/// Reads the head at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut head = Head {
        head_bytes: 0,
        body_bytes: 0,
        close: false,
        expects_continue: false,
        is_post: bytes.starts_with(b"POST "),
    };
    let mut rest = bytes;
    let mut is_request_line = true;
    loop {
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return Parsed::Partial;
        };
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if is_request_line {
            is_request_line = false;
            head.close = line.ends_with(b"HTTP/1.0");
        } else if line.is_empty() {
            head.head_bytes = bytes.len() - rest.len();
            return Parsed::Whole(head);
        } else if !field(line, &mut head) {
            return Parsed::Bad;
        }
    }
}

fn field(line: &[u8], head: &mut Head) -> bool {
    match line.first() {
        Some(b'c' | b'C') => {
            if let Some(value) = value_of(line, b"content-length") {
                let Some(length) = decimal(value) else {
                    return false;
                };
                head.body_bytes = length;
            } else if let Some(value) = value_of(line, b"connection") {
                head.close |= value.eq_ignore_ascii_case(b"close");
            }
        }
        Some(b'e' | b'E') => head.expects_continue |= value_of(line, b"expect").is_some(),
        Some(b't' | b'T') => return value_of(line, b"transfer-encoding").is_none(),
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Parsed, parse};

    #[test]
    fn a_whole_head_gives_lengths() {
        let bytes =
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"id\"";
        let Parsed::Whole(head) = parse(bytes) else {
            panic!("not whole")
        };
        assert_eq!(bytes[head.head_bytes..], *b"{\"id\"");
        assert_eq!(
            (head.body_bytes, head.close, head.is_post),
            (12, true, true)
        );
    }

    #[test]
    fn a_cut_head_is_partial_at_every_byte() {
        let bytes = b"POST / HTTP/1.1\r\ncontent-length:2\r\n\r\n";
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Parsed::Partial, "{end}");
        }
        assert!(matches!(parse(bytes), Parsed::Whole(head) if head.body_bytes == 2));
    }

    #[test]
    fn what_has_no_readable_length_is_bad() {
        assert_eq!(
            parse(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Parsed::Bad
        );
        assert_eq!(
            parse(b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"),
            Parsed::Bad
        );
        assert_eq!(
            parse(b"POST / HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n"),
            Parsed::Bad
        );
    }
}
