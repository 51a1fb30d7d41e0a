//! Configurations made without a file: `serve --upstream URL …`, the demo, tests.

use crate::catalog::StrategyCatalog;
use crate::model::{
    Cache, Chain, ChainCache, Coalesce, Config, Heads, Probe, Resolver, Retry, Server, Strategy,
    Upstream, UpstreamUrl,
};
use crate::problem::{Problem, Problems};
use crate::validate::{MAX_UPSTREAMS, destination};

/// Where no more than half of the upstreams is well, those that are out are used as well (Envoy's panic threshold).
pub(crate) const DEFAULT_PANIC: f64 = 0.5;

/// The chain's name when there is no file.
pub const DEFAULT_CHAIN: &str = "default";

impl Config {
    /// A configuration of these chains with defaults in everything else.
    #[must_use]
    pub fn of_chains(chains: Vec<Chain>) -> Self {
        Self {
            server: Server::default(),
            resolver: Resolver::default(),
            retry: Retry::default(),
            cache: Cache::default(),
            coalesce: Coalesce::default(),
            accounts: Vec::new(),
            methods: Vec::new(),
            chains,
        }
    }

    /// A configuration of one chain, [`DEFAULT_CHAIN`], whose id is learned, with an upstream for
    /// each URL, named by its host, and the catalog's default strategy.
    ///
    /// # Errors
    /// Each URL that cannot be an upstream's, `--upstream[0]` in place of a file's name. The default
    /// listeners count as ours.
    pub fn from_upstreams(urls: &[String], catalog: &StrategyCatalog) -> Result<Self, Problems> {
        let server = Server::default();
        let mut problems = Vec::new();
        let mut upstreams: Vec<Upstream> = Vec::new();
        if urls.is_empty() || urls.len() > MAX_UPSTREAMS {
            problems.push(problem(
                "--upstream".to_owned(),
                format!("{} upstreams are given", urls.len()),
                format!("give 1 to {MAX_UPSTREAMS}"),
            ));
        }
        for (index, text) in urls.iter().enumerate() {
            let name = format!("--upstream[{index}]");
            let url = UpstreamUrl::parse(text)
                .and_then(|url| destination::fault(&url, false, &server).map_or(Ok(url), Err));
            match url {
                Ok(url) => upstreams.push(Upstream::new(&free_name(&url, &upstreams), url)),
                Err(fault) => problems.push(problem(name, fault.message, fault.remedy)),
            }
        }
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        let strategy = catalog.default_strategy();
        let chain = Chain {
            strategy,
            ..Chain::new(DEFAULT_CHAIN, None, upstreams)
        };
        Ok(Self::of_chains(vec![chain]))
    }
}

impl Chain {
    /// A chain with defaults in everything but this.
    #[must_use]
    pub fn new(name: &str, chain_id: Option<u64>, upstreams: Vec<Upstream>) -> Self {
        Self {
            name: name.to_owned(),
            chain_id,
            aliases: Vec::new(),
            strategy: Strategy::default(),
            probe: Probe::default(),
            heads: Heads::default(),
            cache: ChainCache::default(),
            coalesce: Coalesce::default(),
            geo: None,
            panic: DEFAULT_PANIC,
            methods: Vec::new(),
            upstreams,
        }
    }
}

/// The host as a name, with the port and a number where others have it too.
fn free_name(url: &UpstreamUrl, upstreams: &[Upstream]) -> String {
    let port = if url.port == UpstreamUrl::default_port(url.tls) {
        String::new()
    } else {
        format!("-{}", url.port)
    };
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            c
        } else {
            '-'
        }
    };
    let base: String = url
        .host
        .chars()
        .map(legal)
        .take(48)
        .chain(port.chars())
        .collect();
    let taken = |name: &str| upstreams.iter().any(|upstream| upstream.name == name);
    let numbered = (2..).map(|number: usize| format!("{base}-{number}"));
    std::iter::once(base.clone())
        .chain(numbered)
        .find(|name| !taken(name))
        .unwrap_or_default()
}

fn problem(file: String, message: String, remedy: String) -> Problem {
    Problem {
        file,
        line: 0,
        column: 0,
        path: String::new(),
        message,
        remedy,
        excerpt: None,
    }
}
