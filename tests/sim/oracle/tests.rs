//! The oracle's figures where they can be worked out by hand, and that nobody beats it.

use core::time::Duration;

use engine::config::HedgeConfig;
use engine::strategy::{REGISTRY, StrategySpec, find};

use super::*;
use crate::baseline::BASELINES;
use crate::decider::Product;
use crate::provider::{Behaviour, INTERNAL, Limit, Script};
use crate::report::Report;
use crate::scenario::Scenario;
use crate::world::run_with;

fn scenario(upstreams: Vec<Script>) -> Scenario {
    let strategy = StrategySpec::of(find("leaderboard").unwrap());
    Scenario::new("oracle", 5, strategy, upstreams)
}

fn ms(ns: u64) -> u64 {
    ns / 1_000_000
}

#[test]
fn one_upstream_s_best_is_its_own() {
    let best = possible(&scenario(vec![Script::new(0, 20)]));
    assert!(ms(best.p50_ns).abs_diff(20) <= 1, "{best:?}");
    assert!(ms(best.p99_ns).abs_diff(60) <= 1, "{best:?}");
    assert!((best.success - 1.0).abs() < 1e-6);
}

#[test]
fn of_two_it_takes_the_faster_and_when_that_is_gone_the_other() {
    let upstreams = vec![
        Script::new(0, 20).but(0, 30, Behaviour::Refuse),
        Script::new(1, 80),
    ];
    let best = possible(&scenario(upstreams));
    // Half of the minute at 80 ms, half at 20: the median of all lies between, the p99 is the slower one's p98.
    assert!((40..60).contains(&ms(best.p50_ns)), "{best:?}");
    assert!((215..240).contains(&ms(best.p99_ns)), "{best:?}");
}

#[test]
fn hedging_cuts_stalls_and_only_where_the_policy_allows_it() {
    let stall = Behaviour::StallSome(30, Duration::from_secs(1));
    let upstreams = vec![
        Script::new(0, 20).but(0, 60, stall),
        Script::new(1, 20).but(0, 60, stall),
    ];
    let mut scenario = scenario(upstreams);
    let plain = possible(&scenario);
    assert!(ms(plain.p99_ns) > 1_000, "{plain:?}");
    scenario.policy.hedge = Some(HedgeConfig::default());
    let hedged = possible(&scenario);
    assert!(ms(hedged.p99_ns) < 120, "{hedged:?}");
    assert!(hedged.p50_ns <= plain.p50_ns);
    // One company's two upstreams are no hedge for each other.
    scenario.upstreams[1].config.provider = scenario.upstreams[0].config.provider;
    assert!(ms(possible(&scenario).p99_ns) > 1_000);
}

#[test]
fn retries_are_worth_what_they_are() {
    let broken = |permille| {
        let upstreams = (0..3)
            .map(|number| Script::new(number, 20).but(0, 60, Behaviour::Say(INTERNAL, permille)))
            .collect();
        let mut scenario = scenario(upstreams);
        scenario.policy.attempts = 3;
        possible(&scenario)
    };
    assert!((broken(200).success - (1.0 - 0.008)).abs() < 0.001);
    assert!((broken(500).success - (1.0 - 0.125)).abs() < 0.001);
}

#[test]
fn nobody_is_well_in_an_outage_of_all_or_when_more_comes_than_all_can_serve() {
    let upstreams = (0..2)
        .map(|number| Script::new(number, 20).but(10, 20, Behaviour::Refuse))
        .collect();
    let best = possible(&scenario(upstreams));
    let outages: Vec<_> = best.service.outages(crate::scenario::second(60)).collect();
    let second = crate::scenario::second;
    assert_eq!(outages, [(second(10), second(20))]);
    assert!((best.success - 50.0 / 60.0).abs() < 0.001);

    let mut limited = Script::new(0, 20);
    limited.limit = Some(Limit {
        per_second: 80,
        retry_after_s: None,
        published: false,
    });
    let mut crowded = scenario(vec![limited]);
    assert_eq!(possible(&crowded).service.outages(second(60)).count(), 1);
    crowded.load = vec![(second(0), 60)];
    assert_eq!(possible(&crowded).service.outages(second(60)).count(), 0);
}

