//! Giving up early on an upstream that answers nobody, and not on one that is slow.

use super::*;

/// Nothing is known of the method yet, so it is expected to take 100 ms: sixteen times that.
const PATIENCE_MS: u64 = 1_600;

/// So many calls that wait for A, the last of them on top.
fn waiting(bench: &mut Bench, count: usize, request: Request) -> Vec<Call> {
    let calls = (0..count).map(|_| {
        let mut call = bench.begin(request);
        assert_eq!(bench.dispatched(&mut call).1, A);
        call
    });
    calls.collect()
}

#[test]
fn four_that_wait_in_vain_move_on_early() {
    let mut bench = Bench::new(2);
    let mut calls = waiting(&mut bench, 4, read("eth_call"));
    let check = bench.shard.next_deadline(&calls[0]).unwrap();
    assert_eq!(check, Instant(0) + Duration::from_millis(PATIENCE_MS));
    bench.wait(PATIENCE_MS);
    bench.shard.handle_timeout(&mut calls[0], check);
    let actions = bench.poll(&mut calls[0]);
    assert_eq!(
        actions[0],
        Action::Cancel {
            attempt: AttemptId(0)
        }
    );
    assert!(
        matches!(actions[1], Action::Dispatch { upstream: B, .. }),
        "{actions:?}"
    );
}

#[test]
fn three_are_not_enough_and_listen_again() {
    let mut bench = Bench::new(2);
    let mut calls = waiting(&mut bench, 3, read("eth_call"));
    bench.wait(PATIENCE_MS);
    bench.shard.handle_timeout(&mut calls[0], bench.now);
    assert_eq!(bench.poll(&mut calls[0]), []);
    let again = bench.now + Duration::from_millis(PATIENCE_MS);
    assert_eq!(bench.shard.next_deadline(&calls[0]), Some(again));
}

#[test]
fn a_slow_call_is_left_alone_while_the_upstream_answers_others() {
    let mut bench = Bench::new(2);
    let mut calls = waiting(&mut bench, 8, read("eth_call"));
    bench.wait(1_000);
    let mut answered = calls.pop().unwrap();
    bench.finish(&mut answered, AttemptId(0), Ok(()));
    bench.wait(PATIENCE_MS - 1_000);
    bench.shard.handle_timeout(&mut calls[0], bench.now);
    assert_eq!(bench.poll(&mut calls[0]), []);
    let after_the_answer = Instant(0) + Duration::from_millis(1_000 + PATIENCE_MS);
    assert_eq!(bench.shard.next_deadline(&calls[0]), Some(after_the_answer));
    bench.now = after_the_answer;
    bench.shard.handle_timeout(&mut calls[0], bench.now);
    assert_eq!(bench.poll(&mut calls[0]).len(), 2, "silent since");
}

#[test]
fn an_error_is_a_sign_of_life_and_so_is_a_first_byte() {
    for alive in [
        Event::Finished {
            attempt: AttemptId(0),
            result: Err(Fault::new(FaultClass::Execution, "test")),
        },
        Event::FirstByte {
            attempt: AttemptId(0),
        },
    ] {
        let mut bench = Bench::new(2);
        let mut calls = waiting(&mut bench, 8, read("eth_call"));
        bench.wait(1_000);
        let mut speaking = calls.pop().unwrap();
        bench.shard.handle_event(&mut speaking, bench.now, alive);
        bench.wait(PATIENCE_MS - 1_000);
        bench.shard.handle_timeout(&mut calls[0], bench.now);
        assert_eq!(bench.poll(&mut calls[0]), [], "{alive:?}");
    }
}

#[test]
fn who_has_nowhere_to_go_waits() {
    let mut alone = Bench::new(1);
    let calls = waiting(&mut alone, 8, read("eth_call"));
    assert_eq!(
        alone.shard.next_deadline(&calls[0]),
        Some(Instant(0) + secs(5))
    );
    let mut bench = Bench::new(2);
    let write = Request {
        effect: Effect::NodeWrite,
        ..read("eth_sendTransaction")
    };
    let calls = waiting(&mut bench, 8, write);
    assert_eq!(
        bench.shard.next_deadline(&calls[0]),
        Some(Instant(0) + secs(5))
    );
    // The other upstream goes away while they wait.
    let mut bench = Bench::new(2);
    let mut calls = waiting(&mut bench, 8, read("eth_call"));
    bench.shard.set_reachable(CHAIN, B, false);
    bench.wait(PATIENCE_MS);
    bench.shard.handle_timeout(&mut calls[0], bench.now);
    assert_eq!(bench.poll(&mut calls[0]), []);
}

#[test]
fn a_stream_that_has_begun_is_never_given_up_for_silence() {
    let mut bench = Bench::new(2);
    let mut calls = waiting(&mut bench, 8, read("eth_getLogs"));
    let attempt = AttemptId(0);
    bench
        .shard
        .handle_event(&mut calls[0], bench.now, Event::Committed { attempt });
    bench.wait(5_000);
    bench.shard.handle_timeout(&mut calls[0], bench.now);
    assert_eq!(bench.poll(&mut calls[0]), []);
}

#[test]
fn what_hangs_does_not_lengthen_the_patience_with_it() {
    let mut bench = Bench::new(2);
    for _ in 0..20 {
        let mut call = bench.begin(read("eth_call"));
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.wait(20);
        bench.finish(&mut call, attempt, Ok(()));
        bench.outcome(&mut call);
    }
    let _hanging = waiting(&mut bench, 50, read("eth_call"));
    bench.wait(900);
    let call = bench.begin(read("eth_call"));
    let patience = bench.now + Duration::from_secs(1);
    assert_eq!(bench.shard.next_deadline(&call), Some(patience));
}

#[test]
fn a_method_that_is_not_answered_is_not_waited_for_since_others_are() {
    for hung in [4, 3] {
        let mut bench = Bench::new(2);
        let mut calls = waiting(&mut bench, hung, read("eth_call"));
        // Others are answered all the while.
        while bench.now < Instant(0) + Duration::from_millis(PATIENCE_MS) {
            bench.call_with(read("eth_getBalance"), Ok(()));
            bench.wait(100);
        }
        bench.shard.handle_timeout(&mut calls[0], bench.now);
        let moved = bench.poll(&mut calls[0]).len() == 2;
        assert_eq!(moved, hung >= 4, "{hung}");
    }
}
