//! Hex quantities and block tags (execution-apis: `uint`, `BlockTag`). Numbers beyond 64 bits are not quantities here.

/// A block by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the documentation")]
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
    match text {
        [b'0', b'x', b'0'] => Some(0),
        [b'0', b'x', b'0', ..] => None,
        _ => parse_padded(text),
    }
}

/// Parses as [`parse`] does, but lets leading zeros pass, as lax nodes send them.
#[must_use]
pub fn parse_padded(text: &[u8]) -> Option<u64> {
    let [b'0', b'x', digits @ ..] = text else {
        return None;
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = hex_digit(digit)?;
        (number >> 60 == 0).then_some(number << 4 | u64::from(digit))
    })
}

/// Parses a JSON string with such a quantity in it, as results have it.
#[must_use]
pub fn parse_quoted(raw: &[u8]) -> Option<u64> {
    match raw {
        [b'"', text @ .., b'"'] => parse_padded(text),
        _ => None,
    }
}

/// Parses 32 bytes: `0x` and 64 hex digits.
#[must_use]
pub fn parse_hash(text: &[u8]) -> Option<[u8; 32]> {
    let [b'0', b'x', digits @ ..] = text else {
        return None;
    };
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let mut hash = [0; 32];
    if pairs.len() != hash.len() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
    }
    Some(hash)
}

/// Appends `value` as a quantity, without quotes.
pub fn write(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(b"0x");
    write_hex(out, value);
}

/// Appends `value` in hex without leading zeros (and `0` for zero).
pub(crate) fn write_hex(out: &mut Vec<u8>, value: u64) {
    let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let nibble = (value >> (4 * place) & 15) as u8;
        out.push(match nibble {
            0..=9 => b'0' + nibble,
            _ => b'a' + (nibble - 10),
        });
    }
}

/// The value of a hex digit, either case.
pub(crate) const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_one_spelling() {
        for (text, value) in [
            ("0x0", Some(0)),
            ("0x1", Some(1)),
            ("0xff", Some(255)),
            ("0xFF", Some(255)),
            ("0xffffffffffffffff", Some(u64::MAX)),
            ("0x10000000000000000", None),
            ("0x", None),
            ("0x00", None),
            ("0x01", None),
            ("0X1", None),
            ("1", None),
            ("0xg", None),
            ("-0x1", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), value, "{text}");
        }
        assert_eq!(parse_padded(b"0x01"), Some(1));
        assert_eq!(parse_padded(b"0x0000000000000000000000ff"), Some(255));
        assert_eq!(parse_padded(b"0x0010000000000000000"), None);
    }

    #[test]
    fn quantities_round_trip() {
        for value in (0..64)
            .map(|shift| 1 << shift)
            .chain([0, 9, 10, 15, 16, u64::MAX])
        {
            let mut text = Vec::new();
            write(&mut text, value);
            assert_eq!(text, format!("{value:#x}").as_bytes());
            assert_eq!(parse(&text), Some(value));
        }
    }

    #[test]
    fn a_hash_is_32_bytes() {
        let text = format!("0x{}", "0aF1".repeat(16));
        assert_eq!(
            parse_hash(text.as_bytes()).map(|hash| hash[..2].to_vec()),
            Some(vec![0x0a, 0xf1])
        );
        assert_eq!(parse_hash(&text.as_bytes()[..65]), None);
        assert_eq!(parse_hash(format!("{text}00").as_bytes()), None);
        assert_eq!(parse_hash(text.replace('F', "g").as_bytes()), None);
        assert_eq!(parse_hash(text.replace("0x", "").as_bytes()), None);
    }

    #[test]
    fn tags_go_by_their_own_names() {
        for tag in [
            BlockTag::Earliest,
            BlockTag::Finalized,
            BlockTag::Safe,
            BlockTag::Latest,
            BlockTag::Pending,
        ] {
            assert_eq!(BlockTag::parse(tag.name().as_bytes()), Some(tag));
        }
        assert_eq!(BlockTag::parse(b"Latest"), None);
        assert_eq!(BlockTag::parse(b""), None);
    }
}
