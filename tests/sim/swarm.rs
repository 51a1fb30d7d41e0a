//! Scenarios drawn from a seed, each with its own handful of faults: rare combinations are not drowned by the usual ones. Two
//! phases: half a minute in which anything may happen, then calm, in which everything must come back.

use core::time::Duration;

use engine::config::{BreakerConfig, HedgeConfig, RetryBudgetConfig};
use engine::index::ProviderIndex;
use engine::rng::Rng;
use engine::strategy::{REGISTRY, StrategySpec};

use crate::provider::{
    BAD_GATEWAY, Behaviour, INTERNAL, NO_METHOD, PRUNED, REVERT, RIDDLE, Script, UNAUTHORIZED,
};
use crate::report::Report;
use crate::scenario::{Mix, Scenario, second};
use crate::world::run;

/// When the faults end.
pub const HEALED_S: u64 = 30;
/// When everything must have come back: the longest open time and the longest hold-off of our own, with their jitter, are over.
pub const BACK_S: u64 = HEALED_S + 95;
/// How long what came back is watched.
pub const WATCHED_S: u64 = 20;

/// The scenario of this seed.
#[must_use]
pub fn scenario(seed: u64) -> Scenario {
    let mut rng = Rng::new(seed ^ 0x5EED);
    let kinds = fault_kinds(&mut rng);
    let count = 1 + rng.below(5) as u16;
    let upstreams = (0..count)
        .map(|number| script(number, &kinds, &mut rng))
        .collect();
    let strategy = StrategySpec::of(REGISTRY[rng.below(REGISTRY.len() as u64) as usize]);
    let mut scenario =
        Scenario::new("swarm", seed, strategy, upstreams).lasting(BACK_S + WATCHED_S);
    let busy = 5 + rng.below(120) as u32;
    scenario.load = vec![(second(0), busy), (second(HEALED_S), 12)];
    scenario.plain_from = second(HEALED_S);
    scenario.policy.attempts = 1 + rng.below(6) as u8;
    scenario.policy.timeout = Duration::from_secs(4 + rng.below(8));
    scenario.retry_budget = RetryBudgetConfig {
        permille_of_calls: rng.below(300) as u32,
        min_millis_per_second: rng.below(10_000) as u32,
    };
    scenario.mix = Mix {
        signed: sometimes(100, &mut rng),
        node_writes: sometimes(100, &mut rng),
        pinned: sometimes(100, &mut rng),
        excluded: sometimes(200, &mut rng),
        abandoned: sometimes(200, &mut rng),
        hurried: sometimes(200, &mut rng),
    };
    scenario.probe_every = rng
        .chance(1, 2)
        .then(|| Duration::from_secs(1 + rng.below(8)));
    scenario.late_events = rng.chance(1, 3);
    hedge(&mut scenario, &mut Rng::new(seed ^ 0x4ED6E));
    scenario
}

/// Every other scenario hedges, and has an upstream that stalls now and then.
fn hedge(scenario: &mut Scenario, rng: &mut Rng) {
    if rng.chance(1, 2) {
        return;
    }
    scenario.policy.hedge = Some(HedgeConfig {
        quantile_permille: 500 + rng.below(500) as u16,
        min_delay: Duration::from_millis(rng.below(40)),
        max_extra_permille: 1 + rng.below(1_000) as u32,
    });
    let stall = Behaviour::StallSome(
        1 + rng.below(500) as u32,
        Duration::from_millis(rng.below(3_000)),
    );
    let upstreams = scenario.upstreams.len() as u64;
    let stalls = rng.below(upstreams) as usize;
    let script = scenario.upstreams[stalls].clone();
    let from = rng.below(HEALED_S - 1);
    scenario.upstreams[stalls] = script.but(from, HEALED_S, stall);
}

