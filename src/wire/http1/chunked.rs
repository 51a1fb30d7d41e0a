//! The chunked transfer coding (RFC 9112 §7.1), strictly. Holds counters, never data.

use super::fields::is_token_byte;
use crate::Span;
use crate::quantity::hex_digit;

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

/// Digits of a chunk's size, leading zeros included: some servers pad to eight.
const MAX_SIZE_DIGITS: u8 = 12;

/// Bytes of extensions on one chunk. Nobody in this field uses any.
const MAX_EXTENSION_BYTES: u32 = 256;

/// Bytes of extensions in one body: what is not data has to be bounded too.
const MAX_EXTENSION_BYTES_TOTAL: u32 = 64 * 1024;

/// Bytes of all trailer lines.
const MAX_TRAILER_BYTES: u32 = 4 * 1024;

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        digits: u8,
    },
    Extension {
        bytes: u32,
    },
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// At the start of a trailer line, or of the empty one.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    Done,
    Failed(ChunkFault),
}

/// A resumable decoder of one chunked body. Extensions and trailers are checked, bounded and forgotten.
#[derive(Clone, Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// Bytes of the current chunk that are still due.
    left: u64,
    extension_bytes: u32,
    trailer_bytes: u32,
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkedDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Size { digits: 0 },
            left: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }

    /// Deals with the front of `input`. Call again with `input[consumed..]` after [`Progress::Data`].
    ///
    /// # Errors
    /// [`ChunkFault`], and then the same for ever.
    pub fn decode(&mut self, input: &[u8]) -> Result<Progress, ChunkFault> {
        let mut at = 0;
        loop {
            match self.state {
                State::Done => return Ok(Progress::End { consumed: at }),
                State::Failed(fault) => return Err(fault),
                _ => {}
            }
            let Some(&byte) = input.get(at) else {
                return Ok(Progress::NeedMore);
            };
            if self.state == State::Data {
                return Ok(self.data(input, at));
            }
            match self.step(byte) {
                Ok(next) => self.state = next,
                Err(fault) => {
                    self.state = State::Failed(fault);
                    return Err(fault);
                }
            }
            at += 1;
        }
    }

    /// Hands out what the input has of the current chunk.
    fn data(&mut self, input: &[u8], at: usize) -> Progress {
        // A span reaches 4 GiB; the rest of a larger slice comes with the next call.
        let given = input.len().min(u32::MAX as usize).saturating_sub(at);
        let take = usize::try_from(self.left).map_or(given, |left| left.min(given));
        self.left -= take as u64;
        if self.left == 0 {
            self.state = State::DataReturn;
        }
        let data = Span::new(at, at + take);
        Progress::Data {
            data,
            consumed: at + take,
        }
    }

    /// One byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, ChunkFault> {
        Ok(match (self.state, byte) {
            (State::Size { digits }, _) => match (hex_digit(byte), byte) {
                (Some(_), _) if digits >= MAX_SIZE_DIGITS => return Err(ChunkFault::TooLarge),
                (Some(digit), _) => {
                    self.left = self.left << 4 | u64::from(digit);
                    let digits = digits + 1;
                    State::Size { digits }
                }
                (None, _) if digits == 0 => return Err(ChunkFault::Size),
                (None, b'\r') => State::SizeLineFeed,
                (None, b';') => State::Extension { bytes: 0 },
                _ => return Err(ChunkFault::Size),
            },
            (State::Extension { .. }, b'\r') => State::SizeLineFeed,
            (State::Extension { bytes }, _) if is_text(byte) => {
                self.extension_bytes += 1;
                if bytes >= MAX_EXTENSION_BYTES || self.extension_bytes > MAX_EXTENSION_BYTES_TOTAL
                {
                    return Err(ChunkFault::Extension);
                }
                State::Extension { bytes: bytes + 1 }
            }
            (State::Extension { .. }, _) => return Err(ChunkFault::Extension),
            (State::SizeLineFeed, b'\n') if self.left == 0 => State::TrailerStart,
            (State::SizeLineFeed, b'\n') => State::Data,
            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size { digits: 0 },
            (State::TrailerStart, b'\r') => State::LastLineFeed,
            (State::LastLineFeed, b'\n') => State::Done,
            (
                State::TrailerStart
                | State::TrailerName
                | State::TrailerValue
                | State::TrailerLineFeed,
                _,
            ) => self.trailer(byte)?,
            _ => return Err(ChunkFault::LineEnd),
        })
    }

    /// One byte of a trailer line.
    fn trailer(&mut self, byte: u8) -> Result<State, ChunkFault> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > MAX_TRAILER_BYTES {
            return Err(ChunkFault::Trailer);
        }
        match (self.state, byte) {
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => {
                Ok(State::TrailerName)
            }
            (State::TrailerValue, b'\r') => Ok(State::TrailerLineFeed),
            (State::TrailerValue, _) if is_text(byte) => Ok(State::TrailerValue),
            (State::TrailerLineFeed, b'\n') => Ok(State::TrailerStart),
            (State::TrailerLineFeed, _) => Err(ChunkFault::LineEnd),
            _ => Err(ChunkFault::Trailer),
        }
    }

    /// Whether the last chunk and its trailers have been seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

/// A byte that a field value may have.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}
