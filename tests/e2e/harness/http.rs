//! An HTTP/1.1 client that sends exactly the bytes it is given and shows what came back. It follows nothing, retries
//! nothing and hides nothing; where the peer breaks the protocol, it panics with what it saw.

use serde_json::Value;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any test expects to wait; a read that takes so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

/// One connection.
pub struct Client {
    stream: Box<dyn Duplex>,
    socket: Option<TcpStream>,
    received: Vec<u8>,
}

/// One response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(self.body.get(..2000).unwrap_or(&self.body));
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

impl Response {
    /// The first field of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The bytes of a POST.
pub fn post_bytes(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Client {
    /// A connection in clear.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE).expect("a connection"))
    }

    /// A connection in clear, from this address of the machine.
    pub fn connect_from(from: Ipv4Addr, address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        let from = SocketAddr::from((from, 0));
        socket.bind(&from.into()).expect("an address of loopback");
        socket.connect(&address.into()).expect("a connection");
        Self::over(socket.into())
    }

    fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        socket
            .set_write_timeout(Some(PATIENCE))
            .expect("a time-out");
        socket.set_nodelay(true).expect("an option");
        let stream = Box::new(socket.try_clone().expect("a descriptor"));
        Self {
            stream,
            socket: Some(socket),
            received: Vec::new(),
        }
    }

    /// A connection over TLS that trusts what `config` trusts.
    pub fn connect_tls(
        address: SocketAddr,
        config: std::sync::Arc<rustls::ClientConfig>,
        name: &str,
    ) -> Self {
        let socket = TcpStream::connect_timeout(&address, PATIENCE).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let name = rustls::pki_types::ServerName::try_from(name.to_owned()).expect("a name");
        let session = rustls::ClientConnection::new(config, name).expect("a session");
        Self {
            stream: Box::new(rustls::StreamOwned::new(session, socket)),
            socket: None,
            received: Vec::new(),
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Says that nothing more will be sent (FIN).
    pub fn finish_sending(&self) {
        let socket = self.socket.as_ref().expect("a connection in clear");
        socket
            .shutdown(std::net::Shutdown::Write)
            .expect("a shutdown");
    }

    /// Breaks off at once (RST): a close that leaves nothing to linger.
    pub fn reset(self) {
        let socket = self.socket.as_ref().expect("a connection in clear");
        socket2::SockRef::from(socket)
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("an option");
    }

    /// Sends a POST and reads its answer.
    pub fn post(&mut self, path: &str, body: &str) -> Response {
        self.send(&post_bytes(path, body))
            .expect("the request is taken");
        self.response()
    }

    /// Sends a POST with further header lines and reads its answer.
    pub fn post_with(&mut self, path: &str, headers: &[&str], body: &str) -> Response {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\n{lines}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(text.as_bytes()).expect("the request is taken");
        self.response()
    }

    /// Sends a request with the given head lines, without the empty one, and no body; reads its answer.
    pub fn request(&mut self, head: &[&str]) -> Response {
        let text = format!("{}\r\n\r\n", head.join("\r\n"));
        self.send(text.as_bytes()).expect("the request is taken");
        self.response()
    }

    /// Reads a response that must come, whole.
    pub fn response(&mut self) -> Response {
        match self.try_response() {
            Ok(response) => response,
            Err(error) => panic!("no whole response: {error}; received {}", self.shown()),
        }
    }

    /// Reads a response; an error if the connection ends within.
    pub fn try_response(&mut self) -> io::Result<Response> {
        let (status, headers) = self.head()?;
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        if status == 204 || status == 304 || status < 200 {
            return Ok(response);
        }
        let length = response
            .header("content-length")
            .map(|v| v.parse().expect("a length"));
        let chunked = response
            .header("transfer-encoding")
            .is_some_and(|v| v == "chunked");
        assert!(!(chunked && length.is_some()), "two framings: {response}");
        response.body = match length {
            Some(length) => self.take(length)?,
            None if chunked => self.chunks()?,
            None => panic!("an answer without framing: {response}"),
        };
        Ok(response)
    }

    /// Reads a response's head only.
    pub fn head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            self.fill()?;
        };
        let head =
            String::from_utf8(self.received.drain(..end + 4).collect()).expect("a head in ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default();
        assert!(
            first.starts_with("HTTP/1.1 "),
            "a strange status line: {first:?}"
        );
        let status = first
            .get(9..12)
            .and_then(|s| s.parse().ok())
            .expect("a status");
        let headers = lines
            .map(|line| {
                let (name, value) = line
                    .split_once(": ")
                    .unwrap_or_else(|| panic!("a strange field: {line:?}"));
                (name.to_ascii_lowercase(), value.to_owned())
            })
            .collect();
        Ok((status, headers))
    }

    /// Reads so many bytes.
    pub fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < count {
            self.fill()?;
        }
        Ok(self.received.drain(..count).collect())
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.received.windows(2).position(|w| w == b"\r\n") {
                let line = self.received.drain(..at + 2).collect::<Vec<_>>();
                return Ok(String::from_utf8_lossy(line.trim_ascii()).into_owned());
            }
            self.fill()?;
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(&line, 16)
                .unwrap_or_else(|_| panic!("a strange chunk: {line:?}"));
            if size == 0 {
                assert_eq!(self.line()?, "", "trailers");
                return Ok(body);
            }
            body.extend(self.take(size)?);
            assert_eq!(self.take(2)?, b"\r\n", "a chunk's end");
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.received
                    .extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(())
            }
        }
    }

    /// Waits for the end of the connection; anything that comes before it is a failure.
    pub fn assert_closed(&mut self) {
        match self.fill() {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection was not closed: {error}"),
            Ok(()) => panic!("more came: {}", self.shown()),
        }
        assert!(self.received.is_empty(), "more came: {}", self.shown());
    }

    /// Reads to the end of the connection, however it ends; true if that was a clean FIN.
    pub fn read_out(&mut self) -> (Vec<u8>, bool) {
        loop {
            if let Err(error) = self.fill() {
                let clean = error.kind() == io::ErrorKind::UnexpectedEof;
                assert_ne!(
                    error.kind(),
                    io::ErrorKind::WouldBlock,
                    "the connection never ended"
                );
                return (std::mem::take(&mut self.received), clean);
            }
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(self.received.get(..500).unwrap_or(&self.received)).into_owned()
    }
}
