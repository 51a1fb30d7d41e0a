//! Starting, being ready, draining, ending.

use crate::harness::{Client, Setup, balance_call, free_port, post_bytes, provider, until};
use perf::provider::Latency;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

#[test]
fn sigterm_finishes_what_is_in_flight_closes_what_is_idle_and_exits_with_0() {
    let only = provider();
    let mut proxy = Setup::default().upstream("only", &only.url(), "").start();
    let mut idle = proxy.connect();
    assert_eq!(idle.post("/", &balance_call(1)).status, 200);
    only.set_method_latency(
        "eth_getBalance",
        Latency::Fixed(Duration::from_millis(1500)),
    );
    let mut busy: Vec<_> = (0..5).map(|_| proxy.connect()).collect();
    for (id, client) in (10..).zip(&mut busy) {
        client.send(&post_bytes("/", &balance_call(id))).unwrap();
    }
    until("the calls to be in flight", || {
        (proxy.metric("livechain_attempts_in_flight", &[]) >= 5.0).then_some(())
    });
    proxy.signal("TERM");
    until("readiness to go", || {
        (proxy.admin_get("/readyz").status == 503).then_some(())
    });
    assert_eq!(proxy.admin_get("/livez").status, 200);
    idle.assert_closed();
    for (id, client) in (10..).zip(&mut busy) {
        let response = client.response();
        assert_eq!(
            (response.status, response.json()["id"].as_u64()),
            (200, Some(id)),
            "{response}"
        );
        client.assert_closed();
    }
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.output());
    assert!(
        TcpStream::connect(proxy.rpc).is_err(),
        "somebody still listens"
    );
}

#[test]
fn a_drain_does_not_wait_longer_than_it_may() {
    let only = provider();
    let mut proxy = Setup::default()
        .server("drain_timeout: 300ms")
        .upstream("only", &only.url(), "")
        .start();
    only.set_method_latency("eth_getBalance", Latency::Fixed(Duration::from_secs(25)));
    let mut client = proxy.connect();
    client.send(&post_bytes("/", &balance_call(1))).unwrap();
    until("the call to be in flight", || {
        (proxy.metric("livechain_attempts_in_flight", &[]) >= 1.0).then_some(())
    });
    let status = proxy.terminate();
    assert!(status.code().is_some(), "{status}");
    client.read_out();
}

#[test]
fn readiness_tells_of_each_chain() {
    let only = provider();
    let proxy = Setup::default().upstream("only", &only.url(), "").start();
    let ready = proxy.admin_get("/readyz");
    assert!(ready.text().contains("ethereum"), "{ready}");
    assert_eq!(proxy.admin_get("/livez").status, 200);
    assert_eq!(proxy.admin_get("/nothing").status, 404);
}

#[test]
fn several_cores_share_one_port() {
    let only = provider();
    let proxy = Setup::default()
        .server("cores: 2")
        .upstream("only", &only.url(), "")
        .start();
    for id in 1..=40 {
        assert_eq!(proxy.post(&balance_call(id)).json()["id"], id);
    }
    for shard in ["0", "1"] {
        assert!(proxy.metric("livechain_shard_ready", &[("shard", shard)]) >= 1.0);
    }
    assert!(
        proxy.metric("livechain_requests_total", &[("code", "200")]) >= 40.0,
        "a scrape adds the shards up"
    );
}

#[test]
fn a_second_process_does_not_take_half_of_the_traffic() {
    let only = provider();
    let proxy = Setup::default().upstream("only", &only.url(), "").start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("second.yaml");
    let text = format!(
        "version: 1\nserver: {{ listen: [\"{}\"], admin: off }}\nchains:\n  ethereum:\n    chain_id: 1\n    upstreams:\n      - {{ name: only, http: \"{}\" }}\n",
        proxy.rpc,
        only.url()
    );
    std::fs::write(&config, text).expect("a file");
    let second = Command::new(env!("CARGO_BIN_EXE_livechain"))
        .args(["serve", "--config"])
        .arg(&config)
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot listen on"), "{said}");
    assert_eq!(proxy.post(&balance_call(1)).status, 200);
}

/// Where it serves unless it is told: the addresses that the README names.
const DEFAULT_PORTS: [u16; 2] = [8545, 9545];

#[test]
fn no_file_is_needed() {
    let only = provider();
    let is_taken = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_err();
    if let Some(port) = DEFAULT_PORTS.iter().find(|port| is_taken(port)) {
        // Somebody's node runs here; to serve beside it on one port would prove nothing.
        eprintln!("port {port} is in use on this machine: not shown here");
        return;
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_livechain"))
        .args(["serve", "--upstream", &only.url()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    let [rpc, admin] = DEFAULT_PORTS.map(|port| std::net::SocketAddr::from(([127, 0, 0, 1], port)));
    let answered = until("it to be ready on the default ports", || {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(Err(status));
        }
        TcpStream::connect(admin).ok()?;
        let ready = Client::connect(admin).request(&["GET /readyz HTTP/1.1", "host: localhost"]);
        (ready.status == 200).then(|| Ok(Client::connect(rpc).post("/", &balance_call(1))))
    });
    child.kill().expect("it runs");
    child.wait().expect("a child");
    let response = answered.unwrap_or_else(|status| panic!("it ended with {status}"));
    assert_eq!(response.json()["id"], 1, "{response}");
    assert!(response.json()["result"].is_string(), "{response}");
    assert_eq!(only.counters().method("eth_getBalance"), 1);
}

#[test]
fn what_is_no_url_is_refused_with_a_sentence() {
    let output = Command::new(env!("CARGO_BIN_EXE_livechain"))
        .args(["serve", "--upstream", "ftp://example"])
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("http"), "{said}");
}

#[test]
fn the_demo_runs_by_itself_and_says_who_was_chosen_and_why() {
    let [rpc, admin] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let output = Command::new(env!("CARGO_BIN_EXE_livechain"))
        .args(["demo", "--listen", &rpc, "--admin", &admin])
        .args(["--seconds", "4", "--rate", "100"])
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for word in [
        "swift",
        "flaky",
        "thrifty",
        "chosen",
        "left out",
        " 0 failed",
    ] {
        assert!(said.contains(word), "{word:?} is missing in {said}");
    }
}

#[test]
fn a_bad_configuration_is_refused_with_all_its_problems_and_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.yaml");
    std::fs::write(
        &file,
        "version: 1\nsever: {}\nchains:\n  ethereum:\n    chain_id: x\n    upstreams: []\n",
    )
    .unwrap();
    for command in [&["check"][..], &["serve", "--config"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_livechain"))
            .args(command)
            .arg(&file)
            .output()
            .unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        for word in ["bad.yaml:2", "bad.yaml:5", "bad.yaml:6", "server"] {
            assert!(
                said.contains(word),
                "{command:?}: {word} is missing in {said}"
            );
        }
    }
    let json = Command::new(env!("CARGO_BIN_EXE_livechain"))
        .args(["check", "--format", "json"])
        .arg(&file)
        .output()
        .unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert!(value.to_string().contains("\"line\":2"), "{value}");
}

#[test]
fn doctor_says_in_sentences_that_this_machine_will_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_livechain"))
        .arg("doctor")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(output.status.success(), "{said}");
    for word in ["kernel", "io_uring", "memlock", "nofile", "core"] {
        assert!(said.contains(word), "{word} is missing in {said}");
    }
}
