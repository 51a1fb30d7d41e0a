//! A long answer, slice by slice: validated as it passes, only the result's bytes pointed out. Never holds payload.

use super::ReplyFault;
use super::reply::Member;
use crate::Span;
use crate::json::{Fault, InString, Progress, REPLY_WORDS, Scanner, Text, string_end};

/// What the slices so far say about the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Neither an error nor a result that is not null has begun.
    NeedMore,
    /// A result (not null) has begun, and nothing was wrong before it: streaming to the client may begin.
    Result {
        /// The id came before it and is right; else it is checked when it comes.
        id_checked: bool,
    },
    /// An error: not to be streamed. Hold the body and use [`super::parse_reply`].
    Error,
}

/// What one slice held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// The part of the slice that belongs to a result that is not null; may be empty.
    pub result: Span,
    /// Whether the document is complete (white space may still follow).
    pub complete: bool,
}

/// What is due next of the object around the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Behind the brace: a key or the closing brace.
    FirstKey,
    /// Behind a comma.
    Key,
    InKey(InString),
    Colon,
    /// Behind the colon.
    Value,
    InValue,
    After,
    Closed,
    Failed(ReplyFault),
}

/// What is known of a member whose value may be null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Absent,
    Null,
    Given,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Id {
    #[default]
    Absent,
    Null,
    Equal,
}

/// Bytes of a key, an id or a version that are kept to be compared: more than any of those that we know has, even
/// spelled in escapes.
const KEPT_BYTES: usize = 48;

/// The few bytes that must be compared, when they may come in pieces.
#[derive(Clone, Debug)]
struct Kept {
    bytes: [u8; KEPT_BYTES],
    len: usize,
    overflow: bool,
}

impl Kept {
    fn clear(&mut self) {
        self.len = 0;
        self.overflow = false;
    }

    fn append(&mut self, more: &[u8]) {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        match free.get_mut(..more.len()) {
            Some(room) => {
                room.copy_from_slice(more);
                self.len += more.len();
            }
            None => self.overflow = true,
        }
    }

    /// The bytes, or none if there were too many.
    fn get(&self) -> &[u8] {
        match self.overflow {
            true => &[],
            false => self.bytes.get(..self.len).unwrap_or_default(),
        }
    }
}

/// A resumable check of one answer, from its first byte. It takes what [`super::parse_reply`] takes.
#[derive(Clone, Debug)]
pub struct ResultStream {
    state: State,
    expected_id: u64,
    /// Of the value that the state is in.
    scanner: Scanner<REPLY_WORDS>,
    member: Member,
    kept: Kept,
    key_escaped: bool,
    id: Id,
    result: Presence,
    error: Presence,
    /// One bit for each member that has come.
    seen: u8,
}

impl ResultStream {
    /// A check of the answer to the call `expected_id`.
    #[must_use]
    pub const fn new(expected_id: u64) -> Self {
        Self {
            state: State::Open,
            expected_id,
            scanner: Scanner::new(),
            member: Member::Other,
            kept: Kept {
                bytes: [0; KEPT_BYTES],
                len: 0,
                overflow: false,
            },
            key_escaped: false,
            id: Id::Absent,
            result: Presence::Absent,
            error: Presence::Absent,
            seen: 0,
        }
    }

    /// Takes the next slice (the first one is the body's beginning).
    ///
    /// # Errors
    /// [`ReplyFault`], and then the same for ever. Once a part of the result was streamed, the client's connection must
    /// be aborted.
    pub fn feed(&mut self, slice: &[u8]) -> Result<Fed, ReplyFault> {
        let mut result = Span::default();
        match self.advance(slice, &mut result) {
            Ok(()) => Ok(Fed {
                result,
                complete: self.state == State::Closed,
            }),
            Err(fault) => {
                self.state = State::Failed(fault);
                Err(fault)
            }
        }
    }

    fn advance(&mut self, slice: &[u8], result: &mut Span) -> Result<(), ReplyFault> {
        if u32::try_from(slice.len()).is_err() {
            return Err(Fault::TooLong.into());
        }
        let mut at = 0;
        loop {
            match self.state {
                State::InKey(mut within) => {
                    let end = string_end(slice, at, &mut within, &mut self.key_escaped)?;
                    let stop = end.unwrap_or(slice.len());
                    self.kept.append(slice.get(at..stop).unwrap_or_default());
                    at = stop;
                    if end.is_none() {
                        self.state = State::InKey(within);
                        return Ok(());
                    }
                    self.end_key()?;
                }
                State::InValue => {
                    let rest = slice.get(at..).unwrap_or_default();
                    let (used, done) = match self.scanner.feed(rest)? {
                        Progress::NeedMore => (rest.len(), false),
                        Progress::Done { used } => (used, true),
                    };
                    self.pass_value(rest.get(..used).unwrap_or_default());
                    if self.member == Member::Result && self.result == Presence::Given {
                        *result = Span::new(at, at + used);
                    }
                    at += used;
                    if !done {
                        return Ok(());
                    }
                    self.end_value()?;
                }
                State::Failed(fault) => return Err(fault),
                _ => {
                    while let Some(b' ' | b'\t' | b'\n' | b'\r') = slice.get(at) {
                        at += 1;
                    }
                    let Some(&byte) = slice.get(at) else {
                        return Ok(());
                    };
                    at += self.step(byte)?;
                }
            }
        }
    }

