//! Method patterns and the rules that hang on them. Knows no method by itself but the namespaces
//! that a public endpoint must not serve; what a method admits is [`crate::aptitude`]'s to say.

use std::time::Duration;

use super::{CacheTtl, Hedge, HedgeRule, Strategy};
use crate::aptitude;

/// Namespaces that control a node or its keys: refused unless a rule says `allow: true`.
pub const SENSITIVE_NAMESPACES: [&str; 4] = ["admin_", "personal_", "miner_", "engine_"];

/// A method's name, or the beginning of one followed by `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodPattern {
    stem: String,
    open: bool,
}

/// Which methods an upstream is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MethodFilter {
    /// Only these, unless empty.
    pub allow: Vec<MethodPattern>,
    /// Never these, even where `allow` has them.
    pub deny: Vec<MethodPattern>,
}

/// What is configured for the methods that a pattern matches. `None` says nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodRule {
    /// Which methods.
    pub pattern: MethodPattern,
    /// Whether clients may call them.
    pub allow: Option<bool>,
    /// Longest time of one call, all attempts included.
    pub timeout: Option<Duration>,
    /// Attempts that one call may make, the first included.
    pub attempts: Option<u8>,
    /// How eligible upstreams are ordered.
    pub strategy: Option<Strategy>,
    /// When a second attempt is made beside a slow first one.
    pub hedge: HedgeRule,
    /// How long answers are kept.
    pub cache: Option<CacheTtl>,
}

/// All that the rules say about one method of one chain.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodPolicy {
    /// Whether clients may call it.
    pub allow: bool,
    /// Longest time of one call, if a rule says so.
    pub timeout: Option<Duration>,
    /// Attempts of one call, if a rule says so.
    pub attempts: Option<u8>,
    /// Strategy, if a rule says so.
    pub strategy: Option<Strategy>,
    /// When a second attempt is made beside a slow first one; off for a method that must not be sent twice.
    pub hedge: Hedge,
    /// How long answers are kept, if a rule says so; `None` leaves it to what is known of the method.
    pub cache: Option<CacheTtl>,
}

impl MethodPattern {
    /// Reads `eth_call`, `debug_*` or `*`. `None` unless it is `[A-Za-z0-9_]`, not longer than 128,
    /// with a `*` nowhere but at the end.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, open) = match text.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (text, false),
        };
        let legal =
            stem.len() <= 128 && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        (legal && (open || !stem.is_empty())).then(|| Self {
            stem: stem.to_owned(),
            open,
        })
    }

    /// Whether `method` is one of those meant.
    #[must_use]
    pub fn matches(&self, method: &str) -> bool {
        if self.open {
            method.starts_with(&self.stem)
        } else {
            method == self.stem
        }
    }

    /// The exact method's name, unless this is a pattern.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        (!self.open).then_some(self.stem.as_str())
    }

    /// Orders patterns that match one method: greater is more specific.
    pub(super) const fn specificity(&self) -> (bool, usize) {
        (!self.open, self.stem.len())
    }
}

impl std::fmt::Display for MethodPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.stem, if self.open { "*" } else { "" })
    }
}

impl MethodFilter {
    /// Whether the upstream may be asked `method`.
    #[must_use]
    pub fn permits(&self, method: &str) -> bool {
        let listed = |patterns: &[MethodPattern]| patterns.iter().any(|p| p.matches(method));
        (self.allow.is_empty() || listed(&self.allow)) && !listed(&self.deny)
    }
}

impl MethodRule {
    /// A rule that says nothing yet.
    #[must_use]
    pub const fn new(pattern: MethodPattern) -> Self {
        Self {
            pattern,
            allow: None,
            timeout: None,
            attempts: None,
            strategy: None,
            hedge: HedgeRule {
                enabled: None,
                quantile: None,
                min_delay: None,
                max_extra: None,
            },
            cache: None,
        }
    }
}

impl MethodPolicy {
    pub(super) fn resolve(all: &[MethodRule], chain: &[MethodRule], method: &str) -> Self {
        let matching =
            |rules: &'_ [MethodRule], scope: u8| -> Vec<((bool, usize), u8, MethodRule)> {
                let hits = rules.iter().filter(|rule| rule.pattern.matches(method));
                hits.map(|rule| (rule.pattern.specificity(), scope, rule.clone()))
                    .collect()
            };
        let mut rules = matching(&sensitive_rules(), 0);
        rules.extend(matching(all, 1));
        rules.extend(matching(chain, 2));
        rules.sort_by_key(|(specificity, scope, _)| (*specificity, *scope));

        let mut policy = Self {
            allow: true,
            timeout: None,
            attempts: None,
            strategy: None,
            hedge: Hedge::default(),
            cache: None,
        };
        let mut kept_by_name = false;
        for (_, _, rule) in rules {
            policy.allow = rule.allow.unwrap_or(policy.allow);
            policy.timeout = rule.timeout.or(policy.timeout);
            policy.attempts = rule.attempts.or(policy.attempts);
            policy.strategy = rule.strategy.or(policy.strategy);
            policy.hedge.apply(&rule.hedge);
            if rule.cache.is_some() {
                policy.cache = rule.cache;
                kept_by_name = !rule.pattern.open;
            }
        }
        policy.hedge.enabled &= aptitude::bars_hedge(method).is_none();
        if policy
            .cache
            .is_some_and(|ttl| aptitude::bars_keeping(method, ttl, kept_by_name).is_some())
        {
            policy.cache = None;
        }
        policy
    }
}

/// The built-in refusals, as rules, so that they obey the same order as the operator's.
fn sensitive_rules() -> Vec<MethodRule> {
    let rule = |namespace: &&str| {
        let mut rule = MethodRule::new(MethodPattern {
            stem: (*namespace).to_owned(),
            open: true,
        });
        rule.allow = Some(false);
        rule
    };
    SENSITIVE_NAMESPACES.iter().map(rule).collect()
}

#[cfg(test)]
mod tests;
