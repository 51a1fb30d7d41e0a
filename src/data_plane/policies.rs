//! What is configured about methods, resolved once per configuration: for every method of the standard
//! table its policy by index, for a name that no table knows the same rules at run time. Pure.

use std::time::Duration;

use config::{Chain, Config};
use engine::config::{MAX_ATTEMPTS, MethodPolicy};
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
}

impl MethodEntry {
    /// Of a chain that does not exist: nothing is served.
    pub const UNKNOWN: Self = Self {
        id: MethodId::OTHER,
        policy: PolicyIndex(0),
        effect: Effect::NodeWrite,
        filter: FilterRole::None,
        allowed: false,
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
            cache: None,
        }
    }
}

/// Whether clients may call the method: the configuration's word, and never what belongs to a socket that outlives
/// the call.
fn allowed(config: &Config, chain: &Chain, name: &str, class: MethodClass) -> bool {
    class != MethodClass::Subscription && config.method_policy(chain, name).allow
}
