//! What a client has sent and nobody has dealt with yet. It holds memory only while there is something to hold, so that a
//! connection that idles costs none; it reads no socket and parses nothing.

/// Received bytes, taken from the front.
#[derive(Default)]
pub struct Received {
    bytes: Vec<u8>,
    /// How many of them have been dealt with.
    done: usize,
}

impl Received {
    /// What is still to be dealt with.
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.done..).unwrap_or_default()
    }

    /// Whether nothing is.
    pub const fn is_empty(&self) -> bool {
        self.done >= self.bytes.len()
    }

    /// Bytes came in.
    pub fn take_in(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes = rt::take_buffer();
        } else if self.is_empty() {
            self.clear();
        } else if self.done > self.bytes.len() / 2 {
            // Less is moved than has been dealt with, so that each byte is moved at most once.
            self.bytes.drain(..self.done);
            self.done = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The first `count` bytes have been dealt with.
    pub fn forget(&mut self, count: usize) {
        self.done = self.done.saturating_add(count).min(self.bytes.len());
    }

    /// All of it has.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.done = 0;
    }

    /// Gives the memory back if it holds nothing: nobody knows how long the next request takes to come.
    pub fn rest(&mut self) {
        if self.is_empty() {
            self.done = 0;
            rt::recycle(std::mem::take(&mut self.bytes));
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        rt::recycle(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_in_which_they_came() {
        let mut received = Received::default();
        let sent: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut seen = Vec::new();
        for (at, piece) in sent.chunks(7).enumerate() {
            received.take_in(piece);
            let count = (at * 5 % 13).min(received.unread().len());
            seen.extend_from_slice(received.unread().get(..count).unwrap());
            received.forget(count);
        }
        seen.extend_from_slice(received.unread());
        assert!(seen == sent);
    }

    #[test]
    fn an_empty_one_holds_no_memory_after_a_rest() {
        let mut received = Received::default();
        received.take_in(b"abc");
        received.forget(2);
        received.rest();
        assert_eq!(received.unread(), b"c", "what is unread stays");
        received.forget(9);
        assert!(received.is_empty());
        received.rest();
        assert_eq!(received.bytes.capacity(), 0);
        received.take_in(b"d");
        assert_eq!(received.unread(), b"d");
    }
}
