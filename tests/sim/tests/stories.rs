//! Stories: one fault each, and what an operator would want to have happened. Every story proves that its fault fired.

use engine::fault::FaultClass;
use engine::method::lookup;
use engine::strategy::{REGISTRY, StrategySpec, find};

use crate::provider::{Behaviour, INTERNAL, PRUNED, Script, TOO_MANY};
use crate::report::Report;
use crate::scenario::Scenario;
use crate::world::run;

pub(super) fn strategy(name: &str) -> StrategySpec {
    StrategySpec::of(find(name).unwrap())
}

pub(super) fn play(scenario: &Scenario) -> Report {
    run(scenario).unwrap_or_else(|violation| panic!("{violation}"))
}

/// Each story is told with a few seeds.
pub(super) fn with_seeds(tell: impl Fn(u64)) {
    (0..5).for_each(tell);
}

#[test]
fn priority_goes_to_b_then_c_and_home_again() {
    with_seeds(|seed| {
        let upstreams = vec![
            Script::new(0, 20).but(10, 40, Behaviour::Refuse),
            Script::new(1, 20).but(20, 30, Behaviour::Refuse),
            Script::new(2, 20),
        ];
        let report =
            play(&Scenario::new("a_b_c", seed, strategy("priority"), upstreams).lasting(150));
        assert_eq!(report.bad_calls(), 0, "{:?}", report.bad);
        assert!(report.retries > 0, "nobody was refused");
        assert_eq!(report.share_permille(0, 0, 10), 1_000);
        assert!(report.share_permille(1, 11, 20) > 950);
        assert!(report.share_permille(2, 21, 30) > 950);
        assert_eq!(report.share_permille(0, 120, 150), 1_000, "home again");
        // A refusal moves on at once: nobody waited for it.
        assert!(
            report.latency_us(999) < 250_000,
            "{}",
            report.latency_us(999)
        );
    });
}

#[test]
fn an_outage_of_all_is_not_multiplied_and_ends_with_it() {
    for behaviour in [
        Behaviour::Say(INTERNAL, 1_000),
        Behaviour::Reset,
        Behaviour::Refuse,
    ] {
        for kind in REGISTRY {
            let upstreams = (0..3)
                .map(|number| Script::new(number, 20).but(10, 40, behaviour))
                .collect();
            let scenario = Scenario::new("outage", 1, StrategySpec::of(kind), upstreams)
                .at_rate(300)
                .lasting(70);
            let report = play(&scenario);
            let sum = |of: fn(&crate::report::Second) -> u64| {
                report.seconds[11..40].iter().map(of).sum::<u64>()
            };
            let (calls, attempts) = (
                sum(|second| second.calls),
                sum(|second| second.attempts.iter().sum()),
            );
            assert!(
                report.bad_between(11, 40) > calls / 2,
                "there was no outage"
            );
            assert!(
                attempts * 100 <= calls * 125,
                "{} {behaviour:?}: {attempts} for {calls}",
                kind.name
            );
            assert_eq!(report.bad_between(45, 70), 0, "{} {behaviour:?}", kind.name);
        }
    }
}

#[test]
fn a_black_hole_of_all_is_not_multiplied_either() {
    let upstreams = (0..3)
        .map(|number| Script::new(number, 20).but(10, 40, Behaviour::Hang))
        .collect();
    let scenario = Scenario::new("black_hole", 1, strategy("leaderboard"), upstreams)
        .at_rate(200)
        .lasting(70);
    let report = play(&scenario);
    assert!(report.bad.contains_key(&FaultClass::Timeout));
    let calls: u64 = report.seconds[12..40]
        .iter()
        .map(|second| second.calls)
        .sum();
    let attempts: u64 = report.seconds[12..40]
        .iter()
        .flat_map(|second| &second.attempts)
        .sum();
    assert!(attempts * 100 <= calls * 125, "{attempts} for {calls}");
    assert_eq!(report.bad_between(55, 70), 0);
}

#[test]
fn leaderboard_leaves_the_slow_and_notices_its_recovery() {
    with_seeds(|seed| {
        for percent in [250, 500, 2_000] {
            let upstreams = vec![
                Script::new(0, 20).but(20, 60, Behaviour::Slow(percent)),
                Script::new(1, 20),
            ];
            let report =
                play(&Scenario::new("slow", seed, strategy("leaderboard"), upstreams).lasting(120));
            let before = report.share_permille(0, 5, 20);
            assert!((350..=650).contains(&before), "{before}");
            let slow = report.share_permille(0, 25, 60);
            assert!(
                slow <= 100,
                "seed {seed}, {percent} %: {slow} per thousand stay"
            );
            assert!(slow > 0, "nobody looked at it");
            let after = report.share_permille(0, 90, 120);
            assert!(
                (350..=650).contains(&after),
                "seed {seed}, {percent} %: {after}"
            );
            assert_eq!(report.bad_calls(), 0);
        }
    });
}

