//! Where a scenario's tail comes from: the seconds of a run that have calls slower than what was possible, and what happened in them. `cargo run -p sim
//! --example tail -- SCENARIO [SEED] [STRATEGY]`; with a baseline's name after that, the same of a strategy of the field.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use engine::strategy::{REGISTRY, StrategySpec};
use sim::baseline::BASELINES;
use sim::decider::Product;
use sim::file::{Told, committed};
use sim::oracle::possible;
use sim::world::run_with;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = &arguments[0];
    let seed = arguments.get(1).map_or(1, |text| text.parse().unwrap());
    let strategy = arguments.get(2).map_or("leaderboard", String::as_str);
    let template = committed(name).unwrap().unwrap();
    let kind = REGISTRY.iter().find(|kind| kind.name == strategy);
    let spec = StrategySpec::of(kind.unwrap_or(&REGISTRY[0]));
    let scenario = template.scenario(&Told::plain(&template, spec), seed);
    let best = possible(&scenario);
    let report = if kind.is_some() {
        run_with(&scenario, &best.service, Product::new).unwrap()
    } else {
        let kind = BASELINES.iter().find(|kind| kind.name == strategy).unwrap();
        run_with(&scenario, &best.service, |scenario, _, seed| {
            kind.decider(scenario, seed)
        })
        .unwrap()
    };
    let bound = best.p99_ns / 1_000;
    let mut sorted = report.latencies_us.clone();
    sorted.sort_unstable();
    let p99 = sorted[sorted.len() * 99 / 100];
    let over = sorted.iter().filter(|us| **us > bound).count();
    println!(
        "bound {bound} us, p99 {p99} us, {over} of {} beyond the bound; avoidable {} bad {:?}; attempts {} hedges {} denied {}",
        sorted.len(),
        report.avoidable,
        report.bad,
        report.attempts,
        report.hedges,
        report.hedges_denied
    );
    let mut moments = report.moments.iter().peekable();
    for (at, second) in report.seconds.iter().enumerate() {
        let from = second.first_latency;
        let until = report
            .seconds
            .get(at + 1)
            .map_or(report.latencies_us.len(), |next| next.first_latency);
        let mut latencies = report.latencies_us[from..until].to_vec();
        latencies.sort_unstable();
        let late = latencies.iter().filter(|us| **us > bound).count();
        let half = latencies.get(latencies.len() / 2).copied().unwrap_or(0);
        let max = latencies.last().copied().unwrap_or(0);
        let mut happened = String::new();
        while let Some(moment) =
            moments.next_if(|moment| (moment.at.0 / 1_000_000_000) as usize <= at)
        {
            happened += &format!(
                " [{:.2} s{} u{} {:?}]",
                moment.at.0 as f64 / 1e9,
                moment.shard,
                moment.upstream.0,
                moment.what
            );
        }
        println!(
            "{at:3} calls {:4} bad {:3} late {late:4} p50 {half:7} max {max:8} {:?}{happened}",
            second.calls, second.bad, second.attempts
        );
    }
}
