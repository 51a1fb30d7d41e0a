//! An access log as a scenario: its calls arrive again when they did, and upstreams answer as they were measured to. It opens no file.
//!
//! Only what reached an upstream comes again: answers from the cache, calls that joined another and refusals are left out. What an upstream's
//! latencies were is taken from calls that made one attempt, in windows of ten seconds with at least twenty of them; what a method takes
//! beside others from all of its calls. Failures are told of the last upstream that failed, so an upstream whose failures others made good
//! looks better than it was.

mod line;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, BufRead};

use engine::fault::{Fault, FaultClass};
use engine::method::{self, MethodId};
use engine::strategy::{REGISTRY, StrategySpec};
use engine::time::Instant;

use crate::distribution::Latency;
use crate::file::{Half, Template};
use crate::provider::{Behaviour, Phase, Script};
use crate::scenario::{Dish, MAX_DISHES, Menu, Recorded, Scenario};
use line::{Ended, Line};

/// A log that is longer is cut by whoever wants to replay it.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// More calls than this are not replayed.
pub const MAX_CALLS: usize = 20_000_000;
/// The longest line that an event can be.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// Latencies are taken over so long.
const WINDOW_NS: u64 = 10_000_000_000;
/// Of so many at least.
const LEAST_SAMPLES: usize = 20;

/// Why a log cannot be replayed.
#[derive(Debug)]
pub enum RecordingFault {
    /// It cannot be read.
    Read(io::Error),
    /// A line is no event.
    Line(u64, String),
    /// It has calls of several chains, and none was asked for, or another one.
    Chains(Vec<String>),
    /// No call in it reached an upstream.
    Empty,
    /// It is longer than [`MAX_CALLS`].
    TooLong,
    /// It spans more than a day.
    TooWide,
    /// It names more upstreams than a chain can have.
    Upstreams(usize),
}

impl fmt::Display for RecordingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "the log cannot be read: {error}"),
            Self::Line(number, why) => {
                write!(f, "line {number} is no event of an access log: {why}")
            }
            Self::Chains(chains) => write!(
                f,
                "the log has calls of the chains {}: choose one with --chain",
                chains.join(", ")
            ),
            Self::Empty => f.write_str("no call in the log reached an upstream"),
            Self::TooLong => write!(f, "the log has more than {MAX_CALLS} calls"),
            Self::TooWide => f.write_str(
                "the log spans more than a day, by its clock: cut it, or leave out what was written before the clock was set",
            ),
            Self::Upstreams(count) => {
                write!(f, "the log names {count} upstreams, a chain has at most 64")
            }
        }
    }
}

impl std::error::Error for RecordingFault {}

/// One call of the log.
#[derive(Clone, Debug)]
struct Call {
    begun_ns: u64,
    method: MethodId,
    upstream: Option<u16>,
    took_us: u64,
    /// It was answered at the first attempt, so that its time is its upstream's.
    alone: bool,
    failure: Option<FaultClass>,
}

/// Reads a log. With `chain` only that chain's calls.
///
/// # Errors
/// [`RecordingFault`] says why it cannot be replayed.
pub fn read(
    name: &str,
    log: impl BufRead,
    chain: Option<&str>,
) -> Result<Template, RecordingFault> {
    let mut names: Vec<(String, String)> = Vec::new();
    let mut chains: BTreeMap<String, Vec<Call>> = BTreeMap::new();
    let mut count = 0;
    each_line(log, |line| {
        let Some(call) = call(&line, &mut names) else {
            return Ok(());
        };
        count += 1;
        if count > MAX_CALLS {
            return Err(RecordingFault::TooLong);
        }
        if chain.is_none_or(|wanted| wanted == line.chain) {
            chains.entry(line.chain).or_default().push(call);
        } else {
            chains.entry(line.chain).or_default();
        }
        Ok(())
    })?;
    let known: Vec<_> = chains.keys().cloned().collect();
    chains.retain(|_, calls| !calls.is_empty());
    if chains.len() > 1 || chains.is_empty() && !known.is_empty() {
        return Err(RecordingFault::Chains(known));
    }
    let (chain, mut calls) = chains.pop_first().ok_or(RecordingFault::Empty)?;
    calls.sort_by_key(|call| call.begun_ns);
    let used = |upstream: u16| calls.iter().any(|call| call.upstream == Some(upstream));
    let used: Vec<u16> = (0..names.len() as u16).filter(|one| used(*one)).collect();
    if used.is_empty() {
        return Err(RecordingFault::Empty);
    }
    if used.len() > engine::index::MAX_UPSTREAMS {
        return Err(RecordingFault::Upstreams(used.len()));
    }
    let (first, last) = (calls.first(), calls.last());
    let span = first
        .zip(last)
        .map_or(0, |(first, last)| last.begun_ns - first.begun_ns);
    if Duration::from_nanos(span) > LONGEST {
        return Err(RecordingFault::TooWide);
    }
    Ok(template(name, &chain, &calls, &used, &names))
}

