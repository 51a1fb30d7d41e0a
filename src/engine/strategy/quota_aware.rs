//! `quota_aware`: calls go where accounts have room, so that allowances last to the end of their periods. It counts nothing itself:
//! how much room an account has, it is told.
//!
//! Shares follow the score as `leaderboard`'s do, and of each only the part counts for which the account has room: all of it while the
//! account is behind its pace, less and less while it runs ahead, none from a small lead on; and the same within a second, from half of what may
//! be sent in it. So an allowance is neither gone before its time nor left over while the upstream is the better one. The part is continuous in what
//! was spent: nothing flaps.
//!
//! Where no account has room left, shares follow the score alone: what a provider allows is a limit for every strategy, what it paces is
//! not.

use alloc::boxed::Box;

use super::explore::Explorer;
use super::options::{EXPLORE, EXPLORE_AFTER, MAX_SHARE, SHARPNESS};
use super::shares::{Shares, promote, trial_limit, whole};
use super::{Build, Candidate, Context, Needs, Reason, Strategy, StrategyKind};
use crate::rng::Rng;

pub(super) static KIND: StrategyKind = StrategyKind {
    name: "quota_aware",
    summary: "The better an upstream, the larger its share, as far as its account can afford it: who is ahead of the pace that lasts to the period's end, or close to a limit, gets less.",
    when_to_use: "For providers with limits per second, day or month: to use all of what is allowed, and no more.",
    options: &[SHARPNESS, EXPLORE, EXPLORE_AFTER, MAX_SHARE],
    build: Build::Alone(|values| {
        Box::new(QuotaAware {
            shares: Shares::new(values.get(0) as u32),
            explorer: Explorer::new(values.get(1), values.get(2) / 1_000),
            roomy: 1,
        })
    }),
};

#[derive(Debug)]
struct QuotaAware {
    shares: Shares,
    explorer: Explorer,
    /// How many of the last ranking's first have room.
    roomy: usize,
}

impl Strategy for QuotaAware {
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason {
        let trial_is_full = trial_limit(candidates);
        let room = |candidate: &Candidate| u64::from(context.offer(candidate.upstream).room);
        let part = |candidate: &Candidate| {
            if trial_is_full(candidate) {
                0
            } else {
                room(candidate)
            }
        };
        candidates.sort_unstable_by_key(|candidate| {
            (
                candidate.weight == 0,
                room(candidate) == 0,
                trial_is_full(candidate),
                candidate.cost_us,
                candidate.upstream,
            )
        });
        let has_room = |candidate: &&Candidate| candidate.weight > 0 && room(candidate) > 0;
        self.roomy = candidates.iter().take_while(has_room).count();
        if candidates.len() < 2 {
            return Reason::Only;
        }
        // What has no room is not looked at either, but for a breaker's probes.
        let worth_a_look = if candidates.iter().any(|candidate| candidate.probe_due) {
            candidates.len()
        } else {
            self.roomy
        };
        if context.may_explore
            && let Some(some) = candidates.get(..worth_a_look)
            && let Some((position, reason)) = self.explorer.look(some, rng)
        {
            promote(candidates, position);
            return reason;
        }
        let drawn = self.shares.draw(candidates, &part, rng);
        let (drawn, reason) = match drawn {
            Some(drawn) => (Some(drawn), Reason::Room),
            None => {
                let drawn = self.shares.draw(candidates, &whole(&trial_is_full), rng);
                self.roomy = candidates.len();
                (drawn, Reason::BestEffort)
            }
        };
        if let Some(position) = drawn {
            promote(candidates, position);
        }
        reason
    }

    fn needs(&self) -> Needs {
        Needs {
            room: true,
            ..Needs::default()
        }
    }

    fn equals(&self, ranked: &[Candidate]) -> usize {
        self.roomy.clamp(1, ranked.len().max(1))
    }
}
