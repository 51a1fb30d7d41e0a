//! When a head is taken for the one before, and what is kept of it.

use super::*;
use crate::http1::parse_request_head;

const HEAD: &str = "POST / HTTP/1.1\r\nhost: a\r\nx-request-id: 1\r\ncontent-length: 10\r\n\r\n";

fn is_known(memo: &RequestMemo, head: &str, limits: &HeadLimits) -> bool {
    memo.template.compare(head.as_bytes(), limits).is_some()
}

fn parse(memo: &mut RequestMemo, head: &str, limits: &HeadLimits) -> String {
    let parsed = format!("{:?}", memo.parse(head.as_bytes(), limits));
    let due = parse_request_head(head.as_bytes(), limits);
    assert_eq!(parsed, format!("{due:?}"));
    parsed
}

#[test]
fn another_length_is_the_same_head() {
    let (mut memo, limits) = (RequestMemo::default(), HeadLimits::default());
    parse(&mut memo, HEAD, &limits);
    for length in ["10", "99", "00", "07"] {
        let head = HEAD.replace("10\r", &format!("{length}\r")) + "{}";
        assert!(is_known(&memo, &head, &limits), "{length}");
        parse(&mut memo, &head, &limits);
    }
    for length in ["1", "100", "1x", " 1", "+1"] {
        let head = HEAD.replace("10\r", &format!("{length}\r"));
        assert!(!is_known(&memo, &head, &limits), "{length}");
        parse(&mut memo, &head, &limits);
    }
}

#[test]
fn other_limits_are_another_matter() {
    let (mut memo, limits) = (RequestMemo::default(), HeadLimits::default());
    parse(&mut memo, HEAD, &limits);
    let strict = HeadLimits {
        max_headers: 2,
        ..limits
    };
    assert!(parse(&mut memo, HEAD, &strict).contains("TooManyHeaders"));
    assert!(is_known(&memo, HEAD, &limits));
}

#[test]
fn what_is_kept_is_bounded() {
    let limits = HeadLimits::default();
    for (bytes, kept) in [(MAX_MEMO_BYTES, true), (MAX_MEMO_BYTES + 1, false)] {
        let mut memo = RequestMemo::default();
        let filler = "a".repeat(bytes - HEAD.len() + 1);
        let head = HEAD.replace(": 1\r", &format!(": {filler}\r"));
        assert_eq!(head.len(), bytes);
        parse(&mut memo, &head, &limits);
        assert_eq!(is_known(&memo, &head, &limits), kept, "{bytes}");
        assert!(memo.template.head.capacity() <= MAX_MEMO_BYTES);
    }
    for (digits, kept) in [(MAX_DIGITS, true), (MAX_DIGITS + 1, false)] {
        let mut memo = RequestMemo::default();
        let head = HEAD.replace("10\r", &format!("{}\r", "1".repeat(digits)));
        parse(&mut memo, &head, &limits);
        assert_eq!(is_known(&memo, &head, &limits), kept, "{digits}");
    }
}

#[test]
fn heads_that_all_differ_are_kept_rarely() {
    let (mut memo, limits) = (RequestMemo::default(), HeadLimits::default());
    let kept = (0..10 * RARELY)
        .filter(|id| {
            let head = HEAD.replace(": 1\r", &format!(": {id}\r"));
            parse(&mut memo, &head, &limits);
            is_known(&memo, &head, &limits)
        })
        .count();
    assert!(
        (MISSES..MISSES + 12).contains(&u32::try_from(kept).unwrap()),
        "{kept}"
    );
    // Once they are the same again, it is seen.
    let known = (0..=RARELY).any(|_| {
        parse(&mut memo, HEAD, &limits);
        is_known(&memo, HEAD, &limits)
    });
    assert!(known);
}
