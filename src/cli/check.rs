//! `livechain check FILE`: all that is wrong with a configuration, each problem with its place and a
//! remedy. Opens the files that the configuration names and nothing else; never shows a secret.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::{Config, Problems, ProcessEnvironment};

/// Arguments of `check`.
#[derive(clap::Args)]
pub struct Args {
    /// The configuration file (YAML)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How the result is printed.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people: each problem with its line of the file
    Text,
    /// For programs: one object with `ok` and `problems`
    Json,
}

/// Checks a file. Exit code 0 when a process would start with it, 1 when not.
pub fn run(args: Args) -> ExitCode {
    let result = load(&args.file);
    let text = match args.format {
        Format::Text => config::report_text(&result),
        Format::Json => format!("{:#}\n", config::report_json(&result)),
    };
    let written = print(&text);
    if result.is_ok() {
        written
    } else {
        ExitCode::FAILURE
    }
}

/// Loads a file with the process's own environment and the engine's strategies.
pub fn load(path: &Path) -> Result<Config, Problems> {
    config::load(path, &ProcessEnvironment, &crate::data_plane::catalog())
}

/// The problems as text, ending in a line break.
pub fn report(problems: &Problems) -> String {
    problems.to_text()
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("standard output cannot be written: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
