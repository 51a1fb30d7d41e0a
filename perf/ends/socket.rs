//! A socket that never blocks, watched by an epoll instance, and what could not be sent at once. Knows no HTTP.

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_congestion;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};

/// One connection.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// What the kernel had no room for.
    pending: Vec<u8>,
}

/// What a receive gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The peer is done, or the connection is broken.
    End,
}

/// The cheapest congestion control: on the loopback there is nothing to control, and some of them arm a timer for each
/// send. The proxy's own sockets keep what the machine is set to. A kernel that refuses only costs more.
pub(super) fn plain_congestion_control(socket: impl AsFd) {
    let _ = set_tcp_congestion(socket, "reno");
}

impl Socket {
    /// Takes a connection over, which from now on is reported under `token`: once for whatever comes, and once there is
    /// room again.
    pub(super) fn watch(stream: TcpStream, epoll: &OwnedFd, token: u64) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        plain_congestion_control(&stream);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(epoll, stream.as_fd(), EventData::new_u64(token), flags)?;
        Ok(Self {
            stream,
            pending: Vec::new(),
        })
    }

    pub(super) fn receive(&self, into: &mut [u8]) -> Received {
        loop {
            return match recv(&self.stream, &mut *into, RecvFlags::empty()) {
                Ok((0, _)) => Received::End,
                Ok((count, _)) => Received::Bytes(count),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Received::Nothing,
                Err(_) => Received::End,
            };
        }
    }

    /// Sends all of it, now or when there is room.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(bytes);
            return self.flush();
        }
        let sent = self.try_send(bytes)?;
        self.pending
            .extend_from_slice(bytes.get(sent..).unwrap_or_default());
        Ok(())
    }

    /// Sends what is left of earlier sends, as far as there is room.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let sent = self.try_send(&self.pending)?;
        self.pending.drain(..sent);
        Ok(())
    }

    /// As much as there is room for.
    fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match send(&self.stream, rest, SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sent)
    }
}
