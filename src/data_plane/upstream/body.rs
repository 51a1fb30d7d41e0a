//! The body of one answer as it comes in: framing taken off, gzip inflated, every bound kept. It is
//! fed slices and appends to a buffer; it never touches a socket.

use std::cell::Cell;
use std::rc::Rc;

use wire::http1::{ChunkedDecoder, ContentEncoding, Progress, ResponseFraming};

use super::inflate::{Inflate, InflateError};

/// Bytes of answers that may be held at once: for one call, for all calls of one batch together, or for a whole shard.
pub struct HoldBudget {
    whole_bytes: usize,
    left_bytes: Cell<usize>,
    /// The shard's, of which this one takes its share; what it took goes back when it is dropped.
    above: Option<Rc<Self>>,
    taken_above: Cell<usize>,
}

impl HoldBudget {
    /// A budget of so many bytes.
    pub const fn new(bytes: usize) -> Self {
        Self {
            whole_bytes: bytes,
            left_bytes: Cell::new(bytes),
            above: None,
            taken_above: Cell::new(0),
        }
    }

    /// A budget of so many bytes that draws on another one.
    pub fn below(above: &Rc<Self>, bytes: usize) -> Self {
        let mut budget = Self::new(bytes);
        budget.above = Some(above.clone());
        budget
    }

    /// Takes `bytes` if they are there, for as long as the budget lives or until they are given back.
    pub fn take(&self, bytes: usize) -> bool {
        let Some(left) = self.left_bytes.get().checked_sub(bytes) else {
            return false;
        };
        if let Some(above) = &self.above {
            if !above.take(bytes) {
                return false;
            }
            self.taken_above.set(self.taken_above.get() + bytes);
        }
        self.left_bytes.set(left);
        true
    }

    /// Charges as much as is missing to `bytes` in all: what was received is charged already, and is let go when it has been written.
    pub fn charge_to(&self, bytes: usize) -> bool {
        self.take(bytes.saturating_sub(self.spent_bytes()))
    }

    /// Gives `bytes` back: the answer they belonged to was thrown away.
    pub fn give_back(&self, bytes: usize) {
        self.left_bytes.set(self.left_bytes.get() + bytes);
        if let Some(above) = &self.above {
            let bytes = bytes.min(self.taken_above.get());
            self.taken_above.set(self.taken_above.get() - bytes);
            above.give_back(bytes);
        }
    }

    /// What is left, here and above.
    pub fn left_bytes(&self) -> usize {
        let above = self
            .above
            .as_ref()
            .map_or(usize::MAX, |above| above.left_bytes());
        self.left_bytes.get().min(above)
    }

    fn spent_bytes(&self) -> usize {
        self.whole_bytes.saturating_sub(self.left_bytes.get())
    }
}

impl Drop for HoldBudget {
    fn drop(&mut self) {
        if let Some(above) = &self.above {
            above.give_back(self.taken_above.get());
        }
    }
}

/// Why a body cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It ended before its framing said so.
    Early,
    /// Chunked framing was broken.
    Framing,
    /// Its content coding is none that we asked for.
    Coding,
    /// Its gzip stream is broken.
    Gzip,
    /// It is larger than may be held or passed on.
    TooLarge,
    /// It is larger than what its own call or batch may still hold; another might.
    NoRoom,
}

enum Framing {
    Length { left: u64 },
    Chunked(ChunkedDecoder),
    UntilClose,
    Ended,
}

/// One body being read.
pub struct Body {
    framing: Framing,
    /// In its own place: most bodies have none.
    inflate: Option<Box<Inflate>>,
    /// Bytes came behind the end: the connection cannot be used again.
    surplus: bool,
}

impl Body {
    /// A body at its beginning. `max_bytes` bounds it, inflated.
    ///
    /// # Errors
    /// [`BodyFault::Coding`], or [`BodyFault::TooLarge`] for a stated length over the bound.
    pub fn new(
        framing: ResponseFraming,
        coding: ContentEncoding,
        max_bytes: usize,
    ) -> Result<Self, BodyFault> {
        let inflate = match coding {
            ContentEncoding::Identity => None,
            ContentEncoding::Gzip => Some(Box::new(Inflate::new(max_bytes))),
            ContentEncoding::Other => return Err(BodyFault::Coding),
        };
        let framing = match framing {
            ResponseFraming::None | ResponseFraming::Length(0) => Framing::Ended,
            ResponseFraming::Length(left) if left > max_bytes as u64 => {
                return Err(BodyFault::TooLarge);
            }
            ResponseFraming::Length(left) => Framing::Length { left },
            ResponseFraming::Chunked => Framing::Chunked(ChunkedDecoder::new()),
            ResponseFraming::UntilClose => Framing::UntilClose,
        };
        Ok(Self {
            framing,
            inflate,
            surplus: false,
        })
    }

    /// Whether the whole body has been seen.
    pub const fn ended(&self) -> bool {
        matches!(self.framing, Framing::Ended)
    }

    /// Whether bytes followed the end.
    pub const fn surplus(&self) -> bool {
        self.surplus
    }

    /// How long the body is, if it stands in the head and is not compressed.
    pub const fn stated_left(&self) -> Option<u64> {
        match (&self.framing, &self.inflate) {
            (Framing::Length { left }, None) => Some(*left),
            _ => None,
        }
    }

