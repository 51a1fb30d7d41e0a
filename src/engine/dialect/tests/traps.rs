//! Mistakes that other proxies made and paid for, one test each.

use super::*;
use FaultClass as C;

#[test]
fn trap_1_broad_words_alone_decide_nothing() {
    for text in [
        "limit",
        "request",
        "upgrade",
        "paid",
        "subscription",
        "not available",
        "pruned",
        "EOF in the arguments",
        "Other",
        "quicknode",
        "exceeds limit",
        "malformed",
    ] {
        assert_eq!(class_of(-32000, text), C::Unclassified, "{text}");
    }
    // A filter that is named after a plan is a filter.
    assert_eq!(class_of(-32000, "subscription not found"), C::Unclassified);
    assert_eq!(class_of(-32000, "block not found"), C::MissingData);
    assert_eq!(
        class_of(-32000, "insufficient funds for transfer"),
        C::TxTerminal
    );
}

#[test]
fn trap_2_data_is_never_part_of_the_message() {
    let mut sent = error(-32603, "rejected");
    sent.method = "eth_sendRawTransaction";
    sent.data = "{\"trace\":\"abc\"}";
    assert_eq!(classify(&sent).rule, "evicted");
    sent.message = "transaction rejected";
    assert_ne!(classify(&sent).rule, "evicted");
    // jsonrpsee's size message is in data too; the prefix alone must not make a size error of others.
    let mut other = error(-32000, "something");
    other.data = "Exceeded max limit of 167772160";
    assert_eq!(classify(&other).class, C::Unclassified);
    other.message = "Response is too big";
    let verdict = classify(&other);
    assert_eq!(verdict.class, C::CapabilityRange);
    assert_eq!(verdict.range.unwrap().limit, Some(167_772_160));
}

#[test]
fn trap_4_a_range_error_under_the_params_code_is_a_range_error() {
    assert_eq!(
        class_of(-32602, "range 1000000 exceeds limit of 10000"),
        C::CapabilityRange
    );
    assert_eq!(
        class_of(
            -32602,
            "Log response size exceeded. this block range should work: [0x1, 0x2]"
        ),
        C::CapabilityRange
    );
    assert_eq!(
        class_of(-32600, "block range is too wide"),
        C::CapabilityRange
    );
    assert_eq!(
        class_of(-32602, "invalid argument 0: hex string has odd length"),
        C::Client
    );
}

#[test]
fn trap_5_minus_32000_alone_gets_one_more_opinion() {
    let verdict = classify(&error(-32000, "no idea"));
    assert_eq!(
        verdict.class.traits().retry_other,
        crate::fault::RetryOther::Once
    );
}

#[test]
fn trap_6_an_invalid_range_is_missing_data_with_two_vendors_only() {
    for (provider, expected) in [
        ("drpc", C::MissingData),
        ("hyperliquid", C::MissingData),
        ("node", C::Client),
    ] {
        let observed = Observed {
            provider,
            ..error(-32602, "invalid block range")
        };
        assert_eq!(classify(&observed).class, expected, "{provider}");
    }
    let from_geth = Observed {
        provider: "drpc",
        ..error(-32602, "invalid block range params")
    };
    assert_eq!(classify(&from_geth).class, C::Client);
}

#[test]
fn trap_7_a_cancelled_attempt_weighs_nothing() {
    // Our own cancels never reach the rules: the driver names them. Their class must weigh nothing.
    let traits = C::Cancelled.traits();
    assert_eq!((traits.breaker_weight, traits.score_weight), (0, 0));
    // What the upstream's own chain of proxies cancelled is its time-out, and may be asked elsewhere.
    assert_eq!(class_of(-32000, "context canceled"), C::Timeout);
}

#[test]
fn trap_8_failures_dressed_as_success() {
    let panic = [&b"\"0x4e487b71"[..], &[b'0'; 62], b"11\""].concat();
    assert_eq!(
        check_result("eth_call", &panic).unwrap().class,
        C::Execution
    );
    let trace = br#"[{"txHash":"0x1","error":"execution timeout"}]"#;
    assert_eq!(
        check_result("debug_traceBlockByNumber", trace)
            .unwrap()
            .class,
        C::Timeout
    );
    assert_eq!(check_result("eth_call", trace), None);
    let page = HttpAnswer {
        status: 200,
        body_prefix: b"<html><body>hello</body></html>",
        ..HttpAnswer::default()
    };
    assert_eq!(classify_status(&page).class, C::Transport);
}

#[test]
fn trap_10_our_allowance_and_their_failure_are_different_classes() {
    for text in [
        "Your app has exceeded its compute units per second capacity",
        "Monthly capacity limit exceeded",
        "over rate limit",
    ] {
        let traits = class_of(-32000, text).traits();
        assert_eq!(
            (traits.breaker_weight, traits.score_weight),
            (0, 0),
            "{text}"
        );
    }
}

#[test]
fn trap_11_waits_are_found_where_vendors_put_them() {
    let mut observed = error(-32005, "project ID request rate exceeded");
    observed.data = r#"{"rate":{"allowed_rps":1,"backoff_seconds":30,"current_rps":1.4}}"#;
    assert_eq!(classify(&observed).hold_off, Some(Duration::from_secs(30)));
    assert_eq!(
        classify(&error(-32005, "rate limit: try again in 7s")).hold_off,
        Some(Duration::from_secs(7))
    );
    assert_eq!(
        hold_off_from_header("X-RateLimit-Reset", "12", 0),
        Some(Duration::from_secs(12))
    );
    observed.retry_after = Some(Duration::from_secs(45));
    assert_eq!(
        classify(&observed).hold_off,
        Some(Duration::from_secs(45)),
        "the longest of them"
    );
}

