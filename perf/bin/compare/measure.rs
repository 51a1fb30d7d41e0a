//! One cell of the comparison: one side of a trial in one round. Reads the kernel's accounts around a run of the load
//! generator, and counts at both ends; whether the figures may be used is `judge`'s to say.

use crate::judge::{Facts, judge};
use crate::lane::{Measure, Pace, Side, Work};
use crate::proxy::Proxy;
use crate::stage::Stage;
use perf::cpu::Tree;
use perf::idle::Idle;
use perf::load::{Arrival, Mix, Plan, Report, Verify};
use perf::memory::proportional_bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// Time for connections and caches to settle before a cell is measured.
const SETTLING: Duration = Duration::from_millis(300);
/// Time between the opening of idle connections and the rest with them.
const FALLING_SILENT: Duration = Duration::from_secs(3);
/// Connections opened and closed before the idle ones, so that what a first connection sets up is not counted.
const FIRST_CONNECTIONS: usize = 16;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    pub trial: String,
    pub side: String,
    pub round: usize,
    pub requests_ok: u64,
    pub requests_failed: u64,
    /// The failed ones by kind.
    pub failures: BTreeMap<String, u64>,
    /// Calls in the requests that succeeded.
    pub calls_ok: u64,
    /// Calls of the load's methods that reached the providers.
    pub upstream_calls: u64,
    pub figures: BTreeMap<Measure, f64>,
    /// Why the figures must not be used, where they must not.
    pub rejected: Option<String>,
}

impl Cell {
    /// A figure of a cell that counts.
    pub fn figure(&self, measure: Measure) -> Option<f64> {
        let figure = self.figures.get(&measure).copied();
        figure.filter(|_| self.rejected.is_none())
    }
}

/// How long a cell is measured.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Load.
    pub load: Duration,
    /// Nothing happening.
    pub rest: Duration,
}

/// What the cells of a trial have in common.
#[derive(Debug)]
pub struct Setting<'a> {
    pub stage: &'a Stage,
    pub times: Times,
    /// The rate of sides whose pace depends on what the first one reaches.
    pub rate_per_s: Option<f64>,
    /// Whether the lane is about latency.
    pub is_about_latency: bool,
}

/// Does a side's work once.
pub fn cell(
    side: &Side,
    round: usize,
    proxy: &Proxy,
    common: &Setting<'_>,
) -> Result<Cell, Box<dyn Error>> {
    match &side.work {
        Work::Load { mix, pace, .. } => {
            let arrival = arrival(*pace, side.cores, common.rate_per_s)?;
            loaded(side, &mix.parse()?, arrival, round, proxy, common)
        }
        Work::Idle { connections } => at_rest(*connections, proxy, common.times.rest),
    }
}

/// Puts a proxy under a side's load for some time. Nothing is measured; failures are told.
pub fn under_load(
    side: &Side,
    proxy: &Proxy,
    stage: &Stage,
    time: Duration,
) -> Result<(), Box<dyn Error>> {
    let Work::Load { mix, pace, .. } = &side.work else {
        return Err("there is no load in an idle lane".into());
    };
    let plan = plan(
        &mix.parse()?,
        arrival(*pace, side.cores, None)?,
        proxy,
        stage,
    );
    let found = stage.run(&Plan {
        duration: time,
        ..plan
    })?;
    if found.failed > 0 || found.ok == 0 {
        return Err(format!("{} requests failed, {} succeeded", found.failed, found.ok).into());
    }
    Ok(())
}

/// The rate that a proxy reaches in a closed loop, in requests a second.
pub fn maximum_rate(
    mix: &str,
    connections: usize,
    proxy: &Proxy,
    stage: &Stage,
    time: Duration,
) -> Result<f64, Box<dyn Error>> {
    let plan = plan(&mix.parse()?, Arrival::Closed { connections }, proxy, stage);
    let plan = Plan {
        warmup: SETTLING,
        duration: time,
        ..plan
    };
    Ok(stage.run(&plan)?.rate_per_s)
}

fn arrival(pace: Pace, cores: usize, rate_per_s: Option<f64>) -> Result<Arrival, &'static str> {
    Ok(match pace {
        Pace::Closed { connections } => Arrival::Closed {
            connections: connections * cores,
        },
        Pace::Open {
            rate_per_s,
            connections,
        } => Arrival::Open {
            rate_per_s,
            connections: connections * cores,
        },
        Pace::HalfOfMaximum { connections } => Arrival::Open {
            rate_per_s: rate_per_s.ok_or("the maximum was not measured")?,
            connections: connections * cores,
        },
    })
}

fn plan(mix: &Mix, arrival: Arrival, proxy: &Proxy, stage: &Stage) -> Plan {
    Plan {
        mix: mix.clone(),
        warmup: Duration::ZERO,
        verify: Verify::Synthetic,
        tls: Some(stage.trust()),
        ..Plan::new(proxy.target().clone(), arrival)
    }
}

