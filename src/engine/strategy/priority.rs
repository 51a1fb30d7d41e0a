//! `priority`: A, then B, and C as a last resort. It looks at the numbers of the configuration and at nothing else, unless asked to
//! choose by score among equals.
//!
//! It follows that an upstream whose breaker half-opens is probed by ordinary calls when its turn comes, and that a lower one is
//! idle, and unknown, while a higher one serves.

use alloc::boxed::Box;

use super::options::MAX_SHARE;
use super::round_robin::Turns;
use super::{
    Build, Candidate, Context, OptionDescriptor, OptionKind, Reason, Strategy, StrategyKind,
};
use crate::rng::Rng;

pub(super) static KIND: StrategyKind = StrategyKind {
    name: "priority",
    summary: "The eligible upstreams with the lowest `priority` number get the calls; the next ones only when those are out.",
    when_to_use: "For a node of your own with a paid provider behind it, or wherever one provider is cheaper than the next.",
    options: &[
        OptionDescriptor {
            name: "among_equals",
            summary: "Who is first among upstreams of the same number: by turns (and weight), or by measured cost.",
            kind: OptionKind::Word {
                words: &["round_robin", "score"],
                default: 0,
            },
        },
        MAX_SHARE,
    ],
    build: Build::Alone(|values| {
        Box::new(Priority {
            by_score: values.get(0) == 1,
            turns: Turns::new(),
        })
    }),
};

#[derive(Debug)]
struct Priority {
    by_score: bool,
    turns: Turns,
}

impl Strategy for Priority {
    fn rank(&mut self, candidates: &mut [Candidate], _: &Context<'_>, _: &mut Rng) -> Reason {
        candidates.sort_unstable_by_key(|candidate| {
            (candidate.priority, candidate.cost_us, candidate.upstream)
        });
        let lowest = candidates.first().map(|candidate| candidate.priority);
        let equals = candidates
            .iter()
            .take_while(|candidate| Some(candidate.priority) == lowest)
            .count();
        if !self.by_score
            && let Some(equals) = candidates.get_mut(..equals)
        {
            self.turns.take(equals);
        }
        if candidates.len() < 2 {
            Reason::Only
        } else {
            Reason::Priority
        }
    }
}
