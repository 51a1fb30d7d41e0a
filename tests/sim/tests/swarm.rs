//! Many seeds, the kept seeds, and the promise that a seed is a whole scenario.

use crate::swarm::{check, scenario};
use crate::world::run;

/// How many seeds a test run draws. `SIM_SEEDS` asks for more, `SIM_FIRST_SEED` for others, `SIM_SEEDS=1 SIM_FIRST_SEED=n` for one again.
const SEEDS: u64 = 400;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn any_mixture_of_faults_is_survived_and_recovered_from() {
    let first = from_environment("SIM_FIRST_SEED", 0);
    let seeds = from_environment("SIM_SEEDS", SEEDS);
    let (mut calls, mut hedges, mut failures) = (0, 0, Vec::new());
    for seed in first..first + seeds {
        match check(seed) {
            Ok(report) => {
                calls += report.calls;
                hedges += report.hedges;
            }
            Err(sentence) => failures.push(sentence),
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {seeds} seeds failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(calls > seeds * 1_000, "the swarm hardly called: {calls}");
    // A single seed may be one that does not hedge.
    assert!(
        seeds < 100 || hedges > seeds * 10,
        "the swarm hardly hedged: {hedges}"
    );
}

/// The file says what each seed once found.
#[test]
fn seeds_that_once_failed_pass() {
    let kept = include_str!("../regressions/seeds.txt");
    let lines = kept
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let seed = line
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok());
        let seed: u64 = seed.unwrap_or_else(|| panic!("no seed in {line:?}"));
        if let Err(sentence) = check(seed) {
            panic!("{line}: {sentence}");
        }
        count += 1;
    }
    assert!(count > 0, "no seed is kept");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    for seed in 0..10 {
        let (first, second) = (run(&scenario(seed)), run(&scenario(seed)));
        assert_eq!(first, second, "seed {seed}");
        let hash = |report: Result<crate::Report, _>| report.map(|report| report.trace_hash());
        assert_ne!(
            hash(first),
            hash(run(&scenario(seed + 1_000))),
            "seed {seed}"
        );
    }
}
