//! The canonical form of a call's params, for the keys of cache and flights. Never merges what two nodes could read
//! differently: where the form is in doubt the call has none, and goes its own way.
//!
//! Equal bytes mean: the same to every node. White space between tokens goes; absent params are `[]`; the members of an
//! object are sorted; a string of `0x` and hex digits only is written in lower case (EIP-55's checksum is in the
//! case, and nodes do not check it). All else stays byte for byte: `1` and `1.0`, `"0x1"` and `"0x01"` are different questions.

use core::cmp::Ordering;

use crate::json::plain_string_end;

/// Params longer than this have no canonical form. A key costs about as many bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// Brackets open at once. A log filter needs 3, `eth_simulateV1` with overrides 8.
pub const MAX_DEPTH: usize = 16;

/// Members of one object.
pub const MAX_MEMBERS: usize = 32;

/// Why params have no canonical form. The call is served without cache and without a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCanonical {
    /// Longer than [`MAX_BYTES`].
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// An object of more than [`MAX_MEMBERS`].
    TooManyMembers,
    /// An escape in a string: one text has many spellings, and nodes differ on lone surrogates.
    Escape,
    /// The order of an object's members could have a meaning: two keys that are equal, or that Go's reader would take for equal
    /// (it ignores case, and then the last one wins; a key beyond ASCII counts as one, since Unicode folds into ASCII),
    /// or calldata under both of its names, `data` and `input`, and not the same.
    Ambiguous,
    /// Not valid JSON. (Nothing that [`crate::envelope`] found is.)
    Malformed,
}

impl NotCanonical {
    /// A stable name for metrics, in snake_case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::TooManyMembers => "too_many_members",
            Self::Escape => "escape",
            Self::Ambiguous => "ambiguous",
            Self::Malformed => "malformed",
        }
    }
}

/// Appends the canonical form of `params` (as [`crate::envelope::Call`] has them, so: valid JSON) to `out`.
///
/// Allocates only to grow `out`; at most twice the length of `params` is needed. The work is one pass over the bytes, and
/// one copy of an object a level where its members were not in order.
///
/// # Errors
/// [`NotCanonical`]; then `out` is as it was.
pub fn write_params(out: &mut Vec<u8>, params: Option<&[u8]>) -> Result<(), NotCanonical> {
    let Some(params) = params else {
        out.extend_from_slice(b"[]");
        return Ok(());
    };
    if params.len() > MAX_BYTES {
        return Err(NotCanonical::TooLong);
    }
    let begin = out.len();
    out.reserve(params.len());
    let mut writer = Writer {
        bytes: params,
        at: 0,
        out,
    };
    let written = writer.whole();
    if written.is_err() {
        out.truncate(begin);
    }
    written
}

/// A member of an object that has been written: offsets in the output.
#[derive(Clone, Copy, Default)]
struct Member {
    /// The first eight bytes of the key, as [`fold`] has them: what decides nearly every comparison.
    rank: u64,
    /// The key's opening quote.
    start: u32,
    /// Behind the key's closing quote.
    key_end: u32,
    /// Behind the value.
    end: u32,
}

/// The bytes of a key without the bit that tells cases apart. Some that are no letters fall together as well, `@` and `` ` ``: such
/// keys are refused beside each other, and nobody has them.
const fn fold(byte: u8) -> u8 {
    byte | 0x20
}

/// The first eight bytes of a key, folded, as a number in their order.
const fn rank(key: &[u8]) -> u64 {
    let mut rank = 0;
    let mut rest = key;
    let mut room = 8;
    while let ([byte, behind @ ..], 1..) = (rest, room) {
        rank = rank << 8 | fold(*byte) as u64;
        rest = behind;
        room -= 1;
    }
    if room == 8 { 0 } else { rank << (8 * room) }
}

struct Writer<'p, 'o> {
    bytes: &'p [u8],
    at: usize,
    out: &'o mut Vec<u8>,
}

