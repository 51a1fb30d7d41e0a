//! Outcomes, deadlines and retries of one call.

use super::*;

#[test]
fn a_good_answer_is_relayed() {
    let mut bench = Bench::new(2);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!((attempt, upstream), (AttemptId(0), A));
    assert_eq!(bench.shard.live_calls(), 1);
    bench.finish(&mut call, attempt, Ok(()));
    assert_eq!(
        bench.outcome(&mut call),
        Outcome::Relay {
            attempt,
            fault: None
        }
    );
    assert!(call.is_done());
    assert_eq!(bench.shard.next_deadline(&call), None);
    assert_eq!((bench.shard.live_calls(), bench.view(A).in_flight), (0, 0));
}

#[test]
fn after_the_outcome_nothing_is_heard_and_nothing_said() {
    let mut bench = Bench::new(2);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.finish(&mut call, attempt, Ok(()));
    bench.outcome(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Server);
    bench
        .shard
        .handle_event(&mut call, bench.now, Event::ClientGone);
    bench.shard.handle_timeout(&mut call, Instant::NEVER);
    assert_eq!(bench.poll(&mut call), []);
    assert_eq!(bench.shard.live_calls(), 0);
}

#[test]
fn priority_goes_from_a_to_b_to_c_at_once_when_refused() {
    let mut bench = Bench::new(3);
    let mut call = bench.begin(read("eth_call"));
    for expected in [A, B] {
        let (attempt, upstream, _) = bench.dispatched(&mut call);
        assert_eq!(upstream, expected);
        bench.finish(
            &mut call,
            attempt,
            Err(Fault::unsent(FaultClass::Transport, "refused")),
        );
    }
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, C);
    bench.finish(&mut call, attempt, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), attempt);
}

#[test]
fn a_retry_prefers_another_company() {
    let mut chain = chain(3);
    chain.upstreams[1].provider = chain.upstreams[0].provider;
    let mut bench = Bench::of(chain);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Server);
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, C, "B is of A's company");
    bench.fail(&mut call, attempt, FaultClass::Server);
    assert_eq!(bench.dispatched(&mut call).1, B);
}

#[test]
fn the_policy_s_attempts_are_the_limit() {
    for limit in 1..=3 {
        let mut chain = chain(4);
        chain.policies[0].attempts = limit;
        let mut bench = Bench::of(chain);
        let mut call = bench.begin(read("eth_call"));
        for _ in 0..limit {
            let (attempt, _, _) = bench.dispatched(&mut call);
            bench.fail(&mut call, attempt, FaultClass::Server);
        }
        let (fault, unknown) = emitted(bench.outcome(&mut call));
        assert_eq!((fault.class, unknown), (FaultClass::Server, false));
    }
}

#[test]
fn an_attempt_gets_half_of_what_is_left_while_another_is_eligible() {
    let mut chain = chain(3);
    chain.policies[0].timeout = secs(8);
    let mut bench = Bench::of(chain);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(call.deadline(), Instant(0) + secs(8));
    let (_, _, first) = bench.dispatched(&mut call);
    assert_eq!(first, Instant(0) + secs(4));
    bench.now = first;
    bench.shard.handle_timeout(&mut call, first);
    let actions = bench.poll(&mut call);
    assert_eq!(
        actions[0],
        Action::Cancel {
            attempt: AttemptId(0)
        }
    );
    let Action::Dispatch {
        upstream, deadline, ..
    } = actions[1]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((upstream, deadline), (B, Instant(0) + secs(6)));
    bench.now = deadline;
    bench.shard.handle_timeout(&mut call, deadline);
    let actions = bench.poll(&mut call);
    let Action::Dispatch {
        upstream, deadline, ..
    } = actions[1]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (upstream, deadline),
        (C, Instant(0) + secs(8)),
        "the last attempt gets all that is left"
    );
    bench.now = deadline;
    bench.shard.handle_timeout(&mut call, deadline);
    let actions = bench.poll(&mut call);
    assert_eq!(
        actions[0],
        Action::Cancel {
            attempt: AttemptId(2)
        }
    );
    let Action::Complete(outcome) = actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(emitted(outcome).0.class, FaultClass::Timeout);
}