fn loaded(
    side: &Side,
    mix: &Mix,
    arrival: Arrival,
    round: usize,
    proxy: &Proxy,
    common: &Setting<'_>,
) -> Result<Cell, Box<dyn Error>> {
    let stage = common.stage;
    let seed = u64::try_from(round)? + 1;
    let verify = if stage.has_own_balances() {
        Verify::Synthetic
    } else {
        Verify::Envelope
    };
    let plan = Plan {
        duration: SETTLING,
        seed: seed << 32,
        verify,
        ..plan(mix, arrival, proxy, stage)
    };
    stage.run(&plan)?;
    let own = std::process::id();
    let methods = mix.methods();
    let before = (
        stage.calls(&methods),
        proxy.spent()?,
        Tree::read_alone(own)?,
        Instant::now(),
    );
    let plan = Plan {
        duration: common.times.load,
        seed,
        ..plan
    };
    let found = stage.run(&plan)?;
    let wall_s = before.3.elapsed().as_secs_f64();
    let after = (
        stage.calls(&methods),
        proxy.spent()?,
        Tree::read_alone(own)?,
    );
    let spent = after.1.since(&before.1);
    // The generator's threads are not older than the run; its own report has their share.
    let harness_s = after.2.since_of_known(&before.2).running.as_secs_f64()
        + found.generator.cpu_share * wall_s;
    let upstream_calls = after.0 - before.0;
    let mut figures = figures(&found, spent.running.as_secs_f64() * 1e6, upstream_calls);
    let requests = found.ok.max(1) as f64;
    figures.extend([
        (Measure::ProxyShare, spent.running.as_secs_f64() / wall_s),
        (
            Measure::ProxyWaitingShare,
            spent.waiting.as_secs_f64() / wall_s,
        ),
        (Measure::HarnessShare, harness_s / wall_s),
        (Measure::HarnessUsPerRequest, harness_s * 1e6 / requests),
    ]);
    let mut cell = Cell {
        round,
        requests_ok: found.ok,
        requests_failed: found.failed,
        failures: found.failures,
        calls_ok: found.calls_ok,
        upstream_calls,
        figures,
        ..Cell::default()
    };
    cell.rejected = judge(
        &cell,
        &Facts {
            upstream: side.upstream,
            cores: side.cores,
            is_open: matches!(arrival, Arrival::Open { .. }),
            is_about_latency: common.is_about_latency,
            unsent: found.unsent,
            lag_p99_us: found.generator.lag_p99_us,
            lost_thread: before.1.lost_in(&after.1),
        },
    );
    Ok(cell)
}

fn figures(found: &Report, cpu_us: f64, upstream_calls: u64) -> BTreeMap<Measure, f64> {
    let (requests, calls) = (found.ok.max(1) as f64, found.calls_ok.max(1) as f64);
    let questions = calls / found.arrival.connections() as f64;
    BTreeMap::from([
        (Measure::CpuUsPerRequest, cpu_us / requests),
        (Measure::CpuUsPerCall, cpu_us / calls),
        (Measure::RequestsPerS, found.rate_per_s),
        (Measure::P50Us, found.latency.p50_us as f64),
        (Measure::P99Us, found.latency.p99_us as f64),
        (Measure::P999Us, found.latency.p99_9_us as f64),
        (Measure::UpstreamPerCall, upstream_calls as f64 / calls),
        (
            Measure::UpstreamPerQuestion,
            upstream_calls as f64 / questions,
        ),
    ])
}

fn at_rest(connections: usize, proxy: &Proxy, time: Duration) -> Result<Cell, Box<dyn Error>> {
    drop(Idle::open(proxy.target(), FIRST_CONNECTIONS)?);
    let share_at_rest = share(proxy, time)?;
    let bytes = proportional_bytes(proxy.pid())?;
    let idle = Idle::open(proxy.target(), connections)?;
    // What a proxy puts away once connections have fallen silent is not rest.
    std::thread::sleep(FALLING_SILENT);
    let share_with_idle = share(proxy, time)?;
    let more = proportional_bytes(proxy.pid())?.saturating_sub(bytes);
    let alive = idle.alive();
    let rejected = (alive < connections).then(|| {
        format!(
            "of {connections} idle connections the proxy closed {}",
            connections - alive
        )
    });
    Ok(Cell {
        requests_ok: u64::try_from(connections)?,
        figures: BTreeMap::from([
            (
                Measure::BytesPerConnection,
                more as f64 / connections.max(1) as f64,
            ),
            (Measure::ShareAtRest, share_at_rest),
            (Measure::ShareWithIdle, share_with_idle),
        ]),
        rejected,
        ..Cell::default()
    })
}

/// Share of a core that a proxy uses while nothing is asked of it.
fn share(proxy: &Proxy, time: Duration) -> Result<f64, Box<dyn Error>> {
    std::thread::sleep(SETTLING);
    let (before, start) = (proxy.spent()?, Instant::now());
    std::thread::sleep(time);
    let spent = proxy.spent()?.since(&before);
    Ok(spent.running.as_secs_f64() / start.elapsed().as_secs_f64())
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<20} round {}  {:<32}",
            self.trial,
            self.round + 1,
            self.side
        )?;
        for (measure, value) in &self.figures {
            let percent = if measure.is_share() { 100.0 } else { 1.0 };
            let unit = if measure.is_share() { " %" } else { "" };
            let digits = measure.digits();
            let title = measure.title();
            write!(f, "  {title} {:.digits$}{unit}", value * percent)?;
        }
        self.rejected
            .as_ref()
            .map_or(Ok(()), |why| write!(f, "  rejected: {why}"))
    }
}
