//! The demo's table: who was chosen, how it went, and why the others were left out. Reads a snapshot; names metrics by
//! their row in the table of [`telemetry`].

use std::fmt::Write;

use telemetry::{AttemptOutcome, CallOutcome, Metric, Snapshot};

use crate::control::dimensions::BREAKER_STATES;

/// The table as text.
pub fn render(snapshot: &Snapshot) -> String {
    let dimensions = snapshot.dimensions();
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:<9} {:>7} {:>6} {:>7} {:>7} {:>8}  {:<10} left out because",
        "upstream", "chosen", "share", "ok", "faults", "p50", "breaker"
    );
    let all: u64 = snapshot.total(Metric::Selections).max(1);
    let upstreams = dimensions.chains.iter().flat_map(|chain| &chain.upstreams);
    for (at, upstream) in upstreams.enumerate() {
        let chosen = snapshot.sum_at(Metric::Selections, &[at]);
        let ok = outcomes(snapshot, at, AttemptOutcome::Ok)
            + outcomes(snapshot, at, AttemptOutcome::NodeError);
        let faults = outcomes(snapshot, at, AttemptOutcome::Fault);
        let p50 = snapshot
            .distribution_at(Metric::AttemptDuration, &[at])
            .map_or(0, |series| series.histogram().value_at_quantile(0.5));
        let _ = writeln!(
            out,
            "{:<9} {chosen:>7} {:>5}% {ok:>7} {faults:>7} {:>6.1}ms  {:<10} {}",
            upstream.name,
            chosen * 100 / all,
            p50 as f64 / 1000.0,
            breaker(snapshot, at),
            reasons(snapshot, at),
        );
    }
    let calls = snapshot.total(Metric::Calls);
    let ok = by_outcome(snapshot, CallOutcome::Ok) + by_outcome(snapshot, CallOutcome::NodeError);
    let _ = writeln!(
        out,
        "\nclients: {calls} calls, {ok} answered, {} failed; {} retries hid what the providers did",
        by_outcome(snapshot, CallOutcome::Failed) + by_outcome(snapshot, CallOutcome::Aborted),
        snapshot.total(Metric::Retries),
    );
    out
}

/// Attempts of one upstream with this outcome, over all methods.
fn outcomes(snapshot: &Snapshot, upstream: usize, outcome: AttemptOutcome) -> u64 {
    (0..=snapshot.dimensions().methods.len())
        .map(|method| snapshot.sum_at(Metric::Attempts, &[upstream, method, outcome.index()]))
        .sum()
}

/// Calls with this outcome, over all chains and methods.
fn by_outcome(snapshot: &Snapshot, outcome: CallOutcome) -> u64 {
    let dimensions = snapshot.dimensions();
    (0..dimensions.chains.len())
        .flat_map(|chain| (0..=dimensions.methods.len()).map(move |method| (chain, method)))
        .map(|(chain, method)| snapshot.sum_at(Metric::Calls, &[chain, method, outcome.index()]))
        .sum()
}

/// The worst state that a shard sees.
fn breaker(snapshot: &Snapshot, upstream: usize) -> &'static str {
    let worst = (0..BREAKER_STATES.len())
        .filter(|state| snapshot.sum_at(Metric::BreakerState, &[upstream, *state]) > 0)
        .max_by_key(
            |state| match BREAKER_STATES.get(*state).map(|s| s.label()) {
                Some("open") => 2,
                Some("half_open") => 1,
                _ => 0,
            },
        );
    worst
        .and_then(|state| BREAKER_STATES.get(state))
        .map_or("", |state| state.label())
}

/// How often it was left out, by reason, the commonest first.
fn reasons(snapshot: &Snapshot, upstream: usize) -> String {
    let labels = &snapshot.dimensions().exclusions;
    let mut counts: Vec<(u64, &str)> = labels
        .iter()
        .enumerate()
        .map(|(why, label)| {
            (
                snapshot.sum_at(Metric::CandidatesExcluded, &[upstream, why]),
                *label,
            )
        })
        .filter(|(count, _)| *count > 0)
        .collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let texts: Vec<String> = counts
        .iter()
        .take(3)
        .map(|(count, label)| format!("{label} {count}"))
        .collect();
    texts.join(", ")
}
