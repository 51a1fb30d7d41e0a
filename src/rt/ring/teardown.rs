//! The end of a connection: flush, close our direction, wait for the peer's, close the descriptor. A descriptor is
//! never closed while the kernel holds an operation on it, so its number cannot reach a stranger's completion.

use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::SockRef;

use super::Driver;
use super::slab::Key;
use super::socket::{End, Life, Receive, Sending, Socket};
use super::token::{Op, pack};

impl Driver {
    /// The owner gave the connection up: what it sent is flushed within the bound, then our direction is closed.
    pub(crate) fn begin_close(&mut self, key: Key) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        match socket.life {
            Life::Connecting => return self.begin_abort(key),
            Life::Open => {}
            Life::Flushing | Life::Lingering | Life::Closing => return,
        }
        socket.life = Life::Flushing;
        self.discard_received(key);
        self.leave(key);
        if self
            .sockets
            .get(key)
            .is_some_and(|socket| socket.life == Life::Flushing)
        {
            self.flushing
                .push_back((self.now_ns.saturating_add(self.limits.flush_ns), key));
        }
    }

    /// The connection is cut: a reset goes to the peer, nothing more is sent.
    pub(crate) fn begin_abort(&mut self, key: Key) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.life == Life::Closing {
            return;
        }
        // Failure leaves an orderly close, which is all that is left to do for this descriptor.
        let _ = SockRef::from(&socket.fd).set_linger(Some(std::time::Duration::ZERO));
        socket.life = Life::Closing;
        self.discard_received(key);
        self.leave(key);
    }

    /// Ready when the connection's descriptor is closed.
    pub(crate) fn poll_gone(&mut self, key: Key, cx: &Context<'_>) -> Poll<()> {
        match self.sockets.get_mut(key) {
            None => Poll::Ready(()),
            Some(socket) => {
                socket.leavers.register(cx);
                Poll::Pending
            }
        }
    }

    /// Moves a connection that was given up as far along as it can go now.
    pub(crate) fn leave(&mut self, key: Key) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.life == Life::Flushing && socket.sending == Sending::Idle {
            if socket.send_error.is_some() || socket.end.is_some() {
                socket.life = Life::Closing;
            } else if SockRef::from(&socket.fd).shutdown(Shutdown::Write).is_ok() {
                // Closing at once would answer bytes still under way to us with a reset, and that can destroy what
                // the peer has not read yet.
                socket.life = Life::Lingering;
                self.lingering
                    .push_back((self.now_ns.saturating_add(self.limits.linger_ns), key));
            } else {
                socket.life = Life::Closing;
            }
        }
        if socket.life == Life::Lingering && socket.end.is_some() {
            socket.life = Life::Closing;
        }
        match socket.life {
            Life::Flushing | Life::Lingering if socket.receive == Receive::Off => {
                self.arm_receive(key)
            }
            Life::Closing => self.finish(key),
            _ => {}
        }
    }

    /// The shard ends: no more patience with this connection.
    pub(crate) fn end_now(&mut self, key: Key) {
        if let Some(socket) = self.sockets.get_mut(key) {
            socket.life = Life::Closing;
            self.discard_received(key);
            self.finish(key);
        }
    }

    /// Cancels what the kernel still holds; closes the descriptor when it holds nothing.
    fn finish(&mut self, key: Key) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.sending == Sending::Queued {
            socket.sending = Sending::Idle;
            socket.queued = Vec::new();
        }
        if socket.in_kernel() {
            let (sending, dialling) = (socket.sending, socket.dialling);
            self.cancel_receive(key);
            if sending == Sending::Rest {
                self.cancel(pack(Op::SendRest, key));
            }
            if dialling {
                self.cancel(pack(Op::Connect, key));
            }
            return;
        }
        if let Some(mut socket) = self.sockets.remove(key) {
            for waiters in [
                &mut socket.readers,
                &mut socket.writers,
                &mut socket.leavers,
            ] {
                waiters.drain_into(&mut self.wakers);
            }
        }
    }

    /// Gives back the buffers of everything received that nobody will read.
    fn discard_received(&mut self, key: Key) {
        use super::socket::Piece;
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        for piece in std::mem::take(&mut socket.received) {
            if let Piece::Ring { id, .. } = piece {
                self.buffers.give_back(id);
            }
        }
    }

    /// Ends the patience with connections that were given up and do not leave by themselves.
    pub(crate) fn expire_leaving(&mut self) {
        while let Some(&(due_ns, key)) = self.flushing.front() {
            if due_ns > self.now_ns {
                break;
            }
            self.flushing.pop_front();
            if self
                .sockets
                .get(key)
                .is_some_and(|socket| socket.life == Life::Flushing)
            {
                self.begin_abort(key);
            }
        }
        while let Some(&(due_ns, key)) = self.lingering.front() {
            if due_ns > self.now_ns {
                break;
            }
            self.lingering.pop_front();
            if let Some(socket) = self.sockets.get_mut(key)
                && socket.life == Life::Lingering
            {
                socket.life = Life::Closing;
                self.finish(key);
            }
        }
    }

    /// When the ring next has to look after a leaving connection or a paused listener.
    pub(crate) fn next_chore_ns(&self) -> Option<u64> {
        let flushing = self.flushing.front().map(|&(due_ns, _)| due_ns);
        let lingering = self.lingering.front().map(|&(due_ns, _)| due_ns);
        let paused = self.accept_pauses.front().map(|&(due_ns, _)| due_ns);
        [flushing, lingering, paused].into_iter().flatten().min()
    }

    /// Whether anything is still being flushed.
    pub(crate) fn is_flushing(&mut self) -> bool {
        self.sockets
            .values_mut()
            .any(|socket: &mut Socket| socket.life == Life::Flushing)
    }

    /// Whether the connection is open and nothing about it is pending, in either direction.
    pub(crate) fn is_quiet(&self, key: Key) -> bool {
        self.sockets.get(key).is_some_and(|socket| {
            socket.life == Life::Open
                && socket.end.is_none()
                && socket.send_error.is_none()
                && socket.received.is_empty()
                && socket.held == 0
                && socket.sending == Sending::Idle
        })
    }

    /// Whether the peer has closed its direction or the connection failed; bytes may still be unread.
    pub(crate) fn has_ended(&self, key: Key) -> bool {
        self.sockets
            .get(key)
            .is_none_or(|socket| matches!(socket.end, Some(End::Eof | End::Error(_))))
    }
}
