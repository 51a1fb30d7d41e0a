//! Waking a shard from any thread, whether it is parked or waits on its ring. A ring is never lost, and any number of
//! rings before the shard looks is one.
#![allow(unsafe_code)]

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use crate::shard::Shard;

/// The shared part: an eventfd that the shard's ring watches, the one that it sleeps on, and whether it was rung since the shard
/// last looked.
pub(crate) struct Bell {
    eventfd: OwnedFd,
    bed: OwnedFd,
    rung: AtomicBool,
}

impl Bell {
    /// A bell for a shard that sleeps on the eventfd `bed`.
    pub(crate) fn new(bed: &OwnedFd) -> io::Result<Self> {
        Ok(Self {
            eventfd: eventfd()?,
            bed: bed.try_clone()?,
            rung: AtomicBool::new(false),
        })
    }

    /// Takes the ring, if there was one.
    pub(crate) fn answer(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> i32 {
        self.eventfd.as_raw_fd()
    }
}

/// A new eventfd, non-blocking and not inherited.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers; a result that is not negative is a descriptor that nobody else knows.
    unsafe {
        match libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Adds one to an eventfd.
pub(crate) fn signal(eventfd: &impl AsRawFd) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: the buffer is 8 bytes long and alive. Failure means that the counter is full, which is signal enough.
    unsafe { libc::write(eventfd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

/// Sets an eventfd's counter to 0.
pub(crate) fn clear(eventfd: &impl AsRawFd) {
    let mut count = [0u8; 8];
    // SAFETY: the buffer is 8 bytes long and ours. Failure means that the counter was 0 already.
    unsafe { libc::read(eventfd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
}

/// Wakes one shard. Cheap to clone, usable on any thread, harmless after the shard has ended.
#[derive(Clone)]
pub struct Doorbell {
    bell: Arc<Bell>,
}

impl Doorbell {
    /// Makes the shard's [`rung`] return. What was written before is seen by the shard after `rung` returned.
    pub fn ring(&self) {
        if !self.bell.rung.swap(true, Ordering::SeqCst) {
            signal(&*self.bell);
            // The ring's completion alone does not end a sleep: while one eventfd is written, the kernel puts off the signal of
            // another one (the ring's), and has been seen to lose it. In this order: who wakes finds the completion.
            signal(&self.bell.bed);
        }
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell").finish_non_exhaustive()
    }
}

/// The current shard's doorbell; an error off a shard.
pub fn doorbell() -> io::Result<Doorbell> {
    Ok(Doorbell {
        bell: Shard::current()?.bell.clone(),
    })
}

/// Waits until this shard's doorbell is rung. Returns at once when it was rung since the last return.
///
/// Off a shard it never returns.
pub async fn rung() {
    let Ok(shard) = Shard::current() else {
        return std::future::pending().await;
    };
    poll_fn(|cx| {
        if shard.bell.answer() {
            return Poll::Ready(());
        }
        // The ring watches the eventfd all the time, so a ring after the look above wakes this registration.
        shard.with(|driver| driver.ringers.register(cx));
        Poll::Pending
    })
    .await;
}
