//! The front of an answer while its head is read: the bytes as they were received where one receive brought them all, which is
//! nearly always, and a copy where it took several. It reads no socket and parses nothing.

use rt::Chunk;

/// Received and not yet dealt with.
#[derive(Default)]
pub enum Arrived {
    /// Nothing came.
    #[default]
    Empty,
    /// Of one receive, on loan.
    Lent(Chunk),
    /// Of several, and how much of them has been dealt with.
    Copied(Vec<u8>, usize),
}

impl Arrived {
    /// What is still to be dealt with.
    pub fn unread(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Lent(chunk) => chunk,
            Self::Copied(bytes, done) => bytes.get(*done..).unwrap_or_default(),
        }
    }

    /// More came.
    pub fn take_in(&mut self, chunk: Chunk) {
        if self.unread().is_empty() {
            *self = Self::Lent(chunk);
            return;
        }
        if let Self::Lent(first) = self {
            let mut bytes = rt::take_buffer();
            bytes.extend_from_slice(first);
            *self = Self::Copied(bytes, 0);
        }
        if let Self::Copied(bytes, _) = self {
            bytes.extend_from_slice(&chunk);
        }
    }

    /// The first `count` bytes have been dealt with.
    pub fn forget(&mut self, count: usize) {
        match self {
            Self::Empty => (),
            Self::Lent(chunk) => chunk.advance(count),
            Self::Copied(bytes, done) => *done = done.saturating_add(count).min(bytes.len()),
        }
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        if let Self::Copied(bytes, _) = self {
            rt::recycle(std::mem::take(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_gives_the_same_bytes() {
        let text = b"HTTP/1.1 200 OK\r\n\r\nbody".to_vec();
        for step in 1..=text.len() {
            let mut arrived = Arrived::default();
            let mut seen = Vec::new();
            for (at, piece) in text.chunks(step).enumerate() {
                arrived.take_in(Chunk::from(piece.to_vec()));
                if at % 3 == 2 {
                    seen.extend(arrived.unread().first());
                    arrived.forget(1);
                }
            }
            seen.extend_from_slice(arrived.unread());
            assert_eq!(seen, text, "in pieces of {step}");
            arrived.forget(usize::MAX);
            assert!(arrived.unread().is_empty());
        }
    }
}
