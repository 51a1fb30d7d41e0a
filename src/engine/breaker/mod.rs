//! One upstream's circuit breakers. They count failures of health and say whether to send; they know no call, no other upstream,
//! and nothing of latency (that is [`score`](crate::score)'s).
//!
//! ```text
//!                          few failures at last, or none for long
//!                   ┌──────────────────────────────────────────────────┐
//!                   ▼      a quarter of the last ones failed           │
//!              ► Closed ─────────────────────────────────────────► Brownout
//!              │    │                                                  │
//!   `probes`   │    │ seven eighths of the last ones failed,           │ the same,
//!   attempts   │    │ or a run of 2 × `failures`                       │ or a run of 3 × `failures`
//!   succeeded  │    ▼                                                  │
//!              │   Open ◄──────────────────────────────────────────────┘
//!              │    │ ▲
//!              │    │ │ one failed
//!              │    ▼ │
//!            HalfOpen ┘        Open ─► HalfOpen: `open_for` is over, or a check beside the traffic passed
//! ```
//!
//! **When it trips.** Never with fewer than `failures` (weighted) within `window`: that is the count by time. The count by number is of the last
//! 64 outcomes. Seven eighths of failures among them, or a run of 2 × `failures`, is an outage, noticed soon after a long healthy time. From
//! a quarter on, the upstream is half broken. A tenth of failures at random is neither. Without
//! [`brownout`](BreakerConfig::brownout) two fifths open it.
//!
//! **Brownout.** A half-broken upstream keeps a share of the calls it would get: as much as it still does of its work, but no
//! more than repeats can pay for. If a share f of its attempts fails, its share is min(1 − f, β / f), where β is half of the retry
//! budget, divided among the upstreams that are in a brownout at once; and never less than [`MIN_SHARE_PERMILLE`], so that recovery is
//! seen. With the usual budget of 20 % that is a half at f = 20 %, a fifth at 50 %, an eighth at 80 %. Shares are relative to the best share among
//! those that could take the call: where all are half broken, or there is only one, nobody is held back. (Google's client-side
//! throttling, *Site Reliability Engineering* ch. 21, rejects in proportion, too, but there failures come of load, and go away with it.)
//!
//! **Kinds of work.** Each [`MethodGroup`] has a breaker of its own, and the upstream as a whole has one that counts nothing itself. When a
//! group's opens, the whole opens in its place if the upstream seems to be down: if nothing answered there at all (a refused connect), or
//! if no other group has had a success since this one went bad, and either this one is `Reads` or another fails as well. So a node
//! whose traces fail keeps its reads, and one that is down is found out by the first group that is. When the whole opens for what was
//! seen here, its groups begin anew. While the whole is half-open, a probe of another kind than `Reads` that fails opens its group alone.
//!
//! **How long.** `open_for` doubles with each trip that follows within ten of them after closing, up to a minute
//! (or `open_for`, if that is longer), and is stretched by up to a quarter at random so that shards and processes
//! do not come back in step.
//!
//! **What other shards tell.** That one of them opened its breaker counts where this one has no evidence of its own to the contrary: no
//! success since, and none within the last second before unless a failure followed it. It is open then until the later of the two
//! ends. Nothing that is told closes a breaker.
//!
//! **What does not count.** Results of attempts that began before the state they would judge: a straggler neither closes
//! nor trips. An attempt that was cancelled gives its probe back.

mod one;
mod recent;
#[cfg(test)]
mod tests;

pub use one::MIN_SHARE_PERMILLE;

use core::time::Duration;

use crate::config::BreakerConfig;
use crate::method::MethodGroup;
use crate::rng::Rng;
use crate::time::Instant;

use one::{Breaker, Ticket};

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Everything.
    #[default]
    Closed,
    /// Nothing.
    Open,
    /// Probes.
    HalfOpen,
    /// A share, in proportion to what it still does.
    Brownout,
}

impl State {
    /// How many states there are.
    pub const COUNT: usize = 4;

    /// Every state: as an index for arrays, and in metrics.
    pub const ALL: [Self; Self::COUNT] = [Self::Closed, Self::Open, Self::HalfOpen, Self::Brownout];

    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Brownout => "brownout",
        }
    }
}

/// What an attempt was admitted as. It is handed back with the attempt's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    whole: Ticket,
    group: Ticket,
}

impl Permit {
    /// Is it one of a half-open breaker's probes?
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.whole.probe || self.group.probe
    }
}

