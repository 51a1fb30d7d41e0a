//! What the configuration says about methods and upstreams, seen from outside: who is asked what, in which order, how often and for
//! how long.

use crate::harness::{Pair, Setup, balance_call, error_of, ok, provider, provider_with};
use perf::provider::{Exchange, Fault, Fixtures, Latency, Options, Rule};
use std::sync::Arc;
use std::time::Duration;

const TRACE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"debug_traceTransaction","params":["0xaa"]}"#;

#[test]
fn an_upstream_is_not_asked_what_it_is_denied() {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .upstream("a", &a.url(), "methods: { deny: [\"debug_*\"] }")
        .upstream("b", &b.url(), "")
        .start();
    ok(&proxy.post(TRACE));
    ok(&proxy.post(&balance_call(1)));
    assert_eq!(a.counters().method("debug_traceTransaction"), 0);
    assert_eq!(b.counters().method("debug_traceTransaction"), 1);
    assert_eq!(a.counters().method("eth_getBalance"), 1);
    // Where nobody may be asked, it does not exist.
    let pinned = proxy.connect().post("/rpc/provider/a/ethereum", TRACE);
    assert_eq!(error_of(&pinned.json()).0, -32601, "{pinned}");
}

#[test]
fn an_upstream_may_be_asked_only_what_it_is_allowed() {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .upstream(
            "a",
            &a.url(),
            "methods: { allow: [\"debug_*\", \"trace_*\"] }",
        )
        .upstream("b", &b.url(), "")
        .start();
    ok(&proxy.post(TRACE));
    ok(&proxy.post(&balance_call(1)));
    assert_eq!(a.counters().method("debug_traceTransaction"), 1);
    assert_eq!(b.counters().method("eth_getBalance"), 1);
}

