//! What stands in the ring besides sockets: the millisecond tick while hot, the alarm while parked, the doorbell.
//! None of them counts as traffic.

use std::os::fd::AsRawFd;

use io_uring::{cqueue, opcode, squeue, types};

use super::Driver;
use super::slab::Key;
use super::token::{Op, pack};

/// The period of the tick, in nanoseconds: a hot shard's deadlines are late by at most this.
pub(crate) const TICK_NS: u32 = 1_000_000;

/// A standing time-out, and which of its incarnations is the valid one.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    armed: bool,
    generation: u32,
    due_ns: u64,
}

impl Standing {
    pub(super) fn is_armed(&self) -> bool {
        self.armed
    }

    fn key(&self) -> Key {
        Key {
            index: 0,
            generation: self.generation & Key::GENERATION_MASK,
        }
    }

    fn next(&mut self) -> Key {
        self.armed = true;
        self.generation = self.generation.wrapping_add(1);
        self.key()
    }
}

impl Driver {
    /// Puts the tick into the ring unless it stands already.
    pub(crate) fn arm_tick(&mut self) {
        if self.tick.armed || self.tick_unsupported {
            return;
        }
        let key = self.tick.next();
        let entry = opcode::Timeout::new(&*self.tick_period)
            .flags(types::TimeoutFlags::MULTISHOT)
            .build();
        self.push(entry.user_data(pack(Op::Tick, key)));
    }

    /// Takes the tick out of the ring; true if it stood.
    pub(crate) fn disarm_tick(&mut self) -> bool {
        if self.tick.armed {
            self.tick.armed = false;
            let entry = opcode::TimeoutRemove::new(pack(Op::Tick, self.tick.key())).build();
            self.push(entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(0));
            return true;
        }
        false
    }

    /// A completion of the tick: true when a period passed.
    pub(crate) fn on_tick(&mut self, key: Key, result: i32, flags: u32) -> bool {
        if key != self.tick.key() {
            return false;
        }
        if !cqueue::more(flags) {
            self.tick.armed = false;
            if result == -libc::EINVAL {
                // Kernels before 6.4 have no multishot time-out: each wait then carries its own.
                self.tick_unsupported = true;
            }
        }
        result == -libc::ETIME
    }

    /// Makes sure that a parked ring is woken at `due_ns`.
    pub(crate) fn arm_alarm(&mut self, due_ns: u64) {
        if self.alarm.armed && self.alarm.due_ns <= due_ns {
            return;
        }
        if self.alarm.armed {
            let entry = opcode::TimeoutRemove::new(pack(Op::Alarm, self.alarm.key())).build();
            self.push(entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(0));
        }
        let wait_ns = due_ns.saturating_sub(crate::clock::read()).max(1);
        let nanos = u32::try_from(wait_ns % 1_000_000_000).unwrap_or(0);
        *self.alarm_wait = types::Timespec::new()
            .sec(wait_ns / 1_000_000_000)
            .nsec(nanos);
        let key = self.alarm.next();
        self.alarm.due_ns = due_ns;
        let entry = opcode::Timeout::new(&*self.alarm_wait).build();
        self.push(entry.user_data(pack(Op::Alarm, key)));
    }

    /// The alarm went off, or was removed.
    pub(crate) fn on_alarm(&mut self, key: Key) {
        if key == self.alarm.key() {
            self.alarm.armed = false;
        }
    }

    /// Watches the doorbell's eventfd.
    pub(crate) fn arm_bell(&mut self) {
        let entry = opcode::PollAdd::new(types::Fd(self.bell.as_raw_fd()), libc::POLLIN as u32)
            .multi(true)
            .build();
        self.push(entry.user_data(pack(
            Op::Bell,
            Key {
                index: 0,
                generation: 0,
            },
        )));
    }

    /// Somebody rang, or the watch ended and is renewed.
    pub(crate) fn on_bell(&mut self, flags: u32) {
        if !cqueue::more(flags) {
            self.arm_bell();
        }
        self.ringers.drain_into(&mut self.wakers);
    }
}
