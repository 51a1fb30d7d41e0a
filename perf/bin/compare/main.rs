//! Compares proxies on the same work: a synthetic provider and the load generator on one core, each proxy in turn on
//! another, lanes in rotation, processor time per request from the kernel's accounts. Starts and ends what it needs;
//! never takes a figure from a lane whose bottleneck was the harness itself.

mod machine;
mod measure;
mod proxy;
mod results;

use clap::{Parser, Subcommand};
use machine::TemporaryFolder;
use measure::{Cell, Lane};
use perf::provider::{Fixtures, Options, Provider};
use proxy::{Proxy, Recipe};
use results::Results;
use std::error::Error;
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
    /// Measure nginx and HAProxy, and one more proxy where a command is given
    Run(RunArgs),
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
    /// Name of the proxy whose command follows `--`
    #[arg(long, default_value = "subject")]
    name: String,
    /// Its configuration; {listen}, {admin}, {upstream} and {folder} in it are filled in
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rounds, each of which measures every proxy once on every lane
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds measured in each
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Keep-alive connections, one lane each
    #[arg(long, value_delimiter = ',', default_value = "1,8,64,256")]
    connections: Vec<usize>,
    /// Peers to measure against; the first is what ratios refer to
    #[arg(long, value_delimiter = ',', default_value = "nginx,haproxy")]
    peers: Vec<String>,
    /// Processor of the proxies
    #[arg(long, default_value_t = 0)]
    proxy_cpu: usize,
    /// Processor of the load generator and the provider
    #[arg(long, default_value_t = 1)]
    load_cpu: usize,
    /// Folder in which the results' folder is made
    #[arg(long, default_value = "perf/results")]
    out: PathBuf,
    /// Command of the proxy to measure, after `--`; {config}, {listen}, {admin} and {upstream} in it are filled in
    #[arg(last = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Provide { listen, fixtures } => provide(listen, fixtures.as_deref()),
        Command::Run(args) => run(&args),
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
    let recipes = recipes(args)?;
    // Before any thread is started, so that all of them inherit it.
    machine::pin_this_process(args.load_cpu)?;
    let provider = Provider::start(Options {
        keep_requests: 0,
        ..Options::default()
    })?;
    let folder = TemporaryFolder::create()?;
    let mut proxies = Vec::new();
    for recipe in &recipes {
        proxies.push(Proxy::start(
            recipe,
            folder.path(),
            provider.address(),
            args.proxy_cpu,
        )?);
    }
    let time = Duration::try_from_secs_f64(args.seconds)?;
    let mut cells: Vec<Cell> = Vec::new();
    for connections in &args.connections {
        let lane = Lane {
            connections: *connections,
            time,
        };
        for round in 0..args.rounds.max(1) {
            for proxy in &mut proxies {
                let cell = measure::cell(&lane, round, proxy, &provider)?;
                eprintln!("{cell}");
                cells.push(cell);
            }
        }
    }
    drop(proxies);
    let results = Results::new(args, &recipes, cells)?;
    let written = results.write(&args.out)?;
    println!("{}", results.table());
    println!("written to {}", written.display());
    Ok(())
}

fn recipes(args: &RunArgs) -> Result<Vec<Recipe>, Box<dyn Error>> {
    let mut recipes = args
        .peers
        .iter()
        .map(|name| Recipe::peer(name))
        .collect::<Result<Vec<_>, _>>()?;
    if !args.command.is_empty() {
        let template = args
            .config
            .as_ref()
            .map(std::fs::read_to_string)
            .transpose()?;
        recipes.push(Recipe {
            name: args.name.clone(),
            version: None,
            template,
            command: args.command.clone(),
        });
    }
    if recipes.is_empty() {
        return Err("nothing to measure: name peers, or a command after --".into());
    }
    Ok(recipes)
}
