//! What a process's metrics are about: its chains, upstreams, methods and closed label sets, each
//! addressed by index. Fixed when the recorders are made, so the number of series is known before the
//! first request. Never grows with traffic.

/// The label of a method that is not in the fixed list (OpenTelemetry's name for it).
pub const OTHER_METHOD: &str = "_OTHER";

/// One upstream, as metrics name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamDimension {
    /// Unique within its chain.
    pub name: String,
    /// The company or group behind it.
    pub provider: String,
}

/// One chain and its upstreams, in the engine's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainDimension {
    /// Unique within the process.
    pub name: String,
    /// In the order of the engine's upstream indices.
    pub upstreams: Vec<UpstreamDimension>,
}

/// Everything that a label can say. Indices into these lists are what recorders are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// How many shards record.
    pub shards: usize,
    /// In the order of the engine's chain indices.
    pub chains: Vec<ChainDimension>,
    /// Names of the known methods, in the order of the engine's method ids. Any other index is [`OTHER_METHOD`].
    pub methods: Vec<&'static str>,
    /// Strategy names, in the order of their index.
    pub strategies: Vec<&'static str>,
    /// Fault class labels, in the order of their index.
    pub fault_classes: Vec<&'static str>,
    /// Breaker state labels, in the order of their index.
    pub breaker_states: Vec<&'static str>,
    /// Labels of the kinds of work that breakers are kept for, in the order of their index.
    pub method_groups: Vec<&'static str>,
    /// Labels of what calls are worth under overload, in the order of their index.
    pub priorities: Vec<&'static str>,
    /// The configuration's accounts, in the order of the engine's account indices. Accounts that it does not name have no series.
    pub accounts: Vec<String>,
    /// Labels of the reasons for which a candidate is left out, in the order of their index.
    pub exclusions: Vec<&'static str>,
    /// The program's version, for `livechain_build_info`.
    pub version: &'static str,
}

impl Dimensions {
    /// How many upstreams there are over all chains.
    #[must_use]
    pub fn upstream_count(&self) -> usize {
        self.chains.iter().map(|chain| chain.upstreams.len()).sum()
    }

    /// One upstream of one chain.
    #[must_use]
    pub fn upstream(&self, chain: usize, upstream: usize) -> Option<&UpstreamDimension> {
        self.chains.get(chain)?.upstreams.get(upstream)
    }

    /// The method's name, [`OTHER_METHOD`] for what is not in the list.
    #[must_use]
    pub fn method_name(&self, method: usize) -> &'static str {
        self.methods.get(method).copied().unwrap_or(OTHER_METHOD)
    }

    /// The chain and upstream behind a flat upstream number (all chains' upstreams, one after another).
    pub(crate) fn flat_upstream(
        &self,
        flat: usize,
    ) -> Option<(&ChainDimension, &UpstreamDimension)> {
        let mut first = 0;
        for chain in &self.chains {
            if let Some(upstream) = chain.upstreams.get(flat - first) {
                return Some((chain, upstream));
            }
            first += chain.upstreams.len();
        }
        None
    }
}
