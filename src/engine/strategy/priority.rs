//! `priority`: A, then B, and C as a last resort. It looks at the numbers of the configuration and at nothing else, unless asked to
//! choose by score among equals.
//!
//! It follows that an upstream whose breaker half-opens is probed by ordinary calls when its turn comes, and that a lower one is
//! idle, and unknown, while a higher one serves.
//!
//! **By score** the one that serves a method goes on serving it until another of the same number is better by a fifth: of two that are
//! nearly equal each would be ahead half of the time. Those that do not serve are looked at now and then ([`explore`](super::explore)).

use alloc::boxed::Box;

use super::explore::Explorer;
use super::options::{EXPLORE, EXPLORE_AFTER, MAX_SHARE};
use super::round_robin::Turns;
use super::shares::promote;
use super::{
    Build, Candidate, Context, OptionDescriptor, OptionKind, Reason, Strategy, StrategyKind,
};
use crate::index::UpstreamIndex;
use crate::method::MethodId;
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
        EXPLORE,
        EXPLORE_AFTER,
        MAX_SHARE,
    ],
    build: Build::Alone(|values| {
        let explorer = Explorer::new(values.get(1), values.get(2) / 1_000);
        Box::new(Priority {
            by_score: (values.get(0) == 1).then(|| Incumbents::new(explorer)),
            turns: Turns::new(),
        })
    }),
};

#[derive(Debug)]
struct Priority {
    by_score: Option<Incumbents>,
    turns: Turns,
}

impl Strategy for Priority {
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason {
        candidates.sort_unstable_by_key(|candidate| {
            (
                candidate.weight == 0,
                candidate.priority,
                candidate.cost_us,
                candidate.upstream,
            )
        });
        let equals = first_group(candidates);
        let mut reason = Reason::Priority;
        if let Some(equals) = candidates.get_mut(..equals) {
            match &mut self.by_score {
                Some(incumbents) => {
                    if let Some(other) = incumbents.order(equals, context, rng) {
                        reason = other;
                    }
                }
                None => self.turns.take(equals),
            }
        }
        if candidates.len() < 2 {
            Reason::Only
        } else {
            reason
        }
    }

    fn equals(&self, ranked: &[Candidate]) -> usize {
        first_group(ranked)
    }
}

/// How many have the lowest number. The last resort is no equal of anybody else.
fn first_group(ranked: &[Candidate]) -> usize {
    let group = |candidate: &Candidate| (candidate.weight == 0, candidate.priority);
    let first = ranked.first().map(group);
    let same = |candidate: &&Candidate| Some(group(candidate)) == first;
    ranked.iter().take_while(same).count()
}

/// Who serves each method among equals.
#[derive(Debug)]
struct Incumbents {
    serving: Box<[Option<UpstreamIndex>]>,
    explorer: Explorer,
}

impl Incumbents {
    fn new(explorer: Explorer) -> Self {
        Self {
            serving: alloc::vec![None; MethodId::COUNT + 1].into_boxed_slice(),
            explorer,
        }
    }

    /// Puts first who serves, or who is to from now on, or whom this call is to look at, and then says so. They come ordered by cost.
    fn order(
        &mut self,
        equals: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Option<Reason> {
        if equals.len() < 2 {
            return None;
        }
        if context.may_explore
            && let Some((position, reason)) = self.explorer.look(equals, rng)
        {
            promote(equals, position);
            return Some(reason);
        }
        let best = equals.first()?;
        let (best_us, challenger) = (best.cost_us, best.upstream);
        let serving = self.serving.get_mut(context.method.index())?;
        let incumbent = equals.iter().position(|candidate| {
            Some(candidate.upstream) == *serving
                && candidate.cost_us.saturating_mul(4) <= best_us.saturating_mul(5)
        });
        match incumbent {
            Some(position) => promote(equals, position),
            None => *serving = Some(challenger),
        }
        None
    }
}
