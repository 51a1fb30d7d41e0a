//! Events as lines, the queues and the sampler.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::Value;

use super::dimensions;
use crate::event_line::push_line;
use crate::events::{CallEnd, Event, EventHead, FieldKind, SelectionMade};
use crate::{AccessLog, CacheStatus, CallOutcome, ForeignText, Protocol, Sampler};

fn head(request_id: &[u8], method: &[u8]) -> EventHead {
    EventHead {
        at_ns: 1_500_000_000,
        request_id: ForeignText::new(request_id),
        call: 3,
        shard: 1,
        chain: 0,
        method: u16::MAX,
        method_original: Some(ForeignText::new(method)),
        protocol: Protocol::Http,
    }
}

fn end(outcome: CallOutcome) -> CallEnd {
    CallEnd {
        upstream: Some(1),
        breaker_state: Some(2),
        outcome,
        duration_us: 1_234,
        attempts: 2,
        cache: Some(CacheStatus::MissNewHead),
        hedged: true,
        http_status: 200,
        request_bytes: 80,
        response_bytes: 4_096,
        fault_class: Some(1),
        fault_rule: "timeout/ours",
    }
}

fn selection() -> SelectionMade {
    SelectionMade {
        attempt: 1,
        strategy: 0,
        reason: "share",
        upstream: Some(0),
        candidates: Box::new([0]),
        left_out: Box::new([(1, 0)]),
    }
}

/// One event of each kind with every field set.
fn events(request_id: &[u8], method: &[u8]) -> Vec<Event> {
    vec![
        Event::Start(head(request_id, method)),
        Event::End(head(request_id, method), end(CallOutcome::Ok)),
        Event::End(head(request_id, method), end(CallOutcome::Failed)),
        Event::Selection(head(request_id, method), Box::new(selection())),
    ]
}

/// The end of a call of which the cache says this.
pub(super) fn ended(cache: Option<CacheStatus>, hedged: bool) -> Event {
    let end = CallEnd {
        cache,
        hedged,
        ..end(CallOutcome::Ok)
    };
    Event::End(head(b"r", b"m"), end)
}

pub(super) fn line(event: &Event) -> String {
    let mut out = String::new();
    push_line(&mut out, event, &dimensions(), 1_700_000_000_000_000);
    out
}

#[test]
fn a_line_has_the_fields_of_its_row_in_their_types() {
    let events = events(b"abc", b"eth_foo");
    let names: HashSet<_> = events.iter().map(|event| event.spec().name).collect();
    assert_eq!(
        names.len(),
        crate::events::EVENTS.len(),
        "every event of the table is tried"
    );
    for event in &events {
        let value: Value = serde_json::from_str(&line(event)).unwrap();
        let object = value.as_object().unwrap();
        let wrote: HashSet<_> = object.keys().map(String::as_str).collect();
        let declared: HashSet<_> = event
            .spec()
            .fields
            .iter()
            .map(|field| field.spec().name)
            .collect();
        assert_eq!(wrote, declared, "{}", event.spec().name);
        for field in event.spec().fields {
            let value = &object[field.spec().name];
            let fits = match field.spec().kind {
                FieldKind::Text => value.is_string(),
                FieldKind::Number => value.is_u64(),
                FieldKind::Flag => value.is_boolean(),
                FieldKind::List => value.is_array(),
                FieldKind::Reasons => value.is_object(),
            };
            assert!(fits, "{}: {value}", field.spec().name);
        }
    }
}

#[test]
fn a_selection_says_who_and_why_not() {
    let line = line(&Event::Selection(head(b"r", b"m"), Box::new(selection())));
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["time"], "2023-11-14T22:13:21.500000Z");
    assert_eq!(value["event"], "livechain.selection");
    assert_eq!(value["upstream"], "alchemy");
    assert_eq!(value["provider"], "alchemy-inc");
    assert_eq!(value["candidates"], serde_json::json!(["alchemy"]));
    assert_eq!(
        value["left_out"],
        serde_json::json!({ "in\"fura\\\n": "breaker_open" })
    );
}

