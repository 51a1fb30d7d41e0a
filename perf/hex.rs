//! Hexadecimal text as Ethereum's JSON-RPC spells it, and pseudo-random values derived from what was asked. Writes into
//! buffers; allocates nothing.

use crate::rng::mix;

/// The hash of a string that came in: an address, a hash, call data (FNV-1a, then mixed).
pub(crate) fn seed_of(text: &[u8]) -> u64 {
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A quantity without leading zeros and without quotes.
pub(crate) fn quantity(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(b"0x");
    let digits = (64 - (value | 1).leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        nibble(out, value >> (place * 4));
    }
}

fn nibble(out: &mut Vec<u8>, value: u64) {
    let index = usize::try_from(value & 15).unwrap_or(0);
    out.push(DIGITS.get(index).copied().unwrap_or(b'0'));
}

/// `0x` and as many pseudo-random bytes, without quotes.
pub(crate) fn data(out: &mut Vec<u8>, seed: u64, bytes: usize) {
    out.extend_from_slice(b"0x");
    digits(out, seed, bytes);
}

fn digits(out: &mut Vec<u8>, seed: u64, bytes: usize) {
    let mut word = 0;
    for index in 0..bytes {
        if index % 8 == 0 {
            word = mix(seed
                .wrapping_add(u64::try_from(index).unwrap_or(0))
                .wrapping_add(1));
        }
        nibble(out, word >> 4);
        nibble(out, word);
        word >>= 8;
    }
}

/// The value of a quantity, when it fits 64 bits.
pub(crate) fn parse_quantity(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text.strip_prefix(b"0x")?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}
