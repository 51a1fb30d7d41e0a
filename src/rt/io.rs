//! A connection as futures-io sees one, for cold users (WebSocket handshakes, HTTP clients of libraries). It copies;
//! hot paths use [`Conn`] itself.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::conn::Conn;
use crate::net::Chunk;

/// The most that one write takes over, so that a large one is answered in pieces.
const WRITE_BYTES: usize = 64 * 1024;

type Pending<T> = Option<Pin<Box<dyn Future<Output = io::Result<T>>>>>;

/// A [`Conn`] with futures-io's traits.
///
/// A write is taken over as a whole once there is room, as [`Conn::send`] does. Closing flushes and then drops the
/// connection, which says close_notify under TLS.
pub struct ConnIo {
    conn: Option<Rc<Conn>>,
    chunk: Option<Chunk>,
    reading: Pending<Option<Chunk>>,
    writing: Pending<()>,
    flushing: Pending<()>,
}

impl ConnIo {
    /// Wraps a connection.
    pub fn new(conn: Conn) -> Self {
        Self {
            conn: Some(Rc::new(conn)),
            chunk: None,
            reading: None,
            writing: None,
            flushing: None,
        }
    }

    /// Gives the connection back, with what was received and not read; `None` if it was closed or a write still waits,
    /// in which case the connection is dropped. Flush first.
    pub fn into_inner(mut self) -> Option<(Conn, Option<Chunk>)> {
        self.reading = None;
        self.flushing = None;
        let conn = Rc::into_inner(self.conn.take()?)?;
        Some((conn, self.chunk.take()))
    }

    fn conn(&self) -> io::Result<Rc<Conn>> {
        self.conn
            .clone()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection is closed"))
    }
}

/// Polls what is under way, or begins it.
fn go_on<T>(
    slot: &mut Pending<T>,
    begin: impl FnOnce() -> io::Result<Pin<Box<dyn Future<Output = io::Result<T>>>>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    let mut future = match slot.take() {
        Some(future) => future,
        None => begin()?,
    };
    let polled = future.as_mut().poll(cx);
    if polled.is_pending() {
        *slot = Some(future);
    }
    polled
}

impl AsyncRead for ConnIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(chunk) = &mut self.chunk {
                let count = chunk.len().min(buf.len());
                if let (Some(to), Some(from)) = (buf.get_mut(..count), chunk.get(..count)) {
                    to.copy_from_slice(from);
                }
                chunk.advance(count);
                if chunk.is_empty() {
                    self.chunk = None;
                }
                return Poll::Ready(Ok(count));
            }
            let conn = self.conn();
            let begin = || {
                let conn = conn?;
                let future: Pin<Box<dyn Future<Output = _>>> =
                    Box::pin(async move { conn.recv().await });
                Ok(future)
            };
            match ready!(go_on(&mut self.reading, begin, cx))? {
                Some(chunk) if !chunk.is_empty() => self.chunk = Some(chunk),
                Some(_) => {}
                None => return Poll::Ready(Ok(0)),
            }
        }
    }
}

impl AsyncWrite for ConnIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        // One write may be waiting for room; the bytes of the next are taken only after it.
        if self.writing.is_some() {
            ready!(go_on(
                &mut self.writing,
                || Err(io::ErrorKind::Other.into()),
                cx
            ))?;
        }
        let conn = self.conn()?;
        let piece = buf.get(..WRITE_BYTES).unwrap_or(buf);
        let mut bytes = crate::take_buffer();
        bytes.extend_from_slice(piece);
        let mut send: Pin<Box<dyn Future<Output = _>>> =
            Box::pin(async move { conn.send(bytes).await });
        if let Poll::Ready(sent) = send.as_mut().poll(cx) {
            return Poll::Ready(sent.map(|()| piece.len()));
        }
        // Taken over all the same: it is sent before anything else, and a failure shows at the next call.
        self.writing = Some(send);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writing.is_some() {
            ready!(go_on(
                &mut self.writing,
                || Err(io::ErrorKind::Other.into()),
                cx
            ))?;
        }
        let conn = self.conn();
        let begin = || {
            let conn = conn?;
            let future: Pin<Box<dyn Future<Output = _>>> =
                Box::pin(async move { conn.flush().await });
            Ok(future)
        };
        go_on(&mut self.flushing, begin, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.conn.is_none() {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(self.as_mut().poll_flush(cx));
        self.reading = None;
        self.flushing = None;
        self.conn = None;
        Poll::Ready(flushed)
    }
}

impl fmt::Debug for ConnIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnIo")
            .field("conn", &self.conn)
            .finish_non_exhaustive()
    }
}
