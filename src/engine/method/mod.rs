//! What is known about each RPC method: its kind, its effect, whether and how its answer may be kept, how long it may
//! take, where its block parameter stands. It never reads a call's parameters and knows nothing of vendors.
//!
//! Sources: ethereum/execution-apis (`eth_*`, `debug_*`, `engine_*`, `txpool_*`, `testing_*`), go-ethereum's and Erigon's
//! namespaces, Parity's `trace_*`, Otterscan's `ots_*`, EIP-1474, EIP-1898 (block objects), EIP-7966
//! (`eth_sendRawTransactionSync`).

mod lookup;
mod pattern;
mod policy;
mod table;
#[cfg(test)]
mod tests;

pub use lookup::{MAX_NAME_BYTES, lookup};
pub use pattern::{MAX_PATTERN_BYTES, Pattern, PatternError};
pub use policy::{
    BlockForm, BlockParam, CacheClass, Effect, FilterRole, MethodClass, MethodGroup,
    StandardPolicy, effect_of_unknown, is_sensitive_name, unknown_policy,
};

/// One method of the table, or [`MethodId::OTHER`].
///
/// The number is a position in the table of this build: good for arrays, never for anything that outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MethodId(pub u16);

impl MethodId {
    /// Every method that the table does not know: one label in metrics, one policy.
    pub const OTHER: Self = Self(u16::MAX);

    /// How many methods the table knows.
    pub const COUNT: usize = table::METHODS.len();

    /// A dense index for arrays of `COUNT + 1`: the unknown ones share the last place.
    #[must_use]
    pub const fn index(self) -> usize {
        if (self.0 as usize) < Self::COUNT {
            self.0 as usize
        } else {
            Self::COUNT
        }
    }

    /// Is it a method of the table?
    #[must_use]
    pub const fn is_known(self) -> bool {
        (self.0 as usize) < Self::COUNT
    }
}

/// The method's name; `_OTHER` for the unknown (the label that OpenTelemetry prescribes).
#[must_use]
pub fn name(id: MethodId) -> &'static str {
    table::METHODS
        .get(usize::from(id.0))
        .map_or("_OTHER", |row| row.0)
}

/// What is known about the method. For an unknown one this is the cautious default; with its name at hand,
/// [`unknown_policy`] knows more.
#[must_use]
pub fn policy(id: MethodId) -> &'static StandardPolicy {
    table::METHODS
        .get(usize::from(id.0))
        .map_or(&table::UNKNOWN, |row| &row.1)
}

/// Every method of the table, sorted by name.
pub fn all() -> impl ExactSizeIterator<Item = (MethodId, &'static str, &'static StandardPolicy)> {
    // The table is far smaller than u16::MAX (checked when compiling), so the position always fits.
    table::METHODS
        .iter()
        .enumerate()
        .map(|(position, row)| (MethodId(position as u16), row.0, &row.1))
}
