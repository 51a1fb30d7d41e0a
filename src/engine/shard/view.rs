//! What others may see of a shard: for metrics, readiness and explanations. It changes nothing.

use crate::breaker::State;
use crate::head::HeadKind;
use crate::index::{ChainIndex, UpstreamIndex};
use crate::method::{MethodGroup, MethodId};
use crate::quarantine::Cause;
use crate::score::Estimate;
use crate::time::Instant;

use super::Shard;
use super::thin::WHOLE;

/// One upstream as seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamView {
    /// Of which chain.
    pub chain: ChainIndex,
    /// Which.
    pub upstream: UpstreamIndex,
    /// The state of its breaker, as a whole.
    pub breaker: State,
    /// The breakers of each kind of work, by [`MethodGroup`] as an index: what counts while the whole is closed.
    pub groups: [State; MethodGroup::COUNT],
    /// When an open breaker half-opens: the whole's, or that of ordinary reads.
    pub open_until: Option<Instant>,
    /// Until when it is held off.
    pub held_until: Option<Instant>,
    /// Before this the upstream itself does not want to hear of us.
    pub held_floor: Instant,
    /// It is coming back from a hold-off, with a part of its share.
    pub ramping: bool,
    /// Why it is quarantined, and until when at least.
    pub quarantined: Option<(Cause, Instant)>,
    /// Its share of the calls that it would otherwise get, in its worst kind of work, per thousand: below 1000 in a brownout, on
    /// probation, and in a slow start.
    pub share_permille: u32,
    /// It is back, or new, and its share grows.
    pub on_probation: bool,
    /// The most attempts at once that it was found to carry.
    pub max_in_flight: Option<u32>,
    /// The most attempts a second that it was found to carry, in thousandths.
    pub max_rate_millis: Option<u64>,
    /// It has as much as it can carry.
    pub saturated: bool,
    /// Its newest block, where known.
    pub head: Option<u64>,
    /// Blocks behind the best head, where known.
    pub lag_blocks: Option<u64>,
    /// It is left out for its lag, or because it said that it is not in sync.
    pub late: bool,
    /// Has it an address?
    pub reachable: bool,
    /// An operator has drained it.
    pub drained: bool,
    /// Attempts that have not ended.
    pub in_flight: u32,
    /// Share of recent attempts that did not fail, per thousand, over all its methods.
    pub health_permille: u32,
    /// Latency over all its methods relative to the chain's usual, per thousand: 1000 is as fast as the average.
    pub relative_latency_permille: u32,
    /// It would be eligible for an ordinary read that nothing excludes, but for [`Self::saturated`].
    pub eligible: bool,
}

impl Shard {
    /// One upstream as seen from outside; `None` if there is no such one.
    #[must_use]
    pub fn view(
        &self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        now: Instant,
    ) -> Option<UpstreamView> {
        let state = self.chain(chain)?;
        let member = state.upstream(upstream)?;
        let (health, relative) = state.board.standing(upstream);
        let reachable = state.reachable.contains(upstream);
        let late = state.heads.is_late(upstream, now);
        let admitted = state.admits(upstream, MethodGroup::Reads, now);
        let load = state.board.load(upstream);
        let saturated = !member.limiter.has_room(load, now);
        let shares = MethodGroup::ALL
            .into_iter()
            .map(|group| state.share(upstream, group, state.retry_permille));
        let reported = state.heads.reported(upstream, HeadKind::Newest);
        Some(UpstreamView {
            chain,
            upstream,
            breaker: member.breakers.whole(),
            groups: MethodGroup::ALL.map(|group| member.breakers.group(group)),
            share_permille: shares.min().unwrap_or(WHOLE),
            on_probation: member.probation.is_on(),
            max_in_flight: member.limiter.max_in_flight(),
            max_rate_millis: member.limiter.max_rate_millis(now),
            saturated,
            open_until: member.breakers.open_until(MethodGroup::Reads),
            held_until: member.throttle.held_until(),
            held_floor: member.throttle.floor(),
            ramping: member.throttle.is_ramping(),
            quarantined: member.quarantine.state(),
            head: state.heads.known(upstream, HeadKind::Newest),
            lag_blocks: reported.map(|(_, behind, _)| behind),
            late,
            reachable,
            drained: state.drained.contains(upstream),
            in_flight: load.all,
            health_permille: permille(health),
            relative_latency_permille: permille(relative),
            eligible: reachable && !late && admitted,
        })
    }

    /// Everything that was learned of an upstream and may have been told, for tests.
    #[cfg(test)]
    pub(crate) fn facts_of(
        &self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
    ) -> alloc::string::String {
        let member = self.chain(chain).and_then(|state| state.upstream(upstream));
        let facts = member.map(|member| {
            let learned = (0..crate::learned::Learned::COUNT)
                .filter_map(|register| member.lessons.read(register))
                .collect::<alloc::vec::Vec<_>>();
            let bans = (0..MethodId::COUNT as u16)
                .filter_map(|method| Some((method, member.bans.read(MethodId(method))?)))
                .collect::<alloc::vec::Vec<_>>();
            alloc::format!("{learned:?} {bans:?}")
        });
        facts.unwrap_or_default()
    }

    /// Every upstream of every chain as seen from outside.
    pub fn views(&self, now: Instant) -> impl Iterator<Item = UpstreamView> + '_ {
        let chains = self.chains.iter().enumerate();
        chains.flat_map(move |(chain, state)| {
            let upstreams = 0..state.upstreams.len() as u16;
            upstreams.filter_map(move |index| {
                self.view(ChainIndex(chain as u16), UpstreamIndex(index), now)
            })
        })
    }

    /// What is believed of one upstream for one method.
    #[must_use]
    pub fn estimate(
        &self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        method: MethodId,
        now: Instant,
    ) -> Option<Estimate> {
        let state = self.chain(chain)?;
        state.upstream(upstream)?;
        Some(state.board.estimate(upstream, method, now))
    }

    /// Can a call of this chain be served, as far as is known: is at least one upstream eligible?
    #[must_use]
    pub fn is_ready(&self, chain: ChainIndex, now: Instant) -> bool {
        let count = self
            .chain(chain)
            .map_or(0, |state| state.upstreams.len() as u16);
        let mut views = (0..count).filter_map(|index| self.view(chain, UpstreamIndex(index), now));
        views.any(|view| view.eligible)
    }

    /// Calls that have begun and not completed.
    #[must_use]
    pub const fn live_calls(&self) -> u64 {
        self.live_calls
    }

    /// Retries that the budget would allow now.
    #[must_use]
    pub fn retries_left(&self, now: Instant) -> u32 {
        self.budget.left(now)
    }
}

const fn permille(share: u32) -> u32 {
    ((share as u64 * 1_000) >> 16) as u32
}
