//! Chaos: everything is down. One clear error for each call, in bounded time and with bounded attempts, and service
//! again once a provider is back.

use crate::harness::{Pair, balance_call, error_of, until};
use perf::provider::{Fault, Rule};
use std::time::Instant;

const CALLS: u64 = 100;

/// What an outage may cost upstream: the calls and the retry budget, which is 20 % and 10 a second over a window of ten seconds.
fn most_attempts(calls: u64, since: Instant) -> f64 {
    calls as f64 * 1.2 + 10.0 * (10.0 + since.elapsed().as_secs_f64())
}

fn attempts(pair: &Pair) -> f64 {
    pair.proxy
        .metric("livechain_attempts_total", &[("method", "eth_getBalance")])
}

fn serves_again(pair: &Pair) {
    let mut id = 10_000;
    until("service again", || {
        id += 1;
        let response = pair.proxy.post(&balance_call(id));
        response.json()["result"].is_string().then_some(())
    });
}

#[test]
fn nobody_listens() {
    let pair = Pair::start();
    pair.call(1);
    pair.a.kill().unwrap();
    pair.b.kill().unwrap();
    let started = Instant::now();
    for id in 2..=CALLS {
        let response = pair.proxy.post(&balance_call(id));
        let answer = response.json();
        assert!([200, 503].contains(&response.status), "{response}");
        assert_eq!(error_of(&answer).0, -32603, "{response}");
        assert_eq!(answer["id"], id);
    }
    let made = attempts(&pair);
    assert!(made >= 2.0, "nobody was tried: nothing was shown");
    assert!(
        made <= most_attempts(CALLS, started),
        "{made} attempts for {CALLS} calls"
    );
    assert_eq!(pair.counts().0 + pair.counts().1, 1);
    pair.b.revive().unwrap();
    serves_again(&pair);
}

#[test]
fn everybody_answers_nonsense() {
    let pair = Pair::start();
    let rules = [&pair.a, &pair.b]
        .map(|p| p.inject(Rule::always(Fault::Html).for_method("eth_getBalance")));
    let started = Instant::now();
    for id in 1..=CALLS {
        let response = pair.proxy.post(&balance_call(id));
        assert_eq!(response.status, 200, "{response}");
        assert_eq!(error_of(&response.json()).0, -32603, "{response}");
        assert!(
            !response.text().contains('<'),
            "the page was relayed: {response}"
        );
    }
    assert!(pair.a.hits(rules[0]) >= 1 && pair.b.hits(rules[1]) >= 1);
    let (at_a, at_b) = pair.counts();
    assert!(
        (at_a + at_b) as f64 <= most_attempts(CALLS, started),
        "{at_a} + {at_b} attempts for {CALLS} calls"
    );
    pair.a.clear_all();
    pair.b.clear_all();
    serves_again(&pair);
}

#[test]
fn everybody_hangs() {
    let pair = Pair::start_with(|setup| setup.limit("request_timeout: 1s"));
    let rules = [&pair.a, &pair.b]
        .map(|p| p.inject(Rule::always(Fault::Hang).for_method("eth_getBalance")));
    for id in 1..=3 {
        let response = pair.proxy.post(&balance_call(id));
        assert_eq!(response.status, 200, "{response}");
        let answer = response.json();
        assert_eq!(error_of(&answer), (-32002, "request timed out"));
    }
    assert!(
        pair.a.hits(rules[0]) >= 1 && pair.b.hits(rules[1]) >= 1,
        "an attempt gets half of what is left: both are tried"
    );
    pair.a.clear_all();
    pair.b.clear_all();
    serves_again(&pair);
}

#[test]
fn a_client_that_leaves_takes_its_attempt_with_it() {
    let pair = Pair::start();
    let fired = pair
        .a
        .inject(Rule::always(Fault::Hang).for_method("eth_getBalance"));
    pair.b.kill().unwrap();
    let mut client = pair.proxy.connect();
    client
        .send(&crate::harness::post_bytes("/", &balance_call(1)))
        .unwrap();
    until("the fault to strike", || {
        (pair.a.hits(fired) == 1).then_some(())
    });
    drop(client);
    until("the attempt's end", || {
        (pair.proxy.metric("livechain_calls_in_flight", &[]) < 1.0).then_some(())
    });
    until("the upstream connection's end", || {
        (pair.a.counters().abandoned >= 1).then_some(())
    });
}
