//! Looking at the ring for a moment before sleeping on it, where that has paid lately. The look costs no system call,
//! and it is given up within a few tries where sleeping is cheaper.

use super::Driver;
use super::thrift::Manner;
use crate::clock;

/// Waits that sleep at once between two looks, at most: what a useless look costs is spread over so many.
const LONGEST_PAUSE: u32 = 255;

/// Looks between two readings of the clock.
const LOOKS: u32 = 16;

/// Whether to look before sleeping: decided by how the last looks ended.
#[derive(Debug)]
pub(crate) struct Patience {
    limit_ns: u64,
    endless: bool,
    /// Waits to sleep through between two looks, and how many of them are left.
    pause: u32,
    left: u32,
}

impl Patience {
    /// Looks for at most `limit_ns`; `endless` never sleeps at all.
    pub(crate) fn new(limit_ns: u64, endless: bool) -> Self {
        Self {
            limit_ns,
            endless,
            pause: 0,
            left: 0,
        }
    }

    /// Whether this shard never sleeps.
    pub(crate) fn is_endless(&self) -> bool {
        self.endless
    }

    /// Whether to look before this wait.
    fn is_due(&mut self) -> bool {
        if self.endless {
            return true;
        }
        if self.limit_ns == 0 {
            return false;
        }
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        true
    }

    /// A look brought something. Where two of three looks do, they become frequent, else rare.
    fn paid(&mut self) {
        self.pause /= 2;
        self.left = self.pause;
    }

    /// A look brought nothing.
    fn in_vain(&mut self) {
        self.pause = self
            .pause
            .saturating_mul(4)
            .saturating_add(3)
            .min(LONGEST_PAUSE);
        self.left = self.pause;
    }
}

impl Driver {
    /// Whether this wait is one before which to look.
    pub(super) fn looks_first(&mut self) -> bool {
        (self.patience.is_endless() || self.thrift.manner() == Manner::Look)
            && self.patience.is_due()
    }

    /// Looks until there is something to do without a sleep (true): the kernel has something for this ring, or `due_ns`
    /// has come. False when the limit passed before.
    pub(super) fn look(&mut self, due_ns: u64) -> bool {
        let begin_ns = clock::read();
        let limit_ns = if self.patience.endless {
            u64::from(super::standing::TICK_NS)
        } else {
            self.patience.limit_ns
        };
        let until_ns = begin_ns.saturating_add(limit_ns);
        self.counters.spins += 1;
        loop {
            // With deferred task work the kernel completes nothing behind our back: it raises this flag.
            for _ in 0..LOOKS {
                if self.ring.submission().taskrun() {
                    self.counters.spins_paid += 1;
                    self.patience.paid();
                    return true;
                }
                std::hint::spin_loop();
            }
            let now_ns = clock::read();
            if now_ns >= due_ns {
                // The turn ends for the deadline's sake, which is no verdict on looking.
                return true;
            }
            if now_ns >= until_ns {
                self.patience.in_vain();
                return self.patience.endless;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `waits` looked, where each look pays as `pays` says.
    fn looks(patience: &mut Patience, waits: u32, mut pays: impl FnMut(u32) -> bool) -> u32 {
        let mut looked = 0;
        for _ in 0..waits {
            if patience.is_due() {
                if pays(looked) {
                    patience.paid();
                } else {
                    patience.in_vain();
                }
                looked += 1;
            }
        }
        looked
    }

    #[test]
    fn looks_that_bring_nothing_become_rare_and_return_when_they_pay() {
        let mut patience = Patience::new(20_000, false);
        assert!(looks(&mut patience, 10_000, |_| false) <= 44);
        assert!(looks(&mut patience, 600, |_| true) > 50);
        assert_eq!(looks(&mut patience, 100, |_| true), 100);
    }

    #[test]
    fn looks_that_pay_seven_of_eight_times_go_on_and_those_that_pay_half_the_time_do_not() {
        let mut patience = Patience::new(20_000, false);
        assert!(looks(&mut patience, 10_000, |look| look % 8 != 0) > 5_000);
        assert!(looks(&mut patience, 10_000, |look| look % 2 != 0) < 500);
    }

    #[test]
    fn no_limit_is_no_look_and_endless_is_every_time() {
        assert_eq!(looks(&mut Patience::new(0, false), 100, |_| true), 0);
        assert_eq!(looks(&mut Patience::new(0, true), 100, |_| false), 100);
    }
}
