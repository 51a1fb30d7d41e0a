//! One configuration as one shard uses it: routes, upstreams with their pools, policies by index, and
//! the engine's own configuration. Built once per epoch; it performs no I/O.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use config::Compression;
use engine::config::{ChainConfig, ShardConfig};
use engine::index::{ChainIndex, StrategyIndex, UpstreamIndex, UpstreamSet};
use wire::http1::{self, RequestPrefix};

use super::catalog;
use super::decisions;
use super::policies::{MethodEntry, Policies};
use super::route::Routes;
use super::upstream::Upstream;
use super::upstream::dial::Target;
use super::upstream::pool::{Pool, PoolLimits};
use super::upstream::reached::Marks;
use crate::control::Epoch;

/// A part of a path that is shorter is no key, and would match anywhere.
const MIN_PATH_KEY_BYTES: usize = 8;

/// A value that an operator put into a query, a header or the userinfo is a key however short; but these match anywhere.
const MIN_VALUE_KEY_BYTES: usize = 5;

/// One chain as one shard uses it.
pub struct Chain {
    /// Its upstreams, by index.
    pub upstreams: Vec<Rc<Upstream>>,
    /// What is configured about methods.
    pub policies: Policies,
    /// For each of the engine's strategies of this chain, its place in the registry.
    registry_of: Vec<usize>,
    /// For each strategy of the registry, which of the chain's a path means by that name: the configured one with its
    /// options, else one with the defaults.
    pub named: Vec<StrategyIndex>,
    /// What must never reach a client: keys in URLs and headers of the chain's upstreams.
    pub secrets: Vec<Box<[u8]>>,
}

impl Chain {
    /// The upstream whose filters carry this tag.
    pub fn upstream_by_tag(&self, tag: u32) -> Option<&Rc<Upstream>> {
        self.upstreams.iter().find(|u| u.filter_tag == tag)
    }

    /// The place in the registry of one of the engine's strategies of this chain.
    pub fn kind_of(&self, strategy: StrategyIndex) -> usize {
        let kind = self.registry_of.get(strategy.as_usize());
        kind.copied().unwrap_or(0)
    }

    /// The upstream at this index.
    pub fn upstream(&self, index: UpstreamIndex) -> Option<&Rc<Upstream>> {
        self.upstreams.get(index.as_usize())
    }
}

/// Everything that one shard derives from one epoch.
pub struct Built {
    /// The paths.
    pub routes: Routes,
    /// The chains, by index.
    pub chains: Vec<Chain>,
    /// The engine's configuration.
    pub engine: ShardConfig,
}

/// Builds the view of an epoch that the shard of this number has.
///
/// # Errors
/// One sentence for the operator; none is expected of a validated configuration.
pub fn build(epoch: &Epoch, shard: usize) -> Result<Built, String> {
    let config = &epoch.config;
    let mut routes = Routes::default();
    let mut chains = Vec::new();
    let mut engine_chains = Vec::new();
    for (at, chain) in config.chains.iter().enumerate() {
        let names = std::iter::once(&chain.name).chain(&chain.aliases);
        routes.add_chain(
            names.map(String::as_str),
            chain.chain_id,
            chain.upstreams.iter().map(|u| u.name.as_str()),
        );
        let index = ChainIndex(u16::try_from(at).map_err(|_| "too many chains".to_owned())?);
        let (built, engine_chain) = build_chain(epoch, index, chain)?;
        chains.push(built);
        engine_chains.push(engine_chain);
    }
    for (at, kind) in engine::strategy::REGISTRY.iter().enumerate() {
        routes.add_strategy(kind.name, at);
    }
    let shards = u32::try_from(epoch.shards).unwrap_or(u32::MAX);
    let engine = ShardConfig {
        chains: engine_chains,
        retry_budget: decisions::retry_budget(config, shards),
        accounts: decisions::accounts(config),
        shards: u16::try_from(epoch.shards).unwrap_or(u16::MAX),
        shard: u16::try_from(shard).unwrap_or(u16::MAX),
        unix_zero_ms: epoch.unix_zero_ms,
        shedding: decisions::shedding(config, shards),
        held_wait: config.retry.max_wait,
    };
    engine.check().map_err(|error| error.to_string())?;
    Ok(Built {
        routes,
        chains,
        engine,
    })
}

