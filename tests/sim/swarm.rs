//! Scenarios drawn from a seed, each with its own handful of faults: rare combinations are not drowned by the usual ones. Two
//! phases: half a minute in which anything may happen, then calm, in which everything must come back.

use core::time::Duration;

use engine::config::{
    AccountConfig, BreakerConfig, GeoConfig, HedgeConfig, HoldOffConfig, RetryBudgetConfig,
};
use engine::fault::Fault;
use engine::index::{AccountIndex, ProviderIndex, RegionIndex};
use engine::learned::History;
use engine::method::lookup;
use engine::rng::Rng;
use engine::strategy::{REGISTRY, StrategySpec};
use engine::time::Instant;

use crate::provider::{
    BAD_GATEWAY, Behaviour, INTERNAL, NO_METHOD, PRUNED, REVERT, RIDDLE, Script, UNAUTHORIZED,
};
use crate::report::Report;
use crate::scenario::{Ages, Clients, Dish, Gossip, Mix, Scenario, second};
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
        ..Mix::default()
    };
    scenario.probe_every = rng
        .chance(1, 2)
        .then(|| Duration::from_secs(1 + rng.below(8)));
    scenario.late_events = rng.chance(1, 3);
    hedge(&mut scenario, &mut Rng::new(seed ^ 0x4ED6E));
    resilience(&mut scenario, &mut Rng::new(seed ^ 0x8E5111E));
    share(&mut scenario, &mut Rng::new(seed ^ 0x5AAED));
    regions(&mut scenario, &mut Rng::new(seed ^ 0x6E0));
    history(&mut scenario, &mut Rng::new(seed ^ 0x0A6E5));
    hold_offs(&mut scenario, &mut Rng::new(seed ^ 0x0401D));
    scenario
}

/// In one of four scenarios clients and upstreams are in three regions, more or less far away.
fn regions(scenario: &mut Scenario, rng: &mut Rng) {
    if !rng.chance(1, 4) {
        return;
    }
    const NAMES: [&str; 3] = ["eu", "us", "ap"];
    let far = [0, rng.below(80), rng.below(250)].map(Duration::from_millis);
    for script in &mut scenario.upstreams {
        let region = rng.below(3) as usize;
        NAMES[region].clone_into(&mut script.region);
        script.config.region = Some(RegionIndex(region as u16));
        script.distance = far[region];
    }
    let clients = (0_u16..).zip(NAMES).map(|(number, name)| Clients {
        region: name.to_owned(),
        permille: rng.below(400) as u32,
        index: rng.chance(9, 10).then_some(RegionIndex(number)),
    });
    scenario.clients = clients.collect();
    scenario.chain.geo = Some(GeoConfig {
        home: rng.chance(3, 4).then(|| RegionIndex(rng.below(3) as u16)),
        bound: Duration::from_millis(1 + rng.below(150)),
    });
}

/// In one of four scenarios blocks of all ages are asked for, which all but the first upstream may have dropped. Nothing else happens to that
/// one, so that there is always somebody to ask.
fn history(scenario: &mut Scenario, rng: &mut Rng) {
    let count = scenario.upstreams.len() as u8;
    let (first, others) = match scenario.upstreams.as_mut_slice() {
        [first, others @ ..] if !others.is_empty() => (first, others),
        _ => return,
    };
    if !rng.chance(1, 4) {
        return;
    }
    first.phases.clear();
    for script in others {
        let kept = rng.chance(2, 3).then(|| 40 + rng.below(160));
        script.kept.set(History::State, kept);
    }
    let (balance, edge) = (Dish::new("eth_getBalance", 200), 1 + rng.below(150));
    let ages = [(0, edge - 1), (edge, 900)].map(|(from, to)| Some(Ages { from, to }));
    let aged = ages.map(|ages| Dish {
        ages,
        ..balance.clone()
    });
    scenario.menu.dishes.extend(aged);
    // Without heads nothing can be known of ages, and until it is a call may have to ask them all.
    scenario.follow_heads = true;
    scenario.policy.attempts = scenario.policy.attempts.max(count);
}

