//! A load generator: closed loop (each connection asks again once it is answered) for saturation, open loop (a constant
//! arrival rate) for latency. Latencies of an open loop count from the moment at which a request was due, so that a
//! target that stands still is charged for everybody it keeps waiting (coordinated omission). It watches itself and says
//! when the figures are its own.
//!
//! ```
//! use perf::load::{self, Arrival, Plan, Target};
//! use perf::provider::{Options, Provider};
//!
//! let provider = Provider::start(Options::default())?;
//! let target = Target::parse(&provider.url())?;
//! let plan = Plan { max_requests: Some(100), ..Plan::new(target, Arrival::Closed { connections: 4 }) };
//! let report = load::run(&plan, None, &mut |_| {})?;
//! assert_eq!((report.ok, report.failed), (100, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod clock;
mod meeting;
mod mix;
mod pacing;
mod record;
mod report;
mod target;
#[cfg(test)]
mod tests;
mod threshold;
mod tls;
mod verify;
mod worker;

pub use mix::{Mix, MixError, Step};
pub use record::Failure;
pub use report::{Generator, Latencies, Report};
pub use target::{Target, TargetError};
pub use threshold::{EXIT_CODE, Threshold, ThresholdError};
pub use tls::{Roots, client_config};
pub use verify::Verify;

pub(crate) use client::parse_head;
pub(crate) use mix::{Bodies, Expected};
pub(crate) use pacing::{Pacing, Timing};
pub(crate) use record::Interval;
pub(crate) use verify::judge;
pub(crate) use worker::{Closing, prefix};

use client::{Client, Route};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant, SystemTime};
use worker::{Brief, Message};

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Arrival {
    /// Each connection asks again once it is answered.
    Closed {
        /// Connections, over all threads.
        connections: usize,
    },
    /// At a constant rate, whatever the target does, as long as a connection is free; what finds none waits, and its
    /// latency counts from when it was due.
    Open {
        /// Requests a second, over all threads.
        rate_per_s: f64,
        /// Connections, over all threads.
        connections: usize,
    },
}

impl Arrival {
    /// Connections, over all threads.
    #[must_use]
    pub const fn connections(self) -> usize {
        match self {
            Self::Closed { connections } | Self::Open { connections, .. } => connections,
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { connections } => write!(f, "closed loop, {connections} connections"),
            Self::Open {
                rate_per_s,
                connections,
            } => {
                write!(
                    f,
                    "open loop, {rate_per_s}/s over {connections} connections"
                )
            }
        }
    }
}

/// A run, described. Everything in it is bounded: by time always, by a number of requests where wanted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to.
    pub target: Target,
    /// How requests arrive.
    pub arrival: Arrival,
    /// Threads, each with its share of connections and rate. At least 1, at most one a connection.
    pub threads: usize,
    /// What is asked.
    pub mix: Mix,
    /// Time before anything is recorded.
    pub warmup: Duration,
    /// Time that is recorded.
    pub duration: Duration,
    /// End earlier, after so many recorded requests.
    pub max_requests: Option<u64>,
    /// Longest time for one request, connecting included.
    pub timeout: Duration,
    /// Further request headers.
    pub headers: Vec<(String, String)>,
    /// TLS settings, for an `https` target.
    pub tls: Option<Arc<ClientConfig>>,
    /// How closely answers are looked at.
    pub verify: Verify,
    /// Longest answer.
    pub max_response_bytes: usize,
    /// Seed of the bodies: the same seed asks the same questions.
    pub seed: u64,
}

impl Plan {
    /// A run of ten seconds after one second of warm-up, distinct balances, one thread.
    #[must_use]
    pub fn new(target: Target, arrival: Arrival) -> Self {
        Self {
            target,
            arrival,
            threads: 1,
            mix: Mix::default(),
            warmup: Duration::from_secs(1),
            duration: Duration::from_secs(10),
            max_requests: None,
            timeout: Duration::from_secs(30),
            headers: Vec::new(),
            tls: None,
            verify: Verify::Envelope,
            max_response_bytes: 256 << 20,
            seed: 1,
        }
    }
}

