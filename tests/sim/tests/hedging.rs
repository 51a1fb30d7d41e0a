//! Stories of second attempts: what they are worth, what they cost, and what becomes of who is rescued again and again.

use core::time::Duration;

use engine::config::HedgeConfig;

use super::stories::{play, strategy, with_seeds};
use crate::provider::{Behaviour, INTERNAL, Script};
use crate::report::Report;
use crate::scenario::Scenario;

const STRATEGIES: [&str; 3] = ["leaderboard", "round_robin", "priority"];

/// Three upstreams, alike but for what the first one does in these seconds.
fn three(name: &str, seed: u64, from_s: u64, until_s: u64, fault: Behaviour) -> Scenario {
    let upstreams = vec![
        Script::new(0, 20).but(from_s, until_s, fault),
        Script::new(1, 20),
        Script::new(2, 20),
    ];
    Scenario::new("hedging", seed, strategy(name), upstreams).lasting(120)
}

fn hedged(mut scenario: Scenario, hedge: HedgeConfig) -> Report {
    scenario.policy.hedge = Some(hedge);
    play(&scenario)
}

/// Two of a hundred answers of the first upstream come a second late.
const STALLS: Behaviour = Behaviour::StallSome(20, Duration::from_secs(1));

#[test]
fn stalls_of_one_of_three_are_cut_to_a_fifth_for_a_twentieth_more_calls() {
    with_seeds(|seed| {
        for (name, quantile_permille) in [
            ("leaderboard", 980),
            ("round_robin", 980),
            // All of the traffic goes to the one that stalls.
            ("priority", 950),
        ] {
            let scenario = three(name, seed, 0, 120, STALLS).at_rate(300);
            let plain = play(&scenario);
            let hedge = HedgeConfig {
                quantile_permille,
                ..HedgeConfig::default()
            };
            let hedged = hedged(scenario, hedge);
            let (before, after) = (plain.latency_us(999), hedged.latency_us(999));
            assert!(before > 1_000_000, "{name} {seed}: nobody stalled");
            assert!(after * 5 <= before, "{name} {seed}: {after} after {before}");
            assert!(hedged.latency_us(990) <= plain.latency_us(990) * 11 / 10);
            let (more, calls) = (hedged.attempts, plain.attempts);
            assert!(
                more * 100 <= calls * 105,
                "{name} {seed}: {more} for {calls}"
            );
            assert!(hedged.hedges * 100 > hedged.calls, "{name}: hardly hedged");
            assert_eq!((hedged.bad_calls(), hedged.retries), (0, 0));
        }
    });
}

#[test]
fn armed_and_never_firing_it_changes_nothing() {
    with_seeds(|seed| {
        for name in STRATEGIES {
            let scenario = three(name, seed, 0, 0, STALLS);
            let never = HedgeConfig {
                min_delay: Duration::from_millis(300),
                ..HedgeConfig::default()
            };
            assert_eq!(hedged(scenario.clone(), never), play(&scenario), "{name}");
        }
    });
}

#[test]
fn who_hangs_loses_its_share_although_all_of_its_calls_are_rescued() {
    with_seeds(|seed| {
        let scenario = three("leaderboard", seed, 20, 80, Behaviour::Hang);
        let plain = play(&scenario);
        let report = hedged(scenario, HedgeConfig::default());
        assert_eq!(report.bad_calls(), 0);
        assert!(report.hedges_denied * 500 < report.calls);
        let (before, after) = (plain.latency_us(999), report.latency_us(999));
        assert!(after * 2 <= before, "seed {seed}: {after} after {before}");
        assert!(report.share_permille(0, 21, 24) < 60);
        let hanging = report.share_permille(0, 26, 80);
        assert!((1..30).contains(&hanging), "seed {seed}: {hanging}");
        let back = report.share_permille(0, 90, 120);
        assert!(back > 200, "seed {seed}: {back}");
    });
}

/// Where shares do not follow the score, an upstream that hangs and is always rescued keeps its traffic; no call may wait longer for that
/// than twice the slow end of real answers, and a rescue.
#[test]
fn a_wait_for_who_hangs_does_not_grow() {
    with_seeds(|seed| {
        let always = HedgeConfig {
            max_extra_permille: HedgeConfig::MAX_EXTRA,
            ..HedgeConfig::default()
        };
        let scenario = three("round_robin", seed, 20, 80, Behaviour::Hang);
        let report = hedged(scenario, always);
        assert_eq!((report.bad_calls(), report.retries), (0, 0));
        let slowest = report.latency_us(999);
        assert!(slowest < 300_000, "seed {seed}: {slowest}");
    });
}

#[test]
fn out_of_its_share_a_hang_is_found_as_fast_as_without() {
    with_seeds(|seed| {
        for name in ["round_robin", "priority"] {
            let scenario = three(name, seed, 20, 80, Behaviour::Hang);
            let plain = play(&scenario);
            let report = hedged(scenario, HedgeConfig::default());
            assert!(report.hedges_denied > 0, "{name}: the share was enough");
            assert_eq!(report.bad_calls(), 0, "{name} {seed}: {:?}", report.bad);
            let (before, after) = (plain.latency_us(999), report.latency_us(999));
            assert!(
                after <= before * 11 / 10,
                "{name} {seed}: {after} after {before}"
            );
            assert!(report.share_permille(0, 26, 80) < 10, "{name} {seed}");
        }
    });
}

#[test]
fn everybody_slow_is_not_multiplied() {
    for fault in [
        Behaviour::Slow(1_000),
        Behaviour::Hang,
        Behaviour::Say(INTERNAL, 1_000),
    ] {
        for name in STRATEGIES {
            let upstreams = (0..3)
                .map(|number| Script::new(number, 20).but(20, 50, fault))
                .collect();
            let scenario = Scenario::new("all_slow", 1, strategy(name), upstreams)
                .at_rate(200)
                .lasting(90);
            let report = hedged(scenario, HedgeConfig::default());
            let (mut calls, mut attempts) = (0, 0);
            for second in &report.seconds[20..50] {
                calls += second.calls;
                attempts += second.attempts.iter().sum::<u64>();
            }
            // A fifth may be retries, a twentieth hedges, and a little on top of each.
            assert!(
                attempts * 100 <= calls * 131,
                "{name} {fault:?}: {attempts} for {calls}"
            );
            assert_eq!(report.bad_between(75, 90), 0, "{name} {fault:?}");
        }
    }
}
