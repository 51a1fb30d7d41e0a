//! Stages that decide and that count.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use engine::block::Height;
use engine::call::{Action, Event, Request};
use engine::chain::ChainId;
use engine::config::{
    ChainConfig, HeadConfig, HedgeConfig, MethodPolicy, RetryBudgetConfig, ShardConfig,
    UpstreamConfig,
};
use engine::index::{ChainIndex, PolicyIndex, ProviderIndex, UpstreamSet};
use engine::method::{Effect, lookup};
use engine::shard::Shard;
use engine::strategy::StrategySpec;
use engine::time::Instant;
use telemetry::{
    AttemptOutcome, AttemptRecord, CallOutcome, CallRecord, ChainDimension, Dimensions, Recorder,
    RequestRecord, UpstreamDimension,
};

use super::Stage;

/// How long the upstreams take to answer.
const ANSWER_AFTER: Duration = Duration::from_micros(150);

/// In the order of a call's path.
pub(super) fn stages() -> impl Iterator<Item = Stage> {
    let stage = |at, of, run| Stage {
        at,
        of,
        times: 1000,
        run,
    };
    [
        stage("method", "eth_getBalance", method),
        stage("select", "1 upstream, begin to completion", |times| {
            select(1, None, times);
        }),
        stage("select", "3 upstreams, begin to completion", |times| {
            select(3, None, times);
        }),
        stage("select", "3 upstreams, a hedge armed", |times| {
            select(3, Some(HedgeConfig::default()), times);
        }),
        stage("record", "a request, a call and an attempt", record),
    ]
    .into_iter()
}

fn method(times: u64) {
    for _ in 0..times {
        black_box(lookup(black_box(b"eth_getBalance")));
    }
}

fn shard(upstreams: u16, hedge: Option<HedgeConfig>) -> Shard {
    let chain = ChainConfig {
        chain_id: Some(ChainId(1)),
        upstreams: (0..upstreams)
            .map(|index| UpstreamConfig {
                provider: ProviderIndex(index),
                ..UpstreamConfig::default()
            })
            .collect(),
        policies: vec![MethodPolicy {
            hedge,
            ..MethodPolicy::default()
        }],
        strategies: vec![StrategySpec::new("leaderboard", &[]).expect("a strategy")],
        max_lag_blocks: Some(16),
        heads: HeadConfig::default(),
        ..ChainConfig::default()
    };
    let config = ShardConfig {
        chains: vec![chain],
        retry_budget: RetryBudgetConfig::default(),
        ..ShardConfig::default()
    };
    Shard::new(config, 1, Instant(0))
}

/// One call from its begin to its completion, which its first attempt brings, with every note taken.
fn select(upstreams: u16, hedge: Option<HedgeConfig>, times: u64) {
    let mut shard = shard(upstreams, hedge);
    let mut now = Instant(0);
    let method = lookup(b"eth_getBalance");
    for _ in 0..times {
        now = now + Duration::from_micros(20);
        let request = Request {
            chain: ChainIndex(0),
            policy: PolicyIndex(0),
            method,
            effect: Effect::None,
            deadline: Instant::NEVER,
            strategy: None,
            pinned: None,
            excluded: UpstreamSet::EMPTY,
            height: Height::Any,
            ..Request::default()
        };
        let mut call = shard.begin(now, black_box(request));
        let Some(Action::Dispatch { attempt, .. }) = shard.poll_action(&mut call, now) else {
            continue;
        };
        black_box(shard.next_deadline(&call));
        while let Some(note) = shard.poll_note() {
            black_box(note);
        }
        let result = black_box(Ok(()));
        let answered = now + ANSWER_AFTER;
        shard.handle_event(&mut call, answered, Event::Finished { attempt, result });
        while let Some(action) = shard.poll_action(&mut call, answered) {
            black_box(action);
        }
        while let Some(note) = shard.poll_note() {
            black_box(note);
        }
    }
}

fn dimensions() -> Arc<Dimensions> {
    let upstreams = ["one", "two", "three"].map(|name| UpstreamDimension {
        name: name.to_owned(),
        provider: name.to_owned(),
    });
    Arc::new(Dimensions {
        shards: 1,
        chains: vec![ChainDimension {
            name: "ethereum".to_owned(),
            upstreams: upstreams.to_vec(),
        }],
        methods: engine::method::all().map(|(_, name, _)| name).collect(),
        strategies: vec!["leaderboard", "priority", "round_robin"],
        fault_classes: vec!["transport", "timeout"],
        breaker_states: vec!["closed", "open", "half_open"],
        method_groups: vec!["reads", "logs"],
        priorities: vec!["bulk", "critical"],
        accounts: Vec::new(),
        exclusions: vec!["breaker_open", "hold_off"],
        version: "0.1.0",
    })
}

/// What a forwarded request makes a shard record.
fn record(times: u64) {
    let mut recorder = Recorder::new(dimensions(), 0);
    let method = lookup(b"eth_getBalance").index();
    let took = |index: u64| 100 + index % 100;
    for index in 0..times {
        recorder.client_bytes(240, 170);
        recorder.request_started();
        recorder.call_started(0);
        recorder.selected(0, 1, 0);
        recorder.attempt_ended(black_box(&AttemptRecord {
            chain: 0,
            upstream: 1,
            method,
            outcome: AttemptOutcome::Ok,
            class: None,
            duration_us: took(index),
            first_byte_us: Some(took(index)),
            sent_bytes: 260,
            received_bytes: 180,
        }));
        recorder.call_ended(black_box(&CallRecord {
            chain: 0,
            method,
            outcome: CallOutcome::Ok,
            class: None,
            duration_us: took(index) + 5,
        }));
        recorder.request_ended(black_box(&RequestRecord {
            status: 200,
            duration_us: took(index) + 9,
            batch_calls: None,
        }));
    }
    black_box(&recorder);
}
