//! One chain's state: its upstreams' policies side by side. It counts attempts in and takes checks in; it does not choose.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::ban::Bans;
use crate::breaker::{self, Breakers, Changes, State};
use crate::chain::ChainId;
use crate::config::{ChainConfig, MethodPolicy, UpstreamConfig};
use crate::head::{HeadKind, Heads, Reported};
use crate::hedge::Hedges;
use crate::index::{PolicyIndex, StrategyIndex, UpstreamIndex, UpstreamSet};
use crate::learned::Lessons;
use crate::limit::Limiter;
use crate::method::{MethodGroup, MethodId};
use crate::note::NoteKind;
use crate::probation::{Probation, Ramp};
use crate::quarantine::{Cause, Quarantine};
use crate::rng::Rng;
use crate::score::{Board, Outing};
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
    pub(super) breakers: Breakers,
    pub(super) throttle: Throttle,
    pub(super) quarantine: Quarantine,
    pub(super) probation: Probation,
    pub(super) limiter: Limiter,
    pub(super) bans: Bans,
    pub(super) lessons: Lessons,
    /// What is left of its share: a call each [`thin::WHOLE`](super::thin::WHOLE).
    pub(super) credit: u32,
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

impl Upstream {
    fn new(config: UpstreamConfig) -> Self {
        let mut probation = Probation::new();
        if config.slow_start {
            probation.begin(Ramp::New, Instant::ZERO);
        }
        Self {
            breakers: Breakers::new(config.breaker),
            throttle: Throttle::new(config.hold_off),
            quarantine: Quarantine::new(),
            probation,
            limiter: Limiter::new(config.limiter),
            bans: Bans::new(),
            lessons: Lessons::new(),
            credit: 0,
            heard: Instant::ZERO,
            config,
        }
    }

    /// Nothing at all is held against it, and nothing is counted that an answer would change.
    fn is_plain(&self, now: Instant) -> bool {
        self.breakers.are_closed()
            && self.throttle.is_free()
            && self.quarantine.is_clean()
            && !self.probation.is_on()
            && self.limiter.is_free(now)
            && self.bans.is_empty(now)
            && self.lessons.is_empty(now)
    }

    /// It has not its whole share, in some kind of work.
    fn is_thinned(&self) -> bool {
        let in_brownout = |group| self.breakers.group(group) == State::Brownout;
        self.probation.is_on() || MethodGroup::ALL.into_iter().any(in_brownout)
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
    /// Against whom nothing at all is held ([`Upstream::is_plain`]): they need not be looked at one by one. Whoever changes a policy's state
    /// calls [`Self::refresh`].
    pub(super) plain: UpstreamSet,
    /// Who has not his whole share.
    pub(super) thinned: UpstreamSet,
    /// So much of the calls, per thousand, may be repeated on account of brownouts.
    pub(super) retry_permille: u32,
    pub(super) panic_permille: u32,
    /// Too few are well, as was noted last.
    panics: bool,
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
    /// It finds out how an upstream does that has not its whole share.
    pub(super) on_trial: bool,
    pub(super) outing: Outing,
}

impl Chain {
    /// The configuration was checked, or has no upstream.
    pub(super) fn new(
        config: ChainConfig,
        tariffs: Box<[Tariff]>,
        retry_permille: u32,
        rng: Rng,
    ) -> Self {
        let count = config.upstreams.len();
        let specs = config.strategies.iter();
        let rankers: Vec<_> = specs
            .map(|spec| Ranker::new(spec, &config.upstreams))
            .collect();
        let races = rankers.iter().map(|ranker| ranker.race);
        let extra = races
            .clone()
            .map(|race| race.map(|race| race.max_extra_permille));
        let mut chain = Self {
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
            plain: UpstreamSet::EMPTY,
            thinned: UpstreamSet::EMPTY,
            retry_permille: retry_permille / 2,
            panic_permille: config.panic_permille,
            panics: false,
            candidates: Vec::with_capacity(count),
            rng,
            upstreams: config.upstreams.into_iter().map(Upstream::new).collect(),
        };
        for position in 0..count as u16 {
            chain.refresh(UpstreamIndex(position), Instant::ZERO);
        }
        chain
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

    /// A policy of this upstream may have changed its state: the sets are set right.
    pub(super) fn refresh(&mut self, index: UpstreamIndex, now: Instant) {
        let Some(upstream) = self.upstreams.get(index.as_usize()) else {
            return;
        };
        self.plain.set(index, upstream.is_plain(now));
        self.thinned.set(index, upstream.is_thinned());
    }

    /// Nobody is in the sets of whom it is not true, and nobody is missing from who has not his whole share. Those that are plain and not
    /// known to be are only looked at in vain.
    #[cfg(test)]
    pub(super) fn assert_sets(&self, now: Instant) {
        for (position, upstream) in self.upstreams.iter().enumerate() {
            let index = UpstreamIndex(position as u16);
            let plain = self.plain.contains(index);
            assert!(
                !plain || upstream.is_plain(now),
                "{index:?} is called plain"
            );
            assert_eq!(self.thinned.contains(index), upstream.is_thinned());
            let groups = MethodGroup::ALL.into_iter();
            let admitted = upstream.throttle.admits(now)
                && upstream.quarantine.admits(now)
                && groups
                    .into_iter()
                    .all(|group| upstream.breakers.admits(group, now));
            assert!(!plain || admitted, "{index:?} is plain and not admitted");
        }
    }

    /// Has it begun, or ended, that too few are well? To be asked when a policy's state has changed.
    pub(super) fn panic_turned(&mut self, now: Instant) -> Option<NoteKind> {
        let (well, of) = (self.well(now), self.upstreams.len());
        let panics = self.is_too_few(well);
        if core::mem::replace(&mut self.panics, panics) == panics {
            return None;
        }
        Some(NoteKind::Panic {
            began: panics,
            well: well as u8,
            of: of as u8,
        })
    }

    /// Counts an attempt in with every policy.
    pub(super) fn admit(
        &mut self,
        index: UpstreamIndex,
        method: MethodId,
        group: MethodGroup,
        now: Instant,
        note: &mut impl FnMut(NoteKind),
    ) -> Permits {
        let outing = self.board.started(index, method, now);
        let Some(upstream) = self.upstreams.get_mut(index.as_usize()) else {
            return Permits::default();
        };
        upstream.limiter.started(now);
        let (breaker, changes) = upstream.breakers.admit(group, now);
        let (throttle, returns) = upstream.throttle.admit(now);
        let permits = Permits {
            breaker,
            throttle,
            quarantined: upstream.quarantine.admit(),
            on_trial: self.thinned.contains(index),
            outing,
        };
        if changes.any() {
            for kind in breaker_notes(index, group, changes).into_iter().flatten() {
                note(kind);
            }
        }
        if returns {
            note(NoteKind::HoldOffEnded { upstream: index });
        }
        permits
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
            ProbeResult::OtherChain => self.other_chain_seen(index, now, note),
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
            let changes = upstream.breakers.heard_well(now, Instant::ZERO);
            for kind in breaker_notes(index, MethodGroup::Reads, changes)
                .into_iter()
                .flatten()
            {
                note(kind);
            }
            if upstream.quarantine.right_chain() {
                note(NoteKind::Released { upstream: index });
                if upstream.probation.begin(Ramp::Released, now) {
                    note(NoteKind::ProbationBegan { upstream: index });
                }
                self.turned(index, now, note);
            }
            return Reported::default();
        }
        self.other_chain_seen(index, now, note)
    }

