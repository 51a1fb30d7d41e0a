//! An upstream comes back from an outage: what was sent to it before is of the past, whatever becomes of it. And several that have enough calls
//! a second: who waits for room, for how long, and where to.

use super::*;

use crate::breaker::State;
use crate::gossip::News;
use crate::limit::ROOM_WAIT;

/// Attempts at A that hang, one a call.
fn hanging(bench: &mut Bench, count: usize) -> Vec<(Call, AttemptId)> {
    let each = |_| {
        let mut call = bench.begin(read("eth_call"));
        let (attempt, upstream, _) = bench.dispatched(&mut call);
        assert_eq!(upstream, A);
        (call, attempt)
    };
    (0..count).map(each).collect()
}

/// A's breaker is open and its probes succeed: it is closed again.
fn comes_back(bench: &mut Bench) {
    bench.trip(A);
    bench.wait(60_000);
    for _ in 0..10 {
        let mut request = read("eth_call");
        request.pinned = Some(A);
        bench.call_with(request, Ok(()));
    }
    assert_eq!(bench.view(A).breaker, State::Closed);
    // The ramp of who has just come back.
    for _ in 0..40 {
        bench.wait(1_000);
        let mut request = read("eth_call");
        request.pinned = Some(A);
        bench.call_with(request, Ok(()));
    }
    assert!(!bench.view(A).on_probation);
}

#[test]
fn what_was_sent_into_the_outage_is_held_against_nobody_who_is_back() {
    let mut bench = Bench::new(2);
    let mut hung = hanging(&mut bench, 40);
    comes_back(&mut bench);
    for (call, attempt) in &mut hung {
        bench.fail(call, *attempt, FaultClass::Timeout);
        bench.poll(call);
    }
    let view = bench.view(A);
    assert_eq!(view.breaker, State::Closed);
    assert_eq!(view.groups, [State::Closed; 5]);
    assert!(!view.on_probation, "the ramp is not set back");
    assert!(view.health_permille > 990, "{}", view.health_permille);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
}

#[test]
fn what_was_sent_into_the_outage_sets_no_ramp_back() {
    let mut bench = Bench::new(2);
    let mut hung = hanging(&mut bench, 20);
    bench.trip(A);
    bench.wait(60_000);
    let answered = |bench: &mut Bench, count: usize| {
        for _ in 0..count {
            let mut request = read("eth_call");
            request.pinned = Some(A);
            bench.call_with(request, Ok(()));
            bench.wait(300);
        }
    };
    answered(&mut bench, 8);
    let share = bench.view(A).share_permille;
    assert!((250..1_000).contains(&share), "{share}");
    for (call, attempt) in &mut hung {
        bench.fail(call, *attempt, FaultClass::Timeout);
        bench.poll(call);
    }
    assert_eq!(bench.view(A).share_permille, share);
    answered(&mut bench, 8);
    assert!(bench.view(A).share_permille > share);
}

#[test]
fn what_hangs_since_the_outage_fills_no_limit_that_was_found_but_one_that_is_configured() {
    for (most, to) in [(u32::MAX, A), (40, B)] {
        let mut config = chain(2);
        config.upstreams[0].limiter.max_in_flight = most;
        let mut bench = Bench::of(config);
        let hung = hanging(&mut bench, 40);
        comes_back(&mut bench);
        assert_eq!(bench.view(A).in_flight, 40);
        let mut call = bench.begin(read("eth_call"));
        assert_eq!(bench.dispatched(&mut call).1, to);
        drop(hung);
    }
}

#[test]
fn an_attempt_that_was_sent_into_the_silence_is_given_up_when_that_is_over() {
    for comes_back in [true, false] {
        let mut config = chain(2);
        config.policies[0].timeout = Duration::from_secs(60);
        config.upstreams[0].timeout = Duration::from_secs(60);
        let mut bench = Bench::of(config);
        // One alone is not given up for its upstream's silence, and may take half of the call's time.
        let mut call = bench.begin(read("eth_getLogs"));
        let (_, upstream, deadline) = bench.dispatched(&mut call);
        assert_eq!(upstream, A);
        bench.trip(A);
        let mut moved = None;
        while moved.is_none() && bench.now < deadline {
            bench.wait(100);
            if comes_back && bench.view(A).eligible {
                let mut request = read("eth_call");
                request.pinned = Some(A);
                bench.call_with(request, Ok(()));
            }
            if bench.shard.next_deadline(&call) <= Some(bench.now) {
                bench.shard.handle_timeout(&mut call, bench.now);
            }
            moved = bench.poll(&mut call).pop();
        }
        assert!(
            matches!(moved, Some(Action::Dispatch { upstream: B, .. })),
            "{moved:?}"
        );
        assert_eq!(bench.now < deadline, comes_back, "{}", bench.now);
    }
}

