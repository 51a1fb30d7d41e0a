//! What is written around ranges, to the byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use wire::{Span, splice};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn replies_have_the_callers_id() {
    for id in ["1", "\"a\\u0062\"", "null", "1e400", "18446744073709551616"] {
        assert_eq!(
            written(|out| splice::write_result(out, id.as_bytes(), b"[ 1 ]")),
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":[ 1 ]}}"#)
        );
        assert_eq!(
            splice::result_overhead_bytes(id.as_bytes()),
            written(|out| splice::write_result(out, id.as_bytes(), b"")).len()
        );
    }
}

#[test]
fn errors_are_ours_or_the_nodes() {
    assert_eq!(
        written(|out| splice::write_error(out, None, -32700, "parse error", None)),
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}"#
    );
    assert_eq!(
        written(|out| splice::write_error(
            out,
            Some(b"\"x\""),
            3,
            "a \"b\"\n\u{1b}é",
            Some(b"\"0x1\"")
        )),
        r#"{"jsonrpc":"2.0","id":"x","error":{"code":3,"message":"a \"b\"\n\u001bé","data":"0x1"}}"#
    );
    assert_eq!(
        written(|out| splice::write_error_object(
            out,
            Some(b"7"),
            br#"{"code": 1,"message":"e","stack":"s"}"#
        )),
        r#"{"jsonrpc":"2.0","id":7,"error":{"code": 1,"message":"e","stack":"s"}}"#
    );
}

#[test]
fn calls_have_our_id() {
    assert_eq!(
        written(|out| splice::write_call(out, u64::MAX, b"eth_call", Some(b"[{}, 1e400]"))),
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"eth_call","params":[{}, 1e400]}"#
    );
    assert_eq!(
        written(|out| splice::write_call(out, 0, b"a\"b", None)),
        r#"{"jsonrpc":"2.0","id":0,"method":"a\"b","params":[]}"#
    );
}

#[test]
fn arrays_are_joined() {
    let join = |items: &[&str]| {
        written(|out| {
            let mut array = splice::ArrayJoin::begin(out);
            for item in items {
                array.item(out);
                out.extend_from_slice(item.as_bytes());
            }
            assert_eq!(array.items(), items.len());
            array.end(out);
        })
    };
    assert_eq!(join(&[]), "[]");
    assert_eq!(join(&["1"]), "[1]");
    assert_eq!(join(&["1", "{}", "3"]), "[1,{},3]");
}

#[test]
fn a_span_is_replaced() {
    let replace =
        |span| written(|out| splice::write_replaced(out, br#"["0x1",2]"#, span, b"0xabc"));
    assert_eq!(replace(Span::new(2, 5)), r#"["0xabc",2]"#);
    assert_eq!(replace(Span::new(0, 9)), "0xabc");
    assert_eq!(replace(Span::new(9, 10)), r#"["0x1",2]"#);
    assert_eq!(replace(Span::new(2, 500)), r#"["0x1",2]"#);
}
