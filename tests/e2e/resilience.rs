//! What is done about upstreams that are half broken, throttle, or take less than is asked, and about our own overload, seen from outside.
//! Every fault is shown to have struck.

use crate::harness::{
    Client, Proxy, Setup, balance_call, call, error_of, in_flight, ok, provider, send_all, until,
};
use perf::provider::{Fault, Handle, Rule};
use std::time::Duration;

const METHOD: &str = "eth_getBalance";
const FOR_EVER: Duration = Duration::from_secs(120);

fn count(provider: &Handle) -> u64 {
    provider.counters().method(METHOD)
}

/// A is preferred.
fn pair(a: &Handle, b: &Handle, settings: &str) -> Setup {
    Setup::default()
        .forwarding_all()
        .after("retry: { budget: 100%, min_per_second: 1000 }\n")
        .upstream("a", &a.url(), settings)
        .upstream("b", &b.url(), "")
}

#[test]
fn a_half_broken_upstream_keeps_a_share_and_no_client_notices() {
    let (a, b) = (provider(), provider());
    let proxy = pair(&a, &b, "").start();
    let fired = a.inject(
        Rule::with_probability(0.4, Fault::rpc_error(-32603, "internal error")).for_method(METHOD),
    );
    let mut client = proxy.connect();
    for id in 1..=200 {
        ok(&client.post("/", &balance_call(id)));
    }
    let before = count(&a);
    for id in 201..=600 {
        ok(&client.post("/", &balance_call(id)));
    }
    let share = count(&a) - before;
    assert!(
        a.hits(fired) >= 20,
        "the fault struck {} times",
        a.hits(fired)
    );
    assert!(
        share >= 40,
        "A got {share} of 400: it is out, not half broken"
    );
    assert!(
        share <= 360,
        "A got {share} of 400: it is used as if it were well"
    );
    let entered = proxy.metric(
        "livechain_breaker_group_transitions_total",
        &[("upstream", "a"), ("state", "brownout")],
    );
    assert!(entered >= 1.0, "no breaker of A browned out");
    let withheld = [("upstream", "a")];
    assert!(proxy.metric("livechain_upstream_withheld_ratio", &withheld) > 0.0);
}

#[test]
fn what_is_broken_of_an_upstream_is_left_alone_and_the_rest_is_used() {
    let (a, b) = (provider(), provider());
    let proxy = pair(&a, &b, "").start();
    let fired = a.inject(Rule::always(Fault::unavailable()).for_method("debug_traceTransaction"));
    let mut client = proxy.connect();
    for id in 1..=40 {
        ok(&client.post("/", &call(id, "debug_traceTransaction", "[\"0xaa\"]")));
        ok(&client.post("/", &balance_call(id)));
    }
    assert!(a.hits(fired) >= 1);
    assert!(
        a.hits(fired) <= 20,
        "A was asked for {} traces",
        a.hits(fired)
    );
    // Its reads are as good as before.
    assert!(count(&a) >= 30, "A got {} of 40 reads", count(&a));
}

#[test]
fn two_throttles_of_one_account_hold_off_the_account() {
    let providers: Vec<_> = (0..4).map(|_| provider()).collect();
    let [a, b, c, d] = providers.as_slice() else {
        panic!("four were started");
    };
    let proxy = Setup::default()
        .forwarding_all()
        .after("accounts: { shared: {} }\n")
        .upstream("a", &a.url(), "account: shared")
        .upstream("b", &b.url(), "account: shared")
        .upstream("c", &c.url(), "account: shared")
        .upstream("d", &d.url(), "")
        .start();
    let throttled = || Rule::always(Fault::throttled(Some(30))).for_method(METHOD);
    let fired = [a.inject(throttled()), b.inject(throttled())];
    let mut client = proxy.connect();
    for id in 1..=10 {
        ok(&client.post("/", &balance_call(id)));
    }
    assert_eq!((a.hits(fired[0]), b.hits(fired[1])), (1, 1));
    assert_eq!(count(c), 0, "C is of the same account");
    assert_eq!(count(d), 10);
    let held = proxy.metric(
        "livechain_account_hold_offs_total",
        &[("account", "shared")],
    );
    assert!(held >= 1.0);
    let c_held = proxy.metric("livechain_upstream_hold_off_seconds", &[("upstream", "c")]);
    assert!(c_held > 0.0);
}

