//! `cost_aware`: the cheapest upstream that is expected to answer in time and well. It knows prices and expectations as they are told to it.

use alloc::boxed::Box;
use core::time::Duration;

use super::leaderboard::Leaderboard;
use super::options::{EXPLORE, EXPLORE_AFTER, MAX_SHARE};
use super::{
    Build, Candidate, Context, Needs, OptionDescriptor, OptionKind, Reason, Strategy, StrategyKind,
};
use crate::rng::Rng;

pub(super) static KIND: StrategyKind = StrategyKind {
    name: "cost_aware",
    summary: "The cheapest upstream for the method that is expected to meet an objective of latency and success; the best by score where none is.",
    when_to_use: "Where providers differ in price, or have free tiers, and answers that are fast enough are good enough.",
    options: &[
        OptionDescriptor {
            name: "latency",
            summary: "The time within which answers should come.",
            kind: OptionKind::Duration {
                min: Duration::from_millis(1),
                max: Duration::from_secs(60),
                default: Duration::from_millis(500),
            },
        },
        OptionDescriptor {
            name: "quantile_permille",
            summary: "How many of a thousand answers should come within that time.",
            kind: OptionKind::Integer {
                min: 500,
                max: 999,
                default: 950,
            },
        },
        OptionDescriptor {
            name: "success",
            summary: "The part of the calls that should not fail.",
            kind: OptionKind::Share {
                max_basis_points: 9_999,
                default_basis_points: 9_500,
            },
        },
        EXPLORE,
        EXPLORE_AFTER,
        MAX_SHARE,
    ],
    build: Build::Alone(|values| {
        Box::new(CostAware {
            quantile_permille: values.get(1) as u16,
            order: Leaderboard::new(values, 2),
        })
    }),
};

#[derive(Debug)]
struct CostAware {
    quantile_permille: u16,
    order: Leaderboard,
}

impl Strategy for CostAware {
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
            prices: true,
            room: false,
            quantile_permille: Some(self.quantile_permille),
        }
    }
}
