//! The commands, one file each. This file reads the arguments and hands over; it does nothing itself.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod demo;
mod doctor;
mod dump;
mod load;
mod schema;
mod serve;
mod simulate;

/// One JSON-RPC endpoint in front of many EVM RPC providers.
#[derive(Parser)]
#[command(name = "livechain", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve: the proxy, with a configuration file or just upstream URLs
    Serve(serve::Args),
    /// See it work: three synthetic providers, the proxy, sample traffic; no network needed
    Demo(demo::Args),
    /// Validate a configuration file: every problem at once, each with its place and a remedy
    Check(check::Args),
    /// Print the effective configuration, secrets redacted
    Dump(dump::Args),
    /// Print the configuration's JSON Schema, for editors and CI
    Schema(schema::Args),
    /// Say in sentences whether this machine can run Livechain
    Doctor(doctor::Args),
    /// Put load on an endpoint and report latency without coordinated omission
    Load(Box<load::Args>),
    /// Ask what a configuration would have done: strategies under a deterministic simulator
    Simulate(Box<simulate::Args>),
}

/// Runs the command that the arguments name. Exit code 0 is success, 1 a failure that was
/// explained on standard error, 2 wrong arguments.
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Check(args) => check::run(args),
        Command::Dump(args) => dump::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Load(args) => load::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    }
}
