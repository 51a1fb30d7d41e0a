//! What a shard is told when it is built: chains, upstreams, method policies, strategies, all by index. It holds no name
//! of a method or an upstream and reads no file; whoever builds it has resolved patterns to sets.

mod account;
mod method_set;
#[cfg(test)]
mod tests;
mod upstream;

pub use account::{AccountConfig, AccountError, Allowance, Carried, Measure, Period, PriceConfig};
pub use method_set::MethodSet;
pub use upstream::{BreakerConfig, HoldOffConfig, LimiterConfig, UpstreamConfig};

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::cache::Ttl;
use crate::chain::ChainId;
use crate::index::{MAX_UPSTREAMS, RegionIndex, StrategyIndex, UpstreamIndex, UpstreamSet};
use crate::strategy::{REGISTRY, StrategySpec};

/// The most attempts that a policy may allow one call.
pub const MAX_ATTEMPTS: u8 = 6;

/// Everything that one core decides about.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// The chains, in an order of the caller's choice.
    pub chains: Vec<ChainConfig>,
    /// This shard's share of the process's retry budget.
    pub retry_budget: RetryBudgetConfig,
    /// What was agreed with providers; upstreams name theirs by index.
    pub accounts: Vec<AccountConfig>,
    /// How many shards share the accounts, this one included; at least 1.
    pub shards: u16,
    /// Which of them this is, from 0: each counts what it spends under its own number.
    pub shard: u16,
    /// Unix time at [`Instant::ZERO`](crate::time::Instant::ZERO), in milliseconds: the days and months of accounts are those of UTC.
    pub unix_zero_ms: u64,
    /// When this shard refuses calls to keep up with the others.
    pub shedding: SheddingConfig,
    /// How long a call waits for the first of its upstreams to come back when all of them throttle us; zero for not at all.
    pub held_wait: Duration,
}

impl Default for ShardConfig {
    fn default() -> Self {
        Self {
            chains: Vec::new(),
            retry_budget: RetryBudgetConfig::default(),
            accounts: Vec::new(),
            shards: 1,
            shard: 0,
            unix_zero_ms: 0,
            shedding: SheddingConfig::default(),
            held_wait: Duration::from_millis(1_500),
        }
    }
}

impl ShardConfig {
    /// Checks what is not one chain's matter: a shard whose accounts fail this keeps none of them.
    ///
    /// # Errors
    /// The first limit that does not hold.
    pub fn check(&self) -> Result<(), AccountError> {
        account::check(&self.accounts)
    }
}

/// When a shard is overloaded itself, and sheds the calls that matter least. [`crate::shed`] has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SheddingConfig {
    /// So many calls may be alive on this shard at once, above zero: the process's figure divided by the number of shards.
    pub max_live_calls: u32,
    /// Work of this shard that waits for longer than this, time and again, is a queue that does not drain. Zero where the driver
    /// does not report waits.
    pub max_wait: Duration,
}

impl Default for SheddingConfig {
    fn default() -> Self {
        Self {
            max_live_calls: 100_000,
            max_wait: Duration::from_millis(20),
        }
    }
}

/// How many retries a shard may add to its calls, over a sliding window of ten seconds.
///
/// The two add up, so that a quiet process can retry at all and a busy one is not doubled
/// (Finagle's `RetryBudget`: 20 % of the calls, and a reserve of 10 a second).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudgetConfig {
    /// Retries per thousand calls.
    pub permille_of_calls: u32,
    /// Retries allowed whatever the number of calls, in thousandths of a retry a second, **of this shard**: the
    /// process's figure divided by the number of shards.
    pub min_millis_per_second: u32,
}

impl Default for RetryBudgetConfig {
    fn default() -> Self {
        Self {
            permille_of_calls: 200,
            min_millis_per_second: 10_000,
        }
    }
}

