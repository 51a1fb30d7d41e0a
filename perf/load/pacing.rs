//! The arithmetic of an open loop: when each request is due, and which latency it had. Pure numbers; the clock is an
//! argument.

use std::time::Duration;

/// A constant arrival rate, shared by several threads: thread `t` of `n` sends arrivals `t`, `t + n`, `t + 2n`, …
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pacing {
    interval_s: f64,
    threads: u64,
    index: u64,
}

impl Pacing {
    pub(crate) fn new(rate_per_s: f64, threads: usize, index: usize) -> Self {
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Self {
            interval_s: rate_per_s.recip(),
            threads: wide(threads),
            index: wide(index),
        }
    }

    /// When this thread's arrival `n` is due, counted from the start of the run.
    pub(crate) fn due(&self, n: u64) -> Duration {
        let arrival = n.saturating_mul(self.threads).saturating_add(self.index);
        Duration::try_from_secs_f64(arrival as f64 * self.interval_s).unwrap_or(Duration::MAX)
    }
}

/// The moments of one request, counted from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// When the schedule wanted it sent; in a closed loop, when it was begun.
    pub(crate) due: Duration,
    /// When a connection was free to take it.
    pub(crate) taken: Duration,
    /// When it was begun.
    pub(crate) begun: Duration,
    /// When its answer was there, or its failure known.
    pub(crate) done: Duration,
}

impl Timing {
    /// From the intended start: what a caller who does not wait for others would have seen. A stall of the target
    /// counts for every request that it held back (Tene, "How NOT to Measure Latency": coordinated omission).
    pub(crate) fn corrected(&self) -> Duration {
        self.done.saturating_sub(self.due)
    }

    /// From the actual start.
    pub(crate) fn uncorrected(&self) -> Duration {
        self.done.saturating_sub(self.begun)
    }

    /// How late the generator itself was: the request was due and a connection was free, and still it was not begun.
    pub(crate) fn lag(&self) -> Duration {
        self.begun.saturating_sub(self.due.max(self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::{Pacing, Timing};
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn threads_interleave_to_one_constant_rate() {
        let mut due: Vec<Duration> = (0..3)
            .flat_map(|index| (0..4).map(move |n| Pacing::new(1000.0, 3, index).due(n)))
            .collect();
        due.sort();
        let expected: Vec<Duration> = (0..12).map(|n| n * MS).collect();
        assert_eq!(due, expected);
    }

    /// One connection, an answer takes 1 ms, 100 requests a second; the target stands still from 1 s to 2 s.
    fn simulate() -> Vec<Timing> {
        let pacing = Pacing::new(100.0, 1, 0);
        let mut free = Duration::ZERO;
        (0..300)
            .map(|n| {
                let due = pacing.due(n);
                let begun = due.max(free);
                let stalled = begun >= 1000 * MS && begun < 2000 * MS;
                let done = if stalled { 2001 * MS } else { begun + MS };
                let timing = Timing {
                    due,
                    taken: free,
                    begun,
                    done,
                };
                free = done;
                timing
            })
            .collect()
    }

    #[test]
    fn a_stall_counts_for_every_request_that_it_held_back() {
        let timings = simulate();
        let slow = |latency: fn(&Timing) -> Duration| {
            timings.iter().filter(|t| latency(t) > 10 * MS).count()
        };
        assert_eq!(slow(Timing::uncorrected), 1);
        // Due at 1000, 1010, … 1990 ms, and those in the queue behind them until it is worked off.
        assert!(
            (100..115).contains(&slow(Timing::corrected)),
            "{}",
            slow(Timing::corrected)
        );
        assert_eq!(timings[100].corrected(), 1001 * MS);
        assert_eq!(timings[101].corrected(), 2002 * MS - 1010 * MS);
        assert_eq!(timings[101].uncorrected(), MS);
    }

    #[test]
    fn waiting_for_a_connection_is_not_the_generators_fault() {
        assert!(
            simulate()
                .iter()
                .all(|timing| timing.lag() == Duration::ZERO)
        );
        let late = Timing {
            due: 10 * MS,
            taken: 5 * MS,
            begun: 14 * MS,
            done: 20 * MS,
        };
        assert_eq!(late.lag(), 4 * MS);
        let queued = Timing {
            taken: 13 * MS,
            ..late
        };
        assert_eq!(queued.lag(), MS);
    }

    #[test]
    fn absurd_rates_do_not_overflow() {
        assert_eq!(Pacing::new(1e-300, 1, 0).due(u64::MAX), Duration::MAX);
    }
}
