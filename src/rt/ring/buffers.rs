//! The provided-buffer ring: memory that the kernel receives into and that we lend out as chunks. It never lends a
//! buffer twice, because a buffer is published only when its one borrower gave it back.
#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// The buffer group's id on the shard's ring; there is one.
pub(crate) const GROUP: u16 = 1;

/// An anonymous private mapping, unmapped on drop.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Self> {
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_ANONYMOUS | libc::MAP_PRIVATE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast())
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is exactly what `mmap` gave us, and the owner drops it only when the kernel is done with it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// The ring of free buffers and the buffers themselves.
pub(crate) struct Buffers {
    entries: Mapping,
    bytes: Mapping,
    count: u16,
    size: u32,
    tail: u16,
    published: u16,
    free: u32,
    lent: u32,
}

impl Buffers {
    /// Registers `count` (rounded up to a power of two, at most 32768) buffers of `size` bytes with the ring.
    pub(crate) fn register(ring: &IoUring, count: u16, size: u32) -> io::Result<Self> {
        let count = count
            .clamp(8, 1 << 15)
            .checked_next_power_of_two()
            .unwrap_or(1 << 15);
        let size = size.clamp(512, 1 << 20);
        let entries = Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let bytes = Mapping::new(usize::from(count) * size as usize)?;
        // SAFETY: the mapping holds `count` entries and outlives the registration: `Driver` drops its ring first, and
        // leaks everything when the kernel could not be shown to be done (see `executor`).
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                entries.start.as_ptr() as u64,
                count,
                GROUP,
                0,
            )?;
        }
        let mut buffers = Self {
            entries,
            bytes,
            count,
            size,
            tail: 0,
            published: 0,
            free: 0,
            lent: 0,
        };
        for id in 0..count {
            buffers.give_back(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// Queues a buffer for the kernel; it sees it at the next [`publish`](Self::publish).
    pub(crate) fn give_back(&mut self, id: u16) {
        debug_assert!(id < self.count);
        let at = usize::from(self.tail & (self.count - 1));
        // SAFETY: `at` is below `count`, the number of entries in the mapping; the kernel reads an entry only after the
        // tail has passed it, and no more than `count` buffers exist, so this entry is not one it may still read.
        unsafe {
            let entry = &mut *self.entries.start.as_ptr().cast::<BufRingEntry>().add(at);
            entry.set_addr(self.start(id) as u64);
            entry.set_len(self.size);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
        self.free += 1;
    }

    /// Lets the kernel see all buffers given back so far.
    pub(crate) fn publish(&mut self) {
        if self.published == self.tail {
            return;
        }
        self.published = self.tail;
        // SAFETY: the tail lies in the first entry's reserved bytes, inside the mapping and aligned; the kernel reads it
        // with acquire ordering.
        unsafe {
            let tail = BufRingEntry::tail(self.entries.start.as_ptr().cast::<BufRingEntry>());
            (*tail.cast::<AtomicU16>()).store(self.tail, Ordering::Release);
        }
    }

    /// Notes that a completion handed buffer `id` to us.
    pub(crate) fn taken(&mut self) {
        self.free = self.free.saturating_sub(1);
    }

    /// Notes that a chunk of a buffer of ours goes to a task.
    pub(crate) fn lend(&mut self) {
        self.lent += 1;
    }

    /// Takes back what was lent.
    pub(crate) fn returned(&mut self, id: u16) {
        self.lent = self.lent.saturating_sub(1);
        self.give_back(id);
    }

    /// Buffers that are neither free nor lent: received, and not yet taken by a task.
    pub(crate) fn waiting(&self) -> u32 {
        self.count()
            .saturating_sub(self.free)
            .saturating_sub(self.lent)
    }

    /// Where buffer `id` begins.
    pub(crate) fn start(&self, id: u16) -> *mut u8 {
        // SAFETY: ids come from the kernel out of those we gave it, all below `count`; the offset is inside the mapping.
        unsafe {
            self.bytes
                .start
                .as_ptr()
                .add(usize::from(id) * self.size as usize)
        }
    }

    /// A copy of the first `len` bytes of buffer `id`.
    pub(crate) fn copy(&self, id: u16, len: u32) -> Vec<u8> {
        let len = len.min(self.size) as usize;
        // SAFETY: the buffer is ours (its completion arrived and it was not given back), `len` is within it.
        unsafe { std::slice::from_raw_parts(self.start(id), len) }.to_vec()
    }

    /// Buffers that the kernel may fill.
    pub(crate) fn free(&self) -> u32 {
        self.free
    }

    /// Buffers in all.
    pub(crate) fn count(&self) -> u32 {
        u32::from(self.count)
    }
}