fn each_line(
    mut log: impl BufRead,
    mut take: impl FnMut(Line) -> Result<(), RecordingFault>,
) -> Result<(), RecordingFault> {
    let (mut number, mut text) = (0, Vec::new());
    loop {
        text.clear();
        let read = io::Read::take(&mut log, MAX_LINE_BYTES).read_until(b'\n', &mut text);
        if read.map_err(RecordingFault::Read)? == 0 {
            return Ok(());
        }
        number += 1;
        let whole = text.ends_with(b"\n");
        if text.trim_ascii().is_empty() {
            continue;
        }
        match Line::read(&text) {
            Ok(Some(line)) => take(line)?,
            Ok(None) => {}
            // The last line of a log that is being written.
            Err(_) if !whole && (text.len() as u64) < MAX_LINE_BYTES => {}
            Err(why) => return Err(RecordingFault::Line(number, why)),
        }
    }
}

fn call(line: &Line, names: &mut Vec<(String, String)>) -> Option<Call> {
    let upstream = line.upstream.as_ref().map(|name| {
        let known = names.iter().position(|(known, _)| known == name);
        known.unwrap_or_else(|| {
            let provider = line.provider.clone();
            names.push((name.clone(), provider.unwrap_or_else(|| name.clone())));
            names.len() - 1
        }) as u16
    });
    let asked = upstream.is_some() || line.ended == Ended::Failed;
    asked.then(|| Call {
        begun_ns: line
            .at_ns
            .saturating_sub(line.took_us.saturating_mul(1_000)),
        method: method::lookup(line.method.as_bytes()),
        upstream,
        took_us: line.took_us.clamp(1, LONGEST.as_micros() as u64),
        alone: line.ended == Ended::Answered && line.attempts == 1 && !line.hedged,
        failure: (line.ended == Ended::Failed).then_some(line.class),
    })
}

fn template(
    name: &str,
    chain: &str,
    calls: &[Call],
    used: &[u16],
    names: &[(String, String)],
) -> Template {
    let start = calls.first().map_or(0, |call| call.begun_ns);
    let dishes = dishes(calls);
    let place = |method: MethodId| {
        let known = dishes.iter().position(|dish| dish.method == method);
        known.unwrap_or(0) as u16
    };
    let effort = |method: MethodId| dishes[usize::from(place(method))].effort;
    let scripts = used.iter().zip(0_u16..).map(|(&upstream, number)| {
        let own: Vec<_> = calls
            .iter()
            .filter(|call| call.upstream == Some(upstream))
            .collect();
        let mut script = Script::new(number, 1);
        script.name.clone_from(&names[usize::from(upstream)].0);
        script.measured = measured(&own, calls, start, effort);
        script.phases = failures(&own, start);
        script
    });
    let recorded = calls.iter().map(|call| Recorded {
        at: Instant(call.begun_ns - start),
        dish: place(call.method),
    });
    let recorded: Vec<_> = recorded.collect();
    let last = recorded.last().map_or(Instant::ZERO, |call| call.at);
    let providers: Vec<_> = used
        .iter()
        .map(|one| names[usize::from(*one)].1.clone())
        .collect();
    let mut scripts: Vec<_> = scripts.collect();
    let numbers = crate::file::numbered(&providers);
    for (script, provider) in scripts.iter_mut().zip(numbers) {
        script.config.provider = provider;
    }
    let about = format!("{} calls of {chain} as they were recorded.", recorded.len());
    let mut base = Scenario::new(name, 0, StrategySpec::of(REGISTRY[0]), scripts).on_shards(2);
    base.recorded = Some(recorded.into());
    base.load = Vec::new();
    base.menu = Menu { dishes };
    base.until = last + Duration::from_millis(1);
    base.chain.max_lag_blocks = None;
    Template {
        name: name.to_owned(),
        about,
        half: Half::default(),
        full_outage: false,
        hedge: true,
        attempts: None,
        providers,
        geo: None,
        bands: Vec::new(),
        base,
    }
}

