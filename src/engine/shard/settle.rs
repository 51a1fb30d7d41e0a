//! What an attempt's end teaches: breaker, hold-off, quarantine, bans, heads and scores, each by what the fault table says of the
//! class. It decides nothing about the call.

use core::time::Duration;

use crate::breaker::{State, Verdict};
use crate::call::{Attempt, Call};
use crate::fault::{Fault, FaultClass, SideEffect, Traits};
use crate::gossip::Key;
use crate::index::{AttemptId, UpstreamIndex};
use crate::note::NoteKind;
use crate::quarantine::Cause;
use crate::score::Sample;
use crate::throttle::Answer;
use crate::time::Instant;

use super::Shard;

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
                weight => Verdict::Failure(weight),
            },
            throttle: match traits.side_effect {
                SideEffect::HoldOff => Answer::Throttled {
                    retry_after: fault.hold_off,
                    base: traits.hold_off.unwrap_or(DEFAULT_SPAN),
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
        chain
            .board
            .ended(index, method, attempt.started, lesson.sample, now);
        if lesson.heard {
            chain.heard(index, now);
        }
        if lesson.works {
            chain.heads.works(index);
        }
        let Some(upstream) = chain.upstreams.get_mut(index.as_usize()) else {
            return;
        };
        let change = upstream
            .breaker
            .finish(attempt.breaker, lesson.verdict, now, &mut self.rng);
        let held = upstream
            .throttle
            .finish(attempt.throttle, lesson.throttle, now, &mut self.rng);
        upstream.quarantine.leave(attempt.quarantined);
        let released = lesson.works && upstream.quarantine.answered();
        if lesson.works && upstream.bans.contains(method, now) {
            upstream.bans.remove(method);
        }
        self.outbox.mark_score(call.request.chain, index, now);
        if change.is_some_and(|(_, to)| to == State::Open) {
            self.outbox.mark(Key::Breaker(call.request.chain, index));
        }
        if held.is_some() {
            self.outbox.mark(Key::HoldOff(call.request.chain, index));
        }
        let notes = [
            change.map(|(from, to)| NoteKind::Breaker {
                upstream: index,
                group: None,
                from,
                to,
            }),
            held.map(|until| NoteKind::HoldOffBegan {
                upstream: index,
                until,
            }),
            released.then_some(NoteKind::Released { upstream: index }),
        ];
        for kind in notes.into_iter().flatten() {
            self.note(now, call.request.chain, kind);
        }
    }

    fn take_side_effect(
        &mut self,
        call: &mut Call,
        index: UpstreamIndex,
        fault: &Fault,
        now: Instant,
    ) {
        let traits = fault.traits();
        let span = fault.side_effect_for().unwrap_or(DEFAULT_SPAN);
        let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) else {
            return;
        };
        let Some(upstream) = chain.upstreams.get_mut(index.as_usize()) else {
            return;
        };
        let kind = match traits.side_effect {
            SideEffect::BanMethod => {
                let method = call.request.method;
                upstream
                    .bans
                    .insert(method, now, span)
                    .map(|until| NoteKind::Banned {
                        upstream: index,
                        method,
                        until,
                    })
            }
            SideEffect::MarkNotReady => {
                chain.heads.mark_not_ready(index, now, span);
                None
            }
            SideEffect::Quarantine if !call.refused => {
                call.refused = true;
                let cause = if fault.class == FaultClass::Auth {
                    Cause::Auth
                } else {
                    Cause::QuotaBilling
                };
                let longest = traits.hold_off.unwrap_or(DEFAULT_SPAN);
                upstream
                    .quarantine
                    .refused(cause, longest, fault.hold_off, now, &mut self.rng)
                    .map(|until| NoteKind::Quarantined {
                        upstream: index,
                        cause,
                        until,
                    })
            }
            _ => None,
        };
        if let Some(kind) = kind {
            self.note(now, call.request.chain, kind);
        }
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
