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

fn hedged(text: &str, hedge: HedgeRule) -> MethodRule {
    MethodRule {
        hedge,
        ..MethodRule::new(pattern(text))
    }
}

fn kept(text: &str, ttl: CacheTtl) -> MethodRule {
    MethodRule {
        cache: Some(ttl),
        ..MethodRule::new(pattern(text))
    }
}

const ON: HedgeRule = HedgeRule {
    enabled: Some(true),
    quantile: None,
    min_delay: None,
    max_extra: None,
};

#[test]
fn hedging_is_off_unless_said_and_merged_setting_by_setting() {
    let silent = MethodPolicy::resolve(&[], &[], "eth_call").hedge;
    assert_eq!(silent, Hedge::default());
    assert!(!silent.enabled);
    let all = [
        hedged("*", ON),
        hedged(
            "eth_*",
            HedgeRule {
                quantile: Some(0.9),
                max_extra: Some(0.5),
                ..HedgeRule::default()
            },
        ),
    ];
    let own = HedgeRule {
        quantile: Some(0.6),
        min_delay: Some(Duration::ZERO),
        ..HedgeRule::default()
    };
    let hedge = MethodPolicy::resolve(&all, &[hedged("eth_*", own)], "eth_call").hedge;
    let expected = Hedge {
        enabled: true,
        quantile: 0.6,
        min_delay: Duration::ZERO,
        max_extra: 0.5,
    };
    assert_eq!(hedge, expected);
}

#[test]
fn a_pattern_passes_by_what_must_not_be_sent_twice() {
    let all = [hedged("*", ON)];
    for (id, name, standard) in engine::method::all() {
        let hedge = MethodPolicy::resolve(&all, &[], name).hedge;
        assert_eq!(hedge.enabled, standard.hedgeable, "{name} ({id:?})");
    }
    for name in ["vendor_sendThings", "vendor_getThings", ""] {
        assert!(
            !MethodPolicy::resolve(&all, &[], name).hedge.enabled,
            "{name:?}"
        );
    }
}

#[test]
fn a_pattern_passes_by_what_serves_one_call_alone() {
    use engine::block::BlockRef;
    use engine::cache::{Ttl, may_look};
    use engine::method::{CacheClass, Effect, FilterRole};

    let always = [kept("*", CacheTtl::Time(Duration::from_secs(1)))];
    let fixed = [kept("*", CacheTtl::Final)];
    for (_, name, standard) in engine::method::all() {
        let alone = may_look(standard, Some(Ttl::Head), &BlockRef::None).is_err();
        let acts = standard.effect != Effect::None || standard.filter != FilterRole::None;
        assert!(alone || !acts, "{name}");
        let ttl = |rules| MethodPolicy::resolve(rules, &[], name).cache;
        assert_eq!(ttl(&always).is_none(), alone, "{name}");
        let fixable = matches!(standard.cache, CacheClass::Static | CacheClass::Finality);
        assert_eq!(ttl(&fixed).is_some(), fixable, "{name}");
        assert!(!(alone && fixable), "{name}");
    }
}

#[test]
fn what_no_table_knows_is_kept_under_its_own_name_only() {
    let second = CacheTtl::Time(Duration::from_secs(1));
    for name in [
        "vendor_getThings",
        "vendor_execute",
        "vendor_sendtransaction",
        "vendor_getFilterChanges",
    ] {
        let ttl = |rules: &[_]| MethodPolicy::resolve(rules, &[], name).cache;
        assert_eq!(ttl(&[kept("vendor_*", second)]), None, "{name}");
        assert_eq!(ttl(&[kept("*", CacheTtl::Never)]), Some(CacheTtl::Never));
        let both = [kept(name, CacheTtl::Head), kept("vendor_*", second)];
        let named = (!name.ends_with("execute")).then_some(CacheTtl::Head);
        assert_eq!(ttl(&both), named, "{name}");
        // A rule by name that says nothing of keeping leaves it to the pattern, which may not.
        let mut silent = kept(name, second);
        silent.cache = None;
        assert_eq!(ttl(&[silent, kept("vendor_*", second)]), None, "{name}");
    }
}

#[test]
fn the_more_specific_ttl_wins_and_never_is_one() {
    let all = [
        kept("eth_*", CacheTtl::Head),
        kept("eth_call", CacheTtl::Never),
    ];
    let ttl = |chain: &[MethodRule], name| MethodPolicy::resolve(&all, chain, name).cache;
    assert_eq!(ttl(&[], "eth_gasPrice"), Some(CacheTtl::Head));
    assert_eq!(ttl(&[], "eth_call"), Some(CacheTtl::Never));
    assert_eq!(ttl(&[], "net_version"), None);
    let own = [kept("eth_*", CacheTtl::Never)];
    assert_eq!(ttl(&own, "eth_gasPrice"), Some(CacheTtl::Never));
}
