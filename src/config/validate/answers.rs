//! Kept answers, second attempts and heads: what a rule may say of a method that it names, and intervals
//! that fit together. What a method admits comes from [`crate::aptitude`].

use super::{narrow, set};
use crate::aptitude;
use crate::file;
use crate::model::{Cache, CacheTtl, Heads, HedgeRule, MethodPattern};
use crate::read::{At, Named, Origin, Reader};
use crate::scalar::format_duration;

pub(crate) fn cache(file: file::Cache) -> Cache {
    let mut cache = Cache::default();
    set(&mut cache.enabled, file.enabled, |enabled| enabled);
    set(&mut cache.max_bytes, file.max_bytes, |size| {
        narrow(usize::MAX)(size.0)
    });
    cache
}

/// What a rule says of second attempts. Where it names a method that is never sent twice, that is told; a pattern
/// may cover such methods, and [`crate::MethodPolicy`] leaves them out.
pub(crate) fn hedge(
    file: Option<At<file::HedgeRule>>,
    pattern: &MethodPattern,
    reader: &mut Reader<'_>,
) -> HedgeRule {
    let file = file.map(|at| at.value).unwrap_or_default();
    if let Some(enabled) = file.enabled.as_ref().filter(|enabled| enabled.value)
        && let Some(name) = pattern.exact()
        && let Some(why) = aptitude::bars_hedge(name)
    {
        reader.problem_at(
            &enabled.origin,
            format!("`{name}` {why}, so it is never hedged"),
            "remove `hedge` here",
        );
    }
    HedgeRule {
        enabled: file.enabled.map(|at| at.value),
        quantile: file.quantile.map(|at| at.value.0),
        min_delay: file.min_delay.map(|at| at.value.0),
        max_extra: file.max_extra.map(|at| at.value.0),
    }
}

/// What a rule says of keeping answers, told and left out as in [`hedge`].
pub(crate) fn method_cache(
    file: Option<At<file::MethodCache>>,
    pattern: &MethodPattern,
    reader: &mut Reader<'_>,
) -> Option<CacheTtl> {
    let ttl = file?.value.ttl?;
    let kept = ttl.value.0;
    if let Some(name) = pattern.exact()
        && let Some(why) = aptitude::bars_keeping(name, kept, true)
    {
        let remedy = if aptitude::bars_keeping(name, CacheTtl::Head, true).is_none() {
            "write `head`, or a duration"
        } else {
            "write `never`, or remove `cache` here: its answers are never kept"
        };
        reader.problem_at(&ttl.origin, format!("`{name}` {why}"), remedy);
    }
    Some(kept)
}

/// Rules that keep answers for good once their block is final, where no block ever counts as final: on a chain that does not
/// follow heads.
pub(crate) fn without_finality(rules: &[Origin], reader: &mut Reader<'_>) {
    for rule in rules {
        reader.problem_at(
            rule,
            "no block counts as final without `heads`, so this keeps nothing longer than `head` does",
            "write `head`, or remove `heads.enabled: false`",
        );
    }
}

/// Where these rules say that answers are kept for good once their block is final.
pub(crate) fn final_rules(named: &Named<file::MethodRule>) -> Vec<Origin> {
    let ttl = |rule: &file::MethodRule| rule.cache.as_ref()?.value.ttl.clone();
    let rules = named.0.iter().filter_map(|(_, rule)| ttl(&rule.value));
    rules
        .filter(|ttl| ttl.value.0 == CacheTtl::Final)
        .map(|ttl| ttl.origin)
        .collect()
}

pub(crate) fn heads(file: file::Heads, reader: &mut Reader<'_>) -> Heads {
    let mut heads = Heads::default();
    let origins = [&file.min_interval, &file.max_interval]
        .map(|given| given.as_ref().map(|at| at.origin.clone()));
    set(&mut heads.enabled, file.enabled, |enabled| enabled);
    set(&mut heads.min_interval, file.min_interval, |span| span.0);
    set(&mut heads.max_interval, file.max_interval, |span| span.0);
    set(
        &mut heads.finality_interval,
        file.finality_interval,
        |span| span.0,
    );
    let [min_origin, max_origin] = origins;
    if heads.min_interval > heads.max_interval
        && let Some(origin) = min_origin.or(max_origin)
    {
        let message = format!(
            "min_interval ({}) is longer than max_interval ({})",
            format_duration(heads.min_interval),
            format_duration(heads.max_interval)
        );
        reader.problem_at(
            &origin,
            message,
            "shorten min_interval, or lengthen max_interval",
        );
    }
    heads
}