/// What an attempt's end says about health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The upstream did its work.
    Success,
    /// It failed, by so much of a failure, in per cent.
    Failure(u8),
    /// It failed, and nothing answered there at all: that is no matter of one kind of work.
    Unreachable,
    /// Nothing: cancelled, throttled, a capability.
    Neutral,
}

impl Verdict {
    const fn weight(self) -> u8 {
        match self {
            Self::Failure(percent) => percent,
            Self::Unreachable => 100,
            Self::Success | Self::Neutral => 0,
        }
    }
}

/// A state that changed: from, to.
pub type Change = (State, State);

/// What changed at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The upstream's breaker. When it opens for failures that were seen here, those of the groups begin anew, closed.
    pub whole: Option<Change>,
    /// The breaker of the group in question.
    pub group: Option<Change>,
}

impl Changes {
    /// Did anything?
    #[must_use]
    pub const fn any(&self) -> bool {
        self.whole.is_some() || self.group.is_some()
    }
}

/// The open time doubles up to this, unless it is longer to begin with.
pub const MAX_OPEN: Duration = Duration::from_secs(60);

/// One upstream's breakers.
#[derive(Clone, Debug)]
pub struct Breakers {
    by_group: bool,
    whole: Breaker,
    groups: [Breaker; MethodGroup::COUNT],
}

