//! Sending: what a turn produced for a socket leaves in one send that must finish within its submission; what a full
//! socket did not take goes on as one ordinary send that owns its bytes. There are never two sends of one socket in
//! the kernel, and bytes are never touched while it may still read them.
use std::io;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use io_uring::{opcode, squeue, types};

use super::Driver;
use super::slab::Key;
use super::socket::{Life, Sending, Socket, kernel_error, not_open};
use super::token::{Op, pack};

/// Up to here, sends of one turn are put together by copying; beyond it the later one waits its turn.
const JOIN_BYTES: usize = 64 * 1024;

/// The most that one send is asked to move.
const MAX_SEND_BYTES: usize = 1 << 30;

impl Driver {
    /// Ready when [`append`](Self::append) may take more, by the rule that bounds what is queued.
    pub(crate) fn poll_room(
        &mut self,
        key: Key,
        len: usize,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(socket) = self.sockets.get_mut(key) else {
            return Poll::Ready(Err(not_open()));
        };
        if let Some(errno) = socket.send_error {
            return Poll::Ready(Err(kernel_error(errno)));
        }
        if socket.life != Life::Open {
            return Poll::Ready(Err(not_open()));
        }
        let room = match socket.sending {
            Sending::Idle => true,
            Sending::Queued => socket.queued.len().saturating_add(len) <= JOIN_BYTES,
            Sending::Now | Sending::Rest => false,
        };
        if room {
            return Poll::Ready(Ok(()));
        }
        socket.writers.register(cx);
        Poll::Pending
    }

    /// Takes `bytes` for sending, behind everything before them. Only what is small and bounded by its protocol (a TLS
    /// alert) may come without [`poll_room`](Self::poll_room).
    pub(crate) fn append(&mut self, key: Key, bytes: Vec<u8>) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if bytes.is_empty() || socket.life != Life::Open || socket.send_error.is_some() {
            return;
        }
        if socket.sending == Sending::Idle {
            socket.sending = Sending::Queued;
            self.dirty.push(key);
        }
        if socket.queued.is_empty() {
            socket.queued = bytes;
        } else {
            socket.queued.extend_from_slice(&bytes);
            self.recycle(bytes);
        }
    }

    /// Ready once the kernel has taken every byte accepted so far.
    pub(crate) fn poll_flush(&mut self, key: Key, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let Some(socket) = self.sockets.get_mut(key) else {
            return Poll::Ready(Err(not_open()));
        };
        if let Some(errno) = socket.send_error {
            return Poll::Ready(Err(kernel_error(errno)));
        }
        if socket.sending == Sending::Idle {
            return Poll::Ready(Ok(()));
        }
        socket.writers.register(cx);
        Poll::Pending
    }

    /// Before a turn: every socket with something to send gets its one send.
    pub(crate) fn submit_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            let Some(socket) = self.sockets.get_mut(key) else {
                continue;
            };
            if socket.sending != Sending::Queued {
                continue;
            }
            socket.sending = Sending::Now;
            socket.flight = std::mem::take(&mut socket.queued);
            socket.flight_sent = 0;
            if socket.flight.len() > MAX_SEND_BYTES {
                // One send cannot say all of it, and silence must mean all.
                self.send_rest(key);
                continue;
            }
            let entry = opcode::Send::new(
                types::Fd(socket.fd.as_raw_fd()),
                socket.flight.as_ptr(),
                wire_len(&socket.flight),
            )
            .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_WAITALL)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS);
            // A send that succeeds leaves no completion, so a wait would not end for whoever waits for it.
            self.awaited |= !socket.writers.is_empty() || socket.life != Life::Open;
            self.push(entry.user_data(pack(Op::SendNow, key)));
            self.instant_sends.push(key);
        }
        self.dirty = dirty;
    }

    /// A send that had to finish within its submission did not: take it from where it stopped.
    pub(crate) fn on_send_now(&mut self, key: Key, result: i32) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.sending != Sending::Now {
            return;
        }
        match result {
            errno if errno == -libc::EAGAIN || errno == -libc::EINTR => {}
            count if count >= 0 => socket.flight_sent = usize::try_from(count).unwrap_or(0),
            errno => return self.send_failed(key, -errno),
        }
        self.send_rest(key);
    }

    /// The ordinary send of a full socket's rest completed.
    pub(crate) fn on_send_rest(&mut self, key: Key, result: i32) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.sending != Sending::Rest {
            return;
        }
        match result {
            errno if errno == -libc::EAGAIN || errno == -libc::EINTR => {}
            count if count > 0 => socket.flight_sent += usize::try_from(count).unwrap_or(0),
            0 => return self.send_failed(key, libc::EPIPE),
            errno => return self.send_failed(key, -errno),
        }
        self.send_rest(key);
    }

    /// After a turn whose submissions all ran: sends that left no completion are done.
    pub(crate) fn settle_sends(&mut self) {
        let mut keys = std::mem::take(&mut self.instant_sends);
        for key in keys.drain(..) {
            if self
                .sockets
                .get(key)
                .is_some_and(|socket| socket.sending == Sending::Now)
            {
                self.sent(key);
            }
        }
        self.instant_sends = keys;
    }

    /// Gives the rest of `flight` to the kernel as one send that may wait, or finishes.
    fn send_rest(&mut self, key: Key) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.life == Life::Closing {
            return self.send_failed(key, libc::ECANCELED);
        }
        let rest = socket.flight.get(socket.flight_sent..).unwrap_or_default();
        if rest.is_empty() {
            return self.sent(key);
        }
        socket.sending = Sending::Rest;
        let entry = opcode::Send::new(
            types::Fd(socket.fd.as_raw_fd()),
            rest.as_ptr(),
            wire_len(rest),
        )
        .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
        .build();
        self.counters.full_sockets += 1;
        self.push(entry.user_data(pack(Op::SendRest, key)));
    }

    fn sent(&mut self, key: Key) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        socket.sent_bytes += socket.flight.len() as u64;
        let spent = Self::end_send(socket);
        if socket.queued.is_empty() {
            socket.writers.drain_into(&mut self.wakers);
        } else {
            socket.sending = Sending::Queued;
            self.dirty.push(key);
        }
        let life = socket.life;
        self.recycle(spent);
        if life != Life::Open {
            self.leave(key);
        }
    }

    fn send_failed(&mut self, key: Key, errno: i32) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        socket.sent_bytes += socket.flight_sent as u64;
        socket.send_error = Some(errno);
        socket.queued = Vec::new();
        let spent = Self::end_send(socket);
        socket.writers.drain_into(&mut self.wakers);
        let life = socket.life;
        self.recycle(spent);
        if life != Life::Open {
            self.leave(key);
        }
    }

    fn end_send(socket: &mut Socket) -> Vec<u8> {
        socket.sending = Sending::Idle;
        socket.flight_sent = 0;
        std::mem::take(&mut socket.flight)
    }
}

/// A send's length as the kernel takes it; what is beyond the most of one send goes as its rest.
fn wire_len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len().min(MAX_SEND_BYTES)).unwrap_or(u32::MAX)
}
