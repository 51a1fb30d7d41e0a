//! Heads as clients see them: who is asked for them and how often, who is left out where the height is needed, and that no
//! provider can make the chain go anywhere by saying so.

use crate::harness::{
    HEAD, Proxy, QUICK_HEADS, Setup, asked, call, knows_head, ok, provider_of, standing_chain,
    until,
};
use perf::provider::{Chain, Fault, Handle, Rule};
use std::thread::sleep;
use std::time::Duration;

/// Nobody believes this.
const NONSENSE: &str = r#""0x1000000000000000""#;

/// Cache and flights off: what is counted is the heads' doing.
fn start(heads: &str, providers: &[&Handle]) -> Proxy {
    let setup = Setup::default().chain(heads).forwarding_all();
    let named = ["a", "b", "c"].iter().zip(providers);
    named
        .fold(setup, |setup, (name, provider)| {
            setup.upstream(name, &provider.url(), "")
        })
        .start()
}

fn providers(count: usize) -> (Chain, Vec<Handle>) {
    let chain = standing_chain(1);
    let providers = (0..count).map(|_| provider_of(&chain)).collect();
    (chain, providers)
}

fn number_of(proxy: &Proxy) -> u64 {
    let response = proxy.post(&call(1, "eth_blockNumber", "[]"));
    let result = ok(&response);
    let digits = result.as_str().and_then(|text| text.strip_prefix("0x"));
    u64::from_str_radix(digits.expect("a quantity"), 16).expect("a number")
}

fn polls(proxy: &Proxy, labels: &[(&str, &str)]) -> f64 {
    proxy.metric("livechain_head_polls_total", labels)
}

fn lag_is_seen(proxy: &Proxy, upstream: &str, blocks: u64) {
    until("the lag to be seen", || {
        let labels = [("upstream", upstream)];
        let lag = proxy.metric("livechain_upstream_head_lag_blocks", &labels);
        (lag == blocks as f64).then_some(())
    });
}

#[test]
fn what_heads_cost_is_counted_as_the_providers_count_it() {
    let (_, providers) = providers(2);
    let proxy = start(
        "heads: { min_interval: 100ms, max_interval: 300ms, finality_interval: 300ms }",
        &[&providers[0], &providers[1]],
    );
    knows_head(&proxy, HEAD);
    providers[1].inject(Rule::next(3, Fault::Html).for_method("eth_blockNumber"));
    until("a question that fails", || {
        (polls(&proxy, &[("outcome", "failed")]) >= 1.0).then_some(())
    });
    for (name, provider) in ["a", "b"].iter().zip(&providers) {
        until("some more questions", || {
            (asked(provider, "eth_blockNumber") >= 10).then_some(())
        });
        let of = |kind| polls(&proxy, &[("upstream", *name), ("kind", kind)]);
        until("both to count the same", || {
            let newest = asked(provider, "eth_blockNumber") as f64;
            let safe = asked(provider, "\"safe\"") as f64;
            let finalized = asked(provider, "\"finalized\"") as f64;
            ((of("newest"), of("safe"), of("finalized")) == (newest, safe, finalized)).then_some(())
        });
        assert!(of("safe") >= 1.0 && of("finalized") >= 1.0);
    }
}

#[test]
fn one_shard_asks_for_all() {
    let (_, providers) = providers(1);
    let heads = "heads: { min_interval: 500ms, max_interval: 500ms, finality_interval: 1h }";
    let proxy = Setup::default()
        .server("cores: 2")
        .chain(heads)
        .upstream("a", &providers[0].url(), "")
        .start();
    knows_head(&proxy, HEAD);
    let before = asked(&providers[0], "eth_blockNumber");
    sleep(Duration::from_secs(3));
    let questions = asked(&providers[0], "eth_blockNumber") - before;
    // Six, or one more or less; twice that would be both of them.
    assert!((1..=8).contains(&questions), "{questions} questions in 3 s");
}

#[test]
fn where_heads_are_off_nobody_is_asked_and_answers_are_the_upstreams_own() {
    let (chain, providers) = providers(1);
    let proxy = start("heads: { enabled: false }", &[&providers[0]]);
    sleep(Duration::from_millis(1500));
    let counters = providers[0].counters();
    assert_eq!(counters.method("eth_blockNumber"), 0);
    assert_eq!(counters.method("eth_getBlockByNumber"), 0);
    assert!(
        counters.method("eth_chainId") >= 1,
        "the chain is checked all the same"
    );
    assert_eq!(polls(&proxy, &[]), 0.0);
    assert_eq!(number_of(&proxy), HEAD);
    chain.advance(-5);
    assert_eq!(number_of(&proxy), HEAD - 5);
}