#[test]
fn an_attempt_never_exceeds_the_upstream_s_own_limit_or_the_call_s() {
    let mut bench = Bench::new(1);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).2, Instant(0) + secs(5));
    let mut hasty = read("eth_call");
    hasty.deadline = Instant(0) + secs(1);
    let mut call = bench.begin(hasty);
    assert_eq!(bench.dispatched(&mut call).2, Instant(0) + secs(1));
}

#[test]
fn a_call_without_time_is_not_sent() {
    let mut bench = Bench::new(1);
    bench.wait(10);
    let mut late = read("eth_call");
    late.deadline = bench.now;
    let mut call = bench.begin(late);
    let (fault, _) = emitted(bench.outcome(&mut call));
    assert_eq!(
        (fault.class, fault.sent),
        (FaultClass::DeadlineExceeded, false)
    );
}

#[test]
fn a_right_answer_that_is_an_error_is_relayed_at_once_and_is_a_success() {
    for class in [
        FaultClass::Execution,
        FaultClass::Client,
        FaultClass::TxTerminal,
        FaultClass::TxNonceLow,
        FaultClass::TxIdempotent,
    ] {
        let mut bench = Bench::new(2);
        for _ in 0..20 {
            let mut call = bench.begin(read("eth_call"));
            let (attempt, upstream, _) = bench.dispatched(&mut call);
            assert_eq!(upstream, A, "{class:?} says nothing against A");
            bench.fail(&mut call, attempt, class);
            let Outcome::Relay {
                fault: Some(fault), ..
            } = bench.outcome(&mut call)
            else {
                panic!("{class:?}")
            };
            assert_eq!(fault.class, class);
        }
        assert_eq!(bench.view(A).health_permille, 1_000);
    }
}

#[test]
fn an_unknown_error_has_one_more_opinion_then_is_relayed() {
    let mut bench = Bench::new(3);
    let mut call = bench.begin(read("eth_call"));
    for _ in 0..2 {
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, FaultClass::Unclassified);
    }
    assert_eq!(relayed(bench.outcome(&mut call)), AttemptId(0));
}

#[test]
fn of_several_failures_the_most_telling_is_told() {
    let cases = [
        (
            FaultClass::Transport,
            FaultClass::MissingData,
            FaultClass::MissingData,
        ),
        (
            FaultClass::MissingData,
            FaultClass::Timeout,
            FaultClass::MissingData,
        ),
        (
            FaultClass::UnsupportedMethod,
            FaultClass::RateLimited,
            FaultClass::RateLimited,
        ),
        (
            FaultClass::UnsupportedMethod,
            FaultClass::UnsupportedMethod,
            FaultClass::UnsupportedMethod,
        ),
        (
            FaultClass::Transport,
            FaultClass::Server,
            FaultClass::Server,
        ),
        (
            FaultClass::Auth,
            FaultClass::Transport,
            FaultClass::Transport,
        ),
        (
            FaultClass::Server,
            FaultClass::Execution,
            FaultClass::Execution,
        ),
    ];
    for (first, second, told) in cases {
        let mut bench = Bench::new(2);
        let mut chain = chain(2);
        chain.policies[0].attempts = 2;
        bench.shard = Bench::of(chain).shard;
        let mut call = bench.begin(read("eth_call"));
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, first);
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, second);
        let class = match bench.outcome(&mut call) {
            Outcome::Relay { fault, .. } => fault.map(|fault| fault.class),
            Outcome::Emit { fault, .. } => Some(fault.class),
            other => panic!("{other:?}"),
        };
        assert_eq!(class, Some(told), "{first:?} then {second:?}");
    }
}

