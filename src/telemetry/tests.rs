//! The tables' own rules, and what recorders, snapshots and renderers promise together.

mod answers;
mod bearing;
mod events;
mod metrics;
mod promtool;
mod table;

use std::sync::Arc;

use crate::{
    AttemptOutcome, AttemptRecord, CallOutcome, CallRecord, ChainDimension, Dimensions, Recorder,
    UpstreamDimension,
};

fn upstream(name: &str) -> UpstreamDimension {
    UpstreamDimension {
        name: name.to_owned(),
        provider: format!("{name}-inc"),
    }
}

/// Two chains with two and one upstreams; one name that needs escaping.
pub(crate) fn dimensions() -> Arc<Dimensions> {
    Arc::new(Dimensions {
        shards: 2,
        chains: vec![
            ChainDimension {
                name: "ethereum".to_owned(),
                upstreams: vec![upstream("alchemy"), upstream("in\"fura\\\n")],
            },
            ChainDimension {
                name: "base".to_owned(),
                upstreams: vec![upstream("drpc")],
            },
        ],
        methods: vec!["eth_blockNumber", "eth_call"],
        strategies: vec!["leaderboard", "priority"],
        fault_classes: vec!["transport", "timeout"],
        breaker_states: vec!["closed", "open", "half_open"],
        method_groups: vec!["reads", "logs"],
        priorities: vec!["bulk", "critical"],
        accounts: vec!["growth".to_owned(), "free".to_owned()],
        exclusions: vec!["breaker_open", "hold_off"],
        version: "0.1.0",
    })
}

/// An attempt that answered.
pub(crate) fn attempt(
    chain: usize,
    upstream: usize,
    method: usize,
    duration_us: u64,
) -> AttemptRecord {
    AttemptRecord {
        chain,
        upstream,
        method,
        outcome: AttemptOutcome::Ok,
        class: None,
        duration_us,
        first_byte_us: Some(duration_us / 2),
        sent_bytes: 100,
        received_bytes: 300,
    }
}

/// A call that succeeded.
pub(crate) fn call(chain: usize, method: usize, duration_us: u64) -> CallRecord {
    CallRecord {
        chain,
        method,
        outcome: CallOutcome::Ok,
        class: None,
        duration_us,
    }
}

/// A recorder that has seen a bit of everything.
pub(crate) fn busy_recorder(shard: usize) -> Recorder {
    let mut recorder = Recorder::new(dimensions(), shard);
    recorder.set_identity(1_700_000_000_000_000);
    recorder.set_ready(true);
    for n in 0..100_u64 {
        recorder.call_started(0);
        recorder.attempt_ended(&attempt(0, n as usize % 2, n as usize % 3, 90 + n * n * 37));
        recorder.call_ended(&call(0, n as usize % 3, 100 + n * n * 37));
    }
    recorder
}
