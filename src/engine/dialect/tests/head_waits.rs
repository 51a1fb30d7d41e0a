//! Which of a head's fields count, and when: windows that are not used up, the IETF's combined field, points in time of every unit.

use super::*;

const NOW: u64 = 1_700_000_000;

/// What several fields came to, in milliseconds: asked for, and the window's end.
fn read(fields: &[(&str, &str)]) -> (Option<u128>, Option<u128>) {
    let mut waits = HeadWaits::default();
    for (name, value) in fields {
        waits.take(name.as_bytes(), value.as_bytes(), NOW);
    }
    let millis = |wait: Option<Duration>| wait.map(|wait| wait.as_millis());
    (millis(waits.asked()), millis(waits.window()))
}

#[test]
fn each_name_is_read() {
    for name in WAIT_HEADERS {
        assert_eq!(name, name.to_ascii_lowercase());
        let value = match name {
            "ratelimit" => "t=7",
            "retry-after-ms" => "7000",
            _ => "7",
        };
        let read = hold_off_from_header(name, value, NOW);
        let due = (!name.contains("remaining")).then(|| Duration::from_secs(7));
        assert_eq!(read, due, "{name}");
    }
    assert_eq!(hold_off_from_header("x-ratelimit-limit", "7", NOW), None);
}

#[test]
fn a_window_of_which_something_is_left_is_no_wait() {
    for (left, wait) in [
        ("0", Some(7000)),
        ("0.5", Some(7000)),
        ("00", Some(7000)),
        (" 0 ", Some(7000)),
        ("1", None),
        ("1.5", None),
        ("99999999999999999999", None),
        // What is no number says nothing.
        ("-1", Some(7000)),
        ("", Some(7000)),
        ("none", Some(7000)),
        ("9, 9;w=1", Some(7000)),
    ] {
        for (remaining, reset) in [
            ("RateLimit-Remaining", "RateLimit-Reset"),
            ("x-ratelimit-remaining", "x-ratelimit-reset"),
            ("x-ratelimit-remaining", "x-ratelimit-reset-after"),
            ("x-rate-limit-remaining", "x-rate-limit-reset"),
            (
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
            ),
            ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        ] {
            let fields = [(remaining, left), (reset, "7")];
            assert_eq!(read(&fields), (None, wait), "{fields:?}");
            let fields = [(reset, "7"), (remaining, left)];
            assert_eq!(read(&fields), (None, wait), "{fields:?}");
        }
    }
}

#[test]
fn of_several_windows_the_used_up_ones_count_and_of_those_the_last() {
    let requests = ("x-ratelimit-reset-requests", "1s");
    let tokens = ("x-ratelimit-reset-tokens", "6m0s");
    assert_eq!(read(&[requests, tokens]), (None, Some(360_000)));
    for (left_requests, left_tokens, wait) in [
        ("0", "150000", Some(1000)),
        ("59", "0", Some(360_000)),
        ("0", "0", Some(360_000)),
        ("59", "150000", None),
    ] {
        let fields = [
            ("x-ratelimit-remaining-requests", left_requests),
            ("x-ratelimit-remaining-tokens", left_tokens),
            requests,
            tokens,
        ];
        assert_eq!(read(&fields), (None, wait), "{left_requests} {left_tokens}");
    }
    // Lines of one name: one that says "used up" is believed.
    let twice = [
        ("ratelimit-remaining", "5"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "2"),
        ("ratelimit-reset", "9"),
    ];
    assert_eq!(read(&twice), (None, Some(9000)));
}

#[test]
fn what_is_asked_for_is_told_apart_from_windows() {
    let fields = [
        ("Retry-After", "2"),
        ("retry-after-ms", "2500"),
        ("x-retry-after", "1"),
        ("retry-after", "soon"),
        ("x-ratelimit-reset", "60"),
    ];
    assert_eq!(read(&fields), (Some(2500), Some(60_000)));
    let mut waits = HeadWaits::default();
    waits.ask(Some(Duration::ZERO));
    assert_eq!(waits.asked(), None);
    waits.ask(Some(Duration::MAX));
    waits.ask(None);
    assert_eq!(waits.asked(), Some(MAX_HOLD_OFF));
}

