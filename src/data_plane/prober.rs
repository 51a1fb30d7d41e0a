//! Asks every upstream beside the traffic for its chain id: an upstream of another chain must never answer. One shard asks, and
//! reports to the others through the control plane. What an answer means for an upstream is the engine's decision.

use std::rc::Rc;

use engine::chain::ChainId;
use engine::shard::ProbeResult;

use super::snapshot::nanos;
use super::upstream::Upstream;
use super::upstream::aside::{self, Said};
use super::worker::Worker;
use crate::control::{Probe, Report, ReportLane};

/// An answer to a probe is a number; more is refused.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The longest that one probe may take.
const TIMEOUT_NS: u64 = 5_000_000_000;

/// How often it is looked whether a name has been resolved; nothing is sent.
const LOOK_EVERY_NS: u64 = 50_000_000;

/// How often it is looked whether an upstream that wants to be left alone still does.
const LOOK_WHILE_HELD_NS: u64 = 1_000_000_000;

/// Starts one task for each upstream of each chain that probes.
pub fn start(worker: &Rc<Worker>, reports: &ReportLane) {
    for (chain, configured) in worker.chains.iter().zip(&worker.epoch.config.chains) {
        if !configured.probe.enabled {
            continue;
        }
        let interval_ns = nanos(configured.probe.interval);
        for upstream in &chain.upstreams {
            let (worker, upstream, reports) = (worker.clone(), upstream.clone(), reports.clone());
            rt::spawn(async move {
                while !worker.draining() {
                    leave_alone(&worker, &upstream).await;
                    probe(&worker, &upstream, &reports).await;
                    rt::sleep_until(rt::now().saturating_add(interval_ns)).await;
                }
            })
            .detach();
        }
    }
}

/// Waits while the upstream does not want to hear of us.
async fn leave_alone(worker: &Worker, upstream: &Upstream) {
    while !worker.draining() {
        let floor = worker
            .engine
            .borrow()
            .left_alone_until(upstream.chain, upstream.index);
        let now = worker.now();
        if floor <= now {
            return;
        }
        rt::sleep_until(floor.0.min(now.0.saturating_add(LOOK_WHILE_HELD_NS))).await;
    }
}

/// Asks one upstream, once it has an address, and tells everybody.
async fn probe(worker: &Worker, upstream: &Upstream, reports: &ReportLane) {
    while upstream.target.addresses.borrow().is_empty() {
        if worker.draining() {
            return;
        }
        rt::sleep_until(rt::now().saturating_add(LOOK_EVERY_NS)).await;
    }
    let seen = ask(upstream).await;
    tell(worker, upstream, reports, seen);
}

fn tell(worker: &Worker, upstream: &Upstream, reports: &ReportLane, seen: ProbeResult) {
    let probe = Probe {
        chain: upstream.chain,
        upstream: upstream.index,
        seen,
    };
    worker.take_probe(&probe);
    // A full lane loses this probe for the other shards; the next one comes.
    let _ = reports.send(Report::Probed {
        shard: worker.number,
        probe,
    });
}

/// Asks one upstream which chain it is of.
async fn ask(upstream: &Upstream) -> ProbeResult {
    let asked = aside::ask(upstream, b"eth_chainId", None, MAX_ANSWER_BYTES, TIMEOUT_NS);
    match asked.await {
        Said::Result(result) => wire::quantity::parse_quoted(&result)
            .map_or(ProbeResult::Failed, |n| ProbeResult::ChainId(ChainId(n))),
        Said::Error | Said::Nothing => ProbeResult::Failed,
    }
}
