//! The answer to an upstream batch: items found by id, in any order. Never guesses by position.

use super::reply::{Members, open};
use super::{ErrorView, IdMatch, Reply, ReplyFault};

/// What became of one call of an upstream batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// No item has its id.
    Missing,
    /// Answered; ranges are within the whole body.
    Reply(Reply),
    /// Its item is there and unusable.
    Faulty(ReplyFault),
    /// Two items have its id: neither can be trusted.
    Duplicate,
}

/// The shape of a batch's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchShape {
    /// An array; see [`BatchReplies::slots`].
    Items,
    /// One error for the whole batch: a bare object, or an array of one, whose id is null or absent.
    OneError(ErrorView),
}

/// A parsed batch answer, kept and used again: once its list has grown, parsing allocates nothing.
#[derive(Debug, Default)]
pub struct BatchReplies {
    slots: Vec<Slot>,
    strays: usize,
}

impl BatchReplies {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            strays: 0,
        }
    }

    /// Parses the answer to the calls `first_id..first_id + calls`.
    ///
    /// # Errors
    /// [`ReplyFault`] where the body as a whole cannot be used. Then all slots are missing.
    pub fn parse(
        &mut self,
        body: &[u8],
        first_id: u64,
        calls: usize,
    ) -> Result<BatchShape, ReplyFault> {
        self.reset(calls);
        let parsed = self.parse_into(body, first_id);
        if parsed.is_err() {
            self.reset(calls);
        }
        parsed
    }

    fn reset(&mut self, calls: usize) {
        self.strays = 0;
        self.slots.clear();
        self.slots.resize(calls, Slot::Missing);
    }

    fn parse_into(&mut self, body: &[u8], first_id: u64) -> Result<BatchShape, ReplyFault> {
        let mut cursor = open(body)?;
        match cursor.peek() {
            Some(b'[') => cursor.pass(),
            Some(b'{') => {
                let members = Members::read(&mut cursor, body, 0)?;
                cursor.end()?;
                return match anonymous_error(&members, body) {
                    Some(error) => Ok(BatchShape::OneError(error)),
                    None => Err(ReplyFault::Shape),
                };
            }
            _ => {
                cursor.value(0)?;
                cursor.end()?;
                return Err(ReplyFault::Shape);
            }
        }
        let mut items = 0_usize;
        let mut only = None;
        while cursor.element(items == 0)? {
            items += 1;
            if cursor.peek() != Some(b'{') {
                cursor.value(1)?;
                self.strays += 1;
                continue;
            }
            let members = Members::read(&mut cursor, body, 1)?;
            if items == 1 {
                only = anonymous_error(&members, body);
            }
            self.place(&members, body, first_id);
        }
        cursor.end()?;
        match only {
            Some(error) if items == 1 => Ok(BatchShape::OneError(error)),
            _ => Ok(BatchShape::Items),
        }
    }

    /// Puts an item into the slot that its id names.
    fn place(&mut self, members: &Members, body: &[u8], first_id: u64) {
        let id = members.id.map(|id| id.of(body)).unwrap_or_default();
        let number = core::str::from_utf8(id)
            .ok()
            .and_then(|id| id.parse::<u64>().ok());
        let slot = number
            .and_then(|number| number.checked_sub(first_id))
            .and_then(|index| self.slots.get_mut(usize::try_from(index).ok()?));
        let (Some(slot), Some(number)) = (slot, number) else {
            self.strays += 1;
            return;
        };
        let mut expected = itoa::Buffer::new();
        *slot = match slot {
            Slot::Missing => match members.judge(body, expected.format(number).as_bytes()) {
                Ok(reply) => Slot::Reply(reply),
                Err(fault) => Slot::Faulty(fault),
            },
            _ => Slot::Duplicate,
        };
    }

    /// One slot for each call, in the order of the ids.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Items whose id belongs to no call of the batch (or is no id at all).
    #[must_use]
    pub const fn strays(&self) -> usize {
        self.strays
    }
}

/// The error of an object whose id is null or absent: it speaks for the whole batch.
fn anonymous_error(members: &Members, body: &[u8]) -> Option<ErrorView> {
    // No id is empty, so a given one can only be wrong.
    match members.judge(body, b"") {
        Ok(Reply::Error(error)) if error.id != IdMatch::Equal => Some(error),
        _ => None,
    }
}
