//! Plain answers.

use super::*;
use crate::provider::{Chain, Exchange, Fixtures, Latency};
use std::sync::Arc;

#[test]
fn a_balance_belongs_to_its_address_and_keeps_the_id() {
    let provider = start();
    let first = ask(&provider, BALANCE);
    assert_eq!(first.status(), 200);
    assert_eq!(first.json()["id"], 7);
    assert!(first.json()["result"].as_str().unwrap().starts_with("0x"));
    assert_eq!(ask(&start(), BALANCE).json(), first.json());
    let other = ask(&provider, &BALANCE.replace("00aa\"", "00ab\""));
    assert_ne!(other.json()["result"], first.json()["result"]);
}

#[test]
fn ids_come_back_to_the_byte() {
    let provider = start();
    for id in [
        "0",
        "\"a\\u0062\"",
        "123456789012345678901234567890",
        "null",
        "1.50",
    ] {
        let response = ask(
            &provider,
            &BALANCE.replace("\"id\":7", &format!("\"id\":{id}")),
        );
        let expected = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\"");
        assert!(
            response.body.starts_with(expected.as_bytes()),
            "{response:?}"
        );
    }
}

#[test]
fn the_head_is_shared_by_the_providers_of_a_chain() {
    let chain = Chain::new(10, 100, Duration::ZERO);
    let options = Options {
        chain: chain.clone(),
        ..Options::default()
    };
    let (a, b) = (
        Provider::start(options.clone()).unwrap(),
        Provider::start(options).unwrap(),
    );
    assert_eq!(result(&a, "eth_chainId"), "0xa");
    assert_eq!(result(&a, "net_version"), "10");
    chain.advance(1);
    assert_eq!(result(&a, "eth_blockNumber"), "0x65");
    assert_eq!(result(&b, "eth_blockNumber"), "0x65");
    let block = |provider, params| {
        Client::connect(provider).call("eth_getBlockByNumber", params)["result"].clone()
    };
    assert_eq!(
        block(&a, r#"["latest",false]"#),
        block(&b, r#"["0x65",false]"#)
    );
    assert_eq!(block(&a, r#"["0x66",false]"#), Value::Null);
}

#[test]
fn every_method_of_the_mixes_answers() {
    let provider = start();
    let mut client = Client::connect(&provider);
    let hash = format!("\"0x{}\"", "ab".repeat(32));
    for (method, params) in [
        (
            "eth_call",
            r#"[{"to":"0xaa","data":"0x01"},"latest"]"#.to_owned(),
        ),
        (
            "eth_getLogs",
            r#"[{"fromBlock":"latest","address":["0xbb"]}]"#.to_owned(),
        ),
        ("eth_getTransactionReceipt", format!("[{hash}]")),
        ("eth_getTransactionByHash", format!("[{hash}]")),
        ("eth_getBlockByHash", format!("[{hash},true]")),
        ("eth_getBlockReceipts", r#"["latest"]"#.to_owned()),
        ("debug_traceTransaction", format!("[{hash},{{}}]")),
        ("eth_feeHistory", r#"["0x4","latest",[]]"#.to_owned()),
        ("eth_getCode", r#"["0xaa","latest"]"#.to_owned()),
        ("web3_clientVersion", "[]".to_owned()),
    ] {
        let answer = client.call(method, &params);
        assert!(!answer["result"].is_null(), "{method}: {answer}");
    }
    assert_eq!(
        client.call("eth_getLogs", r#"[{"address":["0xbb"]}]"#)["result"][0]["address"],
        "0xbb"
    );
    assert_eq!(client.call("eth_nonesuch", "[]")["error"]["code"], -32601);
}

#[test]
fn a_raw_transaction_is_taken_once() {
    let provider = start();
    let mut client = Client::connect(&provider);
    let hash = client.call("eth_sendRawTransaction", r#"["0x80"]"#)["result"].clone();
    assert_eq!(
        hash,
        "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    );
    let again = client.call("eth_sendRawTransaction", r#"["0x80"]"#);
    assert_eq!(again["error"]["message"], "already known");
    assert_eq!(provider.transactions(), ["0x80"]);
}

#[test]
fn filters_are_this_providers_own() {
    let provider = start();
    provider.chain().freeze();
    let mut client = Client::connect(&provider);
    let id = client.call("eth_newBlockFilter", "[]")["result"].clone();
    provider.chain().advance(2);
    let changes = client.call("eth_getFilterChanges", &format!("[{id}]"))["result"].clone();
    assert_eq!(changes.as_array().unwrap().len(), 2);
    assert_eq!(
        client.call("eth_getFilterChanges", &format!("[{id}]"))["result"],
        serde_json::json!([])
    );
    assert_eq!(
        client.call("eth_uninstallFilter", &format!("[{id}]"))["result"],
        true
    );
    let gone = client.call("eth_getFilterChanges", &format!("[{id}]"));
    assert_eq!(gone["error"]["message"], "filter not found");
}

#[test]
fn batches_answer_calls_and_skip_notifications() {
    let provider = start();
    let notification = r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#;
    let answer = ask(&provider, &format!("[{BALANCE},{notification},{BALANCE}]")).json();
    assert_eq!(answer.as_array().unwrap().len(), 2);
    let counters = provider.counters();
    assert_eq!(
        (counters.requests, counters.batches, counters.calls),
        (1, 1, 3)
    );
    assert_eq!(counters.method("eth_getBalance"), 2);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let provider = start();
    let mut client = Client::connect(&provider);
    for id in 0..50 {
        client.send(&BALANCE.replace("\"id\":7", &format!("\"id\":{id}")));
    }
    for id in 0..50 {
        assert_eq!(client.read().unwrap().json()["id"], id);
    }
    assert_eq!(provider.counters().connections, 1);
}

#[test]
fn what_is_no_json_gets_a_parse_error_and_what_is_no_http_a_400() {
    let provider = start();
    assert_eq!(ask(&provider, "{").json()["error"]["code"], -32700);
    let mut client = Client::connect(&provider);
    client
        .0
        .write_all(b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n")
        .unwrap();
    assert_eq!(client.read().unwrap().status(), 400);
    client.assert_end();
    assert_eq!(provider.counters().bad_requests, 1);
}

#[test]
fn the_last_requests_are_kept_as_they_came() {
    let provider = Provider::start(Options {
        keep_requests: 2,
        ..Options::default()
    })
    .unwrap();
    let mut client = Client::connect(&provider);
    for method in ["eth_chainId", "net_version", "eth_blockNumber"] {
        client.call(method, "[]");
    }
    let recent = provider.recent();
    assert_eq!(recent.len(), 2);
    assert!(
        recent[0]
            .head
            .starts_with(b"POST / HTTP/1.1\r\nhost: x\r\n")
    );
    assert_eq!(
        recent[1].body,
        br#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#
    );
}

#[test]
fn fixtures_answer_what_they_know_and_count_the_rest() {
    let mut fixtures = Fixtures::default();
    let request = br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#.to_vec();
    let answer = br#"{"jsonrpc":"2.0","id":1,"result":"0x2a"}"#.to_vec();
    fixtures.add(Exchange {
        file: "a.io".into(),
        request,
        answer,
    });
    let provider = Provider::start(Options {
        fixtures: Some(Arc::new(fixtures)),
        ..Options::default()
    })
    .unwrap();
    assert_eq!(result(&provider, "eth_chainId"), "0x2a");
    assert_eq!(provider.counters().fixture_misses, 0);
    assert_eq!(result(&provider, "net_version"), "1");
    assert_eq!(provider.counters().fixture_misses, 1);
    // What a fault says goes before what was recorded.
    provider.inject(Rule::always(Fault::WrongChain(5)));
    assert_eq!(result(&provider, "eth_chainId"), "0x5");
}

#[test]
fn several_threads_serve_one_port() {
    let provider = Provider::start(Options {
        threads: 3,
        ..Options::default()
    })
    .unwrap();
    for _ in 0..20 {
        assert_eq!(ask(&provider, BALANCE).status(), 200);
    }
    assert_eq!(provider.counters().connections, 20);
}

#[test]
fn a_client_that_leaves_while_it_waits_is_counted() {
    let provider = start();
    provider.set_latency(Latency::Fixed(PATIENCE));
    provider.set_method_latency("eth_chainId", Latency::None);
    assert_eq!(result(&provider, "eth_chainId"), "0x1");
    let mut client = Client::connect(&provider);
    client.send(BALANCE);
    client.assert_silent();
    drop(client);
    wait_until(|| provider.counters().abandoned == 1);
}

/// Polls for something that another thread is about to do.
pub(super) fn wait_until(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "did not come to pass");
        std::thread::sleep(Duration::from_millis(2));
    }
}
