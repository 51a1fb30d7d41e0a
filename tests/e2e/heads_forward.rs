//! What clients see goes forward only: several of them, on two cores, while upstreams lag, die and return. A client that asks
//! after another one was answered is never told less.

use crate::harness::{
    Client, HEAD, Proxy, QUICK_HEADS, Setup, asked, cache_of, call, knows_head, ok, provider_of,
    standing_chain, until,
};
use perf::provider::{Chain, Fault, Handle, Rule};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SECONDS: u64 = 8;

fn number(value: &Value) -> u64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    u64::from_str_radix(digits.expect("a quantity"), 16).expect("a number")
}

/// Three upstreams of a chain of five blocks a second; the last is three blocks behind, for good.
fn stage(change: impl FnOnce(Setup) -> Setup) -> (Vec<Handle>, Proxy) {
    let chain = Chain::new(1, HEAD, Duration::from_millis(200));
    let providers: Vec<_> = (0..3).map(|_| provider_of(&chain)).collect();
    providers[2].inject(Rule::always(Fault::StaleHead { lag_blocks: 3 }));
    let setup = Setup::default()
        .server("cores: 2")
        .chain(QUICK_HEADS)
        .chain("strategy: round_robin");
    let named = ["a", "b", "c"].iter().zip(&providers);
    let breaker = "breaker: { failures: 3, window: 5s, open_for: 300ms, probes: 1 }";
    let setup = named.fold(setup, |setup, (name, provider)| {
        setup.upstream(name, &provider.url(), breaker)
    });
    let proxy = change(setup).start();
    knows_head(&proxy, HEAD);
    (providers, proxy)
}

/// One of the two good ones is always there.
fn churn(providers: &[Handle], until_done: &AtomicBool) -> u64 {
    let mut kills = 0;
    while !until_done.load(Ordering::SeqCst) {
        let provider = &providers[usize::try_from(kills % 2).unwrap()];
        provider.kill().unwrap();
        kills += 1;
        sleep(Duration::from_millis(400));
        provider.revive().unwrap();
        sleep(Duration::from_millis(400));
    }
    kills
}

/// Asks again and again; whatever any client was told before this one asked is the least that it may be told.
fn only_forward(proxy: &Proxy, told: &AtomicU64, ask: impl Fn(&mut Client) -> u64) -> u64 {
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let mut calls = 0;
    while Instant::now() < end {
        // Connections of their own now and then, so that both cores have some.
        let mut client = proxy.connect();
        for _ in 0..20 {
            let before = told.load(Ordering::SeqCst);
            let now = ask(&mut client);
            assert!(
                now >= before,
                "{now} after somebody was told {before}, call {calls}"
            );
            told.fetch_max(now, Ordering::SeqCst);
            calls += 1;
        }
    }
    calls
}

fn block_number(client: &mut Client) -> u64 {
    number(&ok(&client.post("/", &call(1, "eth_blockNumber", "[]"))))
}

