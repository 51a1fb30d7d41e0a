//! File model to validated model: defaults, and the rules between keys. Goes on after a problem; the
//! caller discards the model when there was one. Opens the files that the configuration names.

mod account;
mod answers;
mod chain;
pub(crate) mod destination;
mod region;
mod server;
mod upstream;

pub(crate) use upstream::MAX_UPSTREAMS;

use crate::file;
use crate::kind::PATTERN_RULE;
use crate::model::{
    Account, Cache, Coalesce, Config, MethodPattern, MethodRule, Resolver, Retry, Server,
};
use crate::problem::shown;
use crate::read::{At, Named, Reader};

/// Takes `value` into `slot` if it was given.
pub(crate) fn set<T, U>(slot: &mut T, given: Option<At<U>>, convert: impl FnOnce(U) -> T) {
    if let Some(at) = given {
        *slot = convert(at.value);
    }
}

/// A number that the kind's range keeps within `T`.
pub(crate) fn narrow<T: TryFrom<u64> + Copy>(fallback: T) -> impl Fn(u64) -> T {
    move |number| T::try_from(number).unwrap_or(fallback)
}

/// What of the process its chains hang on.
pub(crate) struct Process<'a> {
    server: &'a Server,
    cache: Cache,
    coalesce: Coalesce,
    accounts: &'a [Account],
    /// Those that any upstream is in.
    regions: &'a [String],
}

/// The whole configuration. `None` when nothing could be made of it.
pub(crate) fn config(file: file::File, reader: &mut Reader<'_>) -> Option<Config> {
    let regions = region::of_upstreams(&file);
    let server = file.server.map(|at| at.value).unwrap_or_default();
    let server = server::server(server, &regions, reader);
    let mut resolver = Resolver::default();
    set(
        &mut resolver.refresh,
        file.resolver.and_then(|at| at.value.refresh),
        |span| span.0,
    );
    let retry = retry(file.retry.map(|at| at.value).unwrap_or_default());
    let cache = answers::cache(file.cache.map(|at| at.value).unwrap_or_default());
    let mut coalesce = Coalesce::default();
    set(
        &mut coalesce.enabled,
        file.coalesce.and_then(|at| at.value.enabled),
        |enabled| enabled,
    );
    let finals = file
        .methods
        .as_ref()
        .map(|at| answers::final_rules(&at.value));
    let methods = file
        .methods
        .map(|at| rules(at.value, reader))
        .unwrap_or_default();
    let accounts = file
        .accounts
        .map(|at| account::accounts(at, reader))
        .unwrap_or_default();
    let process = Process {
        server: &server,
        cache,
        coalesce,
        accounts: &accounts,
        regions: &regions,
    };
    let chains = chain::chains(file.chains?, &process, reader);
    // One chain that follows heads gives the rule its sense.
    if !chains.is_empty() && chains.iter().all(|chain| !chain.heads.enabled) {
        answers::without_finality(&finals.unwrap_or_default(), reader);
    }
    Some(Config {
        server,
        resolver,
        retry,
        cache,
        coalesce,
        accounts,
        methods,
        chains,
    })
}

fn retry(file: file::Retry) -> Retry {
    let mut retry = Retry::default();
    set(&mut retry.budget, file.budget, |share| share.0);
    set(&mut retry.min_per_second, file.min_per_second, |n| {
        narrow(u32::MAX)(n.0)
    });
    set(&mut retry.attempts, file.attempts, |n| narrow(u8::MAX)(n.0));
    set(&mut retry.max_wait, file.max_wait, |span| span.0);
    retry
}

/// Method rules of the process or of a chain.
pub(crate) fn rules(named: Named<file::MethodRule>, reader: &mut Reader<'_>) -> Vec<MethodRule> {
    let mut rules = Vec::new();
    for (key, rule) in named.0 {
        let Some(pattern) = MethodPattern::parse(&key.value) else {
            let message = format!(
                "{} is neither a method's name nor a pattern",
                shown(&key.value)
            );
            reader.problem_at(&key.origin, message, format!("write {PATTERN_RULE}"));
            continue;
        };
        let file::MethodRule {
            allow,
            timeout,
            attempts,
            strategy,
            hedge,
            cache,
        } = rule.value;
        let hedge = answers::hedge(hedge, &pattern, reader);
        let cache = answers::method_cache(cache, &pattern, reader);
        rules.push(MethodRule {
            pattern,
            allow: allow.map(|at| at.value),
            timeout: timeout.map(|at| at.value.0),
            attempts: attempts.map(|at| narrow(u8::MAX)(at.value.0)),
            strategy: strategy.map(|at| at.value.0),
            hedge,
            cache,
        });
    }
    rules
}
