//! The committed suite: every scenario is what it says and runs under the auditor, the same seed gives the same trace, and what is shown has the
//! shape that was promised. Loads are thinned here; the command plays them whole.

use engine::strategy::{REGISTRY, StrategySpec, find};

use crate::baseline::BASELINES;
use crate::file::{COMMITTED, Half, Template, Told, committed};
use crate::oracle::possible;
use crate::scenario::Scenario;
use crate::show;
use crate::study::{Contender, Study};

fn template(name: &str) -> Template {
    committed(name).unwrap().unwrap()
}

fn all() -> impl Iterator<Item = Template> {
    COMMITTED.iter().map(|(name, _)| template(name))
}

fn leaderboard() -> StrategySpec {
    StrategySpec::of(find("leaderboard").unwrap())
}

fn told(template: &Template) -> Told {
    Told::plain(template, leaderboard())
}

/// With so many times fewer calls, and as much less room.
fn thinned(template: &Template, part: u32) -> Scenario {
    let mut scenario = template.scenario(&told(template), 7);
    for step in &mut scenario.load {
        step.1 /= part;
    }
    for burst in &mut scenario.bursts {
        burst.1 /= part;
    }
    for script in &mut scenario.upstreams {
        if let Some(limit) = &mut script.limit {
            limit.per_second /= part;
        }
    }
    scenario
}

fn play(scenario: &Scenario, contender: &Contender) -> Study {
    Study::of(scenario, "", Vec::new(), std::slice::from_ref(contender))
        .unwrap_or_else(|violation| panic!("{violation}"))
}

#[test]
fn every_scenario_runs_under_the_auditor_with_one_of_our_strategies() {
    for (number, template) in all().enumerate() {
        let kind = REGISTRY[number % REGISTRY.len()];
        let contender = Contender::Ours(StrategySpec::of(kind));
        let study = play(&thinned(&template, 5), &contender);
        let report = &study.entries[0].report;
        assert!(report.calls > 1_000, "{}: hardly a call", template.name);
        assert!(report.good > 0, "{}: nothing good", template.name);
    }
}

#[test]
fn the_suite_has_two_halves_and_says_what_each_scenario_shows() {
    let (mut tuned, mut held_back) = (0, 0);
    for template in all() {
        match template.half {
            Half::Tuned => tuned += 1,
            Half::HeldBack => held_back += 1,
        }
        assert!(template.about.len() > 40, "{} says little", template.name);
        // Terminals and tables have an end.
        assert!(template.about.len() < 200, "{} says much", template.name);
    }
    assert!(
        tuned + held_back >= 24 && held_back >= 12,
        "{tuned} {held_back}"
    );
}

