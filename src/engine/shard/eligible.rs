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
use crate::protocol::ProtocolSet;
use crate::time::Instant;

use super::chain::{Chain, Upstream};

impl Chain {
    /// Everyone who may be sent the call, and why the others may not.
    pub(super) fn eligible(&self, call: &Call, now: Instant) -> (UpstreamSet, LeftOut) {
        let request = &call.request;
        let mut rest = self.all;
        let mut left_out = LeftOut::default();
        self.keep_away(call, &mut rest, &mut left_out);
        // Of those nothing more needs to be asked.
        let at_ease = self.plain.minus(self.heads.maybe_late());
        for index in rest.minus(at_ease).iter() {
            let Some(upstream) = self.upstream(index) else {
                continue;
            };
            if let Some(why) = self.why_left_out(call, index, upstream, now) {
                rest.remove(index);
                left_out.add(why, index);
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

    /// The reasons that are known as sets, in the order of [`LeftOutBy`]. For most calls all of them are empty.
    fn keep_away(&self, call: &Call, rest: &mut UpstreamSet, left_out: &mut LeftOut) {
        let request = &call.request;
        let excluded = request.excluded.or(self.denied(request.method));
        let unused = self.all.minus(self.reachable);
        let out = excluded
            .or(call.tried)
            .or(unused)
            .or(self.drained)
            .or(self.spent);
        let anybody = request.pinned.is_none() && request.protocols == ProtocolSet::ANY;
        if out.is_empty() && anybody {
            return;
        }
        left_out.take(LeftOutBy::Excluded, rest, excluded);
        if let Some(pinned) = request.pinned {
            let others = self.all.minus(UpstreamSet::only(pinned));
            left_out.take(LeftOutBy::Pinned, rest, others);
        }
        if !anybody {
            let speechless = self.having(*rest, |_, upstream| {
                !upstream.config.protocols.meets(request.protocols)
            });
            left_out.take(LeftOutBy::Protocol, rest, speechless);
        }
        left_out.take(LeftOutBy::AlreadyTried, rest, call.tried);
        left_out.take(LeftOutBy::NoAddress, rest, unused);
        left_out.take(LeftOutBy::Drained, rest, self.drained);
        left_out.take(LeftOutBy::Quota, rest, self.spent);
    }

    /// The first of the other reasons that applies, in the order of [`LeftOutBy`].
    pub(super) fn why_left_out(
        &self,
        call: &Call,
        index: UpstreamIndex,
        upstream: &Upstream,
        now: Instant,
    ) -> Option<LeftOutBy> {
        let request = &call.request;
        if !upstream.quarantine.admits(now) {
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
        } else if !upstream.limiter.has_room(self.board.load(index), now) {
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
        let used = self.reachable.minus(self.drained.or(self.spent));
        let odd = used.minus(self.plain);
        let admitted = self.having(odd, |index, _| self.admits(index, MethodGroup::Reads, now));
        used.and(self.plain).or(admitted).len()
    }

    /// Would its breakers, its hold-off and its quarantine admit an attempt of this kind now, and is it neither drained nor its account spent?
    pub(super) fn admits(&self, index: UpstreamIndex, group: MethodGroup, now: Instant) -> bool {
        if self.drained.or(self.spent).contains(index) {
            return false;
        }
        self.plain.contains(index)
            || self.upstream(index).is_some_and(|upstream| {
                upstream.quarantine.admits(now)
                    && upstream.throttle.admits(now)
                    && upstream.breakers.admits(group, now)
            })
    }

    /// May an attempt be made there although it is out, as the least bad? Never before its own Retry-After, never on
    /// the wrong chain, never without an address, never beyond its account's limits.
    pub(super) fn admits_least_bad(&self, index: UpstreamIndex, now: Instant) -> bool {
        self.reachable.minus(self.spent).contains(index)
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
