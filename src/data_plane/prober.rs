//! Asks every upstream beside the traffic for its chain id and its newest block: an upstream of another chain must never
//! answer, and one that lags is left out. One shard asks, and reports to the others through the control plane. What an
//! answer means for an upstream is the engine's decision.

use std::rc::Rc;

use engine::chain::ChainId;
use engine::shard::ProbeResult;
use wire::response::{Reply, parse_reply};

use super::snapshot::nanos;
use super::upstream::Upstream;
use super::upstream::body::HoldBudget;
use super::upstream::exchange::{AnswerLimits, Outgoing, Reached, Received, exchange};
use super::worker::Worker;
use crate::control::{Probe, Report, ReportLane};

/// An answer to a probe is a number; more is refused.
const ANSWER_LIMITS: AnswerLimits = AnswerLimits {
    hold_bytes: 64 * 1024,
    max_response_bytes: 64 * 1024,
};

/// The longest that one probe may take.
const PROBE_TIMEOUT_NS: u64 = 5_000_000_000;

/// Upstreams whose names are not resolved yet are tried again this soon.
const UNRESOLVED_AGAIN_NS: u64 = 50_000_000;

/// Starts one task per chain that probes.
pub fn start(worker: &Rc<Worker>, reports: &ReportLane) {
    for (at, chain) in worker.epoch.config.chains.iter().enumerate() {
        if chain.probe.enabled {
            let (worker, reports) = (worker.clone(), reports.clone());
            rt::spawn(probe_chain(
                worker,
                reports,
                at,
                nanos(chain.probe.interval),
            ))
            .detach();
        }
    }
}

async fn probe_chain(worker: Rc<Worker>, reports: ReportLane, at: usize, interval_ns: u64) {
    let Some(chain) = worker.chains.get(at) else {
        return;
    };
    while !worker.draining() {
        let unresolved = chain
            .upstreams
            .iter()
            .any(|upstream| upstream.target.addresses.borrow().is_empty());
        for upstream in &chain.upstreams {
            let (worker, upstream, reports) = (worker.clone(), upstream.clone(), reports.clone());
            rt::spawn(async move {
                for seen in [
                    ask(&upstream, "eth_chainId", |n| {
                        ProbeResult::ChainId(ChainId(n))
                    })
                    .await,
                    ask(&upstream, "eth_blockNumber", ProbeResult::Head).await,
                ] {
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
            })
            .detach();
        }
        let wait_ns = if unresolved {
            UNRESOLVED_AGAIN_NS.min(interval_ns)
        } else {
            interval_ns
        };
        rt::sleep_until(rt::now().saturating_add(wait_ns)).await;
    }
}

/// Asks one upstream for one number.
async fn ask(upstream: &Upstream, method: &str, seen: impl Fn(u64) -> ProbeResult) -> ProbeResult {
    let id = upstream.take_ids(1);
    let mut payload = Vec::new();
    wire::splice::write_call(&mut payload, id, method.as_bytes(), None);
    let budget = HoldBudget::new(ANSWER_LIMITS.max_response_bytes);
    let outgoing = Outgoing {
        payload: &payload,
        fresh_only: false,
        stream_id: None,
        budget: &budget,
    };
    let reached = Reached::default();
    let answer = rt::timeout_at(
        rt::now().saturating_add(PROBE_TIMEOUT_NS),
        exchange(upstream, &outgoing, &ANSWER_LIMITS, &reached),
    )
    .await;
    match answer {
        Ok(Ok(Received::Whole { body, .. })) => number(&body, id).map_or(ProbeResult::Failed, seen),
        _ => ProbeResult::Failed,
    }
}

/// The quantity that is the result of this body.
fn number(body: &[u8], id: u64) -> Option<u64> {
    let Ok(Reply::Result { result, .. }) = parse_reply(body, id) else {
        return None;
    };
    let text = result.of(body).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    wire::quantity::parse_padded(text)
}
