//! Folding to lower case into a fixed buffer, and the small pattern language of the rules. No regular expressions, no
//! allocation, no backtracking beyond one text.
//!
//! A pattern is literal text in lower case, with
//! `%n` a number (digits, with `,` or `_` between), `%h` a 0x number, `%*` any run of characters,
//! `^` in front for the text's beginning, `$` at the end for its end.

/// What is looked at of a message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1024;

/// What is looked at of an error's data, in bytes.
pub const MAX_DATA_BYTES: usize = 512;

const PAIR_WORDS: usize = 16;

/// A text in lower case, clipped to `N` bytes, with a sketch of the byte pairs in it, which spares most searches.
pub(super) struct Folded<const N: usize> {
    bytes: [u8; N],
    len: usize,
    clipped: bool,
    pairs: [u64; PAIR_WORDS],
}

impl<const N: usize> Folded<N> {
    pub(super) fn new(text: &str) -> Self {
        let mut folded = Self {
            bytes: [0; N],
            len: text.len().min(N),
            clipped: text.len() > N,
            pairs: [0; PAIR_WORDS],
        };
        let mut before = 0;
        for (slot, byte) in folded.bytes.iter_mut().zip(text.bytes()) {
            *slot = byte.to_ascii_lowercase();
            let (word, bit) = pair_bit(before, *slot);
            if let Some(word) = folded.pairs.get_mut(word) {
                *word |= bit;
            }
            before = *slot;
        }
        folded
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Does the pattern occur?
    pub(super) fn has(&self, pattern: &str) -> bool {
        if !self.may_have(pattern.as_bytes()) {
            return false;
        }
        // The end of a clipped text is not the text's end.
        if pattern.ends_with('$') && self.clipped {
            return false;
        }
        occurs(self.bytes(), pattern.as_bytes())
    }

    /// False only where some pair of the pattern's own letters is not in the text: nearly always so where the pattern
    /// is not.
    fn may_have(&self, pattern: &[u8]) -> bool {
        let mut before = None;
        let mut letters = pattern.iter();
        while let Some(&letter) = letters.next() {
            match letter {
                b'%' if matches!(letters.as_slice().first(), Some(b'n' | b'h' | b'*')) => {
                    letters.next();
                    before = None;
                }
                b'^' | b'$' => before = None,
                _ => {
                    if let Some(before) = before {
                        let (word, bit) = pair_bit(before, letter);
                        if self.pairs.get(word).is_none_or(|word| word & bit == 0) {
                            return false;
                        }
                    }
                    before = Some(letter);
                }
            }
        }
        true
    }
}

const fn pair_bit(first: u8, second: u8) -> (usize, u64) {
    let mixed = (first as usize).wrapping_mul(37) ^ (second as usize);
    ((mixed / 64) % PAIR_WORDS, 1 << (mixed % 64))
}

/// Does the pattern occur in the text?
pub(super) fn occurs(text: &[u8], pattern: &[u8]) -> bool {
    let (pattern, from_start) = match pattern.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let (pattern, to_end) = match pattern.strip_suffix(b"$") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let mut rest = text;
    let mut pattern = pattern;
    let mut anchored = from_start;
    // Between two `%*` the leftmost occurrence is as good as any, so nothing is ever tried twice.
    while let Some(gap) = find(pattern, b"%*") {
        let piece = pattern.get(..gap).unwrap_or(&[]);
        let Some(after) = locate(rest, piece, anchored, false) else {
            return false;
        };
        rest = rest.get(after..).unwrap_or(&[]);
        pattern = pattern.get(gap + 2..).unwrap_or(&[]);
        anchored = false;
    }
    locate(rest, pattern, anchored, to_end).is_some()
}

/// Where the first occurrence of a pattern without `%*` ends.
fn locate(text: &[u8], piece: &[u8], at_start: bool, at_end: bool) -> Option<usize> {
    let first = piece.first().copied();
    for start in 0..=text.len() {
        let here = text.get(start..)?;
        if first.is_none_or(|byte| byte == b'%' || here.first() == Some(&byte))
            && let Some(len) = matches_here(here, piece)
            && (!at_end || start + len == text.len())
        {
            return Some(start + len);
        }
        if at_start {
            break;
        }
    }
    None
}

/// The length of the match at the very beginning of the text.
fn matches_here(text: &[u8], piece: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut piece = piece;
    while let Some((&byte, rest)) = piece.split_first() {
        let here = text.get(at..)?;
        if byte == b'%'
            && let Some(&kind @ (b'n' | b'h')) = rest.first()
        {
            at += if kind == b'n' {
                number_len(here)
            } else {
                hex_len(here)
            }?;
            piece = rest.get(1..)?;
        } else if here.first() == Some(&byte) {
            at += 1;
            piece = rest;
        } else {
            return None;
        }
    }
    Some(at)
}

/// The length of a decimal number, with separators between its digits.
pub(super) fn number_len(text: &[u8]) -> Option<usize> {
    let run = text
        .iter()
        .take_while(|b| b.is_ascii_digit() || matches!(b, b',' | b'_'))
        .count();
    let digits = text.get(..run)?;
    let len = digits.iter().rposition(u8::is_ascii_digit)? + 1;
    digits.first()?.is_ascii_digit().then_some(len)
}

/// The length of a 0x number.
pub(super) fn hex_len(text: &[u8]) -> Option<usize> {
    let digits = text.strip_prefix(b"0x")?;
    Some(2 + digits.iter().take_while(|b| b.is_ascii_hexdigit()).count())
}

/// The position of the first occurrence.
pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    text.windows(wanted.len())
        .position(|window| window == wanted)
}
