//! Two attempts at once: which of them is the answer, and what the other one leaves behind.

use super::hedges::*;
use super::*;
use crate::config::MAX_ATTEMPTS;

#[test]
fn whichever_commits_first_is_the_only_one_from_there_on() {
    for hedge_commits in [false, true] {
        let mut bench = warm(hedging(3));
        let (mut call, first, second) = hedged(&mut bench);
        let (winner, loser) = if hedge_commits {
            (second, first)
        } else {
            (first, second)
        };
        let begun = Event::FirstByte { attempt: winner };
        bench.shard.handle_event(&mut call, bench.now, begun);
        assert_eq!(
            bench.poll(&mut call),
            [],
            "a first byte may still be a fault's"
        );
        let committed = Event::Committed { attempt: winner };
        bench.shard.handle_event(&mut call, bench.now, committed);
        assert_eq!(bench.poll(&mut call), [cancel(loser)]);
        bench.finish(&mut call, loser, Ok(()));
        assert_eq!(bench.poll(&mut call), [], "nobody hears it any more");
        bench.wait(500);
        bench.finish(&mut call, winner, Ok(()));
        assert_eq!(bench.poll(&mut call), [answered_by(winner)]);
        nothing_is_held_against(&bench, A);
        nothing_is_held_against(&bench, B);
    }
}

#[test]
fn a_failure_before_the_hedge_is_a_retry_and_no_hedge() {
    let mut bench = warm(hedging(3));
    let mut call = bench.begin(read("eth_call"));
    let (first, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, first, FaultClass::Server);
    let (second, to, deadline) = bench.dispatched(&mut call);
    assert_eq!(to, B);
    while let Some(at) = bench.shard.next_deadline(&call).filter(|&at| at < deadline) {
        bench.now = at;
        bench.shard.handle_timeout(&mut call, at);
        assert_eq!(bench.poll(&mut call), []);
    }
    bench.finish(&mut call, second, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), second);
    assert!(!has_hedged(&bench));
}

#[test]
fn if_one_of_two_fails_the_other_goes_on() {
    for hedge_fails in [false, true] {
        for class in [
            FaultClass::Server,
            FaultClass::Transport,
            FaultClass::RateLimited,
            FaultClass::MissingData,
            FaultClass::Unclassified,
        ] {
            let mut bench = warm(hedging(3));
            let (mut call, first, second) = hedged(&mut bench);
            let (bad, good) = if hedge_fails {
                (second, first)
            } else {
                (first, second)
            };
            let left = bench.shard.retries_left(bench.now);
            bench.fail(&mut call, bad, class);
            assert_eq!(bench.poll(&mut call), [], "{class:?}");
            bench.wait(5);
            bench.finish(&mut call, good, Ok(()));
            assert_eq!(bench.poll(&mut call), [answered_by(good)], "{class:?}");
            assert_eq!(
                bench.shard.retries_left(bench.now),
                left,
                "no retry was needed"
            );
        }
    }
}

#[test]
fn a_throttled_hedge_holds_its_upstream_off() {
    let mut bench = warm(hedging(2));
    let (mut call, first, second) = hedged(&mut bench);
    let fault = Fault::new(FaultClass::RateLimited, "test").with_hold_off(Some(secs(7)));
    bench.finish(&mut call, second, Err(fault));
    assert_eq!(bench.poll(&mut call), []);
    assert!(bench.view(B).held_until.unwrap() >= bench.now + secs(7));
    bench.finish(&mut call, first, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), first);
    let (mut call, first) = waiting(&mut bench, read("eth_call"));
    bench.shard.handle_timeout(&mut call, bench.now);
    assert_eq!(bench.poll(&mut call), [], "it is left alone");
    bench.finish(&mut call, first, Ok(()));
    bench.outcome(&mut call);
}

