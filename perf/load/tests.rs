//! Whole runs against the synthetic provider: what is counted, what is judged, what is said.

use super::{
    Arrival, LoadError, Plan, Report, Roots, Target, Threshold, Verify, client_config, run,
};
use crate::provider::{Door, Fault, Handle, Latency, Options, Provider, Rule};
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::sync::Arc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn provider() -> Handle {
    Provider::start(Options::default()).unwrap()
}

/// A short closed loop of two connections.
fn plan(provider: &Handle, requests: u64) -> Plan {
    let target = Target::parse(&provider.url()).unwrap();
    Plan {
        warmup: Duration::ZERO,
        max_requests: Some(requests),
        verify: Verify::Synthetic,
        ..Plan::new(target, Arrival::Closed { connections: 2 })
    }
}

fn report(plan: &Plan) -> Report {
    run(plan, None, &mut |_| {}).unwrap()
}

#[test]
fn a_closed_loop_sends_exactly_what_was_asked_for() {
    let provider = provider();
    let found = report(&Plan {
        threads: 2,
        ..plan(&provider, 301)
    });
    assert_eq!(
        (found.ok, found.failed, found.calls_ok, found.unsent),
        (301, 0, 301, 0)
    );
    assert!(found.latency.max_us >= found.latency.p50_us && found.latency.p50_us > 0);
    assert!(found.latency_uncorrected.is_none());
    let counters = provider.counters();
    assert_eq!((counters.requests, counters.connections), (301, 2));
}

#[test]
fn who_asks_together_asks_one_question_at_a_time() {
    let provider = Provider::start(Options {
        keep_requests: 1000,
        ..Options::default()
    })
    .unwrap();
    let plan = Plan {
        mix: "together:balance".parse().unwrap(),
        arrival: Arrival::Closed { connections: 5 },
        duration: 100 * MS,
        max_requests: None,
        ..plan(&provider, 0)
    };
    let found = report(&plan);
    assert_eq!((found.failed, found.ok % 5), (0, 0), "{found}");
    let asked = provider.recent();
    let bodies: Vec<_> = asked.iter().map(|request| &request.body).collect();
    assert!(bodies.len() >= 10);
    for question in bodies.chunks(5) {
        assert!(question.iter().all(|body| *body == question[0]));
    }
    assert_ne!(bodies[0], bodies[5]);
    // A schedule cannot wait for everybody.
    let arrival = Arrival::Open {
        rate_per_s: 10.0,
        connections: 5,
    };
    let open = run(&Plan { arrival, ..plan }, None, &mut |_| {});
    assert!(matches!(open, Err(LoadError::Plan(_))));
}

#[test]
fn threads_that_end_early_do_not_hold_back_the_seconds_of_the_others() {
    let provider = provider();
    provider.set_latency(Latency::Fixed(300 * MS));
    // One connection a thread: four requests there, five here.
    let two = Plan {
        threads: 2,
        ..plan(&provider, 9)
    };
    let mut elapsed = Vec::new();
    let found = run(&two, None, &mut |progress| elapsed.push(progress.elapsed)).unwrap();
    assert_eq!(found.ok, 9);
    assert!(elapsed.len() >= 2 && elapsed.is_sorted(), "{elapsed:?}");
}

#[test]
fn an_open_loop_keeps_its_rate_and_its_count() {
    let provider = provider();
    let arrival = Arrival::Open {
        rate_per_s: 2000.0,
        connections: 16,
    };
    let found = report(&Plan {
        arrival,
        duration: 500 * MS,
        max_requests: None,
        ..plan(&provider, 0)
    });
    assert_eq!(found.ok + found.unsent, 1000);
    assert_eq!(provider.counters().requests, found.ok);
    let uncorrected = found.latency_uncorrected.unwrap();
    assert!(found.latency.max_us >= uncorrected.max_us);
}

#[test]
fn what_a_stall_held_back_shows_in_the_corrected_latency_alone() {
    let provider = provider();
    provider.inject(Rule::next(1, Fault::Stall(400 * MS)));
    let arrival = Arrival::Open {
        rate_per_s: 100.0,
        connections: 1,
    };
    let found = report(&Plan {
        arrival,
        max_requests: Some(60),
        ..plan(&provider, 0)
    });
    assert_eq!(found.ok, 60);
    // Half of the 60 requests were due during the stall, and waited for the one connection.
    assert!(found.latency_at_us(0.75) > 100_000, "{found}");
    assert!(
        found.latency_uncorrected.as_ref().unwrap().p75_us < 100_000,
        "{found}"
    );
}

#[test]
fn warm_up_is_sent_and_not_counted() {
    let provider = provider();
    provider.set_latency(Latency::Fixed(5 * MS));
    let found = report(&Plan {
        warmup: 100 * MS,
        ..plan(&provider, 10)
    });
    assert_eq!(found.ok, 10);
    assert!(provider.counters().requests > 10);
}

