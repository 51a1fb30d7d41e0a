//! One connection of the load: sends a request, reads the whole answer, says what it was. Opens a new connection when
//! the old one is spoiled; never sends a request twice.

use super::record::Failure;
use crate::fields::{decimal, value_of};
use crate::transport::{Guarded, Transport};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Longest response head.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Where connections go, and what they speak.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) max_response_bytes: usize,
}

/// A keep-alive connection.
#[derive(Debug)]
pub(crate) struct Client {
    route: Route,
    transport: Option<Transport>,
    input: Vec<u8>,
    /// The body of a chunked answer, put together.
    joined: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    /// Head and body as they came.
    pub(crate) bytes: usize,
}

/// What the head of a response says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its length, the empty line included.
    pub(crate) bytes: usize,
    pub(crate) status: u16,
    pub(crate) length: Option<usize>,
    is_chunked: bool,
    /// The connection ends with this answer.
    pub(crate) close: bool,
}

impl Client {
    pub(crate) fn new(route: Route) -> Self {
        Self {
            route,
            transport: None,
            input: Vec::with_capacity(16 * 1024),
            joined: Vec::new(),
        }
    }

    /// Forgets the connection: its state is unknown.
    pub(crate) fn spoil(&mut self) {
        self.transport = None;
        self.input.clear();
    }

    /// Connects where there is no connection.
    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        if self.transport.is_some() {
            return Ok(());
        }
        self.input.clear();
        let stream = TcpStream::connect(self.route.address)
            .await
            .map_err(|_| Failure::Connect)?;
        let guarded = Guarded::new(stream, Arc::default());
        self.transport = Some(match self.route.tls.clone() {
            None => Transport::plain(guarded),
            Some((config, name)) => Transport::tls_client(guarded, config, name)
                .await
                .map_err(|_| Failure::Tls)?,
        });
        Ok(())
    }

    /// Sends one request and reads its answer. After a failure the connection is closed.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>, Failure> {
        match self.try_exchange(request).await {
            Ok((head, taken)) => {
                if head.close {
                    self.transport = None;
                }
                let body = if head.is_chunked {
                    &self.joined
                } else {
                    self.input.get(head.bytes..taken).unwrap_or_default()
                };
                Ok(Response {
                    status: head.status,
                    body,
                    bytes: taken,
                })
            }
            Err(failure) => {
                self.spoil();
                Err(failure)
            }
        }
    }

    async fn try_exchange(&mut self, request: &[u8]) -> Result<(Head, usize), Failure> {
        self.connect().await?;
        let Some(transport) = &mut self.transport else {
            return Err(Failure::Connect);
        };
        // Whatever came unasked since the last answer is not this one's.
        self.input.clear();
        transport
            .write_all(request)
            .await
            .map_err(|error| broken(&error))?;
        let mut skipped = 0;
        let head = loop {
            match parse_head(self.input.get(skipped..).unwrap_or_default())? {
                // 1xx: the real answer follows.
                Some(head) if (100..200).contains(&head.status) => skipped += head.bytes,
                Some(head) => {
                    break Head {
                        bytes: head.bytes + skipped,
                        ..head
                    };
                }
                None if self.input.len() > MAX_HEAD_BYTES => return Err(Failure::Framing),
                None => more(transport, &mut self.input).await?,
            }
        };
        let taken = if head.is_chunked {
            self.read_chunks(head.bytes).await?
        } else {
            self.read_sized(&head).await?
        };
        if self.input.len() > taken {
            // More than was asked for: whose answer comes next on this connection is anybody's guess.
            return Err(Failure::Framing);
        }
        Ok((head, taken))
    }

    async fn read_sized(&mut self, head: &Head) -> Result<usize, Failure> {
        let Some(transport) = &mut self.transport else {
            return Err(Failure::Closed);
        };
        let limit = self.route.max_response_bytes;
        if let Some(length) = head.length {
            let end = head.bytes.saturating_add(length);
            if length > limit {
                return Err(Failure::Framing);
            }
            while self.input.len() < end {
                more(transport, &mut self.input).await?;
            }
            return Ok(end);
        }
        if matches!(head.status, 204 | 304) {
            return Ok(head.bytes);
        }
        // No length: the body ends with the connection.
        loop {
            match transport.read_more(&mut self.input).await {
                Ok(0) => break,
                Ok(_) if self.input.len() > limit => return Err(Failure::Framing),
                Ok(_) => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        self.transport = None;
        Ok(self.input.len())
    }

    async fn read_chunks(&mut self, start: usize) -> Result<usize, Failure> {
        let Some(transport) = &mut self.transport else {
            return Err(Failure::Closed);
        };
        self.joined.clear();
        let mut at = start;
        loop {
            let Some((size, data)) = chunk_head(&self.input, at)? else {
                more(transport, &mut self.input).await?;
                continue;
            };
            let end = data.saturating_add(size);
            if self.joined.len().saturating_add(size) > self.route.max_response_bytes {
                return Err(Failure::Framing);
            }
            while self.input.len() < end.saturating_add(2) {
                more(transport, &mut self.input).await?;
            }
            if self.input.get(end..end + 2) != Some(b"\r\n") {
                // Trailers, too: no JSON-RPC server sends any.
                return Err(Failure::Framing);
            }
            self.joined
                .extend_from_slice(self.input.get(data..end).unwrap_or_default());
            at = end + 2;
            if size == 0 {
                return Ok(at);
            }
        }
    }
}

async fn more(transport: &mut Transport, input: &mut Vec<u8>) -> Result<(), Failure> {
    match transport.read_more(input).await {
        Ok(0) => Err(Failure::Closed),
        Ok(_) => Ok(()),
        Err(error) => Err(broken(&error)),
    }
}

fn broken(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::Closed,
        _ => Failure::Reset,
    }
}

