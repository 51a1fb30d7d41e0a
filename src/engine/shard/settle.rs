//! What an attempt's end teaches: breaker, hold-off, quarantine, bans, heads and scores, each by what the fault table says of the
//! class. It decides nothing about the call.

use core::time::Duration;

use crate::breaker::{Change, Changes, State, Verdict};
use crate::call::{Attempt, Call};
use crate::fault::{Fault, FaultClass, Hint, SideEffect, Traits};
use crate::gossip::Key;
use crate::index::{AttemptId, UpstreamIndex};
use crate::note::NoteKind;
use crate::probation::Ramp;
use crate::quarantine::{Cause, Quarantine};
use crate::rng::Rng;
use crate::score::Sample;
use crate::throttle::Answer;
use crate::time::Instant;

use super::Shard;
use super::chain::{Upstream, breaker_notes};

/// Where the table gives no duration for a side effect that needs one.
const DEFAULT_SPAN: Duration = Duration::from_secs(10);

impl Shard {
    /// Learns from an attempt that ended by itself or by its deadline.
    pub(super) fn settle(
        &mut self,
        call: &mut Call,
        id: AttemptId,
        attempt: &Attempt,
        result: Result<(), Fault>,
        now: Instant,
    ) {
        self.note_end(call, id, attempt, result.err().as_ref(), now);
        let lesson = match result {
            Ok(()) => Lesson::answered(latency(attempt, now)),
            Err(fault) => self.lesson_of(call, attempt, &fault, now),
        };
        let sent = result.err().is_none_or(|fault| fault.sent);
        self.learn(call, attempt, &lesson, sent, now);
        if let Err(fault) = result {
            self.take_side_effect(call, attempt.upstream, &fault, now);
            if let Some(account) = attempt.account
                && fault.class == FaultClass::RateLimited
            {
                self.accounts.throttled(account, attempt.started, now);
            }
        }
    }

    /// Takes an attempt back whose connection had died before: nothing is held against the upstream.
    pub(super) fn settle_stale(
        &mut self,
        call: &Call,
        id: AttemptId,
        attempt: &Attempt,
        fault: &Fault,
        now: Instant,
    ) {
        self.note_end(call, id, attempt, Some(fault), now);
        self.learn(call, attempt, &Lesson::NOTHING, fault.sent, now);
    }

    fn note_end(
        &mut self,
        call: &Call,
        id: AttemptId,
        attempt: &Attempt,
        fault: Option<&Fault>,
        now: Instant,
    ) {
        let kind = NoteKind::AttemptFinished {
            call: call.id,
            attempt: id,
            upstream: attempt.upstream,
            method: call.request.method,
            class: fault.map(|fault| fault.class),
            rule: fault.map_or("", |fault| fault.rule),
            latency: now.saturating_duration_since(attempt.started),
        };
        self.note(now, call.request.chain, kind);
    }

    /// Takes an attempt back that was cancelled.
    pub(super) fn let_go(&mut self, call: &Call, attempt: &Attempt, now: Instant) {
        self.learn(call, attempt, &Lesson::NOTHING, true, now);
    }

    /// Takes an attempt back that was cancelled because another answered the call: how long it was waited for is no failure, but it
    /// is a lower bound of its latency.
    pub(super) fn outrun(&mut self, call: &Call, attempt: &Attempt, now: Instant) {
        let lesson = Lesson {
            sample: Sample::Outrun(latency(attempt, now)),
            ..Lesson::NOTHING
        };
        self.learn(call, attempt, &lesson, true, now);
    }

