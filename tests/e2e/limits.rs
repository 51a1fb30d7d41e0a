//! Limits at their edges: the last that fits is served, the first that does not is refused with its own status, and
//! slow clients lose their connection without costing anybody else's.

use crate::harness::{Setup, balance_call, provider, until};
use perf::provider::{Fault, Rule};
use std::time::Duration;

/// A call of exactly this many bytes.
fn padded(bytes: usize) -> String {
    let call = balance_call(1);
    let pad = bytes - call.len();
    format!("{}{}", call, " ".repeat(pad))
}

#[test]
fn the_longest_body_is_served_and_one_byte_more_is_413() {
    let only = provider();
    let proxy = Setup::default()
        .limit("max_body_bytes: 4KiB")
        .forwarding_all()
        .upstream("only", &only.url(), "")
        .start();
    let mut client = proxy.connect();
    assert_eq!(client.post("/", &padded(4096)).status, 200);
    let refused = client.post("/", &padded(4097));
    assert_eq!(refused.status, 413, "{refused}");
    assert_eq!(refused.json()["error"]["code"], -32600, "{refused}");
    let mut client = proxy.connect();
    // The same through chunks, where the length is not known before.
    for (bytes, status) in [(4096, 200), (4097, 413)] {
        let body = padded(bytes);
        let mut request =
            b"POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.as_bytes().chunks(1000) {
            request.extend(format!("{:x}\r\n", chunk.len()).bytes());
            request.extend(chunk);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        client.send(&request).unwrap();
        assert_eq!(client.response().status, status, "{bytes} bytes");
    }
    assert_eq!(only.counters().method("eth_getBalance"), 2);
}

#[test]
fn a_batch_as_large_as_allowed_is_served_and_one_call_more_is_refused_as_geth_does() {
    let only = provider();
    let proxy = Setup::default()
        .limit("max_batch_calls: 10")
        .upstream("only", &only.url(), "")
        .start();
    let batch = |count: u64| {
        format!(
            "[{}]",
            (1..=count).map(balance_call).collect::<Vec<_>>().join(",")
        )
    };
    let served = proxy.post(&batch(10));
    assert_eq!(served.json().as_array().map(Vec::len), Some(10), "{served}");
    let refused = proxy.post(&batch(11));
    assert_eq!(refused.status, 200);
    assert_eq!(
        refused.text(),
        r#"[{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"batch too large"}}]"#
    );
    assert_eq!(only.counters().method("eth_getBalance"), 10);
}

#[test]
fn the_longest_head_is_served_and_a_longer_one_is_431() {
    let only = provider();
    let proxy = Setup::default()
        .limit("max_header_bytes: 2KiB")
        .upstream("only", &only.url(), "")
        .start();
    let get = |pad: usize| {
        let field = format!("x-pad: {}", "p".repeat(pad));
        proxy
            .connect()
            .request(&["GET / HTTP/1.1", "host: test", &field])
    };
    let fixed = "GET / HTTP/1.1\r\nhost: test\r\nx-pad: \r\n\r\n".len();
    assert_eq!(get(2048 - fixed).status, 200);
    assert_eq!(get(2049 - fixed).status, 431);
    assert_eq!(get(60_000).status, 431);
}

#[test]
fn connections_beyond_the_limit_are_turned_away_and_places_come_free() {
    let only = provider();
    let proxy = Setup::default()
        .limit("max_connections: 4")
        .forwarding_all()
        .upstream("only", &only.url(), "")
        .start();
    let mut held: Vec<_> = (0..4).map(|_| proxy.connect()).collect();
    for client in &mut held {
        assert_eq!(client.post("/", &balance_call(1)).status, 200);
    }
    let mut refused = proxy.connect();
    let _ = refused.send(&crate::harness::post_bytes("/", &balance_call(2)));
    if let Ok(response) = refused.try_response() {
        assert_eq!(response.status, 503, "{response}");
    }
    assert_eq!(only.counters().method("eth_getBalance"), 4);
    assert!(
        proxy.metric(
            "livechain_client_connections_refused_total",
            &[("reason", "limit")]
        ) >= 1.0
    );
    held.pop();
    until("a place to come free", || {
        let mut client = proxy.connect();
        client
            .send(&crate::harness::post_bytes("/", &balance_call(3)))
            .ok()?;
        client
            .try_response()
            .ok()
            .filter(|response| response.status == 200)
    });
}

