//! One upstream as it is configured: who it is, what it costs, when it is trusted. It checks nothing.

use core::time::Duration;

use super::{MethodSet, PriceConfig};
use crate::index::{AccountIndex, ProviderIndex, RegionIndex};
use crate::protocol::ProtocolSet;

/// One endpoint of a provider for one chain.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// The company behind it: after a failure, an upstream of another provider is preferred.
    pub provider: ProviderIndex,
    /// Lower is earlier, for the `priority` strategy.
    pub priority: u32,
    /// Scales its share: 100 is the usual one. 0 means only when nothing else is left.
    pub weight: u32,
    /// The longest that one attempt may take there.
    pub timeout: Duration,
    /// When to stop trusting it.
    pub breaker: BreakerConfig,
    /// How long it is left alone after it throttled us.
    pub hold_off: HoldOffConfig,
    /// How its own limits are found.
    pub limiter: LimiterConfig,
    /// It was added beside upstreams that are known: its share grows with its answers.
    pub slow_start: bool,
    /// Methods of the standard table that it is never sent.
    pub denied: MethodSet,
    /// The name that consistent hashing knows it by: a hash that is the same in every configuration that has this upstream, on every
    /// machine. 0 stands for its index.
    pub identity: u64,
    /// Where it says that it is; `None` for nowhere in particular.
    pub region: Option<RegionIndex>,
    /// How it can be talked to.
    pub protocols: ProtocolSet,
    /// Whose limits and allowances its calls use up, and on whose bill they are: two upstreams of one account that throttle us at once hold off
    /// the account. `None` for nobody's.
    pub account: Option<AccountIndex>,
    /// What its calls cost.
    pub price: PriceConfig,
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            provider: ProviderIndex(0),
            priority: 1,
            weight: 100,
            timeout: Duration::from_secs(5),
            breaker: BreakerConfig::default(),
            hold_off: HoldOffConfig::default(),
            limiter: LimiterConfig::default(),
            slow_start: false,
            denied: MethodSet::EMPTY,
            identity: 0,
            region: None,
            protocols: ProtocolSet::ANY,
            account: None,
            price: PriceConfig::default(),
        }
    }
}

/// When a breaker trips and how it comes back. [`crate::breaker`] has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Weighted failures within `window` before it may trip.
    pub failures: u32,
    /// How far back failures count.
    pub window: Duration,
    /// How long it stays open the first time.
    pub open_for: Duration,
    /// How many attempts HalfOpen admits at once, and how many must succeed to close.
    pub probes: u32,
    /// Half broken, it keeps a share of its calls in proportion to what it still does. Without this it is out or it is not.
    pub brownout: bool,
    /// Each [`MethodGroup`](crate::method::MethodGroup) has a breaker of its own below the upstream's. Without this all count together.
    pub by_group: bool,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_secs(30),
            open_for: Duration::from_secs(10),
            probes: 2,
            brownout: true,
            by_group: true,
        }
    }
}

/// How long an upstream is left alone after it throttled us, where it names no time or a shorter one. [`crate::throttle`] has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldOffConfig {
    /// The first time. Above zero.
    pub first: Duration,
    /// Doubled with each throttle in a row it ends here. Not below `first`.
    pub longest: Duration,
}

impl Default for HoldOffConfig {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            longest: Duration::from_secs(30 * 60),
        }
    }
}

/// How the limits of an upstream are found, to stay below them. [`crate::limit`] has the rule. What is found is this shard's share of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimiterConfig {
    /// Find how many attempts it serves at once, by their latency.
    pub in_flight: bool,
    /// Find how many attempts a second it serves, by its throttles.
    pub rate: bool,
    /// Never more attempts at once than this, while others have room. Above zero.
    pub max_in_flight: u32,
}

impl Default for LimiterConfig {
    fn default() -> Self {
        Self {
            in_flight: true,
            rate: true,
            max_in_flight: u32::MAX,
        }
    }
}
