//! Receiving: one multishot receive a socket, paused when the reader lags, starved when buffers run out. It never
//! re-arms a starved receive before buffers came back, and never holds ring buffers for a reader that does not read.
use std::io;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use io_uring::{cqueue, opcode, types};

use super::Driver;
use super::buffers::GROUP;
use super::slab::Key;
use super::socket::{End, Life, Piece, Receive, kernel_error, not_open};
use super::token::{Op, pack};

/// One received piece, on its way to become a `Chunk`.
pub(crate) enum Taken {
    /// In the ring's buffer of this id, which begins at the pointer.
    Ring { id: u16, start: *mut u8, len: u32 },
    /// On the heap.
    Heap(Vec<u8>),
}

impl Driver {
    /// The next received piece, the end (`None`), or a registration to be woken.
    pub(crate) fn poll_receive(
        &mut self,
        key: Key,
        cx: &Context<'_>,
    ) -> Poll<io::Result<Option<Taken>>> {
        let Some(socket) = self.sockets.get_mut(key) else {
            return Poll::Ready(Err(not_open()));
        };
        if let Some(piece) = socket.received.pop_front() {
            return Poll::Ready(Ok(Some(self.take(piece))));
        }
        match socket.end {
            Some(End::Eof) => Poll::Ready(Ok(None)),
            Some(End::Error(errno)) => Poll::Ready(Err(kernel_error(errno))),
            None if socket.life != Life::Open => Poll::Ready(Err(not_open())),
            None => {
                socket.readers.register(cx);
                Poll::Pending
            }
        }
    }

    /// Ready once the connection has failed. The peer's orderly end is no failure, and what was received may be unread.
    pub(crate) fn poll_failed(&mut self, key: Key, cx: &Context<'_>) -> Poll<io::Error> {
        let Some(socket) = self.sockets.get_mut(key) else {
            return Poll::Ready(not_open());
        };
        match socket.end {
            Some(End::Error(errno)) => Poll::Ready(kernel_error(errno)),
            None if socket.life != Life::Open => Poll::Ready(not_open()),
            None | Some(End::Eof) => {
                socket.readers.register(cx);
                Poll::Pending
            }
        }
    }

    /// A received piece if there is one.
    pub(crate) fn try_receive(&mut self, key: Key) -> Option<Taken> {
        let piece = self.sockets.get_mut(key)?.received.pop_front()?;
        Some(self.take(piece))
    }

    fn take(&mut self, piece: Piece) -> Taken {
        self.counters.chunks_out += 1;
        match piece {
            Piece::Ring { id, len } => {
                self.buffers.lend();
                Taken::Ring {
                    id,
                    start: self.buffers.start(id),
                    len,
                }
            }
            Piece::Heap(bytes) => Taken::Heap(bytes),
        }
    }

    /// A chunk was dropped: its buffer comes back, and its connection may read on.
    pub(crate) fn chunk_dropped(&mut self, key: Key, ring_id: Option<u16>) {
        self.counters.chunks_out -= 1;
        if let Some(id) = ring_id {
            self.buffers.returned(id);
        }
        let resume_at = self.limits.held_chunks / 2;
        if let Some(socket) = self.sockets.get_mut(key) {
            socket.held = socket.held.saturating_sub(1);
            if socket.receive == Receive::Off
                && socket.life == Life::Open
                && socket.held <= resume_at
            {
                self.arm_receive(key);
            }
        }
    }

    /// Begins to receive, unless that is under way, over, or held back by the reader.
    pub(crate) fn arm_receive(&mut self, key: Key) {
        let held_chunks = self.limits.held_chunks;
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let wanted = match socket.life {
            Life::Open => socket.held < held_chunks,
            Life::Flushing | Life::Lingering => true,
            Life::Connecting | Life::Closing => false,
        };
        if !wanted
            || socket.end.is_some()
            || !matches!(socket.receive, Receive::Off | Receive::Starved)
        {
            return;
        }
        socket.receive = Receive::Armed;
        let entry = opcode::RecvMulti::new(types::Fd(socket.fd.as_raw_fd()), GROUP).build();
        self.push(entry.user_data(pack(Op::Receive, key)));
    }