#[test]
fn a_failed_transport_goes_back_once_after_a_pause_when_nobody_else_is_left() {
    let mut bench = Bench::new(1);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.finish(
        &mut call,
        attempt,
        Err(Fault::unsent(FaultClass::Transport, "refused")),
    );
    assert_eq!(bench.poll(&mut call), []);
    let resume = bench.shard.next_deadline(&call).unwrap();
    assert!(
        resume >= bench.now + Duration::from_millis(10)
            && resume < bench.now + Duration::from_millis(20)
    );
    bench.shard.handle_timeout(&mut call, Instant(resume.0 - 1));
    assert_eq!(bench.poll(&mut call), [], "not before its time");
    bench.now = resume;
    bench.shard.handle_timeout(&mut call, resume);
    let actions = bench.poll(&mut call);
    assert!(
        matches!(
            actions[..],
            [Action::Dispatch {
                fresh: true,
                upstream: A,
                ..
            }]
        ),
        "{actions:?}"
    );
    bench.fail(&mut call, AttemptId(1), FaultClass::Transport);
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::Transport
    );
}

#[test]
fn a_failed_server_is_not_asked_again() {
    let mut bench = Bench::new(1);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Server);
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::Server
    );
}

#[test]
fn without_budget_the_failure_is_told_and_noted() {
    let mut bench = Bench::with_budget(
        chain(2),
        RetryBudgetConfig {
            permille_of_calls: 0,
            min_millis_per_second: 0,
        },
    );
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Server);
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::Server
    );
    let denied = |note: &Note| note.kind == NoteKind::RetryDenied { call: call.id() };
    assert_eq!(bench.notes.iter().filter(|note| denied(note)).count(), 1);
    // What an upstream cannot do is no outage: the call moves on without the budget.
    let (_, outcome) = bench.call_with(
        read("eth_getLogs"),
        Err(Fault::new(FaultClass::MissingData, "test")),
    );
    assert_eq!(relayed(outcome), AttemptId(1));
}

#[test]
fn the_client_s_leaving_is_nobody_s_fault() {
    let mut bench = Bench::new(1);
    for _ in 0..50 {
        let mut call = bench.begin(read("eth_call"));
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.wait(100);
        bench
            .shard
            .handle_event(&mut call, bench.now, Event::ClientGone);
        let actions = bench.poll(&mut call);
        assert_eq!(actions[0], Action::Cancel { attempt });
        let Action::Complete(Outcome::Abort { fault }) = actions[1] else {
            panic!("{actions:?}")
        };
        assert_eq!(fault.class, FaultClass::Cancelled);
        assert_eq!(actions.len(), 2);
    }
    let view = bench.view(A);
    assert!(view.eligible && view.in_flight == 0 && view.health_permille == 1_000);
}

#[test]
fn a_client_that_leaves_during_a_pause_is_gone() {
    let mut bench = Bench::new(1);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Transport);
    bench
        .shard
        .handle_event(&mut call, bench.now, Event::ClientGone);
    assert!(matches!(bench.outcome(&mut call), Outcome::Abort { .. }));
    assert_eq!(bench.shard.live_calls(), 0);
}

#[test]
fn once_committed_a_failure_aborts_and_the_rest_of_the_time_is_the_body_s() {
    let mut bench = Bench::new(2);
    let mut call = bench.begin(read("eth_getLogs"));
    let (attempt, _, deadline) = bench.dispatched(&mut call);
    assert!(deadline < call.deadline());
    bench
        .shard
        .handle_event(&mut call, bench.now, Event::FirstByte { attempt });
    bench
        .shard
        .handle_event(&mut call, bench.now, Event::Committed { attempt });
    assert_eq!(bench.shard.next_deadline(&call), Some(call.deadline()));
    bench.now = deadline;
    bench.shard.handle_timeout(&mut call, deadline);
    assert_eq!(bench.poll(&mut call), []);
    bench.fail(&mut call, attempt, FaultClass::Transport);
    let Outcome::Abort { fault } = bench.outcome(&mut call) else {
        panic!("a broken stream must not end as if whole")
    };
    assert_eq!(fault.class, FaultClass::Transport);
}