impl Writer<'_, '_> {
    fn whole(&mut self) -> Result<(), NotCanonical> {
        let first = self.peek();
        self.value(first, 0)?;
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(NotCanonical::Malformed),
        }
    }

    /// Skips white space and looks at the next byte.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// The value that begins here with `first`, `depth` brackets deep.
    fn value(&mut self, first: Option<u8>, depth: usize) -> Result<(), NotCanonical> {
        match first {
            Some(b'"') => self.string(),
            Some(b'[') => self.array(depth + 1),
            Some(b'{') => self.object(depth + 1),
            _ => self.scalar(),
        }
    }

    /// A number or a literal, up to whatever may follow one.
    fn scalar(&mut self) -> Result<(), NotCanonical> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(
            |byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.'),
        );
        let token = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if token.is_empty() {
            return Err(NotCanonical::Malformed);
        }
        self.out.extend_from_slice(token);
        self.at += token.len();
        Ok(())
    }

    /// The string that begins here: copied, and its content put in lower case where it is hex.
    #[inline]
    fn string(&mut self) -> Result<(), NotCanonical> {
        let begin = self.out.len();
        self.copy_string()?;
        let content = self.out.get_mut(begin + 1..).unwrap_or_default();
        if let [b'0', b'x', digits @ .., b'"'] = content
            // Without branches, so that the compiler makes vector code of it.
            && digits.iter().fold(false, |any, byte| any | byte.is_ascii_uppercase())
            && digits.iter().all(u8::is_ascii_hexdigit)
        {
            digits.make_ascii_lowercase();
        }
        Ok(())
    }

    /// Copies the string that begins here with its quotes; says whether it is of ASCII only.
    #[inline]
    fn copy_string(&mut self) -> Result<bool, NotCanonical> {
        let start = self.at;
        let (end, ascii) = match plain_string_end(self.bytes, start + 1) {
            Some(end) => (end, true),
            None => (self.unusual_string_end(start + 1)?, false),
        };
        let text = self.bytes.get(start..end).unwrap_or_default();
        self.out.extend_from_slice(text);
        self.at = end;
        Ok(ascii)
    }

    /// Behind the closing quote of a string that is not plain: beyond ASCII, or escaped, which is refused.
    #[cold]
    fn unusual_string_end(&self, content: usize) -> Result<usize, NotCanonical> {
        let rest = self.bytes.get(content..).unwrap_or_default();
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(end) if rest.get(end) == Some(&b'"') => Ok(content + end + 1),
            Some(_) => Err(NotCanonical::Escape),
            None => Err(NotCanonical::Malformed),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), NotCanonical> {
        if depth > MAX_DEPTH {
            return Err(NotCanonical::TooDeep);
        }
        self.out.push(b'[');
        self.at += 1;
        let mut next = self.peek();
        if next != Some(b']') {
            loop {
                self.value(next, depth)?;
                match self.peek() {
                    Some(b',') => self.out.push(b','),
                    Some(b']') => break,
                    _ => return Err(NotCanonical::Malformed),
                }
                self.at += 1;
                next = self.peek();
            }
        }
        self.out.push(b']');
        self.at += 1;
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), NotCanonical> {
        if depth > MAX_DEPTH {
            return Err(NotCanonical::TooDeep);
        }
        self.out.push(b'{');
        self.at += 1;
        let mut members = Members::default();
        let mut next = self.peek();
        if next != Some(b'}') {
            loop {
                if next != Some(b'"') {
                    return Err(NotCanonical::Malformed);
                }
                let member = self.member(depth)?;
                members.insert(member, self.out)?;
                match self.peek() {
                    Some(b',') => self.out.push(b','),
                    Some(b'}') => break,
                    _ => return Err(NotCanonical::Malformed),
                }
                self.at += 1;
                next = self.peek();
            }
        }
        members.check_calldata(self.out)?;
        members.rewrite(self.out)?;
        self.out.push(b'}');
        self.at += 1;
        Ok(())
    }

    /// A key, its colon and its value.
    fn member(&mut self, depth: usize) -> Result<Member, NotCanonical> {
        let start = self.offset();
        if !self.copy_string()? {
            return Err(NotCanonical::Ambiguous);
        }
        let key_end = self.offset();
        if self.peek() != Some(b':') {
            return Err(NotCanonical::Malformed);
        }
        self.out.push(b':');
        self.at += 1;
        let first = self.peek();
        self.value(first, depth)?;
        let end = self.offset();
        let key = of(self.out, start + 1, key_end - 1);
        Ok(Member {
            rank: rank(key),
            start,
            key_end,
            end,
        })
    }

    /// Where the output stands. A buffer of 4 GiB is beyond what any caller keeps; what then comes out is refused as malformed.
    fn offset(&self) -> u32 {
        u32::try_from(self.out.len()).unwrap_or(u32::MAX - 1)
    }
}

