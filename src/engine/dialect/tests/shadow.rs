//! No broad rule hides a narrow one: every rule is reached by its example, and by a text made of each of its patterns.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use super::super::rule::Rule;
use super::super::{Observed, classify, rules};

/// Texts made from a pattern: with its wild cards filled, alone and (where it is not anchored) within a sentence.
fn texts_of(pattern: &str) -> Vec<String> {
    let filled = pattern
        .trim_start_matches('^')
        .trim_end_matches('$')
        .replace("%n", "1234")
        .replace("%h", "0x1a2b")
        .replace("%*", "this");
    let mut texts = vec![filled.clone(), filled.to_uppercase()];
    if !pattern.starts_with('^') && !pattern.ends_with('$') {
        texts.push(format!("err: {filled} (id 7)"));
    }
    texts
}

fn method_of(rule: &Rule) -> &'static str {
    match rule.methods.first() {
        Some(&"eth_send*") => "eth_sendBundle",
        Some(&"debug_*") => "debug_traceCall",
        Some(&own) => own,
        None => "eth_call",
    }
}

fn observed<'a>(rule: &Rule, message: &'a str, data: &'a str) -> Observed<'a> {
    Observed {
        provider: rule.vendors.first().copied().unwrap_or("node"),
        host: "",
        method: method_of(rule),
        http_status: rule.statuses.first().copied().unwrap_or(200),
        code: rule
            .codes
            .first()
            .copied()
            .or(rule.code_range.map(|range| range.0))
            .or(Some(-32000)),
        message,
        data,
        retry_after: None,
        window: None,
    }
}

#[test]
fn names_are_unique_and_every_rule_has_an_example_and_a_condition() {
    let mut names: Vec<&str> = rules().map(|row| row.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands twice");
    for rule in super::super::rules::every() {
        assert!(!rule.example.is_empty(), "{} has no example", rule.name);
        assert!(
            !(rule.any.is_empty()
                && rule.data.is_empty()
                && rule.codes.is_empty()
                && rule.statuses.is_empty())
                || rule.code_range.is_some(),
            "{} would match everything",
            rule.name
        );
    }
}

#[test]
fn every_example_is_decided_by_its_own_rule() {
    let mut wrong = Vec::new();
    for rule in super::super::rules::every() {
        let verdict = classify(&observed(rule, rule.example, rule.example_data));
        if verdict.rule != rule.name {
            wrong.push(format!(
                "{}: {:?} went to {}",
                rule.name, rule.example, verdict.rule
            ));
        }
        assert!(verdict.rule != rule.name || verdict.class == rule.class);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_pattern_reaches_its_own_rule() {
    let mut wrong = Vec::new();
    for rule in super::super::rules::every() {
        for pattern in rule.any {
            for message in texts_of(pattern) {
                // Rules with a data condition too are given their example's data.
                let won = classify(&observed(rule, &message, rule.example_data)).rule;
                if won != rule.name {
                    wrong.push(format!(
                        "{}: {pattern:?} in {message:?} went to {won}",
                        rule.name
                    ));
                    break;
                }
            }
        }
        for pattern in rule.data {
            let data = texts_of(pattern)[0].clone();
            let won = classify(&observed(rule, "x", &data)).rule;
            if won != rule.name {
                wrong.push(format!("{}: data {pattern:?} went to {won}", rule.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A rule with the same or fewer conditions, and a pattern that is part of a later rule's pattern, hides the latter.
#[test]
fn no_pattern_is_part_of_a_later_rules_pattern_with_a_different_class() {
    let all: Vec<&Rule> = super::super::rules::every().collect();
    let mut hidden = Vec::new();
    for (position, first) in all.iter().enumerate() {
        let unconditional = first.vendors.is_empty()
            && first.codes.is_empty()
            && first.code_range.is_none()
            && first.statuses.is_empty()
            && first.methods.is_empty()
            && first.not_methods.is_empty()
            && first.none.is_empty()
            && first.data.is_empty();
        for later in all
            .iter()
            .skip(position + 1)
            .filter(|later| unconditional && later.class != first.class)
        {
            for (broad, narrow) in first
                .any
                .iter()
                .flat_map(|b| later.any.iter().map(move |n| (*b, *n)))
            {
                if !broad.contains(['^', '$', '%']) && narrow.contains(broad) {
                    hidden.push(format!(
                        "{} {broad:?} hides {} {narrow:?}",
                        first.name, later.name
                    ));
                }
            }
        }
    }
    assert!(hidden.is_empty(), "{hidden:#?}");
}

#[test]
fn patterns_are_in_lower_case_and_long_enough_to_mean_something() {
    for rule in super::super::rules::every() {
        for pattern in rule.any.iter().chain(rule.none).chain(rule.data) {
            let own = pattern
                .replace("%n", "")
                .replace("%h", "")
                .replace("%*", "");
            assert_eq!(own, own.to_lowercase(), "{}", rule.name);
            assert!(own.len() >= 5, "{}: {pattern:?}", rule.name);
        }
    }
}
