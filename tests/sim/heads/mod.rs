//! A second world: several shards, one chain that moves, upstreams that follow it well or badly, and gossip that loses, repeats and
//! reorders. One shard asks for heads; clients ask every shard for `eth_blockNumber`. It replaces chain, network and clients, and nothing of
//! the decisions.

mod chain;
mod play;

use core::time::Duration;

use engine::time::Instant;

pub use chain::{Habit, Node, START, Truth};
pub use play::play;

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Every draw comes from it.
    pub seed: u64,
    /// How many shards.
    pub shards: usize,
    /// Mean time between blocks.
    pub block_time: Duration,
    /// The chain is set back by so many blocks then, and goes on from there.
    pub set_back: Option<(Instant, u64)>,
    /// The chain's upstreams.
    pub nodes: Vec<Node>,
    /// Of a thousand pieces of gossip so many are lost; as many are repeated.
    pub lossy: u32,
    /// Shards share the mark of what was served, as they do in the product.
    pub shared_mark: bool,
    /// Time between two clients' questions.
    pub asked_every: Duration,
    /// How long it lasts.
    pub lasting: Duration,
}

impl Scene {
    /// Two shards, a chain of two-second blocks, calm gossip, ten minutes.
    #[must_use]
    pub fn new(seed: u64, nodes: Vec<Node>) -> Self {
        Self {
            seed,
            shards: 2,
            block_time: Duration::from_secs(2),
            set_back: None,
            nodes,
            lossy: 0,
            shared_mark: true,
            asked_every: Duration::from_millis(100),
            lasting: Duration::from_secs(600),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Clients that were told a number.
    pub told: u64,
    /// The last of them.
    pub last_told: u64,
    /// Of those after the first minute, the furthest behind the chain, in blocks.
    pub worst_behind: u64,
    /// The furthest ahead of the chain.
    pub worst_ahead: u64,
    /// Resets that were noted: from, to.
    pub resets: Vec<(u64, u64)>,
    /// Questions for the newest block, by upstream.
    pub polls: Vec<u64>,
    /// Questions for safe and finalized blocks.
    pub finality_polls: u64,
    /// Calls, by upstream.
    pub calls: Vec<u64>,
    /// How often an upstream was left out for its height after the first minute.
    pub left_out: Vec<u64>,
    /// Blocks that the chain made.
    pub blocks: u64,
    /// The highest block that any shard called final, and the highest that was.
    pub finalized: (u64, u64),
    /// The served heads at the end, by shard.
    pub heads: Vec<engine::head::ChainHead>,
    /// A number that stands for the whole run.
    pub trace: u64,
}