/// Why a run could not be made. What happens to single requests is in the [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plan makes no sense.
    #[error("{0}")]
    Plan(&'static str),
    /// The target's name has no address.
    #[error("cannot resolve {target}: {source}")]
    Resolve {
        /// The target, without its path.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// A thread could not be started, or broke.
    #[error("the generator broke: {0}")]
    Thread(#[source] io::Error),
    /// The latency log could not be written.
    #[error("cannot write the latency log: {0}")]
    Log(#[source] io::Error),
}

/// What is shown while a run goes on: one measured second.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Measured time so far, in whole seconds.
    pub elapsed: Duration,
    /// Successful requests in this second.
    pub ok: u64,
    /// Failed requests in this second.
    pub failed: u64,
    /// Median latency in this second, in microseconds.
    pub p50_us: u64,
    /// 99 % in this second, in microseconds.
    pub p99_us: u64,
}

/// Most connections and threads of a plan.
const MAX_CONNECTIONS: usize = 1_000_000;

/// Makes a run, and tells `progress` once a measured second. `log` receives an HDR histogram log (one interval a second,
/// microseconds) that the usual HdrHistogram tools read.
///
/// # Errors
/// When the run could not be made; requests that fail do not make it fail.
pub fn run(
    plan: &Plan,
    log: Option<&mut dyn io::Write>,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Report, LoadError> {
    let route = prepare(plan)?;
    let head = if plan.mix.needs_head() {
        learn_head(plan, &route)
    } else {
        0
    };
    let threads = plan.threads.clamp(1, plan.arrival.connections());
    let plan = Plan {
        threads,
        ..plan.clone()
    };
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now() + Duration::from_millis(20);
    let mut handles = Vec::with_capacity(threads);
    for index in 0..threads {
        let share = |whole: usize| whole / threads + usize::from(index < whole % threads);
        let connections = plan.arrival.connections();
        let max_requests = plan.max_requests.map_or(u64::MAX, |max| {
            share(usize::try_from(max).unwrap_or(usize::MAX))
                .try_into()
                .unwrap_or(u64::MAX)
        });
        let brief = Brief {
            plan: plan.clone(),
            route: route.clone(),
            head,
            start,
            index,
            connections: share(connections),
            first_connection: index * connections.div_ceil(threads),
            max_requests,
        };
        let sender = sender.clone();
        let builder = std::thread::Builder::new().name(format!("load-{index}"));
        handles.push(
            builder
                .spawn(move || worker::run(brief, &sender))
                .map_err(LoadError::Thread)?,
        );
    }
    drop(sender);
    let (total, closings) = gather(&receiver, threads, log, progress)?;
    for handle in handles {
        let ended = handle
            .join()
            .map_err(|_| LoadError::Thread(io::Error::other("a thread panicked")))?;
        ended.map_err(LoadError::Thread)?;
    }
    Ok(Report::new(&plan, &total, &closings))
}

/// Says where a plan goes, or what is wrong with it.
pub(crate) fn prepare(plan: &Plan) -> Result<Route, LoadError> {
    let connections = plan.arrival.connections();
    if connections == 0 || connections > MAX_CONNECTIONS {
        return Err(LoadError::Plan(
            "a load needs between 1 and 1000000 connections",
        ));
    }
    if let Arrival::Open { rate_per_s, .. } = plan.arrival
        && !(rate_per_s > 0.0 && rate_per_s <= 1e8)
    {
        return Err(LoadError::Plan(
            "an open loop needs a rate above 0 and up to 100000000 a second",
        ));
    }
    let resolve = |source| LoadError::Resolve {
        target: plan.target.to_string(),
        source,
    };
    if plan.mix.is_together() && matches!(plan.arrival, Arrival::Open { .. }) {
        return Err(LoadError::Plan("who asks together asks in a closed loop"));
    }
    let address = plan.target.resolve().map_err(resolve)?;
    let tls = match (plan.target.is_tls(), &plan.tls) {
        (false, _) => None,
        (true, None) => return Err(LoadError::Plan("an https target needs TLS settings")),
        (true, Some(config)) => {
            let name = ServerName::try_from(plan.target.server_name().to_owned());
            let name = name
                .map_err(|_| LoadError::Plan("the target's host is no name for a certificate"))?;
            Some((Arc::clone(config), name))
        }
    };
    Ok(Route {
        address,
        tls,
        max_response_bytes: plan.max_response_bytes,
    })
}

/// Adds up what the threads hand over, second by second.
fn gather(
    receiver: &Receiver<Message>,
    threads: usize,
    log: Option<&mut dyn io::Write>,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(Interval, Vec<Closing>), LoadError> {
    let create = |error| LoadError::Thread(io::Error::other(error));
    let mut total = Interval::new().map_err(create)?;
    let mut closings = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut sink = io::sink();
    let mut log = log.unwrap_or(&mut sink);
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("latencies in microseconds")
        .with_start_time(SystemTime::now())
        .with_base_time(SystemTime::now())
        .with_max_value_divisor(1e3)
        .begin_log_with(&mut log, &mut serializer)
        .map_err(LoadError::Log)?;
    // Seconds that some threads have handed over; a thread is at most a few ahead of another.
    let mut pending: BTreeMap<u64, (usize, Interval)> = BTreeMap::new();
    let mut publish = |slot: u64, interval: &Interval| {
        let start = Duration::from_secs(slot);
        let logged = log.write_histogram(&interval.latency_us, start, worker::SLOT, None);
        logged.map_err(|error| LoadError::Log(io::Error::other(format!("{error:?}"))))?;
        progress(&Progress {
            elapsed: start + worker::SLOT,
            ok: interval.ok,
            failed: interval.failed(),
            p50_us: interval.latency_us.value_at_quantile(0.5),
            p99_us: interval.latency_us.value_at_quantile(0.99),
        });
        total
            .add(interval)
            .map_err(|error| LoadError::Thread(io::Error::other(error)))
    };
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Done(closing) => closings.push(closing),
            Message::Slot { slot, interval } => match pending.get_mut(&slot) {
                None => drop(pending.insert(slot, (1, *interval))),
                Some((count, sum)) => {
                    *count += 1;
                    sum.add(&interval)
                        .map_err(|error| LoadError::Thread(io::Error::other(error)))?;
                }
            },
        }
        // A second is whole when every thread has handed it over that lived so long.
        while let Some(oldest) = pending.first_entry() {
            let slot = *oldest.key();
            let ended = closings
                .iter()
                .filter(|closing| closing.slots <= slot)
                .count();
            if oldest.get().0 + ended < threads {
                break;
            }
            publish(slot, &oldest.remove().1)?;
        }
    }
    // Left behind only by a thread that broke, which is told elsewhere.
    for (slot, (_, interval)) in pending {
        publish(slot, &interval)?;
    }
    Ok((total, closings))
}

/// Asks for the newest block once; a target that does not say gets a head out of the air.
fn learn_head(plan: &Plan, route: &Route) -> u64 {
    const UNKNOWN: u64 = 20_000_000;
    let ask = async {
        let mut client = Client::new(route.clone());
        let mut body = Vec::new();
        Bodies::new(&Mix::head(), 0, 0, 0).next(&mut body, &mut Vec::new());
        let mut request = worker::prefix(plan);
        request.extend_from_slice(format!("{}\r\n\r\n", body.len()).as_bytes());
        request.extend_from_slice(&body);
        let response = client.exchange(&request).await.ok()?;
        let result = crate::scan::member(response.body, b"result")?;
        crate::hex::parse_quantity(crate::scan::unquoted(result)?).and_then(NonZeroU64::new)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let head = runtime.ok().and_then(|runtime| {
        runtime.block_on(async { tokio::time::timeout(plan.timeout, ask).await.ok().flatten() })
    });
    head.map_or(UNKNOWN, NonZeroU64::get)
}