impl Breakers {
    /// Closed breakers.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        Self {
            by_group: config.by_group,
            whole: Breaker::new(config),
            groups: core::array::from_fn(|_| Breaker::new(config)),
        }
    }

    /// The state of the upstream as a whole, as of the last time that it was asked.
    #[must_use]
    pub const fn whole(&self) -> State {
        self.whole.state()
    }

    /// The state for one kind of work: what counts while the whole is closed.
    #[must_use]
    pub fn group(&self, group: MethodGroup) -> State {
        self.of(group).state()
    }

    /// The state that a call of this kind meets.
    #[must_use]
    pub fn state(&self, group: MethodGroup) -> State {
        match self.whole.state() {
            State::Closed => self.of(group).state(),
            state => state,
        }
    }

    /// Is every one of them closed?
    #[must_use]
    pub fn are_closed(&self) -> bool {
        let is_closed = |breaker: &Breaker| breaker.state() == State::Closed;
        is_closed(&self.whole) && self.groups.iter().all(is_closed)
    }

    /// When an open one half-opens; of the whole, or of a group where the whole is closed.
    #[must_use]
    pub fn open_until(&self, group: MethodGroup) -> Option<Instant> {
        match self.whole.state() {
            State::Closed => self.of(group).open_until(),
            _ => self.whole.open_until(),
        }
    }

    /// Would an attempt of this kind be admitted now? In a brownout any is: how many are is [`Self::share_permille`]'s matter.
    #[must_use]
    pub fn admits(&self, group: MethodGroup, now: Instant) -> bool {
        self.whole.admits(now) && self.of(group).admits(now)
    }

    /// Does one wait for a probe of this kind that nobody has taken?
    #[must_use]
    pub fn wants_probe(&self, group: MethodGroup, now: Instant) -> bool {
        self.admits(group, now) && (self.whole.wants_probe(now) || self.of(group).wants_probe(now))
    }

    /// The share of the calls of this kind that it is worth, per thousand: below 1000 in a brownout. Its failures may cost `retry_permille` repeats
    /// of a thousand calls.
    #[must_use]
    pub fn share_permille(&self, group: MethodGroup, retry_permille: u32) -> u32 {
        self.of(group).share_permille(retry_permille)
    }

    /// Counts an attempt in. One that is not admitted (the least bad of all, say) gets a permit too; its success then
    /// is heard, its failure is not.
    pub fn admit(&mut self, group: MethodGroup, now: Instant) -> (Permit, Changes) {
        let (whole, whole_change) = self.whole.admit(now);
        let (group, group_change) = self.of_mut(group).admit(now);
        let changes = Changes {
            whole: whole_change,
            group: group_change,
        };
        (Permit { whole, group }, changes)
    }

    /// Counts an attempt's end.
    pub fn finish(
        &mut self,
        permit: Permit,
        group: MethodGroup,
        verdict: Verdict,
        now: Instant,
        rng: &mut Rng,
    ) -> Changes {
        if self.whole.state() == State::Closed {
            self.whole.overhear(verdict, now);
            let own = self.of_mut(group).finish(permit.group, verdict, now, rng);
            let opened = matches!(own, Some((State::Closed | State::Brownout, State::Open)));
            if opened && self.is_down(group, verdict) {
                return self.open_whole(now, rng);
            }
            return Changes {
                whole: None,
                group: own,
            };
        }
        // What comes of a probe of the whole is no evidence about a group, unless that is the whole's last word.
        let own = match self.of(group).state() {
            State::Closed | State::Brownout => None,
            State::Open | State::HalfOpen => {
                self.of_mut(group).finish(permit.group, verdict, now, rng)
            }
        };
        let fails = matches!(verdict, Verdict::Failure(_));
        if self.by_group && permit.whole.probe && fails && group != MethodGroup::Reads {
            let _ = self.whole.finish(permit.whole, Verdict::Neutral, now, rng);
            let breaker = self.of_mut(group);
            let opens = matches!(breaker.state(), State::Closed | State::Brownout);
            return Changes {
                whole: None,
                group: own.or_else(|| opens.then(|| breaker.open(now, rng))),
            };
        }
        let whole = self.whole.finish(permit.whole, verdict, now, rng);
        if matches!(whole, Some((_, State::Open))) {
            self.begin_groups_anew();
            return Changes { whole, group: None };
        }
        if matches!(whole, Some((_, State::Closed))) {
            // What was sent while it was out, and fails from now on, says nothing of what is sent now.
            self.groups.iter_mut().for_each(Breaker::forget_sent);
        }
        Changes { whole, group: own }
    }

    /// A check beside the traffic found the upstream well at `at`, and one did so after a silence at `returned` (the base for never), be it another
    /// shard's. It never closes a breaker, it only lets the probes start before their time: once the first `open_for` is over, or after a silence
    /// within a second. Probes that were out by then are not waited for: it is half-open once more. A check is a read: it says nothing of other kinds
    /// of work.
    pub fn heard_well(&mut self, at: Instant, returned: Instant) -> Changes {
        Changes {
            whole: self.whole.heard_well(at, returned),
            group: self.of_mut(MethodGroup::Reads).heard_well(at, returned),
        }
    }

    /// When a check last found the upstream well after a silence; the base for never.
    #[must_use]
    pub const fn returned(&self) -> Instant {
        self.whole.returned()
    }

    /// When the upstream last did its work; the base for never.
    #[must_use]
    pub const fn succeeded(&self) -> Instant {
        self.whole.succeeded()
    }

    /// When one opened last, and when it half-opens then by its own count: a group's, or the whole's.
    #[must_use]
    pub fn opening(&self, group: Option<MethodGroup>) -> (Instant, Instant) {
        group.map_or(&self.whole, |group| self.of(group)).opening()
    }

    /// Another shard's breaker for this upstream, or for one kind of its work, opened at `opened`, until `until`.
    pub fn adopt(
        &mut self,
        group: Option<MethodGroup>,
        opened: Instant,
        until: Instant,
        now: Instant,
    ) -> Option<Change> {
        match group {
            Some(group) => self.of_mut(group).adopt(opened, until, now),
            // What is told of the groups is another matter, so the order in which it comes does not matter.
            None => self.whole.adopt(opened, until, now),
        }
    }

    /// A group's breaker has opened: is it the upstream that is down?
    fn is_down(&self, group: MethodGroup, verdict: Verdict) -> bool {
        if !self.by_group || verdict == Verdict::Unreachable {
            return true;
        }
        let since = self.of(group).bad_since();
        let others = || {
            MethodGroup::ALL
                .into_iter()
                .filter(move |&other| other != group)
                .map(|other| self.of(other))
        };
        if others().any(|other| other.vouches(since)) {
            return false;
        }
        group == MethodGroup::Reads || others().any(|other| other.joins_in(since))
    }

    fn open_whole(&mut self, now: Instant, rng: &mut Rng) -> Changes {
        let whole = self.whole.open(now, rng);
        self.begin_groups_anew();
        Changes {
            whole: Some(whole),
            group: None,
        }
    }

    fn begin_groups_anew(&mut self) {
        self.groups.iter_mut().for_each(Breaker::begin_anew);
    }

    /// Without groups of its own an upstream has the first one for all.
    const fn position(&self, group: MethodGroup) -> usize {
        if self.by_group { group as usize } else { 0 }
    }

    fn of(&self, group: MethodGroup) -> &Breaker {
        self.groups.get(self.position(group)).unwrap_or(&self.whole)
    }

    fn of_mut(&mut self, group: MethodGroup) -> &mut Breaker {
        let position = self.position(group);
        self.groups.get_mut(position).unwrap_or(&mut self.whole)
    }
}
