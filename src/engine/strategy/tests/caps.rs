//! The cap on one provider's part of the calls.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::strategy::cap::Cap;

fn provided(index: u16, provider: u16, cost_us: u64) -> Candidate {
    Candidate {
        provider: ProviderIndex(provider),
        ..candidate(index, cost_us)
    }
}

fn cap(basis_points: u64, providers: &[u16]) -> Cap {
    Cap::new(
        basis_points,
        providers.iter().map(|&provider| ProviderIndex(provider)),
    )
}

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

/// Whoever is first once the cap has been heard, and is counted.
fn pick(cap: &mut Cap, candidates: &[Candidate], now: Instant) -> u16 {
    let mut ranked = candidates.to_vec();
    cap.enforce(&mut ranked, now);
    cap.count(ranked[0].upstream);
    ranked[0].upstream.0
}

#[test]
fn a_company_gets_its_part_and_no_more_whatever_its_upstreams() {
    let three = [provided(0, 7, 10), provided(1, 7, 10), provided(2, 9, 90)];
    let mut cap = cap(6_000, &[7, 7, 9]);
    let picks: Vec<_> = (0..10).map(|_| pick(&mut cap, &three, at(1))).collect();
    assert_eq!(picks, [0, 0, 2, 0, 2, 0, 0, 2, 0, 2]);
}

#[test]
fn alone_a_company_takes_all_and_owes_nothing_after() {
    let pair = [provided(0, 0, 10), provided(1, 1, 90)];
    let mut cap = cap(5_000, &[0, 1]);
    for _ in 0..100 {
        assert_eq!(pick(&mut cap, &pair[..1], at(1)), 0);
    }
    let picks: Vec<_> = (0..4).map(|_| pick(&mut cap, &pair, at(1))).collect();
    assert_eq!(picks, [0, 1, 0, 1]);
}

#[test]
fn what_was_more_than_a_minute_ago_is_forgotten() {
    let pair = [provided(0, 0, 10), provided(1, 1, 90)];
    let mut cap = cap(9_000, &[0, 1]);
    let others = [pair[1], pair[0]];
    for _ in 0..9 {
        pick(&mut cap, &others, at(3));
    }
    // One in ten may be the other's: they have been the second's so far.
    let first_ones = |cap: &mut Cap, now| (0..9).filter(|_| pick(cap, &pair, now) == 0).count();
    assert_eq!(first_ones(&mut cap.clone(), at(59)), 9);
    for _ in 0..9 {
        pick(&mut cap, &pair, at(59));
    }
    assert_eq!(
        pick(&mut cap, &pair, at(59)),
        0,
        "it has had nine of eighteen"
    );
    assert_eq!(
        pick(&mut cap, &pair, at(63)),
        1,
        "ten of ten in the last minute"
    );
    assert_eq!(pick(&mut cap, &pair, at(9_000)), 0, "nothing is left of it");
}

#[test]
fn caps_that_do_not_add_up_to_the_whole_share_evenly() {
    let three = [provided(0, 0, 10), provided(1, 1, 20), provided(2, 2, 30)];
    for share in [0, 2_000] {
        let mut cap = cap(share, &[0, 1, 2]);
        let mut had = [0; 3];
        for _ in 0..300 {
            had[usize::from(pick(&mut cap, &three, at(1)))] += 1;
        }
        assert_eq!(had, [100; 3], "{share}");
    }
}

#[test]
fn the_last_resort_and_a_stranger_with_enough_calls_are_nobody() {
    let mut pair = [provided(0, 0, 10), provided(1, 1, 90)];
    pair[1].weight = 0;
    let mut cap = cap(1_000, &[0, 1]);
    for _ in 0..50 {
        assert_eq!(pick(&mut cap, &pair, at(1)), 0);
    }
    pair[1].weight = 100;
    pair[1].cold = true;
    pair[1].in_flight = TRIAL_IN_FLIGHT;
    for _ in 0..50 {
        assert_eq!(pick(&mut cap, &pair, at(1)), 0);
    }
    pair[1].in_flight = 0;
    assert_eq!(pick(&mut cap, &pair, at(1)), 0);
    assert_eq!(pick(&mut cap, &pair, at(1)), 1);
}

proptest! {
    /// Whatever is ranked in whatever order, whoever comes and goes: with another company to choose, the first is within its part of the last
    /// minute's calls, counted here again, or has had the fewest.
    #[test]
    fn the_cap_holds(
        seed in any::<u64>(),
        share in 0..=10_000_u64,
        providers in prop::collection::vec(0..4_u16, 2..8),
    ) {
        let mut rng = Rng::new(seed);
        let mut cap = cap(share, &providers);
        let mut past: Vec<(u64, u16)> = Vec::new();
        let mut second = 0;
        for _ in 0..400 {
            second += rng.below(3);
            let mut ranked = Vec::new();
            for (index, &provider) in providers.iter().enumerate() {
                if rng.chance(3, 4) {
                    ranked.push(provided(index as u16, provider, rng.below(9)));
                }
            }
            for candidate in &mut ranked {
                candidate.weight = 100 * u32::from(rng.chance(7, 8));
            }
            if ranked.is_empty() {
                continue;
            }
            let before = ranked.clone();
            cap.enforce(&mut ranked, at(second));
            let first = ranked[0];
            cap.count(first.upstream);
            let mut sorted: [Vec<u16>; 2] = [before.clone(), ranked.clone()]
                .map(|all| all.iter().map(|candidate| candidate.upstream.0).collect());
            sorted.iter_mut().for_each(|all| all.sort_unstable());
            prop_assert_eq!(&sorted[0], &sorted[1], "a ranking loses nobody");
            let weighty: Vec<_> = ranked.iter().filter(|one| one.weight > 0).collect();
            if !weighty.iter().any(|one| one.provider != before[0].provider) {
                prop_assert_eq!(first, before[0], "there was no choice");
                continue;
            }
            past.retain(|&(then, _)| then / 6 + 10 > second / 6);
            past.push((second, first.provider.0));
            let had = |provider: ProviderIndex| {
                past.iter().filter(|&&(_, other)| other == provider.0).count() as u64
            };
            let allowed = (share * past.len() as u64).div_ceil(10_000);
            let fewest = weighty.iter().all(|one| {
                one.provider == first.provider || had(one.provider) + 1 >= had(first.provider)
            });
            prop_assert!(
                had(first.provider) <= allowed || fewest,
                "{} of {}, {} are allowed", had(first.provider), past.len(), allowed
            );
        }
    }
}
