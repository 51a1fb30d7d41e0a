//! The manual's pages about metrics and events, made of the tables, so that they cannot drift from them.
//! Never holds a fact of its own about a metric or an event.

use std::fmt::Write as _;

use crate::events::{EVENTS, FieldKind};
use crate::metrics::{Axis, Kind, METRICS};
use crate::series::{DURATION_BOUNDS, SIZE_BOUNDS};

const GENERATED: &str = "<!-- Generated from the tables in src/telemetry; `LIVECHAIN_BLESS=1 cargo test -p telemetry` writes it anew. -->\n";

/// The page `manual/metrics.md`.
#[must_use]
pub fn metrics_page() -> String {
    let mut page = String::from("# Metrics\n\n");
    page.push_str(GENERATED);
    page.push_str(
        "\n`GET /metrics` on the admin port answers in the Prometheus text format 0.0.4. Every shard counts for itself; a\n\
         scrape adds the shards up. Durations are recorded in HDR histograms (µs, two significant digits, at most five\n\
         minutes) and shown as classic buckets in seconds; `GET /debug/latency.hlog` has the same distributions whole.\n\n\
         - Every label comes from a closed set: the configuration's names, the standard methods (any other is `_OTHER`),\n  \
         and the lists below. No client can add a series.\n\
         - A series that is split by method appears with its first event. All others are there from the start, at 0.\n\
         - A distribution appears with its first value.\n\n\
         | metric | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for spec in METRICS {
        let labels: Vec<_> = spec
            .axes
            .iter()
            .flat_map(|axis| axis.names())
            .map(|name| format!("`{name}`"))
            .collect();
        let kind = match spec.kind {
            Kind::GaugeMax => "gauge (highest of the shards)",
            Kind::GaugeSum => "gauge (sum of the shards)",
            other => other.prometheus(),
        };
        let _ = writeln!(
            page,
            "| `{}` | {kind} | {} | {} |",
            spec.name,
            labels.join(", "),
            spec.help
        );
    }
    page.push_str("\n## Buckets\n\n");
    let _ = writeln!(page, "Seconds: {}.\n", bounds_text(DURATION_BOUNDS));
    let _ = writeln!(page, "Calls: {}.", bounds_text(SIZE_BOUNDS));
    page.push_str("\n## Labels with fixed values\n\n| label | of | values |\n|---|---|---|\n");
    let mut seen: Vec<Axis> = Vec::new();
    for spec in METRICS {
        for axis in spec.axes {
            let (Some(labels), false) = (axis.fixed_labels(), seen.contains(axis)) else {
                continue;
            };
            seen.push(*axis);
            let values: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = writeln!(
                page,
                "| `{}` | `{}` | {} |",
                axis.names().join("`, `"),
                spec.name,
                values.join(", ")
            );
        }
    }
    page
}

fn bounds_text(bounds: &[(u64, &str)]) -> String {
    bounds
        .iter()
        .map(|(_, text)| *text)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The page `manual/events.md`.
#[must_use]
pub fn events_page() -> String {
    let mut page = String::from("# Events and the access log\n\n");
    page.push_str(GENERATED);
    page.push_str(
        "\nThe access log is these events, one JSON object a line. A request is logged whole or not at all: the share of\n\
         requests that are is `PUT /log/sample` on the admin port. Events wait for the writer in bounded queues; those that\n\
         find one full are dropped and counted in `livechain_access_log_events_dropped_total`. Text from outside is escaped\n\
         and cut at 256 bytes. Bodies, params, addresses, URLs and keys are never in an event. A field that does not apply\n\
         is left out.\n",
    );
    for event in EVENTS {
        let _ = write!(
            page,
            "\n## `{}`\n\n{}\n\n| field | type | meaning |\n|---|---|---|\n",
            event.name, event.about
        );
        for field in event.fields {
            let spec = field.spec();
            let kind = match spec.kind {
                FieldKind::Text => "string",
                FieldKind::Number => "number",
                FieldKind::Flag => "boolean",
                FieldKind::List => "array of strings",
                FieldKind::Reasons => "object, upstream → reason",
            };
            let _ = writeln!(page, "| `{}` | {kind} | {} |", spec.name, spec.about);
        }
    }
    page
}
