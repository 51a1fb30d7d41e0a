//! Chaos: what a bad provider answers, or how it fails to. A is preferred and bad, B is good; a client must see nothing
//! of it, A must not be hammered, and each fault has to be shown to have struck.

use crate::harness::Pair;
use perf::provider::{Fault, Rule};
use std::time::Duration;

const CALLS: u64 = 30;
/// What A may get before it is left alone: the breaker's failures (5), and some for its probes.
const MOST_AT_A: u64 = 8;

/// Every call gets a good answer although A fails each that it is sent.
fn a_fails_with(fault: Fault) {
    let pair = Pair::start();
    let fired = pair
        .a
        .inject(Rule::always(fault).for_method("eth_getBalance"));
    for id in 1..=CALLS {
        pair.call(id);
    }
    let (at_a, at_b) = pair.counts();
    assert!(
        pair.a.hits(fired) >= 1,
        "the fault never struck: nothing was shown"
    );
    assert!(at_a <= MOST_AT_A, "A was sent {at_a} of {CALLS} calls");
    assert_eq!(at_b, CALLS, "B is sent each call once");
    let faults = pair
        .proxy
        .metric("livechain_faults_total", &[("upstream", "a")]);
    assert!(faults >= 1.0, "A's faults are not counted");
}

/// A is odd, but within its rights: it serves everything and B is never needed.
fn a_serves_with(fault: Fault) -> Pair {
    let pair = Pair::start();
    let fired = pair
        .a
        .inject(Rule::always(fault).for_method("eth_getBalance"));
    for id in 1..=CALLS {
        pair.call(id);
    }
    assert!(
        pair.a.hits(fired) >= CALLS,
        "the oddity never struck: nothing was shown"
    );
    assert_eq!(pair.counts(), (CALLS, 0));
    pair
}

macro_rules! cases {
    ($run:ident: $($name:ident => $fault:expr;)*) => {
        $(#[test]
        fn $name() {
            $run($fault);
        })*
    };
}

