//! Which block a call is about, and which height an upstream must have reached to serve it. It parses nothing: whoever
//! reads the parameters says what they name.

use crate::method::{BlockForm, CacheClass, MethodClass, StandardPolicy};

/// One end of a range of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeEnd {
    /// By number.
    Number(u64),
    /// The first block of the chain, number 0.
    Earliest,
    /// The newest block. A bound that is left out means this.
    Latest,
    /// The newest that is unlikely to be replaced.
    Safe,
    /// The newest that will not be replaced.
    Finalized,
    /// What is being made.
    Pending,
}

/// The block that a call names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockRef {
    /// The method takes none (the table's `block_param` is `None`).
    #[default]
    None,
    /// By number.
    Number(u64),
    /// Number 0.
    Earliest,
    /// The newest. What an optional parameter means when it is left out.
    Latest,
    /// The newest that is unlikely to be replaced.
    Safe,
    /// The newest that will not be replaced.
    Finalized,
    /// What is being made.
    Pending,
    /// By its hash.
    Hash,
    /// From a block to a block.
    Range {
        /// The first.
        from: RangeEnd,
        /// The last.
        to: RangeEnd,
    },
    /// The method takes one, and what stands there is nothing that we understand. The node judges.
    Unreadable,
}

/// The height that an upstream must have reached to serve a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Height {
    /// Any will do.
    #[default]
    Any,
    /// The newest block: an upstream that is behind answers with the past.
    Latest,
    /// This block.
    At(u64),
}

impl BlockRef {
    /// The height that a call of this method needs when it names this block. Allocates nothing, costs a few compares.
    #[must_use]
    pub fn height(&self, policy: &StandardPolicy) -> Height {
        match *self {
            Self::Number(number) => Height::At(number),
            Self::Range { to, .. } => match to {
                RangeEnd::Number(number) => Height::At(number),
                RangeEnd::Latest | RangeEnd::Pending => Height::Latest,
                RangeEnd::Earliest | RangeEnd::Safe | RangeEnd::Finalized => Height::Any,
            },
            Self::Latest | Self::Pending => Height::Latest,
            Self::None
                if policy.class == MethodClass::HeadRead
                    && policy.cache == CacheClass::HeadBound =>
            {
                Height::Latest
            }
            Self::None
            | Self::Earliest
            | Self::Safe
            | Self::Finalized
            | Self::Hash
            | Self::Unreadable => Height::Any,
        }
    }

    /// How many blocks a call asks for that names this, first and last included: 1 for a single one, 0 where that is not known. `newest` is the
    /// chain's head.
    #[must_use]
    pub fn blocks(&self, newest: Option<u64>) -> u64 {
        let number = |end: RangeEnd| match end {
            RangeEnd::Number(number) => Some(number),
            RangeEnd::Earliest => Some(0),
            // The safe and the finalized block are near the head, as seen from a range's length.
            RangeEnd::Latest | RangeEnd::Safe | RangeEnd::Finalized | RangeEnd::Pending => newest,
        };
        match *self {
            Self::None | Self::Unreadable => 0,
            Self::Range { from, to } => match (number(from), number(to)) {
                (Some(from), Some(to)) if from <= to => (to - from).saturating_add(1),
                _ => 0,
            },
            _ => 1,
        }
    }

    /// What a block parameter means that was left out, or was null: `latest`, for a range from and to it.
    #[must_use]
    pub const fn left_out(form: BlockForm) -> Self {
        match form {
            BlockForm::Range => Self::Range {
                from: RangeEnd::Latest,
                to: RangeEnd::Latest,
            },
            BlockForm::NumberOrTag | BlockForm::NumberTagOrHash => Self::Latest,
            BlockForm::Hash => Self::Unreadable,
        }
    }
}
