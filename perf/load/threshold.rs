//! Conditions under which a run counts as failed: `p99>50ms`, `error_rate>0.1%`, `rate<1000`. Parses and compares.

use super::report::{Report, Time};
use std::fmt;
use std::str::FromStr;

/// Exit code of a run that a threshold failed (k6's).
pub const EXIT_CODE: u8 = 99;

/// A condition under which a run fails.
///
/// Text form: `METRIC OPERATOR VALUE`, blanks optional. Metrics: `p50`, `p99.9` and any other percentile, `min`, `mean`,
/// `max` (values with `us`, `ms` or `s`); `error_rate` (`0.1%` or `0.001`); `rate` (successful requests a second),
/// `failed` and `unsent` (plain numbers). Operators: `>`, `>=`, `<`, `<=`.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    metric: Metric,
    comparison: Comparison,
    value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    Quantile(f64),
    Min,
    Mean,
    Max,
    ErrorRate,
    Rate,
    Failed,
    Unsent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// Why a text is no threshold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// No operator in it.
    #[error("{0:?} has no >, >=, < or <=")]
    Operator(String),
    /// The metric is none.
    #[error(
        "unknown metric {0:?}: use p50, p99, p99.9, min, mean, max, error_rate, rate, failed or unsent"
    )]
    Metric(String),
    /// The value is no number of that metric's unit.
    #[error(
        "{0:?} is no value for this metric: latencies need us, ms or s; error_rate takes a % or a share"
    )]
    Value(String),
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let at = text
            .find(['>', '<'])
            .ok_or_else(|| ThresholdError::Operator(text.to_owned()))?;
        let (metric, rest) = text.split_at(at);
        let (comparison, value) = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::Above),
            ("<", Comparison::Below),
        ]
        .into_iter()
        .find_map(|(operator, comparison)| Some((comparison, rest.strip_prefix(operator)?)))
        .ok_or_else(|| ThresholdError::Operator(text.to_owned()))?;
        let metric = metric.trim();
        let metric =
            Metric::parse(metric).ok_or_else(|| ThresholdError::Metric(metric.to_owned()))?;
        let value = value.trim();
        let value = metric
            .value(value)
            .ok_or_else(|| ThresholdError::Value(value.to_owned()))?;
        Ok(Self {
            metric,
            comparison,
            value,
        })
    }
}

impl Metric {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "min" => Self::Min,
            "mean" => Self::Mean,
            "max" => Self::Max,
            "error_rate" => Self::ErrorRate,
            "rate" => Self::Rate,
            "failed" => Self::Failed,
            "unsent" => Self::Unsent,
            _ => {
                let percent: f64 = plain(name.strip_prefix('p')?)?;
                return (0.0..=100.0)
                    .contains(&percent)
                    .then_some(Self::Quantile(percent / 100.0));
            }
        })
    }

    fn is_latency(self) -> bool {
        matches!(self, Self::Quantile(_) | Self::Min | Self::Mean | Self::Max)
    }

    /// The value in this metric's unit: microseconds, a share, a number.
    fn value(self, text: &str) -> Option<f64> {
        if self.is_latency() {
            let units = [("us", 1.0), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)];
            return units
                .into_iter()
                .find_map(|(unit, factor)| Some(plain(text.strip_suffix(unit)?)? * factor));
        }
        match (self, text.strip_suffix('%')) {
            (Self::ErrorRate, Some(percent)) => Some(plain(percent)? / 100.0),
            (_, Some(_)) => None,
            _ => plain(text),
        }
    }

    fn of(self, report: &Report) -> f64 {
        match self {
            Self::Quantile(quantile) => report.latency_at_us(quantile) as f64,
            Self::Min => report.latency.min_us as f64,
            Self::Mean => report.latency.mean_us,
            Self::Max => report.latency.max_us as f64,
            Self::ErrorRate => report.error_rate,
            Self::Rate => report.rate_per_s,
            Self::Failed => report.failed as f64,
            Self::Unsent => report.unsent as f64,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::ErrorRate => format!("{} %", value * 100.0),
            _ if self.is_latency() => Time(value).to_string(),
            _ => value.to_string(),
        }
    }
}

/// A number without sign, exponent or names like `nan`.
fn plain(text: &str) -> Option<f64> {
    let text = text.trim();
    let fits = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| fits)
}

impl Threshold {
    /// What is wrong with the run by this threshold: a sentence, or nothing. A latency of a run in which nothing
    /// succeeded is always wrong.
    #[must_use]
    pub fn breached_by(&self, report: &Report) -> Option<String> {
        if self.metric.is_latency() && report.ok == 0 {
            return Some(format!("{self}: nothing succeeded, so there is no latency"));
        }
        let found = self.metric.of(report);
        let breached = match self.comparison {
            Comparison::Above => found > self.value,
            Comparison::AtLeast => found >= self.value,
            Comparison::Below => found < self.value,
            Comparison::AtMost => found <= self.value,
        };
        breached.then(|| format!("{self}: it is {}", self.metric.show(found)))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.metric {
            Metric::Quantile(quantile) => write!(f, "p{}", (quantile * 1e8).round() / 1e6)?,
            Metric::Min => f.write_str("min")?,
            Metric::Mean => f.write_str("mean")?,
            Metric::Max => f.write_str("max")?,
            Metric::ErrorRate => f.write_str("error_rate")?,
            Metric::Rate => f.write_str("rate")?,
            Metric::Failed => f.write_str("failed")?,
            Metric::Unsent => f.write_str("unsent")?,
        }
        let operator = match self.comparison {
            Comparison::Above => ">",
            Comparison::AtLeast => ">=",
            Comparison::Below => "<",
            Comparison::AtMost => "<=",
        };
        write!(f, " {operator} {}", self.metric.show(self.value))
    }
}
