//! What is configured about methods, resolved once per configuration: for every method of the standard
//! table its policy by index, for a name that no table knows the same rules at run time. Pure.

use std::time::Duration;

use config::{CacheTtl, Chain, Config};
use engine::cache::Ttl;
use engine::config::{HedgeConfig, MAX_ATTEMPTS, MethodPolicy};
use engine::index::{PolicyIndex, StrategyIndex};
use engine::method::{self, Effect, FilterRole, MethodClass, MethodId};

/// What the data plane does with one call's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodEntry {
    /// The method; `_OTHER` for names that the table does not know.
    pub id: MethodId,
    /// The engine's policy.
    pub policy: PolicyIndex,
    /// What the call leaves behind.
    pub effect: Effect,
    /// Its part in the life of a node's filter.
    pub filter: FilterRole,
    /// Whether clients may call it here.
    pub allowed: bool,
    /// How long its answers are kept, where the configuration says so.
    pub ttl: Option<Ttl>,
    /// Whether answers are kept on this chain.
    pub keeps: bool,
    /// Whether identical calls of it join one flight here.
    pub joins: bool,
    /// What its answer tells of the chain's head.
    pub tells: HeadTold,
    /// What its answer tells of the chain's identity.
    pub names_chain: Option<ChainNamed>,
}

/// What the answer to a method tells of which chain it is about, beside what is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainNamed {
    /// Its id: another than this is an answer about another chain.
    Id(u64),
    /// Its network's: usually this, but some chains have another (Ethereum Classic is chain 61 of network 1).
    Network(u64),
}

/// What the answer to a method tells of the chain's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadTold {
    /// Nothing.
    Nothing,
    /// Its number (`eth_blockNumber`).
    Number,
    /// The newest block, or the newest safe or final one, if that was asked for, and else what [`Self::Own`] does
    /// (`eth_getBlockByNumber`).
    Block,
    /// That a block is there: its own `blockNumber` or `number`, or its elements'.
    Own,
}

impl MethodEntry {
    /// Is this result the id of another network than usual? It may be right, and it may be another chain's.
    pub fn is_odd_network(&self, result: &[u8]) -> bool {
        match self.names_chain {
            Some(ChainNamed::Network(usual)) => {
                let text = result
                    .strip_prefix(b"\"")
                    .and_then(|t| t.strip_suffix(b"\""));
                let said = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
                said != Some(usual)
            }
            _ => false,
        }
    }

    /// May a call of it change what reads say? A node's own filters are no part of that.
    pub fn writes(&self) -> bool {
        self.effect != Effect::None && self.filter == FilterRole::None
    }

    /// Of a chain that does not exist: nothing is served.
    pub const UNKNOWN: Self = Self {
        id: MethodId::OTHER,
        policy: PolicyIndex(0),
        effect: Effect::NodeWrite,
        filter: FilterRole::None,
        allowed: false,
        ttl: None,
        keeps: false,
        joins: false,
        tells: HeadTold::Nothing,
        names_chain: None,
    };
}

/// The resolved policies of one chain.
pub struct Policies {
    entries: Vec<MethodEntry>,
    engine: Vec<MethodPolicy>,
    strategies: Vec<config::Strategy>,
}

impl Policies {
    /// Resolves every standard method, and every combination of rules that an unknown name can meet.
    pub fn new(config: &Config, chain: &Chain) -> Self {
        let mut policies = Self {
            entries: Vec::new(),
            engine: Vec::new(),
            strategies: vec![chain.strategy.clone()],
        };
        // Index 0 is the default: an unknown method that no rule names.
        policies.intern(config, chain, "_");
        for (id, name, standard) in method::all() {
            let policy = policies.intern(config, chain, name);
            policies.entries.push(MethodEntry {
                id,
                policy,
                effect: standard.effect,
                filter: standard.filter,
                allowed: allowed(config, chain, name, standard.class),
                ttl: policies
                    .engine
                    .get(policy.as_usize())
                    .and_then(|policy| policy.cache),
                keeps: chain.cache.enabled,
                joins: chain.coalesce.enabled && engine::cache::may_share(standard),
                tells: match name {
                    "eth_blockNumber" => HeadTold::Number,
                    "eth_getBlockByNumber"
                    | "eth_getBlockReceipts"
                    | "eth_getHeaderByNumber"
                    | "erigon_getHeaderByNumber" => HeadTold::Block,
                    "eth_getBlockByHash"
                    | "eth_getLogs"
                    | "eth_getTransactionByBlockHashAndIndex"
                    | "eth_getTransactionByBlockNumberAndIndex"
                    | "eth_getTransactionByHash"
                    | "eth_getTransactionReceipt"
                    | "eth_sendRawTransactionSync" => HeadTold::Own,
                    _ => HeadTold::Nothing,
                },
                names_chain: match name {
                    "eth_chainId" => chain.chain_id.map(ChainNamed::Id),
                    "net_version" => chain.chain_id.map(ChainNamed::Network),
                    _ => None,
                },
            });
        }
        // The rules that an unknown name meets are those of its longest open pattern, or of its exact one: one
        // representative each covers them all.
        for rule in config.methods.iter().chain(&chain.methods) {
            let pattern = rule.pattern.to_string();
            let representative = match rule.pattern.exact() {
                Some(name) => name.to_owned(),
                None => pattern.replace('*', "_"),
            };
            policies.intern(config, chain, &representative);
        }
        policies
    }