#[test]
fn who_lacks_a_block_is_not_asked_for_it() {
    let (_, providers) = providers(2);
    providers[0].inject(Rule::always(Fault::StaleHead { lag_blocks: 10 }));
    let proxy = start(QUICK_HEADS, &[&providers[0], &providers[1]]);
    knows_head(&proxy, HEAD);
    lag_is_seen(&proxy, "a", 10);
    let ask = |number: u64| {
        let params = format!(r#"["0x{number:x}",false]"#);
        let block = ok(&proxy.post(&call(1, "eth_getBlockByNumber", &params)));
        assert_eq!(block["number"], format!("0x{number:x}"));
        let needle = format!("0x{number:x}");
        (asked(&providers[0], &needle), asked(&providers[1], &needle))
    };
    for back in 0..10 {
        assert_eq!(ask(HEAD - back), (0, 1), "block {back} below the head");
    }
    for back in 10..15 {
        assert_eq!(ask(HEAD - back), (1, 0), "block {back} below the head");
    }
    let latest = ok(&proxy.post(&call(1, "eth_getBlockByNumber", r#"["latest",false]"#)));
    assert_eq!(latest["number"], format!("0x{HEAD:x}"));
    assert_eq!(asked(&providers[0], "latest"), 0);
}

#[test]
fn a_failover_to_one_that_lags_does_not_take_the_number_back() {
    let (chain, providers) = providers(2);
    providers[1].inject(Rule::always(Fault::StaleHead { lag_blocks: 3 }));
    let proxy = start(QUICK_HEADS, &[&providers[0], &providers[1]]);
    knows_head(&proxy, HEAD);
    lag_is_seen(&proxy, "b", 3);
    assert_eq!(number_of(&proxy), HEAD);
    providers[0].kill().unwrap();
    for _ in 0..20 {
        assert_eq!(number_of(&proxy), HEAD);
    }
    assert!(asked(&providers[1], "eth_blockNumber") >= 1);
    // The one that lags comes past it, and then it counts.
    chain.advance(5);
    until("the number to move", || {
        let number = number_of(&proxy);
        assert!(number >= HEAD, "{number}");
        (number == HEAD + 2).then_some(())
    });
    providers[0].revive().unwrap();
    until("the number to be the best again", || {
        (number_of(&proxy) == HEAD + 5).then_some(())
    });
}

/// A chain that mines when it is written to is ahead of all questions beside the traffic.
#[test]
fn what_two_providers_answer_is_told_before_anybody_is_polled_again() {
    let (chain, providers) = providers(3);
    let setup = Setup::default()
        .chain("heads: { min_interval: 1h, max_interval: 1h }")
        .chain("strategy: round_robin")
        .forwarding_all();
    let named = ["a", "b", "c"].iter().zip(&providers);
    let proxy = named
        .fold(setup, |setup, (name, provider)| {
            setup.upstream(name, &provider.url(), "")
        })
        .start();
    knows_head(&proxy, HEAD);
    chain.advance(60);
    assert_eq!(number_of(&proxy), HEAD, "nobody seconds the first");
    for _ in 0..3 {
        assert_eq!(number_of(&proxy), HEAD + 60);
    }
}

/// What clients see while the first upstream says nonsense, now and then or always.
fn stays_sane(count: usize, lies: Rule) {
    let (chain, providers) = providers(count);
    let all: Vec<_> = providers.iter().collect();
    let proxy = start(QUICK_HEADS, &all);
    knows_head(&proxy, HEAD);
    assert_eq!(number_of(&proxy), HEAD);
    let lying = providers[0].inject(lies.for_method("eth_blockNumber"));
    until("the lie to be told to a poll", || {
        (providers[0].hits(lying) >= 1).then_some(())
    });
    for _ in 0..20 {
        assert_eq!(number_of(&proxy), HEAD);
        sleep(Duration::from_millis(50));
    }
    chain.advance(1);
    until("the next block", || {
        let number = number_of(&proxy);
        assert!(number <= HEAD + 1, "{number}");
        (number == HEAD + 1).then_some(())
    });
    providers[0].clear_all();
    chain.advance(1);
    until("the block after that", || {
        (number_of(&proxy) == HEAD + 2).then_some(())
    });
}

fn lie() -> Fault {
    Fault::RawResult(NONSENSE.to_owned())
}

#[test]
fn one_of_three_that_lies_is_not_believed() {
    stays_sane(3, Rule::always(lie()));
}

#[test]
fn a_slip_is_not_believed_of_one_of_two() {
    stays_sane(2, Rule::next(2, lie()));
}

#[test]
fn one_of_two_that_lies_now_and_then_is_not_believed() {
    stays_sane(2, Rule::with_probability(0.3, lie()));
}

#[test]
fn one_of_two_that_always_lies_is_not_believed() {
    stays_sane(2, Rule::always(lie()));
}

#[test]
fn a_lie_from_the_start_is_outvoted() {
    let (_, providers) = providers(3);
    providers[0].inject(Rule::always(lie()).for_method("eth_blockNumber"));
    let all: Vec<_> = providers.iter().collect();
    let proxy = start(QUICK_HEADS, &all);
    // What was said before anybody else was heard may have been the lie; it does not last.
    until("the truth", || (number_of(&proxy) == HEAD).then_some(()));
    for _ in 0..20 {
        assert_eq!(number_of(&proxy), HEAD);
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn numbers_that_are_none_do_no_harm() {
    for nonsense in [
        "\"0xffffffffffffffffffffffffffffffffffffffff\"",
        "\"0x\"",
        "\"latest\"",
        "\"-0x1\"",
        "{}",
        "[]",
        "null",
        "-1",
        "1e999",
        "\"0x0\"",
    ] {
        let (chain, providers) = providers(2);
        let proxy = start(QUICK_HEADS, &[&providers[0], &providers[1]]);
        knows_head(&proxy, HEAD);
        let rule = Rule::always(Fault::RawResult(nonsense.to_owned()));
        let lying = providers[0].inject(rule.for_method("eth_blockNumber"));
        until("it to be told", || {
            (providers[0].hits(lying) >= 2).then_some(())
        });
        assert_eq!(number_of(&proxy), HEAD);
        chain.advance(1);
        until("the next block", || {
            let number = number_of(&proxy);
            assert!(number >= HEAD, "{number}");
            (number == HEAD + 1).then_some(())
        });
    }
}
