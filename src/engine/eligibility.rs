//! Who may be sent a call, and for everyone else why not. It reads the policies' verdicts as sets and combines them; it
//! never ranks and never changes a state.

use crate::index::{UpstreamIndex, UpstreamSet};

/// Why an upstream is left out. The order is the order in which reasons are asked, and the first that applies is the one reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LeftOutBy {
    /// Its `methods.deny` or `methods.allow` keeps this method away.
    Excluded,
    /// The request named another upstream.
    Pinned,
    /// This call has been there.
    AlreadyTried,
    /// It has no address: its name has never been resolved.
    NoAddress,
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
}

impl LeftOutBy {
    /// How many reasons there are.
    pub const COUNT: usize = 11;

    /// Every reason, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Excluded,
        Self::Pinned,
        Self::AlreadyTried,
        Self::NoAddress,
        Self::Quarantined,
        Self::HoldOff,
        Self::BreakerOpen,
        Self::Banned,
        Self::Lagging,
        Self::Range,
        Self::Saturated,
    ];

    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Pinned => "pinned",
            Self::AlreadyTried => "already_tried",
            Self::NoAddress => "no_address",
            Self::Quarantined => "quarantined",
            Self::HoldOff => "hold_off",
            Self::BreakerOpen => "breaker_open",
            Self::Banned => "banned",
            Self::Lagging => "lagging",
            Self::Range => "range",
            Self::Saturated => "saturated",
        }
    }
}

/// Everyone who was left out, by reason. An upstream is under one reason only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    sets: [UpstreamSet; LeftOutBy::COUNT],
}

impl LeftOut {
    /// Those that were left out for this reason.
    #[must_use]
    pub fn by(&self, reason: LeftOutBy) -> UpstreamSet {
        self.sets.get(reason as usize).copied().unwrap_or_default()
    }

    /// Why this one was left out, if it was.
    #[must_use]
    pub fn reason(&self, upstream: UpstreamIndex) -> Option<LeftOutBy> {
        LeftOutBy::ALL
            .into_iter()
            .find(|&reason| self.by(reason).contains(upstream))
    }

    /// Everyone who was left out, with the reason, by reason.
    pub fn iter(&self) -> impl Iterator<Item = (UpstreamIndex, LeftOutBy)> + '_ {
        LeftOutBy::ALL.into_iter().flat_map(|reason| {
            self.by(reason)
                .iter()
                .map(move |upstream| (upstream, reason))
        })
    }

    /// This one, for this reason.
    pub(crate) fn add(&mut self, reason: LeftOutBy, upstream: UpstreamIndex) {
        if let Some(set) = self.sets.get_mut(reason as usize) {
            set.insert(upstream);
        }
    }

    /// Takes `out` from `rest` for this reason.
    pub(crate) fn take(&mut self, reason: LeftOutBy, rest: &mut UpstreamSet, out: UpstreamSet) {
        let taken = rest.and(out);
        if let Some(set) = self.sets.get_mut(reason as usize) {
            *set = set.or(taken);
        }
        *rest = rest.minus(taken);
    }
}

/// In which way the upstream was the least bad, when none was eligible. The order is the order in which they are tried.
///
/// Never tried, whatever else is out: an excluded upstream, one on the wrong chain (a wrong answer is worse than none), one
/// without an address, and one whose own Retry-After is not over (to send there is to hammer it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LeastBad {
    /// Well, but with as much as it can carry: it may be slow, or throttle.
    Saturated,
    /// Healthy, but behind the best head.
    Lagging,
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
            Self::BreakerOpen => "breaker_open",
            Self::HoldOff => "hold_off",
            Self::Banned => "banned",
            Self::Range => "range",
            Self::Quarantined => "quarantined",
        }
    }
}