/// Bytes of the output.
fn of(out: &[u8], start: u32, end: u32) -> &[u8] {
    out.get(start as usize..end as usize).unwrap_or_default()
}

impl Member {
    /// The key without its quotes.
    fn key<'o>(&self, out: &'o [u8]) -> &'o [u8] {
        of(out, self.start + 1, self.key_end - 1)
    }

    /// The order of keys, ignoring case.
    #[inline]
    fn cmp(&self, other: &Self, out: &[u8]) -> Ordering {
        self.rank.cmp(&other.rank).then_with(|| {
            let folded = |member: &Self| member.key(out).iter().copied().map(fold);
            folded(self).cmp(folded(other))
        })
    }
}

/// The members of one object, in the order of their keys.
struct Members {
    slots: [Member; MAX_MEMBERS],
    count: usize,
    /// That is the order in which they came, too.
    in_order: bool,
    /// Where the first one that came was written.
    begin: u32,
}

impl Default for Members {
    fn default() -> Self {
        Self {
            slots: [Member::default(); MAX_MEMBERS],
            count: 0,
            in_order: true,
            begin: 0,
        }
    }
}

impl Members {
    fn all(&self) -> &[Member] {
        self.slots.get(..self.count).unwrap_or_default()
    }

    /// Puts a member where it belongs.
    fn insert(&mut self, member: Member, out: &[u8]) -> Result<(), NotCanonical> {
        if self.count == 0 {
            self.begin = member.start;
        }
        let mut place = self.count;
        for other in self.all().iter().rev() {
            match other.cmp(&member, out) {
                Ordering::Less => break,
                Ordering::Equal => return Err(NotCanonical::Ambiguous),
                Ordering::Greater => place -= 1,
            }
        }
        self.in_order &= place == self.count;
        self.count += 1;
        let moved = self.slots.get_mut(place..self.count);
        let moved = moved.ok_or(NotCanonical::TooManyMembers)?;
        moved.rotate_right(1);
        if let Some(slot) = moved.first_mut() {
            *slot = member;
        }
        Ok(())
    }

    /// Calldata has two names, and nodes differ on which one counts where both are there.
    fn check_calldata(&self, out: &[u8]) -> Result<(), NotCanonical> {
        const DATA: u64 = rank(b"data");
        const INPUT: u64 = rank(b"input");
        let named = |rank: u64| self.all().iter().find(|member| member.rank == rank);
        let (Some(data), Some(input)) = (named(DATA), named(INPUT)) else {
            return Ok(());
        };
        match of(out, data.key_end, data.end) == of(out, input.key_end, input.end) {
            true => Ok(()),
            false => Err(NotCanonical::Ambiguous),
        }
    }

    /// Puts the members, which are the end of the output, in order: a sorted copy behind them, moved over them.
    fn rewrite(&self, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
        if self.in_order {
            return Ok(());
        }
        let end = out.len();
        for (index, member) in self.all().iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let range = member.start as usize..member.end as usize;
            if range.start > range.end || range.end > end {
                return Err(NotCanonical::Malformed);
            }
            out.extend_from_within(range);
        }
        out.copy_within(end.., self.begin as usize);
        out.truncate(end);
        Ok(())
    }
}
