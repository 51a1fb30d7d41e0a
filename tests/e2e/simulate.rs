//! `livechain simulate` as its users meet it: the shapes that were promised, the same answer for the same seed, a configuration and a log of our
//! own, and clear errors. No network.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_livechain"))
        .arg("simulate")
        .args(arguments)
        .output()
        .unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = simulate(&[arguments, &["--format", "json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// What is said of arguments that are refused.
fn refused(arguments: &[&str]) -> String {
    let output = simulate(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

const SMALL: &str = "version: 1
about: One of two is gone for a while.
lasts: 30s
upstreams:
  - { name: one, latency: { median: 20ms } }
  - { name: two, latency: { median: 30ms } }
traffic: { rate: 100 }
faults:
  - { upstreams: [one], from: 10s, until: 20s, refuse: 100% }
";

const CONFIG: &str = "version: 1
chains:
  ethereum:
    chain_id: 1
    strategy: priority
    upstreams:
      - { name: mine, http: \"https://mine.example.com/\", priority: 2 }
      - { name: one, http: \"https://one.example.com/\", priority: 1 }
";

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_suite_is_listed() {
    let list = json(&["--list-scenarios"]);
    let rows = list.as_array().unwrap();
    assert!(rows.len() >= 24);
    for row in rows {
        assert!(row["name"].is_string() && row["about"].is_string(), "{row}");
        assert!(row["full_outage"].is_boolean(), "{row}");
    }
    let of = |half: &str| rows.iter().filter(|row| row["half"] == half).count();
    assert!(of("held_back") >= 12);
    assert_eq!(of("held_back") + of("tuned"), rows.len());
}

#[test]
fn a_scenario_of_one_s_own_is_played_with_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "small.yaml", SMALL);
    let study = json(&["--scenario", &file, "--seed", "9"]);
    assert_eq!(study["seed"], 9);
    let strategies = study["strategies"].as_object().unwrap();
    for name in [
        "leaderboard",
        "priority",
        "round_robin",
        "baseline_erpc",
        "baseline_lasso",
    ] {
        let one = &strategies[name];
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
            assert!(one[key].is_number(), "{name}: {key}");
        }
        assert!(one["share"]["one"].is_number() && one["share"]["two"].is_number());
    }
    assert_eq!(strategies["leaderboard"]["success"], 1.0);
    let sum: u64 = strategies
        .values()
        .map(|one| one["calls"].as_u64().unwrap())
        .sum();
    assert_eq!(study["calls"], sum);
    let again = json(&["--scenario", &file, "--seed", "9"]);
    assert_eq!(study, again, "the same seed");
    let other = json(&["--scenario", &file, "--seed", "10"]);
    assert_ne!(study["trace_hash"], other["trace_hash"]);
}

/// The strategies of a study, in the alphabet's order.
fn names(study: &Value) -> Vec<&str> {
    let strategies = study["strategies"].as_object().unwrap();
    let mut names: Vec<_> = strategies.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_scenario_is_laid_over_a_configuration_by_name_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "small.yaml", SMALL);
    let config = write(folder.path(), "mine.yaml", CONFIG);
    let study = json(&[
        "--config",
        &config,
        "--scenario",
        &file,
        "--strategy",
        "priority",
    ]);
    let share = &study["strategies"]["priority"]["share"];
    // `one` is the first by priority, and gone for a third of the time.
    let one = share["one"].as_f64().unwrap();
    assert!((0.3..0.9).contains(&one), "{share}");
    assert!(share["mine"].as_f64().unwrap() > 0.1, "{share}");

    let both = json(&[
        "--config",
        &config,
        "--scenario",
        &file,
        "--compare",
        "baseline_random",
    ]);
    assert_eq!(names(&both), ["baseline_random", "priority"]);

    let other = CONFIG.replace("strategy: priority", "strategy: round_robin");
    let other = write(folder.path(), "other.yaml", &other);
    let both = json(&[
        "--config",
        &config,
        "--scenario",
        &file,
        "--compare",
        &other,
    ]);
    assert_eq!(names(&both), ["priority", "round_robin@other"]);
}

const THROTTLED: &str = "version: 1
about: One of two throttles for five seconds and names no time.
lasts: 40s
upstreams:
  - { name: one, latency: { median: 20ms } }
  - { name: mine, latency: { median: 30ms } }
traffic: { rate: 50 }
faults:
  - { upstreams: [one], from: 5s, until: 10s, limit: { per_second: 1 } }
";

#[test]
fn a_configured_hold_off_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "throttled.yaml", THROTTLED);
    let one = "https://one.example.com/\", priority: 1";
    // A rate that was found would keep it back after its return, too.
    let share_of_one = |name: &str, hold_off: &str| {
        let with = format!("{one}, limiter: {{ rate: false }}{hold_off}");
        let config = CONFIG.replace(one, &with);
        assert!(config.contains(&with), "{config}");
        let config = write(folder.path(), name, &config);
        let study = json(&[
            "--config",
            &config,
            "--scenario",
            &file,
            "--strategy",
            "priority",
        ]);
        study["strategies"]["priority"]["share"]["one"]
            .as_f64()
            .unwrap()
    };
    let usual = share_of_one("usual.yaml", "");
    let long = share_of_one("long.yaml", ", hold_off: { first: 30m }");
    // Before it throttles, `one` is preferred: five of forty seconds.
    assert!(long < 0.2 && usual > 2.0 * long, "{long} and {usual}");
}

const FAR: &str = "version: 1
about: Clients here and there, and an upstream for each of them.
lasts: 30s
regions: { home: eu, distance: { us: 150ms } }
upstreams:
  - { name: one, region: eu, latency: { median: 20ms } }
  - { name: two, region: us, latency: { median: 20ms } }
traffic: { rate: 100, regions: { eu: 50%, us: 50% } }
";

/// Regions are a scenario's own, or a configuration's: what it does not know of clients they do not say.
#[test]
fn clients_have_regions_and_a_configuration_says_whether_that_matters() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "far.yaml", FAR);
    let played = |config: Option<&str>| {
        let mut arguments = vec!["--scenario", &file, "--strategy", "round_robin"];
        arguments.extend(config.iter().flat_map(|config| ["--config", config]));
        let study = json(&arguments);
        let one = &study["strategies"]["round_robin"];
        for region in ["eu", "us"] {
            let figures = &one["regions"][region];
            for key in ["calls", "success", "at_home", "p50_ms", "p99_ms"] {
                assert!(figures[key].is_number(), "{region}: {key} in {one}");
            }
        }
        let at_home = |region: &str| one["regions"][region]["at_home"].as_f64().unwrap();
        (at_home("eu"), at_home("us"))
    };
    // us is beyond the bound: nobody is sent there, whoever asks.
    let (eu, us) = played(None);
    assert!(eu > 0.95 && us < 0.05, "{eu} {us}");
    let config = |further: &str| {
        let text = CONFIG
            .replace("name: mine,", "name: two, region: us,")
            .replace("name: one,", "name: one, region: eu,")
            .replace(
                "strategy: priority",
                &format!("strategy: round_robin{further}"),
            );
        write(folder.path(), "mine.yaml", &text)
    };
    let (eu, us) = played(Some(&config("")));
    assert!((0.4..0.6).contains(&eu) && (0.4..0.6).contains(&us));
    let geo = "\n    geo: { home: eu, bound: 1s }";
    let (eu, us) = played(Some(&config(geo)));
    assert!(
        eu > 0.95 && us < 0.05,
        "nothing says where a client is: {eu} {us}"
    );
    let path = config(geo);
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace(
        "chains:",
        "server: { client_region: { header: x-region } }\nchains:",
    );
    let path = write(folder.path(), "header.yaml", &text);
    let (eu, us) = played(Some(&path));
    assert!(eu > 0.95 && us > 0.3, "{eu} {us}");
}

