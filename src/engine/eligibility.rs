//! Who may be sent a call, and for everyone else why not. It reads the policies' verdicts as sets and combines them; it
//! never ranks and never changes a state.
//!
//! **The ladder.** A call is not failed because few upstreams are well; it goes down a rung, and says so ([`LeastBad`]).
//!
//! 1. Whoever is eligible. Those that have not their whole share (a brownout, a way back) sit out most calls while somebody has his.
//! 2. Nobody is: whoever merely has as much as it can carry. First attempts, repeats and hedges' rescues alike, at no extra cost to the
//!    retry budget: to be full is no failure.
//! 3. Nobody is full either, and the chain *panics*: of its upstreams at most
//!    [`panic_permille`](crate::config::ChainConfig::panic_permille) are well (Envoy's panic threshold, which is 50 % there as here). A first attempt
//!    takes this rung whatever the threshold, since there is nothing to lose; a repeat only in a panic, and it draws as much of the
//!    retry budget as two. The order is [`LeastBad`]'s: one that lags; one whose breaker is open; one that throttles us but named no time, one
//!    attempt at a time; one that is known not to serve this, for its own words; one whose account is refused.
//! 4. One clear fault, with the time at which the first of those that throttle us comes back.
//!
//! Envoy in a panic ignores health altogether and spreads over all hosts, to save the few that are well from all of the load. Here the few
//! are saved by their limits ([`limit`](crate::limit)): whoever has enough is left out, and the rest of the traffic goes down the
//! ladder by itself, with nobody sent to an upstream that is out while another could have answered.

use crate::index::{UpstreamIndex, UpstreamSet};

/// Why an upstream is left out. The order is the order in which reasons are asked, and the first that applies is the one reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LeftOutBy {
    /// Its `methods.deny` or `methods.allow` keeps this method away.
    Excluded,
    /// The request named another upstream.
    Pinned,
    /// It does not speak the protocol that the call needs.
    Protocol,
    /// This call has been there.
    AlreadyTried,
    /// It has no address: its name has never been resolved.
    NoAddress,
    /// An operator has drained it.
    Drained,
    /// Its account has spent what it may: in this second, day or month.
    Quota,
    /// Wrong chain, unpaid, or a refused credential.
    Quarantined,
    /// It throttles us, or it is just coming back and has its share already.
    HoldOff,
    /// Its breaker is open, or half-open with all its probes out.
    BreakerOpen,
    /// It said that it does not serve this method.
    Banned,
    /// Its head is too far behind.
    Lagging,
    /// It is known to refuse what the call asks for: so many blocks at once, or blocks that it no longer keeps.
    Range,
    /// It has as much as it can carry, by what was found of its limits.
    Saturated,
    /// It is farther away than need be: the client's region, or a faster one, has another.
    Region,
    /// It is not expected to answer in the time that is left, and another is.
    Budget,
    /// It is in a brownout, on its way back or new, and has had its share.
    Share,
}

impl LeftOutBy {
    /// How many reasons there are.
    pub const COUNT: usize = 17;

    /// Every reason, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Excluded,
        Self::Pinned,
        Self::Protocol,
        Self::AlreadyTried,
        Self::NoAddress,
        Self::Drained,
        Self::Quota,
        Self::Quarantined,
        Self::HoldOff,
        Self::BreakerOpen,
        Self::Banned,
        Self::Lagging,
        Self::Range,
        Self::Saturated,
        Self::Region,
        Self::Budget,
        Self::Share,
    ];

    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Pinned => "pinned",
            Self::Protocol => "protocol",
            Self::AlreadyTried => "already_tried",
            Self::NoAddress => "no_address",
            Self::Drained => "drained",
            Self::Quota => "quota",
            Self::Quarantined => "quarantined",
            Self::HoldOff => "hold_off",
            Self::BreakerOpen => "breaker_open",
            Self::Banned => "banned",
            Self::Lagging => "lagging",
            Self::Range => "range",
            Self::Saturated => "saturated",
            Self::Region => "region",
            Self::Budget => "budget",
            Self::Share => "share",
        }
    }
}

