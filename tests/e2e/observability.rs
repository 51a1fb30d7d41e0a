//! What the operator sees: metrics that a linter passes, an access log of JSON lines, and no secret anywhere.

use crate::harness::{Pair, Proxy, Setup, balance_call, provider, until};
use perf::provider::{Door, Fault, Handle, Rule};
use std::process::{Command, Stdio};

const KEY: &str = "s3cr3tk3yInThePath";
const PASSWORD: &str = "hunter2InTheUserInfo";
const QUERY: &str = "t0kenInTheQuery";
const HEADER: &str = "b3arerInAHeader";

/// A scrape after some of everything.
fn busy_scrape() -> (Pair, String) {
    let pair = Pair::start();
    for id in 1..=10 {
        pair.call(id);
    }
    pair.a
        .inject(Rule::always(Fault::Html).for_method("eth_getBalance"));
    for id in 11..=20 {
        pair.call(id);
    }
    pair.proxy.post("{");
    pair.proxy
        .post(r#"{"jsonrpc":"2.0","id":1,"method":"some_\"weird{method}\n"}"#);
    let text = pair.proxy.admin_get("/metrics").text();
    (pair, text)
}

#[test]
fn the_metrics_pass_promtool() {
    let (_pair, text) = busy_scrape();
    let mut linter = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (tests/run installs it)");
    std::io::Write::write_all(&mut linter.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = linter.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn the_metrics_tell_what_happened() {
    let (pair, text) = busy_scrape();
    let metric = |name: &str, labels: &[(&str, &str)]| pair.proxy.metric(name, labels);
    let balance = ("method", "eth_getBalance");
    assert!(metric("livechain_calls_total", &[balance, ("outcome", "ok")]) >= 20.0);
    let (at_a, at_b) = pair.counts();
    assert_eq!(
        metric("livechain_attempts_total", &[balance, ("upstream", "a")]),
        at_a as f64
    );
    assert_eq!(
        metric("livechain_attempts_total", &[balance, ("upstream", "b")]),
        at_b as f64
    );
    assert!(metric("livechain_faults_total", &[("upstream", "a")]) >= 1.0);
    assert_eq!(
        metric(
            "livechain_requests_refused_total",
            &[("reason", "bad_json")]
        ),
        1.0
    );
    assert!(metric("livechain_pool_connections", &[("upstream", "b")]) >= 1.0);
    assert!(metric("livechain_breaker_state", &[("upstream", "a")]) >= 1.0);
    assert!(text.contains("livechain_call_duration_seconds_bucket"));
    assert!(
        text.contains("method=\"_OTHER\"") && !text.contains("weird"),
        "an unknown method is _OTHER"
    );
    let log = pair.proxy.admin_get("/debug/latency.hlog");
    assert_eq!(log.status, 200);
    assert!(
        log.text().contains("HISTF") || log.text().contains("#["),
        "{log}"
    );
}

/// One upstream whose URL and headers are full of secrets, one that is in order.
fn with_secrets(change: impl FnOnce(Setup) -> Setup) -> (Handle, Handle, Proxy) {
    let (a, b) = (provider(), provider());
    let url = format!(
        "http://user:{PASSWORD}@{}/v2/${{KEY}}?token={QUERY}",
        a.address()
    );
    let setup = Setup::default()
        .environment("KEY", KEY)
        .server("log: { level: trace }")
        .server("access_log: { path: stdout, sample: 1.0 }")
        .server("explain: true")
        .upstream("a", &url, &format!("timeout: 300ms, connect_timeout: 300ms, headers: {{ authorization2: \"Bearer {HEADER}\" }}"))
        .upstream("b", &b.url(), "");
    (a, b, change(setup).start())
}

#[test]
fn no_secret_is_in_anything_that_we_say() {
    let (a, b, mut proxy) = with_secrets(|setup| setup);
    let mut said = String::new();
    let mut show = |response: crate::harness::Response| said.push_str(&format!("{response}\n"));
    show(proxy.post(&balance_call(1)));
    // The provider did get its keys, or nothing is shown.
    let sent = a.recent();
    let head = String::from_utf8_lossy(
        &sent
            .iter()
            .find(|r| String::from_utf8_lossy(&r.body).contains("eth_getBalance"))
            .expect("the call")
            .head,
    )
    .into_owned();
    for secret in [
        KEY,
        QUERY,
        HEADER,
        "authorization: Basic",
        "Authorization: Basic",
    ]
    .iter()
    .take(3)
    {
        assert!(
            head.contains(secret),
            "{secret} did not reach the provider: {head}"
        );
    }
    assert!(
        head.to_ascii_lowercase().contains("authorization: basic "),
        "{head}"
    );
    // Failures of many kinds, some of which repeat the keys to us.
    let echo = format!(
        "project id {KEY} is over its limit, see http://{}/v2/{KEY}",
        a.address()
    );
    let faults = [
        Fault::Html,
        Fault::ResetBeforeAnswer,
        Fault::Hang,
        Fault::throttled(Some(0)),
        Fault::InvalidJson,
        Fault::rpc_error(-32000, &echo),
        Fault::rpc_error(-32005, &echo),
        Fault::rpc_error(-32602, &echo),
        Fault::Status {
            code: 401,
            headers: vec![("www-authenticate".to_owned(), echo.clone())],
            body: echo.clone().into_bytes(),
        },
        Fault::Status {
            code: 301,
            headers: vec![("location".to_owned(), format!("http://x/{KEY}"))],
            body: vec![],
        },
    ];
    for (id, fault) in (2..).zip(faults) {
        a.clear_all();
        let fired = a.inject(Rule::always(fault).for_method("eth_getBalance"));
        let call = balance_call(id);
        show(proxy.connect().post("/rpc/provider/a/ethereum", &call));
        show(proxy.post(&call));
        assert!(a.hits(fired) >= 1, "fault {id} never struck");
    }
    a.set_door(Door::Refuse).unwrap();
    b.kill().unwrap();
    show(proxy.post(&balance_call(90)));
    for path in [
        "/metrics",
        "/readyz",
        "/livez",
        "/debug/latency.hlog",
        "/config",
        "/",
    ] {
        show(proxy.admin_get(path));
    }
    let mut command = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_livechain"))
            .args(arguments)
            .arg(proxy.config())
            .env("KEY", KEY)
            .output()
            .unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}");
    };
    command(&["dump"]);
    command(&["check"]);
    command(&["check", "--format", "json"]);
    proxy.terminate();
    let printed = proxy.output();
    assert!(
        printed.contains("livechain.rpc.request"),
        "there is no access log to look at: {printed}"
    );
    said.push_str(&printed);
    for secret in [KEY, PASSWORD, QUERY, HEADER] {
        if let Some(at) = said.find(secret) {
            let from = said.floor_char_boundary(at.saturating_sub(300));
            panic!(
                "{secret} was said: …{}",
                said.get(from..at + secret.len()).unwrap_or_default()
            );
        }
    }
}

#[test]
fn the_access_log_is_json_lines_that_a_client_cannot_forge() {
    let (_a, _b, mut proxy) = with_secrets(|setup| setup);
    proxy.post(&balance_call(1));
    proxy.post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\\n{\\\"event\\\":\\\"forged\\\"}\\u001b[31m\"}");
    proxy.terminate();
    let printed = proxy.output();
    let events: Vec<serde_json::Value> = printed
        .lines()
        .filter(|line| line.contains("\"event\""))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert!(
        named("livechain.rpc.request.start") >= 2 && named("livechain.rpc.request.stop") >= 1,
        "{printed}"
    );
    assert!(named("livechain.selection") >= 1, "{printed}");
    assert_eq!(named("forged"), 0);
    let stop = events
        .iter()
        .find(|event| event["event"] == "livechain.rpc.request.stop")
        .unwrap();
    for field in [
        "chain",
        "method",
        "protocol",
        "upstream",
        "provider",
        "duration_us",
        "attempts",
        "breaker_state",
    ] {
        assert!(!stop[field].is_null(), "{field} is missing in {stop}");
    }
    assert!(
        !printed.contains("0x0000000000000000000000000000000000000001"),
        "a caller's parameter is in the log"
    );
}

#[test]
fn the_log_level_changes_while_it_runs() {
    let only = provider();
    let proxy = Setup::default().upstream("only", &only.url(), "").start();
    let mut admin = crate::harness::Client::connect(proxy.admin);
    admin.send(b"PUT /log/level HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n{\"level\":\"trace\"}").unwrap();
    let changed = admin.response();
    assert!(changed.status == 200 || changed.status == 204, "{changed}");
    // A web page cannot: neither its origin nor a rebound name is let in.
    for field in ["origin: https://evil.example", "host: evil.example"] {
        let host = if field.starts_with("host") {
            ""
        } else {
            "host: localhost\r\n"
        };
        let mut admin = crate::harness::Client::connect(proxy.admin);
        admin.send(format!("PUT /log/level HTTP/1.1\r\n{host}{field}\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n{{\"level\":\"trace\"}}").as_bytes()).unwrap();
        assert_eq!(admin.response().status, 403, "{field}");
    }
}

#[test]
fn counters_of_what_is_open_come_back_to_zero() {
    let pair = Pair::start();
    for id in 1..=20 {
        pair.call(id);
    }
    for name in [
        "livechain_calls_in_flight",
        "livechain_requests_in_flight",
        "livechain_client_connections",
        "livechain_attempts_in_flight",
    ] {
        until(name, || (pair.proxy.metric(name, &[]) < 1.0).then_some(()));
    }
    assert!(pair.proxy.metric("livechain_task_panics_total", &[]) < 1.0);
}
