//! Numbers out of texts: waits and ranges, and the small pattern language they are found with.

use super::super::text::occurs;
use super::*;

fn range_of(message: &str) -> RangeHint {
    classify(&error(-32602, message)).range.unwrap()
}

#[test]
fn limits_are_read_from_the_vendors_own_words() {
    use LimitUnit::{Addresses, Blocks, Bytes, Results};
    for (message, unit, limit) in [
        (
            "You can make eth_getLogs requests with up to a 500 block range. Based on your parameters, this block range should work: [0x10, 0x203]",
            Blocks,
            500,
        ),
        (
            "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the response size",
            Blocks,
            2000,
        ),
        ("query returned more than 10000 results", Results, 10_000),
        ("range 1000000 exceeds limit of 10000", Blocks, 10_000),
        (
            "This query contains 6000 filters. The current limit is 5000",
            Addresses,
            5000,
        ),
        (
            "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range",
            Blocks,
            10_000,
        ),
        (
            "eth_getLogs is limited to 0 - 10000 blocks range",
            Blocks,
            10_000,
        ),
        (
            "requested too many blocks from 1 to 9999, maximum is set to 2048",
            Blocks,
            2048,
        ),
        ("exceed maximum block range: 50000", Blocks, 50_000),
        ("maximum [from, to] blocks distance: 3000", Blocks, 3000),
        (
            "exceeds the range allowed for your plan (10000 > 500).",
            Blocks,
            500,
        ),
        (
            "response size should not greater than 2097152 bytes",
            Bytes,
            2_097_152,
        ),
        ("max is 10k blocks", Blocks, 10_000),
        (
            "please limit the query to at most 1000 blocks",
            Blocks,
            1000,
        ),
        (
            "Maximum allowed number of requested blocks is 1000",
            Blocks,
            1000,
        ),
        (
            "too wide blocks range, the limit is 100000",
            Blocks,
            100_000,
        ),
        ("query must be smaller than size 1024", Blocks, 1024),
        ("block range is too wide (maximum 1024)", Blocks, 1024),
        ("ranges over 10000 blocks are not supported", Blocks, 10_000),
        (
            "logs matched by query exceeds limit of 10000",
            Results,
            10_000,
        ),
    ] {
        let hint = range_of(message);
        assert_eq!((hint.unit, hint.limit), (unit, Some(limit)), "{message}");
    }
}

#[test]
fn a_limit_that_is_not_named_is_not_invented() {
    for message in [
        "block range is too wide",
        "Try with this block range [0x1, 0x2]",
        "Please specify an address in your request",
        "limited to a 0x10",
    ] {
        assert_eq!(
            classify(&error(-32000, message))
                .range
                .and_then(|hint| hint.limit),
            None,
            "{message}"
        );
    }
}

#[test]
fn a_suggested_range_is_read_in_both_spellings_and_from_data() {
    let suggested = Some((0x10, 0x203));
    for message in [
        "this block range should work: [0x10, 0x203]",
        "Try with this block range [0x10,0x203].",
        "this block range should work: [0xzz], [0x10, 0x203]",
    ] {
        assert_eq!(
            range_of(message).suggested,
            suggested.filter(|_| !message.contains("zz")),
            "{message}"
        );
    }
    let mut observed = error(-32005, "query returned more than 10000 results");
    observed.data = r#"{"from":"0x10","limit":10000,"to":"0x203"}"#;
    assert_eq!(classify(&observed).range.unwrap().suggested, suggested);
    assert_eq!(
        range_of("this block range should work: [0x203, 0x10]").suggested,
        None,
        "backwards"
    );
}