cases! { a_fails_with:
    reset_before_the_answer => Fault::ResetBeforeAnswer;
    closed_before_the_answer => Fault::CloseBeforeAnswer;
    reset_in_the_body => Fault::ResetMidBody { after_bytes: 20 };
    closed_in_the_body => Fault::CloseMidBody { after_bytes: 20 };
    black_hole => Fault::Hang;
    black_hole_in_the_body => Fault::BlackHoleMidBody { after_bytes: 20 };
    drip => Fault::Drip { chunk_bytes: 1, interval: Duration::from_millis(200) };
    slow_head => Fault::SlowHead { interval: Duration::from_millis(200) };
    http_500 => Fault::Status { code: 500, headers: vec![], body: b"oops".to_vec() };
    http_503_page => Fault::unavailable();
    http_404_page => Fault::Status { code: 404, headers: vec![], body: b"<html>nothing here</html>".to_vec() };
    http_301 => Fault::Status {
        code: 301,
        headers: vec![("location".to_owned(), "http://169.254.169.254/".to_owned())],
        body: vec![],
    };
    html_at_200 => Fault::Html;
    empty_body_at_200 => Fault::EmptyBody;
    not_json => Fault::InvalidJson;
    half_a_json => Fault::TruncatedJson;
    another_json => Fault::RawBody(b"[1,2,3]".to_vec());
    json_and_more => Fault::RawBody(br#"{"jsonrpc":"2.0","id":1,"result":"0x0"}{}"#.to_vec());
    a_string_with_a_raw_control_character => Fault::RawResult("\"\u{1}\"".to_owned());
    promised_length_too_long => Fault::LengthTooLong { by_bytes: 10 };
    promised_length_too_short => Fault::LengthTooShort { by_bytes: 10 };
    wrong_id => Fault::WrongId;
    null_id => Fault::NullId;
    neither_result_nor_error => Fault::NeitherResultNorError;
    both_result_and_error => Fault::BothResultAndError;
    an_internal_error => Fault::rpc_error(-32603, "internal error");
    a_method_it_does_not_have => Fault::rpc_error(-32601, "the method eth_getBalance does not exist/is not available");
    a_refused_key => Fault::Status { code: 401, headers: vec![], body: b"{\"error\":\"invalid api key\"}".to_vec() };
    an_unpaid_bill => Fault::Status { code: 402, headers: vec![], body: vec![] };
    a_bad_compression => Fault::Status {
        code: 200,
        headers: vec![("content-encoding".to_owned(), "gzip".to_owned())],
        body: b"this is no gzip".to_vec(),
    };
}

cases! { a_serves_with:
    chunked => Fault::Chunked { chunk_bytes: 7 };
    gzip => Fault::Gzip;
    an_interim_answer => Fault::Interim { code: 103 };
    a_little_late => Fault::Stall(Duration::from_millis(30));
    in_small_pieces => Fault::Drip { chunk_bytes: 20, interval: Duration::from_millis(5) };
}

#[test]
fn closed_after_each_answer_without_a_word() {
    let pair = a_serves_with(Fault::CloseAfterAnswer);
    assert!(pair.a.counters().connections >= CALLS);
}

#[test]
fn what_follows_an_answer_poisons_no_other() {
    for fault in [
        Fault::ExtraBytesAfterBody(br#"HTTP/1.1 200 OK"#.to_vec()),
        Fault::DuplicateAnswer,
    ] {
        let pair = Pair::start();
        let fired = pair
            .a
            .inject(Rule::always(fault).for_method("eth_getBalance"));
        for id in 1..=CALLS {
            pair.call(id);
        }
        let struck = pair.a.hits(fired);
        assert!(struck >= 1, "the fault never struck: nothing was shown");
        // Whoever talked out of turn is not talked to again on that connection; where the words came only after the next call had
        // been sent, that one went to another upstream.
        assert!(pair.a.counters().connections > 1);
    }
}

#[test]
fn a_nodes_own_refusal_is_relayed_to_the_byte_and_asked_of_nobody_else() {
    for (code, message, data) in [
        (
            -32000,
            "insufficient funds for gas * price + value: address 0x00 have 0 want 1",
            None,
        ),
        (
            -32602,
            "invalid argument 0: hex string has length 2, want 40 for common.Address",
            None,
        ),
        (3, "execution reverted: not today", Some("\"0x08c379a0\"")),
        (-38014, "insufficient funds", None),
    ] {
        let pair = Pair::start();
        let fault = Fault::RpcError {
            code,
            message: message.to_owned(),
            data: data.map(str::to_owned),
        };
        let fired = pair
            .a
            .inject(Rule::always(fault).for_method("eth_getBalance"));
        let response = pair.proxy.post(
            r#"{"jsonrpc":"2.0","id":"x","method":"eth_getBalance","params":["0x00","latest"]}"#,
        );
        assert_eq!(response.status, 200);
        let data = data
            .map(|data| format!(r#","data":{data}"#))
            .unwrap_or_default();
        let expected = format!(
            r#"{{"jsonrpc":"2.0","id":"x","error":{{"code":{code},"message":"{message}"{data}}}}}"#
        );
        assert_eq!(response.text(), expected);
        for id in 2..=10 {
            pair.proxy.post(&crate::harness::balance_call(id));
        }
        assert_eq!(pair.a.hits(fired), 10);
        assert_eq!(
            pair.counts(),
            (10, 0),
            "a caller's mistake is not the provider's failure"
        );
        assert!(
            pair.proxy
                .metric("livechain_breaker_transitions_total", &[("upstream", "a")])
                < 1.0
        );
    }
}

#[test]
fn what_a_pruned_node_lacks_is_asked_of_another_and_is_no_failure() {
    let pair = Pair::start();
    let pruned = Fault::rpc_error(
        -32000,
        "missing trie node 0ab1 (path ) state 0x0ab1 is not available",
    );
    let fired = pair
        .a
        .inject(Rule::always(pruned).for_method("eth_getBalance"));
    for id in 1..=CALLS {
        pair.call(id);
    }
    assert!(
        pair.a.hits(fired) >= 1,
        "the fault never struck: nothing was shown"
    );
    assert_eq!(pair.counts().1, CALLS);
    let opened = pair
        .proxy
        .metric("livechain_breaker_transitions_total", &[("upstream", "a")]);
    assert!(opened < 1.0, "capability and health are different things");
}

#[test]
fn one_bad_item_of_a_batch_fails_over_alone() {
    let pair = Pair::start();
    let fired = pair
        .a
        .inject(Rule::next(1, Fault::InvalidJson).for_method("eth_getBalance"));
    let calls: Vec<_> = (1..=20).map(crate::harness::balance_call).collect();
    let response = pair.proxy.post(&format!("[{}]", calls.join(",")));
    let items = response.json();
    let ids: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
    assert!(
        items
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["result"].is_string()),
        "{response}"
    );
    assert_eq!(pair.a.hits(fired), 1);
    assert_eq!(pair.counts(), (20, 1));
}
