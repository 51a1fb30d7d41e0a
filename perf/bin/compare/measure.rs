//! One cell of the comparison: one proxy on one lane in one round. Reads the kernel's accounts around a run of the load
//! generator, counts at both ends, and says when the figure must not be used.

use crate::proxy::Proxy;
use perf::cpu::Tree;
use perf::load::{self, Arrival, Plan, Target, Verify};
use perf::provider::Handle;
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// Distinct balances over so many kept connections, closed loop.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    pub connections: usize,
    pub time: Duration,
}

/// Time for connections and caches to settle before a cell is measured.
const SETTLING: Duration = Duration::from_millis(300);
/// Share of a core from which a process is taken to be saturated.
const SATURATED: f64 = 0.95;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    pub proxy: String,
    pub connections: usize,
    pub round: usize,
    pub requests_ok: u64,
    pub requests_failed: u64,
    /// The failed ones by kind.
    pub failures: BTreeMap<String, u64>,
    /// Calls of the load's method that reached the provider.
    pub upstream_requests: u64,
    pub rate_per_s: f64,
    pub p50_us: u64,
    pub p99_us: u64,
    /// Processor time of the proxy and its children, user and system, for each successful request.
    pub cpu_us_per_request: f64,
    /// Share of a core that the proxy used.
    pub proxy_share: f64,
    /// Share of the time in which the proxy could have run and other processes did.
    pub proxy_waiting_share: f64,
    /// Share of a core that load generator and provider used together.
    pub harness_share: f64,
    /// Why the figure must not be used, where it must not.
    pub rejected: Option<String>,
}

/// Measures one cell.
pub fn cell(
    lane: &Lane,
    round: usize,
    proxy: &Proxy,
    provider: &Handle,
) -> Result<Cell, Box<dyn Error>> {
    let target = Target::parse(&proxy.url())?;
    let seed = u64::try_from(round)? + 1;
    let plan = Plan {
        warmup: Duration::ZERO,
        duration: SETTLING,
        verify: Verify::Synthetic,
        seed: seed << 32,
        ..Plan::new(
            target,
            Arrival::Closed {
                connections: lane.connections,
            },
        )
    };
    load::run(&plan, None, &mut |_| {})?;
    let own = std::process::id();
    let balances = || provider.counters().method("eth_getBalance");
    let before = (
        balances(),
        proxy.spent()?,
        Tree::read_alone(own)?,
        Instant::now(),
    );
    let found = load::run(
        &Plan {
            duration: lane.time,
            seed,
            ..plan
        },
        None,
        &mut |_| {},
    )?;
    let wall_s = before.3.elapsed().as_secs_f64();
    let after = (balances(), proxy.spent()?, Tree::read_alone(own)?);
    let spent = after.1.since(&before.1);
    // The generator's threads are not older than the run; its own report has their share.
    let harness = after.2.since_of_known(&before.2);
    let harness_share = harness.running.as_secs_f64() / wall_s + found.generator.cpu_share;
    let mut cell = Cell {
        proxy: proxy.name.clone(),
        connections: lane.connections,
        round,
        requests_ok: found.ok,
        requests_failed: found.failed,
        failures: found.failures,
        upstream_requests: after.0 - before.0,
        rate_per_s: found.rate_per_s,
        p50_us: found.latency.p50_us,
        p99_us: found.latency.p99_us,
        cpu_us_per_request: spent.running.as_secs_f64() * 1e6 / found.ok.max(1) as f64,
        proxy_share: spent.running.as_secs_f64() / wall_s,
        proxy_waiting_share: spent.waiting.as_secs_f64() / wall_s,
        harness_share,
        rejected: None,
    };
    cell.rejected = cell.judge(before.1.lost_in(&after.1));
    Ok(cell)
}

impl Cell {
    fn judge(&self, lost_thread: bool) -> Option<String> {
        let sent = self.requests_ok + self.requests_failed;
        if self.requests_failed > 0 {
            let kinds: Vec<String> = self
                .failures
                .iter()
                .map(|(kind, count)| format!("{count} {kind}"))
                .collect();
            Some(format!(
                "of {sent} requests {} failed: {}",
                self.requests_failed,
                kinds.join(", ")
            ))
        } else if self.requests_ok == 0 {
            Some("nothing was answered".to_owned())
        } else if self.upstream_requests != sent {
            Some(format!(
                "{sent} requests became {} at the provider",
                self.upstream_requests
            ))
        } else if lost_thread {
            Some("a thread of the proxy ended, and its account with it".to_owned())
        } else if self.harness_share > SATURATED && self.proxy_share < SATURATED {
            Some("load generator and provider were the bottleneck".to_owned())
        } else {
            None
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "c={:<4} round {}  {:<10} {:>7.2} µs/request  {:>8.0}/s  p50 {:>6} µs  p99 {:>7} µs  proxy {:>3.0} %  \
             harness {:>3.0} %",
            self.connections,
            self.round + 1,
            self.proxy,
            self.cpu_us_per_request,
            self.rate_per_s,
            self.p50_us,
            self.p99_us,
            self.proxy_share * 100.0,
            self.harness_share * 100.0
        )?;
        self.rejected
            .as_ref()
            .map_or(Ok(()), |why| write!(f, "  rejected: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Cell;
    use std::collections::BTreeMap;

    fn cell() -> Cell {
        Cell {
            proxy: "a".to_owned(),
            connections: 1,
            round: 0,
            requests_ok: 100,
            requests_failed: 0,
            failures: BTreeMap::new(),
            upstream_requests: 100,
            rate_per_s: 1.0,
            p50_us: 1,
            p99_us: 1,
            cpu_us_per_request: 1.0,
            proxy_share: 0.5,
            proxy_waiting_share: 0.0,
            harness_share: 0.5,
            rejected: None,
        }
    }

    #[test]
    fn only_a_clean_cell_counts() {
        assert_eq!(cell().judge(false), None);
        let refused = |cell: Cell| cell.judge(false).unwrap();
        let failures = BTreeMap::from([("http/503".to_owned(), 1)]);
        let failed = refused(Cell {
            requests_failed: 1,
            failures,
            ..cell()
        });
        assert_eq!(failed, "of 101 requests 1 failed: 1 http/503");
        assert!(
            refused(Cell {
                upstream_requests: 99,
                ..cell()
            })
            .contains("became 99")
        );
        assert!(
            refused(Cell {
                harness_share: 0.96,
                ..cell()
            })
            .contains("bottleneck")
        );
        assert!(
            refused(Cell {
                requests_ok: 0,
                upstream_requests: 0,
                ..cell()
            })
            .contains("nothing")
        );
        assert!(cell().judge(true).is_some());
        // Both saturated: the proxy is as much of a bottleneck, and its cost is its own.
        assert_eq!(
            Cell {
                harness_share: 0.99,
                proxy_share: 0.97,
                ..cell()
            }
            .judge(false),
            None
        );
    }
}