#[test]
fn a_node_s_own_final_error_from_either_ends_the_call() {
    for hedge_says_it in [false, true] {
        let mut bench = warm(hedging(2));
        let (mut call, first, second) = hedged(&mut bench);
        let (says, other) = if hedge_says_it {
            (second, first)
        } else {
            (first, second)
        };
        bench.fail(&mut call, says, FaultClass::Execution);
        match bench.poll(&mut call)[..] {
            [ref cancelled, Action::Complete(outcome)] => {
                assert_eq!(*cancelled, cancel(other));
                assert_eq!(relayed(outcome), says);
            }
            ref actions => panic!("{actions:?}"),
        }
        nothing_is_held_against(&bench, A);
    }
}

#[test]
fn if_both_fail_the_retries_are_all_there_yet() {
    let mut chain = hedging(4);
    chain.policies[0].attempts = 3;
    let mut bench = warm(chain);
    let (mut call, first, second) = hedged(&mut bench);
    bench.fail(&mut call, first, FaultClass::Server);
    assert_eq!(bench.poll(&mut call), []);
    bench.fail(&mut call, second, FaultClass::Server);
    let (third, to, _) = bench.dispatched(&mut call);
    assert_eq!(to, C);
    bench.fail(&mut call, third, FaultClass::Server);
    let (fourth, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, fourth, FaultClass::Server);
    assert!(matches!(bench.outcome(&mut call), Outcome::Emit { .. }));
    assert_eq!(call.attempts_made(), 4, "three, and a hedge");
}

#[test]
fn two_that_are_out_are_two_opinions() {
    let mut bench = warm(hedging(4));
    let (mut call, first, second) = hedged(&mut bench);
    bench.fail(&mut call, first, FaultClass::Unclassified);
    bench.fail(&mut call, second, FaultClass::Unclassified);
    assert_eq!(
        relayed_or_emitted(bench.outcome(&mut call)),
        FaultClass::Unclassified
    );
    assert_eq!(call.attempts_made(), 2);
}