    /// What was kept since the upstream was last known to be right may be its answers, and nobody knows which: all of it ends.
    fn other_chain_seen(
        &mut self,
        index: UpstreamIndex,
        now: Instant,
        note: &mut impl FnMut(NoteKind),
    ) -> Reported {
        let Some(upstream) = self.upstreams.get_mut(index.as_usize()) else {
            return Reported::default();
        };
        let is_news = upstream.quarantine.wrong_chain();
        if !is_news {
            return Reported::default();
        }
        note(NoteKind::Quarantined {
            upstream: index,
            cause: Cause::WrongChain,
            until: Instant::NEVER,
        });
        self.turned(index, now, note);
        let reset = self.heads.disown(index, now);
        self.note_reset(reset, note);
        Reported {
            agreed: reset.is_some(),
            ..Reported::default()
        }
    }

    /// A policy's state has changed: the sets and the panic follow.
    pub(super) fn turned(
        &mut self,
        index: UpstreamIndex,
        now: Instant,
        note: &mut impl FnMut(NoteKind),
    ) {
        self.refresh(index, now);
        if let Some(kind) = self.panic_turned(now) {
            note(kind);
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
        let returned = if self.heads.is_silent(index, now) {
            now
        } else {
            Instant::ZERO
        };
        let Some(upstream) = self.upstreams.get_mut(index.as_usize()) else {
            return Reported::default();
        };
        let changes = upstream.breakers.heard_well(now, returned);
        for kind in breaker_notes(index, MethodGroup::Reads, changes)
            .into_iter()
            .flatten()
        {
            note(kind);
        }
        if self.is_foreign(index) {
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

    /// Is it known to be of another chain?
    pub(super) fn is_foreign(&self, index: UpstreamIndex) -> bool {
        let state = self.upstream(index).and_then(|u| u.quarantine.state());
        state.is_some_and(|(cause, _)| cause == Cause::WrongChain)
    }

    pub(super) fn set_reachable(&mut self, index: UpstreamIndex, reachable: bool) {
        if index.as_usize() < self.upstreams.len() {
            self.reachable.set(index, reachable);
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

/// What is noted of breakers that changed.
pub(super) fn breaker_notes(
    upstream: UpstreamIndex,
    group: MethodGroup,
    changes: Changes,
) -> [Option<NoteKind>; 2] {
    let noted = |change: Option<breaker::Change>, group| {
        change.map(|(from, to)| NoteKind::Breaker {
            upstream,
            group,
            from,
            to,
        })
    };
    [
        noted(changes.whole, None),
        noted(changes.group, Some(group)),
    ]
}
