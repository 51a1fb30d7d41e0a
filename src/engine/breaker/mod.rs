//! One upstream's circuit breaker. It counts failures of health and says whether to send; it knows no call, no other upstream,
//! and nothing of latency (that is [`score`](crate::score)'s).
//!
//! ```text
//!            failures in the window, and most        open_for is over,
//!            of the last ones or a long run          or a check beside the traffic passed
//!   Closed ─────────────────────────────────► Open ─────────────────────────────► HalfOpen
//!     ▲                                        ▲                                   │   │
//!     │ `probes` attempts succeeded            └────────── one failed ─────────────┘   │
//!     └────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! **When it trips.** With `failures` (weighted: a time-out counts half) within `window`, and either two fifths of the last
//! 64 outcomes failed or all that came since 2 × `failures` of failures. So few failures do not cost a busy upstream its traffic; the run
//! notices an outage soon after a long healthy time; and what fails more than the retry budget can repair is left out. A fifth of
//! failures at random trips it about once in two million calls.
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

use core::time::Duration;

use crate::config::BreakerConfig;
use crate::rng::Rng;
use crate::time::Instant;

#[cfg(test)]
mod tests;

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything.
    Closed,
    /// Nothing.
    Open,
    /// Probes.
    HalfOpen,
    /// A share, in proportion to what it still does.
    Brownout,
}

impl State {
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
    epoch: u32,
    probe: bool,
}

impl Permit {
    /// Is it one of a half-open breaker's probes?
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.probe
    }
}

/// What an attempt's end says about health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The upstream did its work.
    Success,
    /// It failed, by so much of a failure, in per cent.
    Failure(u8),
    /// Nothing: cancelled, throttled, a capability.
    Neutral,
}

/// A state that changed: from, to.
pub type Change = (State, State);

/// The open time doubles up to this, unless it is longer to begin with.
pub const MAX_OPEN: Duration = Duration::from_secs(60);
/// Up to this much, in per cent, is added to an open time at random.
const OPEN_JITTER_PERCENT: u32 = 25;
/// A window is counted in this many parts, so it forgets in steps of a tenth.
const PARTS: usize = 10;
/// So much of the last outcomes, in per cent, is too much.
const BAD_PERCENT: u32 = 40;
/// A success this long before another shard's breaker opened still speaks against opening this one, if no failure followed it.
const OWN_WORD: Duration = Duration::from_secs(1);
/// After closing, this many open times without a trip forget the earlier trips.
const FORGET_TRIPS_AFTER: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    number: u64,
    /// In per cent of a failure.
    failures: u32,
}

/// The last 64 outcomes, a bit each: was it a failure, and only half of one?
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    whole: u64,
    half: u64,
    count: u32,
}

impl Last {
    fn push(&mut self, weight: u32) {
        self.whole = self.whole << 1 | u64::from(weight >= 75);
        self.half = self.half << 1 | u64::from((1..75).contains(&weight));
        self.count = (self.count + 1).min(u64::BITS);
    }

    const fn is_bad(&self) -> bool {
        let failures = self.whole.count_ones() * 100 + self.half.count_ones() * 50;
        failures >= self.count * BAD_PERCENT
    }
}

