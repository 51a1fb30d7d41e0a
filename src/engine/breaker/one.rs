//! One state machine: of an upstream as a whole, or of one kind of its work. The rule is in the [module](super)'s head.

use core::time::Duration;

use crate::config::BreakerConfig;
use crate::rng::Rng;
use crate::time::Instant;

use super::recent::{Last, Window};
use super::{Change, MAX_OPEN, State, Verdict};

/// Up to this much, in per cent, is added to an open time at random.
const OPEN_JITTER_PERCENT: u32 = 25;
/// A success this long before another shard's breaker opened still speaks against opening this one, if no failure followed it.
const OWN_WORD: Duration = Duration::from_secs(1);
/// Who was silent and is back is probed no sooner than this after its breaker opened.
const RETURN_AFTER: Duration = Duration::from_secs(1);
/// After closing, this many open times without a trip forget the earlier trips.
const FORGET_TRIPS_AFTER: u32 = 10;
/// So much of the last outcomes, per thousand, is half broken.
pub(super) const BROWNOUT_PERMILLE: u32 = 250;
/// So much of them is of no use.
pub(super) const DEAD_PERMILLE: u32 = 875;
/// Without a brownout between them, so much opens.
const BAD_PERMILLE: u32 = 400;
/// So little of them ends a brownout, of all 64.
const WELL_PERMILLE: u32 = 100;
/// So many in a row without a failure end it, too.
const WELL_ROW: u32 = 32;
/// So many in a row without a failure: what failed before is another matter.
const BETTER_ROW: u32 = 4;
/// The least share in a brownout, per thousand, so that a recovery is seen.
pub const MIN_SHARE_PERMILLE: u32 = 60;

/// What one machine gave an attempt on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) epoch: u32,
    pub(super) probe: bool,
}

/// One breaker.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    config: BreakerConfig,
    state: State,
    /// Grows with every change of state, but for those between Closed and Brownout: the same evidence counts in both.
    epoch: u32,
    last: Last,
    /// Failures since the last success, in per cent.
    run: u32,
    window: Window,
    trips: u32,
    opened: Instant,
    /// While open: when it half-opens, unless a check finds the upstream well before. While closed: when earlier trips are forgotten.
    until: Instant,
    /// When a check beside the traffic last found the upstream well.
    well: Instant,
    /// When one last did so after checks had not for a while.
    returned: Instant,
    /// The last success; the base for none.
    succeeded: Instant,
    /// The last failure; the base for none.
    failed: Instant,
    /// The first failure after the last time that a few in a row were none.
    bad_since: Instant,
    probes_out: u32,
    probes_passed: u32,
}