fn logs(id: u64, from: u64, to: u64) -> String {
    call(
        id,
        "eth_getLogs",
        &format!(r#"[{{"fromBlock":"0x{from:x}","toBlock":"0x{to:x}"}}]"#),
    )
}

#[test]
fn a_range_that_an_upstream_refuses_is_not_asked_of_it_again() {
    let (a, b) = (provider(), provider());
    let proxy = pair(&a, &b, "").start();
    let fired = a.inject(
        Rule::always(Fault::rpc_error(
            -32602,
            "eth_getLogs and eth_newFilter are limited to a 100 blocks range",
        ))
        .for_method("eth_getLogs"),
    );
    let mut client = proxy.connect();
    for id in 1..=10 {
        ok(&client.post("/", &logs(id, 1000 * id, 1000 * id + 499)));
    }
    assert_eq!(a.hits(fired), 1, "A was asked again for more than it takes");
    assert_eq!(b.counters().method("eth_getLogs"), 10);
    a.clear_all();
    // What it takes it is asked for, and no block more.
    ok(&client.post("/", &logs(20, 1, 100)));
    assert_eq!(a.counters().method("eth_getLogs"), 2);
    ok(&client.post("/", &logs(21, 1, 101)));
    assert_eq!(a.counters().method("eth_getLogs"), 2);
    let learned = [("upstream", "a"), ("kind", "blocks")];
    assert!(proxy.metric("livechain_upstream_learned_total", &learned) >= 1.0);
    let range = [("upstream", "a"), ("reason", "range")];
    assert!(proxy.metric("livechain_candidates_excluded_total", &range) >= 10.0);
}

#[test]
fn a_batch_is_no_longer_than_the_upstream_takes() {
    let a = provider();
    let proxy = Setup::default()
        .forwarding_all()
        .upstream("a", &a.url(), "batch: { max_calls: 20 }")
        .start();
    let fired = a.inject(Rule::always(Fault::BatchTooLong { most: 5 }));
    let batch = |first: u64| {
        let calls: Vec<String> = (first..first + 20).map(balance_call).collect();
        let response = proxy.post(&format!("[{}]", calls.join(",")));
        let answers = response.json();
        assert_eq!(answers.as_array().unwrap().len(), 20, "{response}");
        for answer in answers.as_array().unwrap() {
            assert!(answer.get("result").is_some(), "{answer}");
        }
    };
    batch(1);
    assert_eq!(a.hits(fired), 1);
    let before = a.counters().batches;
    batch(100);
    batch(200);
    assert_eq!(a.hits(fired), 1, "a batch was too long again");
    // Twenty calls in fives.
    assert_eq!(a.counters().batches - before, 8);
    let learned = proxy.metric(
        "livechain_upstream_learned_batch_calls",
        &[("upstream", "a")],
    );
    assert_eq!(learned, 5.0);
}

/// So many balance calls that never end are in progress, of the ten that may be.
fn overloaded(calls: u64) -> (Handle, Proxy, Vec<Client>) {
    let a = provider();
    let proxy = Setup::default()
        .forwarding_all()
        .server("overload: { max_live_calls: 10 }")
        .upstream("a", &a.url(), "")
        .start();
    a.inject(Rule::always(Fault::Stall(FOR_EVER)).for_method(METHOD));
    let waiting = send_all(&proxy, (1..=calls).map(balance_call));
    in_flight(&proxy, calls as usize);
    (a, proxy, waiting)
}

#[test]
fn under_overload_scans_go_first_then_reads_and_writes_are_kept() {
    let raw = |id: u64| call(id, "eth_sendRawTransaction", &format!(r#"["0x{id:08x}"]"#));
    let shed = |proxy: &Proxy, priority: &str| {
        proxy.metric("livechain_calls_shed_total", &[("priority", priority)])
    };
    // Seven of ten: a scan is refused, a read is not.
    let (a, proxy, waiting) = overloaded(7);
    let refused = proxy.post(&logs(1, 1, 2));
    assert!(error_of(&refused.json()).0 < 0, "{refused}");
    assert!(refused.status >= 400, "a balancer should see it: {refused}");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    assert_eq!(a.counters().method("eth_getLogs"), 0);
    ok(&proxy.post(&call(2, "eth_getTransactionCount", "[\"0xaa\",\"latest\"]")));
    assert_eq!((shed(&proxy, "bulk"), shed(&proxy, "normal")), (1.0, 0.0));
    drop(waiting);
    // Eight, and a ninth read would be more than 85 of a hundred: it is refused, a transaction is not.
    let (a, proxy, _waiting) = overloaded(8);
    let refused = proxy.post(&call(2, "eth_getTransactionCount", "[\"0xaa\",\"latest\"]"));
    assert!(error_of(&refused.json()).0 < 0, "{refused}");
    ok(&proxy.post(&raw(3)));
    assert_eq!(a.transactions().len(), 1);
    assert_eq!(
        (shed(&proxy, "normal"), shed(&proxy, "critical")),
        (1.0, 0.0)
    );
}

#[test]
fn no_more_attempts_at_once_than_an_upstream_may_have() {
    let (a, b) = (provider(), provider());
    let proxy = pair(&a, &b, "max_in_flight: 2").start();
    // What stalls is counted where it is struck: a provider counts a call only when it answers.
    let stalled = a.inject(Rule::always(Fault::Stall(FOR_EVER)).for_method(METHOD));
    let waiting = send_all(&proxy, (1..=5).map(balance_call));
    until("the others to be answered elsewhere", || {
        (count(&b) >= 3 && a.hits(stalled) >= 2).then_some(())
    });
    assert_eq!(a.hits(stalled), 2);
    let full = [("upstream", "a"), ("reason", "saturated")];
    assert!(proxy.metric("livechain_candidates_excluded_total", &full) >= 3.0);
    assert_eq!(
        proxy.metric("livechain_upstream_saturated", &[("upstream", "a")]),
        1.0
    );
    drop(waiting);
}

#[test]
fn answers_that_are_none_put_an_upstream_away_until_an_operator_has_looked() {
    let (a, b) = (provider(), provider());
    let proxy = pair(&a, &b, "").start();
    let fired = a.inject(Rule::always(Fault::WrongId).for_method(METHOD));
    let mut client = proxy.connect();
    let mut id = 0;
    until("the upstream to be put in quarantine", || {
        id += 1;
        ok(&client.post("/", &balance_call(id)));
        let put = proxy.metric("livechain_upstream_quarantines_total", &[("upstream", "a")]);
        (put >= 1.0).then_some(())
    });
    assert!(a.hits(fired) >= 2);
    let hits = a.hits(fired);
    for id in 1000..1050 {
        ok(&client.post("/", &balance_call(id)));
    }
    assert_eq!(a.hits(fired), hits, "it was asked in quarantine");
    assert!(
        proxy.output().contains("invalid_answers"),
        "{}",
        proxy.output()
    );
}

/// Whoever is throttled everywhere waits for the first that comes back, unless it is told not to.
#[test]
fn a_call_that_everybody_throttles_waits_for_the_first_to_come_back() {
    for (max_wait, waits) in [("8s", true), ("0s", false)] {
        let (a, b) = (provider(), provider());
        let proxy = Setup::default()
            .forwarding_all()
            .after(&format!("retry: {{ max_wait: {max_wait} }}\n"))
            .upstream("a", &a.url(), "")
            .upstream("b", &b.url(), "")
            .start();
        let once = || Rule::next(1, Fault::throttled(Some(2))).for_method(METHOD);
        let fired = [a.inject(once()), b.inject(once())];
        let response = proxy.post(&balance_call(1));
        assert_eq!((a.hits(fired[0]), b.hits(fired[1])), (1, 1), "{response}");
        let held = proxy.metric("livechain_calls_held_total", &[]);
        if waits {
            ok(&response);
            assert!((held - 1.0).abs() < 0.5, "{held} calls waited");
            // Both were asked once before they wanted to be, and one once after that.
            assert_eq!(count(&a) + count(&b), 3);
        } else {
            assert_eq!(response.status, 429, "{response}");
            assert!(response.header("retry-after").is_some());
            assert!(held < 0.5, "{held} calls waited");
            assert_eq!(count(&a) + count(&b), 2);
        }
    }
}

#[test]
fn a_drained_upstream_gets_no_calls_until_it_is_taken_back() {
    let (a, b) = (provider(), provider());
    let proxy = pair(&a, &b, "").start();
    let drain = |drained: bool| {
        let body = format!("{{\"drained\":{drained}}}");
        let answer = proxy.admin_put("/upstreams/ethereum/a/drained", &body);
        assert_eq!(answer.status, 200, "{answer}");
        let level = if drained { 1.0 } else { 0.0 };
        until("the shards to have heard of it", || {
            let now = proxy.metric("livechain_upstream_drained", &[("upstream", "a")]);
            ((now - level).abs() < 0.5).then_some(())
        });
    };
    ok(&proxy.post(&balance_call(1)));
    assert_eq!((count(&a), count(&b)), (1, 0), "A is preferred");
    drain(true);
    for id in 2..=20 {
        ok(&proxy.post(&balance_call(id)));
    }
    assert_eq!((count(&a), count(&b)), (1, 19));
    drain(false);
    ok(&proxy.post(&balance_call(21)));
    assert_eq!(count(&a), 2);
    let nobody = proxy.admin_put("/upstreams/ethereum/z/drained", "{\"drained\":true}");
    assert_eq!(nobody.status, 404, "{nobody}");
}