#[test]
fn leaderboard_does_not_flap_between_equals() {
    with_seeds(|seed| {
        let upstreams = vec![Script::new(0, 40), Script::new(1, 40)];
        let report =
            play(&Scenario::new("equals", seed, strategy("leaderboard"), upstreams).lasting(180));
        let shares: Vec<_> = (1..36)
            .map(|window| report.share_permille(0, window * 5, window * 5 + 5))
            .collect();
        assert!(
            shares.iter().all(|share| (200..=800).contains(share)),
            "seed {seed}: {shares:?}"
        );
        // A swing is a move of a third of the traffic from one five seconds to the next.
        let swings = shares
            .windows(2)
            .filter(|pair| pair[0].abs_diff(pair[1]) > 333)
            .count();
        assert!(swings <= 1, "seed {seed}: {shares:?}");
    });
}

#[test]
fn leaderboard_is_nearly_as_fast_as_the_best() {
    with_seeds(|seed| {
        let upstreams = vec![Script::new(0, 20), Script::new(1, 100), Script::new(2, 300)];
        let mixed =
            play(&Scenario::new("mixed", seed, strategy("leaderboard"), upstreams).lasting(120));
        let best = play(
            &Scenario::new(
                "best",
                seed,
                strategy("leaderboard"),
                vec![Script::new(0, 20)],
            )
            .lasting(120),
        );
        assert!(mixed.latency_us(500) <= best.latency_us(500) * 11 / 10);
        assert!(
            mixed.latency_us(950) <= best.latency_us(950) * 13 / 10,
            "{} {}",
            mixed.latency_us(950),
            best.latency_us(950)
        );
    });
}

#[test]
fn leaderboard_knows_who_is_good_at_what() {
    with_seeds(|seed| {
        let (reads, calls) = (lookup(b"eth_getBalance"), lookup(b"eth_call"));
        let upstreams = vec![
            Script::new(0, 20).but(0, 60, Behaviour::SlowWith(reads, 1_000)),
            Script::new(1, 20).but(0, 60, Behaviour::SlowWith(calls, 1_000)),
        ];
        let report = play(&Scenario::new(
            "specialists",
            seed,
            strategy("leaderboard"),
            upstreams,
        ));
        // Every method has an upstream that is ten times as fast with it as the other.
        assert!(
            report.latency_us(900) < 60_000,
            "seed {seed}: {}",
            report.latency_us(900)
        );
        assert!(report.share_permille(1, 10, 60) > 150);
    });
}

#[test]
fn what_hangs_loses_its_share_before_it_times_out() {
    with_seeds(|seed| {
        let upstreams = vec![
            Script::new(0, 20).but(20, 40, Behaviour::Hang),
            Script::new(1, 30),
        ];
        let report =
            play(&Scenario::new("hang", seed, strategy("leaderboard"), upstreams).lasting(100));
        assert_eq!(report.bad_calls(), 0, "{:?}", report.bad);
        let first_seconds = report.share_permille(0, 21, 24);
        assert!(first_seconds < 200, "seed {seed}: {first_seconds}");
        assert!(report.share_permille(0, 26, 40) < 50);
        assert!(
            report.share_permille(0, 80, 100) > 300,
            "seed {seed}: {}",
            report.share_permille(0, 80, 100)
        );
    });
}

#[test]
fn an_unknown_upstream_that_hangs_costs_few_calls() {
    with_seeds(|seed| {
        let upstreams = vec![
            Script::new(0, 20),
            Script::new(1, 20).but(0, 60, Behaviour::Hang),
        ];
        let report = play(&Scenario::new(
            "cold",
            seed,
            strategy("leaderboard"),
            upstreams,
        ));
        let spent: u64 = report.seconds.iter().map(|second| second.attempts[1]).sum();
        assert!(spent > 0, "it was never tried");
        assert!(
            spent < 120,
            "seed {seed}: {spent} of {} calls",
            report.calls
        );
        assert_eq!(report.bad_calls(), 0);
    });
}

#[test]
fn a_throttled_upstream_is_left_alone_and_comes_back() {
    for kind in REGISTRY {
        for retry_after in [None, Some(3)] {
            let upstreams = vec![
                Script::new(0, 20).but(10, 40, Behaviour::Limit(10, retry_after)),
                Script::new(1, 20),
            ];
            let scenario =
                Scenario::new("throttle", 3, StrategySpec::of(kind), upstreams).lasting(140);
            let report = play(&scenario);
            assert_eq!(report.bad_calls(), 0, "{}: {:?}", kind.name, report.bad);
            // The other attempt of a race answers where one is refused.
            assert!(
                report.retries > 0 || kind.name == "race_top_n",
                "nobody was throttled"
            );
            // Every refusal costs a retry: few are made.
            assert!(
                report.retries < 60,
                "{} {retry_after:?}: {}",
                kind.name,
                report.retries
            );
            let back = report.share_permille(0, 110, 140);
            assert!(back > 300, "{} {retry_after:?}: {back}", kind.name);
        }
    }
}

