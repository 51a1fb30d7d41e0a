//! The keys of a scenario file, as they stand in it. Unknown ones are refused. What the values mean together is judged where the scenario
//! is built; the manual's page says what each is for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::word::{Money, Share, Span, Times};

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub version: Spanned<u32>,
    pub about: String,
    #[serde(default)]
    pub half: Half,
    #[serde(default)]
    pub full_outage: bool,
    pub lasts: Spanned<Span>,
    pub shards: Option<Spanned<u16>>,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub chain: Chain,
    #[serde(default)]
    pub gossip: Gossip,
    pub regions: Option<Regions>,
    pub upstreams: Vec<Spanned<Upstream>>,
    pub traffic: Traffic,
    #[serde(default)]
    pub faults: Vec<Spanned<Fault>>,
}

/// Which half of the suite a scenario belongs to.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// Defaults were tuned on it.
    #[default]
    Tuned,
    /// Nothing was tuned on it: it is what is reported.
    HeldBack,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub attempts: Option<Spanned<u8>>,
    pub hedge: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    pub height: Option<Spanned<u64>>,
    pub block_time: Option<Spanned<Span>>,
    pub set_back: Option<SetBack>,
    pub stale_after: Option<Spanned<u64>>,
    pub max_lag_blocks: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBack {
    pub at: Span,
    pub blocks: Spanned<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gossip {
    pub lost: Option<Share>,
    pub repeated: Option<Share>,
    pub delay: Option<Span>,
    pub disorder: Option<Span>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    pub home: Option<Spanned<String>>,
    pub bound: Option<Spanned<Span>>,
    #[serde(default)]
    pub distance: BTreeMap<String, Spanned<Span>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    pub name: Spanned<String>,
    pub provider: Option<Spanned<String>>,
    #[serde(default)]
    pub region: String,
    pub priority: Option<Spanned<u32>>,
    pub weight: Option<u32>,
    pub latency: Spanned<Latency>,
    pub distance: Option<Span>,
    pub price: Option<Price>,
    pub limit: Option<Limit>,
    pub allowance: Option<u64>,
    pub capacity: Option<Spanned<Capacity>>,
    pub head_delay: Option<Span>,
    pub history: Option<History>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    pub median: Option<Span>,
    pub tail: Option<Tail>,
    pub p50: Option<Span>,
    pub p90: Option<Span>,
    pub p99: Option<Span>,
    pub p999: Option<Span>,
    pub max: Option<Span>,
    pub hlog: Option<String>,
    pub tag: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    Short,
    Usual,
    Long,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub per_million_units: Money,
    #[serde(default)]
    pub free_units: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub per_second: u32,
    pub retry_after: Option<Spanned<Span>>,
    #[serde(default)]
    pub published: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    pub at_once: u32,
    pub waiting: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    pub state: Option<u64>,
    pub blocks: Option<u64>,
    pub logs: Option<u64>,
    pub traces: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    pub rate: Spanned<u32>,
    #[serde(default)]
    pub steps: Vec<Spanned<Step>>,
    #[serde(default)]
    pub bursts: Vec<Spanned<Burst>>,
    pub batches: Option<Batches>,
    #[serde(default)]
    pub methods: Vec<Spanned<Method>>,
    pub zipf: Option<Spanned<String>>,
    pub abandoned: Option<Share>,
    pub hurried: Option<Share>,
    #[serde(default)]
    pub regions: BTreeMap<String, Spanned<Share>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub from: Span,
    pub rate: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    pub at: Span,
    pub calls: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batches {
    pub share: Share,
    pub calls: Spanned<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    pub name: Spanned<String>,
    pub weight: Option<Spanned<u64>>,
    pub takes: Option<Times>,
    pub units: Option<u32>,
    pub latest: Option<bool>,
    #[serde(default)]
    pub blocks_back: Vec<Spanned<Back>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    pub share: Share,
    pub up_to: u64,
}

/// One fault. Which one, is told by the one key that is there beside where and when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(default)]
    pub upstreams: Vec<Spanned<String>>,
    pub region: Option<Spanned<String>>,
    #[serde(default)]
    pub from: Span,
    pub until: Option<Span>,
    #[serde(default)]
    pub methods: Vec<Spanned<String>>,

    pub refuse: Option<Share>,
    pub hang: Option<Share>,
    pub reset: Option<Share>,
    pub stale: Option<Share>,
    pub cut: Option<Share>,
    pub slow: Option<Times>,
    pub drift: Option<Drift>,
    pub later: Option<Span>,
    pub stall: Option<Stall>,
    pub pause: Option<Pause>,
    pub error: Option<Spanned<Error>>,
    pub limit: Option<Limit>,
    pub wrong_results: Option<Share>,
    pub wrong_chain: Option<bool>,
    pub stuck_head: Option<bool>,
    pub behind: Option<u64>,
    pub ahead: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    pub from: Times,
    pub to: Times,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    pub share: Share,
    #[serde(rename = "for")]
    pub lasts: Span,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    pub every: Span,
    #[serde(rename = "for")]
    pub lasts: Span,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Error {
    pub share: Share,
    pub say: Option<Spanned<String>>,
    pub status: Option<u16>,
    pub code: Option<i64>,
    pub message: Option<String>,
    pub retry_after: Option<Span>,
}
