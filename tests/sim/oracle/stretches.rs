//! The scenario's time cut into stretches in which no upstream changes, and how many calls are expected in each.

use core::time::Duration;

use engine::learned::History;
use engine::method::{self, MethodId};
use engine::time::{Instant, nanos};

use crate::distribution::WHOLE;
use crate::provider::{Behaviour, Outlook, Phase, Provider};
use crate::scenario::{Ages, Dish, Scenario};

/// What changes gradually is looked at so often.
const STEP: Duration = Duration::from_secs(2);
/// More stretches than this are not looked at: the later ones are as long as it takes.
const MAX_STRETCHES: usize = 2_000;

/// A stretch of time.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its first instant.
    pub from: Instant,
    /// The first after it.
    pub until: Instant,
    /// Expected calls, by the menu.
    pub calls: Vec<f64>,
    /// What each upstream would do with each of the menu's methods: by method, then by upstream.
    pub outlooks: Vec<Vec<Outlook>>,
}

/// All stretches of a scenario, in order.
pub fn stretches(scenario: &Scenario) -> Vec<Span> {
    let providers: Vec<_> = scenario
        .upstreams
        .iter()
        .map(|script| Provider::new(script.clone(), 0))
        .collect();
    let changes = changes(scenario);
    let ends = changes.iter().skip(1).copied().chain(Some(scenario.until));
    let spans = changes
        .iter()
        .zip(ends)
        .filter(|(from, until)| *from < until);
    spans
        .map(|(&from, until)| Span {
            from,
            until,
            calls: expected(scenario, from, until),
            outlooks: outlooks(scenario, &providers, middle(from, until)),
        })
        .collect()
}

fn middle(from: Instant, until: Instant) -> Instant {
    from + until.saturating_duration_since(from) / 2
}

fn outlooks(scenario: &Scenario, providers: &[Provider], at: Instant) -> Vec<Vec<Outlook>> {
    let dishes = scenario.menu.dishes.iter();
    let of = |provider: &Provider, dish: &Dish| {
        let mut outlook = provider.outlook(at, dish.method, dish.effort);
        if dish.latest && scenario.follows_heads() && is_behind(scenario, provider, at) {
            outlook.answers.clear();
        }
        if let Some(ages) = dish.ages {
            outlook.lack(lacking(scenario, provider, dish.method, ages, at));
        }
        outlook
    };
    dishes
        .map(|dish| providers.iter().map(|one| of(one, dish)).collect())
        .collect()
}

/// Of blocks of these ages an upstream has so many millionths not: not yet, or no more.
fn lacking(
    scenario: &Scenario,
    provider: &Provider,
    method: MethodId,
    ages: Ages,
    at: Instant,
) -> u64 {
    let behind = blocks_behind(scenario, provider, at);
    let kind = History::of(method::policy(method));
    let last = provider.script().kept.of(kind);
    let last = last.map_or(u64::MAX, |kept| kept.saturating_add(behind));
    let (from, to) = (ages.from.max(behind), ages.to.min(last));
    let has = if from > to { 0 } else { to - from + 1 };
    let has = u128::from(has.min(ages.count())) * u128::from(WHOLE) / u128::from(ages.count());
    WHOLE - has as u64
}

/// What it says of the newest block would be of the past, or of no block that there is.
fn is_behind(scenario: &Scenario, provider: &Provider, at: Instant) -> bool {
    let stale = scenario.chain.stale_after;
    let is_ahead =
        |phase: &Phase| matches!(phase.behaviour, Behaviour::Ahead(blocks) if blocks >= stale);
    blocks_behind(scenario, provider, at) >= stale
        || provider.phases(at, MethodId::OTHER).any(is_ahead)
}

/// How far behind the chain an upstream is, delays of a moment aside.
fn blocks_behind(scenario: &Scenario, provider: &Provider, at: Instant) -> u64 {
    let block_ns = nanos(scenario.chain.block_time).max(1);
    let phases = provider.phases(at, MethodId::OTHER);
    let behind = phases.map(|phase| match phase.behaviour {
        Behaviour::StuckHead => nanos(at.saturating_duration_since(phase.from)) / block_ns,
        Behaviour::Behind(blocks) => blocks,
        _ => 0,
    });
    behind.max().unwrap_or(0)
}

/// When anything changes, in order, from the start on.
fn changes(scenario: &Scenario) -> Vec<Instant> {
    let mut changes = vec![Instant::ZERO];
    changes.extend(scenario.load.iter().map(|step| step.0));
    for script in &scenario.upstreams {
        changes.extend(script.measured.iter().map(|window| window.0));
        for phase in &script.phases {
            changes.extend([phase.from, phase.until]);
            let until = phase.until.min(scenario.until);
            match phase.behaviour {
                Behaviour::Drift(..) | Behaviour::StuckHead => {
                    changes.extend(every(phase.from, until, STEP));
                }
                Behaviour::Pauses(each, lasts) => {
                    changes.extend(every(phase.from, until, each));
                    changes.extend(every(phase.from + lasts, until, each));
                }
                _ => {}
            }
        }
    }
    changes.retain(|at| *at < scenario.until);
    changes.sort_unstable();
    changes.dedup();
    changes.truncate(MAX_STRETCHES);
    changes
}

fn every(from: Instant, until: Instant, step: Duration) -> impl Iterator<Item = Instant> {
    let step = step.max(Duration::from_millis(10));
    let all = std::iter::successors(Some(from), move |at| Some(*at + step));
    all.take_while(move |at| *at < until).take(MAX_STRETCHES)
}

/// How many calls are expected between two times, by the menu.
fn expected(scenario: &Scenario, from: Instant, until: Instant) -> Vec<f64> {
    let dishes = &scenario.menu.dishes;
    if let Some(recorded) = &scenario.recorded {
        let mut counts = vec![0.0; dishes.len()];
        let first = recorded.partition_point(|call| call.at < from);
        let past = recorded.partition_point(|call| call.at < until);
        for call in recorded.get(first..past).unwrap_or(&[]) {
            if let Some(count) = counts.get_mut(usize::from(call.dish)) {
                *count += 1.0;
            }
        }
        return counts;
    }
    let seconds = nanos(until.saturating_duration_since(from)) as f64 / 1e9;
    let mix = scenario.mix;
    let batch = f64::from(mix.batched) / 1_000.0 * (f64::from(mix.batch_calls) - 1.0).max(0.0);
    let load = f64::from(scenario.rate(from)) * (1.0 + batch) * seconds;
    let bursts = scenario.bursts.iter();
    let burst: u32 = bursts
        .filter(|(at, _)| (from..until).contains(at))
        .map(|(_, calls)| *calls)
        .sum();
    let weights: u64 = dishes.iter().map(|dish| dish.weight).sum();
    let all = load + f64::from(burst);
    dishes
        .iter()
        .map(|dish| all * dish.weight as f64 / weights.max(1) as f64)
        .collect()
}