/// Size of the chunk whose line begins at `at`, and where its data begin; `None` when the line is not whole.
fn chunk_head(input: &[u8], at: usize) -> Result<Option<(usize, usize)>, Failure> {
    let rest = input.get(at..).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\n', rest) else {
        return if rest.len() > 1024 {
            Err(Failure::Framing)
        } else {
            Ok(None)
        };
    };
    let line = rest.get(..end).unwrap_or_default();
    let digits = line
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let text = std::str::from_utf8(digits).map_err(|_| Failure::Framing)?;
    let size = usize::from_str_radix(text, 16).map_err(|_| Failure::Framing)?;
    Ok(Some((size, at + end + 1)))
}

/// Reads the head at the start of `input`; `None` when it is not whole.
pub(crate) fn parse_head(input: &[u8]) -> Result<Option<Head>, Failure> {
    let mut head = Head::default();
    let mut rest = input;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let line = line.trim_ascii_end();
        if head.status == 0 {
            head.status = parse_status(line).ok_or(Failure::Framing)?;
        } else if line.is_empty() {
            head.bytes = input.len() - rest.len();
            return Ok(Some(head));
        } else if let Some(value) = value_of(line, b"content-length") {
            head.length = Some(decimal(value).ok_or(Failure::Framing)?);
        } else if let Some(value) = value_of(line, b"transfer-encoding") {
            head.is_chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if let Some(value) = value_of(line, b"connection") {
            head.close = value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok(None)
}

fn parse_status(line: &[u8]) -> Option<u16> {
    let code = line.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    u16::try_from(decimal(code)?)
        .ok()
        .filter(|code| (100..=999).contains(code))
}

#[cfg(test)]
mod tests {
    use super::{Failure, chunk_head, parse_head};

    #[test]
    fn heads_are_read_once_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Close\r\n\r\n{\"id\"";
        for end in 0..bytes.len() - 5 {
            assert_eq!(parse_head(&bytes[..end]), Ok(None), "{end}");
        }
        let head = parse_head(bytes).unwrap().unwrap();
        assert_eq!(
            (head.status, head.length, head.close, head.bytes),
            (200, Some(5), true, bytes.len() - 5)
        );
    }

    #[test]
    fn what_is_no_response_is_a_framing_failure() {
        for text in [
            "<html>\n",
            "HTTP/2 200\r\n",
            "HTTP/1.1 2x0 OK\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n",
        ] {
            assert_eq!(parse_head(text.as_bytes()), Err(Failure::Framing), "{text}");
        }
    }

    #[test]
    fn chunk_lines() {
        assert_eq!(chunk_head(b"xx1F;a=b\r\ndata", 2), Ok(Some((31, 10))));
        assert_eq!(chunk_head(b"1", 0), Ok(None));
        assert_eq!(chunk_head(b"\r\n", 0), Err(Failure::Framing));
        assert_eq!(chunk_head(b"-1\r\n", 0), Err(Failure::Framing));
    }
}