fn build_chain(
    epoch: &Epoch,
    index: ChainIndex,
    chain: &config::Chain,
) -> Result<(Chain, ChainConfig), String> {
    let shards = u32::try_from(epoch.shards).unwrap_or(u32::MAX);
    let (policies, engine_chain) = decisions::chain(&epoch.config, chain, shards, &epoch.regions)?;
    let mut upstreams = Vec::new();
    for (at, configured) in chain.upstreams.iter().enumerate() {
        let at = u16::try_from(at).map_err(|_| "too many upstreams".to_owned())?;
        let built = build_upstream(epoch, index, UpstreamIndex(at), configured)?;
        upstreams.push(Rc::new(built));
    }
    if let Some(clash) = same_filter_tag(&upstreams) {
        return Err(format!("chain {}: {clash}", chain.name));
    }
    let registry_of = engine_chain.strategies.iter();
    let registry_of: Vec<_> = registry_of.map(catalog::registry_index).collect();
    let named = (0..engine::strategy::REGISTRY.len())
        .map(|kind| registry_of.iter().position(|k| *k == kind).unwrap_or(0))
        .map(|at| StrategyIndex(u16::try_from(at).unwrap_or(0)))
        .collect();
    let built = Chain {
        upstreams,
        policies,
        registry_of,
        named,
        secrets: chain.upstreams.iter().flat_map(secrets).collect(),
    };
    Ok((built, engine_chain))
}

/// Two upstreams whose filters could not be told apart, if there are any: one in a hundred million pairs of names.
fn same_filter_tag(upstreams: &[Rc<Upstream>]) -> Option<String> {
    upstreams.iter().enumerate().find_map(|(at, one)| {
        let other = upstreams
            .iter()
            .skip(at + 1)
            .find(|other| other.filter_tag == one.filter_tag)?;
        Some(format!(
            "the filters of upstreams {} and {} could not be told apart: rename one of them",
            one.name, other.name
        ))
    })
}

/// The upstreams that must not be sent a method whose name no table knows.
pub fn excluded(chain: &config::Chain, entry: &MethodEntry, name: &[u8]) -> UpstreamSet {
    let mut set = UpstreamSet::EMPTY;
    if entry.id.is_known() {
        return set;
    }
    let name = std::str::from_utf8(name).unwrap_or_default();
    for (at, upstream) in (0u16..).zip(&chain.upstreams) {
        if !upstream.methods.permits(name) {
            set.insert(UpstreamIndex(at));
        }
    }
    set
}

fn build_upstream(
    epoch: &Epoch,
    chain: ChainIndex,
    index: UpstreamIndex,
    configured: &config::Upstream,
) -> Result<Upstream, String> {
    let url = &configured.url;
    let refuse = |what: &str| format!("upstream {}: {what}", configured.name);
    let tls = match epoch
        .upstream_tls
        .get(chain.as_usize())
        .and_then(|row| row.get(index.as_usize()))
    {
        Some(Some(client)) => {
            let name = configured.tls.server_name.as_deref().unwrap_or(&url.host);
            let name = rustls_pki_types::ServerName::try_from(name.to_owned())
                .map_err(|_| refuse("its host is no name that a certificate could carry"))?;
            Some((client.clone(), name))
        }
        _ => None,
    };
    let share = |total: u32| (total as usize).div_ceil(epoch.shards.max(1)).max(1);
    let asked_for_its_chain = epoch
        .config
        .chains
        .get(chain.as_usize())
        .is_some_and(|chain| chain.chain_id.is_some() && chain.probe.enabled);
    Ok(Upstream {
        chain,
        index,
        name: configured.name.as_str().into(),
        provider: configured.provider.as_str().into(),
        host: url.host.as_str().into(),
        target: Target {
            addresses: RefCell::new(Rc::from([])),
            tls,
        },
        marks: Marks::default(),
        pool: Pool::new(PoolLimits {
            max_connections: share(configured.pool.max_connections),
            // One batch that is within its limit must fit into the line of its own shard.
            max_waiting: share(configured.pool.max_waiting)
                .max(epoch.config.server.limits.max_batch_calls),
            idle_timeout_ns: nanos(configured.pool.idle_timeout),
        }),
        request_prefix: request_prefix(configured)
            .ok_or_else(|| refuse("its URL or a header cannot be written into a request"))?,
        connect_timeout_ns: nanos(configured.connect_timeout),
        batch_max_calls: configured.batch.max_calls.max(1) as usize,
        vetted: Cell::new(!asked_for_its_chain),
        answer_heads: RefCell::default(),
        filter_tag: wire::filter_id::tag(&configured.name),
        next_id: Cell::new(1),
    })
}