fn only_failure(fault: Fault) -> (String, u64) {
    let provider = provider();
    let id = provider.inject(Rule::next(3, fault));
    let found = report(&Plan {
        timeout: 2000 * MS,
        ..plan(&provider, 20)
    });
    assert_eq!((found.ok, found.failed, provider.hits(id)), (17, 3, 3));
    assert!((found.error_rate - 0.15).abs() < 1e-9);
    assert_eq!(found.failures.len(), 1, "{:?}", found.failures);
    found.failures.into_iter().next().unwrap()
}

#[test]
fn failures_are_told_apart() {
    for (fault, expected) in [
        (Fault::throttled(None), "http/429"),
        (Fault::unavailable(), "http/503"),
        (Fault::rpc_error(-32005, "limit"), "rpc/-32005"),
        (Fault::Html, "answer/no_json"),
        (Fault::TruncatedJson, "answer/no_json"),
        (Fault::EmptyBody, "answer/no_json"),
        (Fault::WrongId, "answer/wrong_id"),
        (Fault::NullId, "answer/wrong_id"),
        (Fault::NeitherResultNorError, "answer/no_result"),
        (Fault::BothResultAndError, "answer/no_result"),
        (
            Fault::RawResult("\"0x1\"".to_owned()),
            "answer/wrong_content",
        ),
        (Fault::ResetBeforeAnswer, "transport/reset"),
        (Fault::CloseBeforeAnswer, "transport/closed"),
        (Fault::CloseMidBody { after_bytes: 5 }, "transport/closed"),
        (Fault::RawBody(Vec::new()), "answer/no_json"),
        (
            Fault::ExtraBytesAfterBody(b"HTTP/1.1 200 OK".to_vec()),
            "http/framing",
        ),
        (Fault::LengthTooShort { by_bytes: 2 }, "http/framing"),
    ] {
        assert_eq!(
            only_failure(fault.clone()),
            (expected.to_owned(), 3),
            "{fault:?}"
        );
    }
}

#[test]
fn silence_is_a_timeout_and_a_shut_door_a_failed_connect() {
    let provider = provider();
    provider.inject(Rule::next(1, Fault::Hang));
    let found = report(&Plan {
        timeout: 100 * MS,
        ..plan(&provider, 5)
    });
    assert_eq!(
        (found.ok, found.failures.get("transport/timeout")),
        (4, Some(&1))
    );
    provider.set_door(Door::Refuse).unwrap();
    let found = report(&plan(&provider, 4));
    assert_eq!(
        (found.ok, found.failures.get("transport/connect")),
        (0, Some(&4))
    );
    assert!(
        found
            .warnings
            .iter()
            .any(|warning| warning.contains("no request succeeded"))
    );
}

#[test]
fn legal_oddities_are_no_failures() {
    for fault in [
        Fault::Chunked { chunk_bytes: 7 },
        Fault::Interim { code: 103 },
        Fault::CloseAfterAnswer,
    ] {
        let provider = provider();
        // Next(1): after an unannounced close the following request finds a dead connection, which is a failure.
        let id = provider.inject(Rule::next(1, fault.clone()));
        let connections = Arrival::Closed { connections: 1 };
        let found = report(&Plan {
            arrival: connections,
            ..plan(&provider, 1)
        });
        assert_eq!(
            (found.ok, found.failed, provider.hits(id)),
            (1, 0, 1),
            "{fault:?}"
        );
    }
}

#[test]
fn batches_count_their_calls() {
    let provider = provider();
    let found = report(&Plan {
        mix: "batch:50".parse().unwrap(),
        ..plan(&provider, 4)
    });
    assert_eq!(
        (found.ok, found.calls_ok, provider.counters().batches),
        (4, 200, 4)
    );
    provider.inject(Rule::always(Fault::BatchMissingItem));
    let found = report(&Plan {
        mix: "batch:50".parse().unwrap(),
        ..plan(&provider, 4)
    });
    assert_eq!(found.failures.get("answer/wrong_count"), Some(&4));
}

#[test]
fn the_tip_mix_learns_the_head() {
    let provider = provider();
    provider.chain().freeze();
    let found = report(&Plan {
        mix: "tip".parse().unwrap(),
        ..plan(&provider, 200)
    });
    assert_eq!((found.ok, found.failed), (200, 0));
    let newest = format!("0x{:x}", provider.chain().head());
    let oldest = format!("0x{:x}", provider.chain().head() - 31);
    let blocks = provider
        .recent()
        .into_iter()
        .filter(|r| r.body.windows(20).any(|w| w == b"eth_getBlockByNumber"));
    for request in blocks {
        let number = String::from_utf8(request.body).unwrap();
        let number = number
            .split('"')
            .find(|part| part.starts_with("0x"))
            .unwrap()
            .to_owned();
        assert!(oldest <= number && number <= newest, "{number}");
    }
}

