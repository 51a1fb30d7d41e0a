//! Signals sent to this process arrive as events; its own process, because signals are everyone's.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rt::signals::{Signal, Signals, ignore_sigpipe};

#[test]
fn blocked_signals_are_read_one_by_one() {
    ignore_sigpipe();
    let signals = Signals::block().unwrap();
    for (number, expected) in [
        (libc::SIGHUP, Signal::Reload),
        (libc::SIGTERM, Signal::Terminate),
        (libc::SIGINT, Signal::Interrupt),
    ] {
        // SAFETY: a signal to our own thread, which has it blocked.
        assert_eq!(
            unsafe { libc::pthread_kill(libc::pthread_self(), number) },
            0
        );
        assert_eq!(signals.wait().unwrap(), expected);
    }
}
