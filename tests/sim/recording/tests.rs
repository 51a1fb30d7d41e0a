//! A log that was made is replayed as it was: the same calls at the same times, the same latencies, the same failures.

use std::fmt::Write as _;
use std::io::BufReader;

use engine::strategy::find;

use super::*;
use crate::file::Told;
use crate::study::{Contender, Study};

/// A minute of `fast` and `slow` in turns, of which `slow` fails from second 30 on.
fn log() -> String {
    let mut out = String::new();
    for number in 0..3_000_u64 {
        let at_us = number * 20_000;
        let (upstream, took) = if number % 2 == 0 {
            ("fast", 10_000)
        } else {
            ("slow", 80_000)
        };
        let took = took + number % 7 * 100;
        let fails = upstream == "slow" && at_us > 30_000_000;
        let end = at_us + took;
        let (second, us) = (end / 1_000_000, end % 1_000_000);
        let (minute, second) = (second / 60, second % 60);
        let time = format!("2026-11-22T10:{minute:02}:{second:02}.{us:06}Z");
        let (event, outcome, class) = if fails {
            ("error", "failed", ",\"fault_class\":\"server\"")
        } else {
            ("stop", "ok", "")
        };
        let _ = writeln!(
            out,
            "{{\"time\":\"{time}\",\"event\":\"livechain.rpc.request.{event}\",\"chain\":\"ethereum\",\"method\":\"eth_call\",\"upstream\":\"{upstream}\",\"provider\":\"{upstream}-co\",\"outcome\":\"{outcome}\",\"duration_us\":{took},\"attempts\":1{class}}}"
        );
    }
    // A hit, a start and a refusal reached nobody.
    out.push_str("{\"event\":\"livechain.rpc.request.start\",\"chain\":\"ethereum\"}\n");
    out.push_str("{\"time\":\"2026-11-22T10:00:01Z\",\"event\":\"livechain.rpc.request.stop\",\"chain\":\"ethereum\",\"method\":\"eth_call\",\"outcome\":\"ok\",\"cache\":\"hit\",\"duration_us\":3}\n");
    out.push_str("{\"time\":\"2026-11-22T10:00:01Z\",\"event\":\"livechain.rpc.request.error\",\"chain\":\"ethereum\",\"method\":\"eth_call\",\"outcome\":\"rejected\",\"duration_us\":3}\n");
    // It is still being written.
    out.push_str("{\"time\":\"2026-11");
    out
}

fn parsed(text: &str, chain: Option<&str>) -> Result<Template, RecordingFault> {
    read("log", BufReader::new(text.as_bytes()), chain)
}

#[test]
fn calls_latencies_and_failures_come_again() {
    let template = parsed(&log(), None).unwrap();
    let names: Vec<_> = template.upstreams().collect();
    assert_eq!(names, ["fast", "slow"]);
    let recorded = template.base.recorded.as_deref().unwrap();
    assert_eq!(recorded.len(), 3_000);
    assert_eq!(recorded[1].at, Instant(20_000_000));
    let [fast, slow] = template.scripts() else {
        panic!("two upstreams");
    };
    let median = |script: &Script| script.measured[0].1.at(500_000) / 1_000_000;
    assert!((9..=11).contains(&median(fast)), "{}", median(fast));
    assert!((78..=82).contains(&median(slow)), "{}", median(slow));
    assert!(fast.phases.is_empty());
    assert_eq!(slow.phases.len(), 3);
    assert!(
        matches!(slow.phases[1].behaviour, Behaviour::Fail(fault, 1_000) if fault.class == FaultClass::Server)
    );
}

#[test]
fn a_log_is_played_with_any_strategy() {
    let template = parsed(&log(), None).unwrap();
    let strategy = StrategySpec::of(find("leaderboard").unwrap());
    let told = Told::plain(&template, strategy);
    let study = Study::run(&template, &told, 1, &[Contender::Ours(strategy)]).unwrap();
    let entry = &study.entries[0];
    assert_eq!(entry.report.calls, 3_000);
    assert_eq!(entry.report.bad_calls(), 0, "{:?}", entry.report.bad);
    let share = entry.report.share_permille(0, 30, 60);
    assert!(share > 900, "{share}");
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let said = |text: &str, chain| parsed(text, chain).unwrap_err().to_string();
    assert_eq!(said("", None), "no call in the log reached an upstream");
    assert!(said("{}\n", None).starts_with("line 1 is no event"));
    assert!(said("nonsense\n{}\n", None).starts_with("line 1 is no event"));
    let two = log().replacen("\"chain\":\"ethereum\"", "\"chain\":\"base\"", 1);
    assert!(said(&two, None).contains("base, ethereum"));
    assert!(said(&two, Some("gnosis")).contains("base, ethereum"));
    assert!(parsed(&two, Some("ethereum")).is_ok());
}

#[test]
fn a_clock_that_jumped_and_a_time_that_cannot_be_are_refused_and_fill_no_memory() {
    let line = |time: &str, took: u64| {
        format!(
            "{{\"time\":\"{time}\",\"event\":\"livechain.rpc.request.stop\",\"chain\":\"ethereum\",\"method\":\"eth_call\",\"upstream\":\"a\",\"provider\":\"a\",\"outcome\":\"ok\",\"duration_us\":{took},\"attempts\":1}}\n"
        )
    };
    let today = line("2026-11-22T10:00:01Z", 5);
    for (time, took) in [
        ("1970-01-01T00:00:07Z", 5),
        ("2026-11-22T10:00:02Z", u64::MAX),
        ("2026-11-23T10:00:02Z", 5),
    ] {
        let text = today.clone() + &line(time, took);
        assert!(
            matches!(parsed(&text, None), Err(RecordingFault::TooWide)),
            "{time} {took}"
        );
    }
    let text = today.clone() + &line("2026-11-23T10:00:00Z", 5);
    assert!(parsed(&text, None).is_ok(), "a day is not too long");
}
