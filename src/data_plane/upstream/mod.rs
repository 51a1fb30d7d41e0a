//! Everything between a call that has been decided and its judged answer: connections, exchanges,
//! judgement. It never chooses an upstream.

pub mod arrived;
pub mod aside;
pub mod body;
pub mod dial;
pub mod exchange;
mod facts;
pub mod inflate;
pub mod judge;
pub mod pool;
pub mod reached;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use engine::index::{ChainIndex, UpstreamIndex};

use pool::Pool;
use wire::http1::ResponseMemo;

/// One endpoint as one shard uses it.
pub struct Upstream {
    /// Its chain.
    pub chain: ChainIndex,
    /// Its place in the chain.
    pub index: UpstreamIndex,
    /// Its configured name.
    pub name: Box<str>,
    /// The company behind it.
    pub provider: Box<str>,
    /// The host of its URL, which vendor rules look at. Never shown to clients.
    pub host: Box<str>,
    /// Where it is.
    pub target: dial::Target,
    /// The connections.
    pub pool: Rc<Pool>,
    /// For its exchanges.
    pub marks: reached::Marks,
    /// The head of every request up to the length's value ([`wire::http1::write_request_prefix`]).
    pub request_prefix: Vec<u8>,
    /// The head of its last answer, which the next one's is often equal to.
    pub answer_heads: RefCell<ResponseMemo>,
    /// How long a connect, TLS included, may take.
    pub connect_timeout_ns: u64,
    /// Calls of one client batch that may travel together; 1: each alone.
    pub batch_max_calls: usize,
    /// It has been asked for its chain id, or nobody asks: until then it is sent no call, for it might be of another chain.
    pub vetted: Cell<bool>,
    /// What marks its filters ([`wire::filter_id`]).
    pub filter_tag: u32,
    /// The next id of ours; unique per upstream and shard.
    pub next_id: Cell<u64>,
}

impl Upstream {
    /// `count` fresh ids of ours, in a row; the first is returned. They stay below 2^53, the largest that every node
    /// echoes exactly.
    pub fn take_ids(&self, count: usize) -> u64 {
        const LIMIT: u64 = 1 << 53;
        let count = count as u64;
        let first = match self.next_id.get() {
            id if id + count >= LIMIT => 1,
            id => id,
        };
        self.next_id.set(first + count);
        first
    }
}
