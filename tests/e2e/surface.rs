//! What a client sees of HTTP: paths, methods, CORS, request ids, the explanation headers.

use crate::harness::{Proxy, Response, Setup, balance_call, ok, provider};
use perf::provider::{Fault, Handle, Rule};

const CHAIN_ID: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;

/// Chain `ethereum` with upstreams a and b, chain `other` (id 5) with its own.
fn two_chains() -> (Vec<Handle>, Proxy) {
    let providers: Vec<_> = (0..2).map(|_| provider()).collect();
    let five = crate::harness::provider_with(perf::provider::Options {
        chain: perf::provider::Chain::new(5, 100, std::time::Duration::from_secs(12)),
        ..Default::default()
    });
    let [a, b] = providers.as_slice() else {
        unreachable!()
    };
    let other = format!(
        "  other:\n    chain_id: 5\n    upstreams: [{{ name: five, http: \"{}\" }}]\n",
        five.url()
    );
    let proxy = Setup::default()
        .server("explain: true")
        .chain("aliases: [mainnet, eth]")
        .upstream("a", &a.url(), "")
        .upstream("b", &b.url(), "")
        .after(&other)
        .start();
    let mut all = providers;
    all.push(five);
    (all, proxy)
}

#[test]
fn every_form_of_path_leads_to_its_chain() {
    let (_providers, proxy) = two_chains();
    for (path, result) in [
        ("/rpc/ethereum", "0x1"),
        ("/ethereum", "0x1"),
        ("/rpc/mainnet", "0x1"),
        ("/eth", "0x1"),
        ("/rpc/1", "0x1"),
        ("/1", "0x1"),
        ("/rpc/eip155:1", "0x1"),
        ("/main/evm/1", "0x1"),
        ("/main/evm/5", "0x5"),
        ("/rpc/other", "0x5"),
        ("/rpc/eip155:5", "0x5"),
        ("/5", "0x5"),
        ("/rpc/round_robin/eth", "0x1"),
        ("/rpc/leaderboard/5", "0x5"),
        ("/rpc/provider/five/other", "0x5"),
        ("/rpc/ethereum?key=value", "0x1"),
    ] {
        let response = proxy.connect().post(path, CHAIN_ID);
        assert_eq!(ok(&response), result, "{path}");
    }
    for path in [
        "/",
        "/rpc",
        "/nowhere",
        "/rpc/fastest/ethereum",
        "/rpc/provider/five/ethereum",
        "/rpc/provider/x/y/z",
        "/main/svm/1",
        "/rpc/eip155:",
    ] {
        let response = proxy.connect().post(path, CHAIN_ID);
        assert_eq!(response.status, 404, "{path}: {response}");
        assert!(
            response.json()["error"]["message"].is_string(),
            "{path}: {response}"
        );
    }
}

#[test]
fn a_path_that_names_an_upstream_asks_that_one_alone() {
    let (providers, proxy) = two_chains();
    for id in 1..=10 {
        ok(&proxy
            .connect()
            .post("/rpc/provider/b/ethereum", &balance_call(id)));
    }
    let count = |provider: &Handle| provider.counters().method("eth_getBalance");
    assert_eq!((count(&providers[0]), count(&providers[1])), (0, 10));
    // A strategy in the path: by turns, though the chain says priority.
    for id in 1..=10 {
        ok(&proxy
            .connect()
            .post("/rpc/round_robin/ethereum", &balance_call(id)));
    }
    assert_eq!((count(&providers[0]), count(&providers[1])), (5, 15));
}

#[test]
fn the_explanation_headers_tell_who_answered_and_after_how_many_attempts() {
    let (providers, proxy) = two_chains();
    let response = proxy.connect().post("/rpc/ethereum", &balance_call(1));
    assert_eq!(
        response.header("x-livechain-upstream"),
        Some("a"),
        "{response}"
    );
    assert_eq!(
        response.header("x-livechain-attempts"),
        Some("1"),
        "{response}"
    );
    let fired = providers[0].inject(Rule::next(1, Fault::Html).for_method("eth_getBalance"));
    let response = proxy.connect().post("/rpc/ethereum", &balance_call(2));
    assert_eq!(providers[0].hits(fired), 1);
    assert_eq!(
        response.header("x-livechain-upstream"),
        Some("b"),
        "{response}"
    );
    assert_eq!(
        response.header("x-livechain-attempts"),
        Some("2"),
        "{response}"
    );
    // Not unless asked for.
    let only = provider();
    let quiet = Setup::default().upstream("only", &only.url(), "").start();
    let response = quiet.post(&balance_call(1));
    assert!(
        response.header("x-livechain-upstream").is_none(),
        "{response}"
    );
}

fn plain() -> (Handle, Proxy) {
    let only = provider();
    let proxy = Setup::default().upstream("only", &only.url(), "").start();
    (only, proxy)
}

