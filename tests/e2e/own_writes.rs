//! Whoever writes reads what it wrote, and whoever was shown a block is not answered from before it: over both cores, from the cache
//! and in flight. The provider's chain stands still: nothing but the calls themselves moves it.

use crate::harness::{
    Client, HEAD, Proxy, QUICK_HEADS, Setup, asked, cache_of, call, in_flight, knows_head, ok,
    provider_of, send_all, standing_chain, until,
};
use perf::provider::{Fault, Handle, Latency, Rule};
use std::time::Duration;

const BALANCE: &str = "eth_getBalance";
const LATEST: &str = r#"["0x00000000000000000000000000000000000000aa","latest"]"#;

fn start() -> (Handle, Proxy) {
    let only = provider_of(&standing_chain(1));
    let proxy = Setup::default()
        .server("cores: 2")
        .server("explain: true")
        .chain(QUICK_HEADS)
        .upstream("only", &only.url(), "")
        .start();
    knows_head(&proxy, HEAD);
    (only, proxy)
}

/// Connections enough that both cores have some.
fn connect(proxy: &Proxy) -> Vec<Client> {
    (0..24).map(|_| proxy.connect()).collect()
}

/// What the cache did for each of the clients, one after the other, where it did not answer.
fn not_kept(clients: &mut [Client]) -> Vec<String> {
    let ask = |client: &mut Client| {
        let response = client.post("/", &call(1, BALANCE, LATEST));
        ok(&response);
        cache_of(&response).to_owned()
    };
    let cache = clients.iter_mut().map(ask);
    cache.filter(|cache| cache != "hit").collect()
}

/// Whatever was kept on both cores is not given after `event`. Half a second, after which it would not be given anyway, may pass on a
/// slow machine; not each time.
fn ends_what_was_kept(proxy: &Proxy, mut event: impl FnMut(&Proxy)) {
    let mut clients = connect(proxy);
    for _ in 0..5 {
        until("the cache to answer on both cores", || {
            not_kept(&mut clients).is_empty().then_some(())
        });
        event(proxy);
        let why = not_kept(&mut clients);
        assert!(why.len() >= 2, "on each core: {why:?}");
        if why.iter().filter(|why| *why == "miss_new_head").count() >= 2 {
            return;
        }
    }
    panic!("nothing was kept long enough to be ended");
}

#[test]
fn a_write_ends_what_hangs_on_the_newest_block() {
    let (_only, proxy) = start();
    let mut sent = 0;
    ends_what_was_kept(&proxy, |proxy| {
        sent += 1;
        let raw = format!(r#"["0x{:08x}"]"#, 0x8000_0000_u32 + sent);
        ok(&proxy.post(&call(1, "eth_sendRawTransaction", &raw)));
    });
}

#[test]
fn a_command_to_a_test_node_does_too_even_if_it_fails() {
    let (_only, proxy) = start();
    ends_what_was_kept(&proxy, |proxy| {
        proxy.post(&call(1, "evm_mine", "[]"));
    });
}

#[test]
fn a_receipt_that_was_shown_raises_the_head_for_everybody() {
    let (only, proxy) = start();
    let chain = only.chain();
    let mut height = HEAD;
    ends_what_was_kept(&proxy, |proxy| {
        height += 1;
        let receipt = format!(r#"{{"status":"0x1","blockNumber":"0x{height:x}"}}"#);
        only.clear_all();
        only.inject(
            Rule::always(Fault::RawResult(receipt)).for_method("eth_getTransactionReceipt"),
        );
        let hash = format!(r#"["0x{height:064x}"]"#);
        let receipt = ok(&proxy.post(&call(1, "eth_getTransactionReceipt", &hash)));
        assert_eq!(receipt["blockNumber"], format!("0x{height:x}"));
        for mut client in connect(proxy) {
            let told = ok(&client.post("/", &call(1, "eth_blockNumber", "[]")));
            assert_eq!(told, format!("0x{height:x}"), "the provider is one behind");
        }
        // The provider comes up to it, else its answers are those of one that is behind, and not kept.
        chain.advance(1);
    });
}

#[test]
fn what_was_asked_before_a_write_is_not_joined_after_it() {
    let (only, proxy) = start();
    only.set_method_latency(BALANCE, Latency::Fixed(Duration::from_secs(2)));
    let question = || [call(1, BALANCE, LATEST)];
    let mut before = send_all(&proxy, question());
    until("the question to be there", || {
        (asked(&only, BALANCE) == 1).then_some(())
    });
    ok(&proxy.post(&call(1, "eth_sendRawTransaction", r#"["0x80"]"#)));
    let mut after = send_all(&proxy, question());
    in_flight(&proxy, 2);
    for client in before.iter_mut().chain(&mut after) {
        ok(&client.response());
    }
    assert_eq!(asked(&only, BALANCE), 2);
}
