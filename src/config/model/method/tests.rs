//! Patterns and the order of the rules that hang on them.

use super::*;

fn pattern(text: &str) -> MethodPattern {
    MethodPattern::parse(text).unwrap()
}

fn rule(text: &str, allow: Option<bool>, attempts: Option<u8>) -> MethodRule {
    MethodRule {
        allow,
        attempts,
        ..MethodRule::new(pattern(text))
    }
}

fn resolve(all: &[MethodRule], chain: &[MethodRule], method: &str) -> (bool, Option<u8>) {
    let policy = MethodPolicy::resolve(all, chain, method);
    (policy.allow, policy.attempts)
}

#[test]
fn patterns_match_whole_names_or_beginnings() {
    assert!(pattern("eth_call").matches("eth_call"));
    assert!(!pattern("eth_call").matches("eth_callMany"));
    assert!(pattern("debug_*").matches("debug_traceCall"));
    assert!(pattern("debug_*").matches("debug_"));
    assert!(!pattern("debug_*").matches("Debug_traceCall"));
    assert!(pattern("*").matches(""));
    for text in ["", "a b", "a*b", "**", "*a", "eth-call", "ä", "a\n"] {
        assert_eq!(MethodPattern::parse(text), None, "{text:?}");
    }
    assert_eq!(MethodPattern::parse(&"x".repeat(129)), None);
}

#[test]
fn the_more_specific_rule_wins_setting_by_setting() {
    let all = [
        rule("*", None, Some(1)),
        rule("eth_*", Some(false), Some(2)),
        rule("eth_call", None, Some(3)),
    ];
    assert_eq!(resolve(&all, &[], "net_version"), (true, Some(1)));
    assert_eq!(resolve(&all, &[], "eth_getLogs"), (false, Some(2)));
    // The exact rule says nothing about `allow`, so the pattern's stands.
    assert_eq!(resolve(&all, &[], "eth_call"), (false, Some(3)));
}

#[test]
fn a_chain_wins_between_equals_only() {
    let all = [
        rule("eth_*", None, Some(2)),
        rule("eth_call", None, Some(3)),
    ];
    let chain = [rule("eth_*", None, Some(7))];
    assert_eq!(resolve(&all, &chain, "eth_getLogs").1, Some(7));
    assert_eq!(resolve(&all, &chain, "eth_call").1, Some(3));
}

#[test]
fn sensitive_namespaces_need_a_rule_as_specific_as_they_are() {
    for method in [
        "admin_peers",
        "personal_sign",
        "miner_start",
        "engine_newPayloadV4",
    ] {
        assert!(!resolve(&[], &[], method).0, "{method}");
        assert!(
            !resolve(&[rule("*", Some(true), None)], &[], method).0,
            "{method}"
        );
    }
    assert!(resolve(&[rule("admin_*", Some(true), None)], &[], "admin_peers").0);
    assert!(resolve(&[], &[rule("admin_peers", Some(true), None)], "admin_peers").0);
    assert!(
        !resolve(
            &[],
            &[rule("admin_peers", Some(true), None)],
            "admin_addPeer"
        )
        .0
    );
    assert!(
        !resolve(
            &[rule("admin_*", Some(true), None)],
            &[rule("admin_*", Some(false), None)],
            "admin_peers"
        )
        .0
    );
}

#[test]
fn a_filter_denies_what_it_also_allows() {
    let filter = MethodFilter {
        allow: vec![pattern("eth_*")],
        deny: vec![pattern("eth_sign")],
    };
    assert!(
        filter.permits("eth_call") && !filter.permits("eth_sign") && !filter.permits("net_version")
    );
    assert!(MethodFilter::default().permits("anything"));
}
