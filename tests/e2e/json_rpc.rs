//! JSON-RPC 2.0 at its edges, as go-ethereum answers them, and what passes untouched.

use crate::harness::{Proxy, Setup, provider};
use perf::provider::Handle;
use serde_json::{Value, json};

fn start() -> (Handle, Proxy) {
    let provider = provider();
    let proxy = Setup::default()
        .upstream("only", &provider.url(), "")
        .start();
    (provider, proxy)
}

fn invalid(id: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32600, "message": "invalid request"}})
}

fn chain(id: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": "0x1"})
}

#[test]
fn what_is_no_request_is_answered_as_geth_does() {
    let (provider, proxy) = start();
    let empty =
        json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "empty batch"}});
    let table = [
        ("[]", empty),
        (
            "[1,2,3]",
            json!([
                invalid(Value::Null),
                invalid(Value::Null),
                invalid(Value::Null)
            ]),
        ),
        ("[[]]", json!([invalid(Value::Null)])),
        ("1", invalid(Value::Null)),
        ("\"eth_chainId\"", invalid(Value::Null)),
        ("null", invalid(Value::Null)),
        ("{}", invalid(Value::Null)),
        (r#"{"jsonrpc":"2.0","id":9}"#, invalid(json!(9))),
        (r#"{"id":1,"method":"eth_chainId"}"#, invalid(json!(1))),
        (
            r#"{"jsonrpc":"1.0","id":"v","method":"eth_chainId"}"#,
            invalid(json!("v")),
        ),
        (
            r#"{"jsonrpc":2.0,"id":2,"method":"eth_chainId"}"#,
            invalid(json!(2)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#,
            invalid(Value::Null),
        ),
        (
            r#"{"jsonrpc":"2.0","id":[],"method":"eth_chainId"}"#,
            invalid(Value::Null),
        ),
        (r#"{"jsonrpc":"2.0","id":3,"method":5}"#, invalid(json!(3))),
        (r#"{"jsonrpc":"2.0","id":4,"method":""}"#, invalid(json!(4))),
        (
            r#"[{"jsonrpc":"2.0","id":5,"method":"eth_chainId"},{"jsonrpc":"2.0","id":6},7]"#,
            json!([chain(json!(5)), invalid(json!(6)), invalid(Value::Null)]),
        ),
    ];
    for (body, expected) in table {
        let response = proxy.post(body);
        assert_eq!(response.status, 200, "{body}: {response}");
        assert_eq!(
            without_message(response.json()),
            without_message(expected),
            "{body}"
        );
    }
    assert_eq!(provider.counters().method("eth_getBalance"), 0);
}

/// Messages beside those that clients know are our own to word.
fn without_message(mut value: Value) -> Value {
    if let Value::Array(items) = value {
        return items.into_iter().map(without_message).collect();
    }
    if let Some(error) = value.get_mut("error").and_then(Value::as_object_mut)
        && error
            .get("message")
            .is_some_and(|message| message != "empty batch")
    {
        error.remove("message");
    }
    value
}

#[test]
fn what_is_no_json_is_a_parse_error() {
    let (provider, proxy) = start();
    let deep = "[".repeat(200_000);
    let bodies: [&[u8]; 12] = [
        b"{",
        b"{\"jsonrpc\":\"2.0\",}",
        b"nul",
        b"{'a':1}",
        b"[1,]",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\x01\"}",
        b"{\"a\":01}",
        b"{\"a\":NaN}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(body.get(..40).unwrap_or(body)).into_owned();
        let mut client = proxy.connect();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.send(head.as_bytes()).unwrap();
        client.send(body).unwrap();
        let response = client.response();
        let answer = response.json();
        assert_eq!(
            (response.status, &answer["error"]["code"]),
            (200, &json!(-32700)),
            "{shown}: {response}"
        );
        assert_eq!(answer["id"], Value::Null, "{shown}");
        assert_eq!(
            client
                .post("/", r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#)
                .json(),
            chain(json!(1)),
            "{shown}"
        );
    }
    assert_eq!(provider.counters().bad_requests, 0);
}

#[test]
fn duplicate_members_of_a_call_are_refused() {
    let (provider, proxy) = start();
    for body in [
        r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"eth_getBalance"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"eth_getBalance"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","method":"debug_setHead"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[],"params":[1]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","m\u0065thod":"debug_setHead"}"#,
    ] {
        assert_eq!(proxy.post(body).json()["error"]["code"], -32600, "{body}");
    }
    assert_eq!(provider.counters().method("eth_getBalance"), 0);
}

#[test]
fn ids_of_every_kind_come_back_to_the_byte() {
    let (_provider, proxy) = start();
    let ids = [
        "0",
        "1",
        "-1",
        "-0",
        "null",
        "true",
        "false",
        "1.5",
        "1.50",
        "1e2",
        "1E+400",
        "9007199254740991",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890123456789012345678901234567890",
        "\"\"",
        "\"1\"",
        "\"a b\"",
        r#""\u0041\/\n""#,
        r#""\ud83d\ude00""#,
        r#""\ud800""#,
        "\"\u{1f600}\"",
        r#""}],\"id\":7""#,
    ];
    for id in ids {
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_getBalance","params":["0x0000000000000000000000000000000000000001","0x1"]}}"#
        );
        let response = proxy.post(&call);
        assert_eq!(raw_ids(&response.text()), [id], "{response}");
        assert!(response.text().contains(r#""result":"0x"#), "{response}");
    }
    let calls: Vec<_> = ids
        .iter()
        .map(|id| format!(r#"{{"method":"eth_chainId","id":{id},"jsonrpc":"2.0"}}"#))
        .collect();
    let response = proxy.post(&format!("[{}]", calls.join(" , ")));
    assert_eq!(raw_ids(&response.text()), ids, "{response}");
    // Errors of our own carry them too.
    for id in ids {
        let response = proxy.post(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"admin_peers"}}"#
        ));
        assert_eq!(raw_ids(&response.text()), [id], "{response}");
        assert!(response.text().contains("-32601"), "{response}");
    }
}

/// The `id` members of an answer or an array of answers as they were written.
fn raw_ids(text: &str) -> Vec<String> {
    use serde_json::value::RawValue;
    #[derive(serde::Deserialize)]
    struct Item<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let items: Vec<Item<'_>> = if text.starts_with('[') {
        serde_json::from_str(text).unwrap()
    } else {
        vec![serde_json::from_str(text).unwrap()]
    };
    items.iter().map(|item| item.id.get().to_owned()).collect()
}

#[test]
fn notifications_have_no_answer() {
    let (provider, proxy) = start();
    let note = r#"{"jsonrpc":"2.0","method":"eth_getBalance","params":["0x0000000000000000000000000000000000000001","0x1"]}"#;
    let mut client = proxy.connect();
    for body in [
        note.to_owned(),
        format!("[{note}]"),
        format!("[{note},{note}]"),
    ] {
        let response = client.post("/", &body);
        assert!(
            [200, 204].contains(&response.status) && response.body.is_empty(),
            "{body}: {response}"
        );
    }
    let mixed = format!(r#"[{note},{{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}},{note}]"#);
    assert_eq!(client.post("/", &mixed).json(), json!([chain(json!(1))]));
    // A batch of nothing but notifications kills a real node: it never travels as one.
    assert!(
        provider
            .recent()
            .iter()
            .all(|request| !request.body.starts_with(b"["))
    );
}

#[test]
fn a_null_id_makes_a_call() {
    let (_provider, proxy) = start();
    let body = r#"{"jsonrpc":"2.0","id":null,"method":"eth_chainId","params":null}"#;
    assert_eq!(proxy.post(body).json(), chain(Value::Null));
}

#[test]
fn legal_oddities_reach_the_provider_as_they_are() {
    let (provider, proxy) = start();
    let params = r#"["0x0000000000000000000000000000000000000001", {"n":123456789012345678901234567890,"e":1e400,"s":"\ud800","é":[[[]]], "dup":1,"dup":2}]"#;
    let body = format!(
        "{{ \"params\" : {params} ,\r\n\t\"method\":\"eth_g\\u0065tBalance\",\"id\":1,\"jsonrpc\":\"2.0\",\"extra\":{{}} }}"
    );
    let response = proxy.post(&body);
    assert!(response.text().contains("\"id\":1"), "{response}");
    let sent = provider
        .recent()
        .into_iter()
        .rev()
        .find(|request| String::from_utf8_lossy(&request.body).contains("dup"))
        .expect("the call arrived");
    assert!(
        String::from_utf8_lossy(&sent.body).contains(params),
        "{}",
        String::from_utf8_lossy(&sent.body)
    );
    assert_eq!(
        provider.counters().method("eth_getBalance"),
        1,
        "an escaped name is the same name"
    );
}

#[test]
fn methods_of_the_nodes_operator_are_refused_however_they_are_written() {
    let (provider, proxy) = start();
    for method in [
        "admin_peers",
        "personal_unlockAccount",
        "miner_start",
        "engine_newPayloadV4",
        r"\u0061dmin_peers",
        r"admin\u005fpeers",
    ] {
        for body in [
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#),
            format!(r#"[{{"jsonrpc":"2.0","id":1,"method":"{method}"}}]"#),
        ] {
            let answer = proxy.post(&body).json();
            let answer = answer.get(0).unwrap_or(&answer);
            assert_eq!(answer["error"]["code"], -32601, "{body}: {answer}");
        }
    }
    let by_method = provider.counters().by_method;
    assert!(
        by_method
            .keys()
            .all(|name| !name.starts_with("admin") && !name.starts_with("personal")),
        "{by_method:?}"
    );
}

#[test]
fn a_batch_is_answered_in_order_whatever_its_calls_come_to() {
    let (provider, proxy) = start();
    provider.set_method_latency(
        "eth_blockNumber",
        perf::provider::Latency::Fixed(std::time::Duration::from_millis(80)),
    );
    let body = r#"[{"jsonrpc":"2.0","id":"slow","method":"eth_blockNumber"},
        {"jsonrpc":"2.0","id":"bad","method":"eth_noSuchMethod"},
        {"jsonrpc":"2.0","id":"same","method":"eth_chainId"},
        {"jsonrpc":"2.0","id":"same","method":"eth_chainId"},
        5]"#;
    let answer = proxy.post(body).json();
    let ids: Vec<_> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].clone())
        .collect();
    assert_eq!(
        ids,
        [
            json!("slow"),
            json!("bad"),
            json!("same"),
            json!("same"),
            Value::Null
        ]
    );
    assert!(answer[0]["result"].is_string());
    assert_eq!(answer[1]["error"]["code"], -32601);
    assert_eq!(answer[2]["result"], "0x1");
    assert_eq!(answer[4]["error"]["code"], -32600);
}
