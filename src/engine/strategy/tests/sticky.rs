//! `sticky_session`: which sessions move when, and what happens without one.

use super::*;

const SESSIONS: u64 = 4_000;

/// Where each session is at home.
fn homes(strategy: &mut dyn Strategy, candidates: &[Candidate]) -> Vec<u16> {
    let identities = [11, 22, 33, 44, 55, 66, 77, 88];
    let mut rng = Rng::new(9);
    (0..SESSIONS)
        .map(|session| {
            let mut ranked = candidates.to_vec();
            let context = Context {
                session: Some(SessionKey::new(session)),
                identities: &identities,
                ..EXPLORE
            };
            let reason = strategy.rank(&mut ranked, &context, &mut rng);
            assert_eq!(ranked.len(), candidates.len());
            assert_eq!(reason == Reason::Session, candidates.len() > 1);
            ranked[0].upstream.0
        })
        .collect()
}

fn equals(count: u16) -> Vec<Candidate> {
    (0..count).map(|index| candidate(index, 20_000)).collect()
}

fn over(name: &'static str) -> Box<dyn Strategy> {
    strategy("sticky_session", &[("over", Setting::Word(name))])
}

#[test]
fn a_lost_upstream_moves_its_own_sessions_and_they_come_back() {
    for name in [
        "leaderboard",
        "priority",
        "round_robin",
        "cost_aware",
        "quota_aware",
    ] {
        let all = equals(5);
        let before = homes(&mut *over(name), &all);
        for lost in 0..5 {
            let rest: Vec<_> = all
                .iter()
                .copied()
                .filter(|one| one.upstream.0 != lost)
                .collect();
            let mut strategy = over(name);
            let without = homes(&mut *strategy, &rest);
            let mut to = [0; 5];
            for (then, now) in before.iter().zip(&without) {
                if *then == lost {
                    to[usize::from(*now)] += 1;
                } else {
                    assert_eq!(
                        then, now,
                        "{name}: a session of {then} moved when {lost} was lost"
                    );
                }
            }
            let moved: u64 = to.iter().sum();
            assert!(
                (SESSIONS / 6..SESSIONS / 4).contains(&moved),
                "{name}: {moved}"
            );
            let spread = to.iter().filter(|&&count| count > moved / 6).count();
            assert_eq!(spread, 4, "{name}: they go to all the others: {to:?}");
            assert_eq!(homes(&mut *strategy, &all), before, "{name}: back again");
        }
    }
}

#[test]
fn sessions_follow_weights_and_a_changed_weight_moves_the_difference() {
    let mut all = equals(4);
    let before = homes(&mut *over("round_robin"), &all);
    all[3].weight = 200;
    let after = homes(&mut *over("round_robin"), &all);
    let held = |homes: &[u16]| homes.iter().filter(|&&home| home == 3).count() as u64;
    assert!((900..1_100).contains(&held(&before)), "{}", held(&before));
    assert!((1_500..1_700).contains(&held(&after)), "{}", held(&after));
    for (then, now) in before.iter().zip(&after) {
        assert!(then == now || *now == 3, "only to the heavier one");
    }
}

#[test]
fn what_an_upstream_is_called_counts_not_where_it_stands() {
    let all = equals(3);
    let mut rng = Rng::new(1);
    let mut home = |identities: [u64; 3], session| {
        let mut ranked = all.clone();
        let context = Context {
            session: Some(SessionKey::new(session)),
            identities: &identities,
            ..NO_EXPLORE
        };
        over("leaderboard").rank(&mut ranked, &context, &mut rng);
        identities[ranked[0].upstream.as_usize()]
    };
    for session in 0..200 {
        assert_eq!(home([5, 6, 7], session), home([7, 5, 6], session));
    }
}

#[test]
fn the_strategy_beneath_says_who_comes_into_question() {
    let mut all = equals(4);
    all[2].priority = 2;
    all[3].priority = 2;
    let homes_over_priority = homes(&mut *over("priority"), &all);
    assert!(homes_over_priority.iter().all(|&home| home < 2));
    let rest = homes(&mut *over("priority"), &all[2..]);
    assert!(rest.contains(&2) && rest.contains(&3));
    let mut idle = equals(3);
    idle[1].weight = 0;
    assert!(!homes(&mut *over("leaderboard"), &idle).contains(&1));
}

