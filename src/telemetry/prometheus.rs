//! A snapshot as a Prometheus scrape: text exposition format 0.0.4, classic `le` buckets in seconds.
//! Never writes `# UNIT` or `# EOF` (those are OpenMetrics); never a label that the table does not declare.

use std::fmt::Write as _;

use crate::metrics::{METRICS, Metric, MetricSpec, Unit};
use crate::recorder::Shape;
use crate::series::bounds;
use crate::snapshot::Snapshot;

/// The content type of what [`render`] makes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The whole table with the snapshot's numbers.
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let shape = Shape::new(snapshot.dimensions());
    let mut out = String::with_capacity(64 * 1024);
    for (metric, spec) in Metric::ALL.iter().zip(METRICS) {
        out.push_str("# HELP ");
        out.push_str(spec.name);
        out.push(' ');
        push_escaped(&mut out, spec.help, false);
        out.push_str("\n# TYPE ");
        out.push_str(spec.name);
        out.push(' ');
        out.push_str(spec.kind.prometheus());
        out.push('\n');
        if spec.kind.is_histogram() {
            render_distributions(&mut out, snapshot, &shape, *metric, spec);
        } else {
            render_samples(&mut out, snapshot, &shape, *metric, spec);
        }
    }
    out
}

fn render_samples(
    out: &mut String,
    snapshot: &Snapshot,
    shape: &Shape,
    metric: Metric,
    spec: &MetricSpec,
) {
    for sample in snapshot.samples(shape, metric) {
        if sample.value == 0 && spec.is_sparse() {
            continue;
        }
        out.push_str(spec.name);
        push_labels(out, &labels(snapshot, spec, &sample.point), None);
        push_value(out, sample.value, spec.unit);
        out.push('\n');
    }
}

fn render_distributions(
    out: &mut String,
    snapshot: &Snapshot,
    shape: &Shape,
    metric: Metric,
    spec: &MetricSpec,
) {
    for (point, series) in snapshot.distributions(shape, metric) {
        let labels = labels(snapshot, spec, &point);
        series.cumulative(bounds(spec.kind), |le, below| {
            push_bucket(out, spec, &labels, le, below)
        });
        push_bucket(out, spec, &labels, "+Inf", series.count());
        for (suffix, value, unit) in [
            ("_sum", series.sum(), spec.unit),
            ("_count", series.count(), Unit::One),
        ] {
            out.push_str(spec.name);
            out.push_str(suffix);
            push_labels(out, &labels, None);
            push_value(out, value, unit);
            out.push('\n');
        }
    }
}

fn push_bucket(out: &mut String, spec: &MetricSpec, labels: &str, le: &str, below: u64) {
    out.push_str(spec.name);
    out.push_str("_bucket");
    push_labels(out, labels, Some(le));
    push_value(out, below, Unit::One);
    out.push('\n');
}

/// The labels of a point as `a="b",c="d"`, without braces: the same for all lines of a distribution.
fn labels(snapshot: &Snapshot, spec: &MetricSpec, point: &[usize]) -> String {
    let mut text = String::new();
    for (axis, index) in spec.axes.iter().zip(point) {
        axis.describe(snapshot.dimensions(), *index, |name, value| {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            text.push_str("=\"");
            push_escaped(&mut text, value, true);
            text.push('"');
        });
    }
    text
}

fn push_labels(out: &mut String, labels: &str, le: Option<&str>) {
    if labels.is_empty() && le.is_none() {
        return;
    }
    out.push('{');
    out.push_str(labels);
    if let Some(le) = le {
        if !labels.is_empty() {
            out.push(',');
        }
        out.push_str("le=\"");
        out.push_str(le);
        out.push('"');
    }
    out.push('}');
}

/// A space and the number. Seconds are written exactly, from the microseconds.
fn push_value(out: &mut String, value: u64, unit: Unit) {
    out.push(' ');
    // Writing to a String cannot fail.
    let _ = match unit {
        Unit::One => write!(out, "{value}"),
        Unit::Micros => push_decimal(out, value, 6),
        Unit::Millis => push_decimal(out, value, 3),
        Unit::Picos => push_decimal(out, value, 12),
    };
}

/// A whole number of 10^-`digits`.
fn push_decimal(out: &mut String, value: u64, digits: u32) -> std::fmt::Result {
    let scale = 10_u64.pow(digits);
    let (whole, rest) = (value / scale, value % scale);
    if rest == 0 {
        return write!(out, "{whole}");
    }
    let width = digits as usize;
    let written = write!(out, "{whole}.{rest:0width$}");
    out.truncate(out.trim_end_matches('0').len());
    written
}

/// Escapes as the format says: backslash and line feed everywhere, the quote in label values only.
fn push_escaped(out: &mut String, text: &str, quote: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quote => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: u64, unit: Unit) -> String {
        let mut out = String::new();
        push_value(&mut out, value, unit);
        out
    }

    #[test]
    fn seconds_are_exact_and_short() {
        assert_eq!(shown(0, Unit::Micros), " 0");
        assert_eq!(shown(1, Unit::Micros), " 0.000001");
        assert_eq!(shown(1_500_000, Unit::Micros), " 1.5");
        assert_eq!(shown(30_000_000, Unit::Micros), " 30");
        assert_eq!(shown(1, Unit::Millis), " 0.001");
        assert_eq!(shown(1_000, Unit::Millis), " 1");
        assert_eq!(shown(450_000, Unit::Picos), " 0.00000045");
        assert_eq!(shown(u64::MAX, Unit::Picos), " 18446744.073709551615");
        assert_eq!(shown(u64::MAX, Unit::One), " 18446744073709551615");
    }

    #[test]
    fn labels_are_escaped_and_help_keeps_its_quotes() {
        let mut out = String::new();
        push_escaped(&mut out, "a\"b\\c\nd", true);
        assert_eq!(out, r#"a\"b\\c\nd"#);
        out.clear();
        push_escaped(&mut out, "a\"b\n", false);
        assert_eq!(out, r#"a"b\n"#);
    }
}
