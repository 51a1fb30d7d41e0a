//! One chain's state: its upstreams' policies side by side. It counts attempts in and takes checks in; it does not choose.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::ban::Bans;
use crate::breaker::{self, Breaker};
use crate::chain::ChainId;
use crate::config::{ChainConfig, MethodPolicy, UpstreamConfig};
use crate::head::{HeadKind, Heads, Reported};
use crate::hedge::Hedges;
use crate::index::{PolicyIndex, UpstreamIndex, UpstreamSet};
use crate::method::MethodId;
use crate::note::NoteKind;
use crate::quarantine::{Cause, Quarantine};
use crate::rng::Rng;
use crate::score::Board;
use crate::shard::ProbeResult;
use crate::strategy::{Candidate, Strategy};
use crate::throttle::{self, Throttle};
use crate::time::Instant;

/// One upstream of a chain.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) config: UpstreamConfig,
    pub(super) breaker: Breaker,
    pub(super) throttle: Throttle,
    pub(super) quarantine: Quarantine,
    pub(super) bans: Bans,
    /// When it last said anything.
    pub(super) heard: Instant,
}

/// One chain.
#[derive(Debug)]
pub(super) struct Chain {
    chain_id: Option<ChainId>,
    policies: Vec<MethodPolicy>,
    pub(super) upstreams: Vec<Upstream>,
    pub(super) strategies: Vec<Box<dyn Strategy>>,
    pub(super) board: Board,
    pub(super) hedges: Hedges,
    pub(super) heads: Heads,
    pub(super) reachable: UpstreamSet,
    /// Reused for every ranking.
    pub(super) candidates: Vec<Candidate>,
    /// The strategies' draws, apart from all others.
    pub(super) rng: Rng,
}

/// What the policies gave an attempt on its way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Permits {
    pub(super) breaker: breaker::Permit,
    pub(super) throttle: throttle::Permit,
    pub(super) quarantined: bool,
}

impl Chain {
    pub(super) fn new(mut config: ChainConfig, rng: Rng) -> Self {
        if config.check().is_err() {
            config.upstreams.clear();
        }
        let count = config.upstreams.len();
        Self {
            chain_id: config.chain_id,
            hedges: Hedges::new(&config.upstreams, &config.policies),
            policies: config.policies,
            strategies: config.strategies.iter().map(|spec| spec.build()).collect(),
            board: Board::new(count),
            heads: Heads::new(count, config.max_lag_blocks, config.heads),
            reachable: UpstreamSet::first(count),
            candidates: Vec::with_capacity(count),
            rng,
            upstreams: config
                .upstreams
                .into_iter()
                .map(|config| Upstream {
                    breaker: Breaker::new(config.breaker),
                    throttle: Throttle::new(),
                    quarantine: Quarantine::new(),
                    bans: Bans::new(),
                    heard: Instant::ZERO,
                    config,
                })
                .collect(),
        }
    }

    /// The policy of that index, else the default one.
    pub(super) fn policy(&self, index: PolicyIndex) -> MethodPolicy {
        let policy = self
            .policies
            .get(index.as_usize())
            .or(self.policies.first());
        policy.copied().unwrap_or_default()
    }

    pub(super) fn upstream(&self, index: UpstreamIndex) -> Option<&Upstream> {
        self.upstreams.get(index.as_usize())
    }

    /// Counts an attempt in with every policy.
    pub(super) fn admit(
        &mut self,
        index: UpstreamIndex,
        method: MethodId,
        now: Instant,
        note: &mut impl FnMut(NoteKind),
    ) -> Permits {
        self.board.started(index, method, now);
        let Some(upstream) = self.upstreams.get_mut(index.as_usize()) else {
            return Permits::default();
        };
        let (breaker, change) = upstream.breaker.admit(now);
        if let Some((from, to)) = change {
            note(NoteKind::Breaker {
                upstream: index,
                group: None,
                from,
                to,
            });
        }
        let (throttle, returns) = upstream.throttle.admit(now);
        if returns {
            note(NoteKind::HoldOffEnded { upstream: index });
        }
        Permits {
            breaker,
            throttle,
            quarantined: upstream.quarantine.admit(),
        }
    }

