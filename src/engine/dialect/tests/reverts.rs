//! Every vendor's revert ends in the form that clients decode, and nothing that is not a revert does.

use alloc::format;

use super::*;

/// `Error("no")`.
const ENCODED: &str = "0x08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000026e6f000000000000000000000000000000000000000000000000000000000000";

fn normalized(code: i64, message: &str, data: &str) -> Option<(bool, alloc::string::String)> {
    let verdict = classify(&Observed {
        data,
        ..error(code, message)
    });
    assert_eq!(verdict.class, FaultClass::Execution, "{message}");
    verdict.normalized.map(|own| {
        let hex = own.hex(message, data).into();
        let Normalized::Revert { keeps_message, .. } = own;
        (keeps_message, hex)
    })
}

#[test]
fn the_usual_form_is_left_alone() {
    assert_eq!(normalized(3, "execution reverted: no", ENCODED), None);
    assert_eq!(normalized(3, "execution reverted", "0x"), None);
    assert_eq!(normalized(3, "execution reverted", ""), None);
}

#[test]
fn every_other_spelling_is_brought_into_it() {
    let nested = format!(
        "{{\"message\":\"Error: VM Exception\",\"txHash\":\"0x12\",\"data\":\"{ENCODED}\"}}"
    );
    let ganache = format!(
        "{{\"0xabcd\":{{\"error\":\"revert\",\"program_counter\":1,\"return\": \"{ENCODED}\",\"reason\":\"no\"}}}}"
    );
    let parity = format!("Reverted {ENCODED}");
    for (code, message, data, keeps_message, expected) in [
        (-32000, "execution reverted", ENCODED, true, ENCODED),
        (-32000, "execution reverted: no", "", true, "0x"),
        (-32015, "VM execution error.", &parity, false, ENCODED),
        (-32015, "VM execution error.", "revert", false, "0x"),
        (3, "execution reverted", &parity, true, ENCODED),
        (
            -32603,
            "Error: VM Exception while processing transaction: reverted with reason string 'no'",
            &nested,
            true,
            ENCODED,
        ),
        (
            -32000,
            "VM Exception while processing transaction: revert no",
            &ganache,
            true,
            ENCODED,
        ),
        (
            -32008,
            "execution reverted: CONTRACT_REVERT_EXECUTED",
            ENCODED,
            true,
            ENCODED,
        ),
        (-32000, "call failed", ENCODED, false, ENCODED),
        (3, "?", "", false, "0x"),
    ] {
        let expected = (code != 3 || !data.is_empty()).then(|| (keeps_message, expected.into()));
        assert_eq!(
            normalized(code, message, data),
            expected,
            "{code} {message}"
        );
    }
}

#[test]
fn data_in_the_message_is_found_there() {
    let message = format!("execution reverted: {ENCODED} at 0x12");
    assert_eq!(
        normalized(-32000, &message, ""),
        Some((true, ENCODED.into()))
    );
}

#[test]
fn odd_or_broken_hex_is_not_passed_on() {
    for data in [
        "0x123",
        "Reverted 0x123",
        "{\"data\":\"0x12",
        "{\"data\":\"0x123\"}",
        "{\"data\":12}",
    ] {
        assert_eq!(
            normalized(-32000, "execution reverted", data),
            Some((true, "0x".into())),
            "{data}"
        );
    }
}

#[test]
fn a_halt_keeps_its_own_words() {
    for message in [
        "out of gas",
        "invalid opcode: INVALID",
        "EVM error: InvalidJump",
        "stack underflow (0 <=> 1)",
    ] {
        assert_eq!(normalized(-32000, message, ""), None, "{message}");
    }
}

#[test]
fn a_submitted_transactions_revert_keeps_its_own_words() {
    let observed = Observed {
        method: "eth_sendRawTransaction",
        ..error(
            -32603,
            "Error: VM Exception while processing transaction: reverted with reason string 'no'",
        )
    };
    let verdict = classify(&observed);
    assert_eq!(
        (verdict.class, verdict.normalized),
        (FaultClass::Execution, None)
    );
}

#[test]
fn a_result_is_a_revert_only_if_it_can_be_nothing_else() {
    let quoted = |hex: &str| format!("\"{hex}\"");
    let verdict = check_result("eth_call", quoted(ENCODED).as_bytes()).unwrap();
    assert_eq!(
        (verdict.class, verdict.rule),
        (FaultClass::Execution, "revert_as_result")
    );
    assert_eq!(
        verdict.normalized.unwrap().hex("", &quoted(ENCODED)),
        ENCODED
    );
    let upper = format!("0x{}", ENCODED.get(2..).unwrap().to_uppercase());
    assert!(check_result("eth_call", quoted(&upper).as_bytes()).is_some());

    // Return values that begin alike: cut, longer, with text in the padding, with another offset, an unknown panic.
    let one_digit_less = ENCODED.get(..ENCODED.len() - 2).unwrap();
    let one_word_more = format!("{ENCODED}{}", "0".repeat(64));
    let dirty_padding = format!("{}1", ENCODED.get(..ENCODED.len() - 1).unwrap());
    let other_offset = ENCODED.replacen("20", "40", 1);
    let unknown_panic = format!("0x4e487b71{}99", "0".repeat(62));
    let huge_length = format!("0x08c379a0{:064x}{}", 32, "f".repeat(64));
    for value in [
        "0x",
        "0x08c379a0",
        "0x4e487b71",
        one_digit_less,
        &one_word_more,
        &dirty_padding,
        &other_offset,
        &unknown_panic,
        &huge_length,
    ] {
        assert_eq!(
            check_result("eth_call", quoted(value).as_bytes()),
            None,
            "{value}"
        );
    }
    assert_eq!(
        check_result("eth_getStorageAt", quoted(ENCODED).as_bytes()),
        None
    );
    assert_eq!(check_result("eth_call", b"null"), None);
    assert_eq!(check_result("eth_call", b""), None);
}

#[test]
fn a_trace_that_quotes_the_words_elsewhere_is_a_trace() {
    let quoted = br#"{"output":"execution timeout","reason":"error: execution timeout"}"#;
    assert_eq!(check_result("debug_traceTransaction", quoted), None);
}
