//! The chunked transfer coding (RFC 9112 §7.1), strictly. Holds counters, never data.

use crate::Span;

/// Why a chunked body was refused. The connection cannot be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkFault {
    /// No hex digit where a size was due, or something behind the size that is neither `;` nor CR LF.
    Size,
    /// A size of more digits than any body that we would take.
    TooLarge,
    /// A control byte in an extension, or more extension bytes than allowed.
    Extension,
    /// Something other than CR LF where a line or a chunk's data ends.
    LineEnd,
    /// A malformed trailer field, or more trailer bytes than allowed.
    Trailer,
}

/// What one [`ChunkedDecoder::decode`] call found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Body bytes: `data` within the input; go on with `input[consumed..]`. (`data.end == consumed`.)
    Data {
        /// The body bytes, never empty.
        data: Span,
        /// How many bytes of the input are dealt with.
        consumed: usize,
    },
    /// The whole input is dealt with, and the body is not at its end.
    NeedMore,
    /// The body is complete; `input[consumed..]` belongs to the next message.
    End {
        /// How many bytes of the input are dealt with.
        consumed: usize,
    },
}

/// A resumable decoder of one chunked body.
#[derive(Clone, Debug, Default)]
pub struct ChunkedDecoder {
    _p: (),
}

impl ChunkedDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub fn new() -> Self {
        todo!()
    }

    /// Deals with the front of `input`. Call again with `input[consumed..]` after [`Progress::Data`].
    ///
    /// # Errors
    /// [`ChunkFault`], and then the same for ever.
    pub fn decode(&mut self, input: &[u8]) -> Result<Progress, ChunkFault> {
        let _ = input;
        todo!()
    }

    /// Whether the last chunk and its trailers have been seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        todo!()
    }
}