fn relayed_or_emitted(outcome: Outcome) -> FaultClass {
    match outcome {
        Outcome::Relay {
            fault: Some(fault), ..
        }
        | Outcome::Emit { fault, .. } => fault.class,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_that_leaves_ends_both() {
    let mut bench = warm(hedging(2));
    let before = bench
        .shard
        .estimate(CHAIN, A, lookup(b"eth_call"), bench.now)
        .unwrap();
    let (mut call, first, second) = hedged(&mut bench);
    bench.wait(100);
    bench
        .shard
        .handle_event(&mut call, bench.now, Event::ClientGone);
    match bench.poll(&mut call)[..] {
        [a, b, Action::Complete(Outcome::Abort { fault })] => {
            assert_eq!([a, b], [cancel(first), cancel(second)]);
            assert_eq!(fault.class, FaultClass::Cancelled);
        }
        ref actions => panic!("{actions:?}"),
    }
    nothing_is_held_against(&bench, A);
    nothing_is_held_against(&bench, B);
    let after = bench
        .shard
        .estimate(CHAIN, A, lookup(b"eth_call"), bench.now)
        .unwrap();
    assert_eq!(
        before.latency_us, after.latency_us,
        "a client's leaving says nothing"
    );
}

#[test]
fn a_dead_connection_under_either_is_replaced_once() {
    for (hedge_is_stale, sent) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut bench = warm(hedging(3));
        let (mut call, first, second) = hedged(&mut bench);
        let (stale, other) = if hedge_is_stale {
            (second, first)
        } else {
            (first, second)
        };
        let dead = |attempt| Event::Stale { attempt, sent };
        bench.shard.handle_event(&mut call, bench.now, dead(stale));
        let to = call.upstream_of(stale);
        match bench.poll(&mut call)[..] {
            [
                Action::Dispatch {
                    attempt,
                    upstream,
                    fresh,
                    ..
                },
            ] => {
                assert_eq!((attempt, Some(upstream), fresh), (AttemptId(2), to, true));
            }
            ref actions => panic!("{actions:?}"),
        }
        // The second one is a failure, of that attempt alone.
        bench.shard.handle_event(&mut call, bench.now, dead(other));
        assert_eq!(bench.poll(&mut call), []);
        bench.finish(&mut call, AttemptId(2), Ok(()));
        assert_eq!(bench.poll(&mut call), [answered_by(AttemptId(2))]);
        assert_eq!(bench.shard.live_calls(), 0);
    }
}

#[test]
fn a_replaced_connection_keeps_the_hedge_s_time() {
    let mut bench = warm(hedging(2));
    let mut call = bench.begin(read("eth_call"));
    let (first, _, _) = bench.dispatched(&mut call);
    let due = bench.shard.next_deadline(&call).unwrap();
    bench.wait(1);
    let dead = Event::Stale {
        attempt: first,
        sent: true,
    };
    bench.shard.handle_event(&mut call, bench.now, dead);
    let (again, to, _) = bench.dispatched(&mut call);
    assert_eq!((to, bench.shard.next_deadline(&call)), (A, Some(due)));
    bench.now = due;
    bench.shard.handle_timeout(&mut call, due);
    let (hedge, to, _) = bench.dispatched(&mut call);
    assert_eq!(to, B);
    bench.finish(&mut call, hedge, Ok(()));
    assert_eq!(bench.poll(&mut call), [cancel(again), answered_by(hedge)]);
}

#[test]
fn the_most_that_a_hedged_call_can_ever_send_is_sent() {
    let mut chain = hedging(8);
    chain.policies[0].attempts = MAX_ATTEMPTS;
    let mut bench = warm(chain);
    let mut call = bench.begin(read("eth_call"));
    let (first, _, _) = bench.dispatched(&mut call);
    let dead = Event::Stale {
        attempt: first,
        sent: true,
    };
    bench.shard.handle_event(&mut call, bench.now, dead);
    let (again, _, _) = bench.dispatched(&mut call);
    bench.now = bench.shard.next_deadline(&call).unwrap();
    bench.shard.handle_timeout(&mut call, bench.now);
    let (hedge, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, again, FaultClass::Server);
    bench.fail(&mut call, hedge, FaultClass::Server);
    for _ in 1..MAX_ATTEMPTS {
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, FaultClass::Server);
    }
    assert!(matches!(bench.outcome(&mut call), Outcome::Emit { .. }));
    // A raced one may send one more.
    assert_eq!(call.attempts_made(), crate::call::MAX_CALL_ATTEMPTS - 1);
    assert_eq!(bench.shard.live_calls(), 0);
}

#[test]
fn who_hangs_and_is_always_outrun_loses_its_share_without_a_fault() {
    let mut chain = hedging(2);
    chain.strategies = std::vec![StrategySpec::new("leaderboard", &[]).unwrap()];
    let mut bench = Bench::of(chain);
    for _ in 0..100 {
        answer(&mut bench, read("eth_call"), 10);
    }
    let (mut to_a, mut calls) = (0, 0);
    for _ in 0..300 {
        let mut call = bench.begin(read("eth_call"));
        let (first, to, _) = bench.dispatched(&mut call);
        calls += 1;
        if to == B {
            bench.wait(10);
            bench.finish(&mut call, first, Ok(()));
            bench.outcome(&mut call);
            continue;
        }
        to_a += u32::from(calls > 100);
        bench.now = bench.shard.next_deadline(&call).unwrap();
        bench.shard.handle_timeout(&mut call, bench.now);
        let (second, _, _) = bench.dispatched(&mut call);
        bench.wait(10);
        bench.finish(&mut call, second, Ok(()));
        assert_eq!(bench.poll(&mut call), [cancel(first), answered_by(second)]);
    }
    assert!(
        to_a < 20,
        "{to_a} of 200 calls still went to the one that hangs"
    );
    nothing_is_held_against(&bench, A);
    assert_eq!(bench.view(A).breaker, crate::breaker::State::Closed);
}
