//! One connection, plain or under TLS, with the same methods: whoever uses it need not know which.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use crate::net::{ByteCounts, Chunk, Stream};
use crate::tls::TlsStream;

/// A connection of this shard. What holds for [`Stream`] holds here: dropping it closes it in good order, a dropped
/// future leaves it as it was.
#[derive(Debug)]
pub enum Conn {
    /// TCP.
    Plain(Stream),
    /// TLS over TCP.
    Tls(Box<TlsStream>),
}

impl Conn {
    /// Shakes hands as a client for `name`. Dropping the future closes the connection.
    ///
    /// # Errors
    ///
    /// `InvalidData` for what rustls refuses, `UnexpectedEof` when the peer leaves, or the socket's own failure.
    pub async fn tls_client(
        stream: Stream,
        config: Arc<rustls::ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Conn> {
        Ok(Conn::Tls(Box::new(
            TlsStream::client(stream, config, name).await?,
        )))
    }

    /// Shakes hands as a server. Dropping the future closes the connection.
    ///
    /// # Errors
    ///
    /// As [`tls_client`](Self::tls_client).
    pub async fn tls_server(stream: Stream, config: Arc<rustls::ServerConfig>) -> io::Result<Conn> {
        Ok(Conn::Tls(Box::new(
            TlsStream::server(stream, config).await?,
        )))
    }

    /// The next bytes; `None` at an orderly end. See [`Stream::recv`].
    ///
    /// # Errors
    ///
    /// Under TLS also `UnexpectedEof` when the end came without the peer's close_notify, so that what was received may
    /// have been cut short, and `InvalidData` for a broken record.
    pub async fn recv(&self) -> io::Result<Option<Chunk>> {
        match self {
            Conn::Plain(stream) => stream.recv().await,
            Conn::Tls(stream) => stream.recv().await,
        }
    }

    /// Waits until the connection fails. See [`Stream::failed`].
    pub async fn failed(&self) -> io::Error {
        match self {
            Conn::Plain(stream) => stream.failed().await,
            Conn::Tls(stream) => stream.failed().await,
        }
    }

    /// Bytes that can be had without waiting, if there are any.
    pub fn try_recv(&self) -> Option<Chunk> {
        match self {
            Conn::Plain(stream) => stream.try_recv(),
            Conn::Tls(stream) => stream.try_recv(),
        }
    }

    /// Takes bytes over for sending. See [`Stream::send`].
    pub async fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        match self {
            Conn::Plain(stream) => stream.send(bytes).await,
            Conn::Tls(stream) => stream.send(bytes).await,
        }
    }

    /// Waits until the kernel has taken every byte sent so far.
    pub async fn flush(&self) -> io::Result<()> {
        match self {
            Conn::Plain(stream) => stream.flush().await,
            Conn::Tls(stream) => stream.flush().await,
        }
    }

    /// Whether the connection is open and nothing about it is pending. See [`Stream::is_quiet`].
    pub fn is_quiet(&self) -> bool {
        match self {
            Conn::Plain(stream) => stream.is_quiet(),
            Conn::Tls(stream) => stream.is_quiet(),
        }
    }

    /// Whether the peer closed its direction or the connection failed; bytes received before may be unread.
    pub fn has_ended(&self) -> bool {
        match self {
            Conn::Plain(stream) => stream.has_ended(),
            Conn::Tls(stream) => stream.has_ended(),
        }
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> SocketAddr {
        match self {
            Conn::Plain(stream) => stream.peer_addr(),
            Conn::Tls(stream) => stream.peer_addr(),
        }
    }

    /// What went over the wire, TLS's own bytes included.
    pub fn byte_counts(&self) -> ByteCounts {
        match self {
            Conn::Plain(stream) => stream.byte_counts(),
            Conn::Tls(stream) => stream.byte_counts(),
        }
    }

    /// The protocol that ALPN chose, if it did.
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        match self {
            Conn::Plain(_) => None,
            Conn::Tls(stream) => stream.alpn_protocol(),
        }
    }

    /// Closes in good order, with a close_notify under TLS. See [`Stream::close`].
    pub async fn close(self) -> io::Result<()> {
        match self {
            Conn::Plain(stream) => stream.close().await,
            Conn::Tls(stream) => stream.close().await,
        }
    }

    /// Cuts the connection: the peer gets a reset. See [`Stream::abort`].
    pub fn abort(self) {
        match self {
            Conn::Plain(stream) => stream.abort(),
            Conn::Tls(stream) => stream.abort(),
        }
    }

    /// Like [`abort`](Self::abort), and waits until the descriptor is closed.
    pub async fn reset(self) {
        match self {
            Conn::Plain(stream) => stream.reset().await,
            Conn::Tls(stream) => stream.reset().await,
        }
    }
}

impl From<Stream> for Conn {
    fn from(stream: Stream) -> Self {
        Conn::Plain(stream)
    }
}
