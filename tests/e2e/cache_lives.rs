//! How long answers are kept: for good where the block is final, until the next head or half a second where it is not, as long as the
//! operator says; and what is never kept.

use crate::harness::{
    HEAD, Proxy, QUICK_HEADS, Response, Setup, cache_of, call, error_of, knows_head, ok,
    provider_of, standing_chain, until,
};
use perf::provider::{Chain, Fault, Handle, Latency, Rule};
use std::thread::sleep;
use std::time::Duration;

/// Longer than anything that hangs on the head is kept.
const PAST_HEAD_BOUND: Duration = Duration::from_millis(600);

const ACCOUNT: &str = "0x00000000000000000000000000000000000000aa";

/// One upstream of a chain that moves when told to.
struct Stage {
    chain: Chain,
    only: Handle,
    proxy: Proxy,
}

impl Stage {
    fn start_with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let chain = standing_chain(1);
        let only = provider_of(&chain);
        let setup = Setup::default()
            .server("explain: true")
            .chain(QUICK_HEADS)
            .upstream("only", &only.url(), "");
        let proxy = change(setup).start();
        knows_head(&proxy, HEAD);
        Self { chain, only, proxy }
    }

    fn start() -> Self {
        Self::start_with(|setup| setup)
    }

    fn ask(&self, method: &str, params: &str) -> Response {
        self.proxy.post(&call(1, method, params))
    }

    fn count(&self, method: &str) -> u64 {
        self.only.counters().method(method)
    }

    /// Asks until the cache answers: a slow machine may take half a second between two calls.
    fn warm(&self, method: &str, params: &str) {
        until("a hit", || {
            (cache_of(&self.ask(method, params)) == "hit").then_some(())
        });
    }

    /// The chain goes on, and the proxy knows.
    fn advance(&self, blocks: i64) -> u64 {
        self.chain.advance(blocks);
        knows_head(&self.proxy, self.chain.head());
        self.chain.head()
    }

    fn stored(&self, lifetime: &str) -> f64 {
        self.proxy
            .metric("livechain_cache_stored_total", &[("lifetime", lifetime)])
    }
}