#[test]
fn a_committed_call_ends_at_its_deadline_and_a_slow_reader_is_not_the_upstream_s_failure() {
    let mut bench = Bench::new(2);
    for _ in 0..20 {
        let mut call = bench.begin(read("eth_getLogs"));
        let (attempt, upstream, _) = bench.dispatched(&mut call);
        assert_eq!(upstream, A);
        bench
            .shard
            .handle_event(&mut call, bench.now, Event::Committed { attempt });
        bench.now = call.deadline();
        bench.shard.handle_timeout(&mut call, bench.now);
        let actions = bench.poll(&mut call);
        assert!(
            matches!(actions[1], Action::Complete(Outcome::Abort { .. })),
            "{actions:?}"
        );
    }
    assert!(bench.view(A).eligible);
}

#[test]
fn a_stale_connection_is_replaced_once_and_held_against_nobody() {
    let mut bench = Bench::new(2);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.shard.handle_event(
        &mut call,
        bench.now,
        Event::Stale {
            attempt,
            sent: true,
        },
    );
    let actions = bench.poll(&mut call);
    let &[
        Action::Dispatch {
            attempt: second,
            upstream: A,
            fresh: true,
            ..
        },
    ] = actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(bench.view(A).health_permille, 1_000);
    bench.shard.handle_event(
        &mut call,
        bench.now,
        Event::Stale {
            attempt: second,
            sent: true,
        },
    );
    assert_eq!(bench.dispatched(&mut call).1, B, "twice is a fault");
    assert!(bench.view(A).health_permille < 1_000);
}

#[test]
fn a_stale_connection_costs_no_attempt() {
    let mut chain = chain(1);
    chain.policies[0].attempts = 1;
    let mut bench = Bench::of(chain);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.shard.handle_event(
        &mut call,
        bench.now,
        Event::Stale {
            attempt,
            sent: true,
        },
    );
    let (second, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, A);
    bench.finish(&mut call, second, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), second);
}

#[test]
fn a_short_deadline_is_not_the_upstream_s_failure() {
    let mut bench = Bench::new(1);
    for _ in 0..20 {
        bench.call_with(read("eth_call"), Ok(()));
        bench.wait(50);
    }
    for _ in 0..50 {
        let mut hasty = read("eth_call");
        hasty.deadline = bench.now + Duration::from_nanos(100);
        let mut call = bench.begin(hasty);
        bench.dispatched(&mut call);
        bench.now = call.deadline();
        bench.shard.handle_timeout(&mut call, bench.now);
        bench.poll(&mut call);
    }
    assert!(bench.view(A).eligible);
}

#[test]
fn a_chain_that_does_not_exist_or_is_invalid_answers_in_one_clear_error() {
    let mut bench = Bench::new(1);
    let mut nowhere = read("eth_call");
    nowhere.chain = ChainIndex(9);
    let mut call = bench.begin(nowhere);
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::NoUpstream
    );
    let empty = ChainConfig {
        upstreams: Vec::new(),
        ..chain(1)
    };
    let config = ShardConfig {
        chains: std::vec![empty],
        retry_budget: RetryBudgetConfig::default(),
        ..ShardConfig::default()
    };
    bench.shard = Shard::new(config, 1, Instant(0));
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::NoUpstream
    );
}

#[test]
fn notes_are_bounded_and_the_dropped_are_counted() {
    let mut bench = Bench::new(1);
    for _ in 0..2_000 {
        let mut call = bench.shard.begin(bench.now, read("eth_call"));
        while bench.shard.poll_action(&mut call, bench.now).is_some() {}
    }
    assert_eq!(
        core::iter::from_fn(|| bench.shard.poll_note()).count(),
        crate::note::MAX_NOTES
    );
    assert_eq!(
        bench.shard.notes_dropped(),
        4_000 - crate::note::MAX_NOTES as u64
    );
}

#[test]
fn a_call_fits_into_a_kilobyte() {
    // One lives in every task that waits for an upstream, and is moved when it begins.
    assert!(size_of::<Call>() <= 1_024, "{}", size_of::<Call>());
}
