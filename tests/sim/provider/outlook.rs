//! What may come of an attempt that arrives at a given time, as shares and distributions: what an observer knows who knows an upstream's
//! state, but not the draw. It must agree with [`Provider::receive`](super::Provider::receive), which a test checks by drawing.

use engine::method::MethodId;
use engine::time::{Instant, nanos};

use super::{Behaviour, Provider};
use crate::distribution::{Latency, WHOLE};

/// What may come of an attempt. All shares are in millionths; what is in none of them never ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// How long an answer usually takes.
    pub latency: Latency,
    /// Good answers: a share, each slower by so many per cent of the usual, and later by so many nanoseconds.
    pub answers: Vec<Answers>,
    /// Failures that come at once.
    pub quick: u64,
    /// Failures that come after half of what an answer takes.
    pub late: u64,
    /// Of the answers so many are wrong.
    pub wrong: u64,
    /// More than this many a second are not served, if there is a limit.
    pub per_second: Option<u64>,
}

/// A share of the answers that come at the same pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// How many, in millionths of all attempts.
    pub share: u64,
    /// In per cent of the usual latency.
    pub percent: u64,
    /// And so much later, in nanoseconds.
    pub later_ns: u64,
}

impl Outlook {
    /// Of a million attempts so many have a good answer within this time.
    #[must_use]
    pub fn answered_within(&self, span_ns: u64) -> u64 {
        let of = |answers: &Answers| {
            let left = span_ns.saturating_sub(answers.later_ns);
            let usual = u128::from(left) * 100 / u128::from(answers.percent.max(1));
            let within = self.latency.within(usual.min(u128::from(u64::MAX)) as u64);
            share(answers.share, within)
        };
        self.answers.iter().map(of).sum()
    }

    /// Of a million attempts so many are answered in the end.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answers.iter().map(|answers| answers.share).sum()
    }

    /// Of what it would answer, this share (in millionths) is about blocks that it has not.
    pub(crate) fn lack(&mut self, part: u64) {
        for answers in &mut self.answers {
            let lacking = share(answers.share, part);
            answers.share -= lacking;
            self.late += lacking;
        }
    }

    /// Of a million attempts so many have neither answered nor failed after this time.
    #[must_use]
    pub fn waiting_after(&self, span_ns: u64) -> u64 {
        let percent = self.answers.first().map_or(100, |answers| answers.percent);
        let usual = u128::from(span_ns) * 200 / u128::from(percent.max(1));
        let late = self.latency.within(usual.min(u128::from(u64::MAX)) as u64);
        let ended = self.answered_within(span_ns) + self.quick + share(self.late, late);
        WHOLE.saturating_sub(ended)
    }
}

const fn share(of: u64, part: u64) -> u64 {
    (of as u128 * part as u128 / WHOLE as u128) as u64
}

const fn millionths(permille: u32) -> u64 {
    let millionths = permille as u64 * 1_000;
    if millionths > WHOLE {
        WHOLE
    } else {
        millionths
    }
}

impl Provider {
    /// What may come of an attempt with this method that arrives at `now`; `effort` is what the method takes, in thousandths of the
    /// usual. Queues and what was used up before are left out.
    #[must_use]
    pub fn outlook(&self, now: Instant, method: MethodId, effort: u32) -> Outlook {
        let (mut percent, mut later_ns) = (100_u64, 0_u64);
        let (mut live, mut quick, mut late) = (WHOLE, 0, 0);
        let mut stalls = Vec::new();
        let mut right = WHOLE;
        let mut per_second = self.allowed_per_second();
        for phase in self.phases(now, method) {
            let mut take = |permille: u32| {
                let taken = share(live, millionths(permille));
                live -= taken;
                taken
            };
            match phase.behaviour {
                Behaviour::Refuse => quick += take(1_000),
                Behaviour::RefuseSome(permille) => quick += take(permille),
                Behaviour::Hang => {
                    take(1_000);
                }
                Behaviour::HangSome(permille) => {
                    take(permille);
                }
                Behaviour::Reset => late += take(1_000),
                Behaviour::ResetSome(permille)
                | Behaviour::Say(_, permille)
                | Behaviour::Fail(_, permille)
                | Behaviour::BreakMidStream(permille) => late += take(permille),
                Behaviour::StallSome(permille, span) => {
                    stalls.push((millionths(permille), nanos(span)));
                }
                Behaviour::Slow(_) | Behaviour::SlowWith(..) | Behaviour::Drift(..) => {
                    percent = percent * u64::from(phase.percent(now)) / 100;
                }
                Behaviour::Later(span) => later_ns += nanos(span),
                Behaviour::Pauses(..) => later_ns += nanos(phase.standstill(now)),
                Behaviour::Limit(limit, _) => {
                    let limit = u64::from(limit);
                    per_second = Some(per_second.map_or(limit, |known: u64| known.min(limit)));
                }
                Behaviour::WrongResults(permille) => {
                    right = share(right, WHOLE - millionths(permille));
                }
                Behaviour::WrongChain => right = 0,
                // A dead connection is replaced at once, and heads are another matter.
                Behaviour::Stale(_)
                | Behaviour::StuckHead
                | Behaviour::Behind(_)
                | Behaviour::Ahead(_) => {}
            }
        }
        let mut answers = vec![Answers {
            share: live,
            percent: percent * u64::from(effort) / 1_000,
            later_ns: later_ns + nanos(self.script.distance),
        }];
        for (permille, span_ns) in stalls {
            let stalled: Vec<_> = answers
                .iter_mut()
                .map(|known| {
                    let taken = share(known.share, permille);
                    known.share -= taken;
                    Answers {
                        share: taken,
                        later_ns: known.later_ns + span_ns,
                        ..*known
                    }
                })
                .collect();
            answers.extend(stalled);
        }
        Outlook {
            latency: self.latency(now, method).clone(),
            answers,
            quick,
            late,
            wrong: WHOLE - right,
            per_second,
        }
    }
}
