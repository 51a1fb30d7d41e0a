//! `livechain simulate`: what would have happened. Turns arguments into a scenario and whoever is to decide about it, and what came of it
//! into a table, JSON or a picture; the simulator is the crate `sim`. No network, no clock: the same arguments give the same answer.
//!
//! Exit codes: 0 the simulation was made; 1 it could not be made, or an invariant did not hold, which was explained on standard error.

mod told;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args as Arguments, ValueEnum};
use engine::strategy::{REGISTRY, StrategySpec};
use sim::baseline::{self, BASELINES};
use sim::file::{self, COMMITTED, Half, Template, Told};
use sim::show::{self, Suite};
use sim::study::{Contender, Study};

/// The scenario that is played when none is named.
const USUAL: &str = "outage-of-one";

/// Asks what a configuration would have done: the production engine under virtual time, with scripted providers.
///
/// Without --config a scenario brings its own upstreams and the defaults of a configuration; with it, the scenario's behaviours are laid over the
/// configuration's upstreams, by name or in order. The same seed gives the same calls, latencies and faults whoever decides.
#[derive(Debug, Arguments)]
pub struct Args {
    /// The configuration file (YAML) whose decisions are asked for
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The chain, where a configuration or a log has several
    #[arg(long, value_name = "NAME")]
    chain: Option<String>,
    /// A scenario of the suite (see --list-scenarios), or a file of your own
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "trace")]
    scenario: Option<String>,
    /// An access log (JSON lines) to replay: its arrivals, its upstreams' latencies and failures
    #[arg(long, value_name = "ACCESS_LOG")]
    trace: Option<PathBuf>,
    /// The seed: every draw comes from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Compare with another strategy, or with another configuration file
    #[arg(long, value_name = "OTHER", conflicts_with = "suite")]
    compare: Option<String>,
    /// Only these strategies; may be repeated or separated by commas. All of ours and of the field's unless given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    strategy: Vec<String>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Draw the first strategy's time line (and the other's, with --compare) to a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["suite", "list_scenarios"])]
    svg: Option<PathBuf>,
    /// List the suite
    #[arg(long, conflicts_with_all = ["scenario", "trace", "suite", "config"])]
    list_scenarios: bool,
    /// Play the whole suite and print one table, in Markdown, for each strategy of ours
    #[arg(long, conflicts_with_all = ["scenario", "trace", "config"])]
    suite: bool,
    /// With --suite: so many seeds, from --seed on
    #[arg(long, default_value_t = 3, requires = "suite", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs: one JSON object
    Json,
}

