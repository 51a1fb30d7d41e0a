//! A study as one JSON object. Its keys are a promise: they are only added to.

use serde_json::{Map, Value, json as object};

use crate::judge::RegionFigures;
use crate::study::{Entry, Study};

/// The study as one object.
#[must_use]
pub fn json(study: &Study) -> Value {
    let strategies: Map<String, Value> = study
        .entries
        .iter()
        .map(|entry| (entry.name.clone(), strategy(entry)))
        .collect();
    object!({
        "scenario": study.scenario,
        "seed": study.seed,
        "trace_hash": format!("{:016x}", study.trace_hash()),
        "calls": study.calls(),
        "oracle": {
            "p50_ms": ms(study.possible.p50_ns),
            "p99_ms": ms(study.possible.p99_ns),
            "success": study.possible.success,
            "spend": study.possible.spend_micros / 1e6,
        },
        "strategies": strategies,
    })
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn strategy(entry: &Entry) -> Value {
    let figures = &entry.figures;
    let errors = entry.report.bad.iter();
    let errors: Map<String, Value> = errors
        .map(|(class, count)| (class.label().to_owned(), object!(count)))
        .collect();
    let shares = entry.upstreams.iter().zip(&figures.shares);
    let shares: Map<String, Value> = shares
        .map(|(name, share)| (name.clone(), object!(share)))
        .collect();
    let [p50, p95, p99, p999] = figures.latencies_ms;
    let regions = figures.regions.iter();
    let regions: Map<String, Value> = regions
        .map(|known| (known.name.clone(), region(known)))
        .collect();
    object!({
        "calls": figures.calls,
        "success": figures.success,
        "errors": errors,
        "avoidable_errors": figures.avoidable_errors,
        "wrong": figures.wrong,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "p999_ms": p999,
        "extra_load": figures.extra_load,
        "amplification": figures.amplification,
        "spend": figures.spend,
        "share": shares,
        "regret_p99": figures.regret_p99,
        "detect_ms": figures.detect_ms,
        "recover_ms": figures.recover_ms,
        "regions": regions,
    })
}

fn region(figures: &RegionFigures) -> Value {
    let [p50, p95, p99, p999] = figures.latencies_ms;
    object!({
        "calls": figures.calls,
        "success": figures.success,
        "at_home": figures.at_home,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "p999_ms": p999,
    })
}
