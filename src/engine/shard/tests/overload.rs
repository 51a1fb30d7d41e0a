//! Calls that are not begun: a shard that is overloaded, a deadline that nobody can meet, and what happens when few are well.

use super::*;
use crate::config::SheddingConfig;
use crate::shed::Priority;

fn shedding(max_live_calls: u32) -> Bench {
    let config = ShardConfig {
        chains: std::vec![chain(2)],
        shedding: SheddingConfig {
            max_live_calls,
            ..SheddingConfig::default()
        },
        ..ShardConfig::default()
    };
    Bench {
        shard: Shard::new(config, 1, Instant(0)),
        now: Instant(0),
        notes: Vec::new(),
    }
}

fn raw_transaction() -> Request {
    Request {
        effect: Effect::SignedTransaction,
        ..read("eth_sendRawTransaction")
    }
}

/// Is it let in?
fn lets_in(bench: &mut Bench, request: Request) -> bool {
    let mut call = bench.begin(request);
    match bench.poll(&mut call).as_slice() {
        &[Action::Dispatch { attempt, .. }] => {
            bench.finish(&mut call, attempt, Ok(()));
            bench.poll(&mut call);
            true
        }
        &[
            Action::Complete(Outcome::Emit {
                fault,
                attempt: None,
                ..
            }),
        ] => {
            assert_eq!((fault.class, fault.sent), (FaultClass::Overloaded, false));
            assert_eq!(fault.hold_off, Some(crate::shed::RETRY_AFTER));
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_less_a_call_matters_the_sooner_it_is_refused() {
    let mut bench = shedding(100);
    let mut held = Vec::new();
    let mut seen = Vec::new();
    for live in 0..100 {
        assert_eq!(bench.shard.live_calls(), live);
        let requests = [
            read("debug_traceTransaction"),
            read("eth_call"),
            read("eth_blockNumber"),
            raw_transaction(),
        ];
        seen.push(requests.map(|request| lets_in(&mut bench, request)));
        held.push(bench.begin(raw_transaction()));
    }
    let first_refused = |kind: usize| seen.iter().position(|seen| !seen[kind]);
    assert_eq!(
        [0, 1, 2, 3].map(first_refused),
        [Some(70), Some(85), Some(95), None]
    );
    assert!(
        !lets_in(&mut bench, raw_transaction()),
        "the hundred are full"
    );
    let shed = bench.notes.iter().rev().find_map(|note| match note.kind {
        NoteKind::Shed { priority, .. } => Some(priority),
        _ => None,
    });
    assert_eq!(shed, Some(Priority::Critical));
    assert!(bench.shard.is_shedding());
    for mut call in held {
        bench
            .shard
            .handle_event(&mut call, bench.now, Event::ClientGone);
    }
    assert!(lets_in(&mut bench, read("debug_traceTransaction")) && !bench.shard.is_shedding());
    assert_eq!(bench.shard.live_calls(), 0);
}

#[test]
fn work_that_waits_sheds_and_lets_in_again() {
    let mut bench = shedding(100);
    let report = |bench: &mut Bench, intervals: u64, wait_ms: u64| {
        for _ in 0..intervals * 100 {
            bench.wait(1);
            bench
                .shard
                .report_wait(bench.now, Duration::from_millis(wait_ms));
        }
    };
    report(&mut bench, 2, 50);
    assert!(!lets_in(&mut bench, read("eth_getLogs")) && lets_in(&mut bench, read("eth_call")));
    report(&mut bench, 5, 50);
    assert!(
        !lets_in(&mut bench, read("eth_blockNumber")) && lets_in(&mut bench, raw_transaction())
    );
    report(&mut bench, 5, 1);
    assert!(lets_in(&mut bench, read("eth_getLogs")));
    let noted: Vec<_> = bench
        .notes
        .iter()
        .filter_map(|note| match note.kind {
            NoteKind::Overload { lets_in } => Some(lets_in),
            _ => None,
        })
        .collect();
    use Priority::{Cheap, Critical, Normal};
    assert_eq!(
        noted,
        [
            Some(Normal),
            Some(Cheap),
            Some(Critical),
            Some(Cheap),
            Some(Normal),
            None
        ]
    );
}

#[test]
fn nothing_that_is_shed_draws_on_the_retry_budget() {
    let mut bench = shedding(1);
    let _one = bench.begin(read("eth_call"));
    let before = bench.shard.retries_left(bench.now);
    for _ in 0..100 {
        assert!(!lets_in(&mut bench, read("eth_call")));
    }
    assert_eq!(bench.shard.retries_left(bench.now), before);
}

/// A and B have answered in so many milliseconds just now.
fn with_latencies(a_ms: u64, b_ms: u64) -> Bench {
    let mut bench = Bench::new(2);
    for _ in 0..20 {
        for (upstream, took_ms) in [(A, a_ms), (B, b_ms)] {
            let mut request = read("eth_call");
            request.pinned = Some(upstream);
            let mut call = bench.begin(request);
            let (attempt, _, _) = bench.dispatched(&mut call);
            bench.wait(took_ms);
            bench.finish(&mut call, attempt, Ok(()));
            bench.poll(&mut call);
        }
    }
    bench
}

fn within(bench: &Bench, millis: u64) -> Request {
    Request {
        deadline: bench.now + Duration::from_millis(millis),
        ..read("eth_call")
    }
}

#[test]
fn what_nobody_can_answer_in_time_is_not_begun() {
    let mut bench = with_latencies(100, 120);
    let mut call = bench.begin(within(&bench, 24));
    let (fault, _) = emitted(bench.outcome(&mut call));
    assert_eq!(
        (fault.class, fault.sent),
        (FaultClass::DeadlineExceeded, false)
    );
    let hopeless = bench.notes.last().map(|note| note.kind);
    let Some(NoteKind::Hopeless { needed, left, .. }) = hopeless else {
        panic!("{hopeless:?}")
    };
    assert_eq!(
        (needed, left),
        (Duration::from_millis(25), Duration::from_millis(24))
    );
    let mut call = bench.begin(within(&bench, 25));
    bench.dispatched(&mut call);
    // The preferred one is too slow, another is not.
    let mut bench = with_latencies(100, 40);
    let mut call = bench.begin(within(&bench, 24));
    bench.dispatched(&mut call);
}

#[test]
fn who_has_been_silent_for_long_is_asked_all_the_same() {
    let mut bench = with_latencies(100, 100);
    bench.wait(5_001);
    let mut call = bench.begin(within(&bench, 1));
    bench.dispatched(&mut call);
    let mut unknown = Bench::new(2);
    let mut call = unknown.begin(within(&unknown, 1));
    unknown.dispatched(&mut call);
}

#[test]
fn a_repeat_that_cannot_finish_is_not_made() {
    let mut bench = with_latencies(100, 100);
    let mut call = bench.begin(within(&bench, 60));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.wait(40);
    let before = bench.shard.retries_left(bench.now);
    bench.fail(&mut call, attempt, FaultClass::Server);
    let (fault, _) = emitted(bench.outcome(&mut call));
    assert_eq!(
        fault.class,
        FaultClass::Server,
        "the failure that there was"
    );
    assert_eq!(bench.shard.retries_left(bench.now), before);
}

#[test]
fn a_panic_is_noted_when_it_begins_and_when_it_ends() {
    let mut bench = Bench::new(3);
    let panics = |bench: &Bench| -> Vec<_> {
        let notes = bench.notes.iter();
        notes
            .filter_map(|note| match note.kind {
                NoteKind::Panic { began, well, of } => Some((began, well, of)),
                _ => None,
            })
            .collect()
    };
    bench.trip(A);
    assert_eq!(panics(&bench), []);
    bench.trip(B);
    assert_eq!(panics(&bench), [(true, 1, 3)]);
    bench.now = bench
        .view(B)
        .open_until
        .unwrap()
        .max(bench.view(A).open_until.unwrap());
    for upstream in [A, A, B, B] {
        let mut request = read("eth_call");
        request.pinned = Some(upstream);
        bench.call_with(request, Ok(()));
    }
    assert_eq!(panics(&bench).last(), Some(&(false, 3, 3)));
    assert_eq!(panics(&bench).len(), 2);
}

#[test]
fn the_panic_threshold_is_the_chain_s() {
    for (permille, retried) in [(0, false), (333, false), (500, true), (1_000, true)] {
        let mut config = chain(2);
        config.panic_permille = permille;
        let mut bench = Bench::of(config);
        bench.trip(A);
        let mut call = bench.begin(read("eth_call"));
        let (attempt, upstream, _) = bench.dispatched(&mut call);
        assert_eq!(upstream, B);
        bench.fail(&mut call, attempt, FaultClass::Server);
        let again = matches!(
            bench.poll(&mut call).as_slice(),
            &[Action::Dispatch { upstream: A, .. }]
        );
        assert_eq!(again, retried, "{permille}");
    }
}
