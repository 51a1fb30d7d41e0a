//! `livechain serve`: loads the configuration and runs the node until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use config::Config;

use crate::control_plane::node;

/// Arguments of `serve`.
#[derive(clap::Args)]
pub struct Args {
    /// The configuration file (YAML)
    #[arg(
        long,
        short,
        value_name = "FILE",
        required_unless_present = "upstream",
        conflicts_with = "upstream"
    )]
    config: Option<PathBuf>,
    /// Serve without a file: an upstream's URL, repeatable; one chain, defaults for the rest
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
}

/// Runs the node. Exit code 0 after a drain; 1 when it could not start, with the reason printed.
pub fn run(args: Args) -> ExitCode {
    let loaded = match &args.config {
        Some(path) => super::check::load(path),
        None => Config::from_upstreams(&args.upstream, &crate::data_plane::catalog()),
    };
    match loaded {
        Ok(config) => start(config),
        Err(problems) => {
            eprint!("{}", super::check::report(&problems));
            ExitCode::FAILURE
        }
    }
}

/// Checks the machine, raises the descriptor limit and serves.
fn start(config: Config) -> ExitCode {
    if !super::doctor::fit_to_run() {
        return ExitCode::FAILURE;
    }
    if let Err(error) = rt::probe::raise_nofile() {
        eprintln!("the limit of open files could not be raised: {error}");
    }
    match node::run(config, crate::data_plane::SHARD_MAIN) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