fn with_short_patience() -> (perf::provider::Handle, crate::harness::Proxy) {
    let only = provider();
    let proxy = Setup::default()
        .limit("header_timeout: 300ms")
        .limit("body_timeout: 300ms")
        .limit("idle_timeout: 1s")
        .forwarding_all()
        .upstream("only", &only.url(), "")
        .start();
    (only, proxy)
}

#[test]
fn a_head_or_a_body_that_never_ends_costs_its_own_connection_alone() {
    let (only, proxy) = with_short_patience();
    let slow_heads = [
        &b"P"[..],
        b"POST / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nhost: test\r\ncontent-le",
    ];
    let slow_bodies = [
        &b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{\"jsonrpc\":\"2.0\"",
        b"POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"js",
    ];
    for sent in slow_heads.iter().chain(&slow_bodies) {
        let mut client = proxy.connect();
        client.send(sent).unwrap();
        let other = proxy.post(&balance_call(1));
        assert_eq!(other.status, 200);
        if let Ok(response) = client.try_response() {
            assert_eq!(response.status, 408, "{response}");
        }
        client.assert_closed();
    }
    let refused = |reason| proxy.metric("livechain_requests_refused_total", &[("reason", reason)]);
    assert!(refused("head_timeout") >= 3.0 && refused("body_timeout") >= 3.0);
    assert_eq!(only.counters().method("eth_getBalance"), 6);
}

#[test]
fn a_dripping_head_does_not_live_longer_by_dripping() {
    let (_only, proxy) = with_short_patience();
    let mut client = proxy.connect();
    let head = b"POST / HTTP/1.1\r\nhost: test\r\nx-slow: ";
    let mut ended = false;
    // One byte each 50 ms: a timer that every byte wound up again would never strike.
    for byte in head.iter().copied().chain(std::iter::repeat_n(b'x', 600)) {
        if client.send(&[byte]).is_err() {
            ended = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        if proxy.metric(
            "livechain_requests_refused_total",
            &[("reason", "head_timeout")],
        ) >= 1.0
        {
            ended = true;
            break;
        }
    }
    assert!(ended, "the head was still read");
    let _ = client.try_response();
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let (_only, proxy) = with_short_patience();
    let mut client = proxy.connect();
    assert_eq!(client.post("/", &balance_call(1)).status, 200);
    client.assert_closed();
}

#[test]
fn an_answer_longer_than_allowed_is_refused() {
    let only = provider();
    let proxy = Setup::default()
        .limit("max_response_bytes: 64KiB")
        .limit("hold_bytes: 64KiB")
        .upstream("only", &only.url(), "")
        .start();
    let fired = only.inject(
        perf::provider::Rule::always(perf::provider::Fault::LargeResult { bytes: 70_000 })
            .for_method("eth_getBalance"),
    );
    let response = proxy.post(&balance_call(1));
    assert_eq!(
        response.json()["error"]["message"],
        "response too large",
        "{response}"
    );
    assert!(only.hits(fired) >= 1);
}

#[test]
fn a_client_that_asks_on_and_never_reads_is_cut_and_holds_little() {
    const REQUESTS: usize = 2_000;
    let only = provider();
    let answer = Fault::LargeResult { bytes: 20_000 };
    only.inject(Rule::always(answer).for_method("debug_traceTransaction"));
    let proxy = Setup::default()
        .limit("body_timeout: 500ms")
        .limit("idle_timeout: 10m")
        .forwarding_all()
        .upstream("only", &only.url(), "")
        .start();
    let call = |id: usize| {
        let body = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"debug_traceTransaction\",\"params\":[\"0x{id:064x}\"]}}"
        );
        crate::harness::post_bytes("/", &body)
    };
    assert_eq!(proxy.connect().send(&call(0)).ok(), Some(()));
    let before = proxy.resident_bytes();
    let mut client = proxy.connect();
    // Short answers are not waited for one by one; that must not let them pile up.
    let sent = (1..=REQUESTS).try_for_each(|id| client.send(&call(id)));
    until("the client to be cut", || {
        (proxy.metric("livechain_client_connections", &[]) == 0.0).then_some(())
    });
    let asked = only.counters().method("debug_traceTransaction");
    assert!(
        asked < REQUESTS as u64,
        "all were answered, to a client that read nothing ({sent:?})"
    );
    let held = proxy.resident_bytes().saturating_sub(before);
    assert!(held < 16 << 20, "{held} bytes");
    assert_eq!(proxy.post(&balance_call(1)).status, 200);
}
