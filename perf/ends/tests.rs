//! Both ends with nothing between them: what is asked, answered, counted and judged.

use super::Ends;
use crate::load::{Arrival, LoadError, Plan, Target, Verify};
use crate::provider::{Chain, Fault, Options, Provider, Rule};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn plan(url: &str, connections: usize) -> Plan {
    Plan {
        warmup: Duration::ZERO,
        duration: 100 * MS,
        verify: Verify::Synthetic,
        ..Plan::new(Target::parse(url).unwrap(), Arrival::Closed { connections })
    }
}

fn url(ends: &Ends, provider: usize) -> String {
    format!("http://{}/", ends.addresses()[provider])
}

#[test]
fn every_answer_is_counted_at_both_ends() {
    let ends = Ends::start(&Chain::default(), 2).unwrap();
    let found = ends.run(&plan(&url(&ends, 1), 7)).unwrap();
    assert_eq!(found.failed, 0, "{found}");
    let counters = ends.counters();
    assert_eq!((counters[0].calls, counters[1].calls), (0, found.ok));
    // Again, on new connections.
    let again = ends.run(&plan(&url(&ends, 0), 1)).unwrap();
    assert_eq!(ends.counters()[0].method("eth_getBalance"), again.ok);
}

#[test]
fn a_count_ends_the_run() {
    let ends = Ends::start(&Chain::default(), 1).unwrap();
    let few = Plan {
        max_requests: Some(11),
        duration: Duration::from_secs(60),
        ..plan(&url(&ends, 0), 4)
    };
    assert_eq!(ends.run(&few).unwrap().ok, 11);
    let open = Plan {
        arrival: Arrival::Open {
            rate_per_s: 10_000.0,
            connections: 4,
        },
        ..few
    };
    let found = ends.run(&open).unwrap();
    assert_eq!((found.ok, found.unsent), (11, 0));
}

#[test]
fn an_open_loop_sends_every_arrival() {
    let ends = Ends::start(&Chain::default(), 1).unwrap();
    let arrival = Arrival::Open {
        rate_per_s: 1000.0,
        connections: 16,
    };
    let open = Plan {
        arrival,
        ..plan(&url(&ends, 0), 1)
    };
    let found = ends.run(&open).unwrap();
    assert_eq!((found.ok + found.unsent, found.failed), (100, 0), "{found}");
    assert!(found.latency.max_us >= found.latency_uncorrected.unwrap().max_us);
}

#[test]
fn batches_and_long_answers_come_in_pieces() {
    let ends = Ends::start(&Chain::default(), 1).unwrap();
    for (mix, calls) in [("batch:2000", 2000), ("trace", 1), ("tip", 1)] {
        let batch = Plan {
            mix: mix.parse().unwrap(),
            max_requests: Some(20),
            ..plan(&url(&ends, 0), 3)
        };
        let found = ends.run(&batch).unwrap();
        assert_eq!(
            (found.calls_ok, found.failed),
            (20 * calls, 0),
            "{mix}: {found}"
        );
    }
}

#[test]
fn what_goes_wrong_at_the_other_end_is_told() {
    let ends = Ends::start(&Chain::default(), 1).unwrap();
    let failure = |fault: Fault| {
        let other = Provider::start(Options::default()).unwrap();
        other.inject(Rule::always(fault));
        let found = ends.run(&plan(&other.url(), 2)).unwrap();
        assert_eq!((found.ok, found.failed), (0, 2), "{found}");
        found.failures.into_keys().next().unwrap()
    };
    assert_eq!(failure(Fault::WrongId), "answer/wrong_id");
    assert_eq!(
        failure(Fault::RawResult("\"0x1\"".to_owned())),
        "answer/wrong_content"
    );
    assert_eq!(failure(Fault::unavailable()), "http/503");
    assert_eq!(failure(Fault::CloseBeforeAnswer), "transport/closed");
    assert_eq!(failure(Fault::Chunked { chunk_bytes: 10 }), "http/framing");
    let hanging = Provider::start(Options::default()).unwrap();
    hanging.inject(Rule::always(Fault::Hang));
    let impatient = Plan {
        timeout: 50 * MS,
        ..plan(&hanging.url(), 2)
    };
    let found = ends.run(&impatient).unwrap();
    assert_eq!(found.failures.get("transport/timeout"), Some(&2), "{found}");
}

#[test]
fn plans_that_it_cannot_make_are_refused() {
    let ends = Ends::start(&Chain::default(), 1).unwrap();
    let together = Plan {
        mix: "together:balance".parse().unwrap(),
        ..plan(&url(&ends, 0), 2)
    };
    assert!(matches!(ends.run(&together), Err(LoadError::Plan(_))));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    assert!(matches!(
        ends.run(&plan(&nobody, 1)),
        Err(LoadError::Thread(_))
    ));
    // And goes on.
    assert_eq!(ends.run(&plan(&url(&ends, 0), 1)).unwrap().failed, 0);
}
