//! Chaos around calls that have an effect. A signed transaction may be sent again, to another provider, since its hash
//! makes it one; a transaction that the node signs is never sent twice, whatever became of the first.

use crate::harness::{Pair, error_of, ok};
use perf::provider::{Door, Fault, Handle, Rule};

const SEND_RAW: &str = "eth_sendRawTransaction";
const SEND: &str = "eth_sendTransaction";
/// Keccak-256 of the bytes 0x80, a well-known constant (the root of an empty trie).
const RAW: &str = "0x80";
const HASH: &str = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
const NODE_HASH: &str = "\"0x00000000000000000000000000000000000000000000000000000000000000aa\"";

fn raw_call() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{SEND_RAW}","params":["{RAW}"]}}"#)
}

fn node_call(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{SEND}","params":[{{"from":"0x0000000000000000000000000000000000000001","to":"0x0000000000000000000000000000000000000002","value":"0x{id:x}"}}]}}"#
    )
}

fn counts(pair: &Pair, method: &str) -> (u64, u64) {
    let count = |provider: &Handle| provider.counters().method(method);
    (count(&pair.a), count(&pair.b))
}

/// Both providers can sign for themselves.
fn with_keystores() -> Pair {
    let pair = Pair::start();
    for provider in [&pair.a, &pair.b] {
        provider.inject(Rule::always(Fault::RawResult(NODE_HASH.to_owned())).for_method(SEND));
    }
    pair
}

#[test]
fn a_signed_transaction_survives_every_ambiguous_failure() {
    for fault in [
        Fault::ResetBeforeAnswer,
        Fault::CloseBeforeAnswer,
        Fault::Hang,
        Fault::InvalidJson,
        Fault::CloseMidBody { after_bytes: 5 },
        Fault::unavailable(),
    ] {
        let pair = Pair::start();
        let fired = pair
            .a
            .inject(Rule::always(fault.clone()).for_method(SEND_RAW));
        assert_eq!(ok(&pair.proxy.post(&raw_call())), HASH, "{fault:?}");
        assert!(pair.a.hits(fired) >= 1);
        assert_eq!(counts(&pair, SEND_RAW), (1, 1), "{fault:?}");
        assert_eq!(pair.b.transactions(), [RAW]);
    }
}

#[test]
fn a_transaction_that_the_node_has_already_is_a_success() {
    let pair = Pair::start();
    for _ in 0..3 {
        assert_eq!(ok(&pair.proxy.post(&raw_call())), HASH);
    }
    assert_eq!(pair.a.transactions(), [RAW]);
    assert_eq!(counts(&pair, SEND_RAW), (3, 0));
    // In the words of others.
    for (code, message) in [
        (-32000, "already known"),
        (
            -32010,
            "transaction with the same hash was already imported.",
        ),
        (-32003, "transaction already imported"),
    ] {
        let pair = Pair::start();
        let fired = pair
            .a
            .inject(Rule::always(Fault::rpc_error(code, message)).for_method(SEND_RAW));
        assert_eq!(ok(&pair.proxy.post(&raw_call())), HASH, "{message}");
        assert_eq!(pair.a.hits(fired), 1);
    }
}

#[test]
fn a_rejected_transaction_is_rejected_in_the_nodes_words_and_tried_nowhere_else() {
    for message in [
        "insufficient funds for gas * price + value",
        "nonce too low: next nonce 5, tx nonce 1",
        "replacement transaction underpriced",
    ] {
        let pair = Pair::start();
        let fired = pair
            .a
            .inject(Rule::always(Fault::rpc_error(-32000, message)).for_method(SEND_RAW));
        let response = pair.proxy.post(&raw_call());
        assert_eq!(error_of(&response.json()), (-32000, message));
        assert_eq!(pair.a.hits(fired), 1);
        assert_eq!(counts(&pair, SEND_RAW), (1, 0), "{message}");
    }
}

#[test]
fn a_signed_transaction_is_given_up_after_bounded_attempts() {
    let pair = Pair::start();
    for provider in [&pair.a, &pair.b] {
        provider.inject(Rule::always(Fault::ResetBeforeAnswer).for_method(SEND_RAW));
    }
    let response = pair.proxy.post(&raw_call());
    error_of(&response.json());
    let (at_a, at_b) = counts(&pair, SEND_RAW);
    assert!(
        at_a >= 1 && at_b >= 1 && at_a + at_b <= 4,
        "{at_a} + {at_b} sends"
    );
}

