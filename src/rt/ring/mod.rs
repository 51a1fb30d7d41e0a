//! The shard's own io_uring and everything that hangs on it. One `Driver` a shard, used by its thread alone; it wakes
//! tasks but never runs them, and it blocks only where `turn` is told to.
#![allow(unsafe_code)]

pub(crate) mod acceptor;
mod buffers;
mod dial;
mod patience;
pub(crate) mod receive;
pub(crate) mod slab;
pub(crate) mod socket;
mod standing;
mod teardown;
mod thrift;
mod token;
mod transmit;
pub(crate) mod waiters;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::task::Waker;

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use crate::clock;
use crate::doorbell::Bell;
use acceptor::Acceptor;
use buffers::Buffers;
use patience::Patience;
use slab::{Key, Slab};
use socket::Socket;
use standing::{Standing, TICK_NS};
use thrift::Thrift;
use token::{Op, unpack};
use waiters::Waiters;

/// The limits that a driver keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) held_chunks: u32,
    pub(crate) flush_ns: u64,
    pub(crate) linger_ns: u64,
    pub(crate) spin_ns: u64,
    pub(crate) busy_poll: bool,
}

/// What is counted; see `counters::Counters` for the meanings.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) chunks_out: u64,
    pub(crate) accepted: u64,
    pub(crate) accept_pauses: u64,
    pub(crate) enters: u64,
    pub(crate) waits: u64,
    pub(crate) spins: u64,
    pub(crate) spins_paid: u64,
    pub(crate) turns: u64,
    pub(crate) full_sockets: u64,
    pub(crate) starvations: u64,
    pub(crate) pieces_moved: u64,
}

/// How a turn waits for completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all.
    Poll,
    /// Until there is one, at most a tick; looking for one, if that is what the wait begins with, ends at `due_ns`.
    Tick { due_ns: u64 },
}

/// What a turn saw.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Turn {
    /// Completions that were traffic.
    pub(crate) events: usize,
    /// A tick passed.
    pub(crate) ticked: bool,
    /// Tasks woken, by completions or by deadlines.
    pub(crate) woken: usize,
    /// The kernel has more to hand over, or did not take everything.
    pub(crate) unfinished: bool,
}

/// The ring, its sockets, and their state.
pub(crate) struct Driver {
    // First, so that it is dropped before the memory it reads and writes.
    ring: IoUring,
    pub(crate) buffers: Buffers,
    pub(crate) sockets: Slab<Socket>,
    pub(crate) acceptors: Slab<Acceptor>,
    pub(crate) limits: Limits,
    pub(crate) counters: Tally,
    /// Tasks to wake once this is no longer borrowed.
    pub(crate) wakers: Vec<Waker>,
    /// The time of the turn.
    pub(crate) now_ns: u64,
    dirty: Vec<Key>,
    instant_sends: Vec<Key>,
    /// Somebody waits for one of the instant sends.
    awaited: bool,
    /// Connections with as much received as they may hold.
    full: Vec<Key>,
    starved: Vec<Key>,
    flushing: VecDeque<(u64, Key)>,
    lingering: VecDeque<(u64, Key)>,
    accept_pauses: VecDeque<(u64, Key)>,
    /// When a pause was last logged: descriptors that stay short are one event, not fifty a second.
    accept_warned_ns: Option<u64>,
    /// Entries that found the submission queue full.
    backlog: VecDeque<squeue::Entry>,
    batch: Vec<cqueue::Entry>,
    spare: Vec<Vec<u8>>,
    pub(crate) ringers: Waiters,
    pub(crate) patience: Patience,
    thrift: Thrift,
    bell: Arc<Bell>,
    tick: Standing,
    tick_unsupported: bool,
    tick_period: Box<types::Timespec>,
    alarm: Standing,
    alarm_wait: Box<types::Timespec>,
}

/// Send buffers that are kept for reuse, and the largest that is worth keeping.
const SPARE_BUFFERS: usize = 256;
const SPARE_BYTES: usize = 64 * 1024;

/// Entries of the submission queue.
const SUBMISSIONS: u32 = 1024;

