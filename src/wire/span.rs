//! A range of bytes in somebody else's buffer. Never holds the buffer itself.

/// Where something lies in a buffer that the caller owns: offsets in bytes, `start <= end`.
///
/// Half the size of a `Range<usize>` and `Copy`, because a batch holds thousands of them.
/// Bodies are bounded far below 4 GiB, and the parsers refuse longer ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// Builds a span from offsets; an offset beyond 4 GiB or a start behind the end gives the empty span at 0.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) if start <= end => Self { start, end },
            _ => Self::default(),
        }
    }

    /// The bytes of the span in the buffer that it was made from; empty if it does not lie within `bytes`.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether the span covers no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// The same span as an index range.
    #[must_use]
    pub const fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The span moved back by `offset` bytes: from a slice's coordinates to those of the buffer around it.
    #[must_use]
    pub fn shifted(self, offset: usize) -> Self {
        Self::new(
            (self.start as usize).saturating_add(offset),
            (self.end as usize).saturating_add(offset),
        )
    }
}