    /// Takes in a check beside the traffic.
    pub(super) fn probed(
        &mut self,
        index: UpstreamIndex,
        result: ProbeResult,
        now: Instant,
        note: &mut impl FnMut(NoteKind),
    ) -> Reported {
        if self.upstream(index).is_none() {
            return Reported::default();
        }
        note(NoteKind::Probed {
            upstream: index,
            result,
        });
        match result {
            ProbeResult::Failed => Reported::default(),
            ProbeResult::HeadFailed(kind) => {
                self.heads.unanswered(index, kind, false, now);
                Reported::default()
            }
            ProbeResult::HeadUnknown(kind) => {
                self.heads.unanswered(index, kind, true, now);
                Reported::default()
            }
            ProbeResult::ChainId(seen) => self.chain_id_seen(index, seen, now, note),
            ProbeResult::Head(number) => self.head_seen(index, HeadKind::Newest, number, now, note),
            ProbeResult::Safe(number) => self.head_seen(index, HeadKind::Safe, number, now, note),
            ProbeResult::Finalized(number) => {
                self.head_seen(index, HeadKind::Finalized, number, now, note)
            }
        }
    }

    fn chain_id_seen(
        &mut self,
        index: UpstreamIndex,
        seen: ChainId,
        now: Instant,
        note: &mut impl FnMut(NoteKind),
    ) -> Reported {
        let Some(upstream) = self.upstreams.get_mut(index.as_usize()) else {
            return Reported::default();
        };
        if self.chain_id.is_none_or(|wanted| wanted == seen) {
            upstream.breaker.checked_well(now);
            if upstream.quarantine.right_chain() {
                note(NoteKind::Released { upstream: index });
            }
            return Reported::default();
        }
        if upstream.quarantine.wrong_chain() {
            note(NoteKind::Quarantined {
                upstream: index,
                cause: Cause::WrongChain,
                until: Instant::NEVER,
            });
        }
        let reset = self.heads.disown(index, now);
        self.note_reset(reset, note);
        Reported {
            agreed: reset.is_some(),
            ..Reported::default()
        }
    }

    /// What an upstream of another chain says of its heads is not about this chain.
    fn head_seen(
        &mut self,
        index: UpstreamIndex,
        kind: HeadKind,
        number: u64,
        now: Instant,
        note: &mut impl FnMut(NoteKind),
    ) -> Reported {
        let Some(upstream) = self.upstreams.get_mut(index.as_usize()) else {
            return Reported::default();
        };
        upstream.breaker.checked_well(now);
        let cause = upstream.quarantine.state().map(|(cause, _)| cause);
        if cause == Some(Cause::WrongChain) {
            self.heads.unanswered(index, kind, false, now);
            return Reported::default();
        }
        let reported = self.heads.report(index, kind, number, now);
        if let Some(crossed) = reported.crossed {
            note(NoteKind::Lagging {
                upstream: index,
                lag_blocks: crossed.lag_blocks,
                left_out: crossed.left_out,
            });
        }
        self.note_reset(reported.reset, note);
        reported
    }

    fn note_reset(&self, reset: Option<(u64, u64)>, note: &mut impl FnMut(NoteKind)) {
        if let Some((from, to)) = reset {
            note(NoteKind::HeadReset { from, to });
        }
    }

    pub(super) fn set_reachable(&mut self, index: UpstreamIndex, reachable: bool) {
        if index.as_usize() >= self.upstreams.len() {
            return;
        }
        if reachable {
            self.reachable.insert(index);
        } else {
            self.reachable.remove(index);
        }
    }
}
