//! Accepting: one multishot accept a listener, never raced and never cancelled but to close or to pause. Descriptors
//! that nobody collected are closed; running out of descriptors pauses accepting, and is counted.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::task::{Context, Poll};

use io_uring::{cqueue, opcode, types};
use socket2::SockRef;

use super::Driver;
use super::slab::Key;
use super::socket::Receive;
use super::token::{Op, pack};
use super::waiters::Waiters;

/// Accepted descriptors that may wait to be collected before accepting stops for a while.
const UNCOLLECTED: usize = 256;

/// How long accepting rests when the process has no descriptor or no memory left.
const PAUSE_NS: u64 = 20_000_000;
/// A shortage that lasts is logged so often.
const WARN_EVERY_NS: u64 = 10_000_000_000;

/// One listening socket.
pub(crate) struct Acceptor {
    pub(crate) fd: Option<OwnedFd>,
    ready: VecDeque<OwnedFd>,
    accept: Receive,
    closed: bool,
    waiters: Waiters,
}

impl Driver {
    /// Takes over a listening descriptor and begins to accept.
    pub(crate) fn listen(&mut self, fd: OwnedFd) -> io::Result<Key> {
        let acceptor = Acceptor {
            fd: Some(fd),
            ready: VecDeque::new(),
            accept: Receive::Off,
            closed: false,
            waiters: Waiters::default(),
        };
        let key = self
            .acceptors
            .insert(acceptor)
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        self.arm_accept(key);
        Ok(key)
    }

    fn arm_accept(&mut self, key: Key) {
        let Some(acceptor) = self.acceptors.get_mut(key) else {
            return;
        };
        let Some(fd) = &acceptor.fd else { return };
        if acceptor.closed || acceptor.accept != Receive::Off || acceptor.ready.len() >= UNCOLLECTED
        {
            return;
        }
        acceptor.accept = Receive::Armed;
        let entry = opcode::AcceptMulti::new(types::Fd(fd.as_raw_fd()))
            .flags(libc::SOCK_CLOEXEC)
            .build();
        self.push(entry.user_data(pack(Op::Accept, key)));
    }

    /// An accepted descriptor, or a registration to be woken.
    pub(crate) fn poll_accept(&mut self, key: Key, cx: &Context<'_>) -> Poll<io::Result<OwnedFd>> {
        let Some(acceptor) = self.acceptors.get_mut(key) else {
            return Poll::Ready(Err(closed()));
        };
        if let Some(fd) = acceptor.ready.pop_front() {
            if acceptor.accept == Receive::Off && acceptor.ready.len() < UNCOLLECTED / 2 {
                let paused = self.accept_pauses.iter().any(|&(_, paused)| paused == key);
                if !paused {
                    self.arm_accept(key);
                }
            }
            return Poll::Ready(Ok(fd));
        }
        if acceptor.closed {
            return Poll::Ready(Err(closed()));
        }
        acceptor.waiters.register(cx);
        Poll::Pending
    }

    /// A completion of a multishot accept.
    pub(crate) fn on_accept(&mut self, key: Key, result: i32, flags: u32) {
        let accepted = (result >= 0).then(|| {
            // SAFETY: the kernel just made this descriptor for us, and this completion is its only mention.
            unsafe { OwnedFd::from_raw_fd(result) }
        });
        let Some(acceptor) = self.acceptors.get_mut(key) else {
            return;
        };
        if !cqueue::more(flags) {
            acceptor.accept = Receive::Off;
        }
        match accepted {
            Some(fd) if !acceptor.closed => {
                self.counters.accepted += 1;
                acceptor.ready.push_back(fd);
                acceptor.waiters.drain_into(&mut self.wakers);
            }
            _ => {}
        }
        let off = acceptor.accept == Receive::Off;
        if acceptor.closed {
            if off {
                self.end_acceptor(key);
            }
        } else if !off {
            if acceptor.ready.len() >= UNCOLLECTED && acceptor.accept == Receive::Armed {
                acceptor.accept = Receive::Cancelling;
                self.cancel(pack(Op::Accept, key));
            }
        } else {
            match -result {
                // Ended by us, by a full completion queue, or by a peer that gave up early: go on.
                ..=0 | libc::ECANCELED | libc::ECONNABORTED => self.arm_accept(key),
                errno => {
                    self.counters.accept_pauses += 1;
                    let warned_ns = self.accept_warned_ns;
                    if warned_ns.is_none_or(|at| self.now_ns.saturating_sub(at) >= WARN_EVERY_NS) {
                        self.accept_warned_ns = Some(self.now_ns);
                        tracing::warn!(
                            errno,
                            "accepting pauses: {}",
                            io::Error::from_raw_os_error(errno)
                        );
                    }
                    self.accept_pauses
                        .push_back((self.now_ns.saturating_add(PAUSE_NS), key));
                }
            }
        }
    }

    /// Listeners whose pause is over accept again.
    pub(crate) fn expire_pauses(&mut self) {
        while let Some(&(due_ns, key)) = self.accept_pauses.front() {
            if due_ns > self.now_ns {
                break;
            }
            self.accept_pauses.pop_front();
            self.arm_accept(key);
        }
    }

    /// Stops listening; descriptors that nobody collected are closed, waiting accepts fail.
    pub(crate) fn close_acceptor(&mut self, key: Key) {
        let Some(acceptor) = self.acceptors.get_mut(key) else {
            return;
        };
        if acceptor.closed {
            return;
        }
        acceptor.closed = true;
        acceptor.ready.clear();
        acceptor.waiters.drain_into(&mut self.wakers);
        if let Some(fd) = &acceptor.fd {
            // New connections are refused from here on, and the accept in the kernel ends.
            let _ = SockRef::from(fd).shutdown(Shutdown::Both);
        }
        if acceptor.accept == Receive::Off {
            self.end_acceptor(key);
        } else {
            acceptor.accept = Receive::Cancelling;
            self.cancel(pack(Op::Accept, key));
        }
    }

    fn end_acceptor(&mut self, key: Key) {
        if let Some(mut acceptor) = self.acceptors.remove(key) {
            acceptor.waiters.drain_into(&mut self.wakers);
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the listener is closed")
}
