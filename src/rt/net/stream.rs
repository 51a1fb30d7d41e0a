//! One TCP connection. Methods take `&self`, so that one task may receive while another sends; a dropped future of
//! any of them leaves the connection as it was.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::Chunk;
use crate::clock;
use crate::deadline::timeout_at;
use crate::ring::slab::Key;
use crate::shard::Shard;

/// What a connection has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// Bytes received, taken by the reader or not.
    pub received: u64,
    /// Bytes that the kernel took for sending.
    pub sent: u64,
}

/// A TCP connection of this shard.
///
/// Dropping it closes it in good order: what was sent still leaves (within the shard's `flush_timeout`), then our
/// direction is closed. A connection whose exchange did not end cleanly is cut with [`abort`](Self::abort) instead.
pub struct Stream {
    shard: Rc<Shard>,
    key: Key,
    peer: SocketAddr,
}

impl Stream {
    pub(crate) fn new(shard: Rc<Shard>, key: Key, peer: SocketAddr) -> Self {
        Self { shard, key, peer }
    }

    /// Connects. There is no time-out of its own; dropping the future gives the attempt up and leaks nothing.
    pub async fn connect(addr: SocketAddr) -> io::Result<Stream> {
        let shard = Shard::current()?;
        let key = shard.with(|driver| driver.dial(addr))?;
        // From here on dropping the future drops the stream, and that cancels the attempt.
        let stream = Stream::new(shard, key, addr);
        poll_fn(|cx| stream.shard.with(|driver| driver.poll_dial(key, cx))).await?;
        Ok(stream)
    }

    /// The next bytes; `None` when the peer has closed its direction.
    ///
    /// # Errors
    ///
    /// What the kernel reports, `ConnectionReset` for one.
    pub async fn recv(&self) -> io::Result<Option<Chunk>> {
        let taken =
            poll_fn(|cx| self.shard.with(|driver| driver.poll_receive(self.key, cx))).await?;
        Ok(taken.map(|taken| Chunk::lent(self.shard.clone(), self.key, taken)))
    }

    /// Waits until the connection fails: a reset by the peer for one. The peer's orderly end (FIN) does not end the
    /// wait, since whoever has said all may still listen. Takes nothing of what is received.
    pub async fn failed(&self) -> io::Error {
        poll_fn(|cx| self.shard.with(|driver| driver.poll_failed(self.key, cx))).await
    }

    /// Bytes that have been received already, if there are any.
    pub fn try_recv(&self) -> Option<Chunk> {
        let taken = self.shard.with(|driver| driver.try_receive(self.key))?;
        Some(Chunk::lent(self.shard.clone(), self.key, taken))
    }

    /// Takes `bytes` over for sending, in order and whole. It is ready at once unless earlier bytes are still under
    /// way, and never waits for the peer to have them; [`flush`](Self::flush) waits for the kernel.
    ///
    /// A future dropped before it is ready has sent nothing. What several calls of one turn give leaves in one send.
    ///
    /// # Errors
    ///
    /// The failure of this or an earlier send, as the kernel reports it.
    pub async fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        self.room_for(bytes.len()).await?;
        self.append(bytes);
        Ok(())
    }

    /// Waits until [`append`](Self::append) may take this many bytes.
    pub(crate) async fn room_for(&self, len: usize) -> io::Result<()> {
        poll_fn(|cx| {
            self.shard
                .with(|driver| driver.poll_room(self.key, len, cx))
        })
        .await
    }

    /// Takes bytes for sending behind all others, without a wait.
    pub(crate) fn append(&self, bytes: Vec<u8>) {
        self.shard.with(|driver| driver.append(self.key, bytes));
    }

    /// A send buffer of the connection's shard.
    pub(crate) fn take_buffer(&self) -> Vec<u8> {
        self.shard.with(|driver| driver.take_buffer())
    }

    /// Cuts the connection, whoever still holds it.
    pub(crate) fn cut(&self) {
        self.shard.with(|driver| driver.begin_abort(self.key));
    }

    /// Waits until the kernel has taken every byte sent so far.
    pub async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| self.shard.with(|driver| driver.poll_flush(self.key, cx))).await
    }

    /// Whether the connection is open and nothing about it is pending: no end, nothing unread, no chunk on loan,
    /// nothing under way. Only such a connection may go back to a pool.
    pub fn is_quiet(&self) -> bool {
        self.shard.look(|driver| driver.is_quiet(self.key))
    }

    /// Whether the peer closed its direction or the connection failed; bytes received before may be unread.
    pub fn has_ended(&self) -> bool {
        self.shard.look(|driver| driver.has_ended(self.key))
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// What the connection has carried so far.
    pub fn byte_counts(&self) -> ByteCounts {
        self.shard.look(|driver| {
            let socket = driver.sockets.get(self.key);
            socket.map_or_else(ByteCounts::default, |socket| ByteCounts {
                received: socket.received_bytes,
                sent: socket.sent_bytes,
            })
        })
    }

    /// Closes in good order: waits until what was sent has left, at most `flush_timeout`, then closes our direction.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the bytes did not leave (the peer then gets a reset), or the send's own failure.
    pub async fn close(self) -> io::Result<()> {
        self.flush_in_time().await
    }

    /// [`flush`](Self::flush) within `flush_timeout`, after which the connection is cut.
    pub(crate) async fn flush_in_time(&self) -> io::Result<()> {
        let flush_ns = self.shard.look(|driver| driver.limits.flush_ns);
        let until_ns = clock::now().saturating_add(flush_ns);
        match timeout_at(until_ns, self.flush()).await {
            Ok(flushed) => flushed,
            Err(elapsed) => {
                self.cut();
                Err(io::Error::new(io::ErrorKind::TimedOut, elapsed))
            }
        }
    }

    /// Waits until the descriptor is closed.
    pub(crate) async fn gone(&self) {
        poll_fn(|cx| self.shard.with(|driver| driver.poll_gone(self.key, cx))).await;
    }

    /// Cuts the connection: the peer gets a reset, never an orderly end, and what was not sent yet is not.
    pub fn abort(self) {
        self.cut();
    }

    /// Like [`abort`](Self::abort), and waits until the descriptor is closed.
    pub async fn reset(self) {
        self.cut();
        self.gone().await;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shard.with(|driver| driver.begin_close(self.key));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
