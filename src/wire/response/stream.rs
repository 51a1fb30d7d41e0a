//! A long answer, slice by slice: validated as it passes, only the result's bytes pointed out. Never holds payload.

use super::ReplyFault;
use crate::Span;

/// What the slices so far say about the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Neither a result nor an error has begun.
    NeedMore,
    /// A result (not null) has begun, and nothing was wrong before it: streaming to the client may begin.
    Result {
        /// The id came before it and is right; else it is checked when it comes.
        id_checked: bool,
    },
    /// An error, or a null result: not to be streamed. Hold the body and use [`super::parse_reply`].
    Error,
}

/// What one slice held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// The part of the slice that belongs to the result; may be empty.
    pub result: Span,
    /// Whether the document is complete (white space may still follow).
    pub complete: bool,
}

/// A resumable check of one answer, from its first byte.
#[derive(Debug)]
pub struct ResultStream {
    _p: (),
}

impl ResultStream {
    /// A check of the answer to the call `expected_id`.
    #[must_use]
    pub fn new(expected_id: u64) -> Self {
        let _ = expected_id;
        todo!()
    }

    /// Takes the next slice (the first one is the body's beginning).
    ///
    /// # Errors
    /// [`ReplyFault`]: once [`Front::Result`] was given out and streamed, the client's connection must be aborted.
    pub fn feed(&mut self, slice: &[u8]) -> Result<Fed, ReplyFault> {
        let _ = slice;
        todo!()
    }

    /// What is known so far.
    #[must_use]
    pub fn front(&self) -> Front {
        todo!()
    }

    /// To be asked when the body has ended: whether it was whole.
    ///
    /// # Errors
    /// [`ReplyFault`], as [`super::parse_reply`] would have said.
    pub fn finish(&self) -> Result<(), ReplyFault> {
        todo!()
    }
}
