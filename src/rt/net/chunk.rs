//! Received bytes on loan. Dropping a chunk is what lets its connection go on receiving.
#![allow(unsafe_code)]

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::ring::receive::Taken;
use crate::ring::slab::Key;
use crate::shard::Shard;

/// Bytes received from a connection, in the ring's own buffer where possible; it goes back when this is dropped.
///
/// Hold chunks for as long as it takes to read them, not longer: a connection may hold only so many before its
/// receive pauses. Bytes may be changed in place.
pub struct Chunk {
    /// The first byte; valid for `len` bytes while `origin` lives, and only through this chunk.
    start: *mut u8,
    len: usize,
    origin: Origin,
}

enum Origin {
    /// Lent by a connection, which counts it.
    Lent {
        shard: Rc<Shard>,
        key: Key,
        bytes: Lent,
    },
    /// The chunk's own.
    Own { bytes: Vec<u8> },
}

enum Lent {
    Ring(u16),
    Heap { _bytes: Vec<u8> },
}

impl Chunk {
    pub(crate) fn lent(shard: Rc<Shard>, key: Key, taken: Taken) -> Self {
        let (start, len, bytes) = match taken {
            Taken::Ring { id, start, len } => (start, len as usize, Lent::Ring(id)),
            Taken::Heap(mut bytes) => (
                bytes.as_mut_ptr(),
                bytes.len(),
                Lent::Heap { _bytes: bytes },
            ),
        };
        Self {
            start,
            len,
            origin: Origin::Lent { shard, key, bytes },
        }
    }

    /// Leaves out the first `count` bytes, all of them if there are fewer.
    pub fn advance(&mut self, count: usize) {
        let count = count.min(self.len);
        // SAFETY: the result is within the `len` bytes at `start`, or one past them.
        self.start = unsafe { self.start.add(count) };
        self.len -= count;
    }

    /// Leaves out everything after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(mut bytes: Vec<u8>) -> Self {
        Self {
            start: bytes.as_mut_ptr(),
            len: bytes.len(),
            origin: Origin::Own { bytes },
        }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: see `start`. A ring buffer is ours from its completion until it is given back in `drop`, and its
        // memory lives as long as `shard`; a vector's bytes stay in place when the vector is moved.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl DerefMut for Chunk {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`; the chunk is the only one to know the buffer and is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        match &mut self.origin {
            Origin::Lent { shard, key, bytes } => {
                let ring_id = match bytes {
                    Lent::Ring(id) => Some(*id),
                    Lent::Heap { .. } => None,
                };
                shard.with(|driver| driver.chunk_dropped(*key, ring_id));
            }
            Origin::Own { bytes } => crate::recycle(std::mem::take(bytes)),
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes: they are a user's.
        f.debug_struct("Chunk")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