#[test]
fn waits_are_read_with_their_units() {
    for (text, millis) in [
        ("rate limit, try again in 7", 7000),
        ("rate limit, retry in 250ms", 250),
        ("rate limit, retry after 2 minutes", 120_000),
        ("too many requests, please wait 1.5 seconds", 1500),
        ("rate limit, resets in 1h", 3_600_000),
        ("rate limit, try again in 5h", 3_600_000),
        ("rate limit, try again in 5.", 5000),
        ("rate limit, try again in 1m30s.", 90_000),
        ("rate limit, try again in 20ms. Limit: 3", 20),
        ("rate limit, try again in 2s 3 more times", 2000),
        ("rate limit, try again in 2 hits", 2000),
        ("rate limit, try again in 99999999999999999999s", 3_600_000),
    ] {
        assert_eq!(
            classify(&error(-32005, text)).hold_off,
            Some(Duration::from_millis(millis)),
            "{text}"
        );
    }
    assert_eq!(
        classify(&error(-32005, "rate limit, try again in a while")).hold_off,
        None
    );
    assert_eq!(
        classify(&error(-32005, "rate limit, try again in 0s")).hold_off,
        None
    );
    // A wait says nothing where time heals nothing.
    assert_eq!(
        classify(&error(-32000, "execution reverted: try again in 5s")).hold_off,
        None
    );
}

#[test]
fn headers_are_read_in_all_their_forms() {
    // 1994-11-06 08:49:37 UTC.
    const POINT: u64 = 784_111_777;
    let wait =
        |name, value, now| hold_off_from_header(name, value, now).map(|wait| wait.as_millis());
    assert_eq!(wait("Retry-After", "120", 0), Some(120_000));
    assert_eq!(wait("retry-after", "0.25", 0), Some(250));
    assert_eq!(
        wait("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT", POINT - 9),
        Some(9000)
    );
    assert_eq!(
        wait("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT", POINT + 9),
        None
    );
    assert_eq!(
        wait(
            "Retry-After",
            "Thu, 29 Feb 2024 00:00:00 GMT",
            1_709_164_800 - 1
        ),
        Some(1000)
    );
    assert_eq!(wait("retry-after-ms", "1500", 0), Some(1500));
    assert_eq!(wait("x-ratelimit-reset", "30", 5), Some(30_000));
    assert_eq!(
        wait("x-ratelimit-reset", "1700000030", 1_700_000_000),
        Some(30_000)
    );
    assert_eq!(
        wait("x-ratelimit-reset", "1700000030000", 1_700_000_000),
        Some(30_000)
    );
    assert_eq!(wait("x-ratelimit-reset", "1700000030", 1_800_000_000), None);
    assert_eq!(
        wait("Retry-After", "999999999", 0),
        Some(MAX_HOLD_OFF.as_millis())
    );
    for nonsense in [
        "",
        "soon",
        "-5",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
    ] {
        assert_eq!(wait("Retry-After", nonsense, 0), None, "{nonsense}");
    }
    let most = Some(MAX_HOLD_OFF.as_millis());
    for name in ["Retry-After", "retry-after-ms", "x-ratelimit-reset"] {
        for huge in ["18446744073709551615", "99999999999999999999999999"] {
            assert_eq!(wait(name, huge, 1_700_000_000), most, "{name}: {huge}");
        }
    }
    assert_eq!(wait("x-other", "5", 0), None);
    assert_eq!(wait("x-ratelimit-reset-after", "1.5", 0), Some(1500));
    assert_eq!(wait("x-ratelimit-retry-after", "7", 0), Some(7000));
    assert_eq!(
        wait("RateLimit", "limit=100, remaining=0, reset=30", 0),
        Some(30_000)
    );
}