#[test]
fn a_log_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = String::new();
    for number in 0..500 {
        let upstream = if number % 2 == 0 { "one" } else { "two" };
        let (second, ms) = (number / 50, number % 50 * 20);
        log.push_str(&format!(
            "{{\"time\":\"2026-11-22T10:00:{second:02}.{ms:03}000Z\",\"event\":\"livechain.rpc.request.stop\",\"chain\":\"ethereum\",\"method\":\"eth_call\",\"upstream\":\"{upstream}\",\"outcome\":\"ok\",\"duration_us\":{},\"attempts\":1}}\n",
            10_000 + number * 7 % 900
        ));
    }
    let file = write(folder.path(), "access.log", &log);
    let study = json(&["--trace", &file, "--strategy", "leaderboard"]);
    assert_eq!(study["calls"], 500);
    let p50 = study["strategies"]["leaderboard"]["p50_ms"]
        .as_f64()
        .unwrap();
    assert!((9.0..12.0).contains(&p50), "{p50}");
    let bad = write(folder.path(), "bad.log", "not json\n{}\n");
    assert!(refused(&["--trace", &bad]).contains("line 1 is no event"));
}

#[test]
fn a_time_line_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "small.yaml", SMALL);
    let svg = folder.path().join("out.svg");
    let output = simulate(&[
        "--scenario",
        &file,
        "--compare",
        "priority",
        "--svg",
        svg.to_str().unwrap(),
    ]);
    assert!(output.status.success());
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("one: 100% refused") && table.contains("(possible)"),
        "{table}"
    );
    let drawn = std::fs::read_to_string(svg).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.trim_end().ends_with("</svg>"));
    assert!(drawn.contains("one: 100% refused") && drawn.contains("priority: success"));
}

