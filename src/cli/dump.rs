//! `livechain dump FILE`: the effective configuration, defaults filled in and secrets replaced. What
//! it prints loads again to the same configuration, but for the secrets.

use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `dump`.
#[derive(clap::Args)]
pub struct Args {
    /// The configuration file (YAML)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the configuration is printed
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
}

/// How the configuration is printed.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// As a configuration file
    Yaml,
    /// As JSON, which is YAML too
    Json,
}

/// Prints a file's effective configuration. Exit code 1, and the problems on standard error, when it
/// is not valid.
pub fn run(args: Args) -> ExitCode {
    let config = match super::check::load(&args.file) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{}", super::check::report(&problems));
            return ExitCode::FAILURE;
        }
    };
    let text = match args.format {
        Format::Yaml => config.to_yaml(),
        Format::Json => Ok(format!("{:#}\n", config.to_json())),
    };
    match text {
        Ok(text) => super::check::print(&text),
        Err(error) => {
            eprintln!("the configuration cannot be written as YAML: {error}");
            ExitCode::FAILURE
        }
    }
}
