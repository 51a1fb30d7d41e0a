//! What the cache answers and what goes past it: which calls are the same one, whose id an answer bears, what every answer says of it.

use crate::harness::{
    HEAD, Proxy, QUICK_HEADS, Setup, asked, cache_of, call, knows_head, ok, provider_of,
    standing_chain,
};
use perf::provider::{Fault, Handle, Rule};

/// One upstream of a chain that stands still; its heads are known.
fn start_with(change: impl FnOnce(Setup) -> Setup) -> (Handle, Proxy) {
    let only = provider_of(&standing_chain(1));
    let setup = Setup::default()
        .server("explain: true")
        .chain(QUICK_HEADS)
        .upstream("only", &only.url(), "");
    let proxy = change(setup).start();
    knows_head(&proxy, HEAD);
    (only, proxy)
}

fn start() -> (Handle, Proxy) {
    start_with(|setup| setup)
}

/// A balance at a block that is final, so that its answer stays.
fn balance(id: &str, account: u8) -> String {
    call(
        id,
        "eth_getBalance",
        &format!(r#"["0x{account:040x}","0x10"]"#),
    )
}

fn looked_up(proxy: &Proxy, result: &str) -> f64 {
    proxy.metric("livechain_cache_lookups_total", &[("result", result)])
}

#[test]
fn the_first_call_is_a_miss_and_the_next_a_hit_and_both_are_counted() {
    let (only, proxy) = start();
    let first = proxy.post(&balance("1", 1));
    assert_eq!(cache_of(&first), "miss_absent");
    assert_eq!(first.header("x-livechain-upstream"), Some("only"));
    assert_eq!(first.header("x-livechain-attempts"), Some("1"));
    for _ in 0..3 {
        let again = proxy.post(&balance("1", 1));
        assert_eq!(cache_of(&again), "hit");
        assert_eq!(again.header("x-livechain-upstream"), None);
        assert_eq!(again.header("x-livechain-attempts"), Some("0"));
        assert_eq!(again.text(), first.text());
    }
    assert_eq!(only.counters().method("eth_getBalance"), 1);
    assert_eq!(looked_up(&proxy, "miss_absent"), 1.0);
    assert_eq!(looked_up(&proxy, "hit"), 3.0);
    assert_eq!(
        proxy.metric("livechain_cache_stored_total", &[("lifetime", "final")]),
        1.0
    );
    // Hits are calls like others: they are counted, and end well.
    let calls = [("method", "eth_getBalance"), ("outcome", "ok")];
    assert_eq!(proxy.metric("livechain_calls_total", &calls), 4.0);
    assert_eq!(proxy.metric("livechain_attempts_total", &[]), 1.0);
}

#[test]
fn every_caller_gets_the_answer_under_its_own_id_to_the_byte() {
    let (only, proxy) = start();
    let result = ok(&proxy.post(&balance("77", 1))).to_string();
    for id in [
        "0",
        "-1",
        "77",
        "9007199254740993",
        "123456789012345678901234567890",
        "1.50",
        "1e2",
        "null",
        r#""""#,
        r#""a-b""#,
        r#""\u0041 \"quoted\" \\ \/""#,
        r#""日本""#,
    ] {
        let response = proxy.post(&balance(id, 1));
        assert_eq!(cache_of(&response), "hit", "{id}: {response}");
        assert_eq!(
            response.text(),
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
        );
    }
    assert_eq!(only.counters().method("eth_getBalance"), 1);
}

#[test]
fn one_question_in_several_spellings_is_one() {
    let (only, proxy) = start();
    let to = "0xabcdefabcdefabcdefabcdefabcdefabcdefabcd";
    let mixed = "0xABCDEFabcdefABCDEFabcdefABCDEFabcdefABCD";
    let first = proxy.post(&call(
        1,
        "eth_call",
        &format!(r#"[{{"to":"{to}","data":"0xaabb"}},"0x10"]"#),
    ));
    assert_eq!(cache_of(&first), "miss_absent");
    for params in [
        format!(r#"[{{"data":"0xaabb","to":"{to}"}},"0x10"]"#),
        format!(r#"[{{"to":"{mixed}","data":"0xAABB"}},"0x10"]"#),
        format!(" [ {{ \"to\" :\n\"{to}\" ,\t\"data\": \"0xaabb\" }} , \"0x10\" ] "),
    ] {
        let again = proxy.post(&call(2, "eth_call", &params));
        assert_eq!(cache_of(&again), "hit", "{params}");
        assert_eq!(ok(&again), ok(&first));
    }
    // The order of the request's own members says nothing either.
    let other_order = format!(
        r#"{{"params":[{{"to":"{to}","data":"0xaabb"}},"0x10"],"id":"x","method":"eth_call","jsonrpc":"2.0"}}"#
    );
    assert_eq!(cache_of(&proxy.post(&other_order)), "hit");
    assert_eq!(only.counters().method("eth_call"), 1);
}

#[test]
fn questions_that_differ_are_never_one() {
    let (only, proxy) = start();
    let to = "0x00000000000000000000000000000000000000aa";
    let questions = [
        format!(r#"[{{"to":"{to}","data":"0x01"}},"0x10"]"#),
        format!(r#"[{{"to":"{to}","data":"0x02"}},"0x10"]"#),
        format!(r#"[{{"to":"{to}","data":"0x01"}},"0x11"]"#),
        format!(r#"[{{"to":"{to}","data":"0x01"}},"0x010"]"#),
        format!(r#"[{{"to":"{to}","data":"0x01"}},"0x10",{{}}]"#),
        format!(r#"[{{"to":"{to}","data":"0x01","from":null}},"0x10"]"#),
        format!(r#"[{{"to":"{to}"}},"0x10"]"#),
    ];
    for params in &questions {
        let response = proxy.post(&call(1, "eth_call", params));
        assert_ne!(cache_of(&response), "hit", "{params}");
    }
    assert_eq!(only.counters().method("eth_call"), questions.len() as u64);
    // Nor the same params of another method.
    ok(&proxy.post(&call(1, "eth_getCode", &format!(r#"["{to}","0x10"]"#))));
    let other = proxy.post(&call(
        1,
        "eth_getTransactionCount",
        &format!(r#"["{to}","0x10"]"#),
    ));
    assert_eq!(cache_of(&other), "miss_absent");
}

#[test]
fn what_two_nodes_could_read_differently_goes_past_the_cache() {
    let (only, proxy) = start();
    let to = "0x00000000000000000000000000000000000000aa";
    let questions = [
        format!(r#"[{{"to":"{to}","to":"{to}"}},"0x10"]"#),
        format!(r#"[{{"to":"{to}","To":"{to}"}},"0x10"]"#),
        format!(r#"[{{"to":"{to}","data":"0x01","input":"0x02"}},"0x10"]"#),
        format!(r#"[{{"to":"{to}","d\u0061ta":"0x01"}},"0x10"]"#),
    ];
    for params in &questions {
        for _ in 0..2 {
            let response = proxy.post(&call(1, "eth_call", params));
            assert_eq!(cache_of(&response), "bypass_params", "{params}");
        }
    }
    assert_eq!(
        only.counters().method("eth_call"),
        2 * questions.len() as u64
    );
    let long = format!(
        r#"[{{"to":"{to}","data":"0x{}"}},"0x10"]"#,
        "ab".repeat(40_000)
    );
    for _ in 0..2 {
        assert_eq!(
            cache_of(&proxy.post(&call(1, "eth_call", &long))),
            "bypass_size"
        );
    }
}

#[test]
fn chains_share_nothing() {
    let (one, five) = (
        provider_of(&standing_chain(1)),
        provider_of(&standing_chain(5)),
    );
    let balance_of = |provider: &Handle, result: &str| {
        provider
            .inject(Rule::always(Fault::RawResult(result.to_owned())).for_method("eth_getBalance"));
    };
    balance_of(&one, r#""0x1""#);
    balance_of(&five, r#""0x5""#);
    let proxy = Setup::default()
        .server("explain: true")
        .chain(QUICK_HEADS)
        .upstream("one", &one.url(), "")
        .after(&format!(
            "  other:\n    chain_id: 5\n    {QUICK_HEADS}\n    upstreams:\n      - {{ name: one, http: \"{}\" }}\n",
            five.url()
        ))
        .start();
    for (path, expected) in [
        ("/rpc/ethereum", "0x1"),
        ("/rpc/other", "0x5"),
        ("/rpc/ethereum", "0x1"),
        ("/rpc/other", "0x5"),
    ] {
        let response = proxy.connect().post(path, &balance("1", 1));
        assert_eq!(ok(&response), expected, "{path}");
    }
    assert!(one.counters().method("eth_getBalance") >= 1);
    assert!(five.counters().method("eth_getBalance") >= 1);
}

#[test]
fn who_names_the_upstream_gets_it_asked() {
    let (only, proxy) = start();
    ok(&proxy.post(&balance("1", 1)));
    assert_eq!(cache_of(&proxy.post(&balance("1", 1))), "hit");
    for asked in 2..5 {
        let pinned = proxy
            .connect()
            .post("/rpc/provider/only/ethereum", &balance("1", 1));
        ok(&pinned);
        assert_eq!(cache_of(&pinned), "bypass_pinned");
        assert_eq!(only.counters().method("eth_getBalance"), asked);
    }
}

#[test]
fn effects_and_what_belongs_to_one_node_are_asked_each_time() {
    let (only, proxy) = start();
    for (method, params) in [
        ("eth_sendRawTransaction", r#"["0x80"]"#),
        ("eth_sendTransaction", r#"[{"from":"0x01"}]"#),
        ("eth_newFilter", "[{}]"),
        ("eth_newBlockFilter", "[]"),
        ("eth_accounts", "[]"),
        ("eth_syncing", "[]"),
        ("net_peerCount", "[]"),
        ("web3_clientVersion", "[]"),
        ("evm_mine", "[]"),
        ("some_unknownMethod", "[]"),
    ] {
        let before = only.counters().method(method);
        for _ in 0..3 {
            let response = proxy.post(&call(1, method, params));
            assert_eq!(cache_of(&response), "bypass_method", "{method}: {response}");
        }
        assert_eq!(only.counters().method(method) - before, 3, "{method}");
    }
    assert_eq!(proxy.metric("livechain_cache_entries", &[]), 0.0);
}

#[test]
fn items_of_a_batch_are_answered_from_the_cache_too() {
    let (only, proxy) = start();
    let known = ok(&proxy.post(&balance("1", 1)));
    let batch = format!(
        "[{},{},{},{}]",
        balance("\"a\"", 1),
        balance("2", 2),
        balance("null", 1),
        balance("3", 3)
    );
    let answers = proxy.post(&batch).json();
    assert_eq!(answers[0]["id"], "a");
    assert_eq!(answers[0]["result"], known);
    assert_eq!(answers[2]["id"], serde_json::Value::Null);
    assert_eq!(answers[2]["result"], known);
    assert_eq!(only.counters().method("eth_getBalance"), 3);
    assert_eq!(looked_up(&proxy, "hit"), 2.0);
    // All of it, the second time.
    let again = proxy.post(&batch).json();
    assert_eq!(again, answers);
    assert_eq!(only.counters().method("eth_getBalance"), 3);
    assert_eq!(looked_up(&proxy, "hit"), 6.0);
}

#[test]
fn a_notification_is_not_answered_from_the_cache_either() {
    let (only, proxy) = start();
    let known = proxy.post(&balance("1", 1));
    let notification = balance("1", 1).replace(r#""id":1,"#, "");
    let response = proxy.post(&notification);
    assert!(response.body.is_empty(), "{response}");
    assert_eq!(proxy.post(&balance("1", 1)).text(), known.text());
    assert_eq!(asked(&only, "eth_getBalance"), 1);
}

#[test]
fn off_is_off_for_the_process_or_for_one_chain() {
    for change in [
        (|setup: Setup| setup.after("cache: { enabled: false }\n")) as fn(Setup) -> Setup,
        |setup| setup.chain("cache: { enabled: false }"),
    ] {
        let (only, proxy) = start_with(change);
        for count in 1..4 {
            let response = proxy.post(&balance("1", 1));
            ok(&response);
            assert_eq!(cache_of(&response), "bypass_disabled");
            assert_eq!(only.counters().method("eth_getBalance"), count);
        }
        assert_eq!(proxy.metric("livechain_cache_entries", &[]), 0.0);
    }
    // A chain's own word counts more than the process's.
    let (only, proxy) = start_with(|setup| {
        setup
            .chain("cache: { enabled: true }")
            .after("cache: { enabled: false }\n")
    });
    ok(&proxy.post(&balance("1", 1)));
    assert_eq!(cache_of(&proxy.post(&balance("1", 1))), "hit");
    assert_eq!(only.counters().method("eth_getBalance"), 1);
}
