//! `livechain doctor`: says in sentences whether this machine can run the proxy. It changes nothing.

use std::process::ExitCode;

use clap::ValueEnum;

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The forms of the report.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Sentences
    Text,
    /// One JSON array
    Json,
}

/// Runs the checks. Exit code 0: it will run; 1: it will not, and why was printed.
pub fn run(args: Args) -> ExitCode {
    let checks = rt::probe::check();
    let ok = checks.iter().all(|check| check.ok);
    match args.format {
        Format::Text => print!("{}", text(&checks)),
        Format::Json => {
            let rows: Vec<_> = checks
                .iter()
                .map(|c| {
                    serde_json::json!({
                        "name": c.name, "ok": c.ok, "sentence": c.sentence, "remedy": c.remedy,
                    })
                })
                .collect();
            println!("{}", serde_json::Value::Array(rows));
        }
    }
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One line a check, the remedy below where one is needed.
pub(super) fn text(checks: &[rt::probe::Check]) -> String {
    let mut out = String::new();
    for check in checks {
        let mark = if check.ok { "ok  " } else { "FAIL" };
        out.push_str(&format!("{mark} {:<10} {}\n", check.name, check.sentence));
        if !check.ok {
            out.push_str(&format!("{:16}{}\n", "", check.remedy));
        }
    }
    out
}

/// The same checks at start-up: a sentence for each that fails, and whether to go on.
pub(super) fn fit_to_run() -> bool {
    let failed: Vec<_> = rt::probe::check().into_iter().filter(|c| !c.ok).collect();
    if !failed.is_empty() {
        eprint!("this machine cannot run livechain:\n{}", text(&failed));
    }
    failed.is_empty()
}
