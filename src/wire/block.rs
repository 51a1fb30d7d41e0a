//! Which block a call asks about, read from its params without a copy. Never guesses: what two nodes could read
//! differently, or what is in no form that the method takes, is [`BlockRef::Unreadable`], and the node judges.
//!
//! Forms: execution-apis' `BlockNumberOrTag`, EIP-1898's object, EIP-234's log filter.

use crate::Span;
use crate::json::{Cursor, REQUEST_WORDS, Text};
use crate::quantity::{self, BlockTag};

/// The forms in which a method takes its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A number or a tag.
    NumberOrTag,
    /// A number, a tag, a hash, or EIP-1898's object.
    NumberTagOrHash,
    /// A block's hash.
    Hash,
    /// An object with `fromBlock` and `toBlock`, or `blockHash` (EIP-234).
    Range,
}

/// A block by its height, known or named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Height {
    /// By number.
    Number(u64),
    /// By name.
    Tag(BlockTag),
}

/// The block or blocks that a call asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockRef {
    /// One, by number or tag. A parameter that may be absent, and is, is `latest`.
    At(Height),
    /// All from one to another, both included. An absent end is `latest`; whether the ends are in order is not checked.
    Range {
        /// The first.
        from: Height,
        /// The last.
        to: Height,
    },
    /// One, by its hash: which height it has, the params do not say.
    Hash([u8; 32]),
    /// Not to be told.
    Unreadable,
}

/// What a call that names no block asks about.
const LATEST: Height = Height::Tag(BlockTag::Latest);

/// The block parameter at position `index` of `params` (an array, as [`crate::envelope::Call`] has it).
///
/// `optional`: absent (or null) means `latest`, which is no hash; otherwise absent is unreadable. Numbers may have leading zeros: a node either takes
/// them as that number or refuses them. Numbers in decimal, or of more than 64 bits, are unreadable, as are strings with escapes.
#[must_use]
pub fn block_of(params: Option<&[u8]>, index: usize, form: Form, optional: bool) -> BlockRef {
    let absent = match (optional, form) {
        (false, _) | (_, Form::Hash) => BlockRef::Unreadable,
        (true, Form::Range) => BlockRef::Range {
            from: LATEST,
            to: LATEST,
        },
        (true, _) => BlockRef::At(LATEST),
    };
    let Some(params) = params else { return absent };
    match read(params, index, form) {
        Some(Some(block)) => block,
        Some(None) => absent,
        None => BlockRef::Unreadable,
    }
}

/// Outer: readable. Inner: there.
fn read(params: &[u8], index: usize, form: Form) -> Option<Option<BlockRef>> {
    let mut cursor = Cursor::<REQUEST_WORDS>::new(params).ok()?;
    if cursor.peek() != Some(b'[') {
        return None;
    }
    cursor.pass();
    for position in 0..=index {
        if !cursor.element(position == 0).ok()? {
            return Some(None);
        }
        if position < index {
            cursor.value(1).ok()?;
        }
    }
    match (cursor.peek()?, form) {
        (b'n', _) => (cursor.value(1).ok()?.of(params) == b"null").then_some(None),
        (b'"', Form::Range) => None,
        (b'"', _) => string(plain(params, cursor.text().ok()?)?, form).map(Some),
        (b'{', Form::NumberTagOrHash) => object(&mut cursor, params).map(Some),
        (b'{', Form::Range) => range(&mut cursor, params).map(Some),
        _ => None,
    }
}

/// The content of a string without escapes.
fn plain(bytes: &[u8], text: Text) -> Option<&[u8]> {
    (!text.escaped).then(|| text.span.of(bytes))
}

/// A block as a string. 32 bytes are a hash where the form has hashes, even if they would make a small number.
fn string(text: &[u8], form: Form) -> Option<BlockRef> {
    if form != Form::NumberOrTag
        && let Some(hash) = quantity::parse_hash(text)
    {
        return Some(BlockRef::Hash(hash));
    }
    match form {
        Form::Hash => None,
        _ => height(text).map(BlockRef::At),
    }
}

/// A block as a number or a tag.
fn height(text: &[u8]) -> Option<Height> {
    /// `0x` and 64 digits: nodes that know hashes would take it for one.
    const HASH_BYTES: usize = 66;
    match BlockTag::parse(text) {
        Some(tag) => Some(Height::Tag(tag)),
        None if text.len() >= HASH_BYTES => None,
        None => quantity::parse_padded(text).map(Height::Number),
    }
}

/// EIP-1898's object: one of number and hash.
fn object(cursor: &mut Cursor<'_, REQUEST_WORDS>, bytes: &[u8]) -> Option<BlockRef> {
    let [hash, number, canonical] = members(
        cursor,
        bytes,
        ["blockHash", "blockNumber", "requireCanonical"],
    )?;
    if !matches!(canonical, None | Some(b"true" | b"false")) {
        return None;
    }
    match (hash, number) {
        (Some(hash), None) => quantity::parse_hash(content(hash)?).map(BlockRef::Hash),
        (None, Some(number)) => height(content(number)?).map(BlockRef::At),
        _ => None,
    }
}

/// A log filter's blocks: two ends, or a hash (EIP-234).
fn range(cursor: &mut Cursor<'_, REQUEST_WORDS>, bytes: &[u8]) -> Option<BlockRef> {
    let [hash, from, to] = members(cursor, bytes, ["blockHash", "fromBlock", "toBlock"])?;
    let end = |value: Option<&[u8]>| match value {
        None => Some(LATEST),
        Some(value) => height(content(value)?),
    };
    match (hash, from, to) {
        (Some(hash), None, None) => quantity::parse_hash(content(hash)?).map(BlockRef::Hash),
        (Some(_), ..) => None,
        (None, from, to) => Some(BlockRef::Range {
            from: end(from)?,
            to: end(to)?,
        }),
    }
}

/// What is between a raw string's quotes. Backslashes stay, and then it is neither tag nor number nor hash.
fn content(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', content @ .., b'"'] => Some(content),
        _ => None,
    }
}

/// The raw members of these names of the object at the cursor, absent where null.
///
/// Unreadable where nodes would differ: one of them twice, or under another case (Go's reader takes that for the same name), or a
/// key with escapes or beyond ASCII, which could be one of them in disguise.
fn members<'b, const N: usize>(
    cursor: &mut Cursor<'_, REQUEST_WORDS>,
    bytes: &'b [u8],
    names: [&str; N],
) -> Option<[Option<&'b [u8]>; N]> {
    let mut found: [Option<Span>; N] = [None; N];
    let mut first = true;
    cursor.pass();
    while let Some(key) = cursor.key(first).ok()? {
        first = false;
        let value = cursor.value(2).ok()?;
        let key = plain(bytes, key).filter(|key| key.is_ascii())?;
        let Some(index) = names.iter().position(|name| name.as_bytes() == key) else {
            match names
                .iter()
                .any(|name| name.as_bytes().eq_ignore_ascii_case(key))
            {
                true => return None,
                false => continue,
            }
        };
        if found.get_mut(index)?.replace(value).is_some() {
            return None;
        }
    }
    let raw = |span: Span| Some(span.of(bytes)).filter(|raw| raw != b"null");
    Some(found.map(|span| span.and_then(raw)))
}
