//! What the ring knows about one connection. Plain state; the rules that move it are in the files beside this one.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use super::waiters::Waiters;

/// Received bytes that nobody has taken yet.
pub(crate) enum Piece {
    /// Still in the ring's buffer of this id.
    Ring { id: u16, len: u32 },
    /// Moved out of the ring because buffers ran short.
    Heap(Vec<u8>),
}

/// The receive operation of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receive {
    /// Not in the kernel: paused, or not begun.
    Off,
    /// In the kernel.
    Armed,
    /// In the kernel, and asked to stop.
    Cancelling,
    /// Ended for want of buffers; waits until enough came back.
    Starved,
    /// Ended for good: end of stream or error.
    Ended,
}

/// Why no more bytes will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed its direction.
    Eof,
    /// The receive failed with this errno.
    Error(i32),
}

/// The send side of a socket. At most one send is ever in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Nothing to send.
    Idle,
    /// Bytes wait for this turn's submission; the socket is in the list of dirty ones.
    Queued,
    /// A send that must finish within its submission is out.
    Now,
    /// The rest of a full socket's send is in the kernel, which owns `flight` until the completion.
    Rest,
}

/// The stages of a connection's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// The connect is in the kernel.
    Connecting,
    /// In use.
    Open,
    /// Given up by its owner; what was sent still has to leave.
    Flushing,
    /// All is sent and our direction is closed; what comes in is thrown away until the peer closes too.
    Lingering,
    /// Everything is being cancelled; the descriptor is closed on the last completion.
    Closing,
}

/// One connection.
pub(crate) struct Socket {
    pub(crate) fd: OwnedFd,
    pub(crate) life: Life,
    pub(crate) received: VecDeque<Piece>,
    /// Chunks received and not yet given back: those in `received` and those lent out.
    pub(crate) held: u32,
    pub(crate) receive: Receive,
    pub(crate) end: Option<End>,
    pub(crate) readers: Waiters,
    /// Bytes for the next submission.
    pub(crate) queued: Vec<u8>,
    /// Bytes that a send in the kernel reads from.
    pub(crate) flight: Vec<u8>,
    pub(crate) flight_sent: usize,
    pub(crate) sending: Sending,
    pub(crate) send_error: Option<i32>,
    pub(crate) writers: Waiters,
    /// The peer's address in the kernel's form, at a stable place while a connect reads it.
    pub(crate) dialled: Option<Box<socket2::SockAddr>>,
    pub(crate) dial_result: Option<Result<(), i32>>,
    /// A connect is in the kernel.
    pub(crate) dialling: bool,
    /// Waiting for the descriptor to be closed, or for our direction to be.
    pub(crate) leavers: Waiters,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
}

impl Socket {
    pub(crate) fn new(fd: OwnedFd, life: Life) -> Self {
        Self {
            fd,
            life,
            received: VecDeque::new(),
            held: 0,
            receive: Receive::Off,
            end: None,
            readers: Waiters::default(),
            queued: Vec::new(),
            flight: Vec::new(),
            flight_sent: 0,
            sending: Sending::Idle,
            send_error: None,
            writers: Waiters::default(),
            dialled: None,
            dial_result: None,
            dialling: false,
            leavers: Waiters::default(),
            received_bytes: 0,
            sent_bytes: 0,
        }
    }

    /// Whether the kernel holds an operation of this socket whose completion is still to come.
    pub(crate) fn in_kernel(&self) -> bool {
        self.dialling
            || matches!(self.receive, Receive::Armed | Receive::Cancelling)
            || matches!(self.sending, Sending::Now | Sending::Rest)
    }
}

/// What using a connection that is no longer open comes to.
pub(crate) fn not_open() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection is closed")
}

/// The error that the kernel meant by `errno`.
pub(crate) fn kernel_error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}
