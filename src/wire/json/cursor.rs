//! A place in a whole text, for the parsers that want to know where members lie. Validates everything that it passes.

use super::scanner::{Progress, Resume, Scanner};
use super::string::{InString, plain_string_end, string_end};
use super::{Fault, FaultAt};
use crate::Span;

/// The content of a string, without its quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The bytes between the quotes.
    pub span: Span,
    /// Whether they have escapes: see [`super::unescape`].
    pub escaped: bool,
}

/// A place in `bytes`. `WORDS` × 64 levels is the deepest that a value may go, those around it included.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'b, const WORDS: usize> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b, const WORDS: usize> Cursor<'b, WORDS> {
    /// The front of a text; a text that spans cannot address is refused.
    pub(crate) fn new(bytes: &'b [u8]) -> Result<Self, FaultAt> {
        if u32::try_from(bytes.len()).is_err() {
            let fault = Fault::TooLong;
            return Err(FaultAt { fault, at: 0 });
        }
        Ok(Self { bytes, at: 0 })
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Skips white space and looks at the next byte.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Passes the byte that [`Self::peek`] showed.
    #[inline]
    pub(crate) fn pass(&mut self) {
        self.at += 1;
    }

    /// Passes `literal` if it stands here.
    #[inline]
    pub(crate) fn took(&mut self, literal: &[u8]) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let there = rest.starts_with(literal);
        if there {
            self.at += literal.len();
        }
        there
    }

    /// As [`Self::key`], for keys in their usual spelling, which cost a comparison: each has its quotes and its colon. `None`,
    /// and nothing passed, if something else stands here.
    #[inline]
    pub(crate) fn usual_key<M: Copy>(&mut self, first: bool, usual: &[(&[u8], M)]) -> Option<M> {
        let rest = self.bytes.get(self.at..)?;
        let (key, before) = match (first, rest) {
            (true, key) => (key, 0),
            (false, [b',', b' ', key @ ..]) => (key, 2),
            (false, [b',', key @ ..]) => (key, 1),
            (false, _) => return None,
        };
        let (name, member) = usual.iter().find(|(name, _)| key.starts_with(name))?;
        self.at += before + name.len();
        self.peek();
        Some(*member)
    }

    /// The fault of whatever stands here.
    pub(crate) fn unexpected(&self) -> FaultAt {
        let fault = if self.at >= self.bytes.len() {
            Fault::Truncated
        } else {
            Fault::Unexpected
        };
        FaultAt { fault, at: self.at }
    }

    /// A string that begins here.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Text, FaultAt> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.unexpected());
        }
        let start = self.at + 1;
        let mut escaped = false;
        match string_end(self.bytes, start, &mut InString::Plain, &mut escaped)? {
            Some(end) => {
                self.at = end;
                let span = Span::new(start, end - 1);
                Ok(Text { span, escaped })
            }
            None => Err(FaultAt {
                fault: Fault::Truncated,
                at: self.bytes.len(),
            }),
        }
    }

    /// Any value that begins here, `levels` deep.
    #[inline]
    pub(crate) fn value(&mut self, levels: usize) -> Result<Span, FaultAt> {
        let start = self.at;
        match self.bytes.get(start) {
            Some(b'"') => {
                self.text()?;
            }
            Some(b'[') => self.array(levels)?,
            Some(b'{') => self.scan(Scanner::<WORDS>::below(levels))?,
            Some(b'1'..=b'9') => self.number()?,
            // A scalar needs no stack.
            _ => self.scan(Scanner::<0>::new())?,
        }
        Ok(Span::new(start, self.at))
    }

    /// A number that does not begin with a zero or a sign: nearly always all of it is digits.
    #[inline]
    fn number(&mut self) -> Result<(), FaultAt> {
        let mut end = self.at + 1;
        while self.bytes.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
        match self.bytes.get(end) {
            Some(b',' | b'}' | b']') => {
                self.at = end;
                Ok(())
            }
            _ => self.scan(Scanner::<0>::new()),
        }
    }

    /// An array that begins here. Most are of plain strings only, and need no scanner; where something else comes, it goes on.
    #[inline]
    fn array(&mut self, levels: usize) -> Result<(), FaultAt> {
        if levels >= WORDS * 64 {
            return self.scan(Scanner::<WORDS>::below(levels));
        }
        let mut resume = Resume::First;
        self.at += 1;
        loop {
            if resume == Resume::Next && self.bytes.get(self.at) == Some(&b' ') {
                self.at += 1;
            }
            if self.bytes.get(self.at) != Some(&b'"') {
                break;
            }
            let Some(end) = plain_string_end(self.bytes, self.at + 1) else {
                break;
            };
            self.at = end;
            resume = match self.bytes.get(end) {
                Some(b',') => Resume::Next,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => {
                    resume = Resume::After;
                    break;
                }
            };
            self.at += 1;
        }
        self.scan(Scanner::<WORDS>::in_array(levels, resume))
    }

    fn scan<const N: usize>(&mut self, mut scanner: Scanner<N>) -> Result<(), FaultAt> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let used = match scanner.feed(rest) {
            Ok(Progress::Done { used }) => used,
            Ok(Progress::NeedMore) => match scanner.finish() {
                Ok(()) => rest.len(),
                Err(FaultAt { fault, .. }) => {
                    let at = self.bytes.len();
                    return Err(FaultAt { fault, at });
                }
            },
            Err(FaultAt { fault, at }) => {
                let at = at + self.at;
                return Err(FaultAt { fault, at });
            }
        };
        self.at += used;
        Ok(())
    }

    /// Within an object (its brace passed): the next key, leaving the cursor at its value; `None` behind the closing brace.
    #[inline]
    pub(crate) fn key(&mut self, first: bool) -> Result<Option<Text>, FaultAt> {
        match self.peek() {
            Some(b'}') => {
                self.pass();
                return Ok(None);
            }
            Some(b',') if !first => {
                self.pass();
                self.peek();
            }
            Some(b'"') if first => {}
            _ => return Err(self.unexpected()),
        }
        let key = self.text()?;
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.pass();
        self.peek();
        Ok(Some(key))
    }

    /// Within an array (its bracket passed): whether another element is due, leaving the cursor where it must begin; false
    /// behind the closing bracket.
    #[inline]
    pub(crate) fn element(&mut self, first: bool) -> Result<bool, FaultAt> {
        match self.peek() {
            Some(b']') => {
                self.pass();
                Ok(false)
            }
            Some(b',') if !first => {
                self.pass();
                self.peek();
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => Err(self.unexpected()),
        }
    }

    /// Only white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), FaultAt> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(FaultAt {
                fault: Fault::Trailing,
                at: self.at,
            }),
        }
    }
}
