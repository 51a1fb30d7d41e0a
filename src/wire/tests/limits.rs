//! What happens at each limit: one below, at it, and one beyond.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use wire::envelope::{Envelope, Limits, Refusal, Shape};
use wire::http1::{
    self, ChunkFault, ChunkedDecoder, HeadError, HeadLimits, parse_request_head,
    parse_response_head,
};
use wire::json::{self, Fault, Progress, REPLY_DEPTH, REQUEST_DEPTH, Scanner};

#[test]
fn a_head_may_be_as_long_as_its_limit() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let limits = |max_head_bytes| HeadLimits {
        max_head_bytes,
        ..HeadLimits::default()
    };
    for beyond in [&b""[..], b"body"] {
        let bytes = [request, beyond].concat();
        assert!(matches!(
            parse_request_head(&bytes, &limits(request.len())),
            Ok(Some(_))
        ));
        let error = parse_request_head(&bytes, &limits(request.len() - 1)).err();
        assert_eq!(error, Some(HeadError::TooLarge));
        let bytes = [response, beyond].concat();
        assert!(matches!(
            parse_response_head(&bytes, false, &limits(response.len())),
            Ok(Some(_))
        ));
        let error = parse_response_head(&bytes, false, &limits(response.len() - 1)).err();
        assert_eq!(error, Some(HeadError::TooLarge));
    }
    // An incomplete head is refused as soon as it fills its limit: nothing could complete it.
    let part = &request[..20];
    assert!(matches!(parse_request_head(part, &limits(21)), Ok(None)));
    let error = parse_request_head(part, &limits(20)).err();
    assert_eq!(error, Some(HeadError::TooLarge));
}

#[test]
fn a_target_may_be_as_long_as_its_limit() {
    let limits = HeadLimits {
        max_target_bytes: 100,
        ..HeadLimits::default()
    };
    let request = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(len - 1));
    assert!(matches!(
        parse_request_head(request(100).as_bytes(), &limits),
        Ok(Some(_))
    ));
    let error = parse_request_head(request(101).as_bytes(), &limits).err();
    assert_eq!(error, Some(HeadError::TargetTooLong));
}

#[test]
fn fields_may_be_as_many_as_their_limit() {
    let limits = |max_headers| HeadLimits {
        max_headers,
        ..HeadLimits::default()
    };
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\nY: c\r\n\r\n";
    assert!(matches!(
        parse_request_head(request, &limits(3)),
        Ok(Some(_))
    ));
    for fewer in [0, 1, 2] {
        let error = parse_request_head(request, &limits(fewer)).err();
        assert_eq!(error, Some(HeadError::TooManyHeaders));
    }
    let response = b"HTTP/1.1 200 OK\r\nX: b\r\nY: c\r\n\r\n";
    assert!(matches!(
        parse_response_head(response, false, &limits(2)),
        Ok(Some(_))
    ));
    let error = parse_response_head(response, false, &limits(1)).err();
    assert_eq!(error, Some(HeadError::TooManyHeaders));
    // Beyond the slots the limit is theirs.
    let many = |fields: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(fields - 1)
        )
    };
    let limits = limits(10_000);
    let most = many(HeadLimits::HEADER_SLOTS);
    assert!(matches!(
        parse_request_head(most.as_bytes(), &limits),
        Ok(Some(_))
    ));
    let error = parse_request_head(many(HeadLimits::HEADER_SLOTS + 1).as_bytes(), &limits).err();
    assert_eq!(error, Some(HeadError::TooManyHeaders));
}

/// Whether a body of `chunks` chunks, each with an extension of `bytes` bytes, is taken.
fn takes_extensions(chunks: usize, bytes: usize) -> bool {
    let body = format!("1;{}\r\na\r\n", "x".repeat(bytes)).repeat(chunks) + "0\r\n\r\n";
    let mut decoder = ChunkedDecoder::new();
    let mut rest = body.as_bytes();
    loop {
        match decoder.decode(rest) {
            Ok(http1::Progress::Data { consumed, .. }) => rest = &rest[consumed..],
            Ok(http1::Progress::End { .. }) => return true,
            Ok(http1::Progress::NeedMore) => panic!("the body is whole"),
            Err(fault) => {
                assert_eq!(fault, ChunkFault::Extension);
                // And so it stays.
                assert_eq!(decoder.decode(b""), Err(fault));
                return false;
            }
        }
    }
}

