//! The whole suite over several seeds as Markdown: ours beside what was possible and beside the field, scenario by scenario. This is the
//! table by which defaults are tuned on one half and reported on the other.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use crate::file::{Half, Template};
use crate::judge::Figures;
use crate::study::Study;

/// The figures of a suite: each scenario under several seeds.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    scenarios: Vec<Scenario>,
}

#[derive(Clone, Debug)]
struct Scenario {
    name: String,
    half: Half,
    full_outage: bool,
    /// By contender, one entry a seed.
    figures: BTreeMap<String, Vec<Figures>>,
    spend_possible: f64,
    calls: u64,
}

impl Suite {
    /// Adds a study of a scenario; studies of one scenario stand together.
    pub fn add(&mut self, template: &Template, study: &Study) {
        let known = self
            .scenarios
            .iter()
            .position(|one| one.name == template.name);
        let place = known.unwrap_or_else(|| {
            self.scenarios.push(Scenario {
                name: template.name.clone(),
                half: template.half,
                full_outage: template.full_outage,
                figures: BTreeMap::new(),
                spend_possible: study.possible.spend_micros / 1e6,
                calls: 0,
            });
            self.scenarios.len() - 1
        });
        let Some(scenario) = self.scenarios.get_mut(place) else {
            return;
        };
        scenario.calls += study.calls();
        for entry in &study.entries {
            let figures = scenario.figures.entry(entry.name.clone()).or_default();
            figures.push(entry.figures.clone());
        }
    }

    /// Calls of all studies.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.scenarios.iter().map(|scenario| scenario.calls).sum()
    }
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn of(figures: &[Figures], what: impl Fn(&Figures) -> f64) -> f64 {
    median(figures.iter().map(what).collect())
}

/// Another is better where it is by more than this: the noise of a sample.
const NOISE: f64 = 1.05;

/// The suite's table for one strategy of ours, the held-back half first.
#[must_use]
pub fn markdown(suite: &Suite, ours: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "Strategy `{ours}`; medians over the seeds. p99 in ms; regret is p99 over what was possible; extra is hedges and amplif. other attempts for each call.\n"
    );
    for (half, title) in [(Half::HeldBack, "Held back"), (Half::Tuned, "Tuned")] {
        let _ = writeln!(out, "### {title}\n");
        out.push_str("| scenario | success | avoidable errors | wrong | p99 | regret | extra | amplif. | spend (least) | best p99 of the field | better than ours |\n");
        out.push_str("|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|\n");
        for scenario in suite.scenarios.iter().filter(|one| one.half == half) {
            let Some(own) = scenario.figures.get(ours) else {
                continue;
            };
            row(&mut out, scenario, own);
        }
        out.push('\n');
    }
    out
}

fn row(out: &mut String, scenario: &Scenario, own: &[Figures]) {
    let p99 = |figures: &[Figures]| of(figures, |one| one.latencies_ms[2]);
    let errors: u64 = own.iter().map(|one| one.avoidable_errors).sum();
    let field = scenario.figures.iter();
    let field: Vec<_> = field
        .filter(|(name, _)| name.starts_with("baseline_"))
        .collect();
    let fastest = field
        .iter()
        .min_by(|one, other| p99(one.1).total_cmp(&p99(other.1)));
    let fastest = fastest.map_or(String::new(), |(name, figures)| {
        format!("{:.0} {}", p99(figures), short(name))
    });
    let _ = writeln!(
        out,
        "| {}{} | {:.3}% | {errors} | {:.2}% | {:.0} | {:.2} | {:.1}% | {:.3} | {:.3} ({:.3}) | {fastest} | {} |",
        scenario.name,
        if scenario.full_outage {
            " (all out)"
        } else {
            ""
        },
        of(own, |one| one.success) * 100.0,
        of(own, |one| one.wrong) * 100.0,
        p99(own),
        of(own, |one| one.regret_p99),
        of(own, |one| one.extra_load) * 100.0,
        of(own, |one| one.amplification),
        of(own, |one| one.spend),
        scenario.spend_possible,
        better(own, &field),
    );
}

/// Who of the field is better at what, by more than noise.
fn better(own: &[Figures], field: &[(&String, &Vec<Figures>)]) -> String {
    let mut better = Vec::new();
    for (name, figures) in field {
        let mut at = Vec::new();
        let less = |what: fn(&Figures) -> f64| of(figures, what) * NOISE < of(own, what);
        if less(|one| one.latencies_ms[2]) {
            at.push("p99");
        }
        if less(|one| one.spend) {
            at.push("spend");
        }
        let failed = |figures: &[Figures]| of(figures, |one| 1.0 - one.success);
        if failed(own) > failed(figures) * NOISE + 1e-4 {
            at.push("errors");
        }
        if !at.is_empty() {
            better.push(format!("{} ({})", short(name), at.join(", ")));
        }
    }
    better.join("; ")
}

fn short(name: &str) -> &str {
    name.trim_start_matches("baseline_")
}