/// Runs the scenario of this seed: never wrong while the faults last, well again after them.
///
/// # Errors
/// What does not hold, with the seed.
pub fn check(seed: u64) -> Result<Report, String> {
    let scenario = scenario(seed);
    let report = run(&scenario).map_err(|violation| violation.to_string())?;
    let (back, end) = (BACK_S as usize, (BACK_S + WATCHED_S) as usize);
    let (good, bad) = (
        report.good_between(back, end),
        report.bad_between(back, end),
    );
    if good == 0 || bad > 0 {
        return Err(format!(
            "seed {seed}: {good} good and {bad} bad calls long after the faults ended"
        ));
    }
    if scenario.strategy.name() == "round_robin" {
        check_shares(&scenario, &report)?;
    }
    Ok(report)
}

/// Round robin gives everyone a share again whom no fault keeps out for long.
fn check_shares(scenario: &Scenario, report: &Report) -> Result<(), String> {
    let fair = 1_000 / scenario.upstreams.len() as u64;
    for (number, script) in scenario.upstreams.iter().enumerate() {
        let long = |behaviour: &Behaviour| matches!(behaviour, Behaviour::Say(saying, _) if *saying == UNAUTHORIZED || *saying == NO_METHOD);
        if script.phases.iter().any(|phase| long(&phase.behaviour)) {
            continue;
        }
        let share = report.share_permille(number, BACK_S as usize, (BACK_S + WATCHED_S) as usize);
        if share < fair / 2 {
            return Err(format!(
                "seed {}: upstream {number} has {share} of a thousand attempts long after the faults, {fair} are fair",
                scenario.seed
            ));
        }
    }
    Ok(())
}

/// A few kinds of faults for this run.
fn fault_kinds(rng: &mut Rng) -> Vec<Behaviour> {
    let share = |rng: &mut Rng| 50 + rng.below(950) as u32;
    let all = [
        Behaviour::Refuse,
        Behaviour::Hang,
        Behaviour::HangSome(share(rng)),
        Behaviour::Reset,
        Behaviour::Slow(200 + rng.below(3_000) as u32),
        Behaviour::Say(INTERNAL, share(rng)),
        Behaviour::Say(BAD_GATEWAY, share(rng)),
        Behaviour::Say(PRUNED, share(rng)),
        Behaviour::Say(NO_METHOD, share(rng)),
        Behaviour::Say(REVERT, share(rng)),
        Behaviour::Say(RIDDLE, share(rng)),
        Behaviour::Say(UNAUTHORIZED, share(rng)),
        Behaviour::Limit(1 + rng.below(40) as u32, None),
        Behaviour::Limit(1 + rng.below(40) as u32, Some(1 + rng.below(12))),
        Behaviour::Stale(share(rng)),
        Behaviour::BreakMidStream(share(rng)),
        Behaviour::WrongChain,
        Behaviour::StuckHead,
    ];
    let wanted = 1 + rng.below(4);
    (0..wanted)
        .map(|_| all[rng.below(all.len() as u64) as usize])
        .collect()
}

fn script(number: u16, kinds: &[Behaviour], rng: &mut Rng) -> Script {
    let mut script = Script::new(number, 2 + rng.below(150));
    script.config.provider = ProviderIndex(rng.below(u64::from(number) + 1) as u16);
    script.config.priority = rng.below(3) as u32;
    script.config.timeout = Duration::from_secs(2 + rng.below(4));
    script.config.breaker = BreakerConfig {
        failures: 1 + rng.below(8) as u32,
        window: Duration::from_secs(1 + rng.below(40)),
        open_for: Duration::from_secs(1 + rng.below(12)),
        probes: 1 + rng.below(4) as u32,
        ..BreakerConfig::default()
    };
    for _ in 0..rng.below(4) {
        let from = rng.below(HEALED_S - 1);
        let until = from + 1 + rng.below(HEALED_S - from);
        let kind = kinds[rng.below(kinds.len() as u64) as usize];
        script = script.but(from, until.min(HEALED_S), kind);
    }
    script
}

fn sometimes(most: u64, rng: &mut Rng) -> u32 {
    if rng.chance(1, 2) {
        rng.below(most) as u32
    } else {
        0
    }
}