impl Breaker {
    pub(super) const fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            state: State::Closed,
            epoch: 0,
            last: Last::EMPTY,
            run: 0,
            window: Window::EMPTY,
            trips: 0,
            opened: Instant::ZERO,
            until: Instant::ZERO,
            well: Instant::ZERO,
            returned: Instant::ZERO,
            succeeded: Instant::ZERO,
            failed: Instant::ZERO,
            bad_since: Instant::ZERO,
            probes_out: 0,
            probes_passed: 0,
        }
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) fn open_until(&self) -> Option<Instant> {
        (self.state == State::Open).then(|| self.half_opens())
    }

    pub(super) const fn succeeded(&self) -> Instant {
        self.succeeded
    }

    pub(super) const fn opening(&self) -> (Instant, Instant) {
        (self.opened, self.until)
    }

    pub(super) fn admits(&self, now: Instant) -> bool {
        match self.state {
            State::Closed | State::Brownout => true,
            State::Open => now >= self.half_opens(),
            State::HalfOpen => self.has_probe_left(),
        }
    }

    pub(super) fn wants_probe(&self, now: Instant) -> bool {
        matches!(self.state, State::Open | State::HalfOpen) && self.admits(now)
    }

    /// The share of the calls that it is worth, per thousand, if the failures among them may cost so many repetitions of a
    /// thousand calls.
    pub(super) fn share_permille(&self, retry_permille: u32) -> u32 {
        if self.state != State::Brownout {
            return 1_000;
        }
        let failed = self.last.failed_permille().clamp(1, 1_000);
        let by_success = 1_000 - failed;
        let by_budget = retry_permille.saturating_mul(1_000) / failed;
        by_success.min(by_budget).clamp(MIN_SHARE_PERMILLE, 1_000)
    }

    /// Its last outcome was a success, and came at `since` or later.
    pub(super) fn vouches(&self, since: Instant) -> bool {
        matches!(self.state, State::Closed | State::Brownout)
            && self.last.successes_in_a_row() > 0
            && self.succeeded >= since
    }

    /// It is out, or its last outcome was a failure and came at `since` or later.
    pub(super) fn joins_in(&self, since: Instant) -> bool {
        matches!(self.state, State::Open | State::HalfOpen)
            || self.last.count() > 0 && self.last.successes_in_a_row() == 0 && self.failed >= since
    }

    pub(super) const fn bad_since(&self) -> Instant {
        self.bad_since
    }

    const fn has_probe_left(&self) -> bool {
        self.probes_out.saturating_add(self.probes_passed) < self.config.probes
    }

    pub(super) fn admit(&mut self, now: Instant) -> (Ticket, Option<Change>) {
        let change = if self.state == State::Open && now >= self.half_opens() {
            Some(self.turn(State::HalfOpen))
        } else {
            None
        };
        let probe = self.state == State::HalfOpen && self.has_probe_left();
        if probe {
            self.probes_out += 1;
        }
        let ticket = Ticket {
            epoch: self.epoch,
            probe,
        };
        (ticket, change)
    }

    pub(super) fn finish(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Change> {
        if verdict == Verdict::Success {
            self.succeeded = self.succeeded.max(now);
        }
        if ticket.epoch != self.epoch {
            return None;
        }
        match self.state {
            State::Closed | State::Brownout => match verdict {
                Verdict::Success => self.succeed(now),
                Verdict::Failure(_) | Verdict::Unreachable => {
                    self.fail(u32::from(verdict.weight()), now, rng)
                }
                Verdict::Neutral => None,
            },
            State::Open => self.finish_open(verdict, now),
            State::HalfOpen => self.finish_half_open(ticket, verdict, now, rng),
        }
    }

    /// Hears of an outcome that is counted elsewhere: for what it is worth against another shard's word.
    pub(super) fn overhear(&mut self, verdict: Verdict, now: Instant) {
        match verdict {
            Verdict::Success => {
                self.succeeded = self.succeeded.max(now);
                self.run = 0;
            }
            Verdict::Failure(_) | Verdict::Unreachable => self.run = self.run.saturating_add(1),
            Verdict::Neutral => {}
        }
    }

    /// A check found it well at `at`, and one did so after a silence at `returned`.
    pub(super) fn heard_well(&mut self, at: Instant, returned: Instant) -> Option<Change> {
        self.well = self.well.max(at);
        if returned <= self.returned {
            return None;
        }
        self.returned = returned;
        // Probes that are still out were sent into the silence: others may go.
        (self.state == State::HalfOpen && self.probes_out > 0).then(|| self.turn(State::HalfOpen))
    }

    pub(super) const fn returned(&self) -> Instant {
        self.returned
    }

    pub(super) fn adopt(
        &mut self,
        opened: Instant,
        until: Instant,
        now: Instant,
    ) -> Option<Change> {
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

    /// When an open one half-opens: a check that found the upstream well brings it forward, but not into the first `open_for`; one that did so
    /// after a silence is news of a return, and may do so almost at once.
    fn half_opens(&self) -> Instant {
        if self.returned > self.opened {
            let soon = self.config.open_for.min(RETURN_AFTER);
            self.until.min(self.returned.max(self.opened + soon))
        } else if self.well > self.opened {
            self.until
                .min(self.well.max(self.opened + self.config.open_for))
        } else {
            self.until
        }
    }

    fn succeed(&mut self, now: Instant) -> Option<Change> {
        self.run = 0;
        self.last.push(0);
        if self.state == State::Closed {
            return None;
        }
        let row = self.last.successes_in_a_row();
        let quiet = now.saturating_duration_since(self.failed) >= self.config.window;
        let well = row >= WELL_ROW
            || quiet && row >= self.config.probes
            || self.last.count() == u64::BITS && self.last.failed_permille() < WELL_PERMILLE;
        well.then(|| {
            self.forget();
            self.turn(State::Closed)
        })
    }

    fn fail(&mut self, weight: u32, now: Instant, rng: &mut Rng) -> Option<Change> {
        if self.last.successes_in_a_row() >= BETTER_ROW || self.last.count() == 0 {
            self.bad_since = now;
        }
        self.failed = self.failed.max(now);
        self.run = self.run.saturating_add(weight);
        self.last.push(weight);
        self.window.add(weight, self.config.window, now);
        let limit = self.config.failures.saturating_mul(100);
        if self.window.failures(self.config.window, now) < limit {
            return None;
        }
        let failed = self.last.failed_permille();
        // In a brownout runs of bad luck are usual; what has ended for good makes a longer one soon.
        let (bad, long) = match (self.config.brownout, self.state) {
            (false, _) => (BAD_PERMILLE, 2),
            (true, State::Closed) => (DEAD_PERMILLE, 2),
            (true, _) => (DEAD_PERMILLE, 3),
        };
        if failed >= bad || self.run >= limit.saturating_mul(long) {
            return Some(self.open(now, rng));
        }
        // A run that may be the beginning of an outage is let show what it is.
        let half_broken = failed >= BROWNOUT_PERMILLE && self.run < limit;
        (self.config.brownout && self.state == State::Closed && half_broken)
            .then(|| self.turn(State::Brownout))
    }

    /// Only attempts that were sent although it was open come here: a success is as good as a probe's.
    fn finish_open(&mut self, verdict: Verdict, now: Instant) -> Option<Change> {
        if verdict != Verdict::Success {
            return None;
        }
        let (from, _) = self.turn(State::HalfOpen);
        self.probes_passed = 1;
        if self.probes_passed >= self.config.probes {
            self.close(now);
        }
        Some((from, self.state))
    }

    fn finish_half_open(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Change> {
        if ticket.probe {
            self.probes_out = self.probes_out.saturating_sub(1);
        }
        match verdict {
            Verdict::Neutral => None,
            Verdict::Failure(_) | Verdict::Unreachable => ticket.probe.then(|| self.open(now, rng)),
            Verdict::Success => {
                self.probes_passed += 1;
                (self.probes_passed >= self.config.probes).then(|| self.close(now))
            }
        }
    }

    pub(super) fn open(&mut self, now: Instant, rng: &mut Rng) -> Change {
        if matches!(self.state, State::Closed | State::Brownout) && now >= self.until {
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

    fn close(&mut self, now: Instant) -> Change {
        self.until = now + self.config.open_for.saturating_mul(FORGET_TRIPS_AFTER);
        self.forget();
        self.turn(State::Closed)
    }

    /// Closed, with nothing counted: the upstream as a whole was found out of order, so this says nothing of its own.
    pub(super) fn begin_anew(&mut self) {
        self.forget();
        if self.state != State::Closed {
            self.turn(State::Closed);
        } else {
            self.epoch = self.epoch.wrapping_add(1);
        }
    }

    /// What comes of attempts that are out does not count; an open or half-open one waits for its own probes still.
    pub(super) fn forget_sent(&mut self) {
        if matches!(self.state, State::Closed | State::Brownout) {
            self.epoch = self.epoch.wrapping_add(1);
        }
    }

    const fn forget(&mut self) {
        self.window = Window::EMPTY;
        self.last = Last::EMPTY;
        self.run = 0;
    }

    fn turn(&mut self, to: State) -> Change {
        let from = self.state;
        self.state = to;
        let counts_on = |state| matches!(state, State::Closed | State::Brownout);
        if !(counts_on(from) && counts_on(to)) {
            self.epoch = self.epoch.wrapping_add(1);
            self.probes_out = 0;
            self.probes_passed = 0;
        }
        (from, to)
    }
}
