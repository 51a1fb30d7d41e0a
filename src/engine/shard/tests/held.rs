//! Calls that wait for the first of those who throttle them: how long, for whom, and what they do then.

use super::*;

/// Both upstreams throttle, and name so many seconds or none.
fn all_held(seconds: Option<u64>) -> Bench {
    let mut bench = Bench::impatient(2);
    hold(&mut bench, seconds);
    bench.shard.held_wait = Duration::from_secs(1);
    bench
}

fn hold(bench: &mut Bench, seconds: Option<u64>) {
    for upstream in [A, B] {
        let mut request = read("eth_call");
        request.pinned = Some(upstream);
        let fault = Fault::new(FaultClass::RateLimited, "test").with_hold_off(seconds.map(secs));
        bench.call_with(request, Err(fault));
    }
}

/// Lets the call wait to the end of its pause.
fn wait(bench: &mut Bench, call: &mut Call) {
    let at = bench.shard.next_deadline(call).unwrap();
    assert!(at > bench.now);
    bench.now = at;
    bench.shard.handle_timeout(call, at);
}

fn has_waited(bench: &Bench) -> usize {
    let held = |note: &&Note| matches!(note.kind, NoteKind::Held { .. });
    bench.notes.iter().filter(held).count()
}

#[test]
fn a_call_waits_for_the_first_that_comes_back_within_the_time() {
    let mut bench = all_held(Some(1));
    bench.wait(500);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.poll(&mut call), []);
    assert_eq!(has_waited(&bench), 1);
    wait(&mut bench, &mut call);
    let (attempt, ..) = bench.dispatched(&mut call);
    assert!(bench.now >= Instant::ZERO + secs(1), "its word is kept");
    bench.finish(&mut call, attempt, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), attempt);
}

#[test]
fn who_comes_back_too_late_is_not_waited_for() {
    // A wait of a second, and whoever comes back after two.
    let mut bench = all_held(Some(2));
    bench.wait(500);
    let mut call = bench.begin(read("eth_call"));
    let (fault, _) = emitted(bench.outcome(&mut call));
    assert_eq!(
        (fault.class, fault.rule),
        (FaultClass::RateLimited, "all_held_off")
    );
    assert!(fault.hold_off > Some(secs(1)));
    assert_eq!(has_waited(&bench), 0);
}

#[test]
fn no_wait_is_configured_and_none_is_made() {
    let mut bench = all_held(Some(1));
    bench.shard.held_wait = Duration::ZERO;
    bench.wait(900);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::RateLimited
    );
}

#[test]
fn a_client_in_a_hurry_is_told_at_once() {
    let mut bench = all_held(Some(1));
    bench.wait(600);
    let mut request = read("eth_call");
    // Half of its time is over before anybody is back.
    request.deadline = bench.now + Duration::from_millis(700);
    let mut call = bench.begin(request);
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::RateLimited
    );
}

#[test]
fn while_nobody_comes_back_it_is_told_when_the_time_is_over() {
    let mut bench = all_held(None);
    bench.shard.held_wait = secs(2);
    // One attempt at a time is made in spite of a hold-off that nobody named the end of; this one never ends.
    let mut probe = bench.begin(read("eth_call"));
    bench.dispatched(&mut probe);
    let mut other = bench.begin(read("eth_call"));
    bench.dispatched(&mut other);
    let began = bench.now;
    let mut call = bench.begin(read("eth_call"));
    let mut waits = 0;
    let outcome = loop {
        match bench.poll(&mut call).as_slice() {
            [] => wait(&mut bench, &mut call),
            &[Action::Complete(outcome)] => break outcome,
            other => panic!("{other:?}"),
        }
        waits += 1;
    };
    assert_eq!(emitted(outcome).0.class, FaultClass::RateLimited);
    let waited = bench.now.saturating_duration_since(began);
    assert!(waited <= secs(2) && waited >= Duration::from_millis(1_900));
    assert!(
        waits > 10,
        "the end of the hold-off is waited for, and then in short steps"
    );
    assert_eq!(has_waited(&bench), 1, "it is noted once");
}

#[test]
fn a_throttled_call_goes_back_to_who_throttled_it_and_pays_for_it() {
    let mut bench = Bench::new(2);
    let left = bench.shard.retries_left(bench.now);
    let mut call = bench.begin(read("eth_call"));
    for _ in [A, B] {
        let (attempt, ..) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, FaultClass::RateLimited);
    }
    assert_eq!(bench.poll(&mut call), [], "both have thrown it out");
    wait(&mut bench, &mut call);
    let (attempt, ..) = bench.dispatched(&mut call);
    bench.finish(&mut call, attempt, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), attempt);
    let cost = left - bench.shard.retries_left(bench.now);
    assert!((2..=3).contains(&cost), "{cost} retries");
}

#[test]
fn a_client_that_leaves_while_its_call_waits_leaves_nothing_behind() {
    let mut bench = all_held(Some(1));
    bench.wait(500);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.poll(&mut call), []);
    bench
        .shard
        .handle_event(&mut call, bench.now, Event::ClientGone);
    assert!(matches!(bench.outcome(&mut call), Outcome::Abort { .. }));
    assert_eq!(bench.shard.live_calls(), 0);
}

#[test]
fn a_throttled_call_that_finds_no_retry_left_waits_for_one() {
    for held_wait in [Duration::from_millis(1_500), Duration::ZERO] {
        // One retry a second, whatever the calls.
        let budget = RetryBudgetConfig {
            permille_of_calls: 0,
            min_millis_per_second: 1_000,
        };
        let mut bench = Bench::with_budget(chain(2), budget);
        bench.shard.held_wait = held_wait;
        while bench.shard.budget.take(bench.now, 1) {}
        let mut call = bench.begin(read("eth_call"));
        let (attempt, upstream, _) = bench.dispatched(&mut call);
        assert_eq!(upstream, A);
        bench.fail(&mut call, attempt, FaultClass::RateLimited);
        let actions = bench.poll(&mut call);
        let denied = |note: &&Note| matches!(note.kind, NoteKind::RetryDenied { .. });
        if held_wait.is_zero() {
            assert!(matches!(actions[..], [Action::Complete(_)]), "{actions:?}");
            assert_eq!(bench.notes.iter().filter(denied).count(), 1);
            continue;
        }
        assert_eq!((actions.len(), has_waited(&bench)), (0, 1));
        // It is looked for again and again, until there is one or the time is over.
        bench.shard.budget = crate::retry::Budget::new(budget);
        wait(&mut bench, &mut call);
        let (attempt, upstream, _) = bench.dispatched(&mut call);
        assert_eq!(upstream, B);
        bench.finish(&mut call, attempt, Ok(()));
        assert_eq!(relayed(bench.outcome(&mut call)), attempt);
        assert_eq!(bench.notes.iter().filter(denied).count(), 0);
    }
}
