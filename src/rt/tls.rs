//! TLS over a stream, through rustls' unbuffered API: records are decrypted where they were received, and encrypted
//! into the buffer that is sent. An end without the peer's close_notify is never reported as an orderly one.

mod session;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls_pki_types::ServerName;

use crate::net::{ByteCounts, Chunk, Stream};
use session::{Machine, State, Write};

/// A TLS connection over a [`Stream`], after its handshake.
pub struct TlsStream {
    stream: Stream,
    state: RefCell<State>,
}

impl TlsStream {
    pub(crate) async fn client(
        stream: Stream,
        config: Arc<rustls::ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let session = UnbufferedClientConnection::new(config, name).map_err(session::refused)?;
        Self::shake_hands(stream, Machine::Client(Box::new(session))).await
    }

    pub(crate) async fn server(
        stream: Stream,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        let session = UnbufferedServerConnection::new(config).map_err(session::refused)?;
        Self::shake_hands(stream, Machine::Server(Box::new(session))).await
    }

    async fn shake_hands(stream: Stream, machine: Machine) -> io::Result<Self> {
        let tls = Self {
            stream,
            state: RefCell::new(State::new(machine)),
        };
        tls.advance(&Write::Nothing)?;
        while tls.state.borrow().is_handshaking() {
            tls.stream.room_for(0).await?;
            let Some(chunk) = tls.stream.recv().await? else {
                return Err(session::truncated());
            };
            tls.absorb(chunk)?;
        }
        tls.state.borrow_mut().shaken = true;
        Ok(tls)
    }

    /// Lets the session consume a received chunk; what it answers is sent, what it yields waits in the state.
    fn absorb(&self, chunk: Chunk) -> io::Result<()> {
        let mut out = self.stream.take_buffer();
        let result = self.state.borrow_mut().absorb(chunk, &mut out);
        self.stream.append(out);
        result
    }

    /// Lets the session write, or do what it has pending.
    fn advance(&self, write: &Write<'_>) -> io::Result<()> {
        let mut out = self.stream.take_buffer();
        let result = self.state.borrow_mut().advance(write, &mut out);
        self.stream.append(out);
        result
    }

    pub(crate) async fn recv(&self) -> io::Result<Option<Chunk>> {
        loop {
            if let Some(plain) = self.state.borrow_mut().next_plain()? {
                return Ok(Some(plain));
            }
            if self.state.borrow().peer_closed {
                return Ok(None);
            }
            match self.stream.recv().await? {
                Some(chunk) => self.absorb(chunk)?,
                None => return Err(self.state.borrow_mut().truncate()),
            }
        }
    }

    /// Consumes what has been received already.
    fn absorb_received(&self) {
        while let Some(chunk) = self.stream.try_recv() {
            // A failure stays in the state, and the next receive reports it.
            if self.absorb(chunk).is_err() {
                break;
            }
        }
    }

    pub(crate) fn try_recv(&self) -> Option<Chunk> {
        self.absorb_received();
        self.state.borrow_mut().next_plain().ok().flatten()
    }

    pub(crate) async fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        self.stream
            .room_for(session::sealed_len(bytes.len()))
            .await?;
        if !bytes.is_empty() {
            self.advance(&Write::Data(&bytes))?;
        }
        crate::recycle(bytes);
        Ok(())
    }

    pub(crate) async fn failed(&self) -> io::Error {
        self.stream.failed().await
    }

    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.stream.flush().await
    }

    pub(crate) fn is_quiet(&self) -> bool {
        // Session tickets come when they please and are no reason not to use a connection again.
        self.absorb_received();
        self.stream.is_quiet() && self.state.borrow().is_quiet()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.stream.has_ended() || self.state.borrow().has_ended()
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.stream.peer_addr()
    }

    pub(crate) fn byte_counts(&self) -> ByteCounts {
        self.stream.byte_counts()
    }

    pub(crate) fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.state.borrow().alpn_protocol()
    }

    /// Says close_notify once, as far as the session still can.
    fn say_goodbye(&self) {
        let due = std::mem::take(&mut self.state.borrow_mut().shaken);
        if due {
            // A session that failed has said its alert already.
            let _ = self.advance(&Write::CloseNotify);
        }
    }

    pub(crate) async fn close(self) -> io::Result<()> {
        self.say_goodbye();
        self.stream.flush_in_time().await
    }

    pub(crate) fn abort(self) {
        self.state.borrow_mut().shaken = false;
        self.stream.cut();
    }

    pub(crate) async fn reset(self) {
        self.state.borrow_mut().shaken = false;
        self.stream.cut();
        self.stream.gone().await;
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.say_goodbye();
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("peer", &self.stream.peer_addr())
            .finish_non_exhaustive()
    }
}