#[test]
fn the_cheapest_way_uses_what_is_free_first() {
    let mut upstreams = vec![Script::new(0, 20), Script::new(1, 200)];
    upstreams[0].price.micros_per_million = 2_000_000;
    upstreams[1].price.micros_per_million = 500_000;
    upstreams[1].price.free = 20_000;
    let best = possible(&scenario(upstreams));
    // 6000 calls of ten units, of which 2000 are free.
    assert!((best.spend_micros - 20_000.0).abs() < 1.0, "{best:?}");
}

#[test]
fn calls_that_nobody_could_serve_are_in_no_latency_and_no_avoidable_error() {
    let upstreams = (0..2)
        .map(|number| Script::new(number, 20).but(20, 24, Behaviour::Hang))
        .collect();
    let scenario = scenario(upstreams);
    let best = possible(&scenario);
    let plain = run_with(&scenario, &Service::ALWAYS, Product::new).unwrap();
    let judged = run_with(&scenario, &best.service, Product::new).unwrap();
    assert_eq!(
        plain.trace_hash(),
        judged.trace_hash(),
        "judging changes nothing"
    );
    // Some that began in the outage are answered after it, seconds late.
    assert!(plain.latency_us(999) > 1_000_000, "nobody was late");
    assert!(
        judged.latency_us(999) < 500_000,
        "{}",
        judged.latency_us(999)
    );
    assert!(judged.latencies_us.len() < plain.latencies_us.len());
    assert!(plain.bad_calls() > 0, "nobody saw the outage");
    assert_eq!((plain.avoidable, judged.avoidable), (plain.bad_calls(), 0));
}

fn p99_us(report: &Report) -> u64 {
    report.latency_us(990)
}

/// Under every kind of fault, nobody that spends no more than the budget is faster than what was possible, but for the noise of a sample.
#[test]
fn nobody_beats_what_was_possible() {
    let stall = Behaviour::StallSome(20, Duration::from_millis(700));
    let worlds: [Vec<Script>; 5] = [
        vec![Script::new(0, 20), Script::new(1, 35), Script::new(2, 80)],
        vec![
            Script::new(0, 20).but(10, 40, Behaviour::Hang),
            Script::new(1, 30).but(30, 50, stall),
        ],
        vec![
            Script::new(0, 20).but(5, 50, Behaviour::Say(INTERNAL, 300)),
            Script::new(1, 25).but(5, 50, Behaviour::Say(INTERNAL, 300)),
        ],
        vec![
            Script::new(0, 20).but(0, 60, Behaviour::Drift(100, 1_000)),
            Script::new(1, 60),
        ],
        vec![
            Script::new(0, 15).but(0, 60, Behaviour::Limit(100, Some(1))),
            Script::new(1, 60),
        ],
    ];
    for (number, upstreams) in worlds.into_iter().enumerate() {
        let mut scenario = scenario(upstreams).at_rate(300);
        scenario.policy.hedge = Some(HedgeConfig::default());
        let best = possible(&scenario);
        let check = |name: &str, report: &Report| {
            let own = p99_us(report) as f64;
            let bound = best.p99_ns as f64 / 1e3;
            assert!(
                own >= bound * 0.88,
                "{number}, {name}: {own} µs, {bound} were possible"
            );
        };
        for kind in REGISTRY {
            scenario.strategy = StrategySpec::of(kind);
            let report = run_with(&scenario, &best.service, Product::new).unwrap();
            if report.hedges * 100 <= report.calls * 6 {
                check(kind.name, &report);
            }
        }
        for kind in BASELINES {
            let report = run_with(&scenario, &best.service, |scenario, _, seed| {
                kind.decider(scenario, seed)
            });
            check(kind.name, &report.unwrap());
        }
    }
}