/// One upstream's breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: State,
    /// Grows with every change of state.
    epoch: u32,
    parts: [Part; PARTS],
    last: Last,
    /// Failures since the last success, in per cent.
    run: u32,
    trips: u32,
    opened: Instant,
    /// While open: when it half-opens, unless a check finds the upstream well before. While closed: when earlier trips are forgotten.
    until: Instant,
    /// When a check beside the traffic last found the upstream well.
    well: Instant,
    /// The last success; the base for none.
    succeeded: Instant,
    probes_out: u32,
    probes_passed: u32,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            state: State::Closed,
            epoch: 0,
            parts: [Part::default(); PARTS],
            last: Last::default(),
            run: 0,
            trips: 0,
            opened: Instant::ZERO,
            until: Instant::ZERO,
            well: Instant::ZERO,
            succeeded: Instant::ZERO,
            probes_out: 0,
            probes_passed: 0,
        }
    }

    /// The state as of the last time that it was asked.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// When an open one half-opens.
    #[must_use]
    pub fn open_until(&self) -> Option<Instant> {
        (self.state == State::Open).then(|| self.half_opens())
    }

    /// Would it admit an attempt now?
    #[must_use]
    pub fn admits(&self, now: Instant) -> bool {
        match self.state {
            State::Closed | State::Brownout => true,
            State::Open => now >= self.half_opens(),
            State::HalfOpen => self.has_probe_left(),
        }
    }

    /// Does it wait for a probe that nobody has taken?
    #[must_use]
    pub fn wants_probe(&self, now: Instant) -> bool {
        self.state != State::Closed && self.admits(now)
    }

    const fn has_probe_left(&self) -> bool {
        self.probes_out.saturating_add(self.probes_passed) < self.config.probes
    }

    /// Counts an attempt in. One that it does not admit (the least bad of all, say) gets a permit too; its success then
    /// is heard, its failure is not.
    pub fn admit(&mut self, now: Instant) -> (Permit, Option<Change>) {
        let change = if self.state == State::Open && now >= self.half_opens() {
            Some(self.half_open())
        } else {
            None
        };
        let probe = self.state == State::HalfOpen && self.has_probe_left();
        if probe {
            self.probes_out += 1;
        }
        let permit = Permit {
            epoch: self.epoch,
            probe,
        };
        (permit, change)
    }

    /// Counts an attempt's end.
    pub fn finish(
        &mut self,
        permit: Permit,
        verdict: Verdict,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Change> {
        if verdict == Verdict::Success {
            self.succeeded = self.succeeded.max(now);
        }
        if permit.epoch != self.epoch {
            return None;
        }
        match self.state {
            State::Closed | State::Brownout => self.finish_closed(verdict, now, rng),
            State::Open => self.finish_open(verdict, now),
            State::HalfOpen => self.finish_half_open(permit, verdict, now, rng),
        }
    }

    /// A check beside the traffic found the upstream well. It never closes the breaker, it only lets the probes start before
    /// their time, once the first `open_for` is over.
    pub fn checked_well(&mut self, now: Instant) {
        self.well = self.well.max(now);
    }

    /// When it opened last, and when it half-opens then by its own count.
    #[must_use]
    pub const fn opening(&self) -> (Instant, Instant) {
        (self.opened, self.until)
    }

    /// Another shard's breaker for this upstream opened at `opened`, until `until`.
    pub fn adopt(&mut self, opened: Instant, until: Instant, now: Instant) -> Option<Change> {
        let until = until.min(now + MAX_OPEN.max(self.config.open_for) * 2);
        let well_here =
            self.run == 0 && self.succeeded > Instant::ZERO && self.succeeded + OWN_WORD > opened;
        if until <= now || self.succeeded >= opened || well_here {
            return None;
        }
        match self.state {
            State::Closed | State::Brownout => {
                self.opened = opened;
                self.until = until;
                Some(self.turn(State::Open))
            }
            State::Open => {
                self.opened = self.opened.max(opened);
                self.until = self.until.max(until);
                None
            }
            // Its own probes are out: they know better in a moment.
            State::HalfOpen => None,
        }
    }

    /// When an open one half-opens: a check that found the upstream well brings it forward, but not into the first `open_for`.
    fn half_opens(&self) -> Instant {
        if self.well > self.opened {
            self.until
                .min(self.well.max(self.opened + self.config.open_for))
        } else {
            self.until
        }
    }

    fn finish_closed(&mut self, verdict: Verdict, now: Instant, rng: &mut Rng) -> Option<Change> {
        match verdict {
            Verdict::Neutral => None,
            Verdict::Success => {
                self.run = 0;
                self.count(0, now);
                None
            }
            Verdict::Failure(weight) => {
                let weight = u32::from(weight);
                self.run = self.run.saturating_add(weight);
                self.count(weight, now);
                self.must_trip(now).then(|| self.open(now, rng))
            }
        }
    }

    /// Only attempts that were sent although it was open come here: a success is as good as a probe's.
    fn finish_open(&mut self, verdict: Verdict, now: Instant) -> Option<Change> {
        if verdict != Verdict::Success {
            return None;
        }
        let (from, _) = self.half_open();
        self.probes_passed = 1;
        if self.probes_passed >= self.config.probes {
            self.close(now);
        }
        Some((from, self.state))
    }

    fn finish_half_open(
        &mut self,
        permit: Permit,
        verdict: Verdict,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Change> {
        if permit.probe {
            self.probes_out = self.probes_out.saturating_sub(1);
        }
        match verdict {
            Verdict::Neutral => None,
            Verdict::Failure(_) => permit.probe.then(|| self.open(now, rng)),
            Verdict::Success => {
                self.probes_passed += 1;
                (self.probes_passed >= self.config.probes).then(|| self.close(now))
            }
        }
    }

    fn must_trip(&self, now: Instant) -> bool {
        let oldest = self.part_number(now).saturating_sub(PARTS as u64 - 1);
        let recent = self.parts.iter().filter(|part| part.number >= oldest);
        let failures = recent.fold(0_u32, |sum, part| sum.saturating_add(part.failures));
        let limit = self.config.failures.saturating_mul(100);
        failures >= limit && (self.last.is_bad() || self.run >= limit.saturating_mul(2))
    }

    fn part_number(&self, now: Instant) -> u64 {
        let part = crate::time::nanos(self.config.window) / PARTS as u64;
        // One is added so that the parts of a new breaker, numbered 0, are never taken for the first.
        now.0
            .checked_div(part)
            .unwrap_or(0)
            .saturating_add(PARTS as u64)
    }

    fn count(&mut self, weight: u32, now: Instant) {
        self.last.push(weight);
        let number = self.part_number(now);
        let Some(part) = self.parts.get_mut((number % PARTS as u64) as usize) else {
            return;
        };
        if part.number != number {
            *part = Part {
                number,
                ..Part::default()
            };
        }
        part.failures = part.failures.saturating_add(weight);
    }

    fn open(&mut self, now: Instant, rng: &mut Rng) -> Change {
        if self.state == State::Closed && now >= self.until {
            self.trips = 0;
        }
        let doublings = self.trips.min(16);
        let cap = MAX_OPEN.max(self.config.open_for);
        let span = self.config.open_for.saturating_mul(1 << doublings).min(cap);
        self.trips = self.trips.saturating_add(1);
        self.opened = now;
        self.until = now + rng.stretched(span, OPEN_JITTER_PERCENT);
        self.turn(State::Open)
    }

    fn half_open(&mut self) -> Change {
        self.turn(State::HalfOpen)
    }

    fn close(&mut self, now: Instant) -> Change {
        self.until = now + self.config.open_for.saturating_mul(FORGET_TRIPS_AFTER);
        self.parts = [Part::default(); PARTS];
        self.last = Last::default();
        self.run = 0;
        self.turn(State::Closed)
    }

    fn turn(&mut self, to: State) -> Change {
        let from = self.state;
        self.state = to;
        self.epoch = self.epoch.wrapping_add(1);
        self.probes_out = 0;
        self.probes_passed = 0;
        (from, to)
    }
}
