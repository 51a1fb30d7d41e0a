//! How fast the simulator is on this machine: a busy hour of three upstreams, with every invariant checked. `cargo run --release -p sim
//! --example speed`; the first argument is the number of calls a second, the second the number of shards.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::time::Instant;

use engine::config::HedgeConfig;
use engine::strategy::{REGISTRY, StrategySpec};
use sim::baseline::BASELINES;
use sim::decider::Product;
use sim::oracle::{Service, possible};
use sim::provider::{Behaviour, INTERNAL, Script};
use sim::world::run_with;
use sim::{Report, Scenario};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap());
    let rate = arguments.next().unwrap_or(1_000);
    let shards = arguments.next().unwrap_or(2) as u16;
    let upstreams = vec![
        Script::new(0, 20).but(100, 200, Behaviour::Refuse),
        Script::new(1, 25).but(300, 500, Behaviour::Say(INTERNAL, 50)),
        Script::new(2, 40),
        Script::new(3, 80),
    ];
    let strategy = StrategySpec::of(REGISTRY[0]);
    let mut scenario = Scenario::new("speed", 1, strategy, upstreams)
        .at_rate(rate)
        .lasting(1_000)
        .on_shards(shards);
    scenario.policy.hedge = Some(HedgeConfig::default());
    scenario.probe_every = Some(core::time::Duration::from_secs(30));
    let began = Instant::now();
    let best = possible(&scenario);
    println!(
        "oracle: {:?}, p99 {} µs",
        began.elapsed(),
        best.p99_ns / 1_000
    );
    let show = |name: &str, began: Instant, report: &Report| {
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{name}: {} calls in {seconds:.2} s, {:.0} calls/s, p99 {} µs, {} bad",
            report.calls,
            report.calls as f64 / seconds,
            report.latency_us(990),
            report.bad_calls(),
        );
    };
    for kind in REGISTRY {
        scenario.strategy = StrategySpec::of(kind);
        let began = Instant::now();
        let report = run_with(&scenario, &Service::ALWAYS, Product::new).unwrap();
        show(kind.name, began, &report);
    }
    for kind in BASELINES {
        let began = Instant::now();
        let report = run_with(&scenario, &Service::ALWAYS, |scenario, _, seed| {
            kind.decider(scenario, seed)
        });
        show(kind.name, began, &report.unwrap());
    }
}
