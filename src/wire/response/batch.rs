//! The answer to an upstream batch: items found by id, in any order. Never guesses by position.

use super::{ErrorView, Reply, ReplyFault};

/// What became of one call of an upstream batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// No item has its id.
    Missing,
    /// Answered; ranges are within the whole body.
    Reply(Reply),
    /// Its item is there and unusable.
    Faulty(ReplyFault),
    /// Two items have its id: neither can be trusted.
    Duplicate,
}

/// The shape of a batch's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchShape {
    /// An array; see [`BatchReplies::slots`].
    Items,
    /// One error for the whole batch: a bare object, or an array of one whose id is null or absent.
    OneError(ErrorView),
}

/// A parsed batch answer, kept and used again.
#[derive(Debug, Default)]
pub struct BatchReplies {
    slots: Vec<Slot>,
}

impl BatchReplies {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Parses the answer to the calls `first_id..first_id + calls`.
    ///
    /// # Errors
    /// [`ReplyFault`] where the body as a whole cannot be used.
    pub fn parse(
        &mut self,
        body: &[u8],
        first_id: u64,
        calls: usize,
    ) -> Result<BatchShape, ReplyFault> {
        let _ = (body, first_id, calls);
        todo!()
    }

    /// One slot for each call, in the order of the ids.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Items whose id belongs to no call of the batch (or is no id at all).
    #[must_use]
    pub fn strays(&self) -> usize {
        todo!()
    }
}
