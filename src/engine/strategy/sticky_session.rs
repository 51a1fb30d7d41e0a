//! `sticky_session`: calls of one session go to one upstream, found by consistent hashing over the session's key and the upstreams' names. It
//! keeps nothing of a session, so every shard finds the same upstream, and a restart changes nothing.
//!
//! **Who comes into question** are those that the strategy beneath takes for equals: of `priority` the lowest number, of `cost_aware` the
//! cheapest that fit, of `quota_aware` those with room, of the others all. Among them weighted [`rendezvous`](super::rendezvous) hashing chooses: each
//! holds sessions in proportion to its weight, a lost upstream moves its own sessions and no others, and they come back with it.
//! What the strategy beneath draws at random it draws from the session's key, so that it draws the same each time.
//!
//! **A session is not held where it is badly off.** An upstream whose cost for the method is far above the best one's gives its sessions
//! away until it has come down to half of that.
//!
//! **Without a key** a call goes where the strategy beneath sends it. Only such calls explore; a recovering upstream gets its probes from the sessions
//! that are at home there.

use alloc::boxed::Box;

use super::options::{MAX_SHARE, OVER};
use super::rendezvous::Draw;
use super::shares::promote;
use super::{
    Build, Candidate, Context, Needs, OptionDescriptor, OptionKind, Reason, Strategy, StrategyKind,
};
use crate::hysteresis::Hysteresis;
use crate::rng::Rng;

pub(super) static KIND: StrategyKind = StrategyKind {
    name: "sticky_session",
    summary: "Calls of one session go to the same upstream, on every shard and after a restart; the strategy beneath says who comes into question, and ranks for calls without a session.",
    when_to_use: "Where a client should see one node's view of the chain, or a provider's cache should stay warm for it.",
    options: &[
        OptionDescriptor {
            name: OVER,
            summary: "The strategy beneath. Its options may be given beside this one.",
            kind: OptionKind::Word {
                words: &[
                    "leaderboard",
                    "priority",
                    "round_robin",
                    "cost_aware",
                    "quota_aware",
                ],
                default: 0,
            },
        },
        OptionDescriptor {
            name: "leave_at",
            summary: "An upstream whose measured cost is more than so many times the best one's gives its sessions away, until it is at most half of that.",
            kind: OptionKind::Integer {
                min: 2,
                max: 64,
                default: 16,
            },
        },
        MAX_SHARE,
    ],
    build: Build::Over(|values, inner| {
        Box::new(StickySession {
            leave_at: values.get(1).max(2),
            away: Hysteresis::new(),
            inner,
        })
    }),
};

#[derive(Debug)]
struct StickySession {
    leave_at: u64,
    /// Those that have given their sessions away.
    away: Hysteresis,
    inner: Box<dyn Strategy>,
}

impl Strategy for StickySession {
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason {
        let Some(session) = context.session else {
            return self.inner.rank(candidates, context, rng);
        };
        let settled = Context {
            may_explore: false,
            ..*context
        };
        let mut drawn = Rng::new(session.get());
        let reason = self.inner.rank(candidates, &settled, &mut drawn);
        if candidates.len() < 2 {
            return reason;
        }
        let equals = self.inner.equals(candidates);
        let equals = candidates.get(..equals).unwrap_or_default();
        match self.home(session.get(), equals, context) {
            Some(position) => {
                promote(candidates, position);
                Reason::Session
            }
            None => reason,
        }
    }

    fn needs(&self) -> Needs {
        Needs {
            sessions: true,
            ..self.inner.needs()
        }
    }
}

impl StickySession {
    /// Where among these the session is at home.
    fn home(&mut self, session: u64, equals: &[Candidate], context: &Context<'_>) -> Option<usize> {
        let weighty = |candidate: &&Candidate| candidate.weight > 0 && !candidate.cold;
        let costs = equals.iter().filter(weighty);
        let best_us = costs.map(|candidate| candidate.cost_us).min();
        let limit_us = best_us.map_or(u64::MAX, |best| best.saturating_mul(self.leave_at));
        let mut home: Option<(bool, Draw, usize)> = None;
        for (position, candidate) in equals.iter().enumerate() {
            let upstream = candidate.upstream;
            let is_away = self.away.is_past(
                context.method,
                upstream,
                candidate.cost_us,
                limit_us,
                limit_us / 2,
            );
            let draw = Draw::new(session, context.identity(upstream), candidate.weight);
            let wins = home.is_none_or(|(away, best, _)| {
                if is_away == away {
                    draw.beats(best)
                } else {
                    away
                }
            });
            if wins {
                home = Some((is_away, draw, position));
            }
        }
        home.map(|(_, _, position)| position)
    }
}
