//! HTTP/1.1 framing attacks. Whatever could be read two ways is refused with 400 and the connection closed, and nothing of it reaches
//! a provider. And what is legal, however odd, is served.

use crate::harness::{Proxy, Setup, balance_call, post_bytes, provider};
use perf::provider::Handle;

fn start() -> (Handle, Proxy) {
    let provider = provider();
    let proxy = Setup::default()
        .forwarding_all()
        .upstream("only", &provider.url(), "")
        .start();
    (provider, proxy)
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x0000000000000000000000000000000000000001","0x1"]}"#;

/// A POST with these framing fields, and the call as its body.
fn with(fields: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nhost: test\r\n{fields}\r\n{CALL}").into_bytes()
}

#[test]
fn ambiguous_framing_is_refused_and_the_connection_closed() {
    let (provider, proxy) = start();
    let n = CALL.len();
    let chunked = format!("{n:x}\r\n{CALL}\r\n0\r\n\r\n");
    let te = |fields: &str, body: &str| {
        format!("POST / HTTP/1.1\r\nhost: test\r\n{fields}\r\n{body}").into_bytes()
    };
    let table: Vec<(&str, Vec<u8>)> = vec![
        (
            "two lengths that differ",
            with(&format!("content-length: {n}\r\ncontent-length: 5\r\n")),
        ),
        (
            "two lengths that agree",
            with(&format!("content-length: {n}\r\ncontent-length: {n}\r\n")),
        ),
        (
            "a list of lengths",
            with(&format!("content-length: {n}, {n}\r\n")),
        ),
        (
            "a length and chunks",
            te(
                &format!("content-length: {n}\r\ntransfer-encoding: chunked\r\n"),
                &chunked,
            ),
        ),
        (
            "chunks and a length",
            te(
                &format!("transfer-encoding: chunked\r\ncontent-length: {n}\r\n"),
                &chunked,
            ),
        ),
        (
            "a signed length",
            with(&format!("content-length: +{n}\r\n")),
        ),
        ("a negative length", with("content-length: -1\r\n")),
        ("a length in hex", with("content-length: 0x10\r\n")),
        (
            "a length with a space inside",
            with("content-length: 1 0\r\n"),
        ),
        ("an empty length", with("content-length:\r\n")),
        (
            "a length beyond 64 bits",
            with("content-length: 18446744073709551617\r\n"),
        ),
        (
            "a space before the colon",
            with(&format!("content-length : {n}\r\n")),
        ),
        (
            "a tab before the colon",
            with(&format!("content-length\t: {n}\r\n")),
        ),
        (
            "obs-fold",
            with(&format!("x-a: b\r\n c\r\ncontent-length: {n}\r\n")),
        ),
        (
            "obs-fold of the framing",
            with(&format!(
                "transfer-encoding:\r\n chunked\r\ncontent-length: {n}\r\n"
            )),
        ),
        (
            "bare LF in the head",
            format!("POST / HTTP/1.1\nhost: test\ncontent-length: {n}\n\n{CALL}").into_bytes(),
        ),
        (
            "one bare LF",
            with(&format!("x-a: b\ncontent-length: {n}\r\n")),
        ),
        (
            "a bare CR",
            with(&format!("x-a: b\rx-b: c\r\ncontent-length: {n}\r\n")),
        ),
        (
            "a NUL",
            with(&format!("x-a: \0\r\ncontent-length: {n}\r\n")),
        ),
        (
            "a field without a name",
            with(&format!(": b\r\ncontent-length: {n}\r\n")),
        ),
        (
            "a name with a space",
            with(&format!("x a: b\r\ncontent-length: {n}\r\n")),
        ),
        (
            "chunked twice",
            te("transfer-encoding: chunked, chunked\r\n", &chunked),
        ),
        (
            "two codings",
            te("transfer-encoding: gzip, chunked\r\n", &chunked),
        ),
        (
            "chunked in two fields",
            te(
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                &chunked,
            ),
        ),
        (
            "chunked not last",
            te("transfer-encoding: chunked, identity\r\n", &chunked),
        ),
        (
            "an unknown coding",
            te("transfer-encoding: xchunked\r\n", &chunked),
        ),
        (
            "chunked by a trick",
            te("transfer-encoding: \x0bchunked\r\n", &chunked),
        ),
        (
            "chunked in HTTP/1.0",
            format!("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n{chunked}").into_bytes(),
        ),
        (
            "a chunk size with a sign",
            te("transfer-encoding: chunked\r\n", &format!("+{chunked}")),
        ),
        (
            "a chunk size in 0x",
            te("transfer-encoding: chunked\r\n", &format!("0x{chunked}")),
        ),
        (
            "a chunk size beyond 64 bits",
            te(
                "transfer-encoding: chunked\r\n",
                &format!("ffffffffffffffff1\r\n{CALL}\r\n0\r\n\r\n"),
            ),
        ),
        (
            "a chunk that ends in LF",
            te(
                "transfer-encoding: chunked\r\n",
                &format!("{n:x}\n{CALL}\n0\n\n"),
            ),
        ),
        (
            "a chunk longer than its size",
            te(
                "transfer-encoding: chunked\r\n",
                &format!("{:x}\r\n{CALL}\r\n0\r\n\r\n", n - 3),
            ),
        ),
        (
            "no host",
            format!("POST / HTTP/1.1\r\ncontent-length: {n}\r\n\r\n{CALL}").into_bytes(),
        ),
        (
            "two hosts",
            with(&format!("host: other\r\ncontent-length: {n}\r\n")),
        ),
        (
            "no HTTP at all",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        ),
    ];
    for (name, bytes) in table {
        let mut client = proxy.connect();
        client.send(&bytes).unwrap();
        // A second request rides along: were the first read another way, this one would be answered.
        let _ = client.send(&post_bytes("/", &balance_call(2)));
        let response = client
            .try_response()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            (400..=505).contains(&response.status) && response.status != 404,
            "{name}: {response}"
        );
        if name != "an unknown coding" && name != "two codings" {
            assert_eq!(response.status, 400, "{name}: {response}");
        }
        let (rest, _) = client.read_out();
        assert!(
            rest.is_empty(),
            "{name}: more came: {}",
            String::from_utf8_lossy(&rest)
        );
        assert_eq!(
            provider.counters().method("eth_getBalance"),
            0,
            "{name}: it reached the provider"
        );
    }
    assert_eq!(provider.counters().bad_requests, 0);
    // And the proxy is well.
    assert_eq!(proxy.post(CALL).status, 200);
}