#[test]
fn what_does_not_apply_is_left_out() {
    let mut start = head(b"r", b"m");
    start.method = 0;
    start.method_original = None;
    let without = CallEnd {
        upstream: None,
        breaker_state: None,
        cache: None,
        fault_class: None,
        fault_rule: "",
        ..end(CallOutcome::Rejected)
    };
    let value: Value = serde_json::from_str(&line(&Event::End(start, without))).unwrap();
    assert_eq!(value["event"], "livechain.rpc.request.error");
    assert_eq!(value["method"], "eth_blockNumber");
    for absent in [
        "method_original",
        "upstream",
        "provider",
        "breaker_state",
        "cache",
        "fault_class",
        "fault_rule",
    ] {
        assert!(value.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn indices_beyond_the_dimensions_write_no_name() {
    let mut lost = head(b"r", b"m");
    lost.chain = 99;
    let mut selection = selection();
    selection.left_out = Box::new([(7, 200)]);
    let value: Value =
        serde_json::from_str(&line(&Event::Selection(lost, Box::new(selection)))).unwrap();
    assert!(value.get("chain").is_none());
    assert!(value.get("upstream").is_none());
}

proptest! {
    #[test]
    fn hostile_text_never_leaves_its_line(id in proptest::collection::vec(any::<u8>(), 0..400), method in "(\\PC|[\n\r\"\\\\\u{1b}\u{85}\u{2028}]){0,300}") {
        for event in events(&id, method.as_bytes()) {
            let line = line(&event);
            let (body, feed) = line.split_at(line.len() - 1);
            prop_assert_eq!(feed, "\n");
            let breaks = |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}';
            prop_assert!(!body.chars().any(breaks));
            let value: Value = serde_json::from_str(body).unwrap();
            prop_assert!(value["method_original"].as_str().unwrap().len() <= 256);
            let taken = ForeignText::new(&id);
            prop_assert_eq!(value["request_id"].as_str().unwrap(), taken.as_str());
        }
    }
}

#[test]
fn a_full_queue_refuses_and_the_others_do_not_care() {
    let (log, receiver) = AccessLog::new(2, 4);
    let event = |shard: u16, call: u32| {
        Event::Start(EventHead {
            shard,
            call,
            ..head(b"r", b"m")
        })
    };
    let kept = (0..10).filter(|call| log.send(event(0, *call))).count();
    assert_eq!(kept, 4);
    assert!(log.send(event(1, 100)));
    assert!(!log.send(event(7, 0)), "no such shard");
    let mut seen = Vec::new();
    assert_eq!(receiver.drain(3, |event| seen.push(event.head().call)), 4);
    assert_eq!(seen, [0, 1, 2, 100]);
    assert_eq!(receiver.drain(100, |event| seen.push(event.head().call)), 1);
    assert_eq!(receiver.drain(100, |_| ()), 0);
}

#[test]
fn the_sampler_keeps_its_rate_and_its_seed() {
    let take = |seed, rate| {
        let mut sampler = Sampler::new(seed, rate);
        (0..100_000).map(|_| sampler.sample()).collect::<Vec<_>>()
    };
    let share = |seed, rate| {
        take(seed, rate)
            .into_iter()
            .filter(|sampled| *sampled)
            .count()
    };
    assert_eq!(share(1, 0.0), 0);
    assert_eq!(share(1, f64::NAN), 0);
    assert_eq!(share(1, -3.0), 0);
    assert_eq!(share(1, 1.0), 100_000);
    assert_eq!(share(1, 7.0), 100_000);
    let tenth = share(42, 0.1);
    assert!((9_500..10_500).contains(&tenth), "{tenth}");
    assert_eq!(take(7, 0.5), take(7, 0.5));
    assert_ne!(take(7, 0.5), take(8, 0.5));
}

#[test]
fn an_event_is_small() {
    // A queue of 8192 of them is below a megabyte.
    assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
}

#[test]
fn the_rate_changes_while_running() {
    let mut sampler = Sampler::new(1, 0.0);
    assert!(!sampler.is_on() && !sampler.sample());
    sampler.set_rate(1.0);
    assert!(sampler.is_on() && sampler.sample());
}
