//! How upstreams come back: breakers through the call's path, hold-offs, and the budget in an outage.

use super::*;
use crate::breaker::State;

#[test]
fn a_probe_is_limited_and_closes_the_breaker() {
    let mut bench = Bench::new(2);
    bench.trip(A);
    bench.now = bench.view(A).open_until.unwrap();
    let mut first = bench.begin(read("eth_call"));
    let mut second = bench.begin(read("eth_call"));
    let mut third = bench.begin(read("eth_call"));
    let first_probe = bench.dispatched(&mut first);
    let second_probe = bench.dispatched(&mut second);
    assert_eq!((first_probe.1, second_probe.1), (A, A));
    assert_eq!(bench.dispatched(&mut third).1, B, "two probes are out");
    bench.finish(&mut first, first_probe.0, Ok(()));
    assert_eq!(bench.view(A).breaker, State::HalfOpen);
    bench.finish(&mut second, second_probe.0, Ok(()));
    assert_eq!(bench.view(A).breaker, State::Closed);
}

#[test]
fn a_probe_whose_client_leaves_gives_its_place_back() {
    let mut bench = Bench::new(2);
    bench.trip(A);
    bench.now = bench.view(A).open_until.unwrap();
    for _ in 0..10 {
        let mut call = bench.begin(read("eth_call"));
        assert_eq!(bench.dispatched(&mut call).1, A);
        bench
            .shard
            .handle_event(&mut call, bench.now, Event::ClientGone);
        bench.poll(&mut call);
    }
    assert_eq!(bench.view(A).breaker, State::HalfOpen);
}

#[test]
fn time_outs_trip_as_soon_as_any_other_failure() {
    let mut chain = chain(2);
    chain.policies[0].timeout = secs(2);
    let mut bench = Bench::of(chain);
    for round in 0..5 {
        assert_eq!(bench.view(A).breaker, State::Closed, "round {round}");
        let mut call = bench.begin(read("eth_call"));
        let (_, upstream, deadline) = bench.dispatched(&mut call);
        assert_eq!(upstream, A);
        bench.now = deadline;
        bench.shard.handle_timeout(&mut call, deadline);
        bench.poll(&mut call);
        bench.finish(&mut call, AttemptId(1), Ok(()));
        bench.poll(&mut call);
    }
    assert_eq!(bench.view(A).breaker, State::Open);
}

#[test]
fn a_throttle_is_held_off_not_counted_and_comes_back() {
    let mut bench = Bench::new(2);
    let throttled = Fault::new(FaultClass::RateLimited, "test").with_hold_off(Some(secs(7)));
    let (first, outcome) = bench.call_with(read("eth_call"), Err(throttled));
    assert_eq!((first, relayed(outcome)), (A, AttemptId(1)));
    let view = bench.view(A);
    assert_eq!((view.breaker, view.health_permille), (State::Closed, 1_000));
    bench.wait(6_999);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::HoldOff));
    bench.now = view.held_until.unwrap();
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
    let mut other = bench.begin(read("eth_call"));
    assert_eq!(
        bench.dispatched(&mut other).1,
        B,
        "the ramp admits one at first"
    );
}

#[test]
fn when_all_are_held_off_the_answer_is_honest_and_immediate() {
    let mut bench = Bench::new(2);
    for (upstream, seconds) in [(A, 30), (B, 10)] {
        let mut request = read("eth_call");
        request.pinned = Some(upstream);
        let mut call = bench.begin(request);
        let (attempt, _, _) = bench.dispatched(&mut call);
        let fault = Fault::new(FaultClass::RateLimited, "test").with_hold_off(Some(secs(seconds)));
        bench.finish(&mut call, attempt, Err(fault));
        let (told, _) = emitted(bench.outcome(&mut call));
        assert!(
            told.hold_off.unwrap() >= secs(seconds),
            "pinned: only that one's return counts"
        );
    }
    let mut call = bench.begin(read("eth_call"));
    let (fault, _) = emitted(bench.outcome(&mut call));
    assert_eq!(fault.class, FaultClass::RateLimited);
    let hold_off = fault.hold_off.unwrap();
    assert!(
        hold_off >= secs(10) && hold_off <= secs(12),
        "{hold_off:?}: the earliest return"
    );
    assert!(!fault.sent);
}

#[test]
fn the_only_upstream_that_names_no_time_is_asked_one_at_a_time() {
    let mut bench = Bench::impatient(1);
    let (_, outcome) = bench.call_with(
        read("eth_call"),
        Err(Fault::new(FaultClass::RateLimited, "test")),
    );
    assert_eq!(emitted(outcome).0.class, FaultClass::RateLimited);
    let mut first = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut first);
    let mut second = bench.begin(read("eth_call"));
    assert_eq!(
        emitted(bench.outcome(&mut second)).0.class,
        FaultClass::RateLimited
    );
    bench.finish(&mut first, attempt, Ok(()));
    let mut third = bench.begin(read("eth_call"));
    bench.dispatched(&mut third);
    let mut fourth = bench.begin(read("eth_call"));
    bench.dispatched(&mut fourth);
}

#[test]
fn in_an_outage_of_all_the_budget_is_the_limit() {
    let mut bench = Bench::new(3);
    let (mut attempts, calls) = (0, 5_000);
    for _ in 0..calls {
        let mut call = bench.begin(read("eth_call"));
        loop {
            match bench.poll(&mut call).as_slice() {
                &[Action::Dispatch { attempt, .. }] => {
                    attempts += 1;
                    bench.fail(&mut call, attempt, FaultClass::Server);
                }
                &[Action::Complete(_)] => break,
                other => panic!("{other:?}"),
            }
        }
        bench.wait(2);
    }
    // 20 % of the calls, and the hundred that a quiet process has.
    assert!(attempts <= calls + calls / 5 + 100, "{attempts}");
}

#[test]
fn when_half_are_out_a_retry_may_go_to_one_that_is_out() {
    let mut bench = Bench::new(2);
    bench.trip(A);
    let mut call = bench.begin(read("eth_call"));
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, B);
    bench.fail(&mut call, attempt, FaultClass::Server);
    assert_eq!(bench.dispatched(&mut call).1, A);
    // With two of three well, the one that is out is left alone.
    let mut bench = Bench::new(3);
    bench.trip(A);
    let mut call = bench.begin(read("eth_call"));
    for _ in 0..2 {
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, FaultClass::Server);
    }
    assert!(matches!(bench.outcome(&mut call), Outcome::Emit { .. }));
}

#[test]
fn a_check_beside_the_traffic_brings_probes_forward() {
    let mut bench = Bench::new(2);
    bench.trip(A);
    bench.now = bench.view(A).open_until.unwrap();
    let mut call = bench.begin(read("eth_call"));
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Server);
    bench.poll(&mut call);
    let reopened = bench.now;
    assert!(bench.view(A).open_until.unwrap() >= reopened + secs(20));
    bench.wait(10_000);
    bench
        .shard
        .probe_result(bench.now, CHAIN, A, ProbeResult::Head(5));
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
}