/// Every other scenario has traces, and what can go wrong with those alone; accounts, limits, a shard that is full, and breakers of other
/// kinds.
fn resilience(scenario: &mut Scenario, rng: &mut Rng) {
    if rng.chance(1, 2) {
        return;
    }
    let (traces, others) = (sometimes(400, rng), &mut scenario.menu.dishes);
    others[0].weight = 750;
    others[1].weight = 250;
    if traces > 0 {
        let trace = Dish::new("debug_traceTransaction", u64::from(traces));
        others.push(trace);
    }
    scenario.accounts = vec![AccountConfig::default(); 2];
    if rng.chance(1, 4) {
        scenario.shedding.max_live_calls = 40 + rng.below(100) as u32;
    }
    for number in 0..scenario.upstreams.len() {
        let script = &mut scenario.upstreams[number];
        script.config.breaker.brownout = rng.chance(3, 4);
        script.config.breaker.by_group = rng.chance(3, 4);
        script.config.slow_start = rng.chance(1, 4);
        if rng.chance(1, 3) {
            script.config.account = Some(AccountIndex(rng.below(2) as u16));
        }
        if rng.chance(1, 4) {
            script.config.limiter.max_in_flight = 1 + rng.below(30) as u32;
        }
        let share = 50 + rng.below(950) as u32;
        let broken = Behaviour::Say(INTERNAL, share);
        let garbled = Behaviour::Fail(Fault::malformed("reply_wrong_id"), share);
        let kind = rng.below(4);
        let from = rng.below(HEALED_S - 1);
        let traces = [lookup(b"debug_traceTransaction")];
        let balances = [lookup(b"eth_getBalance")];
        let script_so_far = script.clone();
        *script = match kind {
            0 => script_so_far.but_with(&traces, from, HEALED_S, broken),
            1 => script_so_far.but_with(&balances, from, HEALED_S, broken),
            2 => script_so_far.but(from, HEALED_S, garbled),
            _ => continue,
        };
    }
}

/// Every other scenario has hold-offs of other lengths. They double while the faults last, so that the last one is at most as long as all before
/// and the first together: over before everything must have come back.
fn hold_offs(scenario: &mut Scenario, rng: &mut Rng) {
    if rng.chance(1, 2) {
        return;
    }
    for script in &mut scenario.upstreams {
        let first = Duration::from_millis(100 + rng.below(20_000));
        let more = Duration::from_secs(sometimes(1_800, rng).into());
        script.config.hold_off = HoldOffConfig {
            first,
            longest: first + more,
        };
    }
}

/// Every other scenario is shared by several shards, whose gossip may be lossy and late; and clients may come in batches and bursts.
fn share(scenario: &mut Scenario, rng: &mut Rng) {
    if rng.chance(1, 2) {
        return;
    }
    scenario.shards = 2 + rng.below(3) as u16;
    scenario.gossip = Gossip {
        lost: sometimes(900, rng),
        repeated: sometimes(300, rng),
        delay: Duration::from_micros(rng.below(2_000)),
        disorder: Duration::from_millis(sometimes(5_000, rng).into()),
    };
    scenario.mix.batched = sometimes(100, rng);
    scenario.mix.batch_calls = 2 + rng.below(20) as u32;
    if rng.chance(1, 3) {
        let at = Instant(rng.below(HEALED_S * 1_000_000_000));
        scenario.bursts = vec![(at, 10 + rng.below(200) as u32)];
    }
    if rng.chance(1, 3) {
        let at = second(1 + rng.below(HEALED_S - 1));
        scenario.chain.set_back = Some((at, 1 + rng.below(4)));
    }
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
    // Who is far away, or has dropped much, has no fair share.
    let is_even =
        scenario.chain.geo.is_none() && scenario.menu.dishes.iter().all(|dish| dish.ages.is_none());
    if scenario.strategy.name() == "round_robin" && is_even {
        check_shares(&scenario, &report)?;
    }
    Ok(report)
}

/// Round robin gives everyone a share again whom no fault keeps out for long.
fn check_shares(scenario: &Scenario, report: &Report) -> Result<(), String> {
    let fair = 1_000 / scenario.upstreams.len() as u64;
    for (number, script) in scenario.upstreams.iter().enumerate() {
        let long = |behaviour: &Behaviour| {
            matches!(behaviour, Behaviour::Fail(..))
                || matches!(behaviour, Behaviour::Say(saying, _) if *saying == UNAUTHORIZED || *saying == NO_METHOD)
        };
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
        Behaviour::Drift(100, 200 + rng.below(2_000) as u32),
        Behaviour::Pauses(
            Duration::from_millis(2_000 + rng.below(8_000)),
            Duration::from_millis(rng.below(4_000)),
        ),
        Behaviour::Later(Duration::from_millis(rng.below(400))),
        Behaviour::Behind(rng.below(40)),
        Behaviour::Ahead(rng.below(200)),
        Behaviour::WrongResults(share(rng)),
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
