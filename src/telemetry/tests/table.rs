//! The naming rules of the metric table, the tables against each other, and the generated pages.

use std::collections::HashSet;

use crate::events::{EVENTS, FIELDS};
use crate::manual;
use crate::metrics::{Kind, METRICS, Metric, Unit};

#[test]
fn names_follow_the_rules() {
    let mut names = HashSet::new();
    for spec in METRICS {
        let name = spec.name;
        assert!(names.insert(name), "{name} is declared twice");
        assert!(
            name.starts_with("livechain_") || name.starts_with("process_"),
            "{name}"
        );
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        assert_eq!(
            name.ends_with("_total"),
            spec.kind == Kind::Counter,
            "{name}: counters end in _total"
        );
        for suffix in [
            "_bucket",
            "_count",
            "_sum",
            "_ms",
            "_us",
            "_milliseconds",
            "_kb",
        ] {
            assert!(!name.ends_with(suffix), "{name} ends in {suffix}");
        }
        assert_eq!(
            name.contains("_seconds"),
            spec.unit == Unit::Micros,
            "{name}: what is kept in µs is shown in seconds, and says so"
        );
        assert!(
            spec.kind != Kind::Durations || spec.unit == Unit::Micros,
            "{name}"
        );
        assert!(
            spec.help.ends_with('.') && !spec.help.contains('\n'),
            "{name}: help is one sentence"
        );
        assert!(
            spec.axes.len() <= 3,
            "{name}: recorders keep room for three axes"
        );
    }
}

#[test]
fn labels_of_a_metric_are_distinct() {
    for spec in METRICS {
        let labels: Vec<_> = spec.axes.iter().flat_map(|axis| axis.names()).collect();
        let distinct: HashSet<_> = labels.iter().collect();
        assert_eq!(labels.len(), distinct.len(), "{}: {labels:?}", spec.name);
        assert!(
            !labels.contains(&&"le"),
            "{}: le belongs to buckets",
            spec.name
        );
    }
}

#[test]
fn the_enum_points_at_its_own_row() {
    assert_eq!(Metric::ALL.len(), METRICS.len());
    assert_eq!(Metric::Requests.spec().name, "livechain_requests_total");
    assert_eq!(
        Metric::ProcessStart.spec().name,
        "process_start_time_seconds"
    );
}

#[test]
fn fields_and_events_are_declared_once_and_used() {
    let names: HashSet<_> = FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names.len(), FIELDS.len());
    let used: HashSet<_> = EVENTS
        .iter()
        .flat_map(|event| event.fields)
        .map(|field| field.spec().name)
        .collect();
    assert_eq!(used, names, "every field belongs to an event");
    for event in EVENTS {
        let distinct: HashSet<_> = event.fields.iter().map(|field| field.spec().name).collect();
        assert_eq!(distinct.len(), event.fields.len(), "{}", event.name);
    }
}

/// Compares a page with the file, or writes the file where `LIVECHAIN_BLESS` is set.
fn assert_page(file: &str, page: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manual")
        .join(file);
    if std::env::var_os("LIVECHAIN_BLESS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "manual/{file} is not what the tables say: run the tests with LIVECHAIN_BLESS=1"
    );
}

#[test]
fn the_page_of_metrics_is_current() {
    assert_page("metrics.md", &manual::metrics_page());
}

#[test]
fn the_page_of_events_is_current() {
    assert_page("events.md", &manual::events_page());
}
