//! What is known of a chain's head, as others see it. Plain values: no rule is here.

use crate::time::Instant;

/// One of an upstream's three heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum HeadKind {
    /// Its newest block (`eth_blockNumber`).
    Newest,
    /// Its newest safe block (`eth_getBlockByNumber` of the tag `safe`).
    Safe,
    /// Its newest finalized block (the tag `finalized`).
    Finalized,
}

impl HeadKind {
    /// How many kinds there are.
    pub const COUNT: usize = 3;

    /// Every kind, in the order in which they are asked.
    pub const ALL: [Self; Self::COUNT] = [Self::Newest, Self::Safe, Self::Finalized];

    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Safe => "safe",
            Self::Finalized => "finalized",
        }
    }
}

/// A chain's head: what clients are told, and what caches rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// The newest block that was told or may be told. It goes back only with `era`.
    pub newest: Option<u64>,
    /// A block that is safe, and not above `newest`. It does not go back within an era.
    pub safe: Option<u64>,
    /// A block that is final, and not above `newest`. It does not go back within an era.
    pub finalized: Option<u64>,
    /// Grows whenever anything above or `era` changes, or what the newest block says may have. Of this shard only: other shards count otherwise.
    pub seq: u64,
    /// Grows whenever what was learned before may be about another chain: with `era`, and when an upstream that was asked turned out
    /// to be of another chain. Of this shard only.
    pub generation: u32,
    /// How often the chain was reset (a test chain that was set back). Blocks of another era are blocks of another chain.
    pub era: u32,
}

impl ChainHead {
    /// The block of this kind, if one is known.
    #[must_use]
    pub const fn of(&self, kind: HeadKind) -> Option<u64> {
        match kind {
            HeadKind::Newest => self.newest,
            HeadKind::Safe => self.safe,
            HeadKind::Finalized => self.finalized,
        }
    }
}

/// A served head that travels between shards in one word: the era above, the number below, so that the greater of two is the one to
/// believe, and an atomic maximum over all shards keeps what clients are told from going back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

impl Mark {
    /// Nothing is known.
    pub const NONE: Self = Self(0);
    const NUMBER_BITS: u32 = 48;
    /// Numbers above this do not fit. At a block a millisecond it takes nine thousand years to get there.
    pub const MAX_NUMBER: u64 = (1 << Self::NUMBER_BITS) - 2;

    /// This head; [`Self::NONE`] where there is none, or it does not fit.
    #[must_use]
    pub const fn of(head: &ChainHead) -> Self {
        match head.newest {
            // One is added so that block 0 of era 0 is not nothing.
            Some(number) if number <= Self::MAX_NUMBER && head.era <= u16::MAX as u32 => {
                Self(((head.era as u64) << Self::NUMBER_BITS) | (number + 1))
            }
            _ => Self::NONE,
        }
    }

    /// The era and the number, if there is one.
    #[must_use]
    pub const fn read(self) -> Option<(u32, u64)> {
        let number = self.0 & ((1 << Self::NUMBER_BITS) - 1);
        match number {
            0 => None,
            _ => Some(((self.0 >> Self::NUMBER_BITS) as u32, number - 1)),
        }
    }
}

/// The next question for an upstream's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadPoll {
    /// When to ask.
    pub at: Instant,
    /// What to ask for.
    pub kind: HeadKind,
}
