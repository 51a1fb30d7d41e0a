//! What each stage of a call costs, alone and hot: `cargo bench --bench stages` prints a table of instructions under callgrind
//! (Debian's `valgrind`), `cargo bench --bench stages -- --time` nanoseconds. It judges nothing and fails nothing.
//!
//! Instructions are counted by running a stage so many times, and so many times more, each in a process of its own: the
//! difference has neither start-up nor set-up in it, and comes out the same every time. Words after the options name the
//! stages to run, by a part of their name.

#[allow(clippy::expect_used, reason = "a benchmark fails by panicking")]
mod bytes;
#[allow(clippy::expect_used, reason = "a benchmark fails by panicking")]
mod decide;

use std::env;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// One stage.
struct Stage {
    /// Where in a call it is, e.g. `key`.
    at: &'static str,
    /// On what.
    of: &'static str,
    /// How many operations are between the two counts: fewer where one is long.
    times: u64,
    /// Sets up, and does it so many times.
    run: fn(u64),
}

impl Stage {
    fn name(&self) -> String {
        format!("{}: {}", self.at, self.of)
    }
}

fn main() -> ExitCode {
    let stages: Vec<Stage> = bytes::stages().chain(decide::stages()).collect();
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [mode, index, times] = arguments.as_slice()
        && mode == "--run"
    {
        return match (index.parse::<usize>(), times.parse()) {
            (Ok(index), Ok(times)) => match stages.get(index) {
                Some(stage) => {
                    (stage.run)(times);
                    ExitCode::SUCCESS
                }
                None => ExitCode::FAILURE,
            },
            _ => ExitCode::FAILURE,
        };
    }
    let timed = arguments.iter().any(|word| word == "--time");
    let words: Vec<_> = arguments.iter().filter(|w| !w.starts_with('-')).collect();
    let unit = if timed { "ns" } else { "instructions" };
    println!("| stage | of | {unit} |\n|---|---|---:|");
    for (index, stage) in stages.iter().enumerate() {
        let name = stage.name();
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let cost = match timed {
            true => Ok(nanoseconds(stage)),
            false => instructions(index, stage.times),
        };
        match cost {
            Ok(cost) => println!("| {} | {} | {cost:.0} |", stage.at, stage.of),
            Err(why) => {
                eprintln!("{name}: {why}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// The best of seven rounds of about 20 ms.
fn nanoseconds(stage: &Stage) -> f64 {
    let mut times = 1;
    let took = |times| {
        let began = Instant::now();
        (stage.run)(times);
        began.elapsed()
    };
    while took(times) < Duration::from_millis(20) {
        times *= 2;
    }
    let best = (0..7).map(|_| took(times)).min().unwrap_or_default();
    best.as_nanos() as f64 / times as f64
}

/// Instructions of one operation, in the steady state.
fn instructions(index: usize, times: u64) -> Result<f64, String> {
    /// Operations before anything is counted: buffers have grown by then.
    const WARM: u64 = 64;
    let (few, many) = (collected(index, WARM)?, collected(index, WARM + times)?);
    Ok(many.saturating_sub(few) as f64 / times as f64)
}

/// What callgrind counts of a process that does a stage so often.
fn collected(index: usize, times: u64) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--run", &index.to_string(), &times.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| {
        let (_, count) = line.split_once("Collected :")?;
        count.trim().parse().ok()
    });
    count.ok_or_else(|| format!("callgrind counted nothing: {said}"))
}
