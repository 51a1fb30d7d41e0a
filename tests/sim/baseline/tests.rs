//! Each baseline does what its description says, and fails over.

use super::*;
use crate::oracle::Service;
use crate::provider::{Behaviour, INTERNAL, Script};
use crate::report::Report;
use crate::world::run_with;
use engine::strategy::{StrategySpec, find as find_strategy};

fn scenario(upstreams: Vec<Script>) -> Scenario {
    let strategy = StrategySpec::of(find_strategy("priority").unwrap());
    Scenario::new("baseline", 3, strategy, upstreams).on_shards(2)
}

fn play(name: &str, scenario: &Scenario) -> Report {
    let kind = find(name).unwrap();
    run_with(scenario, &Service::ALWAYS, |scenario, _, seed| {
        kind.decider(scenario, seed)
    })
    .unwrap_or_else(|violation| panic!("{name}: {violation}"))
}

fn three(fast: u64, middle: u64, slow: u64) -> Vec<Script> {
    let ms = [fast, middle, slow];
    (0..3)
        .map(|number| Script::new(number, ms[usize::from(number)]))
        .collect()
}

#[test]
fn random_and_round_robin_give_everybody_the_same() {
    for name in ["baseline_random", "baseline_round_robin"] {
        let report = play(name, &scenario(three(20, 40, 80)));
        for upstream in 0..3 {
            let share = report.share_permille(upstream, 0, 60);
            assert!((300..367).contains(&share), "{name}: {share}");
        }
    }
}

#[test]
fn priority_gives_all_to_the_first() {
    let report = play("baseline_priority", &scenario(three(80, 40, 20)));
    assert_eq!(report.share_permille(0, 0, 60), 1_000);
}

#[test]
fn lasso_s_shares_are_the_third_power_of_speed() {
    let report = play("baseline_lasso", &scenario(three(20, 40, 80)).lasting(120));
    // 1 : 1/8 : 1/64.
    let shares = [0, 1, 2].map(|upstream| report.share_permille(upstream, 10, 120));
    assert!((840..910).contains(&shares[0]), "{shares:?}");
    assert!((80..150).contains(&shares[1]), "{shares:?}");
    assert!((5..30).contains(&shares[2]), "{shares:?}");
}

#[test]
fn those_that_measure_prefer_the_faster() {
    for name in ["baseline_p2c_ewma", "baseline_erpc"] {
        // eRPC starts with the first and needs to be given a reason to look at others.
        let upstreams = vec![
            Script::new(0, 90).but(5, 20, Behaviour::Say(INTERNAL, 900)),
            Script::new(1, 20),
        ];
        let report = play(name, &scenario(upstreams).lasting(60));
        let share = report.share_permille(1, 31, 60);
        assert!(share > 600, "{name}: {share}");
    }
}

#[test]
fn all_fail_over_when_one_is_gone_and_make_three_attempts_at_most() {
    for kind in BASELINES {
        let upstreams = vec![
            Script::new(0, 20).but(10, 40, Behaviour::Refuse),
            Script::new(1, 20),
            Script::new(2, 20).but(20, 30, Behaviour::Say(INTERNAL, 500)),
        ];
        let report = play(kind.name, &scenario(upstreams));
        assert_eq!(report.bad_calls(), 0, "{}: {:?}", kind.name, report.bad);
        let all = (0..3)
            .map(|number| Script::new(number, 20).but(0, 60, Behaviour::Refuse))
            .collect();
        let report = play(kind.name, &scenario(all));
        assert_eq!(report.good, 0);
        assert!(report.attempts <= report.calls * 3, "{}", kind.name);
        assert_eq!(report.hedges, 0, "{} hedged", kind.name);
    }
}

#[test]
fn what_hangs_is_given_up_and_the_call_goes_on_elsewhere() {
    for kind in BASELINES {
        let upstreams = vec![
            Script::new(0, 20).but(10, 20, Behaviour::Hang),
            Script::new(1, 20),
        ];
        let report = play(kind.name, &scenario(upstreams));
        assert_eq!(report.bad_calls(), 0, "{}: {:?}", kind.name, report.bad);
        assert!(
            report.latency_us(1_000) >= 5_000_000,
            "{}: nobody hung",
            kind.name
        );
    }
}
