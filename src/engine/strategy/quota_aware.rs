//! `quota_aware`: calls go where accounts have room, so that allowances last to the end of their periods. It counts nothing itself.

use alloc::boxed::Box;

use super::leaderboard::Leaderboard;
use super::options::{EXPLORE, EXPLORE_AFTER, MAX_SHARE, SHARPNESS};
use super::{Build, Candidate, Context, Needs, Reason, Strategy, StrategyKind};
use crate::rng::Rng;

pub(super) static KIND: StrategyKind = StrategyKind {
    name: "quota_aware",
    summary: "The better an upstream, the larger its share, as far as its account can afford it: who is ahead of the pace that lasts to the period's end, or close to a limit, gets less.",
    when_to_use: "For providers with limits per second, day or month: to use all of what is allowed, and no more.",
    options: &[SHARPNESS, EXPLORE, EXPLORE_AFTER, MAX_SHARE],
    build: Build::Alone(|values| {
        Box::new(QuotaAware {
            order: Leaderboard::new(values, 0),
        })
    }),
};

#[derive(Debug)]
struct QuotaAware {
    order: Leaderboard,
}

impl Strategy for QuotaAware {
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason {
        self.order.rank(candidates, context, rng)
    }

    fn needs(&self) -> Needs {
        Needs {
            prices: false,
            room: true,
            quantile_permille: None,
        }
    }
}