/// Bits that number a reason, and 0 for none.
const PLANES: usize = 5;
const _: () = assert!(LeftOutBy::COUNT < 1 << PLANES);

/// Everyone who was left out, by reason. An upstream is under one reason only.
///
/// Kept as the binary digits of each upstream's reason, one set a digit: it is copied with every selection, and a set for each reason would be
/// three times as long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    planes: [UpstreamSet; PLANES],
}

impl LeftOut {
    /// Those that were left out for this reason.
    #[must_use]
    pub fn by(&self, reason: LeftOutBy) -> UpstreamSet {
        let number = reason as usize + 1;
        let mut set = UpstreamSet::first(crate::index::MAX_UPSTREAMS);
        for (digit, plane) in self.planes.iter().enumerate() {
            set = if number & (1 << digit) == 0 {
                set.minus(*plane)
            } else {
                set.and(*plane)
            };
        }
        set
    }

    /// All that were left out.
    #[must_use]
    pub fn all(&self) -> UpstreamSet {
        let planes = self.planes.iter();
        planes.fold(UpstreamSet::EMPTY, |all, plane| all.or(*plane))
    }

    /// Why this one was left out, if it was.
    #[must_use]
    pub fn reason(&self, upstream: UpstreamIndex) -> Option<LeftOutBy> {
        let mut number = 0;
        for (digit, plane) in self.planes.iter().enumerate() {
            number |= usize::from(plane.contains(upstream)) << digit;
        }
        LeftOutBy::ALL.get(number.checked_sub(1)?).copied()
    }

    /// Everyone who was left out, with the reason, by upstream.
    pub fn iter(&self) -> impl Iterator<Item = (UpstreamIndex, LeftOutBy)> + '_ {
        let all = self.all().iter();
        all.filter_map(|upstream| Some((upstream, self.reason(upstream)?)))
    }

    /// This one, which is under no reason yet, for this reason.
    pub(crate) fn add(&mut self, reason: LeftOutBy, upstream: UpstreamIndex) {
        self.add_all(reason, UpstreamSet::only(upstream));
    }

    /// Takes `out` from `rest` for this reason.
    pub(crate) fn take(&mut self, reason: LeftOutBy, rest: &mut UpstreamSet, out: UpstreamSet) {
        let taken = rest.and(out);
        self.add_all(reason, taken);
        *rest = rest.minus(taken);
    }

    fn add_all(&mut self, reason: LeftOutBy, set: UpstreamSet) {
        let number = reason as usize + 1;
        for (digit, plane) in self.planes.iter_mut().enumerate() {
            if number & (1 << digit) != 0 {
                *plane = plane.or(set);
            }
        }
    }
}

/// In which way the upstream was the least bad, when none was eligible. The order is the order in which they are tried.
///
/// Never tried, whatever else is out: an excluded upstream, one that does not speak the call's protocol, one on the wrong chain (a wrong
/// answer is worse than none), one without an address, one whose own Retry-After is not over (to send there is to hammer it), and one whose
/// account has spent what it may (what is over it is refused, or billed). Region and budget leave nobody out unless another is left, so they
/// need no exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LeastBad {
    /// Well, but with as much as it can carry: it may be slow, or throttle.
    Saturated,
    /// Healthy, but behind the best head.
    Lagging,
    /// Healthy, but drained: it serves until somebody else can, as an endpoint of Kubernetes that is terminating does while all are.
    Drained,
    /// Its breaker is open or its probes are out; it may have come back.
    BreakerOpen,
    /// It throttles us, but named no time: one attempt at a time, to notice when it stops.
    HoldOff,
    /// It said that it does not serve this method: its own words are what the client needs.
    Banned,
    /// It refused as many blocks, or such old ones, before: its own words are what the client needs.
    Range,
    /// Its credential or account is refused: it may have been mended.
    Quarantined,
}

impl LeastBad {
    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Saturated => "saturated",
            Self::Lagging => "lagging",
            Self::Drained => "drained",
            Self::BreakerOpen => "breaker_open",
            Self::HoldOff => "hold_off",
            Self::Banned => "banned",
            Self::Range => "range",
            Self::Quarantined => "quarantined",
        }
    }
}
