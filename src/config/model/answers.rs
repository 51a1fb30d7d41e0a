//! Answers that serve more than one call, attempts that are sent twice, and what is known of a chain's
//! head, on which both rest. Never says what a particular method admits: that is in [`super::method`].

use std::time::Duration;

/// The process's store of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Whether answers are kept, on chains that say nothing of their own. What holds for a chain is
    /// [`ChainCache::enabled`].
    pub enabled: bool,
    /// What kept answers may take, in bytes of the process, split over its shards. At least 1 MiB.
    pub max_bytes: usize,
}

/// What of [`Cache`] a chain may say for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainCache {
    /// Whether answers of this chain are kept: the chain's word, else the process's.
    pub enabled: bool,
}

/// Identical calls in flight as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coalesce {
    /// Of the process: whether they join, on chains that say nothing of their own. Of a chain: whether
    /// they join there, the process's word included.
    pub enabled: bool,
}

/// How a chain's newest, safe and finalized blocks are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Whether upstreams are asked for their heads beside their traffic.
    pub enabled: bool,
    /// Shortest time between two questions for the newest block of one upstream, however fast the chain.
    pub min_interval: Duration,
    /// Longest time between them, however slow the chain. Not below `min_interval`.
    pub max_interval: Duration,
    /// Time between two questions for the safe and finalized blocks of the chain.
    pub finality_interval: Duration,
}

/// When a second attempt is made beside a first one that is slow, all settings known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hedge {
    /// Whether it is made at all. Never true in a [`super::MethodPolicy`] of a method that must not be
    /// sent twice.
    pub enabled: bool,
    /// The share of earlier answers that came sooner than the wait for the first attempt, 0.5 to 0.999
    /// in whole thousandths.
    pub quantile: f64,
    /// Shortest wait, whatever the quantile says.
    pub min_delay: Duration,
    /// Hedges as a share of calls, at most: 0.001 to 1.0 in whole thousandths.
    pub max_extra: f64,
}

/// What one rule says of [`Hedge`]. `None` says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HedgeRule {
    /// See [`Hedge::enabled`].
    pub enabled: Option<bool>,
    /// See [`Hedge::quantile`].
    pub quantile: Option<f64>,
    /// See [`Hedge::min_delay`].
    pub min_delay: Option<Duration>,
    /// See [`Hedge::max_extra`].
    pub max_extra: Option<f64>,
}

/// How long answers of a method are kept, where an operator says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheTtl {
    /// Not at all.
    Never,
    /// Until the chain has a newer head.
    Head,
    /// For good once the block that they name is final; until then like `Head`.
    Final,
    /// So long, 1 ms to 365 days, whatever the head does.
    Time(Duration),
}

impl HedgeRule {
    /// Whether it says anything.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Hedge> for HedgeRule {
    fn from(hedge: Hedge) -> Self {
        Self {
            enabled: Some(hedge.enabled),
            quantile: Some(hedge.quantile),
            min_delay: Some(hedge.min_delay),
            max_extra: Some(hedge.max_extra),
        }
    }
}

impl Hedge {
    /// Takes over what a rule says.
    pub(super) fn apply(&mut self, rule: &HedgeRule) {
        self.enabled = rule.enabled.unwrap_or(self.enabled);
        self.quantile = rule.quantile.unwrap_or(self.quantile);
        self.min_delay = rule.min_delay.unwrap_or(self.min_delay);
        self.max_extra = rule.max_extra.unwrap_or(self.max_extra);
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            enabled: true,
            max_bytes: 256 << 20,
        }
    }
}

impl Default for ChainCache {
    fn default() -> Self {
        Self {
            enabled: Cache::default().enabled,
        }
    }
}

impl Default for Coalesce {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for Heads {
    fn default() -> Self {
        Self {
            enabled: true,
            min_interval: Duration::from_secs(1),
            max_interval: Duration::from_secs(12),
            finality_interval: Duration::from_secs(30),
        }
    }
}

impl Default for Hedge {
    fn default() -> Self {
        Self {
            enabled: false,
            quantile: 0.97,
            min_delay: Duration::from_millis(2),
            max_extra: 0.05,
        }
    }
}
