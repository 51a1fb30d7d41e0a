//! Numbers of the process that only grow, read by every shard and raised by any: the highest block of each chain that any client
//! was shown. No lane and no waiting: a number that one shard raised is what the others read next.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

/// One maximum, alone on its cache line. It begins at 0.
#[derive(Debug)]
pub struct Watermark {
    highest: CachePadded<AtomicU64>,
}

impl Default for Watermark {
    fn default() -> Self {
        Self {
            highest: CachePadded::new(AtomicU64::new(0)),
        }
    }
}

impl Watermark {
    /// Raises it to `to` unless it is there or higher already; the maximum after.
    ///
    /// A client that was shown the result on one shard and asks another next is answered with at least as much. Where nothing is
    /// to be raised the line is only read, so that shards at the same height do not take it from each other.
    pub fn raise(&self, to: u64) -> u64 {
        let highest = self.get();
        if highest >= to {
            return highest;
        }
        self.highest.fetch_max(to, Ordering::AcqRel).max(to)
    }

    /// Adds one, for a mark that counts something: whoever reads it after this returned reads another number than before.
    pub fn advance(&self) {
        self.highest.fetch_add(1, Ordering::AcqRel);
    }

    /// The maximum so far; 0 before the first.
    pub fn get(&self) -> u64 {
        self.highest.load(Ordering::Acquire)
    }

    /// Sets it, also lower: for a chain that was itself taken back, as a development chain is by `evm_revert` or a restart.
    ///
    /// The only way down, and the last writer wins: a shard that still believes the old height raises it again. So
    /// whoever resets must be sure that the chain went back, and reset again if it is told the old height once more.
    pub fn reset_to(&self, to: u64) {
        self.highest.store(to, Ordering::Release);
    }
}

/// One [`Watermark`] for each of a row of things, chains for one.
#[derive(Debug, Default)]
pub struct Watermarks {
    marks: Box<[Watermark]>,
}

impl Watermarks {
    /// So many, all at 0.
    pub fn new(count: usize) -> Self {
        Self {
            marks: (0..count).map(|_| Watermark::default()).collect(),
        }
    }

    /// The one at a position; none past the end.
    pub fn at(&self, position: usize) -> Option<&Watermark> {
        self.marks.get(position)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_and_says_how_far() {
        let mark = Watermark::default();
        assert_eq!(mark.get(), 0);
        assert_eq!(mark.raise(7), 7);
        assert_eq!(mark.raise(5), 7, "a laggard is told the maximum");
        assert_eq!(mark.raise(u64::MAX), u64::MAX);
        mark.reset_to(3);
        assert_eq!(mark.get(), 3);
        assert_eq!(mark.raise(4), 4);
        mark.advance();
        assert_eq!(mark.get(), 5);
    }

    #[test]
    fn each_has_its_own_line_and_place() {
        let marks = Watermarks::new(2);
        assert!(marks.at(0).is_some_and(|mark| mark.raise(9) == 9));
        assert!(marks.at(1).is_some_and(|mark| mark.get() == 0));
        assert!(marks.at(2).is_none());
        assert_eq!((marks.len(), marks.is_empty()), (2, false));
        assert!(size_of::<Watermark>() >= 64);
    }

    #[test]
    fn raised_by_many_it_ends_at_the_highest() {
        let mark = Watermark::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let mark = &mark;
                scope.spawn(move || {
                    let mut seen = 0;
                    for step in 0..10_000 {
                        let after = mark.raise(step * 4 + thread);
                        assert!(after >= seen && after >= step * 4 + thread);
                        seen = after;
                    }
                });
            }
        });
        assert_eq!(mark.get(), 39_999);
    }
}
