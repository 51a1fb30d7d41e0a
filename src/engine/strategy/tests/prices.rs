//! `cost_aware` and `quota_aware`: what fits, what it costs, what has room.

use super::*;

/// A price, and the quantile that was observed.
fn offer(price_pico: u64, quantile_us: u64) -> Offer {
    Offer {
        price_pico,
        quantile_us,
        ..Offer::default()
    }
}

fn offered(offers: &[Offer]) -> Context<'_> {
    Context {
        offers,
        ..NO_EXPLORE
    }
}

/// Latency and cost alike.
fn steady(index: u16, us: u64) -> Candidate {
    Candidate {
        latency_us: us,
        ..candidate(index, us)
    }
}

fn first(strategy: &mut dyn Strategy, candidates: &[Candidate], offers: &[Offer]) -> (u16, Reason) {
    let mut ranked = candidates.to_vec();
    let reason = strategy.rank(&mut ranked, &offered(offers), &mut Rng::new(3));
    (ranked[0].upstream.0, reason)
}

#[test]
fn the_cheapest_that_fits_gets_everything() {
    let mut cost_aware = strategy("cost_aware", &[]);
    let three = [steady(0, 20_000), steady(1, 300_000), steady(2, 100_000)];
    let offers = [offer(900, 40_000), offer(100, 375_000), offer(500, 200_000)];
    let counts = shares(&mut *cost_aware, &three, offered(&offers));
    assert_eq!(
        counts[..3],
        [0, 1_000, 0],
        "375 ms is three quarters of 500"
    );
    assert_eq!(first(&mut *cost_aware, &three, &offers).1, Reason::Cheapest);
}

#[test]
fn what_is_slower_than_the_objective_is_passed_over_and_in_between_it_is_shared() {
    let pair = [steady(0, 20_000), steady(1, 30_000)];
    let share_at = |quantile_us| {
        let offers = [offer(900, 40_000), offer(100, quantile_us)];
        shares(&mut *strategy("cost_aware", &[]), &pair, offered(&offers))[1]
    };
    assert_eq!(share_at(375_000), 1_000);
    assert!(
        (430..570).contains(&share_at(437_500)),
        "{}",
        share_at(437_500)
    );
    assert_eq!(share_at(500_000), 0);
    let mut hanging = pair;
    hanging[1].latency_us = 500_000;
    let offers = [offer(900, 40_000), offer(100, 40_000)];
    let counts = shares(
        &mut *strategy("cost_aware", &[]),
        &hanging,
        offered(&offers),
    );
    assert_eq!(
        counts[1], 0,
        "what waits there now counts, whatever it was before"
    );
}

#[test]
fn what_fails_too_often_is_passed_over() {
    let share_at = |failing_permille: u32| {
        let mut pair = [steady(0, 20_000), steady(1, 30_000)];
        pair[1].health = 65_536 - 65_536 / 1_000 * failing_permille;
        let offers = [offer(900, 40_000), offer(100, 40_000)];
        shares(&mut *strategy("cost_aware", &[]), &pair, offered(&offers))[1]
    };
    assert_eq!(share_at(24), 1_000);
    assert!((300..700).contains(&share_at(38)), "{}", share_at(38));
    assert_eq!(share_at(51), 0);
}

#[test]
fn where_none_fits_the_best_by_score_is_taken_and_the_dear_one_beats_an_error() {
    let mut cost_aware = strategy(
        "cost_aware",
        &[("latency", Setting::Duration(Duration::from_millis(10)))],
    );
    let pair = [steady(0, 20_000), steady(1, 100_000)];
    let offers = [offer(900, 40_000), offer(0, 200_000)];
    assert_eq!(
        first(&mut *cost_aware, &pair, &offers),
        (0, Reason::BestEffort)
    );
    let counts = shares(&mut *cost_aware, &pair, offered(&offers));
    assert_eq!(counts[1], 0, "five times as slow");
}

#[test]
fn equal_prices_are_shared_by_score_and_what_is_free_comes_first() {
    let three = [steady(0, 20_000), steady(1, 20_000), steady(2, 20_000)];
    let offers = [offer(5, 0), offer(0, 0), offer(0, 0)];
    let counts = shares(&mut *strategy("cost_aware", &[]), &three, offered(&offers));
    assert_eq!(counts[0], 0);
    assert!(counts[1] > 430 && counts[2] > 430, "{counts:?}");
}