#[test]
fn a_full_outage_is_one_and_is_said_to_be_one() {
    for template in all() {
        let scenario = template.scenario(&told(&template), 1);
        let outages = possible(&scenario).service.outages(scenario.until).count();
        assert_eq!(outages > 0, template.full_outage, "{}", template.name);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    for name in ["outage-of-one", "lossy-gossip", "metastable-overload"] {
        let template = template(name);
        let contenders = [
            Contender::Ours(leaderboard()),
            Contender::Field(BASELINES[2]),
            Contender::Field(BASELINES[4]),
        ];
        let hash = |seed: u64| {
            let scenario = Scenario {
                seed,
                ..thinned(&template, 10)
            };
            let study = Study::of(&scenario, "", Vec::new(), &contenders);
            study
                .unwrap_or_else(|violation| panic!("{violation}"))
                .trace_hash()
        };
        assert_eq!(hash(1), hash(1), "{name}");
        assert_ne!(hash(1), hash(2), "{name}");
    }
}

/// A number that must be the same on every machine. It changes with every decision of the engine and every draw of the simulator: then it is
/// written anew here, after a look at why.
#[test]
fn a_baseline_s_trace_is_this_one_on_any_machine() {
    let scenario = thinned(&template("flaky-50"), 10);
    let study = play(&scenario, &Contender::Field(BASELINES[2]));
    assert_eq!(format!("{:016x}", study.trace_hash()), "b3c5a35bb0dd7476");
}

#[test]
fn a_study_is_shown_in_the_promised_shape() {
    let template = template("outage-of-one");
    let contenders = [
        Contender::Ours(leaderboard()),
        Contender::Field(BASELINES[0]),
    ];
    let study = Study::run(&template, &told(&template), 3, &contenders).unwrap();
    let json = show::json(&study);
    assert_eq!(json["seed"], 3);
    assert_eq!(json["trace_hash"].as_str().unwrap().len(), 16);
    let calls: u64 = study.entries.iter().map(|entry| entry.report.calls).sum();
    assert_eq!(json["calls"], calls);
    for name in ["leaderboard", "baseline_random"] {
        let strategy = &json["strategies"][name];
        for key in [
            "success",
            "p50_ms",
            "p95_ms",
            "p99_ms",
            "p999_ms",
            "extra_load",
            "amplification",
            "spend",
            "regret_p99",
        ] {
            assert!(strategy[key].is_number(), "{name}: {key} in {strategy}");
        }
        let shares = strategy["share"].as_object().unwrap();
        let sum: f64 = shares.values().map(|share| share.as_f64().unwrap()).sum();
        assert_eq!(shares.len(), 3);
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
    let detected = json["strategies"]["leaderboard"]["detect_ms"].as_f64();
    assert!(detected.is_some_and(|ms| ms < 5_000.0), "{detected:?}");
    let table = show::table(&study);
    for word in [
        "leaderboard",
        "baseline_random",
        "(possible)",
        "alpha: 100% refused",
    ] {
        assert!(table.contains(word), "{word} is missing in\n{table}");
    }
}

#[test]
fn a_picture_is_whole_and_says_what_went_wrong() {
    let template = template("region-brownout");
    let contenders = [
        Contender::Ours(leaderboard()),
        Contender::Field(BASELINES[2]),
    ];
    let study = Study::run(&template, &told(&template), 3, &contenders).unwrap();
    let svg = show::svg(&study, 2);
    for word in [
        "<svg ",
        "</svg>",
        "prefers-color-scheme:dark",
        "near-2, near-1: 20% reset",
        "breaker open",
        "seconds",
        "p99",
    ] {
        assert!(svg.contains(word), "{word} is missing");
    }
    for element in ["rect", "text", "title", "path"] {
        let opened = svg.matches(&format!("<{element} ")).count()
            + svg.matches(&format!("<{element}>")).count();
        let closed = svg.matches(&format!("</{element}>")).count();
        let begins = format!("<{element} ");
        let empty = svg.split(&begins).skip(1);
        let empty =
            empty.filter(|rest| rest.split('>').next().is_some_and(|tag| tag.ends_with('/')));
        assert_eq!(opened, closed + empty.count(), "{element}");
    }
    assert!(
        !svg.contains("NaN") && !svg.contains("inf"),
        "a place is no number"
    );
}

#[test]
fn behaviours_are_laid_over_other_upstreams_by_name_then_in_order() {
    let template = template("outage-of-one");
    let mut told = told(&template);
    for (one, name) in told.upstreams.iter_mut().zip(["mine", "alpha", "yours"]) {
        one.name = name.to_owned();
    }
    told.upstreams.push(told.upstreams[2].clone());
    told.upstreams[3].name = "fourth".to_owned();
    assert_eq!(template.roles(&told), [Some(0), Some(2), Some(1), None]);
    let scenario = template.scenario(&told, 1);
    let phases: Vec<_> = scenario
        .upstreams
        .iter()
        .map(|script| script.phases.len())
        .collect();
    assert_eq!(phases, [0, 1, 0, 0]);
    let bands = template.bands_for(&told);
    assert_eq!(bands[0].upstreams, [1]);
}

#[test]
fn where_not_all_find_a_place_those_to_whom_something_happens_do() {
    let template = template("outage-of-one");
    let mut told = told(&template);
    told.upstreams.truncate(2);
    for (one, name) in told.upstreams.iter_mut().zip(["mine", "yours"]) {
        one.name = name.to_owned();
    }
    let scenario = template.scenario(&told, 1);
    let struck = scenario.upstreams.iter();
    assert_eq!(struck.filter(|one| !one.phases.is_empty()).count(), 1);
    assert_eq!(template.bands_for(&told).len(), 1);
    assert!(template.left_out(&told).is_empty());

    // Of two that are out only one has a place: the other is named.
    let template = self::template("outage-of-two");
    let mut told = self::told(&template);
    told.upstreams.truncate(1);
    told.upstreams[0].name = "mine".to_owned();
    assert_eq!(template.left_out(&told).len(), 1);
}