    /// Takes received bytes and appends the body bytes among them to `out`.
    ///
    /// # Errors
    /// [`BodyFault`]; the connection cannot be used again.
    pub fn take(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), BodyFault> {
        loop {
            match &mut self.framing {
                Framing::Ended => {
                    self.surplus |= !input.is_empty();
                    return Ok(());
                }
                Framing::UntilClose => return append(&mut self.inflate, input, out),
                Framing::Length { left } => {
                    let here = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(input.len());
                    let (mine, behind) = input.split_at(here);
                    *left -= here as u64;
                    let last = *left == 0;
                    append(&mut self.inflate, mine, out)?;
                    if !last {
                        return Ok(());
                    }
                    self.end(out)?;
                    input = behind;
                }
                Framing::Chunked(decoder) => {
                    match decoder.decode(input).map_err(|_| BodyFault::Framing)? {
                        Progress::Data { data, consumed } => {
                            append(&mut self.inflate, data.of(input), out)?;
                            input = input.get(consumed..).unwrap_or_default();
                        }
                        Progress::NeedMore => return Ok(()),
                        Progress::End { consumed } => {
                            self.end(out)?;
                            input = input.get(consumed..).unwrap_or_default();
                        }
                    }
                }
            }
        }
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// [`BodyFault::Early`] unless the body is one that ends so, or had ended.
    pub fn connection_ended(&mut self, out: &mut Vec<u8>) -> Result<(), BodyFault> {
        match self.framing {
            Framing::Ended => Ok(()),
            Framing::UntilClose => self.end(out),
            Framing::Length { .. } | Framing::Chunked(_) => Err(BodyFault::Early),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), BodyFault> {
        self.framing = Framing::Ended;
        match &mut self.inflate {
            Some(inflate) => inflate.finish(out).map_err(from_inflate),
            None => Ok(()),
        }
    }
}

fn append(
    inflate: &mut Option<Box<Inflate>>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), BodyFault> {
    match inflate {
        Some(inflate) => inflate.push(input, out).map_err(from_inflate),
        None => {
            out.extend_from_slice(input);
            Ok(())
        }
    }
}

const fn from_inflate(error: InflateError) -> BodyFault {
    match error {
        InflateError::Corrupt => BodyFault::Gzip,
        InflateError::TooLarge => BodyFault::TooLarge,
    }
}

/// Charges what was appended to `out` since it had `before` bytes.
///
/// # Errors
/// [`BodyFault::NoRoom`] when the budget does not cover it.
pub fn charge(budget: &HoldBudget, before: usize, out: &[u8]) -> Result<(), BodyFault> {
    if budget.take(out.len().saturating_sub(before)) {
        Ok(())
    } else {
        Err(BodyFault::NoRoom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(framing: ResponseFraming, input: &[u8], step: usize) -> (Vec<u8>, Body) {
        let mut body = Body::new(framing, ContentEncoding::Identity, 100).unwrap();
        let mut out = Vec::new();
        for part in input.chunks(step) {
            body.take(part, &mut out).unwrap();
        }
        (out, body)
    }

    #[test]
    fn a_stated_length_ends_there_and_what_follows_is_surplus() {
        for step in [1, 3, 10] {
            let (out, body) = read(ResponseFraming::Length(4), b"abcd", step);
            assert_eq!(
                (out.as_slice(), body.ended(), body.surplus()),
                (&b"abcd"[..], true, false)
            );
            let (out, body) = read(ResponseFraming::Length(4), b"abcdX", step);
            assert_eq!(
                (out.as_slice(), body.ended(), body.surplus()),
                (&b"abcd"[..], true, true)
            );
        }
    }

    #[test]
    fn chunks_are_joined_at_any_split() {
        for step in [1, 2, 5, 100] {
            let (out, body) = read(
                ResponseFraming::Chunked,
                b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
                step,
            );
            assert_eq!(
                (out.as_slice(), body.ended(), body.surplus()),
                (&b"abcd"[..], true, false)
            );
        }
    }

    #[test]
    fn an_early_end_is_a_fault_except_where_the_end_is_the_framing() {
        let (mut out, mut body) = read(ResponseFraming::Length(4), b"abc", 3);
        assert_eq!(body.connection_ended(&mut out), Err(BodyFault::Early));
        let (mut out, mut body) = read(ResponseFraming::UntilClose, b"abc", 3);
        assert_eq!(body.connection_ended(&mut out), Ok(()));
        assert!(body.ended());
    }

    #[test]
    fn bounds_hold_at_their_edges() {
        let new = |length| {
            Body::new(
                ResponseFraming::Length(length),
                ContentEncoding::Identity,
                100,
            )
        };
        assert!(new(100).is_ok());
        assert!(matches!(new(101), Err(BodyFault::TooLarge)));
        let budget = HoldBudget::new(3);
        assert_eq!(charge(&budget, 0, b"abc"), Ok(()));
        assert_eq!(charge(&budget, 0, b"a"), Err(BodyFault::NoRoom));
        budget.give_back(1);
        assert_eq!(charge(&budget, 2, b"abc"), Ok(()));
    }

    #[test]
    fn a_budget_below_another_gives_back_what_it_took() {
        let shard = Rc::new(HoldBudget::new(10));
        let call = HoldBudget::below(&shard, 8);
        let other = HoldBudget::below(&shard, 8);
        assert!(call.take(6));
        assert!(!other.take(5), "the shard has 4 left");
        assert!(other.take(4));
        call.give_back(2);
        assert_eq!(shard.left_bytes(), 2);
        drop(call);
        assert_eq!(shard.left_bytes(), 6);
        drop(other);
        assert_eq!(shard.left_bytes(), 10);
    }
}
