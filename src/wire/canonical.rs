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
    /// The key's opening quote.
    start: u32,
    /// Behind the key's closing quote.
    key_end: u32,
    /// Behind the value.
    end: u32,
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
        let mut members = [Member::default(); MAX_MEMBERS];
        let mut count = 0;
        let mut next = self.peek();
        if next != Some(b'}') {
            loop {
                if next != Some(b'"') {
                    return Err(NotCanonical::Malformed);
                }
                let slot = members.get_mut(count);
                *slot.ok_or(NotCanonical::TooManyMembers)? = self.member(depth)?;
                count += 1;
                match self.peek() {
                    Some(b',') => self.out.push(b','),
                    Some(b'}') => break,
                    _ => return Err(NotCanonical::Malformed),
                }
                self.at += 1;
                next = self.peek();
            }
        }
        let members = members.get_mut(..count).unwrap_or_default();
        self.check_calldata(members)?;
        self.sort(members)?;
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
        Ok(Member {
            start,
            key_end,
            end,
        })
    }

    /// Where the output stands. A buffer of 4 GiB is beyond what any caller keeps; what then comes out is refused as malformed.
    fn offset(&self) -> u32 {
        u32::try_from(self.out.len()).unwrap_or(u32::MAX)
    }

    fn of(&self, start: u32, end: u32) -> &[u8] {
        let range = start as usize..end as usize;
        self.out.get(range).unwrap_or_default()
    }

    /// Calldata has two names, and nodes differ on which one counts where both are there.
    fn check_calldata(&self, members: &[Member]) -> Result<(), NotCanonical> {
        let named = |name: &[u8]| {
            let mut members = members.iter();
            let member = members.find(|member| {
                self.of(member.start, member.key_end)
                    .eq_ignore_ascii_case(name)
            });
            member.map(|member| self.of(member.key_end, member.end))
        };
        match (named(b"\"data\""), named(b"\"input\"")) {
            (Some(data), Some(input)) if data != input => Err(NotCanonical::Ambiguous),
            _ => Ok(()),
        }
    }

    /// Puts the members, which are the end of the output, in the order of their keys: ignoring case, since two that differ in
    /// nothing else are refused.
    fn sort(&mut self, members: &mut [Member]) -> Result<(), NotCanonical> {
        let begin = match members.first() {
            Some(first) => first.start as usize,
            None => return Ok(()),
        };
        let order = |one: &Member, other: &Member| {
            fold_cmp(
                self.of(one.start, one.key_end),
                self.of(other.start, other.key_end),
            )
        };
        if members.is_sorted_by(|one, other| order(one, other).is_lt()) {
            return Ok(());
        }
        members.sort_unstable_by(order);
        if !members.is_sorted_by(|one, other| order(one, other).is_lt()) {
            return Err(NotCanonical::Ambiguous);
        }
        // A sorted copy behind the members, moved over them.
        let end = self.out.len();
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let range = member.start as usize..member.end as usize;
            if range.start > range.end || range.end > end {
                return Err(NotCanonical::Malformed);
            }
            self.out.extend_from_within(range);
        }
        self.out.copy_within(end.., begin);
        self.out.truncate(end);
        Ok(())
    }
}

/// The order of two keys, ignoring ASCII case.
fn fold_cmp(one: &[u8], other: &[u8]) -> Ordering {
    one.iter()
        .map(u8::to_ascii_lowercase)
        .cmp(other.iter().map(u8::to_ascii_lowercase))
}
