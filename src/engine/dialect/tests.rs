//! Every rule is reached by what it was written for; the traps that others fell into; hints; reverts; bodies that are no JSON;
//! and the fixtures, with what the client libraries make of them.

mod clients;
mod head_waits;
mod hints;
mod reverts;
mod shadow;
mod statuses;
mod transparency;
mod traps;
mod vectors;

use alloc::boxed::Box;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::method::Pattern;

/// An error with the usual surroundings, for tests that care about code and message only.
fn error(code: i64, message: &str) -> Observed<'_> {
    Observed {
        provider: "node",
        host: "127.0.0.1",
        method: "eth_call",
        http_status: 200,
        code: Some(code),
        message,
        ..Observed::default()
    }
}

fn class_of(code: i64, message: &str) -> FaultClass {
    classify(&error(code, message)).class
}

#[test]
fn what_no_rule_knows_is_unclassified() {
    let verdict = classify(&error(-32000, "the cat sat on the keyboard"));
    assert_eq!(
        (verdict.class, verdict.rule),
        (FaultClass::Unclassified, "unclassified")
    );
    assert_eq!(
        classify(&Observed::default()).class,
        FaultClass::Unclassified
    );
}

#[test]
fn an_override_is_tried_before_everything() {
    let own = [Override {
        code: Some(-32000),
        http_status: None,
        method: Some(Pattern::new("eth_*").unwrap()),
        contains: Some(Box::from("Execution REVERTED")),
        class: FaultClass::RateLimited,
        hold_off: Some(Duration::from_secs(3)),
    }];
    let reverted = error(-32000, "execution reverted: no");
    let verdict = classify_with(&reverted, &own);
    assert_eq!(
        (verdict.class, verdict.rule),
        (FaultClass::RateLimited, "override")
    );
    assert_eq!(verdict.hold_off, Some(Duration::from_secs(3)));

    let other_method = Observed {
        method: "debug_traceCall",
        ..reverted
    };
    assert_eq!(
        classify_with(&other_method, &own).class,
        FaultClass::Execution
    );
    let other_code = error(3, "execution reverted: no");
    assert_eq!(
        classify_with(&other_code, &own).class,
        FaultClass::Execution
    );
}

#[test]
fn only_the_declared_part_of_a_long_text_is_looked_at() {
    let within = [&"x".repeat(MAX_MESSAGE_BYTES - 16)[..], "header not found"].concat();
    let beyond = [&"x".repeat(MAX_MESSAGE_BYTES), "header not found"].concat();
    assert_eq!(class_of(-32000, &within), FaultClass::MissingData);
    assert_eq!(class_of(-32000, &beyond), FaultClass::Unclassified);
    // The end of the part that is looked at is not the end of the text.
    assert!(
        text::Folded::<4>::new("abcd").has("abcd$")
            && !text::Folded::<4>::new("abcde").has("abcd$")
    );
}

proptest! {
    #[test]
    fn any_error_has_a_verdict(
        message in ".{0,200}", data in ".{0,80}", code in proptest::option::of(any::<i64>()), http_status in any::<u16>(),
        method in "[a-zA-Z_]{0,30}", host in "[a-z.]{0,30}",
    ) {
        let verdict = classify(&Observed { provider: "p", host: &host, method: &method, http_status, code,
            message: &message, data: &data, retry_after: None, window: None });
        prop_assert!(verdict.hold_off.is_none_or(|wait| wait <= MAX_HOLD_OFF));
        if let Some(normalized) = &verdict.normalized {
            prop_assert!(normalized.hex(&message, &data).starts_with("0x"));
        }
    }

    #[test]
    fn pieces_of_known_texts_never_panic(
        pieces in proptest::collection::vec(prop_oneof![
            Just("execution reverted"), Just("0x08c379a0"), Just("\"data\":\""), Just("limited to "), Just("[0x"), Just(", 0x"),
            Just("]"), Just("try again in "), Just("99999999999999999999"), Just("k"), Just("\"backoff_seconds\":"), Just("é"), Just("."),
            Just("block #"), Just(" not found"), Just("Reverted "), Just("\"from\":\"0x"), Just("\"to\":\"0xf"), Just("h"), Just("ms"),
        ], 0..12),
        code in prop_oneof![Just(3_i64), Just(-32000), Just(-32005), Just(-32015), Just(-32602)],
    ) {
        let text = pieces.concat();
        let mut observed = error(code, &text);
        observed.data = &text;
        let verdict = classify(&observed);
        if let Some(normalized) = &verdict.normalized {
            prop_assert!(normalized.hex(&text, &text).starts_with("0x"));
        }
        let _ = check_result("eth_call", text.as_bytes());
    }

    #[test]
    fn any_body_is_a_fault(body in proptest::collection::vec(any::<u8>(), 0..200), status in any::<u16>(), json in any::<bool>()) {
        let verdict = classify_status(&HttpAnswer {
            status, content_type_is_json: json, body_prefix: &body, ..HttpAnswer::default()
        });
        prop_assert!(!verdict.class.traits().answered || status >= 400);
    }

    #[test]
    fn any_header_is_read_or_ignored(value in ".{0,40}", now in 0_u64..4_000_000_000) {
        for name in WAIT_HEADERS {
            prop_assert!(hold_off_from_header(name, &value, now).is_none_or(|wait| wait <= MAX_HOLD_OFF));
        }
    }

    #[test]
    fn a_duration_of_go_is_read_to_the_millisecond(hours in 0_u64..3, minutes in 0_u64..60, millis in 0_u64..60_000) {
        let whole = ((hours * 60 + minutes) * 60) * 1000 + millis;
        let (seconds, rest) = (millis / 1000, millis % 1000);
        let written = alloc::format!("{hours}h{minutes}m{seconds}.{rest:03}s");
        let due = Duration::from_millis(whole).min(MAX_HOLD_OFF);
        for name in ["retry-after", "x-ratelimit-reset"] {
            let read = hold_off_from_header(name, &written, 1_700_000_000);
            prop_assert_eq!(read, (whole > 0).then_some(due));
        }
    }

    #[test]
    fn any_result_can_be_checked(result in proptest::collection::vec(any::<u8>(), 0..300)) {
        let quoted = [b"\"0x08c379a0", &result[..], b"\""].concat();
        prop_assert!(check_result("eth_getBalance", &quoted).is_none());
        let _ = check_result("eth_call", &quoted);
        let _ = check_result("debug_traceCall", &result);
    }
}
