//! The resumable scanner. Never looks at a byte twice, never allocates, never recurses.

use super::string::{InString, plain_string_end, string_end};
use super::{Fault, FaultAt};

/// What [`Scanner::feed`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The slice is used up, and the value may go on. (A number at the top can end only with what follows it:
    /// ask [`Scanner::finish`] when nothing does.)
    NeedMore,
    /// The value ends before `slice[used]`.
    Done {
        /// Bytes of this slice that belong to the value (or to the white space before it).
        used: usize,
    },
}

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    /// Behind `[`: a value or `]`.
    ArrayFirst,
    /// Behind `{`: a key or `}`.
    ObjectFirst,
    /// Behind a comma in an object.
    Key,
    Colon,
    /// Behind a value in an array or object.
    After,
    Text {
        key: bool,
        within: InString,
    },
    Number(Number),
    /// The rest of `true`, `false` or `null`: at most four bytes, the next one lowest.
    Literal(u32),
    Done,
}

/// Where in an array a scanner takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// Behind the bracket.
    First,
    /// Behind a comma.
    Next,
    /// Behind an element.
    After,
}

/// Where in a number (RFC 8259 §6) a byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Dot,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Number {
    /// Where the byte leads, or `None` if it does not belong to the number.
    const fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Integer, b'0'..=b'9') | (Self::Minus, b'1'..=b'9') => Self::Integer,
            (Self::Minus, b'0') => Self::Zero,
            (Self::Zero | Self::Integer, b'.') => Self::Dot,
            (Self::Dot | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::ExponentSign,
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Self::ExponentDigits
            }
            _ => return None,
        })
    }

    /// Whether a number may end here.
    const fn is_whole(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits
        )
    }
}

/// Goes on within a number from `at`: where in it the bytes end that belong to it, and at which offset.
fn number_end(slice: &[u8], mut at: usize, mut number: Number) -> (Number, usize) {
    if matches!(number, Number::Integer) {
        while slice.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
    }
    while let Some(next) = slice.get(at).and_then(|&byte| number.next(byte)) {
        number = next;
        at += 1;
    }
    (number, at)
}

/// Scans one JSON value, slice by slice. `WORDS` × 64 is the greatest depth that it can follow.
#[derive(Clone, Debug)]
pub struct Scanner<const WORDS: usize> {
    state: State,
    depth: usize,
    max_depth: usize,
    /// One bit a level: set for an object.
    objects: [u64; WORDS],
}

impl<const WORDS: usize> Default for Scanner<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> Scanner<WORDS> {
    /// A scanner in front of a value, white space allowed.
    #[must_use]
    pub const fn new() -> Self {
        Self::below(0)
    }

    /// A scanner of a value that itself lies `levels` deep: these count against the limit.
    #[must_use]
    pub const fn below(levels: usize) -> Self {
        Self {
            state: State::Value,
            depth: 0,
            max_depth: (WORDS * 64).saturating_sub(levels),
            objects: [0; WORDS],
        }
    }

    /// A scanner within an array that itself lies `levels` deep, fewer than the limit.
    pub(super) const fn in_array(levels: usize, resume: Resume) -> Self {
        let mut scanner = Self::below(levels);
        scanner.depth = 1;
        scanner.state = match resume {
            Resume::First => State::ArrayFirst,
            Resume::Next => State::Value,
            Resume::After => State::After,
        };
        scanner
    }

    /// Takes the next slice.
    ///
    /// # Errors
    /// The first fault, its offset counted within this slice. After one, the scanner is of no further use.
    pub fn feed(&mut self, slice: &[u8]) -> Result<Progress, FaultAt> {
        let mut at = 0;
        // In a local, so that it lives in a register from one token to the next.
        let mut state = self.state;
        let progress = loop {
            match state {
                State::Done => break Progress::Done { used: at },
                State::Text { key, mut within } => {
                    match string_end(slice, at, &mut within, &mut false)? {
                        Some(end) => {
                            at = end;
                            state = match key {
                                true => State::Colon,
                                false => self.after_value(),
                            };
                        }
                        None => {
                            state = State::Text { key, within };
                            break Progress::NeedMore;
                        }
                    }
                }
                State::Number(number) => {
                    let (number, end) = number_end(slice, at, number);
                    at = end;
                    if at == slice.len() {
                        state = State::Number(number);
                        break Progress::NeedMore;
                    }
                    if !number.is_whole() {
                        let fault = Fault::Number;
                        return Err(FaultAt { fault, at });
                    }
                    state = self.after_value();
                }
                State::Literal(0) => state = self.after_value(),
                State::Literal(rest) => match slice.get(at) {
                    None => break Progress::NeedMore,
                    Some(&byte) if u32::from(byte) == rest & 0xff => {
                        state = State::Literal(rest >> 8);
                        at += 1;
                    }
                    Some(_) => {
                        let fault = Fault::Unexpected;
                        return Err(FaultAt { fault, at });
                    }
                },
                _ => {
                    while let Some(b' ' | b'\t' | b'\n' | b'\r') = slice.get(at) {
                        at += 1;
                    }
                    let Some(&byte) = slice.get(at) else {
                        break Progress::NeedMore;
                    };
                    if let Some((next, end)) = self.plain_string(slice, at, state, byte) {
                        (state, at) = (next, end);
                        continue;
                    }
                    state = match self.step(state, byte) {
                        Ok(next) => next,
                        Err(fault) => return Err(FaultAt { fault, at }),
                    };
                    at += 1;
                }
            }
        };
        self.state = state;
        Ok(progress)
    }

