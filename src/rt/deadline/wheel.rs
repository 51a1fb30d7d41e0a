//! A hierarchical timing wheel: inserting and cancelling cost a few memory writes, because nearly every deadline is
//! cancelled before it is due (Varghese and Lauck, 1987). It reads no clock and fires nothing early.

use std::task::Waker;

/// The length of one wheel tick: 2¹⁸ ns, about 0.26 ms.
const TICK_SHIFT: u32 = 18;
const LEVELS: usize = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// The furthest that a deadline is placed ahead, in ticks; about 200 days.
const HORIZON: u64 = (SLOTS as u64 - 1) << (SLOT_BITS * (LEVELS as u32 - 1));
const NONE: u32 = u32::MAX;

/// Names one deadline in the wheel; void once it fired or was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    index: u32,
    generation: u32,
}

struct Node {
    generation: u32,
    when: u64,
    waker: Option<Waker>,
    previous: u32,
    next: u32,
    level: u8,
    slot: u8,
}

/// All deadlines of one shard.
pub(crate) struct Wheel {
    nodes: Vec<Node>,
    free: Vec<u32>,
    heads: [[u32; SLOTS]; LEVELS],
    occupied: [u64; LEVELS],
    elapsed: u64,
    live: usize,
}

impl Wheel {
    pub(crate) fn new(now_ns: u64) -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            heads: [[NONE; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            elapsed: now_ns >> TICK_SHIFT,
            live: 0,
        }
    }

    /// Deadlines in the wheel.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Adds a deadline; the waker is handed out by the first [`advance`](Self::advance) to a time not before it.
    pub(crate) fn insert(&mut self, deadline_ns: u64, waker: Waker) -> Entry {
        let when = deadline_ns.div_ceil(1 << TICK_SHIFT);
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.nodes.len()).unwrap_or(NONE);
                self.nodes.push(Node {
                    generation: 0,
                    when: 0,
                    waker: None,
                    previous: NONE,
                    next: NONE,
                    level: 0,
                    slot: 0,
                });
                index
            }
        };
        let mut generation = 0;
        if let Some(node) = self.nodes.get_mut(index as usize) {
            node.when = when;
            node.waker = Some(waker);
            generation = node.generation;
        }
        self.live += 1;
        self.link(index, when);
        Entry { index, generation }
    }

    /// Whether the deadline is still in the wheel.
    pub(crate) fn holds(&self, entry: Entry) -> bool {
        self.nodes
            .get(entry.index as usize)
            .is_some_and(|node| node.generation == entry.generation)
    }

    /// The waker of a deadline that is still in the wheel, to be replaced when another task waits for it.
    pub(crate) fn waker_mut(&mut self, entry: Entry) -> Option<&mut Waker> {
        let node = self.nodes.get_mut(entry.index as usize)?;
        if node.generation == entry.generation {
            node.waker.as_mut()
        } else {
            None
        }
    }

    /// Takes a deadline out. The waker is returned so that it is dropped where the caller wants.
    pub(crate) fn cancel(&mut self, entry: Entry) -> Option<Waker> {
        if !self.holds(entry) {
            return None;
        }
        self.unlink(entry.index);
        self.release(entry.index)
    }

    /// A time not after the earliest deadline and, but for deadlines far away, equal to it; in nanoseconds.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.next_slot().map(|(_, _, start)| start << TICK_SHIFT)
    }

    /// Moves time on and hands out the wakers of every deadline that is due.
    pub(crate) fn advance(&mut self, now_ns: u64, due: &mut Vec<Waker>) {
        let now = now_ns >> TICK_SHIFT;
        while let Some((level, slot, start)) = self.next_slot() {
            if start > now {
                break;
            }
            self.elapsed = self.elapsed.max(start);
            let mut index = self.empty_slot(level, slot);
            while index != NONE {
                let Some(node) = self.nodes.get(index as usize) else {
                    break;
                };
                let (next, when) = (node.next, node.when);
                if when <= self.elapsed {
                    due.extend(self.release(index));
                } else {
                    self.link(index, when);
                }
                index = next;
            }
        }
        self.elapsed = self.elapsed.max(now);
    }

    /// The occupied slot that comes first: its level, its number, and the tick at which it begins.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        for (level, &occupied) in self.occupied.iter().enumerate() {
            if occupied == 0 {
                continue;
            }
            let shift = SLOT_BITS * u32::try_from(level).unwrap_or(0);
            let current = (self.elapsed >> shift) % SLOTS as u64;
            let ahead = u64::from(
                occupied
                    .rotate_right(u32::try_from(current).unwrap_or(0))
                    .trailing_zeros(),
            );
            let slot = (current + ahead) % SLOTS as u64;
            // Slots behind the current one belong to the next turn of this level.
            let turn = self.elapsed >> shift >> SLOT_BITS;
            let start = (((turn << SLOT_BITS) + current + ahead) << shift).max(self.elapsed);
            return Some((level, usize::try_from(slot).unwrap_or(0), start));
        }
        None
    }

    fn empty_slot(&mut self, level: usize, slot: usize) -> u32 {
        if let Some(occupied) = self.occupied.get_mut(level) {
            *occupied &= !(1 << slot);
        }
        let head = self
            .heads
            .get_mut(level)
            .and_then(|slots| slots.get_mut(slot));
        head.map_or(NONE, |head| std::mem::replace(head, NONE))
    }

    fn link(&mut self, index: u32, when: u64) {
        let when = when.clamp(self.elapsed, self.elapsed.saturating_add(HORIZON));
        let distance = (self.elapsed ^ when) | (SLOTS as u64 - 1);
        let level = (((63 - distance.leading_zeros()) / SLOT_BITS) as usize).min(LEVELS - 1);
        let shift = SLOT_BITS * u32::try_from(level).unwrap_or(0);
        let slot = usize::try_from((when >> shift) % SLOTS as u64).unwrap_or(0);
        let mut next = NONE;
        if let Some(head) = self
            .heads
            .get_mut(level)
            .and_then(|slots| slots.get_mut(slot))
        {
            next = std::mem::replace(head, index);
        }
        if let Some(occupied) = self.occupied.get_mut(level) {
            *occupied |= 1 << slot;
        }
        if let Some(node) = self.nodes.get_mut(next as usize) {
            node.previous = index;
        }
        if let Some(node) = self.nodes.get_mut(index as usize) {
            node.previous = NONE;
            node.next = next;
            node.level = u8::try_from(level).unwrap_or(0);
            node.slot = u8::try_from(slot).unwrap_or(0);
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(node) = self.nodes.get(index as usize) else {
            return;
        };
        let (previous, next, level, slot) = (
            node.previous,
            node.next,
            usize::from(node.level),
            usize::from(node.slot),
        );
        if let Some(node) = self.nodes.get_mut(next as usize) {
            node.previous = previous;
        }
        if let Some(node) = self.nodes.get_mut(previous as usize) {
            node.next = next;
        } else if let Some(head) = self
            .heads
            .get_mut(level)
            .and_then(|slots| slots.get_mut(slot))
        {
            *head = next;
            if next == NONE
                && let Some(occupied) = self.occupied.get_mut(level)
            {
                *occupied &= !(1 << slot);
            }
        }
    }

    fn release(&mut self, index: u32) -> Option<Waker> {
        let node = self.nodes.get_mut(index as usize)?;
        node.generation = node.generation.wrapping_add(1);
        self.free.push(index);
        self.live -= 1;
        node.waker.take()
    }
}

#[cfg(test)]
mod tests;
