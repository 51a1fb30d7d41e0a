//! What an upstream takes: how many blocks at once, how many calls in a batch, how old a block. It is learned from refusals, believed for
//! [`BELIEVED_FOR`] and then tried again; it says nothing about health.

use core::time::Duration;

use crate::method::MethodGroup;

/// How long anything that was learned is believed. Plans change, nodes are rebuilt.
pub const BELIEVED_FOR: Duration = Duration::from_secs(600);

/// One thing that was learned of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Learned {
    /// It takes at most so many blocks at once, first and last included; `u64::MAX` where that turned out not to be so.
    Blocks {
        /// In calls of this kind.
        group: MethodGroup,
        /// So many.
        most: u64,
    },
    /// It takes at most so many calls in one batch; `u32::MAX` where that turned out not to be so.
    Batch {
        /// So many.
        most: u32,
    },
    /// It keeps nothing as old as this, or older; 0 where that turned out not to be so.
    History {
        /// In calls of this kind.
        group: MethodGroup,
        /// The newest block that it is known not to have any more.
        gone: u64,
        /// The chain's head when that was found: a node that prunes goes on pruning.
        head: u64,
    },
}
