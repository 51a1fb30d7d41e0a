//! The validated model: what the rest of the program reads. Plain data, defaults filled in.
//!
//! Everything here has passed validation: names are legal, numbers are in range, URLs are split.
//! Nothing here reads a file, and nothing here shows a secret in `Debug` or when serialised.

mod account;
mod answers;
mod method;
mod region;
mod secret;
mod server;
mod upstream;

use std::path::PathBuf;
use std::time::Duration;

pub use account::{Account, Included, Measure, Period, Price, Quota};
pub use answers::{Cache, CacheTtl, ChainCache, Coalesce, Heads, Hedge, HedgeRule};
pub use method::{MethodFilter, MethodPattern, MethodPolicy, MethodRule, SENSITIVE_NAMESPACES};
pub use region::{ClientRegion, Geo, MaxMind, Network, Session};
pub use secret::{REDACTED, Secret};
pub use server::{
    AccessLog, Cores, Cors, Limits, Log, LogFormat, LogLevel, LogPath, Overload, Server, ServerTls,
};
pub use upstream::{
    Batch, Breaker, Compression, Header, HoldOff, Limiter, Pool, TrustRoots, Upstream, UpstreamTls,
    UpstreamUrl,
};

/// A whole configuration, version 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The process: listeners, limits, logs.
    pub server: Server,
    /// How upstream host names are resolved.
    pub resolver: Resolver,
    /// How often a call may be tried again.
    pub retry: Retry,
    /// The process's store of answers.
    pub cache: Cache,
    /// Identical calls in flight as one, on chains that say nothing of their own.
    pub coalesce: Coalesce,
    /// What was agreed with providers, in the file's order.
    pub accounts: Vec<Account>,
    /// Rules for methods of every chain, in the file's order.
    pub methods: Vec<MethodRule>,
    /// The chains, in the file's order. Never empty.
    pub chains: Vec<Chain>,
}

/// Name resolution of upstream hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolver {
    /// How often the addresses of an upstream are looked up again.
    pub refresh: Duration,
}

/// The process's retry budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Retries as a share of calls, 0.0 to 1.0.
    pub budget: f64,
    /// Retries that are always allowed, in calls per second of the process.
    pub min_per_second: u32,
    /// Attempts that one call may make, the first included. A method's rule may say otherwise.
    pub attempts: u8,
    /// How long a call waits for the first of its upstreams to come back when all of them throttle it; zero for not at all.
    pub max_wait: Duration,
}

/// One chain and its upstreams.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The name used in URLs, metrics and logs.
    pub name: String,
    /// The EIP-155 chain id. `None` only for `serve --upstream`: it is then learned, not checked.
    pub chain_id: Option<u64>,
    /// Other names that clients may use in URLs.
    pub aliases: Vec<String>,
    /// How eligible upstreams are ordered.
    pub strategy: Strategy,
    /// How upstreams are checked beside their traffic.
    pub probe: Probe,
    /// How its heads are watched.
    pub heads: Heads,
    /// Whether its answers are kept.
    pub cache: ChainCache,
    /// Whether identical calls in flight join.
    pub coalesce: Coalesce,
    /// How a client's region matters; `None` if it does not.
    pub geo: Option<Geo>,
    /// Where no more than this share of the upstreams is well, those that are out are used as well. 0.0 to 1.0 in whole
    /// thousandths; 0 is never.
    pub panic: f64,
    /// Rules for methods of this chain alone, in the file's order.
    pub methods: Vec<MethodRule>,
    /// The upstreams, in the file's order. 1 to 64.
    pub upstreams: Vec<Upstream>,
}

/// Checks of an upstream beside its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Whether upstreams are probed at all.
    pub enabled: bool,
    /// Time between two probes of one upstream.
    pub interval: Duration,
    /// An upstream this many blocks behind the best is left out; `None` leaves none out.
    pub max_lag_blocks: Option<u64>,
}

/// A strategy by name, with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy {
    /// The name in the registry.
    pub name: String,
    /// The options that were given, in the file's order; the registry fills in the others.
    pub options: Vec<(String, Setting)>,
}

/// The value of a strategy's option, read as the kind that the catalog declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A share in basis points (1 % is 100), written as `5%` or `0.05`.
    Share(u32),
    /// A span of time.
    Duration(Duration),
    /// One of the catalog's words.
    Word(String),
}

impl Strategy {
    /// A strategy with its defaults.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            options: Vec::new(),
        }
    }

    /// The option called `name`, if the file gave it.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&Setting> {
        self.options
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

impl Config {
    /// What is configured for `method` on `chain`: each setting from the most specific rule that has
    /// it. An exact name beats a pattern, a longer pattern a shorter one; between equals the chain's
    /// own rule beats the one for all chains. The namespaces of [`SENSITIVE_NAMESPACES`] are refused
    /// unless a rule at least as specific says `allow: true`. What a pattern says of hedging and keeping
    /// does not reach methods that must not be sent twice, or whose answers serve no other call.
    #[must_use]
    pub fn method_policy(&self, chain: &Chain, method: &str) -> MethodPolicy {
        MethodPolicy::resolve(&self.methods, &chain.methods, method)
    }

    /// Whether answers of any chain are kept.
    #[must_use]
    pub fn keeps_answers(&self) -> bool {
        self.chains.iter().any(|chain| chain.cache.enabled)
    }

    /// The names of all regions that upstreams are in, each once, in the file's order. No other region is named anywhere.
    #[must_use]
    pub fn regions(&self) -> Vec<&str> {
        let mut regions: Vec<&str> = Vec::new();
        for upstream in self.chains.iter().flat_map(|chain| &chain.upstreams) {
            if let Some(region) = upstream.region.as_deref()
                && !regions.contains(&region)
            {
                regions.push(region);
            }
        }
        regions
    }

    /// The number of upstreams over all chains.
    #[must_use]
    pub fn upstream_count(&self) -> usize {
        self.chains.iter().map(|chain| chain.upstreams.len()).sum()
    }

    /// Every file that the configuration names and that is read when it is loaded: a change of one
    /// of them is a change of the configuration.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        if let Some(tls) = &self.server.tls {
            files.extend([tls.cert.clone(), tls.key.clone()]);
        }
        let maxmind = self.server.client_region.maxmind.as_ref();
        files.extend(maxmind.map(|maxmind| maxmind.file.clone()));
        for upstream in self.chains.iter().flat_map(|chain| &chain.upstreams) {
            files.extend(upstream.url_file.clone());
            files.extend(upstream.tls.ca.clone());
            files.extend(
                upstream
                    .headers
                    .iter()
                    .filter_map(|header| header.file.clone()),
            );
        }
        files
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(30),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            budget: 0.2,
            min_per_second: 10,
            attempts: 4,
            max_wait: Duration::from_millis(1_500),
        }
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_secs(30),
            max_lag_blocks: None,
        }
    }
}

impl Default for Strategy {
    fn default() -> Self {
        Self::named("leaderboard")
    }
}