    fn lesson_of(&self, call: &Call, attempt: &Attempt, fault: &Fault, now: Instant) -> Lesson {
        let traits = fault.traits();
        if traits.answered {
            // A refusal comes sooner than an answer would have; only what was really executed tells how long that takes.
            let executed = fault.class == FaultClass::Execution;
            return Lesson {
                sample: if executed {
                    Sample::Answered(latency(attempt, now))
                } else {
                    Sample::Refused
                },
                ..Lesson::answered(Duration::ZERO)
            };
        }
        let timed_out = traits.side_effect == SideEffect::RaiseLatency;
        if timed_out && !self.had_its_time(call, attempt, now) {
            return Lesson::NOTHING;
        }
        Lesson {
            verdict: match traits.breaker_weight {
                0 => Verdict::Neutral,
                _ if fault.class == FaultClass::Transport && !fault.sent => Verdict::Unreachable,
                weight => Verdict::Failure(weight),
            },
            throttle: match traits.side_effect {
                SideEffect::HoldOff => Answer::Throttled {
                    retry_after: fault.hold_off,
                },
                _ => Answer::Neutral,
            },
            sample: sample(traits, attempt, now),
            heard: !timed_out,
            works: false,
        }
    }

    /// Was the attempt given so long that not answering is the upstream's failure? Not if the client's own haste or its slow
    /// reading used the time up.
    fn had_its_time(&self, call: &Call, attempt: &Attempt, now: Instant) -> bool {
        if attempt.committed || !call.hurried {
            return !attempt.committed;
        }
        let waited = now.saturating_duration_since(attempt.started);
        let limit = self
            .chain(call.request.chain)
            .and_then(|chain| chain.upstream(attempt.upstream))
            .map_or(Duration::ZERO, |upstream| upstream.config.timeout);
        waited.saturating_mul(2) >= limit || waited >= attempt.expected().saturating_mul(4)
    }

