//! Small typed indices and sets of them. An index means nothing outside the configuration that it came from, and
//! none is ever used to index without a check.

/// An upstream set is one machine word, so a chain has at most this many upstreams. Checked by
/// [`ChainConfig::check`](crate::config::ChainConfig::check).
pub const MAX_UPSTREAMS: usize = 64;

/// The most accounts with providers that a process may have. Checked by [`ShardConfig::check`](crate::config::ShardConfig::check).
pub const MAX_ACCOUNTS: usize = 1_024;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            /// As a position in a slice.
            #[must_use]
            pub const fn as_usize(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// A chain's position in [`ShardConfig::chains`](crate::config::ShardConfig::chains).
    ChainIndex
}
index! {
    /// An upstream's position in its chain.
    UpstreamIndex
}
index! {
    /// A method policy's position in its chain; 0 is the default policy.
    PolicyIndex
}
index! {
    /// A strategy's position in its chain; 0 is the chain's own.
    StrategyIndex
}
index! {
    /// A provider: upstreams of one company have the same number within their chain.
    ProviderIndex
}
index! {
    /// An account with a provider: its position in [`ShardConfig::accounts`](crate::config::ShardConfig::accounts). Upstreams of several chains
    /// may share one.
    AccountIndex
}
index! {
    /// A region, numbered by whoever built the configuration: upstreams and clients of one region have the same number.
    RegionIndex
}
index! {
    /// An attempt's ordinal in its call: 0 is the first, and each send has its own.
    AttemptId
}

/// One call of this shard, for joining notes. Never reused within a shard's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A set of a chain's upstreams, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UpstreamSet(pub u64);

impl UpstreamSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// The first `count` upstreams.
    #[must_use]
    pub const fn first(count: usize) -> Self {
        if count >= MAX_UPSTREAMS {
            Self(u64::MAX)
        } else {
            Self((1 << count) - 1)
        }
    }

    /// Just this one. An index past the limit gives the empty set.
    #[must_use]
    pub const fn only(upstream: UpstreamIndex) -> Self {
        if upstream.as_usize() < MAX_UPSTREAMS {
            Self(1 << upstream.0)
        } else {
            Self(0)
        }
    }

    /// Is it in the set?
    #[must_use]
    pub const fn contains(self, upstream: UpstreamIndex) -> bool {
        self.0 & Self::only(upstream).0 != 0
    }

    /// Adds one.
    pub const fn insert(&mut self, upstream: UpstreamIndex) {
        self.0 |= Self::only(upstream).0;
    }

    /// Takes one out.
    pub const fn remove(&mut self, upstream: UpstreamIndex) {
        self.0 &= !Self::only(upstream).0;
    }

    /// In both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// In this one and not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Is nothing in it?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many are in it.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The members, lowest index first.
    pub fn iter(self) -> impl Iterator<Item = UpstreamIndex> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let lowest = rest.trailing_zeros() as u16;
            rest &= rest - 1;
            Some(UpstreamIndex(lowest))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = UpstreamSet::first(3);
        assert_eq!(set.len(), 3);
        set.remove(UpstreamIndex(1));
        set.insert(UpstreamIndex(63));
        assert_eq!(set.iter().map(|u| u.0).collect::<Vec<_>>(), [0, 2, 63]);
        assert!(!set.contains(UpstreamIndex(1)));
        assert!(set.minus(UpstreamSet(0b101)).contains(UpstreamIndex(63)));
    }

    #[test]
    fn the_limit_is_a_full_word_and_past_it_is_nothing() {
        assert_eq!(UpstreamSet::first(MAX_UPSTREAMS).len(), 64);
        assert_eq!(UpstreamSet::first(1000).len(), 64);
        assert!(UpstreamSet::only(UpstreamIndex(64)).is_empty());
        assert!(!UpstreamSet::first(64).contains(UpstreamIndex(64)));
    }
}
