//! `cost_aware`: the cheapest upstream that is expected to answer in time and well. It knows prices and expectations as they are told to it.
//!
//! **Who is expected to.** An upstream's latency is the quantile of its answers to the method, or what is believed of it now, whichever is
//! longer: what waits there is in the latter, so a hang is noticed while it lasts. Up to three quarters of the objective an upstream
//! fits wholly, from the objective on not at all; between the two in part, in proportion. The same of its failures: up to half of what the
//! objective allows, and from all of it on. The lesser of the two counts.
//!
//! **Who is chosen.** Prices are tried from the lowest. Of each, the one that fits best says how likely it is taken; among upstreams of
//! one price the better have the larger shares. So while the cheapest fits wholly it gets everything, and when it grows slow under its
//! load it gives away as much as it must, and no more: a part that is continuous in the measure does not flap, where an upstream that is
//! either good enough or not would be flooded and deserted in turns.
//!
//! **Where none fits** shares follow the score alone, as `leaderboard`'s do: an objective that cannot be met is no reason to be slow.
//!
//! Of what is included in a plan the price is nothing, so it is used before anything is paid for.

use alloc::boxed::Box;
use core::time::Duration;

use super::explore::Explorer;
use super::options::{EXPLORE, EXPLORE_AFTER, MAX_SHARE};
use super::shares::{ONE, Shares, promote, trial_limit, whole};
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
            summary: "The part of the calls that should not fail. It is measured over some thirty calls: above 97% a single failure counts for a while.",
            kind: OptionKind::Share {
                max_basis_points: 9_900,
                default_basis_points: 9_500,
            },
        },
        EXPLORE,
        EXPLORE_AFTER,
        MAX_SHARE,
    ],
    build: Build::Alone(|values| {
        Box::new(CostAware {
            latency_us: (values.get(0) / 1_000).max(1),
            quantile_permille: values.get(1) as u16,
            failures: ONE * (10_000 - values.get(2).min(9_999)) / 10_000,
            explorer: Explorer::new(values.get(3), values.get(4) / 1_000),
            equals: 1,
        })
    }),
};

/// Among upstreams of one price, and where none fits, shares are as `leaderboard`'s are by default.
const SHARES: Shares = Shares::new(4);

#[derive(Debug)]
struct CostAware {
    latency_us: u64,
    quantile_permille: u16,
    /// The part that may fail, in 1/65536; above zero.
    failures: u64,
    explorer: Explorer,
    /// How many of the last ranking's first have one price and fit.
    equals: usize,
}

impl Strategy for CostAware {
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason {
        self.equals = 1;
        let trial_is_full = trial_limit(candidates);
        let fit = |candidate: &Candidate| {
            if candidate.weight == 0 || trial_is_full(candidate) {
                0
            } else {
                self.fit(candidate, context)
            }
        };
        let price = |candidate: &Candidate| context.offer(candidate.upstream).price_pico;
        candidates.sort_unstable_by_key(|candidate| {
            let fits = fit(candidate) > 0;
            (
                candidate.weight == 0,
                trial_is_full(candidate),
                !fits,
                if fits { price(candidate) } else { 0 },
                candidate.cost_us,
                candidate.upstream,
            )
        });
        if candidates.len() < 2 {
            return Reason::Only;
        }
        if context.may_explore
            && let Some((position, reason)) = self.explorer.look(candidates, rng)
        {
            promote(candidates, position);
            return reason;
        }
        let mut from = 0;
        while let Some(group) = candidates.get_mut(from..)
            && let Some(price_pico) = group.first().filter(|first| fit(first) > 0).map(price)
        {
            let is_of_group =
                |candidate: &&Candidate| fit(candidate) > 0 && price(candidate) == price_pico;
            let length = group.iter().take_while(is_of_group).count();
            let group = group.get(..length).unwrap_or_default();
            let best = group.iter().map(fit).max().unwrap_or(0);
            if rng.chance(best, ONE) {
                let drawn = SHARES.draw(group, &fit, rng).unwrap_or(0);
                if let Some(front) = candidates.get_mut(..from + length) {
                    front.rotate_right(length);
                    promote(front, drawn);
                }
                self.equals = length;
                return Reason::Cheapest;
            }
            from += length;
        }
        let drawn = SHARES.draw(candidates, &whole(&trial_is_full), rng);
        if let Some(position) = drawn {
            promote(candidates, position);
        }
        self.equals = candidates.len();
        Reason::BestEffort
    }

    fn needs(&self) -> Needs {
        Needs {
            prices: true,
            quantile_permille: Some(self.quantile_permille),
            ..Needs::default()
        }
    }

    fn equals(&self, ranked: &[Candidate]) -> usize {
        self.equals.min(ranked.len())
    }
}

impl CostAware {
    /// How far an upstream is expected to meet the objective, in 1/65536.
    fn fit(&self, candidate: &Candidate, context: &Context<'_>) -> u64 {
        let observed_us = context.offer(candidate.upstream).quantile_us;
        let expected_us = observed_us.max(candidate.latency_us);
        let in_time = part(expected_us, self.latency_us / 4 * 3, self.latency_us);
        let failing = ONE.saturating_sub(u64::from(candidate.health));
        in_time.min(part(failing, self.failures / 2, self.failures))
    }
}

/// All of it up to `full`, nothing from `none` on, and in proportion between.
fn part(value: u64, full: u64, none: u64) -> u64 {
    if value <= full {
        return ONE;
    }
    // A minute in microseconds has 26 bits.
    (none.saturating_sub(value) * ONE) / (none - full).max(1)
}
