//! What is seen inside params and errors, and what is left opaque.

use super::*;
use crate::response::{Reply, parse_reply};

fn block(params: &str, position: usize) -> BlockParam {
    block_param(Some(params.as_bytes()), position, &mut Scratch::new())
}

fn filter(params: &str) -> LogsFilter {
    logs_filter(Some(params.as_bytes()), &mut Scratch::new())
}

const HASH: &str = "0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn hash() -> [u8; 32] {
    quantity::parse_hash(HASH.as_bytes()).unwrap()
}

#[test]
fn block_parameters_are_read_in_every_form() {
    let cases = [
        (r#"["0xa","latest"]"#, BlockParam::Tag(BlockTag::Latest)),
        (
            r#"["0xa", "finalized" ]"#,
            BlockParam::Tag(BlockTag::Finalized),
        ),
        (r#"["0xa","0x10"]"#, BlockParam::Number(16)),
        (r#"["0xa","0x0010"]"#, BlockParam::Number(16)),
        (
            r#"["0xa","\u006catest"]"#,
            BlockParam::Tag(BlockTag::Latest),
        ),
        (r#"["0xa",null]"#, BlockParam::Absent),
        (r#"["0xa"]"#, BlockParam::Absent),
        ("[]", BlockParam::Absent),
        (r#"["0xa",16]"#, BlockParam::Opaque),
        (r#"["0xa","16"]"#, BlockParam::Opaque),
        (r#"["0xa","Latest"]"#, BlockParam::Opaque),
        (r#"["0xa","0x10000000000000000"]"#, BlockParam::Opaque),
        (r#"["0xa",["latest"]]"#, BlockParam::Opaque),
        (r#"{"block":"latest"}"#, BlockParam::Opaque),
        (
            r#"[{"a":[1,"]"]},"pending"]"#,
            BlockParam::Tag(BlockTag::Pending),
        ),
    ];
    for (params, due) in cases {
        assert_eq!(block(params, 1), due, "{params}");
    }
    assert_eq!(
        block_param(None, 1, &mut Scratch::new()),
        BlockParam::Absent
    );
}

#[test]
fn block_objects_follow_eip_1898() {
    let by_hash = |require_canonical| BlockParam::Hash {
        hash: hash(),
        require_canonical,
    };
    let cases = [
        (format!(r#"{{"blockHash":"{HASH}"}}"#), by_hash(false)),
        (
            format!(r#"{{"blockHash":"{HASH}","requireCanonical":true}}"#),
            by_hash(true),
        ),
        (format!("\"{HASH}\""), by_hash(false)),
        (r#"{"blockNumber":"0x10"}"#.into(), BlockParam::Number(16)),
        (
            r#"{"blockNumber":"safe"}"#.into(),
            BlockParam::Tag(BlockTag::Safe),
        ),
        (
            r#"{"blockNumber":"0x10","blockHash":null}"#.into(),
            BlockParam::Number(16),
        ),
        (
            format!(r#"{{"blockHash":"{HASH}","blockNumber":"0x10"}}"#),
            BlockParam::Opaque,
        ),
        (
            r#"{"blockNumber":"0x10","blockNumber":"0x11"}"#.into(),
            BlockParam::Opaque,
        ),
        (
            format!(r#"{{"blockHash":"{HASH}","requireCanonical":1}}"#),
            BlockParam::Opaque,
        ),
        (r#"{"blockHash":"0x10"}"#.into(), BlockParam::Opaque),
        (format!(r#"{{"blockNumber":"{HASH}"}}"#), BlockParam::Opaque),
        ("{}".into(), BlockParam::Opaque),
        // Legal, but more than the library takes: no knowledge, no error.
        (
            r#"{"blockNumber":"0x10","x":123456789012345678901234567890}"#.into(),
            BlockParam::Opaque,
        ),
        (
            r#"{"blockNumber":"0x10","x":"\ud800"}"#.into(),
            BlockParam::Opaque,
        ),
    ];
    for (param, due) in cases {
        assert_eq!(block(&format!("[{param}]"), 0), due, "{param}");
    }
}

#[test]
fn what_is_too_long_is_opaque() {
    let long = format!(
        r#"[{{"blockNumber":"0x10","x":"{}"}}]"#,
        "a".repeat(MAX_LOOK_BYTES)
    );
    assert_eq!(block(&long, 0), BlockParam::Opaque);
    let long = format!(
        r#"[{{"fromBlock":"0x10","address":"{}"}}]"#,
        "a".repeat(MAX_LOOK_BYTES)
    );
    assert_eq!(filter(&long), LogsFilter::Opaque);
}

#[test]
fn filters_say_which_blocks() {
    let range = |from, to| LogsFilter::Range { from, to };
    let (absent, number, tag) = (BlockParam::Absent, BlockParam::Number, BlockParam::Tag);
    let cases = [
        ("[{}]".to_owned(), range(absent, absent)),
        (
            r#"[{"fromBlock":"0x1","toBlock":"latest","address":["0x1"],"topics":[null,["0x2"]]}]"#
                .into(),
            range(number(1), tag(BlockTag::Latest)),
        ),
        (
            r#"[{"toBlock":null,"fromBlock":"earliest"}]"#.into(),
            range(tag(BlockTag::Earliest), absent),
        ),
        (
            r#"[{"fromBlock":1,"toBlock":"0x2"}]"#.into(),
            range(BlockParam::Opaque, number(2)),
        ),
        (
            format!(r#"[{{"blockHash":"{HASH}"}}]"#),
            LogsFilter::Block { hash: hash() },
        ),
        (
            format!(r#"[{{"blockHash":"{HASH}","fromBlock":"0x1"}}]"#),
            LogsFilter::Opaque,
        ),
        (
            r#"[{"fromBlock":"0x1","fromBlock":"0x2"}]"#.into(),
            LogsFilter::Opaque,
        ),
        (r#"[{"blockHash":"0x1"}]"#.into(), LogsFilter::Opaque),
        ("[]".into(), LogsFilter::Opaque),
        ("[[]]".into(), LogsFilter::Opaque),
        (r#"{"fromBlock":"0x1"}"#.into(), LogsFilter::Opaque),
    ];
    for (params, due) in cases {
        assert_eq!(filter(&params), due, "{params}");
    }
    assert_eq!(logs_filter(None, &mut Scratch::new()), LogsFilter::Opaque);
}

#[test]
fn elements_and_strings_are_found_where_they_lie() {
    let params = br#" [ "0xab" , {"a":[1]}, 3]"#;
    let at = |position| element(params, position).map(|span| span.of(params));
    assert_eq!(at(0), Some(&b"\"0xab\""[..]));
    assert_eq!(at(1), Some(&br#"{"a":[1]}"#[..]));
    assert_eq!(at(2), Some(&b"3"[..]));
    assert_eq!(at(3), None);
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
        assert_eq!(
            block_param(Some(br#"[{"x":1e999}]"#), 0, &mut scratch),
            BlockParam::Opaque
        );
        assert_eq!(
            block_param(Some(br#"[{"blockNumber":"0x1"}]"#), 0, &mut scratch),
            BlockParam::Number(1)
        );
    }
}
