//! Chaos: providers that are well, but wrong: of another chain, or behind their own.

use crate::harness::{Pair, provider, until};
use perf::provider::{Fault, Rule};

const PROBES: &str = "probe: { interval: 1s, max_lag_blocks: 5 }";

#[test]
fn a_provider_of_another_chain_gets_no_traffic_until_it_is_put_right() {
    let pair = Pair::start_with(|setup| setup.chain(PROBES));
    let fired = pair.a.inject(Rule::always(Fault::WrongChain(5)));
    until("A's quarantine", || {
        (pair
            .proxy
            .metric("livechain_upstream_quarantined", &[("upstream", "a")])
            >= 1.0)
            .then_some(())
    });
    assert!(pair.a.hits(fired) >= 1);
    let before = pair.counts().0;
    for id in 1..=20 {
        pair.call(id);
    }
    assert_eq!(pair.counts(), (before, 20));
    pair.a.clear_all();
    let mut id = 20;
    until("A to serve again", || {
        id += 1;
        pair.call(id);
        (pair.counts().0 > before).then_some(())
    });
}

#[test]
fn a_provider_of_another_chain_from_the_start_never_gets_a_call() {
    let (wrong, right) = (provider(), provider());
    let fired = wrong.inject(Rule::always(Fault::WrongChain(5)));
    let proxy = crate::harness::Setup::default()
        .chain(PROBES)
        .upstream("wrong", &wrong.url(), "")
        .upstream("right", &right.url(), "")
        .start();
    until("the quarantine", || {
        (proxy.metric("livechain_upstream_quarantined", &[("upstream", "wrong")]) >= 1.0)
            .then_some(())
    });
    for id in 1..=10 {
        assert_eq!(proxy.post(&crate::harness::balance_call(id)).status, 200);
    }
    assert!(wrong.hits(fired) >= 1);
    assert_eq!(wrong.counters().method("eth_getBalance"), 0);
}

#[test]
fn a_provider_that_is_slow_to_say_its_chain_gets_no_call_before() {
    let (wrong, right) = (provider(), provider());
    let fired = wrong.inject(Rule::always(Fault::WrongChain(5)));
    wrong.set_method_latency(
        "eth_chainId",
        perf::provider::Latency::Fixed(std::time::Duration::from_millis(1500)),
    );
    let proxy = crate::harness::Setup::default()
        .upstream("wrong", &wrong.url(), "")
        .upstream("right", &right.url(), "")
        .start();
    for id in 1..=20 {
        assert_eq!(proxy.post(&crate::harness::balance_call(id)).status, 200);
    }
    until("the quarantine", || {
        (proxy.metric("livechain_upstream_quarantined", &[("upstream", "wrong")]) >= 1.0)
            .then_some(())
    });
    assert_eq!(proxy.post(&crate::harness::balance_call(21)).status, 200);
    assert!(wrong.hits(fired) >= 1);
    assert_eq!(wrong.counters().method("eth_getBalance"), 0);
}

#[test]
fn a_provider_whose_head_is_stale_is_left_out_until_it_catches_up() {
    let pair = Pair::start_with(|setup| setup.chain(PROBES));
    let fired = pair
        .a
        .inject(Rule::always(Fault::StaleHead { lag_blocks: 50 }));
    until("A's lag to be seen", || {
        (pair
            .proxy
            .metric("livechain_upstream_head_lag_blocks", &[("upstream", "a")])
            >= 40.0)
            .then_some(())
    });
    assert!(pair.a.hits(fired) >= 1);
    let before = pair.counts().0;
    for id in 1..=20 {
        pair.call(id);
    }
    assert_eq!(pair.counts(), (before, 20));
    assert!(
        pair.proxy
            .metric("livechain_candidates_excluded_total", &[("upstream", "a")])
            >= 20.0
    );
    pair.a.clear_all();
    let mut id = 20;
    until("A to serve again", || {
        id += 1;
        pair.call(id);
        (pair.counts().0 > before).then_some(())
    });
}
