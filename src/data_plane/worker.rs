//! What one shard owns while it serves one configuration: the engine, the upstreams, the recorder. Everything is of
//! one thread; there is no lock. It performs no I/O itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use engine::head::{ChainHead, HeadKind, Mark};
use engine::index::{ChainIndex, UpstreamIndex};
use engine::shard::{ProbeResult, Shard};
use engine::time::Instant;
use mailbox::gossip::Port;
use mailbox::watermark::Watermark;
use telemetry::{AccessLog, Recorder, Sampler, Snapshot};
use wire::params::Scratch;

use super::cache::Cache;
use super::call::Settled;
use super::drain::Drain;
use super::flights::Flights;
use super::heads;
use super::shown::LastShown;
use super::snapshot::{Built, Chain, nanos};
use super::upstream::Upstream;
use super::upstream::body::HoldBudget;
use super::upstream::exchange::AnswerLimits;
use crate::control::connections::ConnectionBudget;
use crate::control::{ChainReadiness, Epoch, GOSSIP_CAPACITY, Gossip, Probe, Resolved};

/// A shard holds at most so many times `max_response_bytes`, over all its calls and batches. Streamed answers are not held.
const HELD_ANSWERS: usize = 4;

/// An answer that several calls wait for is held up to so many times `hold_bytes` before it is streamed to the first of them.
const SHARED_HOLDS: usize = 16;

/// The limits of the configuration, in the units of the data plane.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A request's body.
    pub max_body_bytes: usize,
    /// A request's head.
    pub max_header_bytes: usize,
    /// Calls in a batch.
    pub max_batch_calls: usize,
    /// For the head of a request, from its first byte.
    pub header_timeout_ns: u64,
    /// For the body of a request, and for a client that does not read.
    pub body_timeout_ns: u64,
    /// For a connection between requests.
    pub idle_timeout_ns: u64,
    /// Of answers.
    pub answer: AnswerLimits,
}

/// One shard at work.
pub struct Worker {
    /// The shard's number.
    pub number: usize,
    /// The configuration.
    pub epoch: Arc<Epoch>,
    /// The paths.
    pub routes: super::route::Routes,
    /// The chains, by index.
    pub chains: Vec<Chain>,
    /// Its limits.
    pub limits: Limits,
    /// The decisions.
    pub engine: RefCell<Shard>,
    /// The counters.
    pub recorder: RefCell<Recorder>,
    /// Which requests are logged.
    pub sampler: RefCell<Sampler>,
    /// Buffers for looking into JSON.
    pub scratch: RefCell<Scratch>,
    /// Bytes of answers that this shard may hold at once.
    pub held: Rc<HoldBudget>,
    /// Answers that may be given again.
    pub cache: Cache,
    /// The newest blocks that clients were shown.
    pub shown: LastShown,
    /// Calls in flight that others may join.
    pub flights: Rc<Flights<Settled>>,
    /// The way to the other shards.
    pub gossip: Option<Port<Gossip>>,
    /// Connections of the process.
    pub connections: ConnectionBudget,
    /// Where events go.
    pub events: AccessLog,
    request_ids: Cell<u64>,
    request_id_base: u64,
    pub(super) notes_dropped: Cell<u64>,
    pub(super) accept_pauses: Cell<u64>,
    pub(super) evictions: Cell<u64>,
    /// [`Epoch::writes`] as this shard last saw them, by chain.
    writes_seen: Box<[Cell<u64>]>,
    pub(super) drain: Drain,
}

impl Worker {
    /// A shard about to serve. The seat's seed decides every draw of the engine and makes request ids.
    pub fn new(
        seat: &crate::control::Seat,
        gossip: Option<Port<Gossip>>,
        epoch: Arc<Epoch>,
        built: Built,
    ) -> Rc<Self> {
        let (number, seed) = (seat.number, seat.seed);
        let server = &epoch.config.server;
        let limits = Limits {
            max_body_bytes: server.limits.max_body_bytes,
            max_header_bytes: server.limits.max_header_bytes,
            max_batch_calls: server.limits.max_batch_calls,
            header_timeout_ns: nanos(server.limits.header_timeout),
            body_timeout_ns: nanos(server.limits.body_timeout),
            idle_timeout_ns: nanos(server.limits.idle_timeout),
            answer: AnswerLimits {
                hold_bytes: server.limits.hold_bytes,
                share_bytes: SHARED_HOLDS * server.limits.hold_bytes,
                max_response_bytes: server.limits.max_response_bytes,
            },
        };
        let mut engine = Shard::new(built.engine, seed, Instant(rt::now()));
        for upstream in built.chains.iter().flat_map(|chain| &chain.upstreams) {
            engine.set_reachable(upstream.chain, upstream.index, false);
        }
        let mut recorder = Recorder::new(epoch.dimensions.clone(), number);
        recorder.set_config_epoch(epoch.number);
        // Without a log nobody takes the events: none is made.
        let share = match server.access_log.path {
            config::LogPath::Off => 0.0,
            _ => server.access_log.sample,
        };
        let sampler = Sampler::new(seed, share);
        let cache_bytes = if epoch.config.keeps_answers() {
            (epoch.config.cache.max_bytes / epoch.shards.max(1)) as u64
        } else {
            0
        };
        Rc::new(Self {
            number,
            routes: built.routes,
            chains: built.chains,
            limits,
            engine: RefCell::new(engine),
            recorder: RefCell::new(recorder),
            sampler: RefCell::new(sampler),
            scratch: RefCell::new(Scratch::new()),
            held: Rc::new(HoldBudget::new(
                HELD_ANSWERS * limits.answer.max_response_bytes,
            )),
            connections: seat.connections.clone(),
            events: seat.events.clone(),
            request_ids: Cell::new(0),
            request_id_base: seed,
            cache: Cache::new(cache_bytes),
            shown: LastShown::new(epoch.config.chains.len()),
            flights: Flights::new(),
            gossip,
            notes_dropped: Cell::new(0),
            accept_pauses: Cell::new(0),
            evictions: Cell::new(0),
            writes_seen: epoch.config.chains.iter().map(|_| Cell::new(0)).collect(),
            drain: Drain::default(),
            epoch,
        })
    }

