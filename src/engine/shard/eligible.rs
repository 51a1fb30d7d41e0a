//! Who may be sent a call, and why the others may not. It reads every policy and changes none.
//!
//! Most of the time nothing is held against anybody, and then nobody is looked at one by one: the sets that the chain keeps say so.

use crate::block::Height;
use crate::call::Call;
use crate::eligibility::{LeftOut, LeftOutBy};
use crate::head::HeadKind;
use crate::index::{UpstreamIndex, UpstreamSet};
use crate::learned::Wanted;
use crate::method::{self, Effect, MethodGroup};
use crate::time::Instant;

use super::chain::{Chain, Upstream};

impl Chain {
    /// Everyone who may be sent the call, and why the others may not.
    pub(super) fn eligible(&self, call: &Call, now: Instant) -> (UpstreamSet, LeftOut) {
        let request = &call.request;
        let mut left_out = LeftOut::default();
        let all = UpstreamSet::first(self.upstreams.len());
        let mut rest = self.at_ease(call);
        for index in all.minus(rest).iter() {
            let Some(upstream) = self.upstream(index) else {
                continue;
            };
            match self.why_left_out(call, index, upstream, now) {
                None => rest.insert(index),
                Some(why) => left_out.add(why, index),
            }
        }
        // One that has not come so far answers with the past, or not at all; but where nobody else is left, whoever came closest
        // is asked: its last report is some time old.
        if request.height != Height::Any {
            let mut short = self.having(rest, |index, _| {
                self.heads.falls_short(index, request.height)
            });
            if rest.minus(short).is_empty() {
                let newest = |index| self.heads.known(index, HeadKind::Newest);
                let closest = rest.iter().filter_map(newest).max();
                short = self.having(rest, |index, _| newest(index) < closest);
            }
            left_out.take(LeftOutBy::Lagging, &mut rest, short);
        }
        // A call with an effect is a probe only where nobody else could take it: what it finds out may cost the client a
        // doubt, but a client that does nothing else than write must not be left with the upstreams that are down.
        if request.effect != Effect::None {
            let waiting = self.having(rest.minus(self.plain), |_, upstream| {
                upstream.breakers.wants_probe(call.group, now)
            });
            if !rest.minus(waiting).is_empty() {
                left_out.take(LeftOutBy::BreakerOpen, &mut rest, waiting);
            }
        }
        (rest, left_out)
    }

    /// Is there anybody else who could be sent the call, be it one that has enough?
    pub(super) fn can_go_elsewhere(&self, call: &Call, now: Instant) -> bool {
        let (rest, left_out) = self.eligible(call, now);
        !rest.or(left_out.by(LeftOutBy::Saturated)).is_empty()
    }

    /// Those of whom it is known without looking that nothing keeps this call away.
    fn at_ease(&self, call: &Call) -> UpstreamSet {
        let request = &call.request;
        let named = request
            .pinned
            .map_or(UpstreamSet(u64::MAX), UpstreamSet::only);
        self.plain
            .and(self.reachable)
            .and(named)
            .minus(self.heads.maybe_late())
            .minus(self.restricted)
            .minus(request.excluded)
            .minus(call.tried)
    }

    /// The first reason that applies, in the order of [`LeftOutBy`].
    fn why_left_out(
        &self,
        call: &Call,
        index: UpstreamIndex,
        upstream: &Upstream,
        now: Instant,
    ) -> Option<LeftOutBy> {
        let request = &call.request;
        if upstream.config.denied.contains(request.method) || request.excluded.contains(index) {
            Some(LeftOutBy::Excluded)
        } else if request.pinned.is_some_and(|pinned| pinned != index) {
            Some(LeftOutBy::Pinned)
        } else if call.tried.contains(index) {
            Some(LeftOutBy::AlreadyTried)
        } else if !self.reachable.contains(index) {
            Some(LeftOutBy::NoAddress)
        } else if !upstream.quarantine.admits(now) {
            Some(LeftOutBy::Quarantined)
        } else if !upstream.throttle.admits(now) {
            Some(LeftOutBy::HoldOff)
        } else if !upstream.breakers.admits(call.group, now) {
            Some(LeftOutBy::BreakerOpen)
        } else if upstream.bans.contains(request.method, now) {
            Some(LeftOutBy::Banned)
        } else if self.heads.is_late(index, now) {
            Some(LeftOutBy::Lagging)
        } else if !upstream.lessons.is_empty(now)
            && upstream.lessons.refuse(&self.wanted(call), now)
        {
            Some(LeftOutBy::Range)
        } else if !upstream.limiter.has_room(self.board.in_flight(index), now) {
            Some(LeftOutBy::Saturated)
        } else {
            None
        }
    }

    /// What the call asks for, as far as upstreams have limits of it.
    pub(super) fn wanted(&self, call: &Call) -> Wanted {
        let request = &call.request;
        Wanted::of(
            method::policy(request.method),
            request.height,
            request.blocks,
            self.heads.head().newest,
        )
    }

    /// So few are well that those that are out are used, too (Envoy's panic threshold, for small pools): little is left to
    /// protect, and one that has come back is worth finding.
    pub(super) fn is_panicking(&self, now: Instant) -> bool {
        self.is_too_few(self.well(now))
    }

    pub(super) const fn is_too_few(&self, well: usize) -> bool {
        self.panic_permille > 0
            && well as u64 * 1_000 <= self.upstreams.len() as u64 * self.panic_permille as u64
    }

    /// How many are well, for what every node does.
    pub(super) fn well(&self, now: Instant) -> usize {
        let odd = self.reachable.minus(self.plain);
        let admitted = self.having(odd, |index, _| self.admits(index, MethodGroup::Reads, now));
        self.reachable.and(self.plain).or(admitted).len()
    }

    /// Would its breakers, its hold-off and its quarantine admit an attempt of this kind now?
    pub(super) fn admits(&self, index: UpstreamIndex, group: MethodGroup, now: Instant) -> bool {
        self.plain.contains(index)
            || self.upstream(index).is_some_and(|upstream| {
                upstream.quarantine.admits(now)
                    && upstream.throttle.admits(now)
                    && upstream.breakers.admits(group, now)
            })
    }

    /// May an attempt be made there although it is out, as the least bad? Never before its own Retry-After, never on
    /// the wrong chain, never without an address.
    pub(super) fn admits_least_bad(&self, index: UpstreamIndex, now: Instant) -> bool {
        self.reachable.contains(index)
            && self.upstream(index).is_some_and(|upstream| {
                upstream.throttle.admits_least_bad(now) && upstream.quarantine.admits_least_bad()
            })
    }

    /// The earliest time at which a held-off upstream among `held` comes back.
    pub(super) fn earliest_return(&self, held: UpstreamSet) -> Option<Instant> {
        held.iter()
            .filter_map(|index| self.upstream(index)?.throttle.held_until())
            .min()
    }

    pub(super) fn having(
        &self,
        among: UpstreamSet,
        is: impl Fn(UpstreamIndex, &Upstream) -> bool,
    ) -> UpstreamSet {
        let mut set = UpstreamSet::EMPTY;
        for index in among.iter() {
            if self
                .upstream(index)
                .is_some_and(|upstream| is(index, upstream))
            {
                set.insert(index);
            }
        }
        set
    }
}
