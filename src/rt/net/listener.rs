//! Listening sockets. Accepting is never raced against anything in the kernel, so no connection is ever lost in it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use socket2::{Domain, Protocol, Socket, Type};

use super::Stream;
use crate::ring::slab::Key;
use crate::shard::Shard;

/// How to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// Connections that the kernel completes ahead of us, at most; its own limit is `net.core.somaxconn`.
    pub backlog: i32,
    /// Whether several shards may listen on one address, and the kernel spreads connections over them.
    pub reuse_port: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 4096,
            reuse_port: true,
        }
    }
}

/// A listening socket of this shard. Dropping it closes it; connections already accepted go on.
pub struct Listener {
    shard: Rc<Shard>,
    key: Key,
    local: SocketAddr,
}

impl Listener {
    /// Binds and listens; IPv4 or IPv6 as the address says. An IPv6 listener does not take IPv4 connections.
    pub fn bind(addr: SocketAddr, options: &ListenOptions) -> io::Result<Listener> {
        let shard = Shard::current()?;
        let socket = Socket::new_raw(
            Domain::for_address(addr),
            Type::STREAM.cloexec(),
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        if options.reuse_port {
            socket.set_reuse_port(true)?;
        }
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Accepted sockets inherit it.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&addr.into())?;
        socket.listen(options.backlog)?;
        let local = socket
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let key = shard.with(|driver| driver.listen(OwnedFd::from(socket)))?;
        Ok(Listener { shard, key, local })
    }

    /// The next connection and its peer's address. Dropping the future loses no connection.
    ///
    /// # Errors
    ///
    /// `NotConnected` once the listener is closed; nothing else ends it.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        loop {
            let fd =
                poll_fn(|cx| self.shard.with(|driver| driver.poll_accept(self.key, cx))).await?;
            let peer = socket2::SockRef::from(&fd).peer_addr();
            // A peer that is gone already has no address any more; nobody waits for its answer.
            let Some(peer) = peer.ok().and_then(|peer| peer.as_socket()) else {
                continue;
            };
            let key = self.shard.with(|driver| driver.adopt(fd))?;
            return Ok((Stream::new(self.shard.clone(), key, peer), peer));
        }
    }

    /// The address that is listened on, with the port that the kernel chose if it was 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// Stops listening at once. Connections that were accepted and not collected are closed.
    pub fn close(&self) {
        self.shard.with(|driver| driver.close_acceptor(self.key));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}