/// The methods, the most popular first, each with what its answers took beside all answers.
fn dishes(calls: &[Call]) -> Vec<Dish> {
    let mut counts: BTreeMap<MethodId, (u64, u64, u64)> = BTreeMap::new();
    for call in calls {
        let (all, alone, us) = counts.entry(call.method).or_default();
        *all += 1;
        if call.alone {
            *alone += 1;
            *us += call.took_us;
        }
    }
    let (alone, us) = counts
        .values()
        .fold((0, 0), |(alone, us), known| (alone + known.1, us + known.2));
    let mean = us.checked_div(alone).unwrap_or(1).max(1);
    let mut popular: Vec<_> = counts.into_iter().collect();
    popular.sort_by_key(|(method, known)| (std::cmp::Reverse(known.0), *method));
    popular.truncate(MAX_DISHES);
    let dish = |(method, (all, alone, us)): (MethodId, (u64, u64, u64))| {
        let own = us.checked_div(alone).unwrap_or(mean);
        let effort = (own * 1_000 / mean).clamp(10, 100_000);
        Dish {
            effort: effort as u32,
            ..crate::file::dish(method, all)
        }
    };
    popular.into_iter().map(dish).collect()
}

/// Latencies by window, of a method of the usual effort. Windows of few samples are joined with those after them.
fn measured(
    own: &[&Call],
    all: &[Call],
    start: u64,
    effort: impl Fn(MethodId) -> u32,
) -> Vec<(Instant, Latency)> {
    let usual = |call: &Call| call.took_us * 1_000 / u64::from(effort(call.method).max(1));
    let mut windows: Vec<(u64, Vec<u64>)> = Vec::new();
    for call in own.iter().filter(|call| call.alone) {
        let window = (call.begun_ns - start) / WINDOW_NS;
        match windows.last_mut() {
            Some((from, samples)) if *from == window || samples.len() < LEAST_SAMPLES => {
                samples.push(usual(call));
            }
            _ => windows.push((window, vec![usual(call)])),
        }
    }
    if windows.is_empty() {
        // Nothing is known of it but that it is there: it is like the others.
        let others = all.iter().filter(|call| call.alone);
        windows.push((0, others.map(usual).collect()));
    }
    if windows.len() > 1
        && let Some((_, few)) = windows.pop_if(|(_, samples)| samples.len() < LEAST_SAMPLES)
        && let Some((_, last)) = windows.last_mut()
    {
        last.extend(few);
    }
    let latency = |(window, mut samples): (u64, Vec<u64>)| {
        samples.sort_unstable();
        let from = Instant(window * WINDOW_NS);
        Latency::measured(&samples).map(|latency| (from, latency))
    };
    windows.into_iter().filter_map(latency).collect()
}

/// What failed, by window and class.
fn failures(own: &[&Call], start: u64) -> Vec<Phase> {
    let mut windows: BTreeMap<u64, (u64, BTreeMap<FaultClass, u64>)> = BTreeMap::new();
    for call in own {
        let window = windows
            .entry((call.begun_ns - start) / WINDOW_NS)
            .or_default();
        window.0 += 1;
        if let Some(class) = call.failure {
            *window.1.entry(class).or_default() += 1;
        }
    }
    let mut phases = Vec::new();
    for (window, (all, classes)) in windows {
        for (class, count) in classes {
            let permille = (count * 1_000 / all).max(1) as u32;
            phases.push(Phase {
                from: Instant(window * WINDOW_NS),
                until: Instant((window + 1) * WINDOW_NS),
                only: None,
                behaviour: match class {
                    FaultClass::Timeout => Behaviour::HangSome(permille),
                    FaultClass::Transport => Behaviour::ResetSome(permille),
                    class => Behaviour::Fail(Fault::new(class, "recorded"), permille),
                },
            });
        }
    }
    phases
}