    /// The engine's time now.
    pub fn now(&self) -> Instant {
        Instant(rt::now())
    }

    /// A chain by index.
    pub fn chain(&self, index: ChainIndex) -> Option<&Chain> {
        self.chains.get(index.as_usize())
    }

    /// An upstream by its indices.
    pub fn upstream(&self, chain: ChainIndex, index: UpstreamIndex) -> Option<&Rc<Upstream>> {
        self.chain(chain)?.upstream(index)
    }

    /// The chain's head as clients have been told it, by this shard or another.
    pub fn chain_head(&self, chain: ChainIndex) -> ChainHead {
        self.notice_writes(chain);
        let mark = self.served(chain).map_or(0, Watermark::get);
        let engine = self.engine.borrow();
        if Mark(mark) <= engine.head_mark(chain) {
            return engine.chain_head(chain);
        }
        drop(engine);
        let mut engine = self.engine.borrow_mut();
        engine.raise_head(chain, Mark(mark), self.now());
        engine.chain_head(chain)
    }

    /// What a client is told that asked for the newest block's number, when this upstream said `said`. Never less than any client
    /// of this process was told before.
    pub fn answer_block_number(
        &self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        said: u64,
    ) -> u64 {
        self.chain_head(chain);
        let number =
            self.engine
                .borrow_mut()
                .answer_block_number(chain, upstream, said, self.now());
        self.take_notes(|_| ());
        self.tell_head(chain);
        number
    }

    /// Lets the other shards know what this one knows of a chain's head.
    pub fn tell_head(&self, chain: ChainIndex) {
        if let Some(served) = self.served(chain) {
            served.raise(self.engine.borrow().head_mark(chain).0);
        }
        self.tell_news();
    }

    /// A call with an effect was answered: what is kept of the newest block may be true no longer, here and on every shard.
    pub fn wrote(&self, chain: ChainIndex) {
        if let Some(writes) = self.epoch.writes.at(chain.as_usize()) {
            writes.advance();
        }
    }

    /// How many calls with an effect were answered on a chain, by any shard.
    pub fn writes(&self, chain: ChainIndex) -> u64 {
        let writes = self.epoch.writes.at(chain.as_usize());
        writes.map_or(0, Watermark::get)
    }

    fn notice_writes(&self, chain: ChainIndex) {
        let writes = self.writes(chain);
        let seen = self.writes_seen.get(chain.as_usize());
        if seen.is_some_and(|seen| seen.replace(writes) != writes) {
            self.engine.borrow_mut().outdate_head(chain);
        }
    }

    /// A client is shown a result that names this block. The head that clients are told is not below it from now on; where the
    /// number is not believed, nothing that was kept before is given out at least.
    pub fn show_block(&self, chain: ChainIndex, upstream: UpstreamIndex, number: u64) {
        let newest = self.engine.borrow().chain_head(chain).newest;
        if newest.is_some_and(|newest| number <= newest) {
            return;
        }
        if self.answer_block_number(chain, upstream, number) < number {
            self.engine.borrow_mut().outdate_head(chain);
        }
    }

    fn served(&self, chain: ChainIndex) -> Option<&Watermark> {
        self.epoch.heads.at(chain.as_usize())
    }

    /// Tells the other shards what the engine has for them.
    pub fn tell_news(&self) {
        loop {
            let Some(news) = self.engine.borrow_mut().poll_news() else {
                return;
            };
            self.tell(|| Gossip::News(news));
        }
    }

    /// Tells the other shards something, if there are any.
    pub fn tell(&self, message: impl FnOnce() -> Gossip) {
        if let Some(others) = self.gossip.as_ref().filter(|port| port.shards() > 1) {
            others.tell_all(&message());
        }
    }