/// Two upstreams, of which each has served 20 attempts in the last second and throttled one more.
fn limited(bench: &mut Bench) {
    let held_wait = core::mem::take(&mut bench.shard.held_wait);
    for upstream in [A, B] {
        for _ in 0..20 {
            let mut request = read("eth_call");
            request.pinned = Some(upstream);
            bench.call_with(request, Ok(()));
            bench.wait(10);
        }
        let mut request = read("eth_call");
        request.pinned = Some(upstream);
        let fault = Fault::new(FaultClass::RateLimited, "test");
        bench.call_with(request, Err(fault));
        assert!(bench.view(upstream).max_rate_millis.is_some());
    }
    // The hold-offs and their ramps are over.
    bench.wait(1_500);
    for upstream in [A, B] {
        for _ in 0..20 {
            let mut request = read("eth_call");
            request.pinned = Some(upstream);
            bench.call_with(request, Ok(()));
            bench.wait(60);
        }
    }
    bench.shard.held_wait = held_wait;
}

#[test]
fn where_everybody_has_enough_a_call_waits_a_moment_for_room_and_is_then_sent_all_the_same() {
    let mut bench = Bench::new(2);
    limited(&mut bench);
    let mut calls: Vec<Call> = Vec::new();
    let mut waiting = None;
    for _ in 0..20 {
        let mut call = bench.begin(read("eth_call"));
        let sent = !bench.poll(&mut call).is_empty();
        if !sent {
            waiting = Some(call);
            break;
        }
        calls.push(call);
    }
    let mut call = waiting.expect("there is no room for twenty at once");
    let held = bench.notes.iter();
    let held = held.filter(|note| matches!(note.kind, NoteKind::Held { .. }));
    assert_eq!(held.count(), 1);
    // Others take all of the room that there is, so that it waits for as long as it may.
    let began = bench.now;
    let sent = loop {
        let at = bench.shard.next_deadline(&call).unwrap();
        while bench.now < at {
            bench.wait(1);
            let mut other = bench.begin(read("eth_call"));
            bench.poll(&mut other);
            calls.push(other);
        }
        bench.shard.handle_timeout(&mut call, bench.now);
        let actions = bench.poll(&mut call);
        if let Some(&Action::Dispatch { attempt, .. }) = actions.first() {
            break attempt;
        }
    };
    let waited = bench.now.saturating_duration_since(began);
    assert!(waited <= ROOM_WAIT + Duration::from_millis(1), "{waited:?}");
    bench.finish(&mut call, sent, Ok(()));
    assert!(matches!(bench.outcome(&mut call), Outcome::Relay { .. }));
}

#[test]
fn who_does_not_wait_for_hold_offs_does_not_wait_for_room() {
    let mut bench = Bench::impatient(2);
    limited(&mut bench);
    for _ in 0..30 {
        let mut call = bench.begin(read("eth_call"));
        bench.dispatched(&mut call);
    }
}

#[test]
fn a_throttle_that_is_told_of_sets_our_part_where_none_is_known() {
    let mut bench = Bench::new(2);
    for _ in 0..20 {
        bench.call_with(read("eth_call"), Ok(()));
        bench.wait(10);
    }
    let hear = |bench: &mut Bench| {
        let told = News::HoldOff {
            chain: CHAIN,
            upstream: A,
            floor: bench.now,
            until: bench.now + Duration::from_secs(1),
        };
        bench.shard.take_news(1, told, bench.now);
    };
    hear(&mut bench);
    let part = bench.view(A).max_rate_millis.unwrap();
    assert!(part.abs_diff(18_000) <= 200, "{part}");
    assert_eq!(
        bench.view(B).max_rate_millis,
        None,
        "it is A that throttled"
    );
    // A second one later leaves it to grow.
    bench.wait(5_000);
    let grown = bench.view(A).max_rate_millis.unwrap();
    assert!(grown > part);
    hear(&mut bench);
    assert_eq!(bench.view(A).max_rate_millis, Some(grown));
}
