//! How much an upstream can carry, found by trying, to stay below it.

/// A limit that was found, as this shard's share of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many attempts at once.
    InFlight(u32),
    /// So many attempts a second, in thousandths.
    RateMillis(u64),
}
