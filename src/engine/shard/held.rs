//! When everybody who could take a call throttles us, or is just coming back and has its share: the call waits for the first of them, if that
//! is soon enough. It never shortens a hold-off; the others' limits and the client's time say how long is soon. And where everybody has as many
//! attempts a second as it was found to serve, the call waits a moment for room.
//!
//! Most limits are per second. When all providers are held at once, the first is back within a second, and an error would have told the client to
//! come again when we could have done so ourselves. An hour's ban is told at once.

use core::time::Duration;

use crate::call::{Call, Phase};
use crate::eligibility::{LeastBad, LeftOut, LeftOutBy};
use crate::index::UpstreamSet;
use crate::limit::ROOM_WAIT;
use crate::note::NoteKind;
use crate::time::Instant;

use super::Shard;
use super::select::Choice;

/// Whoever waits comes back so long after the first upstream does, and up to twice as long, so that not all do at once; twice as long for each
/// attempt that was made.
const STAGGER: Duration = Duration::from_millis(20);

/// Whoever waits for a retry to be had looks again after so long, and up to twice as long.
const BUDGET_WAIT: Duration = Duration::from_millis(200);

/// Whoever waits for room looks again so long after there should be some, and up to four times as long.
const ROOM_STAGGER: Duration = Duration::from_millis(5);

/// What a call waits for.
#[derive(Clone, Copy)]
enum Wait {
    /// For one that throttled it, or for a retry.
    ForHeld,
    /// For room at one that has enough.
    ForRoom,
}

impl Shard {
    /// Lets the call wait, if those who throttle us come back while it is worth it: within the configured time, and with half of the call's own
    /// time left. False where nobody throttles us.
    pub(super) fn waits_for_held(
        &mut self,
        call: &mut Call,
        left_out: &LeftOut,
        now: Instant,
    ) -> bool {
        let held = left_out.by(LeftOutBy::HoldOff).or(call.throttled);
        if held.is_empty() || self.held_wait.is_zero() {
            return false;
        }
        // Attempts are few: each that was throttled makes the next wait longer.
        let stagger = STAGGER * (1 << call.attempts_made().min(5));
        let until = self.returns(call, held, now) + self.rng.stretched(stagger, 100);
        let waits = self.waits(call, Wait::ForHeld, until, now);
        if waits {
            call.tried = call.tried.minus(call.throttled);
        }
        waits
    }

    /// Lets a call that was throttled wait for a retry, where there are none left for the moment: what a core that has few calls may repeat
    /// comes in drops.
    pub(super) fn waits_for_budget(&mut self, call: &mut Call, now: Instant) -> bool {
        let until = now + self.rng.stretched(BUDGET_WAIT, 100);
        !self.held_wait.is_zero() && self.waits(call, Wait::ForHeld, until, now)
    }

    /// Lets the call wait until one of those that have enough attempts a second has room again, if that is soon.
    pub(super) fn waits_for_room(
        &mut self,
        call: &mut Call,
        choice: &Choice,
        now: Instant,
    ) -> bool {
        if choice.least_bad != Some(LeastBad::Saturated) || self.held_wait.is_zero() {
            return false;
        }
        let Some(chain) = self.chain(call.request.chain) else {
            return false;
        };
        let full = choice.left_out.by(LeftOutBy::Saturated);
        let rooms = full.iter().filter_map(|index| {
            let load = chain.board.load(index);
            chain.upstream(index)?.limiter.room_at(load, now)
        });
        let Some(at) = rooms.min() else {
            return false;
        };
        let until = at.max(now) + self.rng.stretched(ROOM_STAGGER, 300);
        self.waits(call, Wait::ForRoom, until, now)
    }

    /// Lets the call wait until then, if that is within what it may wait from its first wait of this kind on, and half of its own time is left.
    fn waits(&mut self, call: &mut Call, what: Wait, until: Instant, now: Instant) -> bool {
        let (longest, end) = match what {
            Wait::ForHeld => (self.held_wait, &mut call.held_until),
            Wait::ForRoom => (ROOM_WAIT, &mut call.room_until),
        };
        let is_first = *end == Instant::ZERO;
        let over = if is_first { now + longest } else { *end };
        let left = call.deadline.saturating_duration_since(now);
        if until > over || until > now + left / 2 {
            return false;
        }
        *end = over;
        call.is_held = true;
        call.phase = Phase::Backoff { until };
        if is_first {
            let kind = NoteKind::Held {
                call: call.id,
                until,
            };
            self.note(now, call.request.chain, kind);
        }
        true
    }

    /// When the first of these comes back. Whoever is not held any more has only its share out.
    fn returns(&self, call: &Call, held: UpstreamSet, now: Instant) -> Instant {
        let chain = self.chain(call.request.chain);
        let ends = held.iter().filter_map(|index| {
            let throttle = &chain?.upstream(index)?.throttle;
            Some(throttle.held_until().unwrap_or(now).max(now))
        });
        ends.min().unwrap_or(now)
    }

    /// The wait is over: somebody may be back.
    pub(super) fn go_on_after_hold(&mut self, call: &mut Call, now: Instant) {
        if call.attempts_made() == 0 {
            return self.attempt_first(call, now);
        }
        let Some(fault) = call.answer.map(|answer| answer.fault) else {
            return self.give_up(call, now);
        };
        let panicking = self
            .chain(call.request.chain)
            .is_some_and(|chain| chain.is_panicking(now));
        match self.choose(call, panicking, now) {
            Ok(choice) if self.is_hopeless(call, &choice, now) => self.give_up(call, now),
            Ok(choice) if self.waits_for_room(call, &choice, now) => {}
            Ok(choice) => self.move_on(call, &choice, &fault, now),
            Err(left_out) if self.waits_for_held(call, &left_out, now) => {}
            Err(_) => self.give_up(call, now),
        }
    }
}
