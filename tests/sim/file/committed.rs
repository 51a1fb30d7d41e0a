//! The committed suite: every scenario by its name. Half of them defaults were tuned on; the other half was held back.

use super::{FileFault, Template, parse};

macro_rules! suite {
    ($($name:literal)+) => {
        /// The committed scenarios: name and text.
        pub const COMMITTED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../scenarios/", $name, ".yaml"))),)+
        ];
    };
}

suite! {
    "calm"
    "calm-equals"
    "outage-of-one"
    "outage-of-two"
    "outage-of-all"
    "black-hole-of-all"
    "refused-by-all"
    "black-hole"
    "half-deaf"
    "flaky-5"
    "flaky-20"
    "flaky-50"
    "flaky-all"
    "brownout"
    "brownout-by-method"
    "slow-drift"
    "slow-and-back"
    "latency-spikes"
    "stalls-everywhere"
    "frozen"
    "throttled-with-a-word"
    "throttled-without-a-word"
    "throttled-by-all"
    "hidden-limits"
    "published-limits"
    "method-missing"
    "pruned-history"
    "stuck-head"
    "lying-heads"
    "wrong-chain"
    "region-loss"
    "region-brownout"
    "clients-in-regions"
    "prices"
    "allowance-runs-out"
    "free-tiers"
    "slow-start"
    "cold-and-crowded"
    "metastable-overload"
    "metastable-loss"
    "stale-connections"
    "resets"
    "bursts-and-batches"
    "lossy-gossip"
    "key-revoked"
    "heavy-methods"
}

/// The committed scenario of this name.
///
/// # Errors
/// Nothing that is committed is wrong, which a test checks.
#[must_use]
pub fn committed(name: &str) -> Option<Result<Template, Vec<FileFault>>> {
    let (_, text) = COMMITTED.iter().find(|(known, _)| *known == name)?;
    let read = |path: &str| Err(format!("{path}: a committed scenario stands for itself"));
    Some(parse(name, text, &read))
}
