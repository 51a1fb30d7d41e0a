//! One scenario, every contender: all meet the same calls and the same upstreams, and are held against what was possible.

use engine::strategy::StrategySpec;

use crate::baseline::Kind;
use crate::decider::Product;
use crate::file::{Band, Template, Told};
use crate::judge::{Figures, figures};
use crate::oracle::{Possible, possible};
use crate::provider::Script;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::world::{Violation, run_with};

/// Whoever may decide.
#[derive(Clone, Copy, Debug)]
pub enum Contender {
    /// A strategy of the product, in the production engine.
    Ours(StrategySpec),
    /// A strategy of the field.
    Field(&'static Kind),
}

impl Contender {
    /// Its name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ours(spec) => spec.name(),
            Self::Field(kind) => kind.name,
        }
    }
}

/// What came of one contender.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The upstreams' names, in the order of its shares.
    pub upstreams: Vec<String>,
    /// Its figures.
    pub figures: Figures,
    /// What they were made from.
    pub report: Report,
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Study {
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// Its seed.
    pub seed: u64,
    /// The upstreams.
    pub upstreams: Vec<Script>,
    /// When calls cease to begin.
    pub until: engine::time::Instant,
    /// What goes wrong when.
    pub bands: Vec<Band>,
    /// What was possible.
    pub possible: Possible,
    /// What came of each contender, in the order in which they were asked for.
    pub entries: Vec<Entry>,
}

impl Study {
    /// Runs a scenario with every contender.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn run(
        template: &Template,
        told: &Told,
        seed: u64,
        contenders: &[Contender],
    ) -> Result<Self, Violation> {
        let scenario = template.scenario(told, seed);
        Self::of(
            &scenario,
            &template.about,
            template.bands_for(told),
            contenders,
        )
    }

    /// The same of a scenario that was not written down.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn of(
        scenario: &Scenario,
        about: &str,
        bands: Vec<Band>,
        contenders: &[Contender],
    ) -> Result<Self, Violation> {
        let mut study = Self {
            scenario: scenario.name.clone(),
            about: about.to_owned(),
            seed: scenario.seed,
            upstreams: scenario.upstreams.clone(),
            until: scenario.until,
            bands,
            possible: possible(scenario),
            entries: Vec::new(),
        };
        for contender in contenders {
            study.add(scenario, contender)?;
        }
        Ok(study)
    }

    fn add(&mut self, scenario: &Scenario, contender: &Contender) -> Result<(), Violation> {
        let service = &self.possible.service;
        let report = match contender {
            Contender::Ours(spec) => {
                let scenario = Scenario {
                    strategy: *spec,
                    ..scenario.clone()
                };
                run_with(&scenario, service, Product::new)?
            }
            Contender::Field(kind) => run_with(scenario, service, |scenario, _, seed| {
                kind.decider(scenario, seed)
            })?,
        };
        self.entries.push(Entry {
            name: contender.name().to_owned(),
            upstreams: scenario
                .upstreams
                .iter()
                .map(|script| script.name.clone())
                .collect(),
            figures: figures(&report, &scenario.upstreams, &self.possible, &self.bands),
            report,
        });
        Ok(())
    }

    /// Takes the entries of a study of the same scenario under another configuration over, each as `name@other`.
    pub fn join(&mut self, study: Self, other: &str) {
        for mut entry in study.entries {
            entry.name = format!("{}@{other}", entry.name);
            self.entries.push(entry);
        }
    }

    /// Calls of all contenders together.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.entries.iter().map(|entry| entry.report.calls).sum()
    }

    /// A fingerprint of all that happened: the same for the same scenario, seed and contenders, on any machine.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        let mut trace = crate::report::Trace::new();
        for entry in &self.entries {
            trace.add(&[entry.report.trace_hash()]);
        }
        trace.hash()
    }

    /// The entry of this name.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}
