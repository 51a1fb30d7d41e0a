//! What is seen of params and inside errors, and what is not.

use super::*;
use crate::response::{Reply, parse_reply};

#[test]
fn the_first_string_is_found_where_it_lies() {
    let first = |params: &'static str| {
        first_string(params.as_bytes()).map(|span| span.of(params.as_bytes()))
    };
    assert_eq!(first(r#"["0xab",1]"#), Some(&b"0xab"[..]));
    assert_eq!(first(r#"[""]"#), Some(&b""[..]));
    assert_eq!(first(r#"["0x\u0061"]"#), None);
    assert_eq!(first("[1]"), None);
    assert_eq!(first("[]"), None);
    assert_eq!(first("{}"), None);
}

fn words_of(body: &str, scratch: &mut Scratch, check: impl FnOnce(ErrorWords<'_>)) {
    let Ok(Reply::Error(error)) = parse_reply(body.as_bytes(), 7) else {
        panic!("{body} is no error");
    };
    check(error_words(body.as_bytes(), &error, scratch));
}

#[test]
fn an_errors_words_are_unescaped() {
    let mut scratch = Scratch::new();
    words_of(
        r#"{"id":7,"error":{"code":3,"message":"say \"no\"","data":"0x08c379a0"}}"#,
        &mut scratch,
        |words| {
            assert_eq!(words.message, "say \"no\"");
            assert_eq!(words.data, "0x08c379a0");
            assert_eq!((words.nested_message, words.nested_data), ("", ""));
        },
    );
    // hardhat nests twice; nothing of the last error is left over.
    words_of(
        r#"{"id":7,"error":{"code":-32603,"data":{"txHash":"0x1","data":{"message":"reverted with x","data":"0x4e48"}}}}"#,
        &mut scratch,
        |words| {
            assert_eq!(words.message, "");
            assert_eq!(words.nested_message, "reverted with x");
            assert_eq!(words.nested_data, "0x4e48");
            assert!(words.data.starts_with(r#"{"txHash""#));
        },
    );
    // The outer words come before the inner ones.
    words_of(
        r#"{"id":7,"error":{"code":1,"message":"m","data":{"inner":{"message":"b","data":"0x2"},"message":"a","result":"0x1"}}}"#,
        &mut scratch,
        |words| {
            assert_eq!((words.nested_message, words.nested_data), ("a", "0x1"));
        },
    );
    // What simd-json refuses is still given raw.
    words_of(
        r#"{"id":7,"error":{"code":1,"message":"m\ud800","data":{"n":1e400,"message":"a"}}}"#,
        &mut scratch,
        |words| {
            assert_eq!(words.message, "m\u{fffd}");
            assert_eq!(words.data, r#"{"n":1e400,"message":"a"}"#);
            assert_eq!(words.nested_message, "");
        },
    );
    words_of(r#"{"error":"limit \"x\""}"#, &mut scratch, |words| {
        assert_eq!(words.message, "limit \"x\"")
    });
}

#[test]
fn a_scratch_serves_again_after_a_refusal() {
    let mut scratch = Scratch::new();
    for _ in 0..3 {
        for (data, due) in [
            (r#"{"n":1e999,"message":"a"}"#, ""),
            (r#"{"message":"a"}"#, "a"),
        ] {
            let body = format!(r#"{{"id":7,"error":{{"code":1,"message":"m","data":{data}}}}}"#);
            words_of(&body, &mut scratch, |words| {
                assert_eq!(words.nested_message, due);
            });
        }
    }
}

#[test]
fn what_is_too_long_is_not_looked_into() {
    for (extra, due) in [(0, "a"), (1, "")] {
        let frame = r#"{"message":"a","x":""}"#.len();
        let long = "x".repeat(MAX_LOOK_BYTES - frame + extra);
        let body = format!(
            r#"{{"id":7,"error":{{"code":1,"message":"m","data":{{"message":"a","x":"{long}"}}}}}}"#
        );
        words_of(&body, &mut Scratch::new(), |words| {
            assert_eq!((words.message, words.nested_message), ("m", due));
        });
    }
}
