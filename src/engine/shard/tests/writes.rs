//! Calls with effects: what is never sent twice, what may be, and what is called unknown.

use super::*;

fn node_write() -> Request {
    Request {
        effect: Effect::NodeWrite,
        ..read("eth_sendTransaction")
    }
}

fn signed() -> Request {
    Request {
        effect: Effect::SignedTransaction,
        ..read("eth_sendRawTransaction")
    }
}

#[test]
fn a_node_write_is_never_sent_again_once_it_may_have_left() {
    for class in [
        FaultClass::Transport,
        FaultClass::Timeout,
        FaultClass::Server,
        FaultClass::RateLimited,
        FaultClass::Unclassified,
        FaultClass::UnsupportedMethod,
        FaultClass::Auth,
    ] {
        let mut bench = Bench::new(3);
        let mut call = bench.begin(node_write());
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, class);
        let outcome = bench.outcome(&mut call);
        match class {
            FaultClass::Transport | FaultClass::Timeout | FaultClass::Server => {
                assert_eq!(
                    (emitted(outcome).0.class, emitted(outcome).1),
                    (class, true),
                    "unknown is called unknown"
                );
            }
            FaultClass::Unclassified => assert_eq!(relayed(outcome), attempt),
            _ => assert!(!emitted(outcome).1, "{class:?} was a clear refusal"),
        }
    }
}

#[test]
fn a_node_write_that_never_left_moves_on() {
    let mut bench = Bench::new(3);
    let mut call = bench.begin(node_write());
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.finish(
        &mut call,
        attempt,
        Err(Fault::unsent(FaultClass::Transport, "refused")),
    );
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, B);
    bench.fail(&mut call, attempt, FaultClass::Transport);
    assert!(emitted(bench.outcome(&mut call)).1);
}

#[test]
fn a_node_write_has_all_the_time_since_it_has_one_try() {
    let mut bench = Bench::new(3);
    let mut call = bench.begin(node_write());
    assert_eq!(
        bench.dispatched(&mut call).2,
        Instant(0) + secs(5),
        "the upstream's own limit, not half of it"
    );
}

#[test]
fn a_node_write_on_a_dead_connection_is_repeated_only_if_nothing_left() {
    let mut bench = Bench::new(2);
    let mut call = bench.begin(node_write());
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.shard.handle_event(
        &mut call,
        bench.now,
        Event::Stale {
            attempt,
            sent: false,
        },
    );
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, A);
    bench.finish(&mut call, attempt, Ok(()));
    bench.outcome(&mut call);

    let mut call = bench.begin(node_write());
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.shard.handle_event(
        &mut call,
        bench.now,
        Event::Stale {
            attempt,
            sent: true,
        },
    );
    assert!(emitted(bench.outcome(&mut call)).1);
}

#[test]
fn a_signed_transaction_may_go_to_another_after_a_doubtful_failure() {
    let mut bench = Bench::new(3);
    let mut call = bench.begin(signed());
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Timeout);
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, B);
    bench.fail(&mut call, attempt, FaultClass::TxIdempotent);
    let Outcome::Relay {
        fault: Some(fault), ..
    } = bench.outcome(&mut call)
    else {
        panic!("the transaction is in")
    };
    assert_eq!(fault.class, FaultClass::TxIdempotent);
}

#[test]
fn doubt_about_a_signed_transaction_is_not_hidden_by_another_s_refusal() {
    let mut bench = Bench::impatient(2);
    let mut call = bench.begin(signed());
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Timeout);
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::RateLimited);
    let (fault, unknown) = emitted(bench.outcome(&mut call));
    assert_eq!((fault.class, unknown), (FaultClass::Timeout, true));
}

#[test]
fn a_pool_s_refusal_has_one_more_opinion_and_keeps_its_words() {
    let mut bench = Bench::new(3);
    let mut call = bench.begin(signed());
    for _ in 0..2 {
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, FaultClass::TxPoolPolicy);
    }
    assert_eq!(relayed(bench.outcome(&mut call)), AttemptId(0));
}

#[test]
fn calls_with_effects_never_explore() {
    let mut chain = chain(2);
    chain.strategies[0] = StrategySpec::new("leaderboard", &[]).unwrap();
    let mut bench = Bench::of(chain);
    bench.trip(A);
    bench.now = bench.view(A).open_until.unwrap();
    for _ in 0..100 {
        let mut call = bench.begin(signed());
        let (attempt, upstream, _) = bench.dispatched(&mut call);
        assert_eq!(upstream, B, "a transaction is no probe");
        bench.finish(&mut call, attempt, Ok(()));
        bench.poll(&mut call);
    }
}

#[test]
fn a_write_is_the_probe_where_nobody_else_is_left() {
    let mut bench = Bench::new(2);
    bench.trip(A);
    bench.now = bench.view(A).open_until.unwrap();
    let mut call = bench.begin(signed());
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, B);
    bench.fail(&mut call, attempt, FaultClass::Transport);
    let (_, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, A, "it may be back, and nobody else can tell");
}