    /// Takes in what the other shards have told.
    pub fn hear(&self) {
        let mut heard = false;
        // As much as can have waited when it began; whoever goes on talking is heard the next time.
        for _ in 0..GOSSIP_CAPACITY * self.epoch.shards {
            let Some((from, message)) = self.gossip.as_ref().and_then(Port::take) else {
                break;
            };
            heard = true;
            match message {
                Gossip::News(news) => {
                    let from = u16::try_from(from).unwrap_or(u16::MAX);
                    let now = self.now();
                    self.engine.borrow_mut().take_news(from, news, now);
                }
                Gossip::Answer(offered) => heads::take_offer(self, &offered),
            }
        }
        if heard {
            self.take_notes(|_| ());
        }
    }

    /// What must never reach a client of this chain.
    pub fn secrets(&self, chain: ChainIndex) -> &[Box<[u8]>] {
        self.chain(chain).map_or(&[], |chain| &chain.secrets)
    }

    /// The configuration of a chain.
    pub fn configured(&self, index: ChainIndex) -> Option<&config::Chain> {
        self.epoch.config.chains.get(index.as_usize())
    }

    /// A request id of our own: unique in this process, and with the seed practically everywhere.
    pub fn next_request_id(&self) -> [u8; 24] {
        let count = self.request_ids.get().wrapping_add(1);
        self.request_ids.set(count);
        let mut id = [b'0'; 24];
        let halves =
            (u128::from(self.request_id_base >> 16) << 48) | u128::from(count & ((1 << 48) - 1));
        for (at, slot) in id.iter_mut().rev().enumerate() {
            let digit = ((halves >> (4 * at)) & 15) as u8;
            *slot = if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            };
        }
        id
    }

    /// The counters with their levels. A copy of many histograms takes milliseconds, so it is made in steps and
    /// requests go on between them.
    pub async fn scrape(&self) -> Snapshot {
        self.set_levels();
        let mut copying = self.recorder.borrow().begin_copy();
        while !self
            .recorder
            .borrow()
            .copy_some(&mut copying, telemetry::COPY_STEP)
        {
            rt::yield_now().await;
        }
        copying.finish()
    }

    /// Usable and configured upstreams of each chain.
    pub fn readiness(&self) -> Vec<ChainReadiness> {
        let mut chains = vec![ChainReadiness::default(); self.chains.len()];
        for view in self.engine.borrow().views(self.now()) {
            if let Some(chain) = chains.get_mut(view.chain.as_usize()) {
                chain.configured += 1;
                chain.usable += usize::from(view.eligible);
            }
        }
        for upstream in self.chains.iter().flat_map(|chain| &chain.upstreams) {
            if let Some(chain) = chains.get_mut(upstream.chain.as_usize()) {
                chain.asked += usize::from(upstream.vetted.get());
            }
        }
        chains
    }

    /// Drains an upstream, or takes it back.
    pub fn set_drained(&self, chain: ChainIndex, upstream: UpstreamIndex, drained: bool) {
        self.engine
            .borrow_mut()
            .set_drained(chain, upstream, drained);
        let name = self.upstream(chain, upstream).map_or("", |u| &u.name);
        tracing::info!(upstream = name, drained, "drained by an operator");
    }

    /// New addresses of upstreams.
    pub fn use_addresses(&self, resolved: &[Resolved]) {
        for entry in resolved {
            if let Some(upstream) = self.upstream(entry.chain, entry.upstream) {
                *upstream.target.addresses.borrow_mut() = Rc::from(&*entry.addresses);
                self.admit(upstream);
            }
        }
    }

    /// Lets an upstream be sent calls, once it has an address and has been asked for its chain id, or nobody asks.
    fn admit(&self, upstream: &Upstream) {
        let reachable = upstream.vetted.get() && !upstream.target.addresses.borrow().is_empty();
        self.engine
            .borrow_mut()
            .set_reachable(upstream.chain, upstream.index, reachable);
    }

    /// Whoever has not been vetted by now is judged by its traffic: a probe may be lost on its way to this shard.
    pub fn admit_everybody(&self) {
        for upstream in self.chains.iter().flat_map(|chain| &chain.upstreams) {
            upstream.vetted.set(true);
            self.admit(upstream);
        }
    }

    /// An upstream answered a client as only another chain's would. Where nobody probes, nobody could say that it is right again, so
    /// only the answer is refused.
    pub fn found_foreign(&self, upstream: &Upstream) {
        let probes = self
            .configured(upstream.chain)
            .is_some_and(|chain| chain.probe.enabled);
        if probes {
            self.take_probe(&Probe {
                chain: upstream.chain,
                upstream: upstream.index,
                seen: ProbeResult::OtherChain,
            });
        }
    }

    /// Which block a client is told of that asked for the newest safe or final one, when this upstream said `said`.
    pub fn answer_final(
        &self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        kind: HeadKind,
        said: u64,
    ) -> u64 {
        self.chain_head(chain);
        self.engine
            .borrow_mut()
            .answer_final(chain, upstream, kind, said)
    }

    /// What a probe, here or on another shard, has seen.
    pub fn take_probe(&self, probe: &Probe) {
        self.engine
            .borrow_mut()
            .probe_result(self.now(), probe.chain, probe.upstream, probe.seen);
        if let Some(upstream) = self.upstream(probe.chain, probe.upstream)
            && !upstream.vetted.replace(true)
        {
            self.admit(upstream);
        }
        self.take_notes(|_| ());
    }
}
