//! What the control plane and the shards have in common: the letters between them, and what a shard is given at its start.
//! Both planes import this module and neither imports the other. Plain data: nothing here acts.

pub mod connections;
pub mod dimensions;
pub mod regions;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use config::Config;
use engine::index::{ChainIndex, UpstreamIndex};
use mailbox::control::{Receiver, Sender};
use mailbox::gossip::Port;
use mailbox::watermark::Watermarks;
use telemetry::{AccessLog, Dimensions, Snapshot};

use connections::ConnectionBudget;
use regions::Regions;

/// Letters that one shard's lane holds at most. The control plane sends few and waits for the answers.
pub const LANE_CAPACITY: usize = 64;

/// Messages that one shard may have on their way to another one at most; past that the oldest are dropped and counted.
///
/// A receiver looks between two batches of completions, at the latest after some milliseconds. In that time a sender has a head and a
/// finding or two for each chain, which 256 hold for more chains than one node serves.
pub const GOSSIP_CAPACITY: usize = 256;

/// The shard's end of its lane.
pub type ShardInbox = Receiver<Letter, Reply>;

/// The control plane's end of a shard's lane.
pub type ShardLane = Sender<Letter, Reply>;

/// Where a shard reports what the other shards should know.
pub type ReportLane = Sender<Report, ()>;

/// What a shard runs, on its own thread, until it has drained.
pub type ShardMain = fn(Seat) -> Pin<Box<dyn Future<Output = ()>>>;

/// What a shard is given before it has a configuration.
pub struct Seat {
    /// Its number, from 0.
    pub number: usize,
    /// Its letters.
    pub inbox: ShardInbox,
    /// Where it reports what others should know.
    pub reports: ReportLane,
    /// To the other shards and from them, until the shard has taken it. Rung for with the same doorbell as the letters.
    pub gossip: Option<Port<Gossip>>,
    /// Where its events go.
    pub events: AccessLog,
    /// Connections of the process.
    pub connections: ConnectionBudget,
    /// Decides every draw, and makes request ids.
    pub seed: u64,
}

/// One immutable configuration, with what was derived from it once for all shards.
pub struct Epoch {
    /// Its number; the first is 1.
    pub number: u64,
    /// The validated configuration.
    pub config: Config,
    /// TLS towards clients, if configured.
    pub server_tls: Option<Arc<rustls::ServerConfig>>,
    /// TLS towards each upstream that has it, by chain and upstream index.
    pub upstream_tls: Vec<Vec<Option<Arc<rustls::ClientConfig>>>>,
    /// What metrics are split by.
    pub dimensions: Arc<Dimensions>,
    /// How many shards there are: budgets of the process are split by it.
    pub shards: usize,
    /// The regions of upstreams, and those of clients.
    pub regions: Regions,
    /// Unix time when [`rt::clock`] was 0, in milliseconds: days and months of accounts are those of UTC, and the same on every shard.
    pub unix_zero_ms: u64,
    /// The highest block number of each chain that any shard has shown to a client, by chain index.
    pub heads: Arc<Watermarks>,
    /// How many calls with an effect each chain has answered, on any shard: what hung on the newest block before such a call is
    /// out of date after it, wherever it is kept.
    pub writes: Arc<Watermarks>,
}

/// What a shard tells the others. Each message stands alone: it may be lost, and a newer one replaces it.
#[derive(Clone, Debug)]
pub enum Gossip {
    /// What its engine tells the other engines.
    News(engine::gossip::News),
    /// An answer that the others will be asked for at once.
    Answer(Arc<OfferedAnswer>),
}

/// An answer that one shard fetched and offers to the others' caches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedAnswer {
    /// Of which chain.
    pub chain: ChainIndex,
    /// The newest block of the chain that the offering shard knew when it kept the answer.
    pub head: u64,
    /// How many calls with an effect had been answered on the chain when it was kept ([`Epoch::writes`]).
    pub writes: u64,
    /// What was asked: the cache's key, method and canonical params.
    pub key: Box<[u8]>,
    /// The bytes of the reply's `result`.
    pub result: Box<[u8]>,
}

/// The addresses of one upstream's host, in the order to try them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Whose.
    pub chain: ChainIndex,
    /// Whose.
    pub upstream: UpstreamIndex,
    /// Empty once a name could not be looked up for long; a failed lookup alone keeps the last good ones.
    pub addresses: Arc<[SocketAddr]>,
}

/// What the control plane asks of a shard.
pub enum Letter {
    /// Serve with this configuration; answered once the shard listens.
    Configure(Arc<Epoch>),
    /// Use these addresses from now on.
    Addresses(Arc<[Resolved]>),
    /// Hand over the counters and histograms.
    Scrape,
    /// Say which upstreams of which chains are usable.
    Readiness,
    /// The share of requests that are logged, 0 to 1.
    SampleAccessLog(f64),
    /// What another shard's probe saw.
    Probed(Probe),
    /// Send an upstream no more calls while others can serve them, or send it calls again.
    Drained {
        /// Whose.
        chain: ChainIndex,
        /// Whose.
        upstream: UpstreamIndex,
        /// No more; else again.
        drained: bool,
    },
    /// Stop accepting, finish what is in flight until the deadline, then stop; answered at the end.
    Drain {
        /// On [`rt::clock`].
        deadline_ns: u64,
    },
}

/// A shard's answer.
pub enum Reply {
    /// Done.
    Done,
    /// It could not be done; one sentence for the operator.
    Failed(String),
    /// The counters.
    Scraped(Box<Snapshot>),
    /// Usable and configured upstreams of each chain.
    Ready(Vec<ChainReadiness>),
    /// Drained; so many connections had to be cut at the deadline.
    Drained {
        /// Connections still in an exchange at the deadline.
        cut: usize,
    },
}

/// One chain as one shard sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainReadiness {
    /// Upstreams that would be sent a call now.
    pub usable: usize,
    /// Upstreams that have been asked for their chain, whatever they said, or need not be.
    pub asked: usize,
    /// Upstreams configured.
    pub configured: usize,
}

/// What a probe of one upstream found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whose.
    pub chain: ChainIndex,
    /// Whose.
    pub upstream: UpstreamIndex,
    /// What it said.
    pub seen: engine::shard::ProbeResult,
}

/// What a shard tells the control plane unasked.
pub enum Report {
    /// A probe's finding, to be passed to the other shards.
    Probed {
        /// The reporting shard, which knows already.
        shard: usize,
        /// The finding.
        probe: Probe,
    },
}
