//! Says when the figures of a cell must not be used: when something failed, when the counts at both ends do not agree, or
//! when it was the harness that was measured. Rules only.

use crate::lane::{Measure, Upstream};
use crate::measure::Cell;

/// What the rules need to know beside the cell.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub upstream: Upstream,
    /// Processors of the proxy.
    pub cores: usize,
    pub is_open: bool,
    /// Whether the lane is about latency.
    pub is_about_latency: bool,
    /// Arrivals that no connection was free to send.
    pub unsent: u64,
    /// How late the generator began requests that were due (99 %), in microseconds.
    pub lag_p99_us: u64,
    /// A thread of the proxy ended, and its account with it.
    pub lost_thread: bool,
}

/// Share of a core from which a process is taken to be saturated.
const SATURATED: f64 = 0.95;
/// Lag (99 %) from which a schedule is taken to be missed, in microseconds.
const LATE_US: u64 = 2_000;

/// Share of the arrivals that may find no free connection: those of the last moment.
const UNSENT: f64 = 0.001;

/// Why the cell's figures must not be used, where they must not.
pub fn judge(cell: &Cell, facts: &Facts) -> Option<String> {
    let sent = cell.requests_ok + cell.requests_failed;
    if cell.requests_failed > 0 {
        let kinds = cell.failures.iter();
        let kinds: Vec<String> = kinds
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let failed = cell.requests_failed;
        return Some(format!(
            "of {sent} requests {failed} failed: {}",
            kinds.join(", ")
        ));
    }
    if cell.requests_ok == 0 {
        return Some("nothing was answered".to_owned());
    }
    if !agrees(facts.upstream, cell.calls_ok, cell.upstream_calls) {
        let (calls, became) = (cell.calls_ok, cell.upstream_calls);
        return Some(format!("{calls} calls became {became} at the providers"));
    }
    if facts.lost_thread {
        return Some("a thread of the proxy ended, and its account with it".to_owned());
    }
    let share = |measure| cell.figures.get(&measure).copied().unwrap_or(0.0);
    let proxy = share(Measure::ProxyShare) / facts.cores.max(1) as f64;
    let is_harness_full = share(Measure::HarnessShare) > SATURATED;
    // Where both are saturated in a closed loop, the proxy is as much of a bottleneck, and its cost is its own.
    if is_harness_full && (facts.is_open || proxy < SATURATED) {
        return Some("load generator and providers were the bottleneck".to_owned());
    }
    if facts.is_about_latency && facts.lag_p99_us > LATE_US && proxy < SATURATED {
        return Some(format!(
            "the load generator missed its schedule by {} µs (99 %)",
            facts.lag_p99_us
        ));
    }
    if facts.is_open && facts.unsent as f64 > sent as f64 * UNSENT {
        return Some(format!(
            "the rate was not held: {} arrivals were never sent",
            facts.unsent
        ));
    }
    None
}

fn agrees(upstream: Upstream, calls: u64, became: u64) -> bool {
    match upstream {
        Upstream::Same => became == calls,
        Upstream::Nearly => became >= calls && became - calls <= calls / 100 + 1,
        Upstream::Fewer => became <= calls,
        Upstream::UpTo(times) => became >= calls && became as f64 <= calls as f64 * times,
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, LATE_US, agrees, judge};
    use crate::lane::{Measure, Upstream};
    use crate::measure::Cell;
    use std::collections::BTreeMap;

    const FACTS: Facts = Facts {
        upstream: Upstream::Same,
        cores: 1,
        is_open: false,
        is_about_latency: false,
        unsent: 0,
        lag_p99_us: 0,
        lost_thread: false,
    };

    fn cell(proxy: f64, harness: f64) -> Cell {
        Cell {
            requests_ok: 100,
            calls_ok: 100,
            upstream_calls: 100,
            figures: BTreeMap::from([
                (Measure::ProxyShare, proxy),
                (Measure::HarnessShare, harness),
            ]),
            ..Cell::default()
        }
    }

    #[test]
    fn only_a_clean_cell_counts() {
        let clean = || cell(0.5, 0.5);
        assert_eq!(judge(&clean(), &FACTS), None);
        let failed = Cell {
            requests_failed: 1,
            failures: BTreeMap::from([("http/503".to_owned(), 1)]),
            ..clean()
        };
        assert_eq!(
            judge(&failed, &FACTS).unwrap(),
            "of 101 requests 1 failed: 1 http/503"
        );
        let fewer = Cell {
            upstream_calls: 99,
            ..clean()
        };
        assert!(judge(&fewer, &FACTS).unwrap().contains("became 99"));
        let nothing = Cell {
            requests_ok: 0,
            ..clean()
        };
        assert!(judge(&nothing, &FACTS).unwrap().contains("nothing"));
        let lost = Facts {
            lost_thread: true,
            ..FACTS
        };
        assert!(judge(&clean(), &lost).is_some());
    }

    #[test]
    fn a_harness_at_its_limit_is_not_measured() {
        assert!(
            judge(&cell(0.5, 0.96), &FACTS)
                .unwrap()
                .contains("bottleneck")
        );
        assert_eq!(judge(&cell(0.97, 0.99), &FACTS), None);
        assert_eq!(judge(&cell(0.5, 0.95), &FACTS), None);
        // Two cores of which the proxy fills one are not full.
        let two = Facts { cores: 2, ..FACTS };
        assert!(judge(&cell(0.97, 0.99), &two).is_some());
        let open = Facts {
            is_open: true,
            ..FACTS
        };
        assert!(judge(&cell(0.97, 0.99), &open).is_some());
    }

    #[test]
    fn an_open_loop_keeps_its_rate() {
        let open = Facts {
            is_open: true,
            ..FACTS
        };
        let late = |lag_p99_us, is_about_latency| Facts {
            lag_p99_us,
            is_about_latency,
            ..open
        };
        assert_eq!(judge(&cell(0.5, 0.5), &late(LATE_US, true)), None);
        assert!(judge(&cell(0.5, 0.5), &late(LATE_US + 1, true)).is_some());
        assert_eq!(judge(&cell(0.5, 0.5), &late(LATE_US + 1, false)), None);
        let many = |unsent| {
            let cell = Cell {
                requests_ok: 1000,
                calls_ok: 1000,
                upstream_calls: 1000,
                ..cell(0.5, 0.5)
            };
            judge(&cell, &Facts { unsent, ..open })
        };
        assert_eq!(many(1), None);
        assert!(many(2).unwrap().contains("not held"));
    }

    #[test]
    fn counts_at_both_ends_agree_as_the_lane_wants() {
        assert!(agrees(Upstream::Same, 100, 100) && !agrees(Upstream::Same, 100, 101));
        assert!(agrees(Upstream::Nearly, 200, 203) && !agrees(Upstream::Nearly, 200, 204));
        assert!(!agrees(Upstream::Nearly, 200, 199));
        assert!(agrees(Upstream::Fewer, 100, 1) && !agrees(Upstream::Fewer, 100, 101));
        let up_to = Upstream::UpTo(1.2);
        assert!(agrees(up_to, 100, 120) && !agrees(up_to, 100, 121) && !agrees(up_to, 100, 99));
    }
}