    /// A shortcut for what most tokens are: a plain string that the slice has all of, with the comma before it or the
    /// colon behind it, and no blanks between. Gives what is due then, and where.
    #[inline]
    fn plain_string(
        &self,
        slice: &[u8],
        at: usize,
        state: State,
        byte: u8,
    ) -> Option<(State, usize)> {
        let (value, content) = match (state, byte) {
            (State::Value | State::ArrayFirst, b'"') => (true, at + 1),
            (State::ObjectFirst | State::Key, b'"') => (false, at + 1),
            (State::After, b',') if slice.get(at + 1) == Some(&b'"') => (!self.in_object(), at + 2),
            _ => return None,
        };
        let end = plain_string_end(slice, content)?;
        match value {
            true => Some((self.after_value(), end)),
            false if slice.get(end) == Some(&b':') => Some((State::Value, end + 1)),
            false => None,
        }
    }

    /// Where one structural byte, or the first of a scalar, leads.
    #[inline]
    fn step(&mut self, state: State, byte: u8) -> Result<State, Fault> {
        const KEY: State = State::Text {
            key: true,
            within: InString::Plain,
        };
        Ok(match (state, byte) {
            (State::After, b',') if self.in_object() => State::Key,
            (State::After, b',') => State::Value,
            (State::Colon, b':') => State::Value,
            (State::ObjectFirst | State::Key, b'"') => KEY,
            (State::ArrayFirst, b']') | (State::ObjectFirst, b'}') => self.close(),
            (State::Value | State::ArrayFirst, _) => self.value(byte)?,
            (State::After, b'}') if self.in_object() => self.close(),
            (State::After, b']') if !self.in_object() => self.close(),
            _ => return Err(Fault::Unexpected),
        })
    }

    /// The first byte of a value.
    #[inline]
    fn value(&mut self, byte: u8) -> Result<State, Fault> {
        Ok(match byte {
            b'"' => State::Text {
                key: false,
                within: InString::Plain,
            },
            b'{' => self.open(true)?,
            b'[' => self.open(false)?,
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Integer),
            b'-' => State::Number(Number::Minus),
            b't' => State::Literal(u32::from_le_bytes(*b"rue\0")),
            b'f' => State::Literal(u32::from_le_bytes(*b"alse")),
            b'n' => State::Literal(u32::from_le_bytes(*b"ull\0")),
            _ => return Err(Fault::Unexpected),
        })
    }

    #[inline]
    fn open(&mut self, object: bool) -> Result<State, Fault> {
        if self.depth >= self.max_depth {
            return Err(Fault::TooDeep);
        }
        let bit = 1 << (self.depth % 64);
        let word = self.objects.get_mut(self.depth / 64);
        let word = word.ok_or(Fault::TooDeep)?;
        self.depth += 1;
        Ok(if object {
            *word |= bit;
            State::ObjectFirst
        } else {
            *word &= !bit;
            State::ArrayFirst
        })
    }

    #[inline]
    fn close(&mut self) -> State {
        self.depth = self.depth.saturating_sub(1);
        self.after_value()
    }

    #[inline]
    fn in_object(&self) -> bool {
        let level = self.depth.saturating_sub(1);
        self.objects
            .get(level / 64)
            .is_some_and(|word| word & (1 << (level % 64)) != 0)
    }

    #[inline]
    const fn after_value(&self) -> State {
        if self.depth == 0 {
            State::Done
        } else {
            State::After
        }
    }

    /// Says whether the value is whole when nothing follows.
    ///
    /// # Errors
    /// [`Fault::Truncated`] at offset 0.
    pub fn finish(&self) -> Result<(), FaultAt> {
        match self.state {
            State::Done => Ok(()),
            State::Number(number) if self.depth == 0 && number.is_whole() => Ok(()),
            _ => Err(FaultAt {
                fault: Fault::Truncated,
                at: 0,
            }),
        }
    }
}
