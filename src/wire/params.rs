//! Looks into a call's params: a block parameter, a log filter, the first string. simd-json reads a scratch copy.
//!
//! Never an error to a client: where a library refuses legal JSON, or a param is not what the method expects, the view
//! is `Opaque`, the node judges, and we route without the knowledge.

use crate::Span;
use crate::quantity::BlockTag;

/// Buffers for looking inside; kept and used again, one a shard.
#[derive(Default)]
pub struct Scratch {
    _p: (),
}

impl Scratch {
    /// Empty buffers; they grow to the largest object that was looked into, [`MAX_LOOK_BYTES`] at most.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Objects longer than this are not looked into: opaque.
pub const MAX_LOOK_BYTES: usize = 64 * 1024;

/// A block parameter as a call gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockParam {
    /// Not given, or null: the node takes its default (`latest`).
    Absent,
    /// By name.
    Tag(BlockTag),
    /// By number.
    Number(u64),
    /// By hash (EIP-1898, or a bare 32-byte hash).
    Hash {
        /// The block's hash.
        hash: [u8; 32],
        /// EIP-1898's `requireCanonical`.
        require_canonical: bool,
    },
    /// Something else: the node judges.
    Opaque,
}

/// The range of blocks that a log filter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogsFilter {
    /// `fromBlock` to `toBlock`.
    Range {
        /// First block.
        from: BlockParam,
        /// Last block.
        to: BlockParam,
    },
    /// One block by hash (EIP-234).
    Block {
        /// The block's hash.
        hash: [u8; 32],
    },
    /// Something else: the node judges.
    Opaque,
}

/// An error object's words, unescaped: views into the scratch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorWords<'s> {
    /// The message.
    pub message: &'s str,
    /// The data, if it is a string; else of an object its `message`, `reason` or `data` where that is a string.
    pub data: &'s str,
}

/// The raw JSON of the element at `position` of a params array.
#[must_use]
pub fn element(params: &[u8], position: usize) -> Option<Span> {
    let _ = (params, position);
    todo!()
}

/// The content (without quotes) of the first element, if it is a string without escapes: a raw transaction, a hash, a filter id.
#[must_use]
pub fn first_string(params: &[u8]) -> Option<Span> {
    let _ = params;
    todo!()
}

/// The block parameter at `position` of a params array.
#[must_use]
pub fn block_param(params: Option<&[u8]>, position: usize, scratch: &mut Scratch) -> BlockParam {
    let _ = (params, position, scratch);
    todo!()
}

/// The block range of the log filter that is the first element of `params`.
#[must_use]
pub fn logs_filter(params: Option<&[u8]>, scratch: &mut Scratch) -> LogsFilter {
    let _ = (params, scratch);
    todo!()
}

/// The words of an error object, for classification.
#[must_use]
pub fn error_words<'s>(error: &[u8], scratch: &'s mut Scratch) -> ErrorWords<'s> {
    let _ = (error, scratch);
    todo!()
}