#[test]
fn what_is_no_data_in_a_body_is_bounded() {
    assert!(takes_extensions(1, 256));
    assert!(!takes_extensions(1, 257));
    assert!(takes_extensions(256, 256));
    assert!(!takes_extensions(257, 256));
    let trailers = |lines: usize| {
        let body = format!("0\r\n{}\r\n", "X: 0123456789ab\r\n".repeat(lines));
        let mut decoder = ChunkedDecoder::new();
        matches!(
            decoder.decode(body.as_bytes()),
            Ok(http1::Progress::End { .. })
        )
    };
    assert!(trailers(240) && !trailers(241));
}

fn depth_of(text: &str) -> Result<(), Fault> {
    let mut scanner = Scanner::<{ REPLY_DEPTH / 64 }>::new();
    match scanner.feed(text.as_bytes()) {
        Ok(Progress::Done { .. }) => Ok(()),
        Ok(Progress::NeedMore) => Err(Fault::Truncated),
        Err(at) => Err(at.fault),
    }
}

#[test]
fn values_may_be_as_deep_as_their_limit() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(json::validate(nested(REQUEST_DEPTH).as_bytes()), Ok(()));
    let fault = json::validate(nested(REQUEST_DEPTH + 1).as_bytes()).map_err(|at| at.fault);
    assert_eq!(fault, Err(Fault::TooDeep));
    assert_eq!(depth_of(&nested(REPLY_DEPTH)), Ok(()));
    assert_eq!(depth_of(&nested(REPLY_DEPTH + 1)), Err(Fault::TooDeep));
    // Levels that are open around a value count.
    for (levels, due) in [(64, Ok(())), (65, Err(Fault::TooDeep))] {
        let mut scanner = Scanner::<1>::below(0);
        assert_eq!(
            scanner
                .feed(nested(levels).as_bytes())
                .map(|_| ())
                .map_err(|at| at.fault),
            due
        );
        let mut scanner = Scanner::<1>::below(1);
        assert_eq!(
            scanner
                .feed(nested(levels - 1).as_bytes())
                .map(|_| ())
                .map_err(|at| at.fault),
            due
        );
    }
    // An array in an object in an array, at words' edges: each level is remembered for what it is.
    for levels in [1, 31, 32, 33, 63, 64] {
        let text = "[{\"a\":".repeat(levels) + "0" + &"}]".repeat(levels);
        assert_eq!(json::validate(text.as_bytes()), Ok(()), "{levels}");
        let wrong = text.replacen("}]", "]}", 1);
        let fault = json::validate(wrong.as_bytes()).map_err(|at| at.fault);
        assert_eq!(fault, Err(Fault::Unexpected), "{levels}");
    }
}

#[test]
fn a_batch_may_have_as_many_calls_as_its_limit() {
    let call = r#"{"jsonrpc":"2.0","id":5,"method":"a"}"#;
    let batch = |calls: usize| format!("[{}]", vec![call; calls].join(","));
    let limits = Limits {
        max_batch_calls: 3,
        ..Limits::default()
    };
    let mut envelope = Envelope::new();
    assert_eq!(
        envelope.parse(batch(3).as_bytes(), &limits),
        Ok(Shape::Batch)
    );
    assert_eq!(envelope.items().len(), 3);
    let body = batch(4);
    let Err(Refusal::BatchTooLarge { first_id }) = envelope.parse(body.as_bytes(), &limits) else {
        panic!("four calls passed");
    };
    assert_eq!(first_id.map(|id| id.of(body.as_bytes())), Some(&b"5"[..]));
    assert!(envelope.items().is_empty());
    // The next body finds nothing of the last one.
    assert_eq!(envelope.parse(call.as_bytes(), &limits), Ok(Shape::Single));
    assert_eq!(envelope.items().len(), 1);
}

#[test]
fn a_methods_length_counts_unescaped() {
    let limits = Limits {
        max_method_bytes: 4,
        ..Limits::default()
    };
    let mut envelope = Envelope::new();
    for (method, fits) in [
        ("abcd", true),
        ("abcde", false),
        ("\\u0061bcd", true),
        ("\\u0061bcde", false),
        ("\\u00e9\\u00e9", true),
        ("\\u00e9\\u00e9a", false),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":5,"method":"{method}"}}"#);
        envelope.parse(body.as_bytes(), &limits).unwrap();
        let is_call = matches!(envelope.items()[0].kind, wire::envelope::Kind::Call(_));
        assert_eq!(is_call, fits, "{method}");
    }
}