#[test]
fn a_window_counts_for_a_throttle_that_asks_for_no_wait() {
    let seconds = |s| Some(Duration::from_secs(s));
    let hold_off = |code, message, http_status, retry_after| {
        let observed = Observed {
            http_status,
            retry_after,
            window: seconds(60),
            ..error(code, message)
        };
        classify(&observed).hold_off
    };
    assert_eq!(hold_off(-32005, "rate limit", 200, None), seconds(60));
    assert_eq!(hold_off(-32005, "rate limit", 200, seconds(2)), seconds(2));
    assert_eq!(
        hold_off(-32005, "rate limit, try again in 5s", 200, seconds(2)),
        seconds(5)
    );
    assert_eq!(hold_off(-32603, "Internal error", 429, None), seconds(60));
    assert_eq!(hold_off(-32603, "Internal error", 500, None), None);
    assert_eq!(hold_off(3, "execution reverted", 200, None), None);
}

#[test]
fn the_combined_field_is_read_policy_by_policy() {
    for (value, wait) in [
        ("limit=100, remaining=0, reset=30", Some(30_000)),
        ("limit=100, remaining=1, reset=30", None),
        ("limit=100,reset=30,remaining=1", None),
        ("limit=100, reset=30", Some(30_000)),
        (r#""default";r=0;t=12"#, Some(12_000)),
        (r#""default";r=3;t=12"#, None),
        ("default;r=0;t=12", Some(12_000)),
        ("default; t=12; r=1", None),
        (r#""burst";r=0;t=2, "day";r=9;t=600"#, Some(2000)),
        (r#""burst";r=4;t=2, "day";r=0;t=600"#, Some(600_000)),
        (r#""burst";r=0;t=2,"day";t=600;r=0"#, Some(600_000)),
        (r#""burst";r=4;t=2,"day";t=600;r=9"#, None),
        (r#""a,b;t=900=";r=0;t=5;pk=:c29tZQ==:"#, Some(5000)),
        (r#""burst";r=0"#, None),
        ("t=soon;reset=", None),
        ("r=0;t=0", None),
        ("r=0;t=-1", None),
        ("r=0;t=99999999999999999999", Some(3_600_000)),
        ("\"open;r=0;t=5", None),
        (",;,=;;", None),
        ("", None),
    ] {
        assert_eq!(read(&[("RateLimit", value)]), (None, wait), "{value}");
    }
    // One policy a line.
    let lines = [
        ("ratelimit", "day;r=5;t=600"),
        ("ratelimit", "second;r=0;t=1"),
    ];
    assert_eq!(read(&lines), (None, Some(1000)));
}

#[test]
fn points_in_time_are_read_in_every_unit() {
    for (point, wait) in [
        ("1700000030", Some(30_000)),
        ("1700000030.25", Some(30_250)),
        ("1700000030250", Some(30_250)),
        ("1700000030250000", Some(30_250)),
        ("1700000030250000000", Some(30_250)),
        ("1700000030250000001", Some(30_251)),
        ("1699999999999999999", None),
        ("1700000000000000", None),
        ("1000000000", None),
        ("999999999", Some(3_600_000)),
        ("18446744073709551615", Some(3_600_000)),
    ] {
        for name in ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"] {
            assert_eq!(read(&[(name, point)]), (None, wait), "{name}: {point}");
        }
    }
}

proptest! {
    #[test]
    fn any_fields_come_to_bounded_waits(
        fields in proptest::collection::vec((0..WAIT_HEADERS.len(), "[\"rt=,;0-9 a-z.]{0,24}"), 0..6),
        now in any::<u64>(),
    ) {
        let mut waits = HeadWaits::default();
        for (name, value) in &fields {
            waits.take(WAIT_HEADERS[*name].as_bytes(), value.as_bytes(), now);
        }
        for wait in [waits.asked(), waits.window()].into_iter().flatten() {
            prop_assert!(!wait.is_zero() && wait <= MAX_HOLD_OFF);
        }
    }
}
