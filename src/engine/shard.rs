//! Everything that one core decides: the policies of every chain, wired together. It has no socket, clock or thread; a driver
//! calls its verbs in the order begin, poll_action, handle_event or handle_timeout, and so on until `Complete`.

use crate::breaker::State;
use crate::call::{Action, Call, Event, Request};
use crate::chain::ChainId;
use crate::config::ShardConfig;
use crate::index::{CallId, ChainIndex, UpstreamIndex};
use crate::note::{Note, Notes, QuarantineCause};
use crate::time::Instant;

/// What a check beside the traffic found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// The upstream's `eth_chainId`.
    ChainId(ChainId),
    /// The number of its newest block.
    Head(u64),
    /// It did not answer. This alone is not held against it: traffic is the judge.
    Failed,
}

/// One upstream as seen from outside: for metrics, readiness and explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamView {
    /// Of which chain.
    pub chain: ChainIndex,
    /// Which.
    pub upstream: UpstreamIndex,
    /// Its breaker's state.
    pub breaker: State,
    /// When an open breaker half-opens.
    pub open_until: Option<Instant>,
    /// Until when it is held off.
    pub held_until: Option<Instant>,
    /// Why it is quarantined, and until when at least.
    pub quarantined: Option<(QuarantineCause, Instant)>,
    /// Blocks behind the best head, where both are known.
    pub lag_blocks: Option<u64>,
    /// Its newest block, where known.
    pub head: Option<u64>,
    /// Has it an address?
    pub reachable: bool,
    /// Attempts that have not ended.
    pub in_flight: u32,
    /// Share of recent attempts that succeeded, per thousand; of all its methods.
    pub health_permille: u32,
    /// Estimated latency over all methods relative to the chain's, per thousand: 1000 is as fast as the average.
    pub relative_latency_permille: u32,
    /// It would be eligible for a call that nothing excludes.
    pub eligible: bool,
}

/// Everything that one core decides.
#[derive(Debug)]
pub struct Shard {
    notes: Notes,
    #[expect(dead_code, reason = "signatures first")]
    config: ShardConfig,
}

impl Shard {
    /// A shard of this configuration. The seed decides every draw.
    #[must_use]
    pub fn new(config: ShardConfig, seed: u64, now: Instant) -> Self {
        let _ = (seed, now);
        Self {
            notes: Notes::new(),
            config,
        }
    }

    /// Begins a call. Never fails: a rejection comes out as [`Action::Complete`].
    pub fn begin(&mut self, now: Instant, request: Request) -> Call {
        let _ = now;
        Call {
            id: CallId(0),
            request,
            deadline: request.deadline,
            done: None,
        }
    }

    /// Takes in what happened to an attempt, or to the client. Events of attempts that have ended, and of calls
    /// that are over, are ignored.
    pub fn handle_event(&mut self, call: &mut Call, now: Instant, event: Event) {
        let _ = (call, now, event);
    }

    /// Does what is due at `now`. Harmless if nothing is.
    pub fn handle_timeout(&mut self, call: &mut Call, now: Instant) {
        let _ = (call, now);
    }

    /// The next thing to do; poll until `None` after each verb.
    pub fn poll_action(&mut self, call: &mut Call, now: Instant) -> Option<Action> {
        let _ = (call, now);
        None
    }

    /// When [`Self::handle_timeout`] must be called if nothing happens before; `None` once the call is over.
    #[must_use]
    pub fn next_deadline(&self, call: &Call) -> Option<Instant> {
        Some(call.deadline)
    }

    /// The oldest observation that waits.
    pub fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop()
    }

    /// How many notes were dropped because nobody polled.
    #[must_use]
    pub const fn notes_dropped(&self) -> u64 {
        self.notes.dropped()
    }

    /// Takes in a check beside the traffic.
    pub fn probe_result(
        &mut self,
        now: Instant,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        result: ProbeResult,
    ) {
        let _ = (now, chain, upstream, result);
    }

    /// An upstream has an address now, or has none. Upstreams start with one.
    pub fn set_reachable(&mut self, chain: ChainIndex, upstream: UpstreamIndex, reachable: bool) {
        let _ = (chain, upstream, reachable);
    }

    /// One upstream as seen from outside.
    #[must_use]
    pub fn view(
        &self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        now: Instant,
    ) -> Option<UpstreamView> {
        let _ = (chain, upstream, now);
        None
    }

    /// Every upstream of every chain as seen from outside.
    pub fn views(&self, now: Instant) -> impl Iterator<Item = UpstreamView> + '_ {
        let _ = now;
        core::iter::empty()
    }
}
