//! What a run found, as text and as JSON. Says what it is about the target, and what about the generator itself.

use super::record::Interval;
use super::worker::Closing;
use super::{Arrival, Plan};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Latencies in microseconds, of successful requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // The names say it all, and the unit is theirs.
pub struct Latencies {
    pub min_us: u64,
    pub mean_us: f64,
    pub p50_us: u64,
    pub p75_us: u64,
    pub p90_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
    pub p99_9_us: u64,
    pub p99_99_us: u64,
    pub max_us: u64,
}

impl Latencies {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            min_us: histogram.min(),
            mean_us: histogram.mean(),
            p50_us: at(0.5),
            p75_us: at(0.75),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            p99_99_us: at(0.9999),
            max_us: histogram.max(),
        }
    }
}

/// How the generator itself fared: when it was the bottleneck, the figures are its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Generator {
    /// Processor share of its busiest thread, 0 to 1.
    pub cpu_share: f64,
    /// Share of the time in which that thread could have run and another process did.
    pub waiting_share: f64,
    /// How late it began requests that were due and had a free connection (99 %), in microseconds.
    pub lag_p99_us: u64,
}

/// What a run found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Scheme, host and port; never the path, which may hold a key.
    pub target: String,
    /// The mix as it was given.
    pub mix: String,
    /// How requests arrived.
    pub arrival: Arrival,
    /// Threads of the generator.
    pub threads: usize,
    /// Time measured, in seconds: from the end of the warm-up to the last answer.
    pub duration_s: f64,
    /// Requests that succeeded.
    pub ok: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Arrivals that were due before the end and found no free connection until then (open loop).
    pub unsent: u64,
    /// Calls in the requests that succeeded.
    pub calls_ok: u64,
    /// Successful requests a second.
    pub rate_per_s: f64,
    /// Failed requests, as a share of all that were sent.
    pub error_rate: f64,
    /// Failed requests by kind.
    pub failures: BTreeMap<String, u64>,
    /// Bytes of the answers, heads included.
    pub bytes_in: u64,
    /// In an open loop from the intended start (corrected for coordinated omission), in a closed one from the start.
    pub latency: Latencies,
    /// From the actual start, in an open loop.
    pub latency_uncorrected: Option<Latencies>,
    /// The generator's own state.
    pub generator: Generator,
    /// What a reader must know before believing the figures.
    pub warnings: Vec<String>,
    #[serde(skip)]
    histogram: Histogram<u64>,
}

/// A share of a core above which a thread is taken to be saturated.
const SATURATED: f64 = 0.95;
/// Lag (99 %) from which the schedule is taken to be missed.
const LATE_US: u64 = 2_000;

impl Report {
    pub(crate) fn new(plan: &Plan, total: &Interval, closings: &[Closing]) -> Self {
        let last = closings
            .iter()
            .map(|closing| closing.last)
            .max()
            .unwrap_or_default();
        let bounded = plan.max_requests.is_some();
        // A run that was bounded by time was measured that long, even if the last answers were early.
        let measured = last.saturating_sub(plan.warmup);
        let measured = if bounded {
            measured
        } else {
            measured.max(plan.duration)
        };
        let (ok, failed) = (total.ok, total.failed());
        let duration_s = measured.as_secs_f64().max(f64::MIN_POSITIVE);
        let mut report = Self {
            target: plan.target.to_string(),
            mix: plan.mix.to_string(),
            arrival: plan.arrival,
            threads: plan.threads,
            duration_s,
            ok,
            failed,
            unsent: closings.iter().map(|closing| closing.unsent).sum(),
            calls_ok: total.calls_ok,
            rate_per_s: ok as f64 / duration_s,
            error_rate: if failed == 0 {
                0.0
            } else {
                failed as f64 / (ok + failed) as f64
            },
            failures: total
                .failures
                .iter()
                .map(|(failure, count)| (failure.to_string(), *count))
                .collect(),
            bytes_in: total.bytes,
            latency: Latencies::of(&total.latency_us),
            latency_uncorrected: matches!(plan.arrival, Arrival::Open { .. })
                .then(|| Latencies::of(&total.uncorrected_us)),
            generator: generator(total, closings),
            warnings: Vec::new(),
            histogram: total.latency_us.clone(),
        };
        report.warnings = report.judge();
        report
    }

    /// The latency at a quantile between 0 and 1, in microseconds.
    #[must_use]
    pub fn latency_at_us(&self, quantile: f64) -> u64 {
        self.histogram.value_at_quantile(quantile)
    }