impl Driver {
    /// Sets the ring up on the calling thread, which is the only one that may use it.
    pub(crate) fn new(
        buffers: u16,
        buffer_bytes: u32,
        limits: Limits,
        bell: Arc<Bell>,
        eventfd: &OwnedFd,
    ) -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_clamp()
            // Room for every buffer, every submission and a burst of accepts, so that it does not overflow.
            .setup_cqsize(u32::from(buffers).saturating_mul(2).max(8192));
        let ring = builder.build(SUBMISSIONS)?;
        ring.submitter().register_eventfd(eventfd.as_raw_fd())?;
        let buffers = Buffers::register(&ring, buffers, buffer_bytes)?;
        let mut driver = Self {
            ring,
            buffers,
            sockets: Slab::new(),
            acceptors: Slab::new(),
            limits,
            counters: Tally::default(),
            wakers: Vec::new(),
            now_ns: clock::read(),
            dirty: Vec::new(),
            instant_sends: Vec::new(),
            awaited: false,
            full: Vec::new(),
            starved: Vec::new(),
            flushing: VecDeque::new(),
            lingering: VecDeque::new(),
            accept_pauses: VecDeque::new(),
            accept_warned_ns: None,
            backlog: VecDeque::new(),
            batch: Vec::new(),
            spare: Vec::new(),
            ringers: Waiters::default(),
            patience: Patience::new(limits.spin_ns, limits.busy_poll),
            thrift: Thrift::new(),
            bell,
            tick: Standing::default(),
            tick_unsupported: false,
            tick_period: Box::new(types::Timespec::new().nsec(TICK_NS)),
            alarm: Standing::default(),
            alarm_wait: Box::new(types::Timespec::new()),
        };
        driver.arm_bell();
        Ok(driver)
    }

    /// Queues an entry for the next submission.
    fn push(&mut self, entry: squeue::Entry) {
        if !self.backlog.is_empty() || !self.try_push(&entry) {
            self.backlog.push_back(entry);
        }
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: what an entry points to (a socket's `flight`, a boxed address or timespec) stays where it is until the
        // entry's completion, by the rules of the file that made it; descriptors are closed after their last completion.
        if unsafe { self.ring.submission().push(entry) }.is_ok() {
            return true;
        }
        // Full: make room. Completions that this brings are handled by the next turn.
        self.counters.enters += 1;
        let _ = self.ring.submit();
        // SAFETY: as above.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }

    /// Cancels the operation with this `user_data`; its own completion still comes.
    fn cancel(&mut self, user_data: u64) {
        let entry = opcode::AsyncCancel::new(user_data).build();
        self.push(entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(0));
    }

    /// One turn: submits everything queued, waits as told, and handles what completed.
    pub(crate) fn turn(&mut self, wait: Wait) -> io::Result<Turn> {
        self.relieve_buffers();
        self.pause_full();
        self.submit_dirty();
        let wait = if std::mem::take(&mut self.awaited) {
            Wait::Poll
        } else {
            wait
        };
        self.buffers.publish();
        self.counters.turns += 1;
        let submitted = self.enter(wait)?;
        self.now_ns = clock::begin_turn();
        let mut turn = self.reap();
        self.thrift.count(turn.events);
        turn.unfinished |= !submitted;
        // Without a tick of its own in the ring, a wait that brought nothing was one.
        turn.ticked |= wait != Wait::Poll && self.tick_unsupported && turn.events == 0;
        if turn.ticked {
            self.thrift.tick(self.now_ns, clock::thread_cpu);
        }
        if submitted {
            self.settle_sends();
        }
        self.expire_leaving();
        self.expire_pauses();
        Ok(turn)
    }

    /// Enters the kernel; true when it took every entry and holds back no completion.
    fn enter(&mut self, wait: Wait) -> io::Result<bool> {
        while let Some(entry) = self.backlog.pop_front() {
            if !self.try_push(&entry) {
                self.backlog.push_front(entry);
                break;
            }
        }
        // A tick that did not fit into the queue would not end a wait.
        let mut wait = if self.backlog.is_empty() {
            wait
        } else {
            Wait::Poll
        };
        let mut collected = false;
        if let Wait::Tick { due_ns } = wait
            && self.looks_first()
        {
            // What is queued goes out before, so that whoever is to answer can begin.
            if !self.ring.submission().is_empty() {
                self.enter_once(Wait::Poll)?;
                collected = !self.ring.completion().is_empty();
            }
            if !collected && self.look(due_ns) {
                wait = Wait::Poll;
            }
        }
        if !collected {
            self.enter_once(wait)?;
        }
        let submission = self.ring.submission();
        Ok(submission.is_empty() && !submission.cq_overflow() && self.backlog.is_empty())
    }

    /// One system call: hands over what is queued, and waits as told.
    fn enter_once(&mut self, wait: Wait) -> io::Result<()> {
        self.counters.enters += 1;
        self.counters.waits += u64::from(wait != Wait::Poll);
        let result = match wait {
            Wait::Tick { .. } if self.tick.is_armed() => self.ring.submitter().submit_and_wait(1),
            Wait::Tick { .. } => {
                let args = types::SubmitArgs::new().timespec(&self.tick_period);
                self.ring.submitter().submit_with_args(1, &args)
            }
            Wait::Poll => {
                let queued = u32::try_from(self.ring.submission().len()).unwrap_or(SUBMISSIONS);
                const GETEVENTS: u32 = 1;
                // SAFETY: no argument is passed, and `queued` is what the queue holds.
                unsafe {
                    self.ring
                        .submitter()
                        .enter::<libc::sigset_t>(queued, 0, GETEVENTS, None)
                }
            }
        };
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // Interrupted, timed out, or short of memory or room in the completion queue for a moment.
                Some(libc::EINTR | libc::ETIME | libc::EAGAIN | libc::EBUSY | libc::ENOMEM) => {
                    Ok(())
                }
                _ => Err(error),
            },
        }
    }

    fn reap(&mut self) -> Turn {
        let mut turn = Turn::default();
        let mut batch = std::mem::take(&mut self.batch);
        batch.extend(self.ring.completion());
        for completion in batch.drain(..) {
            let (op, key) = unpack(completion.user_data());
            let (result, flags) = (completion.result(), completion.flags());
            turn.events += 1;
            match op {
                Op::Receive => self.on_receive(key, result, flags),
                Op::SendNow => self.on_send_now(key, result),
                Op::SendRest => self.on_send_rest(key, result),
                Op::Accept => self.on_accept(key, result, flags),
                Op::Connect => self.on_connect(key, result),
                Op::Bell => self.on_bell(flags),
                Op::Tick => {
                    turn.ticked |= self.on_tick(key, result, flags);
                    turn.events -= 1;
                }
                Op::Alarm => {
                    self.on_alarm(key);
                    turn.events -= 1;
                }
                Op::Ignore => turn.events -= 1,
            }
        }
        self.batch = batch;
        turn.unfinished = self.ring.submission().taskrun();
        turn
    }

    /// Prepares to park until `due_ns` at the latest: says what the turn for it saw, and true when the eventfd will tell of whatever comes.
    pub(crate) fn ready_to_park(&mut self, due_ns: Option<u64>) -> io::Result<(Turn, bool)> {
        self.disarm_tick();
        self.thrift.rest();
        let due_ns = match (due_ns, self.next_chore_ns()) {
            (Some(deadline), Some(chore)) => Some(deadline.min(chore)),
            (one, other) => one.or(other),
        };
        if let Some(due_ns) = due_ns {
            self.arm_alarm(due_ns);
        }
        let turn = self.turn(Wait::Poll)?;
        let nothing_left =
            self.dirty.is_empty() && self.wakers.is_empty() && self.instant_sends.is_empty();
        let settled = self.ring.submission().is_empty() && self.ring.completion().is_empty();
        let ready = turn.events == 0 && !turn.unfinished && nothing_left && settled;
        Ok((turn, ready))
    }

    /// A send buffer, empty, with the room it had.
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Keeps a spent buffer for [`take_buffer`](Self::take_buffer), within bounds.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS && (1..=SPARE_BYTES).contains(&buffer.capacity()) {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Ends every connection and listener; what was being flushed gets until `flush_until_ns`. True when the kernel is
    /// done with our memory, which it must be before that is freed.
    pub(crate) fn shut_down(&mut self, flush_until_ns: u64) -> bool {
        self.disarm_tick();
        for key in self.acceptors.keys() {
            self.close_acceptor(key);
        }
        for key in self.sockets.keys() {
            self.begin_close(key);
        }
        while self.is_flushing() && clock::read() < flush_until_ns {
            if self.turn(Wait::Tick { due_ns: u64::MAX }).is_err() {
                break;
            }
        }
        for key in self.sockets.keys() {
            self.end_now(key);
        }
        // Cancellations complete within microseconds; the bound is for a kernel that does not keep its word.
        let give_up_ns = clock::read().saturating_add(1_000_000_000);
        while (self.sockets.len() > 0 || self.acceptors.len() > 0) && clock::read() < give_up_ns {
            if self.turn(Wait::Tick { due_ns: u64::MAX }).is_err() {
                break;
            }
        }
        self.sockets.len() == 0 && self.acceptors.len() == 0
    }
}
