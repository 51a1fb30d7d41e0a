//! A provider that works on so many calls at once, first come, first served. It does not notice that a client has stopped waiting, as most
//! servers do not: that is how an overload feeds itself.

use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use engine::time::Instant;

use super::Capacity;

/// The servers and who waits for them.
#[derive(Debug)]
pub struct Servers {
    capacity: Capacity,
    /// When each busy server is free.
    free_at: BinaryHeap<Reverse<Instant>>,
    /// When each that waits begins, the earliest first.
    begins: VecDeque<Instant>,
}

impl Servers {
    /// All idle.
    #[must_use]
    pub const fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            free_at: BinaryHeap::new(),
            begins: VecDeque::new(),
        }
    }

    /// How long a call that comes now waits before its `work` begins; `None` where the queue is full.
    pub fn admit(&mut self, now: Instant, work: Duration) -> Option<Duration> {
        while self.begins.front().is_some_and(|&at| at <= now) {
            self.begins.pop_front();
        }
        if (self.free_at.len() as u64) < u64::from(self.capacity.at_once) {
            self.free_at.push(Reverse(now + work));
            return Some(Duration::ZERO);
        }
        let Reverse(free) = *self.free_at.peek()?;
        let begins = free.max(now);
        if begins > now {
            if self.begins.len() as u64 >= u64::from(self.capacity.waiting) {
                return None;
            }
            self.begins.push_back(begins);
        }
        self.free_at.pop();
        self.free_at.push(Reverse(begins + work));
        Some(begins.saturating_duration_since(now))
    }
}