#[test]
fn over_prices_a_session_stays_among_the_cheapest_that_fit() {
    let all = equals(3);
    let offer = |price_pico| Offer {
        price_pico,
        ..Offer::default()
    };
    let offers = [offer(5), offer(5), offer(1)];
    let mut cost_aware = over("cost_aware");
    assert!(cost_aware.needs().prices);
    for session in 0..100 {
        let mut ranked = all.clone();
        let context = Context {
            session: Some(SessionKey::new(session)),
            offers: &offers,
            ..NO_EXPLORE
        };
        cost_aware.rank(&mut ranked, &context, &mut Rng::new(session));
        assert_eq!(ranked[0].upstream.0, 2);
    }
}

#[test]
fn sessions_leave_what_is_far_worse_and_return_when_it_is_at_half_of_that() {
    let mut sticky = over("leaderboard");
    let with = |cost_us| {
        let mut all = equals(3);
        all[1].cost_us = cost_us;
        all
    };
    let mut holds = |cost_us| homes(&mut *sticky, &with(cost_us)).contains(&1);
    assert!(holds(16 * 20_000), "sixteen times the best");
    assert!(!holds(16 * 20_000 + 1));
    assert!(!holds(8 * 20_000 + 1));
    assert!(holds(8 * 20_000));
    let mut all = with(1_000_000);
    all.remove(0);
    all.remove(1);
    let reason = sticky.rank(
        &mut all,
        &Context {
            session: Some(SessionKey::new(1)),
            ..NO_EXPLORE
        },
        &mut Rng::new(1),
    );
    assert_eq!((reason, all[0].upstream.0), (Reason::Only, 1));
}

#[test]
fn without_a_session_the_strategy_beneath_ranks() {
    let mut all = equals(3);
    all[0].priority = 3;
    let mut sticky = over("priority");
    let mut plain = strategy("priority", &[]);
    for _ in 0..10 {
        assert_eq!(order(&mut *sticky, &all), order(&mut *plain, &all));
    }
}

#[test]
fn the_options_of_the_strategy_beneath_are_given_beside_its_own() {
    let settings = [
        ("sharpness", Setting::Integer(2)),
        ("max_share", Setting::Share(6_000)),
        ("over", Setting::Word("quota_aware")),
    ];
    let spec = StrategySpec::new("sticky_session", &settings).unwrap();
    let (name, values) = spec.over().unwrap();
    assert_eq!((name, values.get(0)), ("quota_aware", 2));
    assert_eq!(
        spec.max_share(),
        Some(6_000),
        "of what both have its own is meant"
    );
    assert_ne!(
        spec,
        StrategySpec::new("sticky_session", &settings[1..]).unwrap()
    );
    let error = |settings: &[(&str, Setting<'_>)]| {
        StrategySpec::new("sticky_session", settings).unwrap_err()[0].to_string()
    };
    let over = ("over", Setting::Word("round_robin"));
    assert_eq!(
        error(&[("sharpness", Setting::Integer(2)), over]),
        "strategy `sticky_session` has no option `sharpness`"
    );
    assert_eq!(
        error(&[("sharpness", Setting::Integer(9))]),
        "option `sharpness` must be a whole number from 1 to 8"
    );
    assert_eq!(error(&[over, over]), "option `over` is given twice");
    assert_eq!(
        error(&[("over", Setting::Word("sticky_session"))]),
        "option `over` must be one of leaderboard, priority, round_robin, cost_aware, quota_aware"
    );
    assert_eq!(StrategySpec::new("priority", &[]).unwrap().over(), None);
    let words = match find("sticky_session").unwrap().options[0].kind {
        OptionKind::Word { words, .. } => words,
        _ => panic!("a word"),
    };
    for word in words {
        assert_eq!(
            StrategySpec::new("sticky_session", &[("over", Setting::Word(word))])
                .unwrap()
                .over()
                .unwrap()
                .0,
            *word
        );
    }
}