/// Makes the simulation and says how it went.
pub fn run(args: &Args) -> ExitCode {
    match answer(args) {
        Ok(text) => super::check::print(&text),
        Err(sentence) => {
            eprintln!("livechain simulate: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn answer(args: &Args) -> Result<String, String> {
    if args.list_scenarios {
        return list(args.format);
    }
    if args.suite {
        return suite(args);
    }
    if args.chain.is_some() && args.config.is_none() && args.trace.is_none() {
        return Err("--chain chooses among those of --config or of --trace".to_owned());
    }
    let template = template(args)?;
    let own = Deciding::of(args.config.as_deref(), args.chain.as_deref(), &template)?;
    let left_out = template.left_out(&own.told);
    if !left_out.is_empty() {
        eprintln!(
            "livechain simulate: the scenario's {} had no upstream of the configuration to happen to",
            left_out.join(", ")
        );
    }
    let other = args
        .compare
        .as_deref()
        .map(|other| compared(other, args, &template));
    let other = other.transpose()?;
    let contenders = match &other {
        Some(Other::Contender(contender)) => {
            let mut both = chosen(&args.strategy, &own)?;
            both.truncate(1);
            both.push(*contender);
            twice(&both)?;
            both
        }
        Some(Other::Configuration(..)) if args.strategy.is_empty() => vec![own.contender()],
        _ => chosen(&args.strategy, &own)?,
    };
    let mut study = study(&template, &own.told, args.seed, &contenders)?;
    if let Some(Other::Configuration(name, deciding)) = other {
        let own = [deciding.contender()];
        let contenders = if args.strategy.is_empty() {
            &own[..]
        } else {
            &contenders
        };
        study.join(
            self::study(&template, &deciding.told, args.seed, contenders)?,
            &name,
        );
    }
    if let Some(path) = &args.svg {
        std::fs::write(
            path,
            show::svg(&study, 1 + usize::from(args.compare.is_some())),
        )
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    Ok(match args.format {
        Format::Table => show::table(&study),
        Format::Json => format!("{:#}\n", show::json(&study)),
    })
}

fn study(
    template: &Template,
    told: &Told,
    seed: u64,
    contenders: &[Contender],
) -> Result<Study, String> {
    Study::run(template, told, seed, contenders)
        .map_err(|violation| format!("an invariant does not hold: {violation}"))
}

/// What is told to the engine, and which strategy is the configured one.
struct Deciding {
    told: Told,
    strategy: StrategySpec,
}

impl Deciding {
    fn of(config: Option<&Path>, chain: Option<&str>, template: &Template) -> Result<Self, String> {
        let told = match config {
            Some(path) => {
                let config = super::check::load(path)
                    .map_err(|problems| super::check::report(&problems).trim_end().to_owned())?;
                told::of_config(&config, chain, template)?
            }
            None => told::of_defaults(template)?,
        };
        Ok(Self {
            strategy: told.strategy,
            told,
        })
    }

    const fn contender(&self) -> Contender {
        Contender::Ours(self.strategy)
    }

    /// Every strategy: the configured one first, as it is configured, the others with their defaults, then the field's.
    fn all(&self) -> Vec<Contender> {
        let others = REGISTRY
            .into_iter()
            .filter(|kind| kind.name != self.strategy.name());
        let ours = others.map(|kind| Contender::Ours(StrategySpec::of(kind)));
        let field = BASELINES.into_iter().map(Contender::Field);
        std::iter::once(self.contender())
            .chain(ours)
            .chain(field)
            .collect()
    }

    fn find(&self, name: &str) -> Option<Contender> {
        self.all()
            .into_iter()
            .find(|contender| contender.name() == name)
            .or_else(|| baseline::find(&format!("baseline_{name}")).map(Contender::Field))
    }
}

/// The strategies that were asked for, or all.
fn chosen(names: &[String], own: &Deciding) -> Result<Vec<Contender>, String> {
    if names.is_empty() {
        return Ok(own.all());
    }
    let find = |name: &String| {
        own.find(name).ok_or_else(|| {
            let all = own.all();
            let known: Vec<_> = all.iter().map(Contender::name).collect();
            format!(
                "there is no strategy `{name}`; there are {}",
                known.join(", ")
            )
        })
    };
    let found: Vec<Contender> = names.iter().map(find).collect::<Result<_, _>>()?;
    twice(&found)?;
    Ok(found)
}

/// Each is played once: what is shown goes by name.
fn twice(contenders: &[Contender]) -> Result<(), String> {
    for (place, one) in contenders.iter().enumerate() {
        if contenders
            .iter()
            .take(place)
            .any(|other| other.name() == one.name())
        {
            return Err(format!("{} is named twice", one.name()));
        }
    }
    Ok(())
}

/// What to compare with.
enum Other {
    Contender(Contender),
    /// The file's name without folder and ending, and what it tells.
    Configuration(String, Box<Deciding>),
}

fn compared(other: &str, args: &Args, template: &Template) -> Result<Other, String> {
    let own = Deciding::of(args.config.as_deref(), args.chain.as_deref(), template)?;
    if let Some(contender) = own.find(other) {
        return Ok(Other::Contender(contender));
    }
    let path = Path::new(other);
    if !path.exists() {
        let all = own.all();
        let known: Vec<_> = all.iter().map(Contender::name).collect();
        return Err(format!(
            "--compare {other}: no configuration file, and none of the strategies {}",
            known.join(", ")
        ));
    }
    let deciding = Deciding::of(Some(path), args.chain.as_deref(), template)?;
    Ok(Other::Configuration(stem(path), Box::new(deciding)))
}

fn stem(path: &Path) -> String {
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_default()
}

/// The scenario that was asked for.
fn template(args: &Args) -> Result<Template, String> {
    if let Some(path) = &args.trace {
        let said = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let file = File::open(path).map_err(|error| said(&error))?;
        return sim::recording::read(&stem(path), BufReader::new(file), args.chain.as_deref())
            .map_err(|fault| said(&fault));
    }
    let wanted = args.scenario.as_deref().unwrap_or(USUAL);
    if let Some(committed) = file::committed(wanted) {
        return committed.map_err(|faults| lines(wanted, &faults));
    }
    let path = Path::new(wanted);
    if !path.exists() {
        let names: Vec<_> = COMMITTED.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "there is no scenario `{wanted}` in the suite, and no such file; the suite has {}",
            names.join(", ")
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{wanted}: {error}"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let read = |name: &str| std::fs::read(folder.join(name)).map_err(|error| error.to_string());
    file::parse(&stem(path), &text, &read).map_err(|faults| lines(wanted, &faults))
}

fn lines(name: &str, faults: &[file::FileFault]) -> String {
    let lines: Vec<_> = faults.iter().map(|fault| fault.line(name)).collect();
    format!("the scenario cannot be played\n{}", lines.join("\n"))
}

/// The suite, one scenario a line.
fn list(format: Format) -> Result<String, String> {
    let mut templates = Vec::new();
    for (name, _) in COMMITTED {
        let template = file::committed(name).transpose();
        templates.extend(template.map_err(|faults| lines(name, &faults))?);
    }
    let half = |template: &Template| match template.half {
        Half::Tuned => "tuned",
        Half::HeldBack => "held_back",
    };
    if format == Format::Json {
        let rows = templates.iter().map(|template| {
            serde_json::json!({
                "name": template.name,
                "half": half(template),
                "full_outage": template.full_outage,
                "about": template.about,
            })
        });
        return Ok(format!("{:#}\n", serde_json::Value::from_iter(rows)));
    }
    let width = templates
        .iter()
        .map(|template| template.name.len())
        .max()
        .unwrap_or(0);
    let row = |template: &Template| {
        let out = if template.full_outage {
            "all out at times"
        } else {
            ""
        };
        format!(
            "{:<width$}  {:<9}  {out:<16}  {}\n",
            template.name,
            half(template),
            template.about
        )
    };
    Ok(templates.iter().map(row).collect())
}

/// The whole suite over several seeds: Markdown, or an array of studies.
fn suite(args: &Args) -> Result<String, String> {
    let (mut suite, mut studies) = (Suite::default(), Vec::new());
    let mut ours: Vec<String> = Vec::new();
    for (name, _) in COMMITTED {
        let Some(template) = file::committed(name) else {
            continue;
        };
        let template = template.map_err(|faults| lines(name, &faults))?;
        let own = Deciding::of(None, None, &template)?;
        let mut contenders = chosen(&args.strategy, &own)?;
        for contender in &contenders {
            if let Contender::Ours(spec) = contender
                && !ours.iter().any(|known| known == spec.name())
            {
                ours.push(spec.name().to_owned());
            }
        }
        if !args.strategy.is_empty() {
            // The field is what ours are held against.
            let named =
                |kind: &&baseline::Kind| contenders.iter().any(|one| one.name() == kind.name);
            let others: Vec<_> = BASELINES.into_iter().filter(|kind| !named(kind)).collect();
            contenders.extend(others.into_iter().map(Contender::Field));
        }
        for seed in (0..args.seeds).map(|n| args.seed.wrapping_add(n)) {
            let study = study(&template, &own.told, seed, &contenders)?;
            suite.add(&template, &study);
            if args.format == Format::Json {
                studies.push(show::json(&study));
            }
        }
    }
    if args.format == Format::Json {
        return Ok(format!("{:#}\n", serde_json::Value::Array(studies)));
    }
    let tables: String = ours
        .iter()
        .map(|name| show::markdown(&suite, name))
        .collect();
    Ok(format!("{tables}{} calls.\n", suite.calls()))
}