#[test]
fn a_balancer_and_a_stray_method_get_their_answers() {
    let (_only, proxy) = plain();
    let ask = |line: &str| proxy.connect().request(&[line, "host: test"]);
    let get = ask("GET / HTTP/1.1");
    assert_eq!((get.status, get.body.len()), (200, 0), "{get}");
    assert_eq!(get.header("content-length"), Some("0"));
    for line in [
        "GET /rpc/ethereum HTTP/1.1",
        "PUT / HTTP/1.1",
        "DELETE /rpc/ethereum HTTP/1.1",
        "PATCH / HTTP/1.1",
    ] {
        let response = ask(line);
        assert_eq!(response.status, 405, "{line}: {response}");
        assert!(
            response
                .header("allow")
                .is_some_and(|allow| allow.contains("POST")),
            "{line}: {response}"
        );
    }
}

#[test]
fn every_content_type_is_taken_and_json_is_answered() {
    let (_only, proxy) = plain();
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "application/x-www-form-urlencoded",
        "text/plain",
        "",
    ] {
        let field = if kind.is_empty() {
            String::new()
        } else {
            format!("content-type: {kind}\r\n")
        };
        let mut client = proxy.connect();
        client
            .send(
                format!(
                    "POST / HTTP/1.1\r\nhost: test\r\n{field}content-length: {}\r\n\r\n{CHAIN_ID}",
                    CHAIN_ID.len()
                )
                .as_bytes(),
            )
            .unwrap();
        let response = client.response();
        assert_eq!(ok(&response), "0x1");
        assert!(
            response
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("application/json")),
            "{response}"
        );
        assert!(
            response.header("content-length").is_some(),
            "a known length is told: {response}"
        );
    }
}

fn with_origin(proxy: &Proxy, origin: &str, line: &str, more: &[&str], body: &str) -> Response {
    let origin = format!("origin: {origin}");
    let length = format!("content-length: {}", body.len());
    let mut head = vec![line, "host: test", &origin, &length];
    head.extend(more);
    let mut client = proxy.connect();
    client
        .send(format!("{}\r\n\r\n{body}", head.join("\r\n")).as_bytes())
        .unwrap();
    client.response()
}

#[test]
fn browsers_may_call_from_the_origins_that_are_listed() {
    let only = provider();
    let proxy = Setup::default()
        .server("cors: { origins: [\"https://app.example\"] }")
        .upstream("only", &only.url(), "")
        .start();
    let preflight = [
        "access-control-request-method: POST",
        "access-control-request-headers: content-type,authorization",
    ];
    let allowed = with_origin(
        &proxy,
        "https://app.example",
        "OPTIONS / HTTP/1.1",
        &preflight,
        "",
    );
    assert!([200, 204].contains(&allowed.status), "{allowed}");
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    assert!(
        allowed
            .header("access-control-allow-methods")
            .is_some_and(|methods| methods.contains("POST")),
        "{allowed}"
    );
    let headers = allowed
        .header("access-control-allow-headers")
        .unwrap_or_default()
        .to_ascii_lowercase();
    assert!(
        headers.contains("content-type") && headers.contains("authorization"),
        "{allowed}"
    );
    assert!(
        allowed
            .header("vary")
            .is_some_and(|vary| vary.to_ascii_lowercase().contains("origin")),
        "{allowed}"
    );
    // On each kind of answer, errors too.
    for (line, body) in [
        ("POST / HTTP/1.1", CHAIN_ID),
        ("POST / HTTP/1.1", "{"),
        ("POST /nowhere/at/all HTTP/1.1", CHAIN_ID),
        ("PUT / HTTP/1.1", ""),
    ] {
        let response = with_origin(&proxy, "https://app.example", line, &[], body);
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some("https://app.example"),
            "{line}: {response}"
        );
        assert!(
            response
                .header("access-control-expose-headers")
                .is_some_and(|names| names.contains("x-request-id")),
            "{response}"
        );
        assert!(
            response
                .header("access-control-allow-credentials")
                .is_none(),
            "{response}"
        );
    }
    let stranger = with_origin(
        &proxy,
        "https://evil.example",
        "OPTIONS / HTTP/1.1",
        &preflight,
        "",
    );
    assert!(
        stranger.header("access-control-allow-origin").is_none(),
        "{stranger}"
    );
}

#[test]
fn every_response_has_a_request_id() {
    let (_only, proxy) = plain();
    let mut seen = std::collections::BTreeSet::new();
    for body in [CHAIN_ID, "{", "[]"] {
        let response = proxy.post(body);
        let id = response
            .header("x-request-id")
            .unwrap_or_else(|| panic!("{response}"))
            .to_owned();
        assert!(id.len() >= 8 && seen.insert(id), "{response}");
    }
    let get = proxy.connect().request(&["GET / HTTP/1.1", "host: test"]);
    assert!(get.header("x-request-id").is_some(), "{get}");
    let given = with_origin(
        &proxy,
        "https://x.example",
        "POST / HTTP/1.1",
        &["x-request-id: abc-123"],
        CHAIN_ID,
    );
    assert_eq!(given.header("x-request-id"), Some("abc-123"));
    let mut broken = proxy.connect();
    broken.send(b"BROKEN\r\n\r\n").unwrap();
    assert!(broken.response().header("x-request-id").is_some());
}