    /// Asks the kernel to end an armed receive; its last completion follows.
    pub(crate) fn cancel_receive(&mut self, key: Key) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.receive == Receive::Armed {
            socket.receive = Receive::Cancelling;
            self.cancel(pack(Op::Receive, key));
        }
    }

    /// A completion of a receive.
    pub(crate) fn on_receive(&mut self, key: Key, result: i32, flags: u32) {
        let more = cqueue::more(flags);
        let buffer = cqueue::buffer_select(flags);
        if buffer.is_some() {
            self.buffers.taken();
        }
        let held_chunks = self.limits.held_chunks;
        let Some(socket) = self.sockets.get_mut(key) else {
            // Cannot happen while slots outlive their operations; the buffer is what must not be lost if it does.
            if let Some(id) = buffer {
                self.buffers.give_back(id);
            }
            return;
        };
        if !more {
            socket.receive = match result {
                1.. => Receive::Off,
                0 => Receive::Ended,
                errno if errno == -libc::ECANCELED => Receive::Off,
                errno if errno == -libc::ENOBUFS => Receive::Starved,
                _ => Receive::Ended,
            };
        }
        match (result, buffer) {
            (1.., Some(id)) => {
                let len = u32::try_from(result).unwrap_or(0);
                socket.received_bytes += u64::from(len);
                if socket.life == Life::Open {
                    socket.received.push_back(Piece::Ring { id, len });
                    socket.held += 1;
                    socket.readers.drain_into(&mut self.wakers);
                } else {
                    self.buffers.give_back(id);
                }
            }
            (_, leftover) => {
                if let Some(id) = leftover {
                    self.buffers.give_back(id);
                }
                if socket.receive == Receive::Ended {
                    socket.end = Some(if result >= 0 {
                        End::Eof
                    } else {
                        End::Error(-result)
                    });
                    socket.readers.drain_into(&mut self.wakers);
                }
            }
        }
        let (held, receive, life) = (socket.held, socket.receive, socket.life);
        match receive {
            Receive::Armed if life == Life::Open && held == held_chunks => self.full.push(key),
            Receive::Starved if life != Life::Closing => {
                self.counters.starvations += 1;
                self.starved.push(key);
            }
            Receive::Off | Receive::Ended | Receive::Starved if life != Life::Open => {
                self.leave(key)
            }
            Receive::Off if held <= held_chunks / 2 => self.arm_receive(key),
            _ => {}
        }
    }

    /// Before a turn: receives pause whose readers did not keep up with what the last one brought.
    pub(crate) fn pause_full(&mut self) {
        let mut full = std::mem::take(&mut self.full);
        for key in full.drain(..) {
            let held_chunks = self.limits.held_chunks;
            if self
                .sockets
                .get(key)
                .is_some_and(|socket| socket.life == Life::Open && socket.held >= held_chunks)
            {
                self.cancel_receive(key);
            }
        }
        self.full = full;
    }

    /// Before a turn: if buffers are short, what readers have not taken moves to the heap; if enough are free,
    /// receives that starved begin again.
    pub(crate) fn relieve_buffers(&mut self) {
        let count = self.buffers.count();
        if self.starved.is_empty() && self.buffers.free() >= count / 16 {
            return;
        }
        if self.buffers.free() < count / 4 && self.buffers.waiting() > 0 {
            for socket in self.sockets.values_mut() {
                for piece in &mut socket.received {
                    if let Piece::Ring { id, len } = *piece {
                        *piece = Piece::Heap(self.buffers.copy(id, len));
                        self.buffers.give_back(id);
                        self.counters.pieces_moved += 1;
                    }
                }
            }
        }
        // Not at the first buffer: it would be gone before the second receive is armed.
        if self.buffers.free() >= count / 8 {
            let mut starved = std::mem::take(&mut self.starved);
            for key in starved.drain(..) {
                match self.sockets.get_mut(key) {
                    Some(socket) if socket.receive == Receive::Starved => {
                        socket.receive = Receive::Off;
                        // A reader that lags is resumed by the chunk it gives back instead.
                        self.arm_receive(key);
                    }
                    _ => {}
                }
            }
            starved.append(&mut self.starved);
            self.starved = starved;
        }
    }
}
