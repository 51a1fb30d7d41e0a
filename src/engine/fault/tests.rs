//! The table's invariants, and what the emitted codes make the client libraries do.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

#[test]
fn rows_stand_in_the_order_of_the_enumeration() {
    for (position, class) in FaultClass::ALL.into_iter().enumerate() {
        assert_eq!(class.index(), position);
        assert_eq!(class.traits().class, class);
    }
}

#[test]
fn labels_are_unique_snake_case_and_read_back() {
    for class in FaultClass::ALL {
        let label = class.label();
        assert!(
            label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{label}"
        );
        assert_eq!(FaultClass::from_label(label), Some(class));
    }
    assert_eq!(FaultClass::from_label("Transport"), None);
}

#[test]
fn capability_never_weighs_on_health() {
    use FaultClass as C;
    for class in FaultClass::ALL {
        let failing = matches!(class, C::Transport | C::Timeout | C::Server);
        // What nobody understands is preferred less, and trips nothing.
        let doubtful = failing || class == C::Unclassified;
        assert_eq!(
            class.traits().breaker_weight > 0,
            failing,
            "{}",
            class.label()
        );
        assert_eq!(
            class.traits().score_weight > 0,
            doubtful,
            "{}",
            class.label()
        );
        let traits = class.traits();
        assert!(
            !(traits.answered && traits.breaker_weight > 0),
            "{}",
            class.label()
        );
    }
}

#[test]
fn right_answers_and_our_own_refusals_are_not_asked_twice() {
    use FaultClass as C;
    for class in [
        C::Execution,
        C::Client,
        C::TxIdempotent,
        C::TxTerminal,
        C::Cancelled,
        C::DeadlineExceeded,
    ] {
        assert_eq!(
            class.traits().retry_other,
            RetryOther::No,
            "{}",
            class.label()
        );
        assert_eq!(
            class.traits().retry_same,
            RetrySame::No,
            "{}",
            class.label()
        );
    }
}

#[test]
fn effects_that_last_have_a_duration_unless_it_is_configured() {
    for class in FaultClass::ALL {
        let lasting = matches!(
            class.traits().side_effect,
            SideEffect::Quarantine | SideEffect::BanMethod | SideEffect::MarkNotReady
        );
        assert_eq!(
            class.traits().hold_off.is_some(),
            lasting,
            "{}",
            class.label()
        );
    }
    let fault =
        Fault::new(FaultClass::RateLimited, "test").with_hold_off(Some(Duration::from_secs(7)));
    assert_eq!(fault.side_effect_for(), Some(Duration::from_secs(7)));
    assert_eq!(
        Fault::new(FaultClass::Execution, "test").side_effect_for(),
        None
    );
}

#[test]
fn only_what_a_client_should_act_on_leaves_http_200() {
    for class in FaultClass::ALL {
        let emit = emitted(class);
        match class {
            FaultClass::RateLimited | FaultClass::QuotaBilling => {
                assert_eq!(
                    (emit.code, emit.http_status, emit.retry_after),
                    (-32005, 429, true)
                );
            }
            FaultClass::Overloaded => assert_eq!(
                (emit.code, emit.http_status, emit.retry_after),
                (-32005, 503, true)
            ),
            FaultClass::NoUpstream => assert_eq!((emit.code, emit.http_status), (-32603, 503)),
            FaultClass::Cancelled => assert_eq!(emit.http_status, 499),
            _ => assert_eq!(
                (emit.http_status, emit.retry_after),
                (200, false),
                "{}",
                class.label()
            ),
        }
    }
}

#[test]
fn no_throttle_or_billing_text_looks_like_a_revert() {
    for class in FaultClass::ALL {
        let emit = emitted(class);
        assert_eq!(
            emit.code == 3,
            class == FaultClass::Execution,
            "{}",
            class.label()
        );
    }
}

#[test]
fn the_method_is_named_as_geth_names_it_and_clipped() {
    let mut text = String::new();
    emitted(FaultClass::UnsupportedMethod)
        .write_message("eth_nope", &mut text)
        .unwrap();
    assert_eq!(text, "the method eth_nope does not exist/is not available");

    let long = "é".repeat(MAX_METHOD_IN_MESSAGE_BYTES);
    let mut text = String::new();
    emitted(FaultClass::UnsupportedMethod)
        .write_message(&long, &mut text)
        .unwrap();
    assert_eq!(text.matches('é').count(), MAX_METHOD_IN_MESSAGE_BYTES / 2);

    let mut text = String::new();
    emitted(FaultClass::Timeout)
        .write_message("eth_nope", &mut text)
        .unwrap();
    assert_eq!(text, "request timed out");
}

/// The table in the module's documentation is written by hand; this keeps it true.
#[test]
fn the_documented_table_is_the_table() {
    let text = include_str!("mod.rs");
    for class in FaultClass::ALL {
        let traits = class.traits();
        let row = text
            .lines()
            .find_map(|line| {
                line.strip_prefix("//! | `")?
                    .strip_prefix(class.label())?
                    .strip_prefix("` | ")
            })
            .unwrap();
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let [same, other, breaker, score, effect, seen, blame] = cells[..] else {
            panic!("{}: {cells:?}", class.label());
        };
        let expected_same = match traits.retry_same {
            RetrySame::No => "no",
            RetrySame::OnceFresh => "once",
            RetrySame::AfterBlock => "after a block",
        };
        let expected_other = match traits.retry_other {
            RetryOther::No => "no",
            RetryOther::Once => "once",
            RetryOther::Yes => "yes",
        };
        assert_eq!(
            (same, other),
            (expected_same, expected_other),
            "{}",
            class.label()
        );
        assert_eq!(
            breaker,
            traits.breaker_weight.to_string(),
            "{}",
            class.label()
        );
        assert_eq!(score, traits.score_weight.to_string(), "{}", class.label());
        assert_eq!(
            effect == "–",
            traits.side_effect == SideEffect::None,
            "{}",
            class.label()
        );
        assert_eq!(blame, traits.blame.label(), "{}", class.label());
        let code = emitted(class).code.to_string().replace('-', "−");
        let relays = matches!(
            traits.emit,
            EmitRule::Relay | EmitRule::RelayUnlessRevealing
        );
        assert_eq!(
            seen.starts_with("the node's own"),
            relays,
            "{}",
            class.label()
        );
        if traits.emit == EmitRule::Own || seen.contains("else") {
            assert!(
                seen.contains(&code),
                "{}: {seen} without {code}",
                class.label()
            );
        }
    }
}