impl RetryBudgetConfig {
    /// The process's budget divided among `shards` (at least one).
    #[must_use]
    pub const fn share(permille_of_calls: u32, min_per_second: u32, shards: u32) -> Self {
        let shards = if shards == 0 { 1 } else { shards };
        Self {
            permille_of_calls,
            min_millis_per_second: min_per_second.saturating_mul(1_000) / shards,
        }
    }
}

/// One chain.
#[derive(Clone, Debug)]
pub struct ChainConfig {
    /// What upstreams must answer to `eth_chainId`; `None` where it is not known, and then it is not checked.
    pub chain_id: Option<ChainId>,
    /// 1 to [`MAX_UPSTREAMS`].
    pub upstreams: Vec<UpstreamConfig>,
    /// At least one: 0 is the default for methods without a policy of their own.
    pub policies: Vec<MethodPolicy>,
    /// At least one: 0 is the chain's own. Further ones serve methods and requests that ask for another.
    pub strategies: Vec<StrategySpec>,
    /// An upstream whose head is more than this many blocks behind the best is left out while another is not;
    /// `None` leaves none out.
    pub max_lag_blocks: Option<u64>,
    /// How its heads are followed.
    pub heads: HeadConfig,
    /// Whether the upstreams of the client's region are preferred; `None` where regions do not matter.
    pub geo: Option<GeoConfig>,
    /// At most so many of a thousand of its upstreams are well: then those that are out are used, too, by the rules of
    /// [`crate::eligibility`]. 0 to 1000; 0 for never.
    pub panic_permille: u32,
}

impl Default for ChainConfig {
    /// No upstream, and the defaults of everything else.
    fn default() -> Self {
        Self {
            chain_id: None,
            upstreams: Vec::new(),
            policies: Vec::from([MethodPolicy::default()]),
            strategies: REGISTRY
                .first()
                .map(|kind| StrategySpec::of(kind))
                .into_iter()
                .collect(),
            max_lag_blocks: None,
            heads: HeadConfig::default(),
            geo: None,
            panic_permille: DEFAULT_PANIC_PERMILLE,
        }
    }
}

/// How a client's region matters. [`crate::shard`]'s `regions` has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeoConfig {
    /// The region of requests that do not say theirs: where this process runs.
    pub home: Option<RegionIndex>,
    /// So much longer than the fastest upstream of all may one of the client's region take and still be preferred; and where none of the
    /// client's region is to be had, so much longer may one of another region take and still be asked. 1 ms to a minute.
    pub bound: Duration,
}

impl GeoConfig {
    /// The least bound: below it noise decides.
    pub const MIN_BOUND: Duration = Duration::from_millis(1);
    /// The largest.
    pub const MAX_BOUND: Duration = Duration::from_secs(60);
}

impl Default for GeoConfig {
    fn default() -> Self {
        Self {
            home: None,
            bound: Duration::from_millis(80),
        }
    }
}

/// The default of [`ChainConfig::panic_permille`]: half (Envoy's panic threshold).
pub const DEFAULT_PANIC_PERMILLE: u32 = 500;

/// How the heads of a chain are followed: who is asked how often, and whether clients are held to what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadConfig {
    /// Ask the upstreams at all. Without it nothing is final, and `eth_blockNumber` is answered as the upstream did.
    pub enabled: bool,
    /// The shortest time between two questions to one upstream for its newest block.
    pub min_interval: Duration,
    /// The longest.
    pub max_interval: Duration,
    /// Time between two questions for the safe, and for the finalized block.
    pub finality_interval: Duration,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            min_interval: Duration::from_secs(1),
            max_interval: Duration::from_secs(12),
            finality_interval: Duration::from_secs(30),
        }
    }
}

/// What is configured about a method on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodPolicy {
    /// The longest that a call may take, all its attempts together.
    pub timeout: Duration,
    /// The most attempts that a call may make, 1 to [`MAX_ATTEMPTS`].
    pub attempts: u8,
    /// Another strategy than the chain's.
    pub strategy: Option<StrategyIndex>,
    /// When a call that waits is also sent elsewhere; `None` for never.
    pub hedge: Option<HedgeConfig>,
    /// How long its answers are kept; `None` for what the table says.
    pub cache: Option<Ttl>,
}