#[test]
fn trap_12_what_never_heals_is_held_off_for_long() {
    for text in [
        "App is inactive",
        "The team owning this app is inactive. Contact support",
    ] {
        let verdict = classify(&error(-32600, text));
        assert_eq!(verdict.class, C::QuotaBilling, "{text}");
        assert!(
            verdict.hold_off.unwrap() >= Duration::from_secs(30 * 60),
            "{text}"
        );
    }
    // Not even a Retry-After makes it short.
    let hopeful = Observed {
        retry_after: Some(Duration::from_secs(1)),
        ..error(-32600, "App is inactive")
    };
    assert!(classify(&hopeful).hold_off.unwrap() >= Duration::from_secs(30 * 60));
    assert_eq!(class_of(-32000, "apikey is on another chain"), C::Auth);
}

#[test]
fn a_contracts_own_words_are_never_the_nodes() {
    for reason in [
        "rate limit exceeded",
        "block range is too wide",
        "header not found",
        "insufficient funds",
        "nonce too low",
        "App is inactive",
        "method not found",
        "unauthorized",
    ] {
        for opening in [
            "execution reverted: ",
            "VM Exception while processing transaction: revert ",
            "Error: VM Exception while processing transaction: reverted with reason string ",
        ] {
            for code in [3, -32000, -32603, -32015] {
                let text = [opening, reason].concat();
                assert_eq!(class_of(code, &text), C::Execution, "{text}");
            }
        }
    }
}

#[test]
fn a_throttle_never_becomes_a_revert() {
    for code in [3, -32000, -32603, -32015] {
        assert_eq!(
            class_of(code, "too many requests"),
            C::RateLimited,
            "{code}"
        );
    }
}

#[test]
fn a_methods_name_may_hold_any_word() {
    for text in [
        "the method debug_getHistoricalState does not exist/is not available",
        "the method eth_blockNotFound does not exist/is not available",
        "the method foo_rateState does not exist/is not available",
    ] {
        assert_eq!(class_of(-32601, text), C::UnsupportedMethod, "{text}");
    }
}

#[test]
fn one_code_has_many_meanings() {
    for (code, status, method, text, expected) in [
        (-32015, 200, "eth_call", "VM execution error.", C::Execution),
        (-32015, 504, "eth_call", "gateway timeout", C::Timeout),
        (
            -32010,
            200,
            "eth_sendRawTransaction",
            "AlreadyKnown",
            C::TxIdempotent,
        ),
        (-32010, 503, "eth_call", "backend offline", C::Server),
        (-32011, 503, "eth_call", "no backends available", C::Server),
        (
            -32011,
            200,
            "eth_call",
            "request limit reached",
            C::RateLimited,
        ),
        (
            -32012,
            200,
            "eth_call",
            "credits limited to 6000/sec",
            C::RateLimited,
        ),
        (
            -32012,
            429,
            "eth_call",
            "backend over capacity",
            C::RateLimited,
        ),
        (
            -32017,
            200,
            "eth_sendRawTransaction",
            "sender is over rate limit",
            C::TxTerminal,
        ),
        (-32017, 429, "eth_call", "too fast", C::RateLimited),
        (
            -32003,
            200,
            "eth_sendRawTransaction",
            "transaction rejected",
            C::TxTerminal,
        ),
        (
            -32003,
            200,
            "eth_getLogs",
            "response too large",
            C::CapabilityRange,
        ),
        (
            -32001,
            200,
            "eth_call",
            "block not found: 0x16e3600",
            C::MissingData,
        ),
        (
            -32005,
            200,
            "eth_getLogs",
            "query returned more than 10000 results",
            C::CapabilityRange,
        ),
        (-32005, 200, "eth_call", "slow down", C::RateLimited),
        (3, 200, "eth_call", "missing trie node 12", C::MissingData),
        (3, 200, "eth_call", "execution reverted", C::Execution),
        (
            4,
            200,
            "eth_sendRawTransactionSync",
            "not mined in time",
            C::Execution,
        ),
    ] {
        let observed = Observed {
            method,
            http_status: status,
            ..error(code, text)
        };
        assert_eq!(
            classify(&observed).class,
            expected,
            "{code} {status} {text}"
        );
    }
}

#[test]
fn a_transaction_known_to_a_node_is_success_only_where_its_hash_is_the_result() {
    for (method, expected) in [
        ("eth_sendRawTransaction", C::TxIdempotent),
        ("eth_sendRawTransactionSync", C::TxTerminal),
        ("eth_sendTransaction", C::TxTerminal),
        ("eth_call", C::Unclassified),
    ] {
        let observed = Observed {
            method,
            ..error(-32000, "already known")
        };
        assert_eq!(classify(&observed).class, expected, "{method}");
    }
}

/// The one class that turns an error into a success may not be reached by accident.
#[test]
fn nothing_but_a_known_transaction_passes_for_one() {
    for text in [
        "unknown transaction type",
        "unknown transaction",
        "unsupported: unknown transaction version 9",
        "not already in sync",
        "transaction exists not",
        "nonce already used",
        "already spent",
    ] {
        let observed = Observed {
            method: "eth_sendRawTransaction",
            ..error(-32000, text)
        };
        assert_ne!(classify(&observed).class, C::TxIdempotent, "{text}");
    }
}

#[test]
fn replayed_history_does_not_blame_the_sender() {
    for (method, expected) in [
        ("debug_traceTransaction", C::MissingData),
        ("trace_replayTransaction", C::MissingData),
        ("eth_call", C::TxTerminal),
    ] {
        let observed = Observed {
            method,
            ..error(-32000, "insufficient funds for gas * price + value")
        };
        assert_eq!(classify(&observed).class, expected, "{method}");
    }
}
