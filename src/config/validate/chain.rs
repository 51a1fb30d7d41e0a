//! Chains: names that lead to one chain each, and to no other path of the data plane.

use std::collections::HashMap;

use super::{Process, answers, narrow, region, rules, set, upstream};
use crate::file;
use crate::kind::{NAME_RULE, is_name};
use crate::model::{Chain, ChainCache, Coalesce, Probe};
use crate::problem::shown;
use crate::read::{At, Named, Origin, Reader};
use crate::start::DEFAULT_PANIC;

/// Words that begin other paths than a chain's, now or as this format grows.
const RESERVED: [&str; 15] = [
    "admin",
    "debug",
    "evm",
    "favicon.ico",
    "health",
    "healthz",
    "livez",
    "main",
    "metrics",
    "provider",
    "readyz",
    "robots.txt",
    "rpc",
    "ws",
    "wss",
];

/// Most chains of a process.
const MAX_CHAINS: usize = 1_000;

/// Names and ids that are taken, and where.
#[derive(Default)]
struct Taken {
    names: HashMap<String, u32>,
    ids: HashMap<u64, (String, u32)>,
}

pub(crate) fn chains(
    named: At<Named<file::Chain>>,
    process: &Process<'_>,
    reader: &mut Reader<'_>,
) -> Vec<Chain> {
    let count = named.value.0.len();
    // A chain that could not be read was told already; its absence is no second problem.
    if count == 0 && !reader.is_troubled(&named.origin.path) {
        reader.problem_at(
            &named.origin,
            "there is no chain",
            "add one: `ethereum: { chain_id: 1, upstreams: […] }`",
        );
    }
    if count > MAX_CHAINS {
        reader.problem_at(
            &named.origin,
            format!("more than {MAX_CHAINS} chains"),
            "split them over several processes",
        );
    }
    let mut taken = Taken::default();
    // Names first: an alias must not take the name of a chain that comes later.
    for (key, _) in &named.value.0 {
        claim(&key.value, &key.origin, &mut taken, reader);
    }
    named
        .value
        .0
        .into_iter()
        .map(|(key, at)| chain(key, at.value, process, &mut taken, reader))
        .collect()
}

fn claim(name: &str, origin: &Origin, taken: &mut Taken, reader: &mut Reader<'_>) {
    if !is_name(name) {
        let message = format!("{} cannot name a chain", shown(name));
        reader.problem_at(origin, message, format!("use {NAME_RULE}"));
        return;
    }
    if name.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("`{name}` looks like a chain id");
        reader.problem_at(
            origin,
            message,
            "use a name with a letter in it; the id itself works in URLs anyway",
        );
    } else if RESERVED.contains(&name) {
        reader.problem_at(
            origin,
            format!("`{name}` is a path of its own"),
            "choose another name",
        );
    } else if reader.catalog.find(name).is_some() {
        let message = format!("`{name}` is a strategy's name, which has this place in URLs");
        reader.problem_at(origin, message, "choose another name");
    }
    match taken.names.get(name) {
        Some(line) => {
            let message = format!("the name `{name}` is taken on line {line}");
            reader.problem_at(origin, message, "choose another: a name leads to one chain");
        }
        None => {
            taken.names.insert(name.to_owned(), origin.place.line);
        }
    }
}

fn chain(
    key: At<String>,
    file: file::Chain,
    process: &Process<'_>,
    taken: &mut Taken,
    reader: &mut Reader<'_>,
) -> Chain {
    let name = key.value;
    let chain_id = file.chain_id.map(|at| {
        let id = at.value.0;
        match taken.ids.get(&id) {
            Some((other, line)) => {
                let message = format!("chain id {id} is the id of chain `{other}` on line {line}");
                reader.problem_at(
                    &at.origin,
                    message,
                    "put all upstreams of one chain into one entry, or correct the id",
                );
            }
            None => {
                taken.ids.insert(id, (name.clone(), at.origin.place.line));
            }
        }
        id
    });
    let mut aliases = Vec::new();
    for at in file.aliases.map(|at| at.value).unwrap_or_default() {
        claim(&at.value.0, &at.origin, taken, reader);
        aliases.push(at.value.0);
    }
    let mut strategy = reader.catalog.default_strategy();
    set(&mut strategy, file.strategy, |strategy| strategy.0);
    let finals = file
        .methods
        .as_ref()
        .map(|at| answers::final_rules(&at.value));
    let methods = file
        .methods
        .map(|at| rules(at.value, reader))
        .unwrap_or_default();
    let heads = answers::heads(file.heads.map(|at| at.value).unwrap_or_default(), reader);
    if !heads.enabled {
        answers::without_finality(&finals.unwrap_or_default(), reader);
    }
    let mut cache = ChainCache {
        enabled: process.cache.enabled,
    };
    let own = file.cache.and_then(|at| at.value.enabled);
    set(&mut cache.enabled, own, |enabled| enabled);
    let mut coalesce = Coalesce { ..process.coalesce };
    let own = file.coalesce.and_then(|at| at.value.enabled);
    set(&mut coalesce.enabled, own, |enabled| enabled);
    let upstreams = file
        .upstreams
        .map(|at| upstream::upstreams(at, process, reader))
        .unwrap_or_default();
    let mut panic = DEFAULT_PANIC;
    set(&mut panic, file.panic, |share| share.0);
    Chain {
        name,
        chain_id,
        aliases,
        strategy,
        probe: probe(file.probe.map(|at| at.value).unwrap_or_default()),
        heads,
        cache,
        coalesce,
        geo: region::geo(file.geo, process.regions, reader),
        panic,
        methods,
        upstreams,
    }
}

fn probe(file: file::Probe) -> Probe {
    let mut probe = Probe::default();
    set(&mut probe.enabled, file.enabled, |enabled| enabled);
    set(&mut probe.interval, file.interval, |span| span.0);
    set(&mut probe.max_lag_blocks, file.max_lag_blocks, |n| {
        Some(narrow(u64::MAX)(n.0))
    });
    probe
}