    /// How long a call under this policy may take.
    pub fn timeout(&self, policy: PolicyIndex) -> Duration {
        self.engine
            .get(policy.as_usize())
            .map_or(Duration::ZERO, |policy| policy.timeout)
    }

    /// The engine's policies, by index.
    pub fn engine(&self) -> &[MethodPolicy] {
        &self.engine
    }

    /// The chain's own strategy, then those that methods ask for, by index.
    pub fn strategies(&self) -> &[config::Strategy] {
        &self.strategies
    }

    /// What to do with a call of this method.
    pub fn of(&self, config: &Config, chain: &Chain, name: &[u8]) -> MethodEntry {
        if let Some(entry) = self.entries.get(method::lookup(name).index()) {
            return *entry;
        }
        let name = std::str::from_utf8(name).unwrap_or("_");
        let wanted = self.resolve(config, chain, name);
        let policy = self.engine.iter().position(|known| *known == wanted);
        MethodEntry {
            id: MethodId::OTHER,
            policy: PolicyIndex(policy.and_then(|p| u16::try_from(p).ok()).unwrap_or(0)),
            effect: method::effect_of_unknown(name),
            filter: FilterRole::None,
            allowed: allowed(config, chain, name, MethodClass::Other),
            ttl: wanted.cache,
            // Nobody knows what the answer to a name that is in no table hangs on, but the operator may.
            keeps: chain.cache.enabled,
            joins: false,
            tells: HeadTold::Nothing,
            names_chain: None,
        }
    }

    /// The index of the policy that `name` resolves to, added if it is new.
    fn intern(&mut self, config: &Config, chain: &Chain, name: &str) -> PolicyIndex {
        if let Some(strategy) = config.method_policy(chain, name).strategy
            && !self.strategies.contains(&strategy)
        {
            self.strategies.push(strategy);
        }
        let policy = self.resolve(config, chain, name);
        let at = match self.engine.iter().position(|known| *known == policy) {
            Some(at) => at,
            None => {
                self.engine.push(policy);
                self.engine.len() - 1
            }
        };
        PolicyIndex(u16::try_from(at).unwrap_or(0))
    }

    fn resolve(&self, config: &Config, chain: &Chain, name: &str) -> MethodPolicy {
        let configured = config.method_policy(chain, name);
        let id = method::lookup(name.as_bytes());
        let standard: Duration = method::policy(id).timeout;
        // What is configured for a method may exceed `request_timeout`; what the table suggests may not.
        let suggested = standard.min(config.server.limits.request_timeout);
        MethodPolicy {
            timeout: configured.timeout.unwrap_or(suggested),
            attempts: configured
                .attempts
                .unwrap_or(config.retry.attempts)
                .clamp(1, MAX_ATTEMPTS),
            strategy: configured.strategy.and_then(|wanted| {
                let at = self.strategies.iter().position(|known| *known == wanted)?;
                Some(StrategyIndex(u16::try_from(at).ok()?))
            }),
            hedge: configured.hedge.enabled.then(|| HedgeConfig {
                quantile_permille: permille(configured.hedge.quantile) as u16,
                min_delay: configured.hedge.min_delay,
                max_extra_permille: permille(configured.hedge.max_extra),
            }),
            cache: configured.cache.map(|ttl| match ttl {
                CacheTtl::Never => Ttl::Never,
                CacheTtl::Head => Ttl::Head,
                CacheTtl::Final => Ttl::Final,
                CacheTtl::Time(span) => Ttl::For(span),
            }),
        }
    }
}

/// A share in thousandths.
pub fn permille(share: f64) -> u32 {
    (share * 1000.0).round().clamp(0.0, 1000.0) as u32
}

/// Whether clients may call the method: the configuration's word, and never what belongs to a socket that outlives
/// the call.
fn allowed(config: &Config, chain: &Chain, name: &str, class: MethodClass) -> bool {
    class != MethodClass::Subscription && config.method_policy(chain, name).allow
}
