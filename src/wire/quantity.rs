//! Hex quantities and block tags (execution-apis: `uint`, `BlockTag`). Numbers beyond 64 bits are not quantities here.

/// A block by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BlockTag {
    Earliest,
    Finalized,
    Safe,
    Latest,
    Pending,
}

impl BlockTag {
    /// The tag of that name; case counts.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"earliest" => Self::Earliest,
            b"finalized" => Self::Finalized,
            b"safe" => Self::Safe,
            b"latest" => Self::Latest,
            b"pending" => Self::Pending,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Earliest => "earliest",
            Self::Finalized => "finalized",
            Self::Safe => "safe",
            Self::Latest => "latest",
            Self::Pending => "pending",
        }
    }
}

/// Parses a quantity: `0x`, then hex digits without a leading zero (`0x0` for zero), at most 64 bits.
#[must_use]
pub fn parse(text: &[u8]) -> Option<u64> {
    let _ = text;
    todo!()
}

/// Parses as [`parse`] does, but lets leading zeros pass, as lax nodes send them.
#[must_use]
pub fn parse_padded(text: &[u8]) -> Option<u64> {
    let _ = text;
    todo!()
}

/// Parses 32 bytes: `0x` and 64 hex digits.
#[must_use]
pub fn parse_hash(text: &[u8]) -> Option<[u8; 32]> {
    let _ = text;
    todo!()
}

/// Appends `value` as a quantity, without quotes.
pub fn write(out: &mut Vec<u8>, value: u64) {
    let _ = (out, value);
    todo!()
}
