//! Chains by their ids. It knows no chain's name and parses no text.

use core::fmt;

/// An EVM chain's id as in EIP-155 (`eth_chainId`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u64);

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