    /// What was sent, or may have been, is spent, too.
    fn learn(&mut self, call: &Call, attempt: &Attempt, lesson: &Lesson, sent: bool, now: Instant) {
        if attempt.account.is_some() {
            self.settle_spend(call, attempt, sent, now);
        }
        let (index, method) = (attempt.upstream, call.request.method);
        let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) else {
            return;
        };
        // Sent before the upstream came back, its failure is one of then.
        let lesson = if chain.board.returned_since(index, attempt.outing).is_some() {
            &lesson.without_blame()
        } else {
            lesson
        };
        chain.board.ended(
            index,
            method,
            (attempt.started, attempt.outing),
            lesson.sample,
            now,
        );
        if lesson.heard {
            chain.heard(index, method, now);
        }
        if lesson.works {
            chain.heads.works(index);
        }
        let is_plain = chain.plain.contains(index);
        let in_flight = chain.board.load(index).fresh;
        let Some(upstream) = chain.upstreams.get_mut(index.as_usize()) else {
            return;
        };
        let watches =
            matches!(lesson.sample, Sample::Answered(_)) && upstream.limiter.watches(in_flight);
        if is_plain && lesson.works && !attempt.quarantined {
            // Closed breakers count it, and nothing else has anything to take back.
            upstream.breakers.finish(
                attempt.breaker,
                call.group,
                lesson.verdict,
                now,
                &mut self.rng,
            );
        } else {
            self.learn_more(call, attempt, lesson, now);
        }
        self.outbox.mark_score(call.request.chain, index, now);
        if watches {
            self.watch_limit(call, index, now);
        }
    }

    /// What an end teaches that is no answer, or is one of an upstream against which something is held.
    fn learn_more(&mut self, call: &Call, attempt: &Attempt, lesson: &Lesson, now: Instant) {
        let (at, index, method) = (call.request.chain, attempt.upstream, call.request.method);
        let Some(chain) = self.chains.get_mut(at.as_usize()) else {
            return;
        };
        let Some(upstream) = chain.upstreams.get_mut(index.as_usize()) else {
            return;
        };
        let changes = upstream.breakers.finish(
            attempt.breaker,
            call.group,
            lesson.verdict,
            now,
            &mut self.rng,
        );
        let held = upstream
            .throttle
            .finish(attempt.throttle, lesson.throttle, now, &mut self.rng);
        if matches!(lesson.throttle, Answer::Throttled { .. }) {
            upstream.limiter.refused(attempt.started);
        }
        upstream.quarantine.leave(attempt.quarantined);
        let released = lesson.works && upstream.quarantine.answered();
        let served_again = lesson.works && upstream.bans.remove(method, now);
        let [began, ended] = upstream.go_on_probation(changes, released, lesson, now);
        let of_breakers = if changes.any() {
            breaker_notes(index, call.group, changes)
        } else {
            [None; 2]
        };
        let notes = [
            held.map(|until| NoteKind::HoldOffBegan {
                upstream: index,
                until,
            }),
            released.then_some(NoteKind::Released { upstream: index }),
            began.then_some(NoteKind::ProbationBegan { upstream: index }),
            ended.then_some(NoteKind::ProbationEnded { upstream: index }),
        ];
        for kind in of_breakers.into_iter().chain(notes).flatten() {
            self.notes.push(now, at, kind);
        }
        if matches!(changes.whole, Some((_, State::Closed))) {
            chain.board.returned(index, now);
        }
        chain.turned(index, now, &mut |kind| self.notes.push(now, at, kind));
        let opened = |change: Option<Change>| matches!(change, Some((_, State::Open)));
        if opened(changes.whole) {
            self.outbox.mark(Key::Breaker(at, index, None));
        }
        if opened(changes.group) {
            self.outbox.mark(Key::Breaker(at, index, Some(call.group)));
        }
        if served_again {
            self.outbox.mark(Key::Ban(at, index, method));
        }
        if held.is_some() {
            self.held(at, index, now);
            self.watch_throttle(at, index, now);
        }
        if lesson.works {
            self.unlearn(call, index, now);
        }
    }

    fn take_side_effect(
        &mut self,
        call: &mut Call,
        index: UpstreamIndex,
        fault: &Fault,
        now: Instant,
    ) {
        let at = call.request.chain;
        let noted = match fault.traits().side_effect {
            SideEffect::BanMethod => self.ban(call, index, fault, now),
            SideEffect::Quarantine => self.refused(call, index, fault, now),
            _ if fault.hint == Hint::Malformed => self.malformed(call, index, now),
            SideEffect::LearnRange | SideEffect::MoveBounds => {
                return self.learn_from_refusal(call, index, fault, now);
            }
            SideEffect::MarkNotReady => {
                let span = fault.side_effect_for().unwrap_or(DEFAULT_SPAN);
                if let Some(chain) = self.chains.get_mut(at.as_usize()) {
                    chain.heads.mark_not_ready(index, now, span);
                }
                return;
            }
            SideEffect::None
            | SideEffect::RaiseLatency
            | SideEffect::HoldOff
            | SideEffect::VerifyByHash
            | SideEffect::Sample => return,
        };
        if let Some(kind) = noted {
            self.note(now, at, kind);
        }
        // What was counted matters, too, where nothing is noted yet.
        if let Some(chain) = self.chains.get_mut(at.as_usize()) {
            chain.turned(index, now, &mut |kind| self.notes.push(now, at, kind));
        }
    }

    fn ban(
        &mut self,
        call: &Call,
        upstream: UpstreamIndex,
        fault: &Fault,
        now: Instant,
    ) -> Option<NoteKind> {
        let (at, method) = (call.request.chain, call.request.method);
        let span = fault.side_effect_for().unwrap_or(DEFAULT_SPAN);
        let member = self.member(at, upstream)?;
        let until = member.bans.insert(method, now, span)?;
        self.outbox.mark(Key::Ban(at, upstream, method));
        Some(NoteKind::Banned {
            upstream,
            method,
            until,
        })
    }

    /// A refusal for a reason of account. One call quarantines one upstream at most: what is refused everywhere is the call's doing.
    fn refused(
        &mut self,
        call: &mut Call,
        upstream: UpstreamIndex,
        fault: &Fault,
        now: Instant,
    ) -> Option<NoteKind> {
        let cause = if fault.class == FaultClass::Auth {
            Cause::Auth
        } else {
            Cause::QuotaBilling
        };
        let longest = fault.traits().hold_off.unwrap_or(DEFAULT_SPAN);
        self.quarantine(call, upstream, cause, |quarantine, rng| {
            quarantine.refused(cause, longest, fault.hold_off, now, rng)
        })
    }

    fn malformed(
        &mut self,
        call: &mut Call,
        upstream: UpstreamIndex,
        now: Instant,
    ) -> Option<NoteKind> {
        let cause = Cause::InvalidAnswers;
        self.quarantine(call, upstream, cause, |quarantine, rng| {
            quarantine.malformed(now, rng)
        })
    }

    fn quarantine(
        &mut self,
        call: &mut Call,
        upstream: UpstreamIndex,
        cause: Cause,
        strike: impl FnOnce(&mut Quarantine, &mut Rng) -> Option<Instant>,
    ) -> Option<NoteKind> {
        if core::mem::replace(&mut call.refused, true) {
            return None;
        }
        let at = call.request.chain;
        let chain = self.chains.get_mut(at.as_usize())?;
        let member = chain.upstreams.get_mut(upstream.as_usize())?;
        let until = strike(&mut member.quarantine, &mut self.rng)?;
        self.outbox.mark(Key::Quarantine(at, upstream));
        Some(NoteKind::Quarantined {
            upstream,
            cause,
            until,
        })
    }
}

