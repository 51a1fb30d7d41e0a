//! Compares proxies on the same work: synthetic providers and the load generator on one core, each proxy in turn on
//! another, lanes in rotation, processor time per request from the kernel's accounts. Starts and ends what it needs;
//! never takes a figure from a lane whose bottleneck was the harness itself.

mod judge;
mod lane;
mod lanes;
mod machine;
mod markdown;
mod measure;
mod peer;
mod plot;
mod profile;
mod proxy;
mod results;
mod run;
#[cfg(test)]
mod sample;
mod stage;
mod summary;

use clap::{Parser, Subcommand};
use lanes::Rates;
use measure::Times;
use peer::{Peer, Wanted};
use perf::provider::{Fixtures, Options, Provider};
use results::Results;
use run::Run;
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Compares proxies on the same work.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure lanes and put them into a results folder, in the place of older runs of the same lanes
    Run(RunArgs),
    /// Sample the subject under the load of `forward`: where its time goes, and a flame graph
    Flame(FlameArgs),
    /// Make a results folder's page and plots, and the README's table, from its results.json
    Render {
        /// The results folder; the one that the README names unless given
        folder: Option<PathBuf>,
        /// The file with the table
        #[arg(long, default_value = "README.md")]
        readme: PathBuf,
    },
    /// Only serve the synthetic provider, until killed
    Provide {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:18545")]
        listen: SocketAddr,
        /// Answer from the recorded exchanges (`.io` files) below this folder where they know the call
        #[arg(long, value_name = "FOLDER")]
        fixtures: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Lanes to measure
    #[arg(long, value_delimiter = ',', default_values = lanes::NAMES)]
    lanes: Vec<String>,
    /// Only trials with this in their name, such as `64 connections`; nothing is written then
    #[arg(long)]
    only: Option<String>,
    /// Rounds, each of which measures every side once
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds measured in each
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Seconds of rest measured in the idle lane, without and with connections
    #[arg(long, default_value_t = 10.0)]
    rest: f64,
    /// A proxy that takes part, by its own program or another, NAME or NAME=PROGRAM; may be repeated
    #[arg(long = "peer", value_name = "PEER", default_values = ["nginx", "haproxy"])]
    peers: Vec<Wanted>,
    /// The peer that the comparison is about
    #[arg(long, default_value = "livechain")]
    subject: String,
    /// Where peers' manifests and configurations are
    #[arg(long, default_value = "perf/peers")]
    peers_folder: PathBuf,
    /// Processors of the proxies; a proxy on one core gets the first
    #[arg(long, num_args = 2, default_values_t = [0, 1])]
    proxy_cpus: Vec<usize>,
    /// Processor of the load generator and the providers
    #[arg(long, default_value_t = 1)]
    load_cpu: usize,
    /// Arrivals a second of the lane `mixed`
    #[arg(long, default_value_t = Rates::default().mixed_per_s)]
    mixed_rate: f64,
    /// Arrivals a second of the lane `scale`
    #[arg(long, default_value_t = Rates::default().scale_per_s)]
    scale_rate: f64,
    /// Arrivals a second of the lane `hedged`
    #[arg(long, default_value_t = Rates::default().hedged_per_s)]
    hedged_rate: f64,
    /// Connections of the lane `idle`
    #[arg(long, default_value_t = Rates::default().idle_connections)]
    idle_connections: usize,
    /// The tree that is measured
    #[arg(long)]
    commit: Option<String>,
    /// The results folder; below perf/results, of this day and machine, unless given
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct FlameArgs {
    /// The proxy, NAME=PROGRAM, built with frame pointers
    #[arg(long)]
    peer: Wanted,
    /// Seconds sampled
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Connections: one of the lane's trials
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Where peers' manifests and configurations are
    #[arg(long, default_value = "perf/peers")]
    peers_folder: PathBuf,
    /// Processor of the proxy
    #[arg(long, default_value_t = 0)]
    proxy_cpu: usize,
    /// Processor of the load generator and the providers
    #[arg(long, default_value_t = 1)]
    load_cpu: usize,
    /// The tree that is measured
    #[arg(long)]
    commit: Option<String>,
    /// The results folder; below perf/results, of this day and machine, unless given
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Provide { listen, fixtures } => provide(listen, fixtures.as_deref()),
        Command::Run(args) => run(&args),
        Command::Flame(args) => flame(&args),
        Command::Render { folder, readme } => render_both(folder, &readme),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn provide(listen: SocketAddr, fixtures: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let fixtures = fixtures.map(Fixtures::load).transpose()?.map(Arc::new);
    let options = Options {
        listen,
        fixtures,
        keep_requests: 0,
        ..Options::default()
    };
    let provider = Provider::start(options)?;
    println!("{}", provider.url());
    loop {
        std::thread::park();
    }
}

fn run(args: &RunArgs) -> Result<(), Box<dyn Error>> {
    let rates = Rates {
        mixed_per_s: args.mixed_rate,
        scale_per_s: args.scale_rate,
        hedged_per_s: args.hedged_rate,
        idle_connections: args.idle_connections,
    };
    let wanted = args.lanes.iter();
    let lanes = wanted
        .map(|name| {
            lanes::lane(name, rates)
                .ok_or_else(|| format!("no lane {name:?}: there are {}", lanes::NAMES.join(", ")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut peers = Vec::new();
    for wanted in &args.peers {
        match Peer::find(&args.peers_folder, wanted) {
            Ok(peer) => peers.push(peer),
            Err(why) => eprintln!("{why}"),
        }
    }
    let &[first, second] = args.proxy_cpus.as_slice() else {
        return Err("two processors are needed for the proxies".into());
    };
    machine::raise_descriptor_limit()?;
    // Before any thread is started, so that all of them inherit it.
    machine::pin_this_process(args.load_cpu)?;
    let run = Run {
        peers,
        subject: args.subject.clone(),
        rounds: args.rounds,
        times: Times {
            load: Duration::try_from_secs_f64(args.seconds)?,
            rest: Duration::try_from_secs_f64(args.rest)?,
        },
        cpus: [first, second],
        only: args.only.clone(),
        commit: args.commit.clone(),
        command: options(args),
    };
    let folder = args.into.clone().unwrap_or_else(todays_folder);
    for lane in &lanes {
        let record = run.lane(lane)?;
        let found = Results {
            lanes: vec![record.clone()],
            profile: None,
        };
        println!("{}", markdown::tables(&found));
        if args.only.is_none() {
            // After each lane, so that a run that is broken off keeps what it has.
            let mut results = Results::load(&folder)?;
            results.replace(record);
            results.save(&folder)?;
            render(&folder, &results)?;
            println!("written to {}", folder.display());
        }
    }
    Ok(())
}

fn flame(args: &FlameArgs) -> Result<(), Box<dyn Error>> {
    let peer = Peer::find(&args.peers_folder, &args.peer)?;
    let lane = lanes::lane("forward", Rates::default()).ok_or("there is no lane forward")?;
    let wanted = lanes::of_connections(args.connections);
    let trial = lane.trials.iter().find(|trial| trial.name == wanted);
    let trial = trial.ok_or("the lane forward has no trial of so many connections")?;
    machine::pin_this_process(args.load_cpu)?;
    let cpus = [args.proxy_cpu; 2];
    let time = Duration::try_from_secs_f64(args.seconds)?;
    let (found, svg) = profile::take(&peer, trial, cpus, time, args.commit.clone())?;
    let folder = args.into.clone().unwrap_or_else(todays_folder);
    let mut results = Results::load(&folder)?;
    results.profile = Some(found);
    results.save(&folder)?;
    fs::write(folder.join(format!("{}.svg", markdown::FLAME)), svg)?;
    render(&folder, &results)?;
    println!("written to {}", folder.display());
    Ok(())
}

fn todays_folder() -> PathBuf {
    let name = format!("{}-{}", machine::today(), machine::kind());
    Path::new("perf/results").join(name)
}

/// The options that matter to whoever repeats a run.
fn options(args: &RunArgs) -> String {
    let mut text = format!(" --rounds {} --seconds {}", args.rounds, args.seconds);
    let defaults = Rates::default();
    for (name, value, default) in [
        ("mixed-rate", args.mixed_rate, defaults.mixed_per_s),
        ("scale-rate", args.scale_rate, defaults.scale_per_s),
        ("hedged-rate", args.hedged_rate, defaults.hedged_per_s),
    ] {
        if (value - default).abs() > f64::EPSILON {
            text += &format!(" --{name} {value}");
        }
    }
    if args.idle_connections != defaults.idle_connections {
        text += &format!(" --idle-connections {}", args.idle_connections);
    }
    text
}

/// Writes the files of a results folder that are made from its results.
fn render(folder: &Path, results: &Results) -> Result<(), Box<dyn Error>> {
    let plots = plot::all(results);
    let names: Vec<&str> = plots.iter().map(|(name, _)| *name).collect();
    fs::write(folder.join("results.md"), markdown::page(results, &names))?;
    for (name, svg) in &plots {
        fs::write(folder.join(format!("{name}.svg")), svg)?;
    }
    Ok(())
}

fn render_both(folder: Option<PathBuf>, readme: &Path) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(readme)?;
    let named = markdown::folder_in(&text).ok_or("the README names no results folder")?;
    let folder = folder.unwrap_or_else(|| PathBuf::from(named));
    let results = Results::load(&folder)?;
    render(&folder, &results)?;
    let shown = folder.to_string_lossy();
    let made = markdown::readme(&text, shown.trim_end_matches('/'), &results);
    fs::write(readme, made.ok_or("the README has no place for the table")?)?;
    println!("made from {}", folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{markdown, plot};
    use crate::results::Results;
    use std::fs;
    use std::path::Path;

    /// Nobody types a figure: what is committed is what the generator makes of the committed results.
    #[test]
    fn the_readme_and_its_results_folder_are_as_generated() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let readme = fs::read_to_string(root.join("README.md")).unwrap();
        let named = markdown::folder_in(&readme).expect("the README names its results folder");
        let folder = root.join(named);
        let results = Results::load(&folder).unwrap();
        assert!(!results.lanes.is_empty(), "{named} has no results");
        let again = "run perf/run --render";
        assert_eq!(
            markdown::readme(&readme, named, &results).as_deref(),
            Some(readme.as_str()),
            "{again}"
        );
        let plots = plot::all(&results);
        let names: Vec<&str> = plots.iter().map(|(name, _)| *name).collect();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(
            read("results.md"),
            markdown::page(&results, &names),
            "{again}"
        );
        for (name, svg) in plots {
            assert_eq!(read(&format!("{name}.svg")), svg, "{again}");
        }
    }
}
