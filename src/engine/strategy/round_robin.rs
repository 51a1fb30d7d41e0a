//! `round_robin`: everyone in turn, by weight. It knows nothing of latency or health beyond who is eligible.
//!
//! The turns are smooth, as in nginx: each candidate gains its weight, the one with the most goes and pays the sum of the weights.
//! Weights 5, 1, 1 give A A B A C A A, not A A A A A B C.

use alloc::boxed::Box;

use super::options::MAX_SHARE;
use super::{Build, Candidate, Context, Reason, Strategy, StrategyKind};
use crate::index::{MAX_UPSTREAMS, UpstreamIndex};
use crate::rng::Rng;

pub(super) static KIND: StrategyKind = StrategyKind {
    name: "round_robin",
    summary: "Every eligible upstream in turn, in proportion to its weight.",
    when_to_use: "To spread calls evenly over equal upstreams, or by fixed shares.",
    options: &[MAX_SHARE],
    build: Build::Alone(|_| {
        Box::new(RoundRobin {
            turns: Turns::new(),
        })
    }),
};

#[derive(Debug)]
struct RoundRobin {
    turns: Turns,
}

impl Strategy for RoundRobin {
    fn rank(&mut self, candidates: &mut [Candidate], _: &Context<'_>, _: &mut Rng) -> Reason {
        self.turns.take(candidates);
        if candidates.len() < 2 {
            Reason::Only
        } else {
            Reason::Turn
        }
    }
}

/// Who has how much of a turn saved up.
#[derive(Debug)]
pub(super) struct Turns {
    saved: [i64; MAX_UPSTREAMS],
}

impl Turns {
    pub(super) const fn new() -> Self {
        Self {
            saved: [0; MAX_UPSTREAMS],
        }
    }

    /// Takes a turn: orders the candidates by what they have saved, and the first pays. A weight of 0 goes only when all are 0.
    pub(super) fn take(&mut self, candidates: &mut [Candidate]) {
        let mut total = 0;
        for candidate in candidates.iter() {
            total += i64::from(candidate.weight);
            if let Some(saved) = self.saved.get_mut(candidate.upstream.as_usize()) {
                *saved += i64::from(candidate.weight);
            }
        }
        candidates.sort_unstable_by_key(|candidate| {
            (
                candidate.weight == 0,
                -self.saved_by(candidate.upstream),
                candidate.upstream,
            )
        });
        if let Some(first) = candidates.first()
            && let Some(saved) = self.saved.get_mut(first.upstream.as_usize())
        {
            *saved -= total;
        }
    }

    fn saved_by(&self, upstream: UpstreamIndex) -> i64 {
        self.saved.get(upstream.as_usize()).copied().unwrap_or(0)
    }
}