#[test]
fn tls_is_spoken_where_the_certificate_is_trusted() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, key.cert.pem()).unwrap();
    let private =
        rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let provider = Provider::start(Options {
        tls: Some(Arc::new(server)),
        ..Options::default()
    })
    .unwrap();
    let target =
        Target::parse(&format!("https://localhost:{}/", provider.address().port())).unwrap();
    let trusting = Plan {
        target,
        tls: Some(client_config(Roots::File(&file)).unwrap()),
        ..plan(&provider, 20)
    };
    assert_eq!(report(&trusting).ok, 20);
    let wary = Plan {
        tls: Some(client_config(Roots::Public).unwrap()),
        ..trusting.clone()
    };
    assert_eq!(
        report(&Plan {
            max_requests: Some(2),
            ..wary
        })
        .failures
        .get("transport/tls"),
        Some(&2)
    );
    assert!(matches!(
        run(
            &Plan {
                tls: None,
                ..trusting
            },
            None,
            &mut |_| {}
        ),
        Err(LoadError::Plan(_))
    ));
}

#[test]
fn the_log_holds_every_request_and_progress_comes_every_second() {
    let provider = provider();
    let arrival = Arrival::Open {
        rate_per_s: 200.0,
        connections: 4,
    };
    let plan = Plan {
        arrival,
        duration: 1500 * MS,
        max_requests: None,
        ..plan(&provider, 0)
    };
    let (mut log, mut seen, mut seconds) = (Vec::new(), 0, 0);
    let found = run(&plan, Some(&mut log), &mut |progress| {
        seen += progress.ok;
        seconds += 1;
    })
    .unwrap();
    // A loaded machine may see the last answer a second later.
    assert!(seen == found.ok && seconds >= 2, "{seen} {seconds}");
    let intervals =
        IntervalLogIterator::new(&log).filter(|entry| matches!(entry, Ok(LogEntry::Interval(_))));
    assert_eq!(intervals.count(), seconds);
}

#[test]
fn reports_speak_and_serialise_without_the_path() {
    let provider = provider();
    let target = Target::parse(&format!("{}secret", provider.url())).unwrap();
    let found = report(&Plan {
        target,
        ..plan(&provider, 5)
    });
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(
        (json["ok"].as_u64(), json["arrival"]["kind"].as_str()),
        (Some(5), Some("closed"))
    );
    assert!(json["latency"]["p99_9_us"].is_u64());
    assert!(!json.to_string().contains("secret") && !found.to_string().contains("secret"));
    assert!(found.to_string().contains("99.9 %"));
}

#[test]
fn thresholds_judge_a_report() {
    let provider = provider();
    provider.set_latency(Latency::Fixed(20 * MS));
    provider.inject(Rule::next(1, Fault::unavailable()));
    let found = report(&plan(&provider, 10));
    let breached = |text: &str| {
        text.parse::<Threshold>()
            .unwrap()
            .breached_by(&found)
            .is_some()
    };
    for text in [
        "p50>10ms",
        "p99.9 >= 0.02s",
        "max>1us",
        "error_rate>5%",
        "error_rate >= 0.1",
        "rate<1000000",
        "failed>0",
    ] {
        assert!(breached(text), "{text}");
    }
    for text in [
        "p50<10ms",
        "error_rate>10%",
        "rate<1",
        "failed>1",
        "mean>100s",
        "unsent>0",
    ] {
        assert!(!breached(text), "{text}");
    }
    let sentence = "error_rate>5%"
        .parse::<Threshold>()
        .unwrap()
        .breached_by(&found)
        .unwrap();
    assert_eq!(sentence, "error_rate > 5 %: it is 10 %");
}

#[test]
fn a_run_without_success_breaches_every_latency() {
    let provider = provider();
    provider.inject(Rule::always(Fault::unavailable()));
    let found = report(&plan(&provider, 3));
    assert!(
        "p99<1us"
            .parse::<Threshold>()
            .unwrap()
            .breached_by(&found)
            .is_some()
    );
    assert!(
        "p99>1s"
            .parse::<Threshold>()
            .unwrap()
            .breached_by(&found)
            .is_some()
    );
}

#[test]
fn texts_that_are_no_thresholds_are_refused() {
    for text in [
        "p99",
        "p99>50",
        "p101>1ms",
        "p99>-1ms",
        "rate>1%",
        "error_rate>x",
        "speed>1",
        "p99=1ms",
        "pnan>1ms",
        ">1",
        "p99>1e3ms",
    ] {
        assert!(text.parse::<Threshold>().is_err(), "{text}");
    }
}

#[test]
fn plans_without_sense_are_refused() {
    let provider = provider();
    let none = Plan {
        arrival: Arrival::Closed { connections: 0 },
        ..plan(&provider, 1)
    };
    assert!(matches!(
        run(&none, None, &mut |_| {}),
        Err(LoadError::Plan(_))
    ));
    for rate_per_s in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let arrival = Arrival::Open {
            rate_per_s,
            connections: 1,
        };
        assert!(matches!(
            run(
                &Plan {
                    arrival,
                    ..plan(&provider, 1)
                },
                None,
                &mut |_| {}
            ),
            Err(LoadError::Plan(_))
        ));
    }
}
