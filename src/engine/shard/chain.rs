//! One chain's state: its upstreams' policies side by side. It counts attempts in and takes checks in; it does not choose.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::ban::Bans;
use crate::breaker::{self, Breaker};
use crate::chain::ChainId;
use crate::config::{ChainConfig, MethodPolicy, UpstreamConfig};
use crate::head::{HeadKind, Heads, Reported};
use crate::hedge::Hedges;
use crate::index::{PolicyIndex, StrategyIndex, UpstreamIndex, UpstreamSet};
use crate::method::MethodId;
use crate::note::NoteKind;
use crate::quarantine::{Cause, Quarantine};
use crate::rng::Rng;
use crate::score::Board;
use crate::shard::ProbeResult;
use crate::strategy::{Candidate, Cap, Needs, Offer, Race, Strategy, StrategySpec};
use crate::throttle::{self, Throttle};
use crate::time::Instant;

use super::regions::Geo;
use super::spend::{Saving, Tariff};

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

/// A strategy, what it wants to know, and what bounds it.
#[derive(Debug)]
pub(super) struct Ranker {
    pub(super) strategy: Box<dyn Strategy>,
    pub(super) needs: Needs,
    pub(super) race: Option<Race>,
    pub(super) cap: Option<Cap>,
}

impl Ranker {
    fn new(spec: &StrategySpec, upstreams: &[UpstreamConfig]) -> Self {
        let strategy = spec.build();
        let cap = spec.max_share().map(|share| {
            let providers = upstreams.iter().map(|upstream| upstream.provider);
            Cap::new(share, providers)
        });
        Self {
            needs: strategy.needs(),
            race: strategy.race(),
            cap,
            strategy,
        }
    }
}

/// One chain.
#[derive(Debug)]
pub(super) struct Chain {
    chain_id: Option<ChainId>,
    policies: Vec<MethodPolicy>,
    pub(super) upstreams: Vec<Upstream>,
    pub(super) rankers: Vec<Ranker>,
    /// Does any of its strategies race?
    pub(super) races: bool,
    pub(super) geo: Option<Geo>,
    /// By upstream; empty where neither prices nor limits matter.
    pub(super) tariffs: Box<[Tariff]>,
    /// By upstream, as of the last survey; as long as the tariffs.
    pub(super) offers: Box<[Offer]>,
    /// What the last choice saved, until it is noted.
    pub(super) saving: Option<Saving>,
    /// By upstream: the names for consistent hashing.
    pub(super) identities: Box<[u64]>,
    pub(super) board: Board,
    pub(super) hedges: Hedges,
    pub(super) heads: Heads,
    /// All of its upstreams.
    pub(super) all: UpstreamSet,
    pub(super) reachable: UpstreamSet,
    /// An operator wants no more calls to go there.
    pub(super) drained: UpstreamSet,
    /// Their accounts have spent what they may, as of the last survey.
    pub(super) spent: UpstreamSet,
    /// By method: who is never sent it.
    denied: Box<[UpstreamSet]>,
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
    /// The configuration was checked, or has no upstream.
    pub(super) fn new(config: ChainConfig, tariffs: Box<[Tariff]>, rng: Rng) -> Self {
        let count = config.upstreams.len();
        let specs = config.strategies.iter();
        let rankers: Vec<_> = specs
            .map(|spec| Ranker::new(spec, &config.upstreams))
            .collect();
        let races = rankers.iter().map(|ranker| ranker.race);
        let extra = races
            .clone()
            .map(|race| race.map(|race| race.max_extra_permille));
        Self {
            chain_id: config.chain_id,
            hedges: Hedges::new(&config.upstreams, &config.policies, extra),
            policies: config.policies,
            races: races.flatten().next().is_some(),
            rankers,
            geo: config.geo.map(Geo::new),
            offers: alloc::vec![Offer::default(); tariffs.len()].into_boxed_slice(),
            tariffs,
            saving: None,
            identities: identities(&config.upstreams),
            board: Board::new(count),
            heads: Heads::new(count, config.max_lag_blocks, config.heads),
            all: UpstreamSet::first(count),
            reachable: UpstreamSet::first(count),
            drained: UpstreamSet::EMPTY,
            spent: UpstreamSet::EMPTY,
            denied: denied(&config.upstreams),
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

    /// The strategy of that index, else the chain's own.
    pub(super) fn ranker(&self, index: StrategyIndex) -> Option<&Ranker> {
        self.rankers.get(self.position(index))
    }

    pub(super) const fn position(&self, index: StrategyIndex) -> usize {
        if index.as_usize() < self.rankers.len() {
            index.as_usize()
        } else {
            0
        }
    }

    /// What that strategy wants to know.
    pub(super) fn needs(&self, index: StrategyIndex) -> Needs {
        self.ranker(index)
            .map_or(Needs::default(), |ranker| ranker.needs)
    }

    /// Do prices or limits matter here?
    pub(super) const fn has_tariffs(&self) -> bool {
        !self.tariffs.is_empty()
    }

    /// Who is never sent this method.
    pub(super) fn denied(&self, method: MethodId) -> UpstreamSet {
        let set = self.denied.get(method.index());
        set.copied().unwrap_or_default()
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

    pub(super) fn set_drained(&mut self, index: UpstreamIndex, drained: bool) {
        if index.as_usize() >= self.upstreams.len() {
            return;
        }
        if drained {
            self.drained.insert(index);
        } else {
            self.drained.remove(index);
        }
    }
}

/// By method: who is never sent it. Nobody is denied an unknown one here: its name comes with each request.
fn denied(upstreams: &[UpstreamConfig]) -> Box<[UpstreamSet]> {
    let by_method = |method: usize| {
        let mut set = UpstreamSet::EMPTY;
        for (position, upstream) in upstreams.iter().enumerate() {
            if upstream.denied.contains(MethodId(method as u16)) {
                set.insert(UpstreamIndex(position as u16));
            }
        }
        set
    };
    let known = (0..MethodId::COUNT).map(by_method);
    known.chain(core::iter::once(UpstreamSet::EMPTY)).collect()
}

/// The names for consistent hashing; an upstream that has none goes by its position.
fn identities(upstreams: &[UpstreamConfig]) -> Box<[u64]> {
    let named = upstreams.iter().enumerate();
    let name = |(position, upstream): (usize, &UpstreamConfig)| match upstream.identity {
        0 => position as u64,
        identity => identity,
    };
    named.map(name).collect()
}
