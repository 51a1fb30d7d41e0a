//! Calls of a client's batch that travel together upstream: still routed, judged and failed one by one. And an upstream that is
//! reached by its name.

use crate::harness::{Setup, balance_call, error_of, ok, provider};
use perf::provider::{Fault, Handle, Rule};
use serde_json::Value;

/// A takes batches and is preferred; B takes none.
fn pair() -> (Handle, Handle, crate::harness::Proxy) {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .upstream("a", &a.url(), "batch: { max_calls: 10 }, timeout: 2s")
        .upstream("b", &b.url(), "")
        .start();
    (a, b, proxy)
}

fn batch(calls: u64) -> String {
    let calls: Vec<_> = (1..=calls).map(balance_call).collect();
    format!("[{}]", calls.join(","))
}

/// Every call answered, in order, with a result.
fn assert_whole(answer: &Value, calls: u64) {
    let items = answer.as_array().expect("an array");
    assert_eq!(items.len() as u64, calls);
    for (item, id) in items.iter().zip(1..) {
        assert_eq!(item["id"], id, "{answer}");
        assert!(item["result"].is_string(), "{item}");
    }
}

#[test]
fn calls_travel_together_up_to_the_limit() {
    let (a, b, proxy) = pair();
    assert_whole(&proxy.post(&batch(25)).json(), 25);
    let counters = a.counters();
    assert_eq!(counters.method("eth_getBalance"), 25);
    assert_eq!(counters.batches, 3, "25 calls, at most 10 together");
    assert_eq!(b.counters().method("eth_getBalance"), 0);
}

#[test]
fn an_upstream_that_refuses_batches_is_sent_single_calls() {
    let only = provider();
    let proxy = Setup::default()
        .upstream("only", &only.url(), "batch: { max_calls: 10 }")
        .start();
    let fired = only.inject(Rule::always(Fault::BatchUnsupported));
    for _ in 0..3 {
        assert_whole(&proxy.post(&batch(9)).json(), 9);
    }
    assert_eq!(only.hits(fired), 1, "it is asked for a batch once");
    assert_eq!(
        proxy.metric("livechain_faults_total", &[("upstream", "only")]),
        0.0
    );
}

#[test]
fn the_largest_batch_is_served_by_one_healthy_upstream() {
    let only = provider();
    let proxy = Setup::default()
        .server("cores: 2")
        .forwarding_all()
        .upstream("only", &only.url(), "")
        .start();
    for _ in 0..2 {
        assert_whole(&proxy.post(&batch(1000)).json(), 1000);
    }
    assert_eq!(only.counters().method("eth_getBalance"), 2000);
    assert_eq!(
        proxy.metric("livechain_pool_refused_total", &[("upstream", "only")]),
        0.0
    );
}

#[test]
fn one_item_that_fails_fails_alone() {
    let (a, b, proxy) = pair();
    for provider in [&a, &b] {
        provider
            .inject(Rule::always(Fault::rpc_error(3, "execution reverted")).for_method("eth_call"));
    }
    let call = r#"{"jsonrpc":"2.0","id":"c","method":"eth_call","params":[{},"latest"]}"#;
    let body = format!("[{},{call},{}]", balance_call(1), balance_call(2));
    let answer = proxy.post(&body).json();
    assert!(answer[0]["result"].is_string() && answer[2]["result"].is_string());
    assert_eq!(answer[1]["id"], "c");
    assert_eq!(error_of(&answer[1]).0, 3);
}

#[test]
fn a_connection_lost_under_a_batch_costs_no_call() {
    let (a, b, proxy) = pair();
    let fired = a.inject(Rule::always(Fault::ResetMidBody { after_bytes: 40 }));
    assert_whole(&proxy.post(&batch(9)).json(), 9);
    assert!(a.hits(fired) >= 1);
    assert_eq!(b.counters().method("eth_getBalance"), 9);
}

#[test]
fn an_upstream_is_reached_by_its_name() {
    let only = provider();
    let port = only.address().port();
    let proxy = Setup::default()
        .upstream("only", &format!("http://localhost:{port}"), "")
        .start();
    assert!(ok(&proxy.post(&balance_call(1))).is_string());
}

#[test]
fn a_name_that_nobody_knows_is_one_clear_error_and_the_other_serves() {
    let good = provider();
    let proxy = Setup::default()
        .upstream("lost", "http://no-such-host.invalid:8545", "")
        .upstream("good", &good.url(), "")
        .start();
    for id in 1..=10 {
        assert!(ok(&proxy.post(&balance_call(id))).is_string());
    }
    // A name that is not known yet is looked up again, and nobody else is asked about it.
    let probes = good.counters().method("eth_chainId");
    assert!(probes <= 2, "{probes} questions beside the traffic");
    let pinned = proxy
        .connect()
        .post("/rpc/provider/lost/ethereum", &balance_call(1));
    assert_eq!(error_of(&pinned.json()).0, -32603, "{pinned}");
}