#[test]
fn what_a_request_smuggles_in_its_fields_stays_here() {
    let (provider, proxy) = start();
    let mut client = proxy.connect();
    let n = CALL.len();
    let head = [
        "POST /rpc/ethereum?x=1 HTTP/1.1".to_owned(),
        "Host: evil".to_owned(),
        "cookie: a=b".to_owned(),
        "authorization: Bearer abc".to_owned(),
        "x-forwarded-for: 1.2.3.4".to_owned(),
        "connection: keep-alive, x-secret".to_owned(),
        "x-secret: 1".to_owned(),
        "upgrade: h2c".to_owned(),
        format!("content-length: {n}"),
    ];
    client
        .send(format!("{}\r\n\r\n{CALL}", head.join("\r\n")).as_bytes())
        .unwrap();
    assert_eq!(client.response().status, 200);
    let sent = provider.recent();
    let request = sent
        .iter()
        .find(|request| String::from_utf8_lossy(&request.body).contains("eth_getBalance"))
        .expect("the call");
    let head = String::from_utf8_lossy(&request.head).to_ascii_lowercase();
    for word in [
        "evil",
        "cookie",
        "bearer",
        "x-forwarded-for",
        "x-secret",
        "upgrade",
        "x=1",
        "/rpc/ethereum",
    ] {
        assert!(!head.contains(word), "{word} in {head}");
    }
    assert!(head.starts_with("post / http/1.1\r\n"), "{head}");
    assert_eq!(head.matches("content-length").count(), 1, "{head}");
}