#[test]
fn headers_are_read_as_vendors_write_durations() {
    let names = [
        "retry-after",
        "x-ratelimit-reset",
        "x-ratelimit-reset-after",
    ];
    for (value, millis) in [
        ("2.5", Some(2500)),
        ("2.0", Some(2000)),
        (" 3 ", Some(3000)),
        ("500ms", Some(500)),
        ("500 ms", Some(500)),
        ("1s", Some(1000)),
        ("1.5s", Some(1500)),
        ("12S", Some(12_000)),
        ("3m", Some(180_000)),
        ("2m30s", Some(150_000)),
        ("6m0s", Some(360_000)),
        ("1m30.951s", Some(90_951)),
        ("7m12.5s", Some(432_500)),
        ("59m59.999999999s", Some(3_600_000)),
        ("1h0m0s", Some(3_600_000)),
        ("1 minute", Some(60_000)),
        ("1d", Some(3_600_000)),
        ("2562047h47m16.854775807s", Some(3_600_000)),
        (
            "99999999999999999999h99999999999999999999m",
            Some(3_600_000),
        ),
        // Up to the millisecond.
        ("0.0001", Some(1)),
        ("1.0000000001", Some(1001)),
        ("1.5µs", Some(1)),
        ("1ns", Some(1)),
        // No wait.
        ("0", None),
        ("0s", None),
        ("0m0s", None),
        ("0.000", None),
        // Nonsense.
        ("1.", None),
        (".5", None),
        ("1..5", None),
        ("1.5.2", None),
        ("-1s", None),
        ("+1", None),
        ("1e3", None),
        ("0x10", None),
        ("1s2", None),
        ("1m 30s", None),
        ("s", None),
        ("5 apples", None),
        ("5,5", None),
        ("2026-11-28T00:00:00Z", None),
        ("NaN", None),
        ("inf", None),
        ("", None),
    ] {
        for name in names {
            let wait = hold_off_from_header(name, value, 0).map(|wait| wait.as_millis());
            assert_eq!(wait, millis, "{name}: {value}");
        }
    }
    // A unit makes a duration of what would be a point in time.
    let reset = |value| hold_off_from_header("x-ratelimit-reset", value, 1_700_000_000);
    assert_eq!(reset("1700000001.5"), Some(Duration::from_millis(1500)));
    assert_eq!(reset("1700000001500.2"), Some(Duration::from_millis(1501)));
    assert_eq!(reset("1700000030s"), Some(MAX_HOLD_OFF));
    assert_eq!(reset("1700000030 apples"), None);
    let millis = |value| hold_off_from_header("retry-after-ms", value, 0);
    assert_eq!(millis("0.5"), Some(Duration::from_millis(1)));
    assert_eq!(millis("2s"), Some(Duration::from_secs(2)));
}

/// All values of up to five of the pieces that durations are made of.
#[test]
fn every_short_value_is_a_bounded_wait_or_none() {
    const PIECES: [&str; 9] = [
        "0",
        "7",
        "99999999999999999999",
        ".",
        "-",
        " ",
        "s",
        "m",
        "µ",
    ];
    let mut values = vec![alloc::string::String::new()];
    let mut from = 0;
    for _ in 0..5 {
        let to = values.len();
        for at in from..to {
            for piece in PIECES {
                let longer = [values[at].as_str(), piece].concat();
                values.push(longer);
            }
        }
        from = to;
    }
    let mut read = 0;
    for value in &values {
        for name in ["retry-after", "x-ratelimit-reset", "ratelimit"] {
            let wait = hold_off_from_header(name, value, 1_700_000_000);
            assert!(
                wait.is_none_or(|wait| !wait.is_zero() && wait <= MAX_HOLD_OFF),
                "{name}: {value}"
            );
            assert!(wait.is_none() || !value.contains('-'), "{value}");
            read += usize::from(wait.is_some());
        }
        let text = ["rate limit, try again in ", value].concat();
        let wait = classify(&error(-32005, &text)).hold_off;
        assert!(wait.is_none_or(|wait| wait <= MAX_HOLD_OFF), "{text}");
    }
    assert!(read > 1000, "{read}");
}

#[test]
fn patterns_mean_what_they_say() {
    let has = |text: &str, pattern: &str| occurs(text.as_bytes(), pattern.as_bytes());
    assert!(
        has("block #1234 not found", "block #%n not found")
            && !has("block # not found", "block #%n not found")
    );
    assert!(
        has("up to a 10,000 block range", "up to a %n block")
            && !has("up to a , block range", "up to a %n block")
    );
    assert!(
        has("block 0xab not found", "block %h not found")
            && !has("block ab not found", "block %h not found")
    );
    assert!(has(
        "state at 0x1 is not available",
        "state %* is not available"
    ));
    assert!(has("state is not available", "state%* is not available"));
    assert!(
        has("rejected", "^rejected$")
            && !has("rejected.", "^rejected$")
            && !has("tx rejected", "^rejected$")
    );
    assert!(has("a b c", "^a%*c$") && !has("a b c d", "^a%*c$") && has("c a c b c", "a%*c$"));
    assert!(has("100% not sure", "100% not sure"));
    assert!(has("", "") && !has("", "x"));
}
