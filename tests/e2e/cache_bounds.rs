//! What the cache may cost: its budget of bytes holds, and what is long is not kept. Memory is looked at from outside, too.

use crate::harness::{
    HEAD, Proxy, QUICK_HEADS, Setup, cache_of, call, knows_head, ok, provider_of, standing_chain,
};
use perf::provider::{Fault, Handle, Rule};

const MIB: f64 = 1_048_576.0;

fn start(server: &str, after: &str) -> (Handle, Proxy) {
    let only = provider_of(&standing_chain(1));
    let setup = Setup::default()
        .server("explain: true")
        .server(server)
        .chain(QUICK_HEADS)
        .after(after);
    let proxy = setup.upstream("only", &only.url(), "").start();
    knows_head(&proxy, HEAD);
    (only, proxy)
}

fn code(account: u32) -> String {
    call(1, "eth_getCode", &format!(r#"["0x{account:040x}","0x10"]"#))
}

fn answer_of(provider: &Handle, bytes: usize) {
    provider.clear_all();
    provider.inject(Rule::always(Fault::LargeResult { bytes }).for_method("eth_getCode"));
}

/// Fills a cache of 1 MiB thirty times over, and looks at what it holds all the while.
fn stays_within_its_budget(server: &str) {
    let (only, proxy) = start(server, "cache: { max_bytes: 1MiB }\n");
    answer_of(&only, 30_000);
    assert_eq!(proxy.metric("livechain_cache_max_bytes", &[]), MIB);
    let mut client = proxy.connect();
    for account in 0..100 {
        ok(&client.post("/", &code(account)));
    }
    let resident = proxy.resident_bytes();
    for account in 100..1000 {
        ok(&client.post("/", &code(account)));
        if account % 100 == 0 {
            let held = proxy.metric("livechain_cache_bytes", &[]);
            assert!(held <= MIB, "{held} bytes of 1 MiB");
        }
    }
    let held = proxy.metric("livechain_cache_bytes", &[]);
    assert!(held >= MIB / 4.0, "hardly anything is kept: {held} bytes");
    assert!(proxy.metric("livechain_cache_evictions_total", &[]) >= 800.0);
    let grown = proxy.resident_bytes().saturating_sub(resident);
    assert!(grown < 16 << 20, "{grown} bytes for a cache of 1 MiB");
    // What was asked for last is there.
    assert_eq!(only.counters().method("eth_getCode"), 1000);
    assert_eq!(cache_of(&client.post("/", &code(999))), "hit");
}

#[test]
fn the_budget_holds() {
    stays_within_its_budget("cores: 1");
}

#[test]
fn the_budget_is_the_processes_however_many_cores_serve() {
    stays_within_its_budget("cores: 2");
}

#[test]
fn what_is_longer_than_may_be_held_is_streamed_and_not_kept() {
    let (only, proxy) = start("cores: 1", "");
    answer_of(&only, 60_000);
    ok(&proxy.post(&code(1)));
    assert_eq!(cache_of(&proxy.post(&code(1))), "hit");
    answer_of(&only, 200_000);
    for count in 1..4 {
        let response = proxy.post(&code(2));
        assert_eq!(ok(&response).as_str().unwrap().len() + 2, 200_000);
        assert_eq!(cache_of(&response), "miss_absent");
        assert_eq!(only.counters().method("eth_getCode"), 1 + count);
    }
    assert_eq!(proxy.metric("livechain_streamed_responses_total", &[]), 3.0);
    assert_eq!(proxy.metric("livechain_cache_entries", &[]), 1.0);
}

#[test]
fn one_answer_takes_an_eighth_of_the_budget_at_most() {
    let (only, proxy) = start(
        "limits: { hold_bytes: 1MiB }",
        "cache: { max_bytes: 1MiB }\n",
    );
    answer_of(&only, 140_000);
    for _ in 0..2 {
        assert_eq!(cache_of(&proxy.post(&code(1))), "miss_absent");
    }
    answer_of(&only, 120_000);
    assert_eq!(cache_of(&proxy.post(&code(2))), "miss_absent");
    assert_eq!(cache_of(&proxy.post(&code(2))), "hit");
    assert_eq!(only.counters().method("eth_getCode"), 3);
}
