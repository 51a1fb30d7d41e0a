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

/// One of the two good ones is always there, and the other long enough to be found well again before the next is killed: else the lagging one may be
/// all that is left, and what it has is better than nothing.
fn churn(providers: &[Handle], until_done: &AtomicBool) -> u64 {
    let mut kills = 0;
    while !until_done.load(Ordering::SeqCst) {
        let provider = &providers[usize::try_from(kills % 2).unwrap()];
        provider.kill().unwrap();
        kills += 1;
        sleep(Duration::from_millis(400));
        provider.revive().unwrap();
        sleep(Duration::from_millis(1_000));
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

/// What nobody polls for is known from answers alone.
const HEADS_AT_REST: &str = "heads: { min_interval: 1h, max_interval: 1h, finality_interval: 1h }";

/// One upstream whose answer to `eth_blockNumber` stands still.
fn at_rest() -> (Handle, Proxy) {
    let only = provider_of(&standing_chain(1));
    let proxy = Setup::default()
        .server("explain: true")
        .chain(HEADS_AT_REST)
        .upstream("only", &only.url(), "")
        .start();
    knows_head(&proxy, HEAD);
    (only, proxy)
}

/// Far more than is held.
fn padding() -> String {
    "a".repeat(200_000)
}

fn streamed(proxy: &Proxy) -> f64 {
    proxy.metric("livechain_streamed_responses_total", &[])
}

#[test]
fn a_long_answer_raises_the_head_before_it_is_shown() {
    let next = HEAD + 1;
    let hash = format!("{:064x}", 1);
    let block = format!(r#"{{"number":"0x{next:x}","x":"{}"}}"#, padding());
    let entries = format!(
        r#"[{{"blockNumber":"0x{next:x}","x":"b"}},{{"blockNumber":"0x{HEAD:x}","x":"{}"}}]"#,
        padding()
    );
    let receipt = block.replace("number", "blockNumber");
    let traces = format!(r#"[{{"result":"{}"}}]"#, padding());
    for (method, params, result) in [
        (
            "eth_getBlockByNumber",
            format!(r#"["0x{next:x}",true]"#),
            &block,
        ),
        // It says nothing itself, but it was asked for that block.
        (
            "debug_traceBlockByNumber",
            format!(r#"["0x{next:x}"]"#),
            &traces,
        ),
        (
            "eth_getBlockByHash",
            format!(r#"["0x{hash}",true]"#),
            &block,
        ),
        (
            "eth_getBlockReceipts",
            format!(r#"["0x{next:x}"]"#),
            &entries,
        ),
        (
            "eth_getTransactionReceipt",
            format!(r#"["0x{hash}"]"#),
            &receipt,
        ),
        (
            "eth_getLogs",
            r#"[{"fromBlock":"0x1","toBlock":"latest"}]"#.to_owned(),
            &entries,
        ),
    ] {
        let (only, proxy) = at_rest();
        only.inject(Rule::always(Fault::RawResult(result.clone())).for_method(method));
        let mut client = proxy.connect();
        assert_eq!(block_number(&mut client), HEAD, "{method}");
        let before = streamed(&proxy);
        let long = client.post("/", &call(1, method, &params));
        assert_eq!(block_number(&mut client), next, "{method} went back");
        assert!(long.body.len() > 200_000, "{method}");
        assert_eq!(streamed(&proxy), before + 1.0, "{method} was not streamed");
    }
}

#[test]
fn a_long_answer_that_does_not_say_its_block_in_time_ends_what_was_kept() {
    let (only, proxy) = at_rest();
    let receipt = format!(
        r#"{{"x":"{}","blockNumber":"0x{:x}"}}"#,
        padding(),
        HEAD + 1
    );
    only.inject(Rule::always(Fault::RawResult(receipt)).for_method("eth_getTransactionReceipt"));
    let mut client = proxy.connect();
    let number = call(1, "eth_blockNumber", "[]");
    for round in 0..10 {
        client.post("/", &number);
        if cache_of(&client.post("/", &number)) != "hit" {
            continue;
        }
        let hash = format!(r#"["0x{round:064x}"]"#);
        client.post("/", &call(1, "eth_getTransactionReceipt", &hash));
        let after = client.post("/", &number);
        match cache_of(&after) {
            "miss_new_head" => return,
            // A slow machine: it would not have been given anyway.
            "miss_too_old" => (),
            other => panic!("{other}"),
        }
    }
    panic!("nothing was kept long enough to be ended");
}

#[test]
fn a_head_that_nobody_has_is_looked_for_once_and_on_the_calls_account() {
    let chain = standing_chain(1);
    let providers: Vec<_> = (0..2).map(|_| provider_of(&chain)).collect();
    let phantom = |number: u64| {
        for provider in &providers {
            provider.clear_all();
            let said = Fault::RawResult(format!("\"0x{number:x}\""));
            provider.inject(Rule::always(said).for_method("eth_blockNumber"));
        }
    };
    phantom(HEAD + 1);
    let setup = Setup::default()
        .server("explain: true")
        .chain(QUICK_HEADS)
        .upstream("a", &providers[0].url(), "")
        .upstream("b", &providers[1].url(), "");
    let proxy = setup.start();
    knows_head(&proxy, HEAD + 1);
    let all = |text: &str| providers.iter().map(|one| asked(one, text)).sum::<usize>();
    let by_number = |number: u64| all(&format!("\"0x{number:x}\""));
    let attempts = |response: &crate::harness::Response| {
        let header = response.header("x-livechain-attempts");
        header.unwrap().parse::<usize>().unwrap()
    };
    let latest = call(1, "eth_getBlockByNumber", r#"["latest",false]"#);
    let first = proxy.post(&latest);
    assert_eq!(number(&ok(&first)["number"]), HEAD, "better than nothing");
    let looks = by_number(HEAD + 1);
    assert!(looks >= 2, "{looks}: each was to be asked");
    assert_eq!(attempts(&first), looks + all("\"latest\""));
    // Neither the same question nor one in another spelling looks again.
    for params in [
        r#"["latest",false]"#,
        r#"["latest",true]"#,
        r#"[ "latest" , true]"#,
    ] {
        let again = proxy.post(&call(1, "eth_getBlockByNumber", params));
        assert_eq!(number(&ok(&again)["number"]), HEAD);
        assert_eq!(attempts(&again), 1, "nor is an older block kept");
    }
    assert_eq!(by_number(HEAD + 1), looks);
    // The next head is looked for.
    phantom(HEAD + 2);
    knows_head(&proxy, HEAD + 2);
    ok(&proxy.post(&latest));
    assert!(by_number(HEAD + 2) >= 2);
}
