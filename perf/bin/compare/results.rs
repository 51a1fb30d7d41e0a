//! From cells to a table: medians with their range, ratios of pairs of the same round, and both written down with
//! commands and versions.

use crate::RunArgs;
use crate::machine;
use crate::measure::Cell;
use crate::proxy::Recipe;
use serde::Serialize;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// All of a comparison.
#[derive(Debug, Serialize)]
pub struct Results {
    date: String,
    machine: String,
    model: String,
    kernel: String,
    harness_version: &'static str,
    rounds: usize,
    seconds: f64,
    proxies: Vec<Subject>,
    /// What ratios refer to.
    reference: String,
    lanes: Vec<LaneResult>,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Subject {
    name: String,
    version: Option<String>,
    command: String,
}

#[derive(Debug, Serialize)]
struct LaneResult {
    connections: usize,
    proxy: String,
    rounds_used: usize,
    rounds_rejected: usize,
    cpu_us_per_request: Option<Spread>,
    /// This proxy's cost in a round divided by the reference's in the same round.
    ratio: Option<Spread>,
    rate_per_s: Option<Spread>,
    p50_us: Option<Spread>,
    p99_us: Option<Spread>,
    proxy_share: Option<Spread>,
    harness_share: Option<Spread>,
}

/// A median and its range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

/// Share of waiting for the processor from which a machine is taken to be disturbed.
const DISTURBED: f64 = 0.05;

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let lower = if values.len() % 2 == 1 {
            upper
        } else {
            *values.get(middle - 1)?
        };
        Some(Self {
            median: f64::midpoint(lower, upper),
            min,
            max,
        })
    }

    fn show(spread: Option<Self>, digits: usize) -> String {
        spread.map_or("–".to_owned(), |s| {
            format!(
                "{:.digits$} [{:.digits$}–{:.digits$}]",
                s.median, s.min, s.max
            )
        })
    }
}

impl Results {
    /// Sums up the cells of a comparison.
    pub fn new(
        args: &RunArgs,
        recipes: &[Recipe],
        cells: Vec<Cell>,
    ) -> Result<Self, Box<dyn Error>> {
        let reference = recipes
            .first()
            .map(|recipe| recipe.name.clone())
            .ok_or("no proxy was measured")?;
        let lanes = args.connections.iter().flat_map(|&connections| {
            let (cells, reference) = (&cells, &reference);
            recipes
                .iter()
                .map(move |recipe| lane(cells, connections, &recipe.name, reference))
        });
        let proxies = recipes.iter().map(|recipe| Subject {
            name: recipe.name.clone(),
            version: recipe.version.clone(),
            command: shown(&recipe.command),
        });
        Ok(Self {
            date: machine::today(),
            machine: machine::kind(),
            model: machine::model(),
            kernel: machine::kernel(),
            harness_version: env!("CARGO_PKG_VERSION"),
            rounds: args.rounds,
            seconds: args.seconds,
            proxies: proxies.collect(),
            lanes: lanes.collect(),
            reference,
            cells,
        })
    }

