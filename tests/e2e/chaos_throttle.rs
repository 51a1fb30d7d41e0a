//! Chaos: throttles in their dialects. A throttled provider is left alone for as long as it asked, its traffic goes to the other, it
//! comes back by itself, and only when all are throttled does the client hear of it, with a time to wait.

use crate::harness::{Pair, balance_call, error_of, until};
use perf::provider::{Fault, Rule};

#[test]
fn retry_after_is_honoured_and_then_it_is_used_again() {
    let pair = Pair::start();
    let fired = pair
        .a
        .inject(Rule::next(1, Fault::throttled(Some(2))).for_method("eth_getBalance"));
    pair.call(1);
    assert_eq!((pair.a.hits(fired), pair.counts()), (1, (1, 1)));
    let held = pair
        .proxy
        .metric("livechain_upstream_hold_off_seconds", &[("upstream", "a")]);
    assert!(held > 0.0, "A is not held off");
    for id in 2..=20 {
        pair.call(id);
    }
    assert_eq!(
        pair.counts(),
        (1, 20),
        "A got a call within the time that it asked for"
    );
    let mut id = 20;
    until("A to be used again", || {
        id += 1;
        pair.call(id);
        (pair.counts().0 > 1).then_some(())
    });
    let opened = pair.proxy.metric(
        "livechain_breaker_transitions_total",
        &[("upstream", "a"), ("state", "open")],
    );
    assert!(opened < 1.0, "a throttle is no failure");
}

/// A throttles always, in some dialect; B serves all and A is not hammered.
fn throttled_by(fault: Fault) {
    let pair = Pair::start();
    let fired = pair
        .a
        .inject(Rule::always(fault).for_method("eth_getBalance"));
    for id in 1..=30 {
        pair.call(id);
    }
    let (at_a, at_b) = pair.counts();
    assert!(pair.a.hits(fired) >= 1);
    assert!(at_a <= 5, "A was sent {at_a} calls while it throttled");
    assert_eq!(at_b, 30);
    assert!(
        pair.proxy
            .metric("livechain_upstream_hold_offs_total", &[("upstream", "a")])
            >= 1.0
    );
}

#[test]
fn http_429_without_a_time() {
    throttled_by(Fault::throttled(None));
}

#[test]
fn a_limit_error_at_200() {
    throttled_by(Fault::rpc_error(-32005, "project ID request rate exceeded"));
}

#[test]
fn code_429_at_200() {
    throttled_by(Fault::rpc_error(
        429,
        "Your app has exceeded its compute units per second capacity.",
    ));
}

#[test]
fn all_throttled_is_one_clear_error_with_a_time_to_wait() {
    let pair = Pair::start();
    let rule = || Rule::always(Fault::throttled(Some(3))).for_method("eth_getBalance");
    let fired = [pair.a.inject(rule()), pair.b.inject(rule())];
    let response = pair.proxy.post(&balance_call(7));
    assert_eq!(response.status, 429, "{response}");
    let wait: u64 = response
        .header("retry-after")
        .and_then(|v| v.parse().ok())
        .expect("Retry-After");
    assert!((3..=6).contains(&wait), "{response}");
    assert_eq!(error_of(&response.json()).0, -32005, "{response}");
    assert_eq!(response.json()["id"], 7);
    // In a batch there is one HTTP answer for many calls: it is 200 and each item says its own.
    let batch = pair
        .proxy
        .post(&format!("[{},{}]", balance_call(1), balance_call(2)));
    assert_eq!(batch.status, 200);
    for item in batch.json().as_array().expect("an array") {
        assert_eq!(error_of(item).0, -32005);
    }
    assert!(
        pair.a.hits(fired[0]) >= 1 && pair.b.hits(fired[1]) >= 1,
        "both have to have throttled"
    );
    let (at_a, at_b) = pair.counts();
    assert!(at_a + at_b <= 8, "{at_a} + {at_b} attempts for three calls");
    pair.a.clear_all();
    pair.b.clear_all();
    let mut id = 100;
    until("service again", || {
        id += 1;
        (pair.proxy.post(&balance_call(id)).status == 200).then_some(())
    });
}