/// When a call that has waited longer than its upstream usually takes is also sent to another provider's, and how often that may
/// happen. [`crate::hedge`] has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgeConfig {
    /// How unusual a wait must be: of a thousand answers of that upstream to that method so many come sooner.
    /// [`Self::MIN_QUANTILE`] to [`Self::MAX_QUANTILE`]. Raised by [`Self::effective_quantile`].
    pub quantile_permille: u16,
    /// Shorter waits are never cut, however unusual. One that is beyond the calls' time means that none is hedged.
    pub min_delay: Duration,
    /// Hedges per thousand calls of the policy, over ten seconds, of this shard; and one. 1 to [`Self::MAX_EXTRA`].
    pub max_extra_permille: u32,
}

impl HedgeConfig {
    /// Below the median a hedge is a second copy of most calls.
    pub const MIN_QUANTILE: u16 = 500;
    /// What is rarer than one in a thousand is not measured.
    pub const MAX_QUANTILE: u16 = 999;
    /// One hedge a call.
    pub const MAX_EXTRA: u32 = 1_000;

    /// The quantile that is waited for: the configured one, or a higher one where more calls would be hedged than may be. Of calls that are
    /// all denied a hedge the ones that need it most would be, too.
    #[must_use]
    pub const fn effective_quantile(&self) -> u16 {
        let affordable = 1_000_u32.saturating_sub(self.max_extra_permille);
        let wanted = self.quantile_permille as u32;
        let quantile = if affordable > wanted {
            affordable
        } else {
            wanted
        };
        if quantile > Self::MAX_QUANTILE as u32 {
            Self::MAX_QUANTILE
        } else {
            quantile as u16
        }
    }

    fn is_within_limits(&self) -> bool {
        (Self::MIN_QUANTILE..=Self::MAX_QUANTILE).contains(&self.quantile_permille)
            && (1..=Self::MAX_EXTRA).contains(&self.max_extra_permille)
    }
}

impl Default for HedgeConfig {
    fn default() -> Self {
        Self {
            quantile_permille: 970,
            min_delay: Duration::from_millis(2),
            max_extra_permille: 50,
        }
    }
}