/// The parts of an upstream's URL and headers that may be keys, and where it is.
fn secrets(upstream: &config::Upstream) -> Vec<Box<[u8]>> {
    let url = &upstream.url;
    let (path, query) = url
        .target
        .expose()
        .split_once('?')
        .unwrap_or((url.target.expose(), ""));
    let in_path = path.split('/').filter(|part| looks_like_a_key(part));
    let in_query = query
        .split('&')
        .filter_map(|pair| Some(pair.split_once('=')?.1));
    let in_headers = upstream.headers.iter().map(|header| header.value.expose());
    let in_userinfo = url.authorization.iter().map(|value| value.expose());
    let values = in_query
        .chain(in_headers)
        .chain(in_userinfo)
        .filter(|text| text.len() >= MIN_VALUE_KEY_BYTES);
    let place = format!("://{}", url.authority());
    in_path
        .chain(values)
        .map(|text| text.as_bytes().into())
        .chain(std::iter::once(place.as_bytes().into()))
        .collect()
}

/// A name of a chain or a product in a path ("ethereum", "v2") must not hide what a node says about it.
fn looks_like_a_key(part: &str) -> bool {
    let is_word = part.len() < 24 && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    part.len() >= MIN_PATH_KEY_BYTES && !is_word
}

/// The head of every request to this upstream, up to the length.
fn request_prefix(configured: &config::Upstream) -> Option<Vec<u8>> {
    let url = &configured.url;
    let mut extra = Vec::new();
    if let Some(authorization) = &url.authorization {
        http1::append_header(
            &mut extra,
            b"authorization",
            authorization.expose().as_bytes(),
        )
        .ok()?;
    }
    for header in &configured.headers {
        http1::append_header(
            &mut extra,
            header.name.as_bytes(),
            header.value.expose().as_bytes(),
        )
        .ok()?;
    }
    let accept_gzip = match configured.compression {
        // Bandwidth is dear on the way to a vendor and free within a rack.
        Compression::Auto => url.tls,
        Compression::Gzip => true,
        Compression::None => false,
    };
    let mut out = Vec::new();
    http1::write_request_prefix(
        &mut out,
        &RequestPrefix {
            target: url.target.expose().as_bytes(),
            host: url.authority().as_bytes(),
            accept_gzip,
            user_agent: concat!("livechain/", env!("CARGO_PKG_VERSION")).as_bytes(),
            extra_block: &extra,
        },
    )
    .ok()?;
    Some(out)
}

/// A duration in nanoseconds; five hundred years saturate.
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets_of(url: &str) -> Vec<String> {
        let upstream = config::Upstream::new("u", config::UpstreamUrl::parse(url).unwrap());
        let texts = secrets(&upstream).into_iter();
        texts
            .map(|text| String::from_utf8(text.into_vec()).unwrap())
            .collect()
    }

    #[test]
    fn keys_are_secrets_and_names_of_chains_are_not() {
        assert_eq!(
            secrets_of("https://rpc.example.com/ethereum/v2/abcdefgh12345678?t=q7Zx9&a=1"),
            ["abcdefgh12345678", "q7Zx9", "://rpc.example.com"]
        );
        assert_eq!(secrets_of("http://10.0.0.1:8545/"), ["://10.0.0.1:8545"]);
    }
}
