//! Recording, merging and rendering.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use proptest::prelude::*;

use super::{attempt, busy_recorder, call, dimensions};
use crate::metrics::{Axis, METRICS, Metric};
use crate::{
    AttemptOutcome, CallOutcome, DimensionsDiffer, HIGHEST_DURATION_US, Recorder, Series, Snapshot,
    UpstreamLevels,
};
use crate::{hlog, prometheus};

/// The samples of a scrape by their name and labels.
fn parse(scrape: &str) -> HashMap<String, f64> {
    scrape
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (key, value) = line.rsplit_once(' ').unwrap();
            (key.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn scrape(recorder: &Recorder) -> HashMap<String, f64> {
    parse(&prometheus::render(&recorder.snapshot()))
}

#[test]
fn an_attempt_is_counted_where_it_belongs() {
    let mut recorder = Recorder::new(dimensions(), 0);
    recorder.attempt_ended(&attempt(1, 0, 1, 2_000));
    let mut failed = attempt(1, 0, 1, 5);
    failed.outcome = AttemptOutcome::Fault;
    failed.class = Some(0);
    failed.first_byte_us = None;
    recorder.attempt_ended(&failed);
    let samples = scrape(&recorder);
    let labels = r#"chain="base",upstream="drpc",method="eth_call""#;
    assert_eq!(
        samples[&format!("livechain_attempts_total{{{labels},outcome=\"ok\"}}")],
        1.0
    );
    assert_eq!(
        samples[&format!("livechain_attempts_total{{{labels},outcome=\"fault\"}}")],
        1.0
    );
    assert_eq!(
        samples[r#"livechain_faults_total{chain="base",upstream="drpc",class="transport"}"#],
        1.0
    );
    assert_eq!(
        samples[r#"livechain_faults_total{chain="ethereum",upstream="alchemy",class="transport"}"#],
        0.0
    );
    assert_eq!(
        samples[r#"livechain_upstream_sent_bytes_total{chain="base",upstream="drpc"}"#],
        200.0
    );
    // The refused attempt is no fast answer.
    assert_eq!(
        samples[&format!("livechain_attempt_duration_seconds_count{{{labels}}}")],
        1.0
    );
    assert_eq!(
        samples[&format!("livechain_attempt_duration_seconds_sum{{{labels}}}")],
        0.002
    );
}

#[test]
fn unknown_methods_share_one_series() {
    let mut recorder = Recorder::new(dimensions(), 0);
    for method in 2..5_000 {
        recorder.call_started(0);
        recorder.call_ended(&call(0, method, 10));
        recorder.attempt_ended(&attempt(0, 1, method, 10));
    }
    let snapshot = recorder.snapshot();
    let text = prometheus::render(&snapshot);
    assert_eq!(text.matches("livechain_calls_total{").count(), 1);
    assert!(
        text.contains(
            r#"livechain_calls_total{chain="ethereum",method="_OTHER",outcome="ok"} 4998"#
        )
    );
    assert_eq!(
        text.matches("livechain_attempt_duration_seconds_count{")
            .count(),
        1
    );
    assert_eq!(snapshot.value(Metric::CallsInFlight, &[0]), Some(0));
}

#[test]
fn indices_outside_of_the_axes_count_nowhere() {
    let mut recorder = Recorder::new(dimensions(), 0);
    let before = prometheus::render(&recorder.snapshot());
    recorder.attempt_ended(&attempt(0, 2, 0, 10));
    recorder.attempt_ended(&attempt(9, 0, 0, 10));
    recorder.call_ended(&call(2, 0, 10));
    recorder.selected(0, 0, 99);
    recorder.set_upstream(5, 5, &levels(1));
    assert_eq!(prometheus::render(&recorder.snapshot()), before);
}

fn levels(breaker_state: usize) -> UpstreamLevels {
    UpstreamLevels {
        breaker_state,
        hold_off_us: 1_500_000,
        quarantined: false,
        head_block: 7,
        head_lag_blocks: 1,
        in_flight: 3,
    }
}

#[test]
fn levels_of_shards_add_up_or_keep_the_highest() {
    let mut one = Recorder::new(dimensions(), 0);
    let mut two = Recorder::new(dimensions(), 1);
    one.set_upstream(0, 0, &levels(0));
    two.set_upstream(0, 0, &levels(1));
    // A later level replaces the earlier one.
    two.set_upstream(
        0,
        0,
        &UpstreamLevels {
            hold_off_us: 250_000,
            head_block: 9,
            ..levels(2)
        },
    );
    one.set_ready(true);
    two.set_ready(false);
    let mut merged = one.snapshot();
    merged.merge(&two.snapshot()).unwrap();
    merged.set_level(Metric::ScrapeMissing, 1);
    let samples = parse(&prometheus::render(&merged));
    let state = |state: &str| {
        samples[&format!(
            r#"livechain_breaker_state{{chain="ethereum",upstream="alchemy",state="{state}"}}"#
        )]
    };
    assert_eq!(
        (state("closed"), state("open"), state("half_open")),
        (1.0, 0.0, 1.0)
    );
    assert_eq!(
        samples[r#"livechain_upstream_hold_off_seconds{chain="ethereum",upstream="alchemy"}"#],
        1.5
    );
    assert_eq!(
        samples[r#"livechain_upstream_head_block{chain="ethereum",upstream="alchemy"}"#],
        9.0
    );
    assert_eq!(
        samples[r#"livechain_attempts_in_flight{chain="ethereum",upstream="alchemy"}"#],
        6.0
    );
    assert_eq!(samples[r#"livechain_shard_ready{shard="0"}"#], 1.0);
    assert_eq!(samples[r#"livechain_shard_ready{shard="1"}"#], 0.0);
    assert_eq!(samples["livechain_scrape_shards_missing"], 1.0);
}

#[test]
fn a_level_never_goes_below_zero() {
    let mut recorder = Recorder::new(dimensions(), 0);
    recorder.connection_closed();
    recorder.connection_opened();
    assert_eq!(
        recorder.snapshot().value(Metric::ClientConnections, &[]),
        Some(1)
    );
}

#[test]
fn snapshots_of_other_dimensions_are_refused_whole() {
    let mut other = (*dimensions()).clone();
    other.methods.push("eth_getLogs");
    let mut stranger = Recorder::new(Arc::new(other), 0);
    stranger.connection_opened();
    let mut ours = busy_recorder(0).snapshot();
    let before = prometheus::render(&ours);
    assert_eq!(ours.merge(&stranger.snapshot()), Err(DimensionsDiffer));
    assert_eq!(prometheus::render(&ours), before);
}

#[test]
fn copying_in_steps_gives_the_same_snapshot() {
    let recorder = busy_recorder(0);
    let mut copying = recorder.begin_copy();
    let mut steps = 1;
    while !recorder.copy_some(&mut copying, 1) {
        steps += 1;
    }
    assert!(steps > 3, "one histogram a step: {steps}");
    assert_eq!(
        prometheus::render(&copying.finish()),
        prometheus::render(&recorder.snapshot())
    );
}

#[test]
fn label_values_are_escaped() {
    let mut recorder = Recorder::new(dimensions(), 0);
    recorder.attempt_ended(&attempt(0, 1, 0, 10));
    let text = prometheus::render(&recorder.snapshot());
    assert!(text.contains(r#"upstream="in\"fura\\\n""#));
    for line in text.lines() {
        assert!(
            line.starts_with('#') || line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok(),
            "{line}"
        );
    }
}

#[test]
fn the_number_of_series_is_bounded_by_the_dimensions() {
    let mut recorder = Recorder::new(dimensions(), 0);
    // Everything that can be touched is touched, far beyond every axis.
    for chain in 0..4 {
        for upstream in 0..4 {
            for method in 0..20 {
                for outcome in AttemptOutcome::ALL {
                    for class in 0..5 {
                        let record = attempt(chain, upstream, method, 1_000);
                        recorder.attempt_ended(&crate::AttemptRecord {
                            outcome: *outcome,
                            class: Some(class),
                            ..record
                        });
                    }
                }
                for outcome in CallOutcome::ALL {
                    recorder.call_ended(&crate::CallRecord {
                        outcome: *outcome,
                        ..call(chain, method, 1_000)
                    });
                }
            }
        }
    }
    let dimensions = dimensions();
    let most: usize = METRICS
        .iter()
        .map(|spec| {
            let points: usize = spec.axes.iter().map(|axis| axis.len(&dimensions)).product();
            points
                * if spec.kind.is_histogram() {
                    crate::DURATION_BOUNDS.len() + 3
                } else {
                    1
                }
        })
        .sum();
    let samples = scrape(&recorder);
    assert!(
        samples.len() <= most,
        "{} series of at most {most}",
        samples.len()
    );
    assert_eq!(
        samples
            .keys()
            .filter(|key| key.starts_with("livechain_attempts_total{"))
            .count(),
        3 * 3 * 4
    );
}

#[test]
fn every_axis_writes_the_labels_that_it_declares() {
    let dimensions = dimensions();
    for spec in METRICS {
        for axis in spec.axes {
            let mut wrote = 0;
            for index in 0..axis.len(&dimensions) {
                let mut names = Vec::new();
                axis.describe(&dimensions, index, |name, value| {
                    assert!(!value.is_empty(), "{axis:?} {index}");
                    names.push(name);
                });
                assert_eq!(names, axis.names(), "{axis:?} {index}");
                wrote += 1;
            }
            assert!(wrote > 0, "{axis:?} has no values");
            if *axis != Axis::Method && *axis != Axis::Shard && *axis != Axis::Version {
                axis.describe(&dimensions, axis.len(&dimensions), |_, _| {
                    panic!("{axis:?} has a value past its end")
                });
            }
        }
    }
}

#[test]
fn the_interval_log_reads_back() {
    let recorder = busy_recorder(0);
    let log = hlog::render(
        &recorder.snapshot(),
        Duration::from_secs(1_700_000_000),
        Duration::from_millis(90_500),
    )
    .unwrap();
    let mut read = HashMap::new();
    for entry in IntervalLogIterator::new(&log) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let encoded = base64_decode(interval.encoded_histogram());
            let histogram = Deserializer::new()
                .deserialize::<u64, _>(&mut &encoded[..])
                .unwrap();
            assert_eq!(interval.start_timestamp(), Duration::ZERO);
            assert_eq!(interval.duration(), Duration::from_millis(90_500));
            read.insert(interval.tag().unwrap().as_str().to_owned(), histogram);
        }
    }
    let call = &read["call:ethereum:eth_call"];
    assert_eq!(call.len(), 33);
    let exact = recorder.snapshot();
    let total: u64 = read
        .iter()
        .filter(|(tag, _)| tag.starts_with("attempt:"))
        .map(|(_, h)| h.len())
        .sum();
    assert_eq!(total, exact.total(Metric::Attempts));
    assert!(
        read.contains_key("attempt:ethereum:in\"fura\\_:_OTHER"),
        "{:?}",
        read.keys()
    );
}

/// Standard base64 with padding, enough to read our own log back.
fn base64_decode(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 6 | u32::from(value(*byte)))
            << (6 * (4 - chunk.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    out
}

fn recorded(shard: usize, durations: &[(usize, u64)]) -> Snapshot {
    let mut recorder = Recorder::new(dimensions(), shard);
    for (point, duration_us) in durations {
        recorder.call_started(point % 2);
        recorder.call_ended(&call(point % 2, point / 2 % 3, *duration_us));
        recorder.attempt_ended(&attempt(point % 2, point % 3, point / 3, *duration_us));
        recorder.set_upstream(point % 2, 0, &levels(point % 3));
    }
    recorder.snapshot()
}

fn durations() -> impl Strategy<Value = Vec<(usize, u64)>> {
    let duration = prop_oneof![
        0..500_u64,
        0..2_000_000_u64,
        any::<u64>().prop_map(|n| n >> 8)
    ];
    proptest::collection::vec((0..12_usize, duration), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn merging_is_independent_of_order_and_loses_nothing(a in durations(), b in durations(), c in durations()) {
        let shards = [recorded(0, &a), recorded(1, &b), recorded(0, &c)];
        let merged = |order: [usize; 3]| {
            let mut sum = shards[order[0]].clone();
            sum.merge(&shards[order[1]]).unwrap();
            sum.merge(&shards[order[2]]).unwrap();
            sum
        };
        let first = merged([0, 1, 2]);
        let text = prometheus::render(&first);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            prop_assert_eq!(&prometheus::render(&merged(order)), &text);
        }
        let calls = (a.len() + b.len() + c.len()) as u64;
        prop_assert_eq!(first.total(Metric::Calls), calls);
        prop_assert_eq!(first.total(Metric::CallsInFlight), 0);
        let observed: f64 = parse(&text).iter()
            .filter(|(key, _)| key.starts_with("livechain_call_duration_seconds_count"))
            .map(|(_, value)| value).sum();
        prop_assert_eq!(observed, calls as f64);
    }

    #[test]
    fn buckets_are_cumulative_and_end_at_the_count(values in durations()) {
        let mut series = Series::new(crate::metrics::Kind::Durations).unwrap();
        let values: Vec<_> = values.into_iter().map(|(_, value)| value).collect();
        for value in &values {
            series.record(*value);
        }
        prop_assert_eq!(series.count(), values.len() as u64);
        prop_assert_eq!(series.sum(), values.iter().sum::<u64>());
        let mut last = 0;
        let mut order = Vec::new();
        series.cumulative(crate::DURATION_BOUNDS, |le, below| order.push((le, below)));
        prop_assert_eq!(order.len(), crate::DURATION_BOUNDS.len());
        for ((le, below), (bound, text)) in order.into_iter().zip(crate::DURATION_BOUNDS) {
            prop_assert_eq!(le, *text);
            prop_assert!(below >= last && below <= series.count());
            last = below;
            // Nothing at or under the bound is missing, nothing beyond HDR's precision is in.
            let at_least = values.iter().filter(|value| **value <= *bound).count() as u64;
            let at_most = values.iter().filter(|value| **value <= bound + bound / 100).count() as u64;
            prop_assert!((at_least..=at_most).contains(&below), "{le}: {below} of {at_least}..={at_most}");
        }
    }
}

#[test]
fn a_bound_in_seconds_is_its_bound_in_microseconds() {
    for (bound_us, text) in crate::DURATION_BOUNDS {
        assert_eq!(
            (text.parse::<f64>().unwrap() * 1e6).round(),
            *bound_us as f64
        );
    }
    assert!(crate::DURATION_BOUNDS.is_sorted() && crate::SIZE_BOUNDS.is_sorted());
    assert!(crate::DURATION_BOUNDS.last().unwrap().0 < HIGHEST_DURATION_US);
}
