//! The resumable scanner. Never looks at a byte twice, never allocates, never recurses.

use super::FaultAt;

/// What [`Scanner::feed`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The slice is used up, and the value may go on. (A number at the top can end only with what follows it:
    /// ask [`Scanner::finish`] when nothing does.)
    NeedMore,
    /// The value ends before `slice[used]`.
    Done {
        /// Bytes of this slice that belong to the value (or to the white space before it).
        used: usize,
    },
}

/// Scans one JSON value, slice by slice. `WORDS` × 64 is the greatest depth it can follow.
#[derive(Clone, Debug)]
pub struct Scanner<const WORDS: usize> {
    _stack: [u64; WORDS],
}

impl<const WORDS: usize> Scanner<WORDS> {
    /// A scanner in front of a value, white space allowed.
    #[must_use]
    pub fn new() -> Self {
        todo!()
    }

    /// Takes the next slice.
    ///
    /// # Errors
    /// The first fault, its offset counted within this slice.
    pub fn feed(&mut self, slice: &[u8]) -> Result<Progress, FaultAt> {
        let _ = slice;
        todo!()
    }

    /// Says whether the value is whole when nothing follows.
    ///
    /// # Errors
    /// [`super::Fault::Truncated`], or [`super::Fault::Number`] for a number cut off, at offset 0.
    pub fn finish(&self) -> Result<(), FaultAt> {
        todo!()
    }
}
