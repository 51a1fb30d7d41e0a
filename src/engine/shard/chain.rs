//! One chain's state: its upstreams' policies side by side. It counts attempts in and takes checks in; it does not choose.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::ban::Bans;
use crate::breaker::{self, Breaker};
use crate::chain::ChainId;
use crate::config::{ChainConfig, MethodPolicy, UpstreamConfig};
use crate::head::Heads;
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
            heads: Heads::new(count, config.max_lag_blocks),
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
    ) {
        let Some(upstream) = self.upstreams.get_mut(index.as_usize()) else {
            return;
        };
        note(NoteKind::Probed {
            upstream: index,
            result,
        });
        match result {
            ProbeResult::Failed
            | ProbeResult::HeadFailed(_)
            | ProbeResult::HeadUnknown(_)
            | ProbeResult::Safe(_)
            | ProbeResult::Finalized(_) => {}
            ProbeResult::ChainId(seen) if self.chain_id.is_none_or(|wanted| wanted == seen) => {
                upstream.breaker.checked_well(now);
                if upstream.quarantine.right_chain() {
                    note(NoteKind::Released { upstream: index });
                }
            }
            ProbeResult::ChainId(_) => {
                if upstream.quarantine.wrong_chain() {
                    note(NoteKind::Quarantined {
                        upstream: index,
                        cause: Cause::WrongChain,
                        until: Instant::NEVER,
                    });
                }
            }
            ProbeResult::Head(head) => {
                upstream.breaker.checked_well(now);
                if let Some(crossed) = self.heads.observe(index, head) {
                    note(NoteKind::Lagging {
                        upstream: index,
                        lag_blocks: crossed.lag_blocks,
                        left_out: crossed.left_out,
                    });
                }
            }
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