    /// One structural byte; gives how many bytes it uses up (a value's first byte is left to the scanner).
    fn step(&mut self, byte: u8) -> Result<usize, ReplyFault> {
        self.state = match (self.state, byte) {
            (State::Open, b'{') => State::FirstKey,
            (State::Open, b'<') => return Err(ReplyFault::Html),
            (State::Open, b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                return Err(ReplyFault::Shape);
            }
            (State::FirstKey | State::Key, b'"') => {
                self.kept.clear();
                self.key_escaped = false;
                State::InKey(InString::Plain)
            }
            (State::FirstKey | State::After, b'}') => State::Closed,
            (State::Colon, b':') => State::Value,
            (State::Value, first) => {
                self.begin_value(first)?;
                self.state = State::InValue;
                return Ok(0);
            }
            (State::After, b',') => State::Key,
            (State::Closed, _) => return Err(Fault::Trailing.into()),
            _ => return Err(Fault::Unexpected.into()),
        };
        Ok(1)
    }

    fn end_key(&mut self) -> Result<(), ReplyFault> {
        // The closing quote was kept with the content.
        let kept = self.kept.get();
        let text = Text {
            span: Span::new(0, kept.len().saturating_sub(1)),
            escaped: self.key_escaped,
        };
        self.member = Member::named(kept, text);
        let bit = match self.member {
            Member::Version => 1,
            Member::Id => 2,
            Member::Result => 4,
            Member::Error => 8,
            Member::Other => 0,
        };
        if self.seen & bit != 0 {
            return Err(ReplyFault::Duplicate);
        }
        self.seen |= bit;
        self.state = State::Colon;
        Ok(())
    }

    fn begin_value(&mut self, first: u8) -> Result<(), ReplyFault> {
        self.scanner = Scanner::below(1);
        self.kept.clear();
        let presence = match first {
            b'n' => Presence::Null,
            _ => Presence::Given,
        };
        match self.member {
            Member::Result => self.result = presence,
            Member::Error => self.error = presence,
            _ => return Ok(()),
        }
        self.check()
    }

    fn pass_value(&mut self, part: &[u8]) {
        if matches!(self.member, Member::Id | Member::Version) {
            self.kept.append(part);
        }
    }

    fn end_value(&mut self) -> Result<(), ReplyFault> {
        self.state = State::After;
        match self.member {
            Member::Id => {
                let mut expected = itoa::Buffer::new();
                self.id = match self.kept.get() {
                    b"null" => Id::Null,
                    id if id == expected.format(self.expected_id).as_bytes() => Id::Equal,
                    _ => return Err(ReplyFault::WrongId),
                };
                self.check()
            }
            Member::Version if self.kept.get() != b"\"2.0\"" => Err(ReplyFault::Version),
            _ => Ok(()),
        }
    }

    /// What can be said as soon as two members are known.
    fn check(&self) -> Result<(), ReplyFault> {
        match (self.result, self.error, self.id) {
            (Presence::Given, Presence::Given, _) => Err(ReplyFault::Both),
            (Presence::Given, _, Id::Null) => Err(ReplyFault::WrongId),
            _ => Ok(()),
        }
    }

    /// What is known so far.
    #[must_use]
    pub fn front(&self) -> Front {
        match (self.error, self.result) {
            (Presence::Given, _) => Front::Error,
            (_, Presence::Given) => Front::Result {
                id_checked: self.id == Id::Equal,
            },
            _ => Front::NeedMore,
        }
    }

    /// To be asked when the body has ended: whether it was whole.
    ///
    /// # Errors
    /// [`ReplyFault`], where [`super::parse_reply`] would have given one for the whole body.
    pub fn finish(&self) -> Result<(), ReplyFault> {
        match (self.state, self.error, self.result, self.id) {
            (State::Failed(fault), ..) => Err(fault),
            (State::Open, ..) => Err(ReplyFault::Empty),
            (State::Closed, Presence::Given, ..) => Ok(()),
            (State::Closed, _, Presence::Absent, _) => Err(ReplyFault::Neither),
            (State::Closed, _, _, Id::Equal) => Ok(()),
            (State::Closed, ..) => Err(ReplyFault::WrongId),
            _ => Err(Fault::Truncated.into()),
        }
    }
}
