//! The strategies by their shares, and the options' errors.

mod caps;
mod prices;
mod properties;
mod sticky;

use std::string::ToString;
use std::vec::Vec;

use core::time::Duration;

use super::shares::TRIAL_IN_FLIGHT;
use super::*;

const EXPLORE: Context<'_> = Context::new(true);
const NO_EXPLORE: Context<'_> = Context::new(false);

fn candidate(index: u16, cost_us: u64) -> Candidate {
    Candidate {
        upstream: UpstreamIndex(index),
        cost_us,
        cold: false,
        silent_for_us: 0,
        ..Candidate::default()
    }
}

fn strategy(name: &str, settings: &[(&str, Setting<'_>)]) -> Box<dyn Strategy> {
    StrategySpec::new(name, settings).unwrap().build()
}

/// How often each came first in a thousand rankings.
fn shares(strategy: &mut dyn Strategy, candidates: &[Candidate], context: Context<'_>) -> Vec<u32> {
    let mut rng = Rng::new(11);
    let mut counts = std::vec![0; 8];
    for _ in 0..1_000 {
        let mut ranked = candidates.to_vec();
        strategy.rank(&mut ranked, &context, &mut rng);
        let mut indices: Vec<_> = ranked.iter().map(|candidate| candidate.upstream).collect();
        counts[indices[0].as_usize()] += 1;
        indices.sort_unstable();
        assert_eq!(indices.len(), candidates.len(), "a ranking loses nobody");
    }
    counts
}

fn order(strategy: &mut dyn Strategy, candidates: &[Candidate]) -> Vec<u16> {
    let mut ranked = candidates.to_vec();
    strategy.rank(&mut ranked, &NO_EXPLORE, &mut Rng::new(1));
    ranked
        .iter()
        .map(|candidate| candidate.upstream.0)
        .collect()
}

#[test]
fn leaderboard_shares_between_equals() {
    let counts = shares(
        &mut *strategy("leaderboard", &[]),
        &[candidate(0, 20_000), candidate(1, 20_000)],
        NO_EXPLORE,
    );
    assert!(counts[0] > 440 && counts[1] > 440, "{counts:?}");
}

#[test]
fn leaderboard_gives_a_32nd_to_twice_as_slow_and_nothing_beyond_four_times() {
    let counts = shares(
        &mut *strategy("leaderboard", &[]),
        &[candidate(0, 20_000), candidate(1, 40_000)],
        NO_EXPLORE,
    );
    assert!((12..=55).contains(&counts[1]), "{counts:?}");
    let counts = shares(
        &mut *strategy("leaderboard", &[]),
        &[candidate(0, 20_000), candidate(1, 80_004)],
        NO_EXPLORE,
    );
    assert_eq!(counts[1], 0);
}

#[test]
fn leaderboard_s_sharpness_and_weight_scale() {
    let pair = [candidate(0, 20_000), candidate(1, 30_000)];
    let blunt = shares(
        &mut *strategy("leaderboard", &[("sharpness", Setting::Integer(1))]),
        &pair,
        NO_EXPLORE,
    );
    let sharp = shares(
        &mut *strategy("leaderboard", &[("sharpness", Setting::Integer(8))]),
        &pair,
        NO_EXPLORE,
    );
    assert!(blunt[1] > 330 && sharp[1] < 80, "{blunt:?} {sharp:?}");
    let mut weighty = [candidate(0, 20_000), candidate(1, 20_000)];
    weighty[1].weight = 300;
    let counts = shares(&mut *strategy("leaderboard", &[]), &weighty, NO_EXPLORE);
    assert!((700..=800).contains(&counts[1]), "{counts:?}");
}

#[test]
fn a_weight_of_nothing_is_the_last_resort_everywhere() {
    for kind in REGISTRY {
        let mut idle = candidate(0, 1);
        idle.weight = 0;
        idle.priority = 9;
        idle.silent_for_us = u64::MAX;
        let mut strategy = StrategySpec::of(kind).build();
        let counts = shares(&mut *strategy, &[idle, candidate(1, 50_000)], EXPLORE);
        assert_eq!(counts[0], 0, "{}", kind.name);
        assert_eq!(order(&mut *strategy, &[idle]), [0], "{}", kind.name);
    }
}

#[test]
fn leaderboard_explores_the_silent_within_its_share() {
    let mut silent = candidate(1, 500_000);
    silent.silent_for_us = 1_000_000;
    let pair = [candidate(0, 20_000), silent];
    let counts = shares(&mut *strategy("leaderboard", &[]), &pair, EXPLORE);
    assert!((2..=25).contains(&counts[1]), "{counts:?}");
    assert_eq!(
        shares(&mut *strategy("leaderboard", &[]), &pair, NO_EXPLORE)[1],
        0
    );
    let mut recent = pair;
    recent[1].silent_for_us = 999_999;
    assert_eq!(
        shares(&mut *strategy("leaderboard", &[]), &recent, EXPLORE)[1],
        0,
        "it spoke a moment ago"
    );
    let never = [("explore", Setting::Share(0))];
    assert_eq!(
        shares(&mut *strategy("leaderboard", &never), &pair, EXPLORE)[1],
        0
    );
    let mut promising = pair;
    promising[1].promising = true;
    let counts = shares(&mut *strategy("leaderboard", &[]), &promising, EXPLORE);
    assert!((50..=120).contains(&counts[1]), "{counts:?}");
}

#[test]
fn leaderboard_gives_a_half_open_breaker_its_probe_at_once() {
    let mut half_open = candidate(1, 900_000);
    half_open.probe_due = true;
    let pair = [candidate(0, 20_000), half_open];
    assert_eq!(
        shares(&mut *strategy("leaderboard", &[]), &pair, EXPLORE)[1],
        1_000
    );
    assert_eq!(
        shares(&mut *strategy("leaderboard", &[]), &pair, NO_EXPLORE)[1],
        0
    );
}

#[test]
fn an_upstream_on_trial_has_two_calls_at_a_time_while_another_is_known() {
    let mut on_trial = candidate(1, 20_000);
    on_trial.cold = true;
    on_trial.in_flight = TRIAL_IN_FLIGHT - 1;
    on_trial.silent_for_us = u64::MAX;
    let mut leaderboard = strategy("leaderboard", &[]);
    assert!(
        shares(
            &mut *leaderboard,
            &[candidate(0, 20_000), on_trial],
            EXPLORE
        )[1] > 400
    );
    on_trial.in_flight = TRIAL_IN_FLIGHT;
    assert_eq!(
        shares(
            &mut *leaderboard,
            &[candidate(0, 20_000), on_trial],
            EXPLORE
        )[1],
        0
    );
    let mut other = on_trial;
    other.upstream = UpstreamIndex(0);
    let counts = shares(&mut *leaderboard, &[other, on_trial], EXPLORE);
    assert!(
        counts[1] > 400,
        "nobody is known, so nobody is limited: {counts:?}"
    );
}

#[test]
fn leaderboard_survives_extreme_costs_and_weights() {
    let mut extreme: Vec<_> = (0..64).map(|index| candidate(index, u64::MAX)).collect();
    for candidate in &mut extreme {
        candidate.weight = u32::MAX;
    }
    let mut leaderboard = strategy("leaderboard", &[("sharpness", Setting::Integer(8))]);
    assert_eq!(order(&mut *leaderboard, &extreme).len(), 64);
    assert_eq!(
        order(
            &mut *leaderboard,
            &[candidate(0, 1), candidate(1, u64::MAX)]
        ),
        [0, 1]
    );
}

#[test]
fn priority_is_a_then_b_then_c() {
    let mut three = [candidate(0, 1), candidate(1, 500_000), candidate(2, 20)];
    three[0].priority = 3;
    three[1].priority = 1;
    three[2].priority = 2;
    assert_eq!(order(&mut *strategy("priority", &[]), &three), [1, 2, 0]);
}

#[test]
fn priority_takes_turns_among_equals_or_the_cheapest() {
    let pair = [candidate(0, 90_000), candidate(1, 10_000)];
    let turns = shares(&mut *strategy("priority", &[]), &pair, NO_EXPLORE);
    assert_eq!(turns[..2], [500, 500]);
    let by_score = [("among_equals", Setting::Word("score"))];
    assert_eq!(
        shares(&mut *strategy("priority", &by_score), &pair, NO_EXPLORE)[1],
        1_000
    );
}

#[test]
fn round_robin_is_smooth_and_weighted() {
    let mut three = [candidate(0, 1), candidate(1, 1), candidate(2, 1)];
    three[0].weight = 5;
    three[1].weight = 1;
    three[2].weight = 1;
    let mut strategy = strategy("round_robin", &[]);
    let turns: Vec<_> = (0..7).map(|_| order(&mut *strategy, &three)[0]).collect();
    assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn round_robin_goes_on_when_one_is_missing() {
    let mut strategy = strategy("round_robin", &[]);
    let all = [candidate(0, 1), candidate(1, 1), candidate(2, 1)];
    for _ in 0..100 {
        order(&mut *strategy, &all[..2]);
    }
    let counts = shares(&mut *strategy, &all, NO_EXPLORE);
    assert!(
        counts[..3]
            .iter()
            .all(|&count| (330..=336).contains(&count)),
        "{counts:?}"
    );
}

#[test]
fn the_registry_is_documented_and_its_defaults_are_valid() {
    for kind in REGISTRY {
        assert!(find(kind.name).is_some_and(|found| found.name == kind.name));
        assert!(
            kind.summary.ends_with('.') && kind.when_to_use.ends_with('.'),
            "{}",
            kind.name
        );
        assert!(kind.options.len() <= options::MAX_OPTIONS);
        for option in kind.options {
            let default = match option.kind {
                OptionKind::Flag { default } => Setting::Flag(default),
                OptionKind::Integer { default, .. } => Setting::Integer(default),
                OptionKind::Share {
                    default_basis_points,
                    ..
                } => Setting::Share(default_basis_points),
                OptionKind::Duration { default, .. } => Setting::Duration(default),
                OptionKind::Word { words, default } => Setting::Word(words[default]),
            };
            let spec = StrategySpec::new(kind.name, &[(option.name, default)]);
            assert_eq!(
                spec,
                Ok(StrategySpec::of(kind)),
                "{} {}",
                kind.name,
                option.name
            );
        }
    }
}

#[test]
fn errors_name_what_is_wrong_and_come_all_at_once() {
    let errors = StrategySpec::new(
        "leaderboard",
        &[
            ("sharpnes", Setting::Integer(2)),
            ("sharpness", Setting::Integer(9)),
            ("explore", Setting::Integer(1)),
            (
                "explore_after",
                Setting::Duration(Duration::from_millis(99)),
            ),
            (
                "explore_after",
                Setting::Duration(Duration::from_millis(100)),
            ),
        ],
    )
    .unwrap_err();
    let options: Vec<_> = errors
        .iter()
        .map(|error| error.option().unwrap().to_string())
        .collect();
    assert_eq!(
        options,
        [
            "sharpnes",
            "sharpness",
            "explore",
            "explore_after",
            "explore_after"
        ]
    );
    assert_eq!(
        errors[1].to_string(),
        "option `sharpness` must be a whole number from 1 to 8"
    );
    assert_eq!(
        errors[2].to_string(),
        "option `explore` must be a share from 0% to 20.00%"
    );
    assert_eq!(
        errors[4].to_string(),
        "option `explore_after` is given twice"
    );
    let unknown = StrategySpec::new("fastest", &[]).unwrap_err();
    assert_eq!(
        unknown[0].to_string(),
        "there is no strategy `fastest`; there are leaderboard, priority, round_robin, race_top_n, cost_aware, quota_aware, sticky_session"
    );
    let word =
        StrategySpec::new("priority", &[("among_equals", Setting::Word("best"))]).unwrap_err();
    assert_eq!(
        word[0].to_string(),
        "option `among_equals` must be one of round_robin, score"
    );
}