#[test]
fn a_method_has_its_own_attempts_time_and_strategy() {
    let pair = Pair::start_with(|setup| {
        setup.forwarding_all().after(
            "methods:\n  eth_getBalance: { attempts: 1 }\n  \"debug_*\": { timeout: 300ms }\n  eth_gasPrice: { strategy: round_robin }\n",
        )
    });
    // One attempt: the failure is the client's to see.
    let fired = pair
        .a
        .inject(Rule::next(1, Fault::Html).for_method("eth_getBalance"));
    assert_eq!(
        error_of(&pair.proxy.post(&balance_call(1)).json()).0,
        -32603
    );
    assert_eq!((pair.a.hits(fired), pair.counts()), (1, (1, 0)));
    // Its own time.
    for provider in [&pair.a, &pair.b] {
        provider.set_method_latency(
            "debug_traceTransaction",
            Latency::Fixed(Duration::from_secs(20)),
        );
    }
    let late = pair.proxy.post(TRACE);
    assert_eq!(
        error_of(&late.json()),
        (-32002, "request timed out"),
        "{late}"
    );
    // Its own strategy, though the chain says priority.
    for _ in 0..10 {
        ok(&pair
            .proxy
            .post(r#"{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice","params":[]}"#));
    }
    let count = |provider: &perf::provider::Handle| provider.counters().method("eth_gasPrice");
    assert_eq!((count(&pair.a), count(&pair.b)), (5, 5));
}

#[test]
fn a_method_may_be_refused_to_everybody_or_opened() {
    let pair = Pair::start_with(|setup| {
        setup.after(
            "methods:\n  eth_getBalance: { allow: false }\n  admin_nodeInfo: { allow: true }\n",
        )
    });
    let refused = pair.proxy.post(&balance_call(1));
    assert_eq!(error_of(&refused.json()).0, -32601, "{refused}");
    assert_eq!(pair.counts(), (0, 0));
    pair.proxy
        .post(r#"{"jsonrpc":"2.0","id":1,"method":"admin_nodeInfo","params":[]}"#);
    assert!(pair.a.counters().method("admin_nodeInfo") >= 1);
}

#[test]
fn by_turns_everybody_gets_the_same_and_a_last_resort_gets_nothing() {
    let providers: Vec<_> = (0..3).map(|_| provider()).collect();
    let count = |at: usize| providers[at].counters().method("eth_getBalance");
    let start = |strategy: &str| {
        let setup = Setup::default().chain(&format!("strategy: {strategy}"));
        let named = ["a", "b", "c"].iter().zip(&providers);
        named
            .fold(setup, |setup, (name, provider)| {
                setup.upstream(name, &provider.url(), "")
            })
            .start()
    };
    let proxy = start("round_robin");
    for id in 1..=30 {
        ok(&proxy.post(&balance_call(id)));
    }
    assert_eq!([count(0), count(1), count(2)], [10, 10, 10]);
    drop(proxy);
    let proxy = start("priority");
    for id in 1..=30 {
        ok(&proxy.post(&balance_call(id)));
    }
    assert_eq!([count(0), count(1), count(2)], [40, 10, 10]);
}

#[test]
fn the_leaderboard_finds_the_fast_one_and_tries_the_others_now_and_then() {
    let providers: Vec<_> = (0..3).map(|_| provider()).collect();
    for (provider, late_ms) in providers.iter().zip([40, 2, 40]) {
        provider.set_latency(Latency::Fixed(Duration::from_millis(late_ms)));
    }
    let setup = Setup::default().chain("strategy: leaderboard");
    let named = ["a", "b", "c"].iter().zip(&providers);
    let proxy = named
        .fold(setup, |setup, (name, provider)| {
            setup.upstream(name, &provider.url(), "")
        })
        .start();
    for id in 1..=300 {
        ok(&proxy.post(&balance_call(id)));
    }
    let counts: Vec<_> = providers
        .iter()
        .map(|p| p.counters().method("eth_getBalance"))
        .collect();
    assert!(counts[1] >= 200, "the fast one got {counts:?} of 300 calls");
    assert!(
        counts[0] + counts[2] >= 1,
        "nobody ever looked at the others: {counts:?}"
    );
}

#[test]
fn answers_to_a_name_that_no_table_has_are_kept_where_the_operator_says_so() {
    let mut fixtures = Fixtures::default();
    for (method, answer) in [
        ("vendor_getPrice", 1),
        ("vendor_getCosts", 2),
        ("vendor_get", 3),
    ] {
        fixtures.add(Exchange {
            file: method.into(),
            request: format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":["Price"]}}"#
            )
            .into(),
            answer: format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{answer}"}}"#).into(),
        });
    }
    let provider = provider_with(Options {
        fixtures: Some(Arc::new(fixtures)),
        ..Options::default()
    });
    let proxy = Setup::default().server("explain: true")
        .after("methods:\n  \"vendor_*\": { cache: { ttl: 1h } }\n  vendor_getPrice: { cache: { ttl: 1h } }\n  vendor_getCosts: { cache: { ttl: 1h } }\n")
        .upstream("a", &provider.url(), "")
        .start();
    let ask = |method: &str| {
        let call = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":["Price"]}}"#);
        let response = proxy.post(&call);
        let cache = response
            .header("x-livechain-cache")
            .unwrap_or_default()
            .to_owned();
        (ok(&response), cache)
    };
    assert_eq!(
        ask("vendor_getPrice"),
        ("1".into(), "miss_absent".to_owned())
    );
    assert_eq!(ask("vendor_getPrice"), ("1".into(), "hit".to_owned()));
    // Another name with the same parameters is another question.
    assert_eq!(
        ask("vendor_getCosts"),
        ("2".into(), "miss_absent".to_owned())
    );
    // A pattern is no word about a name that nobody knows.
    for _ in 0..2 {
        assert_eq!(ask("vendor_get").1, "bypass_method");
    }
    assert_eq!(provider.counters().method("vendor_getPrice"), 1);
    assert_eq!(provider.counters().method("vendor_get"), 2);
}
