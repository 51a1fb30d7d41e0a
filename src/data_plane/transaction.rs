//! The hash of a signed transaction, computed here: it makes a repeated `eth_sendRawTransaction`
//! idempotent ("already known" is success, with this hash). It decodes no more than hexadecimal.

use tiny_keccak::{Hasher, Keccak};

/// The hash of a raw signed transaction: Keccak-256 of its bytes, legacy (RLP) and typed
/// (EIP-2718) alike. `text` is the JSON string's content, `0x…`. None if it is not whole bytes of
/// hexadecimal; such a call can only be judged by a node.
pub fn hash_of_raw(text: &[u8]) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(b"0x")?;
    if digits.is_empty() || digits.len() % 2 != 0 {
        return None;
    }
    let mut keccak = Keccak::v256();
    for pair in digits.chunks_exact(2) {
        let [high, low] = pair else { return None };
        keccak.update(&[(nibble(*high)? << 4) | nibble(*low)?]);
    }
    let mut hash = [0; 32];
    keccak.finalize(&mut hash);
    Some(hash)
}

/// The hash as a JSON value: a quoted, 0x-prefixed string.
pub fn quoted_hex(hash: &[u8; 32]) -> [u8; 68] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| {
        DIGITS
            .get(usize::from(nibble & 15))
            .copied()
            .unwrap_or(b'0')
    };
    let mut out = [b'"'; 68];
    for (slot, byte) in out.iter_mut().skip(1).zip(
        [b'0', b'x']
            .into_iter()
            .chain(hash.iter().flat_map(|b| [digit(b >> 4), digit(*b)])),
    ) {
        *slot = byte;
    }
    out
}

const fn nibble(digit: u8) -> Option<u8> {
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
    fn hashes_as_ethereum_does() {
        // Keccak-256 of the empty RLP string 0x80: the empty trie's root, a well-known constant.
        let hash = hash_of_raw(b"0x80").unwrap();
        assert_eq!(
            quoted_hex(&hash).as_slice(),
            b"\"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421\""
        );
        assert_eq!(hash_of_raw(b"0xAb"), hash_of_raw(b"0xaB"));
    }

    #[test]
    fn only_whole_bytes_of_hexadecimal() {
        for bad in [&b""[..], b"0x", b"80", b"0x8", b"0xgg", b"0x8 "] {
            assert_eq!(hash_of_raw(bad), None, "{bad:?}");
        }
    }
}