    /// Writes `results.md` and `results.json` into `<out>/<date>-<machine>`.
    pub fn write(&self, out: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let folder = out.join(format!("{}-{}", self.date, self.machine));
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join("results.json"),
            serde_json::to_string_pretty(self)? + "\n",
        )?;
        fs::write(folder.join("results.md"), self.markdown())?;
        Ok(folder)
    }

    /// The figures alone.
    pub fn table(&self) -> String {
        let reference = &self.reference;
        let mut text = format!(
            "| connections | proxy | CPU µs/request | ÷ {reference} | requests/s | p50 µs | p99 µs | proxy core | \
             harness core | rounds |\n|---:|---|---|---|---|---|---|---|---|---|\n"
        );
        let percent = |spread: Option<Spread>| {
            spread.map_or("–".to_owned(), |s| format!("{:.0} %", s.median * 100.0))
        };
        for lane in &self.lanes {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} of {} |",
                lane.connections,
                lane.proxy,
                Spread::show(lane.cpu_us_per_request, 1),
                Spread::show(lane.ratio, 2),
                Spread::show(lane.rate_per_s, 0),
                Spread::show(lane.p50_us, 0),
                Spread::show(lane.p99_us, 0),
                percent(lane.proxy_share),
                percent(lane.harness_share),
                lane.rounds_used,
                lane.rounds_used + lane.rounds_rejected,
            );
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "# Comparison, {}, {}\n\n{}, Linux {}. Forward: distinct `eth_getBalance` over keep-alive connections, \
             closed loop, one synthetic provider. {} rounds of {} s a cell, proxies in rotation within each round; each \
             proxy alone on one processor, load generator and provider together on another. Median [minimum–maximum] of \
             the rounds; ratios are of the pairs of one round. CPU is user and system time of the proxy and its \
             children by the kernel's accounts, for each successful request. Every answer's id and content were \
             checked, and the provider saw exactly the requests that were sent; rounds in which that was not so, or in \
             which load generator and provider were the bottleneck, are rejected.\n\n",
            self.date, self.machine, self.model, self.kernel, self.rounds, self.seconds
        );
        text += &self.table();
        text += "\n| proxy | version | command |\n|---|---|---|\n";
        for proxy in &self.proxies {
            let version = proxy.version.as_deref().unwrap_or("this tree");
            let _ = writeln!(text, "| {} | {version} | `{}` |", proxy.name, proxy.command);
        }
        text += "\nConfigurations: `perf/peers/`. Every cell is in `results.json`.\n";
        if let Some(waiting) = Spread::of(
            self.cells
                .iter()
                .map(|cell| cell.proxy_waiting_share)
                .collect(),
        ) && waiting.median > DISTURBED
        {
            let _ = writeln!(
                text,
                "\nThe machine was not quiet: the proxies waited for their processor for {:.0} % of the time (median). \
                 Compare ratios, not figures.",
                waiting.median * 100.0
            );
        }
        let rejected: Vec<&Cell> = self
            .cells
            .iter()
            .filter(|cell| cell.rejected.is_some())
            .collect();
        if !rejected.is_empty() {
            text += "\nRejected:\n\n";
            for cell in rejected {
                let why = cell.rejected.as_deref().unwrap_or_default();
                let _ = writeln!(
                    text,
                    "- {} connections, {}, round {}: {why}",
                    cell.connections,
                    cell.proxy,
                    cell.round + 1
                );
            }
        }
        text
    }
}

/// A command without the path of its program, which says nothing about the measurement.
fn shown(command: &[String]) -> String {
    let (program, arguments) = command
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first, rest));
    let program = Path::new(program)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    [program.as_ref()]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(" ")
}

fn lane(cells: &[Cell], connections: usize, proxy: &str, reference: &str) -> LaneResult {
    let of = |name: &str| {
        let name = name.to_owned();
        cells
            .iter()
            .filter(move |cell| cell.connections == connections && cell.proxy == name)
    };
    let used: Vec<&Cell> = of(proxy).filter(|cell| cell.rejected.is_none()).collect();
    let spread = |pick: fn(&Cell) -> f64| Spread::of(used.iter().map(|cell| pick(cell)).collect());
    let ratios = used.iter().filter_map(|cell| {
        let pair =
            of(reference).find(|other| other.round == cell.round && other.rejected.is_none())?;
        Some(cell.cpu_us_per_request / pair.cpu_us_per_request)
    });
    LaneResult {
        connections,
        proxy: proxy.to_owned(),
        rounds_used: used.len(),
        rounds_rejected: of(proxy).count() - used.len(),
        cpu_us_per_request: spread(|cell| cell.cpu_us_per_request),
        ratio: Spread::of(ratios.collect()),
        rate_per_s: spread(|cell| cell.rate_per_s),
        p50_us: spread(|cell| cell.p50_us as f64),
        p99_us: spread(|cell| cell.p99_us as f64),
        proxy_share: spread(|cell| cell.proxy_share),
        harness_share: spread(|cell| cell.harness_share),
    }
}

#[cfg(test)]
mod tests {
    use super::{Spread, shown};

    #[test]
    fn commands_are_shown_without_their_folder() {
        let command = ["a/b/proxy", "serve", "{config}"].map(str::to_owned);
        assert_eq!(shown(&command), "proxy serve {config}");
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn medians_have_their_range() {
        assert_eq!(Spread::of(vec![]), None);
        let spread = |values: &[f64]| Spread::of(values.to_vec()).map(|s| (s.median, s.min, s.max));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some((2.5, 1.0, 4.0)));
    }
}