#[test]
fn a_cheap_stranger_is_tried_with_two_calls_at_a_time() {
    let mut stranger = steady(1, 20_000);
    stranger.cold = true;
    stranger.in_flight = TRIAL_IN_FLIGHT;
    let offers = [offer(9, 0), offer(1, 0)];
    let mut cost_aware = strategy("cost_aware", &[]);
    assert_eq!(
        first(&mut *cost_aware, &[steady(0, 20_000), stranger], &offers).0,
        0
    );
    stranger.in_flight = 1;
    assert_eq!(
        first(&mut *cost_aware, &[steady(0, 20_000), stranger], &offers).0,
        1
    );
}

#[test]
fn every_strategy_that_has_no_turns_looks_at_the_silent_and_probes() {
    let by_score = [("among_equals", Setting::Word("score"))];
    for (name, settings) in [
        ("leaderboard", &[][..]),
        ("race_top_n", &[]),
        ("cost_aware", &[]),
        ("quota_aware", &[]),
        ("priority", &by_score),
        ("sticky_session", &[]),
    ] {
        let mut pair = [steady(0, 20_000), steady(1, 500_000)];
        pair[1].silent_for_us = 2_000_000;
        let counts = shares(&mut *strategy(name, settings), &pair, EXPLORE);
        assert!((2..=25).contains(&counts[1]), "{name}: {counts:?}");
        let mut calm = strategy(name, settings);
        assert_eq!(shares(&mut *calm, &pair, NO_EXPLORE)[1], 0, "{name}");
        pair[1].probe_due = true;
        let counts = shares(&mut *strategy(name, settings), &pair, EXPLORE);
        assert_eq!(counts[1], 1_000, "{name}");
    }
}

#[test]
fn quota_aware_gives_a_part_for_part_of_the_room_and_nothing_for_none() {
    let pair = [steady(0, 20_000), steady(1, 20_000)];
    let share_at = |room| {
        let offers = [
            Offer::default(),
            Offer {
                room,
                ..Offer::default()
            },
        ];
        shares(&mut *strategy("quota_aware", &[]), &pair, offered(&offers))[1]
    };
    assert!(
        (440..560).contains(&share_at(65_536)),
        "{}",
        share_at(65_536)
    );
    assert!(
        (270..400).contains(&share_at(32_768)),
        "{}",
        share_at(32_768)
    );
    assert_eq!(share_at(0), 0);
}

#[test]
fn quota_aware_without_any_room_is_a_leaderboard() {
    let pair = [steady(0, 20_000), steady(1, 20_000)];
    let none = [Offer {
        room: 0,
        ..Offer::default()
    }; 2];
    let mut quota_aware = strategy("quota_aware", &[]);
    assert_eq!(first(&mut *quota_aware, &pair, &none).1, Reason::BestEffort);
    let counts = shares(&mut *quota_aware, &pair, offered(&none));
    assert!(counts[0] > 430 && counts[1] > 430, "{counts:?}");
    let slow = [steady(0, 20_000), steady(1, 900_000)];
    let some = [none[0], Offer::default()];
    assert_eq!(first(&mut *quota_aware, &slow, &some), (1, Reason::Room));
}

#[test]
fn priority_by_score_stays_with_whom_it_has_until_another_is_better_by_a_fifth() {
    let mut priority = strategy("priority", &[("among_equals", Setting::Word("score"))]);
    assert_eq!(
        order(&mut *priority, &[candidate(0, 100), candidate(1, 101)]),
        [0, 1]
    );
    assert_eq!(
        order(&mut *priority, &[candidate(0, 100), candidate(1, 81)])[0],
        0
    );
    assert_eq!(
        order(&mut *priority, &[candidate(0, 100), candidate(1, 79)])[0],
        1
    );
    assert_eq!(
        order(&mut *priority, &[candidate(0, 100), candidate(1, 120)])[0],
        1
    );
    assert_eq!(
        order(&mut *priority, &[candidate(0, 100)]),
        [0],
        "it is out"
    );
    assert_eq!(
        order(&mut *priority, &[candidate(0, 100), candidate(1, 120)])[0],
        1
    );
    let (call, logs) = (
        crate::method::lookup(b"eth_call"),
        crate::method::lookup(b"eth_getLogs"),
    );
    let mut first_of = |method, costs: [u64; 2]| {
        let mut pair = [candidate(0, costs[0]), candidate(1, costs[1])];
        let context = Context {
            method,
            ..NO_EXPLORE
        };
        priority.rank(&mut pair, &context, &mut Rng::new(1));
        pair[0].upstream.0
    };
    assert_eq!(
        (first_of(call, [100, 120]), first_of(logs, [120, 100])),
        (0, 1)
    );
    assert_eq!(
        (first_of(call, [100, 90]), first_of(logs, [90, 100])),
        (0, 1),
        "each method apart"
    );
}