#[test]
fn a_chunked_body_is_put_together_however_it_is_cut() {
    let (provider, proxy) = start();
    let mut client = proxy.connect();
    for size in [1, 2, 3, 7, 16, 64, 1000] {
        let mut request =
            b"POST / HTTP/1.1\r\nhost: test\r\nTransfer-Encoding: Chunked\r\n\r\n".to_vec();
        for chunk in CALL.as_bytes().chunks(size) {
            request.extend(format!("{:X};name=\"value\"\r\n", chunk.len()).bytes());
            request.extend(chunk);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\nx-trailer: ignored\r\n\r\n");
        // In pieces that respect nothing.
        for piece in request.chunks(11) {
            client.send(piece).unwrap();
        }
        let response = client.response();
        assert!(
            response.status == 200 && response.json()["result"].is_string(),
            "chunks of {size}: {response}"
        );
    }
    assert_eq!(provider.counters().method("eth_getBalance"), 7);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (provider, proxy) = start();
    provider.set_latency(perf::provider::Latency::Uniform(
        std::time::Duration::ZERO,
        std::time::Duration::from_millis(5),
    ));
    let mut client = proxy.connect();
    let mut all = Vec::new();
    for id in 1..=100 {
        all.extend(post_bytes("/", &balance_call(id)));
    }
    client.send(&all).unwrap();
    for id in 1..=100 {
        let response = client.response();
        assert_eq!(response.json()["id"], id, "{response}");
        assert!(response.json()["result"].is_string());
    }
    // An error closes only after what stood before it was answered.
    let mut mixed = post_bytes("/", &balance_call(1));
    mixed.extend(b"BROKEN\r\n\r\n");
    client.send(&mixed).unwrap();
    assert_eq!(client.response().json()["id"], 1);
    assert_eq!(client.response().status, 400);
    client.assert_closed();
}

#[test]
fn a_client_that_expects_100_gets_it_before_it_sends() {
    let (_provider, proxy) = start();
    let mut client = proxy.connect();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        CALL.len()
    );
    client.send(head.as_bytes()).unwrap();
    assert_eq!(client.response().status, 100);
    client.send(CALL.as_bytes()).unwrap();
    assert_eq!(client.response().status, 200);
    // What would be refused anyway is refused before a byte of it is sent.
    client.send(b"POST / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 999999999\r\n\r\n").unwrap();
    assert_eq!(client.response().status, 413);
    client.assert_closed();
    let mut client = proxy.connect();
    client
        .send(b"POST / HTTP/1.1\r\nhost: test\r\nexpect: a-pony\r\ncontent-length: 2\r\n\r\n{}")
        .unwrap();
    assert_eq!(client.response().status, 417);
}

#[test]
fn half_closed_clients_still_get_their_answer() {
    let (_provider, proxy) = start();
    let mut client = proxy.connect();
    client.send(&post_bytes("/", CALL)).unwrap();
    client.finish_sending();
    assert_eq!(client.response().status, 200);
    client.assert_closed();
}

#[test]
fn http_1_0_and_connection_close() {
    let (_provider, proxy) = start();
    let mut client = proxy.connect();
    client
        .send(
            format!(
                "POST / HTTP/1.0\r\ncontent-length: {}\r\n\r\n{CALL}",
                CALL.len()
            )
            .as_bytes(),
        )
        .unwrap();
    let response = client.response();
    assert_eq!(response.status, 200);
    assert!(response.header("content-length").is_some(), "{response}");
    client.assert_closed();
    let mut client = proxy.connect();
    client
        .send(&with(&format!(
            "connection: close\r\ncontent-length: {}\r\n",
            CALL.len()
        )))
        .unwrap();
    let response = client.response();
    assert_eq!(
        response
            .header("connection")
            .map(str::to_ascii_lowercase)
            .as_deref(),
        Some("close")
    );
    client.assert_closed();
}
