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
    /// The newest block that is called safe.
    Safe,
    /// The newest block that is called final.
    Finalized,
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
                RangeEnd::Safe => Height::Safe,
                RangeEnd::Finalized => Height::Finalized,
                RangeEnd::Earliest => Height::Any,
            },
            Self::Safe => Height::Safe,
            Self::Finalized => Height::Finalized,
            Self::Latest | Self::Pending => Height::Latest,
            Self::None
                if policy.class == MethodClass::HeadRead
                    && policy.cache == CacheClass::HeadBound =>
            {
                Height::Latest
            }
            Self::None | Self::Earliest | Self::Hash | Self::Unreadable => Height::Any,
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn range(from: RangeEnd, to: RangeEnd) -> BlockRef {
        BlockRef::Range { from, to }
    }

    #[test]
    fn blocks_are_counted_with_both_ends() {
        use RangeEnd::{Earliest, Finalized, Latest, Number};
        let head = Some(1_000);
        assert_eq!(range(Number(7), Number(7)).blocks(head), 1);
        assert_eq!(range(Number(7), Number(16)).blocks(None), 10);
        assert_eq!(
            range(Number(16), Number(7)).blocks(head),
            0,
            "the node judges"
        );
        assert_eq!(range(Earliest, Latest).blocks(head), 1_001);
        assert_eq!(range(Earliest, Latest).blocks(None), 0);
        assert_eq!(range(Number(991), Finalized).blocks(head), 10);
        assert_eq!(range(Number(0), Number(u64::MAX)).blocks(head), u64::MAX);
        assert_eq!(range(Latest, Latest).blocks(head), 1);
        for one in [BlockRef::Number(5), BlockRef::Latest, BlockRef::Hash] {
            assert_eq!(one.blocks(None), 1);
        }
        for unknown in [BlockRef::None, BlockRef::Unreadable] {
            assert_eq!(unknown.blocks(head), 0);
        }
    }
}
