//! Judging a measured value against a limit without flapping: what is past the limit stays out until it is well below it (a Schmitt
//! trigger). It measures nothing.

use alloc::boxed::Box;

use crate::index::{UpstreamIndex, UpstreamSet};
use crate::method::MethodId;

/// Which upstreams are past a limit, for each method apart.
#[derive(Clone, Debug)]
pub struct Hysteresis {
    past: Box<[UpstreamSet]>,
}

impl Hysteresis {
    /// Nobody is past the limit.
    #[must_use]
    pub fn new() -> Self {
        Self {
            past: alloc::vec![UpstreamSet::EMPTY; MethodId::COUNT + 1].into_boxed_slice(),
        }
    }

    /// Is an upstream past the limit? From above `limit` on, until it is at most `back`.
    pub fn is_past(
        &mut self,
        method: MethodId,
        upstream: UpstreamIndex,
        value: u64,
        limit: u64,
        back: u64,
    ) -> bool {
        let Some(past) = self.past.get_mut(method.index()) else {
            return value > limit;
        };
        if value > limit {
            past.insert(upstream);
        } else if value <= back {
            past.remove(upstream);
        }
        past.contains(upstream)
    }
}

impl Default for Hysteresis {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::lookup;

    #[test]
    fn what_is_past_the_limit_comes_back_well_below_it_only() {
        let mut hysteresis = Hysteresis::new();
        let (call, logs) = (lookup(b"eth_call"), lookup(b"eth_getLogs"));
        let upstream = UpstreamIndex(3);
        let mut past = |method, value| hysteresis.is_past(method, upstream, value, 100, 75);
        let values = [
            (100, false),
            (101, true),
            (100, true),
            (76, true),
            (75, false),
            (100, false),
        ];
        for (value, expected) in values {
            assert_eq!(past(call, value), expected, "{value}");
        }
        assert!(past(call, 101) && !past(logs, 80), "each method apart");
        assert!(past(MethodId::OTHER, u64::MAX));
        let mut hysteresis = hysteresis;
        assert!(!hysteresis.is_past(call, UpstreamIndex(4), 80, 100, 75));
    }
}
