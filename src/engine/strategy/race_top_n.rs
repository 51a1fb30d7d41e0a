//! `race_top_n`: a call is sent to the best few at once, and the first good answer is the call's. It ranks as `leaderboard` does; who may
//! be raced, and how often, is decided where hedges are ([`crate::hedge`]).

use alloc::boxed::Box;

use super::leaderboard::Leaderboard;
use super::options::{EXPLORE, EXPLORE_AFTER, MAX_SHARE, SHARPNESS};
use super::{
    Build, Candidate, Context, OptionDescriptor, OptionKind, Race, Reason, Strategy, StrategyKind,
};
use crate::rng::Rng;

pub(super) static KIND: StrategyKind = StrategyKind {
    name: "race_top_n",
    summary: "Sends a call to the best few upstreams of different providers at once, takes the first good answer and gives up the others.",
    when_to_use: "For the few methods where every millisecond counts and double the load does not: each call costs as much as it has attempts.",
    options: &[
        OptionDescriptor {
            name: "attempts",
            summary: "How many upstreams a call is sent to.",
            kind: OptionKind::Integer {
                min: 2,
                max: 3,
                default: 2,
            },
        },
        OptionDescriptor {
            name: "max_extra",
            summary: "Attempts beyond the first, as a part of the calls and, where units are configured, of their compute units, over ten seconds: 100% is one more for each call. What it does not allow is not raced.",
            kind: OptionKind::Share {
                max_basis_points: 20_000,
                default_basis_points: 10_000,
            },
        },
        SHARPNESS,
        EXPLORE,
        EXPLORE_AFTER,
        MAX_SHARE,
    ],
    build: Build::Alone(|values| {
        Box::new(RaceTopN {
            race: Race {
                attempts: values.get(0) as u8,
                max_extra_permille: values.get(1) as u32 / 10,
            },
            order: Leaderboard::new(values, 2),
        })
    }),
};

#[derive(Debug)]
struct RaceTopN {
    race: Race,
    order: Leaderboard,
}

impl Strategy for RaceTopN {
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason {
        self.order.rank(candidates, context, rng)
    }

    fn race(&self) -> Option<Race> {
        Some(self.race)
    }
}