#[test]
fn what_is_final_is_kept_for_good() {
    let stage = Stage::start();
    let final_block = format!(r#"["0x{:x}",false]"#, HEAD - 64);
    let block = ok(&stage.ask("eth_getBlockByNumber", &final_block));
    assert_eq!(block["number"], format!("0x{:x}", HEAD - 64));
    ok(&stage.ask("eth_getBalance", &format!(r#"["{ACCOUNT}","0x10"]"#)));
    ok(&stage.ask("eth_getLogs", r#"[{"fromBlock":"0x1","toBlock":"0x10"}]"#));
    ok(&stage.ask("eth_call", &format!(r#"[{{"to":"{ACCOUNT}"}},"earliest"]"#)));
    assert_eq!(stage.stored("final"), 4.0);
    let polls = stage.count("eth_getBlockByNumber");
    stage.advance(3);
    sleep(PAST_HEAD_BOUND);
    assert!(
        stage.count("eth_getBlockByNumber") > polls,
        "finality is asked for beside this"
    );
    let again = stage.ask("eth_getBlockByNumber", &final_block);
    assert_eq!((cache_of(&again), ok(&again)), ("hit", block));
    for (method, params) in [
        ("eth_getBalance", format!(r#"["{ACCOUNT}","0x10"]"#)),
        (
            "eth_getLogs",
            r#"[{"fromBlock":"0x1","toBlock":"0x10"}]"#.to_owned(),
        ),
        ("eth_call", format!(r#"[{{"to":"{ACCOUNT}"}},"earliest"]"#)),
    ] {
        assert_eq!(cache_of(&stage.ask(method, &params)), "hit", "{method}");
        assert_eq!(stage.count(method), 1, "{method}");
    }
}

#[test]
fn a_block_above_the_finalized_one_hangs_on_the_head_until_it_is_final() {
    let stage = Stage::start();
    let number = HEAD - 63;
    let params = format!(r#"["0x{number:x}",false]"#);
    stage.warm("eth_getBlockByNumber", &params);
    assert_eq!(stage.stored("final"), 0.0);
    sleep(PAST_HEAD_BOUND);
    let late = stage.ask("eth_getBlockByNumber", &params);
    assert_eq!(cache_of(&late), "miss_too_old");
    stage.advance(1);
    until("the block to be final", || {
        let finalized = [("kind", "finalized")];
        let known = stage.proxy.metric("livechain_chain_head_block", &finalized);
        (known >= number as f64).then_some(())
    });
    ok(&stage.ask("eth_getBlockByNumber", &params));
    assert_eq!(stage.stored("final"), 1.0);
    sleep(PAST_HEAD_BOUND);
    assert_eq!(cache_of(&stage.ask("eth_getBlockByNumber", &params)), "hit");
}

#[test]
fn nothing_is_final_where_heads_are_not_followed() {
    let chain = standing_chain(1);
    let only = provider_of(&chain);
    let proxy = Setup::default()
        .server("explain: true")
        .chain("heads: { enabled: false }")
        .upstream("only", &only.url(), "")
        .start();
    let old = call(1, "eth_getBalance", &format!(r#"["{ACCOUNT}","0x10"]"#));
    until("a hit", || {
        (cache_of(&proxy.post(&old)) == "hit").then_some(())
    });
    let final_ones = [("lifetime", "final")];
    assert_eq!(
        proxy.metric("livechain_cache_stored_total", &final_ones),
        0.0
    );
    sleep(PAST_HEAD_BOUND);
    assert_eq!(cache_of(&proxy.post(&old)), "miss_too_old");
}

#[test]
fn a_new_head_ends_what_hung_on_the_old_one() {
    let stage = Stage::start();
    let latest = r#"["latest",false]"#;
    let account = format!(r#"["{ACCOUNT}","latest"]"#);
    for _ in 0..5 {
        stage.warm("eth_getBlockByNumber", latest);
        stage.warm("eth_getBalance", &account);
        let head = stage.advance(1);
        let block = stage.ask("eth_getBlockByNumber", latest);
        assert_eq!(cache_of(&block), "miss_new_head");
        assert_eq!(ok(&block)["number"], format!("0x{head:x}"));
        assert_eq!(
            cache_of(&stage.ask("eth_getBalance", &account)),
            "miss_new_head"
        );
    }
}

#[test]
fn without_a_new_head_half_a_second_is_the_end() {
    let stage = Stage::start();
    for (method, params) in [
        ("eth_blockNumber", "[]".to_owned()),
        ("eth_gasPrice", "[]".to_owned()),
        ("eth_getBalance", format!(r#"["{ACCOUNT}","latest"]"#)),
        ("eth_getBalance", format!(r#"["{ACCOUNT}"]"#)),
        ("eth_getLogs", r#"[{"fromBlock":"latest"}]"#.to_owned()),
        ("eth_call", format!(r#"[{{"to":"{ACCOUNT}"}},"safe"]"#)),
    ] {
        stage.warm(method, &params);
        sleep(PAST_HEAD_BOUND);
        assert_eq!(
            cache_of(&stage.ask(method, &params)),
            "miss_too_old",
            "{method}"
        );
    }
}

#[test]
fn an_answer_that_was_asked_for_before_the_new_head_is_not_kept() {
    let stage = Stage::start();
    stage
        .only
        .set_method_latency("eth_getBalance", Latency::Fixed(Duration::from_millis(800)));
    let account = format!(r#"["{ACCOUNT}","latest"]"#);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| stage.ask("eth_getBalance", &account));
        until("the call to be out", || {
            (stage.proxy.metric("livechain_attempts_in_flight", &[]) >= 1.0).then_some(())
        });
        stage.advance(1);
        ok(&slow.join().unwrap());
    });
    // It may be of the block before: whoever asks now asks anew.
    let stored = stage.stored("head");
    assert_eq!(stored, 0.0);
    assert_ne!(cache_of(&stage.ask("eth_getBalance", &account)), "hit");
}

#[test]
fn null_is_nobodys_truth() {
    let stage = Stage::start();
    let hash = format!(r#"["0x{:064x}"]"#, 7);
    for method in ["eth_getTransactionReceipt", "eth_getTransactionByHash"] {
        let rule = Rule::always(Fault::RawResult("null".to_owned())).for_method(method);
        let fired = stage.only.inject(rule);
        for _ in 0..3 {
            let response = stage.ask(method, &hash);
            assert_eq!(cache_of(&response), "miss_absent");
            assert!(ok(&response).is_null());
        }
        assert!(stage.only.hits(fired) >= 3);
        stage.only.clear(fired);
        assert!(ok(&stage.ask(method, &hash)).is_object(), "{method}");
    }
    // The block that is not there yet, and is a moment later.
    let next = format!(r#"["0x{:x}",false]"#, HEAD + 1);
    for _ in 0..3 {
        let response = stage.ask("eth_getBlockByNumber", &next);
        assert_eq!(cache_of(&response), "miss_absent");
        assert!(ok(&response).is_null());
    }
    stage.advance(1);
    assert!(ok(&stage.ask("eth_getBlockByNumber", &next)).is_object());
}

#[test]
fn a_transaction_that_waits_for_its_block_is_asked_for_again() {
    let stage = Stage::start();
    let waiting = r#"{"hash":"0x07","blockHash":null,"blockNumber":null,"nonce":"0x1"}"#;
    let rule = Rule::always(Fault::RawResult(waiting.to_owned()));
    stage
        .only
        .inject(rule.for_method("eth_getTransactionByHash"));
    let hash = format!(r#"["0x{:064x}"]"#, 7);
    for count in 1..4 {
        ok(&stage.ask("eth_getTransactionByHash", &hash));
        assert_eq!(stage.count("eth_getTransactionByHash"), count);
    }
}

#[test]
fn errors_are_never_kept() {
    let stage = Stage::start();
    for (code, message) in [
        (3, "execution reverted"),
        (-32000, "insufficient funds for transfer"),
        (-32602, "invalid argument 0"),
    ] {
        let rule = Rule::always(Fault::rpc_error(code, message)).for_method("eth_call");
        let fired = stage.only.inject(rule);
        let params = format!(r#"[{{"to":"{ACCOUNT}","data":"0x{:08x}"}},"0x10"]"#, -code);
        for _ in 0..2 {
            let response = stage.ask("eth_call", &params);
            assert_eq!(cache_of(&response), "miss_absent");
            assert_eq!(error_of(&response.json()), (code, message));
        }
        assert!(stage.only.hits(fired) >= 2);
        stage.only.clear(fired);
        ok(&stage.ask("eth_call", &params));
        assert_eq!(cache_of(&stage.ask("eth_call", &params)), "hit");
    }
}

#[test]
fn the_pending_block_is_always_asked_for() {
    let stage = Stage::start();
    for (method, params) in [
        ("eth_getBalance", format!(r#"["{ACCOUNT}","pending"]"#)),
        (
            "eth_getTransactionCount",
            format!(r#"["{ACCOUNT}","pending"]"#),
        ),
        ("eth_call", format!(r#"[{{"to":"{ACCOUNT}"}},"pending"]"#)),
        (
            "eth_estimateGas",
            format!(r#"[{{"to":"{ACCOUNT}"}},"pending"]"#),
        ),
        (
            "eth_getLogs",
            r#"[{"fromBlock":"0x1","toBlock":"pending"}]"#.to_owned(),
        ),
    ] {
        let before = stage.count(method);
        for _ in 0..3 {
            assert_eq!(
                cache_of(&stage.ask(method, &params)),
                "bypass_block",
                "{method}"
            );
        }
        assert_eq!(stage.count(method) - before, 3, "{method}");
    }
}

#[test]
fn emptiness_at_a_final_block_is_not_kept_for_good() {
    let stage = Stage::start();
    for (method, params, empty) in [
        (
            "eth_getLogs",
            r#"[{"fromBlock":"0x1","toBlock":"0x2"}]"#,
            "[]",
        ),
        (
            "eth_getCode",
            r#"["0x00000000000000000000000000000000000000aa","0x10"]"#,
            "\"0x\"",
        ),
    ] {
        let rule = Rule::always(Fault::RawResult(empty.to_owned())).for_method(method);
        stage.only.inject(rule);
        stage.warm(method, params);
        sleep(PAST_HEAD_BOUND);
        assert_eq!(cache_of(&stage.ask(method, params)), "miss_too_old");
    }
    assert_eq!(stage.stored("final"), 0.0);
}

#[test]
fn the_operators_word_counts_more_than_the_table() {
    let stage = Stage::start_with(|setup| {
        setup.after(
            "methods:\n  eth_gasPrice: { cache: { ttl: 1h } }\n  eth_getCode: { cache: { ttl: never } }\n  net_version: { cache: { ttl: head } }\n  eth_maxPriorityFeePerGas: { cache: { ttl: 50ms } }\n",
        )
    });
    ok(&stage.ask("eth_gasPrice", "[]"));
    let code = format!(r#"["{ACCOUNT}","0x10"]"#);
    for count in 1..4 {
        assert_eq!(cache_of(&stage.ask("eth_getCode", &code)), "bypass_method");
        assert_eq!(stage.count("eth_getCode"), count);
    }
    stage.warm("net_version", "[]");
    until("a short-lived answer to be given twice", || {
        (cache_of(&stage.ask("eth_maxPriorityFeePerGas", "[]")) == "hit").then_some(())
    });
    stage.advance(1);
    // A duration does not care for heads, `head` does although a chain's id never changes.
    assert_eq!(cache_of(&stage.ask("net_version", "[]")), "miss_new_head");
    sleep(PAST_HEAD_BOUND);
    assert_eq!(cache_of(&stage.ask("eth_gasPrice", "[]")), "hit");
    assert_eq!(stage.count("eth_gasPrice"), 1);
    assert_eq!(
        cache_of(&stage.ask("eth_maxPriorityFeePerGas", "[]")),
        "miss_too_old"
    );
    assert!(stage.stored("timed") >= 3.0);
}

#[test]
fn what_an_upstream_says_that_is_behind_is_not_kept() {
    let chain = standing_chain(1);
    let (behind, ahead) = (provider_of(&chain), provider_of(&chain));
    behind.inject(Rule::always(Fault::StaleHead { lag_blocks: 3 }));
    let proxy = Setup::default()
        .server("explain: true")
        .chain(QUICK_HEADS)
        .upstream("behind", &behind.url(), "")
        .upstream("ahead", &ahead.url(), "methods: { deny: [eth_getBalance] }")
        .start();
    knows_head(&proxy, HEAD);
    until("the lag to be seen", || {
        let labels = [("upstream", "behind")];
        (proxy.metric("livechain_upstream_head_lag_blocks", &labels) == 3.0).then_some(())
    });
    let ask = |block: &str| {
        let params = format!(r#"["{ACCOUNT}","{block}"]"#);
        let response = proxy.post(&call(1, "eth_getBalance", &params));
        ok(&response);
        cache_of(&response).to_owned()
    };
    for count in 1..4 {
        assert_eq!(ask("latest"), "miss_absent");
        assert_eq!(behind.counters().method("eth_getBalance"), count);
    }
    // What is final it knows as well as anybody.
    assert_eq!(ask("0x10"), "miss_absent");
    assert_eq!(ask("0x10"), "hit");
}

#[test]
fn a_chain_that_begins_anew_ends_what_was_final_at_once() {
    let stage = Stage::start();
    let params = r#"["0x5",false]"#;
    stage.warm("eth_getBlockByNumber", params);
    sleep(PAST_HEAD_BOUND);
    assert_eq!(cache_of(&stage.ask("eth_getBlockByNumber", params)), "hit");
    let back = i64::try_from(HEAD).expect("a small number") - 100;
    stage.chain.advance(-back);
    // Far sooner than a head that fell a little is believed.
    until("the new chain to be seen", || {
        let newest = stage
            .proxy
            .metric("livechain_chain_head_block", &[("kind", "newest")]);
        (newest == stage.chain.head() as f64).then_some(())
    });
    assert_ne!(cache_of(&stage.ask("eth_getBlockByNumber", params)), "hit");
}

#[test]
fn what_a_provider_of_another_chain_said_is_not_given_again() {
    let stage = Stage::start_with(|setup| setup.chain("probe: { interval: 1s }"));
    let params = r#"["0x5",false]"#;
    stage.warm("eth_getBlockByNumber", params);
    sleep(PAST_HEAD_BOUND);
    assert_eq!(cache_of(&stage.ask("eth_getBlockByNumber", params)), "hit");
    let id = stage.only.inject(Rule::always(Fault::WrongChain(666)));
    let quarantined = |wanted: f64| {
        until("the quarantine to change", || {
            let out = stage.proxy.metric("livechain_upstream_quarantined", &[]);
            (out == wanted).then_some(())
        });
    };
    quarantined(1.0);
    stage.only.clear(id);
    quarantined(0.0);
    let again = stage.ask("eth_getBlockByNumber", params);
    assert_eq!(cache_of(&again), "miss_new_head", "{again}");
}

#[test]
fn a_duration_does_not_take_the_number_back() {
    let stage = Stage::start_with(|setup| {
        setup.after(
            "methods:\n  'eth_*': { cache: { ttl: 1h } }\n  'custom_*': { cache: { ttl: 1h } }\n",
        )
    });
    stage.warm("eth_blockNumber", "[]");
    let head = stage.advance(3);
    let number = ok(&stage.ask("eth_blockNumber", "[]"));
    assert_eq!(number, format!("0x{head:x}"));
    for count in 1..4 {
        stage.ask("custom_execute", "[1]");
        assert_eq!(
            stage.count("custom_execute"),
            count,
            "nobody knows what it does"
        );
    }
}
