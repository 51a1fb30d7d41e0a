//! TLS over a stream.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use crate::net::{ByteCounts, Chunk, Stream};

/// A TLS connection over a [`Stream`].
#[derive(Debug)]
pub struct TlsStream {
    stream: Stream,
}

impl TlsStream {
    pub(crate) async fn client(
        _: Stream,
        _: Arc<rustls::ClientConfig>,
        _: ServerName<'static>,
    ) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(crate) async fn server(_: Stream, _: Arc<rustls::ServerConfig>) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
    pub(crate) async fn recv(&self) -> io::Result<Option<Chunk>> {
        self.stream.recv().await
    }
    pub(crate) fn try_recv(&self) -> Option<Chunk> {
        self.stream.try_recv()
    }
    pub(crate) async fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        self.stream.send(bytes).await
    }
    pub(crate) async fn failed(&self) -> io::Error {
        self.stream.failed().await
    }
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.stream.flush().await
    }
    pub(crate) fn is_quiet(&self) -> bool {
        self.stream.is_quiet()
    }
    pub(crate) fn has_ended(&self) -> bool {
        self.stream.has_ended()
    }
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.stream.peer_addr()
    }
    pub(crate) fn byte_counts(&self) -> ByteCounts {
        self.stream.byte_counts()
    }
    pub(crate) fn alpn_protocol(&self) -> Option<Vec<u8>> {
        None
    }
    pub(crate) async fn close(self) -> io::Result<()> {
        self.stream.close().await
    }
    pub(crate) fn abort(self) {
        self.stream.abort();
    }
    pub(crate) async fn reset(self) {
        self.stream.reset().await;
    }
}