impl Default for MethodPolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            attempts: 3,
            strategy: None,
            hedge: None,
            cache: None,
        }
    }
}

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A chain has none, or more than [`MAX_UPSTREAMS`].
    Upstreams(usize),
    /// A chain has no policy.
    NoPolicy,
    /// A chain has no strategy.
    NoStrategy,
    /// A policy allows no attempt, or more than [`MAX_ATTEMPTS`].
    Attempts(u8),
    /// A policy names a strategy that the chain does not have.
    UnknownStrategy(StrategyIndex),
    /// A breaker needs at least one failure, one probe, a window and an open time.
    Breaker(UpstreamIndex),
    /// A hold-off needs some time, and the longest is not below the first.
    HoldOff(UpstreamIndex),
    /// An attempt needs some time.
    Timeout,
    /// A hedge's quantile or its share of the calls is out of [`HedgeConfig`]'s limits.
    Hedge,
    /// Heads are asked for every so often: the intervals are above zero, and the shortest is not longer than the longest.
    Heads,
    /// The bound between regions is out of [`GeoConfig`]'s limits.
    Geo,
    /// An upstream may always have one attempt at least.
    MaxInFlight(UpstreamIndex),
    /// The panic threshold is a share of a thousand.
    Panic(u32),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstreams(count) => write!(
                f,
                "a chain needs 1 to {MAX_UPSTREAMS} upstreams, not {count}"
            ),
            Self::NoPolicy => f.write_str("a chain needs a default method policy"),
            Self::NoStrategy => f.write_str("a chain needs a strategy"),
            Self::Attempts(count) => {
                write!(f, "a call makes 1 to {MAX_ATTEMPTS} attempts, not {count}")
            }
            Self::UnknownStrategy(index) => {
                write!(f, "the chain has no strategy number {}", index.0)
            }
            Self::Breaker(index) => write!(
                f,
                "the breaker of upstream number {} needs failures, window, open_for and probes above zero",
                index.0
            ),
            Self::HoldOff(index) => write!(
                f,
                "the hold-off of upstream number {} must be above zero, and longest not below first",
                index.0
            ),
            Self::Timeout => f.write_str("a timeout must be above zero"),
            Self::Hedge => write!(
                f,
                "a hedge's quantile is {} to {} and its share 1 to {}, of a thousand",
                HedgeConfig::MIN_QUANTILE,
                HedgeConfig::MAX_QUANTILE,
                HedgeConfig::MAX_EXTRA
            ),
            Self::Heads => f.write_str(
                "the intervals of heads must be above zero, and min_interval not above max_interval",
            ),
            Self::Geo => write!(
                f,
                "the bound between regions is {:?} to {:?}",
                GeoConfig::MIN_BOUND,
                GeoConfig::MAX_BOUND
            ),
            Self::MaxInFlight(index) => write!(
                f,
                "max_in_flight of upstream number {} must be above zero",
                index.0
            ),
            Self::Panic(permille) => {
                write!(f, "the panic threshold is 0 to 1000, not {permille}")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl ChainConfig {
    /// Checks the limits that the engine relies on.
    ///
    /// A shard built from a chain that fails this still never panics: it answers every call of that chain with `no_upstream`.
    ///
    /// # Errors
    /// The first limit that does not hold.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.upstreams.is_empty() || self.upstreams.len() > MAX_UPSTREAMS {
            return Err(ConfigError::Upstreams(self.upstreams.len()));
        }
        if self.policies.is_empty() {
            return Err(ConfigError::NoPolicy);
        }
        if self.strategies.is_empty() {
            return Err(ConfigError::NoStrategy);
        }
        for policy in &self.policies {
            if policy.attempts == 0 || policy.attempts > MAX_ATTEMPTS {
                return Err(ConfigError::Attempts(policy.attempts));
            }
            if policy.timeout.is_zero() {
                return Err(ConfigError::Timeout);
            }
            if let Some(index) = policy.strategy
                && index.as_usize() >= self.strategies.len()
            {
                return Err(ConfigError::UnknownStrategy(index));
            }
            if policy.hedge.is_some_and(|hedge| !hedge.is_within_limits()) {
                return Err(ConfigError::Hedge);
            }
        }
        for (position, upstream) in self.upstreams.iter().enumerate() {
            let breaker = &upstream.breaker;
            if breaker.failures == 0
                || breaker.probes == 0
                || breaker.window.is_zero()
                || breaker.open_for.is_zero()
            {
                return Err(ConfigError::Breaker(UpstreamIndex(position as u16)));
            }
            let hold_off = &upstream.hold_off;
            if hold_off.first.is_zero() || hold_off.longest < hold_off.first {
                return Err(ConfigError::HoldOff(UpstreamIndex(position as u16)));
            }
            if upstream.timeout.is_zero() {
                return Err(ConfigError::Timeout);
            }
            if upstream.limiter.max_in_flight == 0 {
                return Err(ConfigError::MaxInFlight(UpstreamIndex(position as u16)));
            }
        }
        if self.panic_permille > 1_000 {
            return Err(ConfigError::Panic(self.panic_permille));
        }
        let heads = &self.heads;
        let bad_interval = heads.min_interval.is_zero()
            || heads.finality_interval.is_zero()
            || heads.min_interval > heads.max_interval;
        if heads.enabled && bad_interval {
            return Err(ConfigError::Heads);
        }
        let bounds = GeoConfig::MIN_BOUND..=GeoConfig::MAX_BOUND;
        if self.geo.is_some_and(|geo| !bounds.contains(&geo.bound)) {
            return Err(ConfigError::Geo);
        }
        Ok(())
    }

    /// All of the chain's upstreams.
    #[must_use]
    pub fn all(&self) -> UpstreamSet {
        UpstreamSet::first(self.upstreams.len())
    }
}
