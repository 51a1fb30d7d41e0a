//! Connecting. A connect that nobody waits for any more is cancelled, and its descriptor closed on the completion.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::task::{Context, Poll};

use io_uring::{opcode, types};
use socket2::{Domain, Protocol, SockAddr, Type};

use super::Driver;
use super::slab::Key;
use super::socket::{Life, Socket, kernel_error, not_open};
use super::token::{Op, pack};

impl Driver {
    /// Opens a socket and gives its connect to the kernel.
    pub(crate) fn dial(&mut self, addr: SocketAddr) -> io::Result<Key> {
        let kind = Type::STREAM.cloexec();
        // Not O_NONBLOCK: the ring would answer EAGAIN where it should wait.
        let socket =
            socket2::Socket::new_raw(Domain::for_address(addr), kind, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        let fd = socket.as_raw_fd();
        let mut entry = Socket::new(OwnedFd::from(socket), Life::Connecting);
        let addr: &SockAddr = entry.dialled.insert(Box::new(SockAddr::from(addr)));
        let connect = opcode::Connect::new(types::Fd(fd), addr.as_ptr().cast(), addr.len()).build();
        entry.dialling = true;
        let key = self
            .sockets
            .insert(entry)
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        self.push(connect.user_data(pack(Op::Connect, key)));
        Ok(key)
    }

    /// Ready when the connect is decided.
    pub(crate) fn poll_dial(&mut self, key: Key, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let Some(socket) = self.sockets.get_mut(key) else {
            return Poll::Ready(Err(not_open()));
        };
        match socket.dial_result {
            None => {
                socket.writers.register(cx);
                Poll::Pending
            }
            Some(result) => Poll::Ready(result.map_err(kernel_error)),
        }
    }

    /// The connect completed.
    pub(crate) fn on_connect(&mut self, key: Key, result: i32) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        socket.dialling = false;
        socket.dialled = None;
        if socket.life == Life::Closing {
            return self.leave(key);
        }
        socket.dial_result = Some(if result < 0 { Err(-result) } else { Ok(()) });
        socket.writers.drain_into(&mut self.wakers);
        if result >= 0 {
            socket.life = Life::Open;
            self.arm_receive(key);
        }
    }

    /// Takes over a connected descriptor and begins to receive from it.
    pub(crate) fn adopt(&mut self, fd: OwnedFd) -> io::Result<Key> {
        let socket = Socket::new(fd, Life::Open);
        let key = self
            .sockets
            .insert(socket)
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        self.arm_receive(key);
        Ok(key)
    }
}