    fn judge(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let own = &self.generator;
        if own.cpu_share > SATURATED {
            warnings.push(format!(
                "the generator is the bottleneck: its busiest thread used {:.0} % of a core. Use more threads, or \
                 read the figures as its own",
                own.cpu_share * 100.0
            ));
        } else if own.waiting_share > 0.2 {
            warnings.push(format!(
                "other processes kept the generator from running for {:.0} % of the time; latencies include that",
                own.waiting_share * 100.0
            ));
        }
        if let Arrival::Open { rate_per_s, .. } = self.arrival {
            if own.lag_p99_us > LATE_US {
                warnings.push(format!(
                    "the generator missed its own schedule: 1 % of the requests began {} or later after they were due \
                     although a connection was free",
                    Time(own.lag_p99_us as f64)
                ));
            }
            if self.unsent > 0 {
                warnings.push(format!(
                    "{} arrivals found no free connection before the end: the target does not hold {rate_per_s}/s over \
                     so many connections",
                    self.unsent
                ));
            }
        }
        if self.ok == 0 {
            warnings.push("no request succeeded".to_owned());
        }
        warnings
    }
}

fn generator(total: &Interval, closings: &[Closing]) -> Generator {
    let share = |part: Duration, wall: &Duration| {
        part.as_secs_f64() / wall.as_secs_f64().max(f64::MIN_POSITIVE)
    };
    let shares = closings.iter().filter_map(|closing| closing.spent.as_ref());
    let shares =
        shares.map(|(spent, wall)| (share(spent.running, wall), share(spent.waiting, wall)));
    let (cpu_share, waiting_share) = shares
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or_default();
    Generator {
        cpu_share,
        waiting_share,
        lag_p99_us: total.lag_us.value_at_quantile(0.99),
    }
}

/// Microseconds, shown in the unit that fits.
pub(crate) struct Time(pub(crate) f64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            us if us < 1_000.0 => format!("{us:.0} µs"),
            us if us < 1_000_000.0 => format!("{:.2} ms", us / 1e3),
            us => format!("{:.2} s", us / 1e6),
        };
        f.pad(&text)
    }
}

impl fmt::Display for Report {
    /// The human form: a table of percentiles between totals and warnings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = if self.threads == 1 {
            "1 thread".to_owned()
        } else {
            format!("{} threads", self.threads)
        };
        writeln!(
            f,
            "{}  {}  {}, {threads}, {:.1} s",
            self.target, self.mix, self.arrival, self.duration_s
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "  requests   {:>12} ok   {:>10} failed ({:.3} %)",
            self.ok,
            self.failed,
            self.error_rate * 100.0
        )?;
        writeln!(
            f,
            "  rate       {:>12.1} /s   {:>10} calls   {:.1} MB in",
            self.rate_per_s,
            self.calls_ok,
            self.bytes_in as f64 / 1e6
        )?;
        for (failure, count) in &self.failures {
            writeln!(f, "    {count:>10}  {failure}")?;
        }
        writeln!(f)?;
        let corrected = if self.latency_uncorrected.is_some() {
            "corrected"
        } else {
            "latency"
        };
        write!(f, "  {:>8}  {corrected:>12}", "")?;
        writeln!(
            f,
            "{}",
            if self.latency_uncorrected.is_some() {
                "   uncorrected"
            } else {
                ""
            }
        )?;
        for (name, pick) in ROWS {
            write!(f, "  {name:>8}  {:>12}", Time(pick(&self.latency)))?;
            if let Some(uncorrected) = &self.latency_uncorrected {
                write!(f, "  {:>12}", Time(pick(uncorrected)))?;
            }
            writeln!(f)?;
        }
        writeln!(f)?;
        let own = &self.generator;
        write!(f, "  generator  {:.0} % of a core", own.cpu_share * 100.0)?;
        if self.latency_uncorrected.is_some() {
            write!(
                f,
                ", p99 {} behind its schedule",
                Time(own.lag_p99_us as f64)
            )?;
        }
        writeln!(f)?;
        self.warnings
            .iter()
            .try_for_each(|warning| writeln!(f, "  warning: {warning}"))
    }
}

type Pick = fn(&Latencies) -> f64;

const ROWS: [(&str, Pick); 10] = [
    ("min", |l| l.min_us as f64),
    ("mean", |l| l.mean_us),
    ("50 %", |l| l.p50_us as f64),
    ("75 %", |l| l.p75_us as f64),
    ("90 %", |l| l.p90_us as f64),
    ("95 %", |l| l.p95_us as f64),
    ("99 %", |l| l.p99_us as f64),
    ("99.9 %", |l| l.p99_9_us as f64),
    ("99.99 %", |l| l.p99_99_us as f64),
    ("max", |l| l.max_us as f64),
];
