//! What will happen, in order of time; of two things at one time, what was said first comes first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use engine::head::HeadKind;
use engine::time::Instant;

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// An attempt's answer begins to go to the client.
    Commit(CallName, u8),
    /// An attempt ends.
    End(CallName, u8),
    /// A call wants to be asked.
    Timer(CallName),
    /// A call's client leaves.
    Leave(CallName),
    /// An upstream is asked for its chain.
    Probe(u16),
    /// It is looked whether an upstream is to be asked for its head.
    Look(u16),
    /// An upstream answers the question for a head.
    Polled(u16, HeadKind),
    /// A letter arrives.
    Letter(u32),
}

/// A call in a slot. The slot is used again; the life tells one call from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallName {
    /// On which shard.
    pub lane: u16,
    /// In which slot.
    pub slot: u32,
    /// The how manieth call of the slot.
    pub life: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    number: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The largest is taken first: the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// What will happen.
#[derive(Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Entry>,
    number: u64,
}

impl Queue {
    /// This will happen then.
    pub fn push(&mut self, at: Instant, what: Happening) {
        self.number += 1;
        self.heap.push(Entry {
            at,
            number: self.number,
            what,
        });
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// The next thing.
    pub fn pop(&mut self) -> Option<(Instant, Happening)> {
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_of_two_the_one_that_was_said_first() {
        let mut queue = Queue::default();
        for (at, upstream) in [(5, 1), (3, 2), (5, 3), (4, 4), (3, 5)] {
            queue.push(Instant(at), Happening::Look(upstream));
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        let expected = [(3, 2), (3, 5), (4, 4), (5, 1), (5, 3)];
        assert_eq!(
            order,
            expected.map(|(at, upstream)| (Instant(at), Happening::Look(upstream)))
        );
    }
}
