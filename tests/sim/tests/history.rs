//! Stories of blocks that some have dropped: who lacks one is found out, and is asked for no older one again.

use engine::fault::FaultClass;
use engine::learned::History;
use engine::strategy::REGISTRY;

use super::stories::{play, strategy, with_seeds};
use crate::baseline::find;
use crate::oracle::{Service, possible};
use crate::provider::{Behaviour, Script};
use crate::scenario::{Ages, Dish, Scenario};
use crate::world::run_with;

/// An archive, slow, and two that have the last 128 states; half of the calls are about older ones.
fn world(seed: u64, name: &str) -> Scenario {
    let mut upstreams = vec![Script::new(0, 60), Script::new(1, 20), Script::new(2, 25)];
    for script in upstreams.iter_mut().skip(1) {
        script.kept.set(History::State, Some(128));
    }
    let mut scenario = Scenario::new("history", seed, strategy(name), upstreams)
        .at_rate(200)
        .lasting(60);
    scenario.follow_heads = true;
    scenario.chain.height = 2_000_000;
    let balance = |from, to| Dish {
        ages: Some(Ages { from, to }),
        ..Dish::new("eth_getBalance", 1)
    };
    scenario.menu.dishes = vec![balance(0, 100), balance(200, 1_000_000)];
    scenario
}

#[test]
fn what_is_gone_is_found_out_and_not_asked_for_again() {
    for kind in REGISTRY {
        with_seeds(|seed| {
            let report = play(&world(seed, kind.name));
            assert_eq!(report.bad_calls(), 0, "{} {:?}", kind.name, report.bad);
            // Each lesson halves what is not known yet, more or less: of six thousand old calls a few dozen find out.
            assert!(
                report.reroutes < 120,
                "{}, seed {seed}: {} went to who has it not",
                kind.name,
                report.reroutes
            );
        });
    }
}

#[test]
fn who_learns_nothing_goes_there_again_and_again() {
    let scenario = world(1, "round_robin");
    let kind = find("baseline_round_robin").unwrap();
    let report = run_with(&scenario, &Service::ALWAYS, |scenario, _, seed| {
        kind.decider(scenario, seed)
    });
    let report = report.unwrap();
    assert!(
        report.attempts > report.calls * 13 / 10,
        "{}",
        report.attempts
    );
}

#[test]
fn only_an_archive_can_serve_what_is_old_and_the_oracle_knows() {
    let mut scenario = world(3, "leaderboard");
    let best = possible(&scenario);
    // Half at 20 ms, half at 60: the median lies between, and all are served.
    assert!((25..60).contains(&(best.p50_ns / 1_000_000)), "{best:?}");
    assert!((best.success - 1.0).abs() < 1e-6);
    let archive = scenario.upstreams[0].clone();
    scenario.upstreams[0] = archive.but(20, 40, Behaviour::Refuse);
    let best = possible(&scenario);
    let lost = 1.0 - best.success;
    assert!((lost - 1.0 / 6.0).abs() < 1e-3, "half of a third: {lost}");
    let report = run_with(&scenario, &best.service, crate::decider::Product::new).unwrap();
    assert!(report.bad_calls() > 500, "{:?}", report.bad);
    // Those that began while nobody had it are nobody's fault; a few began just before.
    assert!(
        report.avoidable < 5,
        "{} of {:?}",
        report.avoidable,
        report.bad
    );
    // Young blocks are served as ever.
    let old = |from, until| report.bad_between(from, until);
    assert_eq!((old(0, 20), old(42, 60)), (0, 0));
}

/// What has not come yet is another matter than what is gone.
#[test]
fn who_is_behind_lacks_what_is_new_and_no_more() {
    with_seeds(|seed| {
        let mut scenario = world(seed, "round_robin");
        scenario.upstreams = vec![
            Script::new(0, 20),
            Script::new(1, 20).but(10, 50, Behaviour::Behind(10)),
        ];
        scenario.menu.dishes[0].ages = Some(Ages { from: 0, to: 20 });
        let best = possible(&scenario);
        let report = run_with(&scenario, &best.service, crate::decider::Product::new).unwrap();
        assert!(report.bad_calls() == 0, "seed {seed}: {:?}", report.bad);
        // It has all the older ones, and is asked for them.
        let share = report.share_permille(1, 15, 50);
        assert!((250..450).contains(&share), "seed {seed}: {share}");
    });
}

/// A lesson about one kind of what a block holds says nothing about another.
#[test]
fn dropped_bodies_are_no_dropped_states() {
    let mut scenario = world(5, "round_robin");
    for script in scenario.upstreams.iter_mut().skip(1) {
        script.kept = crate::provider::Kept::default();
        script.kept.set(History::Blocks, Some(5_000));
    }
    let block = |from, to| Dish {
        ages: Some(Ages { from, to }),
        ..Dish::new("eth_getBlockByNumber", 1)
    };
    scenario
        .menu
        .dishes
        .extend([block(0, 5_000), block(5_001, 1_000_000)]);
    let report = play(&scenario);
    assert_eq!(report.bad.get(&FaultClass::MissingData), None);
    assert!(report.reroutes > 0, "nobody lacked anything");
    // Three of four calls are for anybody: the two have two thirds of those.
    let share = report.share_permille(1, 10, 60) + report.share_permille(2, 10, 60);
    assert!((440..560).contains(&share), "{share}");
}