#[test]
fn a_nodes_own_write_is_never_sent_twice() {
    for fault in [
        Fault::ResetBeforeAnswer,
        Fault::CloseBeforeAnswer,
        Fault::Hang,
        Fault::InvalidJson,
        Fault::EmptyBody,
        Fault::CloseMidBody { after_bytes: 5 },
        Fault::WrongId,
    ] {
        let pair = Pair::start();
        let fired = pair.a.inject(Rule::always(fault.clone()).for_method(SEND));
        let response = pair.proxy.post(&node_call(1));
        let answer = response.json();
        let (code, message) = error_of(&answer);
        assert_eq!(code, -32000, "{fault:?}: viem must not send it again");
        assert!(message.contains("unknown"), "{fault:?}: {message}");
        assert_eq!(pair.a.hits(fired), 1, "{fault:?}");
        assert_eq!(counts(&pair, SEND), (1, 0), "{fault:?}");
    }
}

#[test]
fn a_nodes_own_write_that_was_never_sent_goes_to_another() {
    let pair = with_keystores();
    pair.a.kill().unwrap();
    let response = pair.proxy.post(&node_call(1));
    assert_eq!(ok(&response).to_string(), NODE_HASH, "{response}");
    assert_eq!(counts(&pair, SEND), (0, 1));
    let failed = pair.proxy.metric(
        "livechain_connects_total",
        &[("upstream", "a"), ("outcome", "refused")],
    );
    assert!(failed >= 1.0, "A was never tried: nothing was shown");
}

#[test]
fn writes_and_connections_that_close_behind_our_back() {
    let pair = with_keystores();
    pair.b.set_door(Door::Refuse).unwrap();
    pair.b.cut_connections(true).unwrap();
    let fired = pair.a.inject(Rule::always(Fault::CloseAfterAnswer));
    for id in 1..=200 {
        let response = pair.proxy.post(&node_call(id));
        assert_eq!(
            ok(&response).to_string(),
            NODE_HASH,
            "write {id}: {response}"
        );
        assert_eq!(
            counts(&pair, SEND).0,
            id,
            "write {id} was not sent exactly once"
        );
    }
    assert!(pair.a.hits(fired) >= 200);
}

#[test]
fn a_write_in_a_batch_is_sent_once_and_spares_the_others() {
    let pair = Pair::start();
    let fired = pair
        .a
        .inject(Rule::always(Fault::ResetBeforeAnswer).for_method(SEND));
    let calls = [
        crate::harness::balance_call(1),
        node_call(2),
        crate::harness::balance_call(3),
        raw_call(),
    ];
    let response = pair.proxy.post(&format!("[{}]", calls.join(",")));
    let items = response.json();
    assert!(
        items[0]["result"].is_string() && items[2]["result"].is_string(),
        "{response}"
    );
    assert_eq!(error_of(&items[1]).0, -32000, "{response}");
    assert_eq!(items[3]["result"], HASH);
    assert_eq!(pair.a.hits(fired), 1);
    assert_eq!(counts(&pair, SEND), (1, 0));
}

#[test]
fn a_nonce_that_an_earlier_attempt_used_up_is_a_success() {
    let by_hash = "eth_getTransactionByHash";
    for (known, result) in [(true, "{\"nonce\":\"0x0\"}"), (false, "null")] {
        let pair = Pair::start();
        let lost = pair
            .a
            .inject(Rule::always(Fault::ResetBeforeAnswer).for_method(SEND_RAW));
        pair.b
            .inject(Rule::always(Fault::rpc_error(-32000, "nonce too low")).for_method(SEND_RAW));
        let asked = pair
            .b
            .inject(Rule::always(Fault::RawResult(result.to_owned())).for_method(by_hash));
        let response = pair.proxy.post(&raw_call());
        assert!(pair.a.hits(lost) >= 1 && pair.b.hits(asked) == 1);
        if known {
            assert_eq!(ok(&response), HASH);
        } else {
            assert_eq!(error_of(&response.json()), (-32000, "nonce too low"));
        }
    }
    // Without an earlier attempt the node's word stands, and nobody is asked.
    let pair = Pair::start();
    pair.a
        .inject(Rule::always(Fault::rpc_error(-32000, "nonce too low")).for_method(SEND_RAW));
    assert_eq!(error_of(&pair.proxy.post(&raw_call()).json()).0, -32000);
    assert_eq!(pair.a.counters().method(by_hash), 0);
}
