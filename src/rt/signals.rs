//! Process signals as plain events, for a program whose threads are all shards. It installs no handler: the signals
//! are blocked and read, so nothing ever runs inside a handler.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::mem::MaybeUninit;

/// What the process was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: finish and exit.
    Terminate,
    /// SIGINT: the same, from a terminal.
    Interrupt,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// SIGTERM, SIGINT and SIGHUP, waited for instead of handled.
pub struct Signals {
    set: libc::sigset_t,
}

impl Signals {
    /// Blocks the three signals in this thread and in every thread started after it, so call it first in `main`.
    ///
    /// A program that uses another signal library (tokio's) for these must not call it.
    pub fn block() -> io::Result<Signals> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigemptyset` initialises the set; the others get a set that is initialised, and a null old set.
        let (set, failed) = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            let mut set = set.assume_init();
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(&raw mut set, signal);
            }
            let failed =
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            (set, failed)
        };
        if failed == 0 {
            Ok(Signals { set })
        } else {
            Err(io::Error::from_raw_os_error(failed))
        }
    }

    /// Waits for the next signal; blocks the thread, so give it one of its own.
    pub fn wait(&self) -> io::Result<Signal> {
        loop {
            let mut signal = 0;
            // SAFETY: both pointers are to live values.
            let failed = unsafe { libc::sigwait(&raw const self.set, &raw mut signal) };
            match (failed, signal) {
                (0, libc::SIGTERM) => return Ok(Signal::Terminate),
                (0, libc::SIGINT) => return Ok(Signal::Interrupt),
                (0, libc::SIGHUP) => return Ok(Signal::Reload),
                (0 | libc::EINTR, _) => {}
                (errno, _) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}

/// Makes a write to a closed pipe or socket an error instead of the end of the process. Rust's own start-up does this;
/// it is for a process whose parent or allocator undid it.
pub fn ignore_sigpipe() {
    // SAFETY: ignoring a signal installs no handler and touches no memory.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
