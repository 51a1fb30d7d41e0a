//! `sticky_session`: calls of one session go to one upstream, found by consistent hashing. It keeps nothing of a session.

use alloc::boxed::Box;

use super::options::{MAX_SHARE, OVER};
use super::{
    Build, Candidate, Context, Needs, OptionDescriptor, OptionKind, Reason, Strategy, StrategyKind,
};
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
            summary: "An upstream whose measured cost is more than so many times the best one's gives its sessions away, until it is below half of that.",
            kind: OptionKind::Integer {
                min: 2,
                max: 64,
                default: 16,
            },
        },
        MAX_SHARE,
    ],
    build: Build::Over(|_, inner| Box::new(StickySession { inner })),
};

#[derive(Debug)]
struct StickySession {
    inner: Box<dyn Strategy>,
}

impl Strategy for StickySession {
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason {
        self.inner.rank(candidates, context, rng)
    }

    fn needs(&self) -> Needs {
        self.inner.needs()
    }
}
