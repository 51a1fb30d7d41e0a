//! A node's filters through the proxy: the id says whose it is, so any core and any connection finds it; when its node is
//! gone it is "filter not found", on which clients make a new one.

use crate::harness::{Pair, Proxy, Setup, error_of, ok, provider, until};
use serde_json::{Value, json};

fn rpc(proxy: &Proxy, method: &str, params: &Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    proxy.post(&body.to_string()).json()
}

#[test]
fn a_filter_is_found_from_every_core_and_connection() {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .server("cores: 2")
        .chain("strategy: round_robin")
        .upstream("a", &a.url(), "")
        .upstream("b", &b.url(), "")
        .start();
    let filters: Vec<_> = (0..8)
        .map(|_| {
            rpc(&proxy, "eth_newBlockFilter", &json!([]))["result"]
                .as_str()
                .expect("an id")
                .to_owned()
        })
        .collect();
    let distinct: std::collections::BTreeSet<_> = filters.iter().collect();
    assert_eq!(
        distinct.len(),
        8,
        "two nodes count from 1 each, a client must not see that: {filters:?}"
    );
    for id in &filters {
        let digits = id.strip_prefix("0x").expect("a quantity");
        assert!(!digits.starts_with('0') && digits.len() <= 64, "{id}");
        for _ in 0..6 {
            let changes = rpc(&proxy, "eth_getFilterChanges", &json!([id]));
            assert!(changes["result"].is_array(), "{changes}");
        }
    }
    for id in &filters {
        assert_eq!(
            rpc(&proxy, "eth_uninstallFilter", &json!([id]))["result"],
            true
        );
        assert_eq!(
            error_of(&rpc(&proxy, "eth_getFilterChanges", &json!([id]))).0,
            -32000
        );
    }
    assert!(
        a.counters().method("eth_newBlockFilter") > 0
            && b.counters().method("eth_newBlockFilter") > 0
    );
}

#[test]
fn a_filter_dies_with_its_node_and_says_so() {
    let pair = Pair::start();
    let id = ok(&pair
        .proxy
        .post(r#"{"jsonrpc":"2.0","id":1,"method":"eth_newBlockFilter","params":[]}"#));
    assert!(rpc(&pair.proxy, "eth_getFilterChanges", &json!([id]))["result"].is_array());
    pair.a.kill().unwrap();
    let gone = rpc(&pair.proxy, "eth_getFilterChanges", &json!([id]));
    assert_eq!(error_of(&gone), (-32000, "filter not found"));
    assert_eq!(
        pair.b.counters().method("eth_getFilterChanges"),
        0,
        "another node's filter of that number is another filter"
    );
    let successor = rpc(&pair.proxy, "eth_newBlockFilter", &json!([]))["result"].clone();
    assert!(rpc(&pair.proxy, "eth_getFilterChanges", &json!([successor]))["result"].is_array());
    assert_eq!(pair.b.counters().method("eth_newBlockFilter"), 1);
    // Back, with its filters: the old id is good again.
    pair.a.revive().unwrap();
    until("the filter's node", || {
        rpc(&pair.proxy, "eth_getFilterChanges", &json!([id]))["result"]
            .is_array()
            .then_some(())
    });
}

#[test]
fn an_id_that_is_none_of_ours_is_not_found_and_asked_of_nobody() {
    let pair = Pair::start();
    for id in [
        json!("0x1"),
        json!("0x0"),
        json!("0xdeadbeefdeadbeef"),
        json!("1"),
        json!(1),
        json!("0x"),
        json!(format!("0x{}", "f".repeat(64))),
    ] {
        for method in ["eth_getFilterChanges", "eth_getFilterLogs"] {
            let answer = rpc(&pair.proxy, method, &json!([id]));
            let code = error_of(&answer).0;
            assert!(code == -32000 || code == -32602, "{method} {id}: {answer}");
            assert_eq!(
                pair.a.counters().method(method) + pair.b.counters().method(method),
                0,
                "{method} {id}"
            );
        }
    }
}