#[test]
fn when_all_throttle_the_client_hears_it_at_once_and_nobody_is_hammered() {
    let limit = Behaviour::Limit(0, Some(5));
    let upstreams = vec![
        Script::new(0, 20).but(10, 20, limit),
        Script::new(1, 20).but(10, 20, limit),
    ];
    let report = play(&Scenario::new(
        "all_throttle",
        1,
        strategy("leaderboard"),
        upstreams,
    ));
    let attempts: u64 = report.seconds[11..20]
        .iter()
        .flat_map(|second| &second.attempts)
        .sum();
    assert!(attempts < 20, "{attempts}");
    assert_eq!(
        report.bad.keys().copied().collect::<Vec<_>>(),
        [FaultClass::RateLimited]
    );
    assert_eq!(report.bad_between(40, 60), 0);
}

#[test]
fn a_single_upstream_that_throttles_without_a_word_still_serves_what_it_will() {
    let upstreams = vec![Script::new(0, 20).but(10, 40, Behaviour::Limit(20, None))];
    let report = play(
        &Scenario::new("single_throttle", 1, strategy("priority"), upstreams)
            .at_rate(40)
            .lasting(60),
    );
    let good = report.good_between(11, 40);
    assert!(
        good > 29 * 10,
        "{good} of 20 a second that it would have served"
    );
    assert_eq!(report.bad_between(45, 60), 0);
}

#[test]
fn a_half_broken_upstream_costs_nobody_an_error() {
    for kind in REGISTRY {
        for permille in [200, 500] {
            let broken = Behaviour::Say(INTERNAL, permille);
            let upstreams = vec![
                Script::new(0, 20).but(5, 65, broken),
                Script::new(1, 20),
                Script::new(2, 20),
            ];
            let scenario = Scenario::new("half_broken", 2, StrategySpec::of(kind), upstreams)
                .at_rate(200)
                .lasting(70);
            let report = play(&scenario);
            assert!(
                report.retries > 0 || kind.name == "race_top_n",
                "nothing broke"
            );
            assert!(
                report.bad_calls() * 10_000 <= report.calls,
                "{} {permille}: {:?}",
                kind.name,
                report.bad
            );
            assert!(
                report.amplification_permille() <= 1_250,
                "{} {permille}: {}",
                kind.name,
                report.amplification_permille()
            );
        }
    }
}

#[test]
fn while_one_upstream_is_well_no_client_sees_an_error() {
    let faults = [
        Behaviour::Refuse,
        Behaviour::Hang,
        Behaviour::HangSome(150),
        Behaviour::Reset,
        Behaviour::Slow(3_000),
        Behaviour::Say(INTERNAL, 1_000),
        Behaviour::Say(PRUNED, 700),
        Behaviour::Say(TOO_MANY, 1_000),
        Behaviour::Say(crate::provider::UNAUTHORIZED, 1_000),
        Behaviour::Say(crate::provider::NO_METHOD, 1_000),
        Behaviour::Say(crate::provider::RIDDLE, 200),
        Behaviour::Limit(5, Some(2)),
        Behaviour::Stale(500),
        Behaviour::WrongChain,
        Behaviour::StuckHead,
    ];
    for kind in REGISTRY {
        for fault in faults {
            let upstreams = vec![Script::new(0, 20).but(5, 35, fault), Script::new(1, 20)];
            let mut scenario =
                Scenario::new("one_is_well", 4, StrategySpec::of(kind), upstreams).lasting(50);
            scenario.probe_every = Some(core::time::Duration::from_secs(2));
            let report = play(&scenario);
            assert_eq!(
                report.bad_calls(),
                0,
                "{} {fault:?}: {:?}",
                kind.name,
                report.bad
            );
        }
    }
}

#[test]
fn the_wrong_chain_gets_nothing_once_a_check_has_seen_it() {
    let upstreams = vec![
        Script::new(0, 20).but(10, 30, Behaviour::WrongChain),
        Script::new(1, 20),
    ];
    let mut scenario = Scenario::new("wrong_chain", 1, strategy("round_robin"), upstreams);
    scenario.probe_every = Some(core::time::Duration::from_secs(1));
    let report = play(&scenario);
    assert_eq!(report.share_permille(0, 12, 30), 0);
    assert!(report.share_permille(0, 33, 60) > 450);
}

#[test]
fn a_stuck_head_is_left_out_until_it_moves() {
    let upstreams = vec![
        Script::new(0, 20).but(10, 60, Behaviour::StuckHead),
        Script::new(1, 20),
    ];
    let mut scenario =
        Scenario::new("stuck_head", 1, strategy("round_robin"), upstreams).lasting(90);
    scenario.probe_every = Some(core::time::Duration::from_secs(1));
    let report = play(&scenario);
    assert_eq!(report.share_permille(0, 30, 60), 0);
    assert!(report.share_permille(0, 63, 90) > 450);
}

#[test]
fn clients_that_leave_are_nobody_s_fault() {
    let upstreams = vec![Script::new(0, 400), Script::new(1, 20)];
    let mut scenario = Scenario::new("leavers", 1, strategy("priority"), upstreams);
    scenario.mix.abandoned = 900;
    let report = play(&scenario);
    assert!(report.abandoned > report.calls / 4, "nobody left");
    assert_eq!(
        report.share_permille(0, 0, 60),
        1_000,
        "A did nothing wrong"
    );
    assert_eq!((report.bad_calls(), report.retries), (0, 0));
}
