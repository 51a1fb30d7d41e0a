//! Chaos: throttles in their dialects. A throttled provider is left alone for as long as it asked, its traffic goes to the other, it
//! comes back by itself, and only when all are throttled does the client hear of it, with a time to wait.

use crate::harness::{Pair, Setup, balance_call, error_of, provider, until};
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
fn the_first_hold_off_is_as_long_as_it_is_configured() {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .upstream("a", &a.url(), "hold_off: { first: 20m, longest: 1h }")
        .upstream("b", &b.url(), "")
        .start();
    let fired = a.inject(Rule::next(1, Fault::throttled(None)).for_method("eth_getBalance"));
    assert_eq!(proxy.post(&balance_call(1)).status, 200);
    assert_eq!(a.hits(fired), 1);
    let held = proxy.metric("livechain_upstream_hold_off_seconds", &[("upstream", "a")]);
    assert!(
        held > LONG_S - LATE_S && held < LONG_S * 1.2 + 1.0,
        "{held}"
    );
    for id in 2..=20 {
        assert_eq!(proxy.post(&balance_call(id)).status, 200);
    }
    assert_eq!(
        a.counters().method("eth_getBalance"),
        1,
        "A is not left alone"
    );
}

/// A answers once with this status, these header fields and an error; then it is well again. How long it is held off for, in seconds, right
/// after; by itself it would be for one, and a little.
fn held_for(status: u16, fields: &[(&str, &str)]) -> f64 {
    let pair = Pair::start();
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let fault = Fault::Status {
        code: status,
        headers,
        body: br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"rate limit exceeded"}}"#
            .to_vec(),
    };
    let fired = pair
        .a
        .inject(Rule::next(1, fault).for_method("eth_getBalance"));
    pair.call(1);
    assert_eq!((pair.a.hits(fired), pair.counts()), (1, (1, 1)));
    let labels = [("upstream", "a")];
    let held = pair
        .proxy
        .metric("livechain_upstream_hold_off_seconds", &labels);
    let hold_offs = pair
        .proxy
        .metric("livechain_upstream_hold_offs_total", &labels);
    assert!(hold_offs >= 1.0, "A was not held off: {fields:?}");
    if held > 60.0 {
        for id in 2..=10 {
            pair.call(id);
        }
        assert_eq!(pair.counts(), (1, 10), "A is not left alone: {fields:?}");
    }
    held
}

/// A wait that no default comes near, and that no test lasts for.
const LONG_S: f64 = 1200.0;
/// Less than the long wait by so much may have passed until it was looked at.
const LATE_S: f64 = 300.0;

#[test]
fn a_wait_in_any_spelling_is_honoured() {
    let until = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_micros()
        + 1_200_000_000;
    let point = until.to_string();
    for fields in [
        [("retry-after-ms", "1200000")].as_slice(),
        &[("RateLimit", r#""default";r=0;t=1200"#)],
        &[("ratelimit", "limit=50, remaining=0, reset=1200")],
        &[("x-ratelimit-reset-after", "1200.0")],
        &[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-remaining-tokens", "9"),
            ("x-ratelimit-reset-requests", "20m0s"),
            ("x-ratelimit-reset-tokens", "28m0s"),
        ],
        &[("X-RateLimit-Reset", &point)],
    ] {
        let held = held_for(429, fields);
        assert!(held > LONG_S - LATE_S, "{held}: {fields:?}");
        assert!(held < LONG_S * 1.35, "{held}: {fields:?}");
    }
}

#[test]
fn a_throttle_at_200_is_held_off_until_its_window_is_over() {
    let fields = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1200"),
    ];
    let held = held_for(200, &fields);
    assert!(held > LONG_S - LATE_S, "{held}");
}

#[test]
fn no_window_is_waited_for_that_is_not_used_up_or_beside_a_retry_after() {
    for fields in [
        [
            ("x-ratelimit-remaining", "5"),
            ("x-ratelimit-reset", "1200"),
        ],
        [("ratelimit", r#""day";r=5;t=1200"#), ("server", "x")],
        [("retry-after", "2"), ("x-ratelimit-reset", "1200")],
    ] {
        let held = held_for(429, &fields);
        assert!(held < 60.0, "{held}: {fields:?}");
    }
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
