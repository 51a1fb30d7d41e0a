//! What holds of every strategy, whatever the upstreams are like.

use proptest::prelude::{Strategy as Generator, any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;

fn candidates() -> impl Generator<Value = Vec<Candidate>> {
    let one = (
        (1..4_u32, 0..300_u32, 1..u64::MAX, any::<bool>(), 0..6_u32),
        (
            any::<u64>(),
            any::<bool>(),
            0..4_u16,
            1..3_000_000_u64,
            0..=65_536_u32,
        ),
        any::<bool>(),
    );
    prop::collection::vec(one, 1..20).prop_map(|all| {
        let made = all
            .into_iter()
            .enumerate()
            .map(|(index, (one, two, probe_due))| Candidate {
                upstream: UpstreamIndex(index as u16),
                priority: one.0,
                // Some have none.
                weight: one.1.saturating_sub(60),
                cost_us: one.2 >> (index % 60),
                cold: one.3,
                in_flight: one.4,
                silent_for_us: two.0,
                promising: two.1,
                probe_due: probe_due && index % 5 == 0,
                provider: ProviderIndex(two.2),
                latency_us: two.3,
                health: two.4,
            });
        made.collect()
    })
}

fn offers() -> impl Generator<Value = Vec<Offer>> {
    let one = (0..5_u64, 0..=65_536_u32, 0..2_000_000_u64);
    let one = one.prop_map(|(price_pico, room, quantile_us)| Offer {
        price_pico,
        room,
        quantile_us,
    });
    prop::collection::vec(one, 20)
}

proptest! {
    #[test]
    fn a_ranking_loses_nobody_and_the_last_resort_is_last(
        candidates in candidates(),
        offers in offers(),
        kind in 0..REGISTRY.len(),
        session in prop::option::of(any::<u64>()),
        may_explore in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut strategy = StrategySpec::of(REGISTRY[kind]).build();
        let mut rng = Rng::new(seed);
        for _ in 0..3 {
            let context = Context {
                may_explore,
                session: session.map(SessionKey::new),
                offers: &offers,
                ..NO_EXPLORE
            };
            let mut ranked = candidates.clone();
            let reason = strategy.rank(&mut ranked, &context, &mut rng);
            prop_assert_eq!(reason == Reason::Only, candidates.len() == 1);
            let equals = strategy.equals(&ranked);
            prop_assert!((1..=ranked.len()).contains(&equals), "{} equals", equals);
            let first = ranked[0];
            let somebody = candidates.iter().any(|one| one.weight > 0);
            if reason != Reason::Probe && somebody {
                prop_assert!(first.weight > 0, "{:?}", reason);
            }
            ranked.sort_unstable_by_key(|candidate| candidate.upstream);
            prop_assert_eq!(&ranked, &candidates);
        }
    }

    #[test]
    fn no_dearer_one_is_chosen_while_a_cheaper_one_meets_the_objective_with_margin(
        candidates in candidates(),
        offers in offers(),
        session in prop::option::of(any::<u64>()),
        sticky in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let over = [("over", Setting::Word("cost_aware"))];
        let mut strategy = if sticky {
            strategy("sticky_session", &over)
        } else {
            strategy("cost_aware", &[])
        };
        let context = Context {
            session: session.map(SessionKey::new),
            offers: &offers,
            ..NO_EXPLORE
        };
        let mut ranked = candidates.clone();
        strategy.rank(&mut ranked, &context, &mut Rng::new(seed));
        let price = |one: &Candidate| offers[one.upstream.as_usize()].price_pico;
        let known = candidates.iter().any(|one| !one.cold && one.weight > 0);
        // Within three quarters of half a second, and half of 5 % of failures.
        let meets = |one: &&Candidate| {
            let quantile_us = offers[one.upstream.as_usize()].quantile_us;
            let is_full = known && one.cold && one.in_flight >= TRIAL_IN_FLIGHT;
            one.weight > 0 && !is_full && one.latency_us <= 375_000 && quantile_us <= 375_000
                && one.health >= 65_536 - 1_638
        };
        if let Some(cheapest) = candidates.iter().filter(meets).map(price).min() {
            prop_assert!(price(&ranked[0]) <= cheapest, "{} and not {}", price(&ranked[0]), cheapest);
        }
    }
}