fn latest_block(client: &mut Client) -> u64 {
    let response = client.post("/", &call(1, "eth_getBlockByNumber", r#"["latest",false]"#));
    number(&ok(&response)["number"])
}

/// What a client asks, and how it reads the number that it is told.
type Ask = fn(&mut Client) -> u64;

/// Under load and churn.
fn goes_forward(change: impl FnOnce(Setup) -> Setup, asks: &[(&'static AtomicU64, Ask)]) {
    let (providers, proxy) = &stage(change);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let churning = scope.spawn(|| churn(providers, &done));
        let asking: Vec<_> = asks
            .iter()
            .map(|(told, ask)| scope.spawn(move || only_forward(proxy, told, *ask)))
            .collect();
        let ended: Vec<_> = asking.into_iter().map(|one| one.join()).collect();
        done.store(true, Ordering::SeqCst);
        let kills = churning.join().unwrap();
        assert!(kills >= 4, "{kills} kills: nothing was shown");
        for end in ended {
            let calls = end.expect("a client saw the chain go back");
            assert!(calls >= 20, "{calls} calls: nothing was shown");
        }
    });
    for provider in providers {
        assert!(provider.counters().method("eth_blockNumber") >= 2);
    }
    let moved = proxy.metric("livechain_chain_head_block", &[("kind", "newest")]);
    assert!(moved >= (HEAD + SECONDS * 4) as f64, "the head stood still");
}

#[test]
fn the_number_goes_forward_only() {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    goes_forward(|setup| setup, &[(&TOLD, block_number as Ask); 4]);
}

#[test]
fn the_number_goes_forward_only_without_cache_and_flights() {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    goes_forward(Setup::forwarding_all, &[(&TOLD, block_number as Ask); 4]);
}

#[test]
fn the_newest_block_goes_forward_only() {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    goes_forward(|setup| setup, &[(&TOLD, latest_block as Ask); 4]);
}

#[test]
fn the_newest_block_goes_forward_only_without_cache_and_flights() {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    goes_forward(Setup::forwarding_all, &[(&TOLD, latest_block as Ask); 4]);
}

#[test]
fn number_and_block_go_forward_together() {
    static TOLD: AtomicU64 = AtomicU64::new(0);
    goes_forward(
        |setup| setup,
        &[
            (&TOLD, block_number),
            (&TOLD, latest_block),
            (&TOLD, block_number),
            (&TOLD, latest_block),
        ],
    );
}

/// Connections to both shards, by which shard serves them: the access log says.
fn one_connection_to_each(proxy: &Proxy) -> [Client; 2] {
    let mut of: [Option<Client>; 2] = [None, None];
    for number in 0..64 {
        let mut client = proxy.connect();
        let id = format!("which-shard-{number}");
        let body = call(1, "eth_chainId", "[]");
        let head = format!(
            "POST / HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\nx-request-id: {id}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        client.send(head.as_bytes()).unwrap();
        ok(&client.response());
        let shard = until("the log line", || {
            let output = proxy.output();
            let line = output.lines().find(|line| line.contains(&id))?;
            let event: Value = serde_json::from_str(line).ok()?;
            let shard = event
                .get("shard")
                .or_else(|| event.pointer("/attributes/shard"));
            shard.and_then(Value::as_u64)
        });
        of[usize::try_from(shard).unwrap()] = Some(client);
        if let [Some(_), Some(_)] = &of {
            return of.map(Option::unwrap);
        }
    }
    panic!("64 connections, and all on one shard");
}

/// Two cores and one upstream of a chain that stands still.
fn two_shards() -> (Chain, Handle, Proxy, [Client; 2]) {
    let chain = standing_chain(1);
    let only = provider_of(&chain);
    let proxy = Setup::default()
        .server("cores: 2")
        .server("explain: true")
        .server("access_log: { path: stdout, sample: 1.0 }")
        .chain(QUICK_HEADS)
        .upstream("only", &only.url(), "")
        .start();
    knows_head(&proxy, HEAD);
    let shards = one_connection_to_each(&proxy);
    (chain, only, proxy, shards)
}

#[test]
fn a_new_head_counts_on_both_cores_at_once() {
    let (chain, _only, proxy, mut shards) = two_shards();
    let latest = call(1, "eth_getBlockByNumber", r#"["latest",false]"#);
    for _ in 0..10 {
        for shard in &mut shards {
            ok(&shard.post("/", &latest));
        }
        chain.advance(1);
        knows_head(&proxy, chain.head());
        for shard in &mut shards {
            let block = ok(&shard.post("/", &latest));
            assert_eq!(block["number"], format!("0x{:x}", chain.head()));
        }
    }
}

#[test]
fn the_newest_block_that_one_core_fetched_is_not_asked_for_by_the_other() {
    const ROUNDS: usize = 20;
    let (chain, only, proxy, mut shards) = two_shards();
    let latest = call(1, "eth_getBlockByNumber", r#"["latest",false]"#);
    let mut offered = 0;
    for round in 0..ROUNDS {
        chain.advance(1);
        knows_head(&proxy, chain.head());
        let [first, second] = &mut shards;
        let (first, second) = if round % 2 == 0 {
            (first, second)
        } else {
            (second, first)
        };
        let fetched = first.post("/", &latest);
        assert_ne!(cache_of(&fetched), "hit", "nobody can have it yet");
        sleep(Duration::from_millis(50));
        let other = second.post("/", &latest);
        assert_eq!(ok(&other), ok(&fetched));
        offered += usize::from(cache_of(&other) == "hit");
    }
    // A machine with other things to do may be late now and then.
    assert!(offered * 4 >= ROUNDS * 3, "{offered} of {ROUNDS}");
    assert_eq!(asked(&only, "\"latest\""), 2 * ROUNDS - offered);
}

#[test]
fn what_is_not_about_the_newest_block_is_each_cores_own() {
    let (_chain, only, _proxy, mut shards) = two_shards();
    let balance = call(1, "eth_getBalance", r#"["0xaa","0x10"]"#);
    for shard in &mut shards {
        ok(&shard.post("/", &balance));
        assert_eq!(cache_of(&shard.post("/", &balance)), "hit");
    }
    assert_eq!(asked(&only, "eth_getBalance"), 2);
}
