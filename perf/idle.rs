//! Connections that do nothing: opened, used once each, then held. What idle connections cost a server is measured with
//! them. Blocking, one after the other; knows no TLS.

use crate::load::Target;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Held connections. Dropping them resets them, which leaves no port waiting.
#[derive(Debug)]
pub struct Idle {
    connections: Vec<TcpStream>,
}

const BODY: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
/// Longest time for the one request of a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer to it.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

impl Idle {
    /// Opens so many connections; each asks `eth_chainId` once and keeps its connection.
    ///
    /// # Errors
    /// When one of them cannot be opened, is not answered with status 200, or is closed by the server.
    pub fn open(target: &Target, count: usize) -> io::Result<Self> {
        let address = target.resolve()?;
        let mut request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            target.path(),
            target.authority(),
            BODY.len()
        )
        .into_bytes();
        request.extend_from_slice(BODY);
        let mut idle = Self {
            connections: Vec::with_capacity(count),
        };
        for _ in 0..count {
            let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(&request)?;
            read_answer(&mut stream)?;
            idle.connections.push(stream);
        }
        Ok(idle)
    }

    /// Connections that the server has not closed.
    #[must_use]
    pub fn alive(&self) -> usize {
        let is_alive = |stream: &&TcpStream| {
            stream.set_nonblocking(true).is_ok()
                && stream
                    .peek(&mut [0])
                    .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        self.connections.iter().filter(is_alive).count()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        for stream in &self.connections {
            // Without it the port waits for a minute, which only costs a port.
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Reads one answer of status 200 whole: its object ends with the first closing brace at the end of what came.
fn read_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = Vec::with_capacity(512);
    let mut piece = [0; 2048];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
        let head = b"HTTP/1.1 200 ";
        if !answer.starts_with(head.get(..answer.len().min(head.len())).unwrap_or_default())
            || answer.len() > MAX_ANSWER_BYTES
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "no answer of status 200",
            ));
        }
        // Nothing of the head has a brace; a chunked answer ends with its last chunk.
        let body = answer.trim_ascii_end();
        if body.ends_with(b"}") || body.ends_with(b"}\r\n0") {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Idle;
    use crate::load::Target;
    use crate::provider::{Fault, Options, Provider, Rule};

    #[test]
    fn connections_are_held_until_dropped() {
        let provider = Provider::start(Options::default()).unwrap();
        let target = Target::parse(&provider.url()).unwrap();
        let idle = Idle::open(&target, 50).unwrap();
        assert_eq!(idle.alive(), 50);
        assert_eq!(provider.counters().connections_open, 50);
        assert_eq!(provider.counters().calls, 50);
        provider.cut_connections(false).unwrap();
        assert_eq!(idle.alive(), 0);
    }

    #[test]
    fn who_refuses_is_told() {
        let provider = Provider::start(Options::default()).unwrap();
        provider.inject(Rule::always(Fault::unavailable()));
        let target = Target::parse(&provider.url()).unwrap();
        assert!(Idle::open(&target, 1).is_err());
    }
}
