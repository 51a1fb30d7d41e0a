//! `livechain load`: the load generator on the command line. Only turns arguments into a plan and a report into text;
//! the generator is `perf::load`.
//!
//! Exit codes: 0 the run was made and no threshold failed it; 1 it could not be made; 99 a threshold failed it.

use clap::{Args as Arguments, ValueEnum};
use perf::load::{self, Arrival, Mix, Plan, Progress, Report, Roots, Target, Threshold, Verify};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Sends load to a JSON-RPC endpoint and reports latencies.
///
/// Without --rate each connection asks again once it is answered (closed loop: how much it can take). With --rate
/// requests arrive at a constant rate whatever the target does (open loop: how long it takes), and latencies count from
/// the moment at which a request was due.
#[derive(Debug, Arguments)]
pub struct Args {
    /// Endpoint, http:// or https://
    #[arg(value_parser = parse_target)]
    target: Target,
    /// Keep-alive connections
    #[arg(short, long, default_value_t = 64)]
    connections: usize,
    /// Requests a second, constant (open loop)
    #[arg(short, long)]
    rate: Option<f64>,
    /// Threads of the generator
    #[arg(short, long, default_value_t = 1)]
    threads: usize,
    /// What to ask: [same:|together:][batch:N:]NAMES; NAMES: tip, or balance, call, head, chain-id, block, block-logs, receipt,
    /// trace with weights (balance=7,call=3)
    #[arg(short, long, default_value = "balance")]
    mix: Mix,
    /// Time measured, such as 30s or 2m
    #[arg(short, long, default_value = "10s", value_parser = parse_duration)]
    duration: Duration,
    /// Time before it, not measured
    #[arg(short, long, default_value = "1s", value_parser = parse_duration)]
    warmup: Duration,
    /// End after so many measured requests, if they come before the time is up
    #[arg(short = 'n', long)]
    requests: Option<u64>,
    /// Longest time for one request
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
    /// Further request header, `name: value`; may be repeated
    #[arg(short = 'H', long = "header", value_parser = parse_header)]
    headers: Vec<(String, String)>,
    /// Trust the certificates of this PEM file instead of the public ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How closely answers are looked at
    #[arg(long, value_enum, default_value_t = Checks::Envelope)]
    verify: Checks,
    /// The same seed asks the same questions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write the latencies as an HDR histogram log, one interval a second, in microseconds
    #[arg(long, value_name = "FILE")]
    hlog: Option<PathBuf>,
    /// Exit with 99 when this holds: p99>50ms, p99.9>1s, max>2s, error_rate>0.1%, rate<1000, failed>0, unsent>0; may be
    /// repeated
    #[arg(long, value_name = "CONDITION")]
    fail_if: Vec<Threshold>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// One JSON object
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Checks {
    /// Status 200 will do
    Nothing,
    /// The id is the request's, and there is a result
    Envelope,
    /// And balances are those of the synthetic provider
    Synthetic,
}

/// Makes the run and says how it went.
pub fn run(args: &Args) -> ExitCode {
    match measure(args) {
        Err(error) => {
            eprintln!("livechain load: {error}");
            ExitCode::FAILURE
        }
        Ok(breaches) if breaches.is_empty() => ExitCode::SUCCESS,
        Ok(breaches) => {
            for breach in breaches {
                eprintln!("livechain load: failed by {breach}");
            }
            ExitCode::from(load::EXIT_CODE)
        }
    }
}

/// Makes the run, prints its report, and returns what the thresholds have against it.
fn measure(args: &Args) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let plan = plan(args)?;
    let mut log = args
        .hlog
        .as_ref()
        .map(File::create)
        .transpose()?
        .map(BufWriter::new);
    let is_live = io::stderr().is_terminal();
    let mut show = |progress: &Progress| {
        if is_live {
            // A terminal that is gone is no reason to end the run.
            let _ = write!(io::stderr(), "\r\x1b[K{}", line(progress));
        }
    };
    let report = load::run(
        &plan,
        log.as_mut().map(|log| log as &mut dyn Write),
        &mut show,
    )?;
    if is_live {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    if let Some(log) = &mut log {
        log.flush()?;
    }
    print(&report, args.format)?;
    Ok(args
        .fail_if
        .iter()
        .filter_map(|threshold| threshold.breached_by(&report))
        .collect())
}

fn plan(args: &Args) -> io::Result<Plan> {
    let connections = args.connections;
    let arrival = match args.rate {
        None => Arrival::Closed { connections },
        Some(rate_per_s) => Arrival::Open {
            rate_per_s,
            connections,
        },
    };
    let roots = args.ca.as_deref().map_or(Roots::Public, Roots::File);
    let tls = args
        .target
        .is_tls()
        .then(|| load::client_config(roots))
        .transpose()?;
    Ok(Plan {
        threads: args.threads,
        mix: args.mix.clone(),
        warmup: args.warmup,
        duration: args.duration,
        max_requests: args.requests,
        timeout: args.timeout,
        headers: args.headers.clone(),
        tls,
        verify: match args.verify {
            Checks::Nothing => Verify::Nothing,
            Checks::Envelope => Verify::Envelope,
            Checks::Synthetic => Verify::Synthetic,
        },
        seed: args.seed,
        ..Plan::new(args.target.clone(), arrival)
    })
}

fn line(progress: &Progress) -> String {
    let ms = |us: u64| us as f64 / 1e3;
    format!(
        "{:>4} s  {:>8}/s  p50 {:.2} ms  p99 {:.2} ms  {} failed",
        progress.elapsed.as_secs(),
        progress.ok,
        ms(progress.p50_us),
        ms(progress.p99_us),
        progress.failed
    )
}

fn print(report: &Report, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Text => write!(out, "{report}"),
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, report)?;
            writeln!(out)
        }
    }
}

fn parse_target(text: &str) -> Result<Target, String> {
    Target::parse(text).map_err(|error| error.to_string())
}

/// A number and its unit: `250ms`, `10s`, `2m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0)];
    let number = |digits: &str| {
        digits
            .parse::<f64>()
            .ok()
            .filter(|n| *n >= 0.0 && n.is_finite())
    };
    let seconds = units
        .iter()
        .find_map(|(unit, factor)| Some(number(text.strip_suffix(unit)?)? * factor));
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| *duration <= Duration::from_secs(7 * 24 * 3600))
        .ok_or_else(|| format!("{text:?} is no duration of up to a week: use 250ms, 10s or 2m"))
}

/// `name: value`, as it goes on the wire.
fn parse_header(text: &str) -> Result<(String, String), String> {
    let refused = || format!("{text:?} is no header: use \"name: value\"");
    let (name, value) = text.split_once(':').ok_or_else(refused)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte);
    let value = value.trim();
    let fits = !name.is_empty()
        && name.bytes().all(is_token)
        && !value.bytes().any(|b| b.is_ascii_control());
    fits.then(|| (name.to_owned(), value.to_owned()))
        .ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::{parse_duration, parse_header};
    use std::time::Duration;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["10", "s", "-1s", "nans", "1e9s", "8 d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_cannot_break_the_request() {
        assert_eq!(
            parse_header("a-b:  c d "),
            Ok(("a-b".to_owned(), "c d".to_owned()))
        );
        for text in ["a", ": b", "a b: c", "a: b\r\nc: d"] {
            assert!(parse_header(text).is_err(), "{text:?}");
        }
    }
}