#[test]
fn what_cannot_be_played_says_why_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        folder.path(),
        "bad.yaml",
        &SMALL.replace("refuse: 100%", "refuses: 100%"),
    );
    let said = refused(&["--scenario", &file]);
    assert!(
        said.contains("bad.yaml:9:") && said.contains("refuses"),
        "{said}"
    );
    let said = refused(&["--scenario", "no-such-thing"]);
    assert!(
        said.contains("no-such-thing") && said.contains("outage-of-one"),
        "{said}"
    );
    let said = refused(&["--scenario", "calm", "--strategy", "fastest"]);
    assert!(
        said.contains("`fastest`") && said.contains("leaderboard"),
        "{said}"
    );
    let twice = [
        "--scenario",
        "calm",
        "--strategy",
        "leaderboard,leaderboard",
    ];
    assert!(refused(&twice).contains("leaderboard is named twice"));
    let with_itself = ["--scenario", "calm", "--compare", "leaderboard"];
    assert!(refused(&with_itself).contains("leaderboard is named twice"));
    let said = refused(&["--scenario", "calm", "--chain", "polygon"]);
    assert!(said.contains("--chain"), "{said}");
    assert_eq!(
        simulate(&["--suite", "--seeds", "0"]).status.code(),
        Some(2)
    );
    let said = refused(&["--compare", "nothing.yaml"]);
    assert!(said.contains("nothing.yaml"), "{said}");
    let config = write(folder.path(), "bad-config.yaml", "version: 1\nsever: {}\n");
    let said = refused(&["--config", &config]);
    assert!(said.contains("bad-config.yaml:2"), "{said}");
}

/// The manual's example is one that can be played.
#[test]
fn the_manual_s_example_is_played() {
    let page = include_str!("../../src/manual/simulator.md");
    let example = page
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "tuesday.yaml", example.unwrap());
    let study = json(&["--scenario", &file, "--compare", "baseline_priority"]);
    assert_eq!(study["strategies"].as_object().unwrap().len(), 2);
}