impl Upstream {
    /// Whether a way back to its whole share begins with this end of an attempt, and whether one ends.
    fn go_on_probation(
        &mut self,
        changes: Changes,
        released: bool,
        lesson: &Lesson,
        now: Instant,
    ) -> [bool; 2] {
        let was_on = self.probation.is_on();
        match lesson.verdict {
            Verdict::Success => {
                self.probation.answered(now);
            }
            Verdict::Failure(_) | Verdict::Unreachable => self.probation.failed(now),
            Verdict::Neutral => {}
        }
        let ended = was_on && !self.probation.is_on();
        let mut began = false;
        if matches!(changes.whole, Some((_, State::Closed))) {
            began |= self.probation.begin(Ramp::Recovered, now);
        }
        if released {
            began |= self.probation.begin(Ramp::Released, now);
        }
        [began && !was_on, ended && !self.probation.is_on()]
    }
}

/// What the policies are told.
#[derive(Clone, Copy, Debug)]
struct Lesson {
    verdict: Verdict,
    throttle: Answer,
    sample: Sample,
    /// The upstream said something, be it an error.
    heard: bool,
    /// The upstream did its work.
    works: bool,
}

impl Lesson {
    const NOTHING: Self = Self {
        verdict: Verdict::Neutral,
        throttle: Answer::Neutral,
        sample: Sample::Neutral,
        heard: false,
        works: false,
    };

    /// The same, but no failure.
    const fn without_blame(self) -> Self {
        match self.verdict {
            Verdict::Failure(_) | Verdict::Unreachable => Self {
                verdict: Verdict::Neutral,
                sample: Sample::Neutral,
                ..self
            },
            Verdict::Success | Verdict::Neutral => self,
        }
    }

    const fn answered(latency: Duration) -> Self {
        Self {
            verdict: Verdict::Success,
            throttle: Answer::Served,
            sample: Sample::Answered(latency),
            heard: true,
            works: true,
        }
    }
}

/// To the end of the answer; to its first byte where it was streamed, since the client's reading is not the upstream's time.
fn latency(attempt: &Attempt, now: Instant) -> Duration {
    let end = if attempt.committed {
        attempt.first_byte
    } else {
        now
    };
    end.saturating_duration_since(attempt.started)
}

fn sample(traits: &Traits, attempt: &Attempt, now: Instant) -> Sample {
    if traits.score_weight == 0 {
        return Sample::Neutral;
    }
    let waited = (traits.side_effect == SideEffect::RaiseLatency)
        .then(|| now.saturating_duration_since(attempt.started));
    Sample::Failed(traits.score_weight, waited)
}
