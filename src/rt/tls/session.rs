//! The state of one TLS session, without a socket: bytes in, bytes out. It keeps no more than one record's beginning
//! and what its reader has not taken of one chunk.

use std::io;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};

use crate::net::Chunk;

/// The largest piece of plain text in one record, and more than what a record adds to it.
const RECORD_BYTES: usize = 16 * 1024;
const RECORD_OVERHEAD: usize = 64;

/// How many bytes `len` become at most.
pub(super) fn sealed_len(len: usize) -> usize {
    len.saturating_add((len / RECORD_BYTES + 1).saturating_mul(RECORD_OVERHEAD))
}

/// What the session is asked to write once it can.
pub(super) enum Write<'a> {
    Nothing,
    Data(&'a [u8]),
    CloseNotify,
}

/// Either side's session.
pub(super) enum Machine {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// rustls has the one method on two types.
trait Steps {
    type Data;
    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
    fn has_output(&self) -> bool;
}

impl Steps for UnbufferedClientConnection {
    type Data = ClientConnectionData;
    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
    fn has_output(&self) -> bool {
        self.wants_write()
    }
}

impl Steps for UnbufferedServerConnection {
    type Data = ServerConnectionData;
    fn step<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
    fn has_output(&self) -> bool {
        self.wants_write()
    }
}

/// A session with what is left over between two looks at it.
pub(super) struct State {
    machine: Machine,
    /// The beginning of a record whose rest has not come.
    partial: Vec<u8>,
    /// Decrypted and not yet taken.
    plain: Vec<u8>,
    /// The peer said close_notify.
    pub(super) peer_closed: bool,
    /// The handshake is done and we have not said close_notify.
    pub(super) shaken: bool,
    failure: Option<(io::ErrorKind, String)>,
}

impl State {
    pub(super) fn new(machine: Machine) -> Self {
        Self {
            machine,
            partial: Vec::new(),
            plain: Vec::new(),
            peer_closed: false,
            shaken: false,
            failure: None,
        }
    }

    pub(super) fn is_handshaking(&self) -> bool {
        match &self.machine {
            Machine::Client(session) => session.is_handshaking(),
            Machine::Server(session) => session.is_handshaking(),
        }
    }

    pub(super) fn alpn_protocol(&self) -> Option<Vec<u8>> {
        let protocol = match &self.machine {
            Machine::Client(session) => session.alpn_protocol(),
            Machine::Server(session) => session.alpn_protocol(),
        };
        protocol.map(<[u8]>::to_vec)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.partial.is_empty() && self.plain.is_empty() && !self.has_ended()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.peer_closed || self.failure.is_some()
    }

    /// Decrypted bytes if there are any, else the failure if there was one.
    pub(super) fn next_plain(&mut self) -> io::Result<Option<Chunk>> {
        if !self.plain.is_empty() {
            return Ok(Some(Chunk::from(std::mem::take(&mut self.plain))));
        }
        self.check()?;
        Ok(None)
    }

    fn check(&self) -> io::Result<()> {
        match &self.failure {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone())),
            None => Ok(()),
        }
    }

    /// The stream ended without close_notify.
    pub(super) fn truncate(&mut self) -> io::Error {
        let error = truncated();
        self.failure
            .get_or_insert_with(|| (error.kind(), error.to_string()));
        error
    }

    /// Consumes a received chunk, in place where no record began before it.
    pub(super) fn absorb(&mut self, mut chunk: Chunk, out: &mut Vec<u8>) -> io::Result<()> {
        self.check()?;
        if self.plain.capacity() == 0 {
            self.plain = crate::take_buffer();
        }
        let result = if self.partial.is_empty() {
            let (used, result) = self.pump(&mut chunk, &Write::Nothing, out);
            let rest = chunk.get(used..).unwrap_or_default();
            if !rest.is_empty() && self.partial.capacity() == 0 {
                self.partial = crate::take_buffer();
            }
            self.partial.extend_from_slice(rest);
            result
        } else {
            self.partial.extend_from_slice(&chunk);
            drop(chunk);
            self.advance(&Write::Nothing, out)
        };
        // A session that rests holds no buffers.
        for buffer in [&mut self.partial, &mut self.plain] {
            if buffer.is_empty() {
                crate::recycle(std::mem::take(buffer));
            }
        }
        result
    }

    /// Lets the session go on with what it has, and write.
    pub(super) fn advance(&mut self, write: &Write<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        self.check()?;
        let mut partial = std::mem::take(&mut self.partial);
        let (used, result) = self.pump(&mut partial, write, out);
        partial.drain(..used.min(partial.len()));
        self.partial = partial;
        result
    }

    fn pump(
        &mut self,
        incoming: &mut [u8],
        write: &Write<'_>,
        out: &mut Vec<u8>,
    ) -> (usize, io::Result<()>) {
        let mut sinks = Sinks {
            plain: &mut self.plain,
            out,
            peer_closed: &mut self.peer_closed,
        };
        let (used, result) = match &mut self.machine {
            Machine::Client(session) => sinks.pump(&mut **session, incoming, write),
            Machine::Server(session) => sinks.pump(&mut **session, incoming, write),
        };
        let result =
            result.inspect_err(|error| self.failure = Some((error.kind(), error.to_string())));
        (used, result)
    }
}

/// Where a session's products go.
struct Sinks<'a> {
    plain: &'a mut Vec<u8>,
    out: &'a mut Vec<u8>,
    peer_closed: &'a mut bool,
}

/// What one step of a session leads to.
enum Step {
    Again,
    Rest,
    Fail(io::Error),
}

impl Sinks<'_> {
    /// Steps the session until it wants more bytes; returns how many of `incoming` it is done with.
    fn pump<S: Steps>(
        &mut self,
        session: &mut S,
        incoming: &mut [u8],
        write: &Write<'_>,
    ) -> (usize, io::Result<()>) {
        let mut used = 0;
        loop {
            let rest = incoming.get_mut(used..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = session.step(rest);
            let step = match state {
                Ok(state) => self.react(state, &mut discard, write),
                Err(error) => Step::Fail(refused(error)),
            };
            used += discard;
            match step {
                Step::Again => {}
                Step::Rest => return (used, Ok(())),
                Step::Fail(error) => {
                    self.last_words(session);
                    return (used, Err(error));
                }
            }
        }
    }

    /// Fetches the alert that tells the peer why the session failed. Records must not be shown to it again: it would
    /// judge them a second time.
    fn last_words<S: Steps>(&mut self, session: &mut S) {
        while session.has_output() {
            let UnbufferedStatus { state, .. } = session.step(&mut []);
            let step = state.map(|state| self.react(state, &mut 0, &Write::Nothing));
            if !matches!(step, Ok(Step::Again)) {
                break;
            }
        }
    }

    fn react<D>(
        &mut self,
        state: ConnectionState<'_, '_, D>,
        discard: &mut usize,
        write: &Write<'_>,
    ) -> Step {
        match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    match record {
                        Ok(record) => {
                            *discard += record.discard;
                            self.plain.extend_from_slice(record.payload);
                        }
                        Err(error) => return Step::Fail(refused(error)),
                    }
                }
                Step::Again
            }
            ConnectionState::EncodeTlsData(mut data) => {
                self.write_out(0, |room| match data.encode(room) {
                    Ok(written) => Ok(Some(written)),
                    Err(EncodeError::InsufficientSize(size)) => Err(size),
                    Err(EncodeError::AlreadyEncoded) => Ok(Some(0)),
                })
            }
            // What was encoded is in `out`, which is sent whole and in order.
            ConnectionState::TransmitTlsData(data) => {
                data.done();
                Step::Again
            }
            ConnectionState::PeerClosed => {
                *self.peer_closed = true;
                Step::Again
            }
            ConnectionState::WriteTraffic(mut traffic) => match write {
                Write::Nothing => Step::Rest,
                Write::Data(bytes) => {
                    self.write_last(sealed_len(bytes.len()), |room| traffic.encrypt(bytes, room))
                }
                Write::CloseNotify => {
                    self.write_last(RECORD_OVERHEAD, |room| traffic.queue_close_notify(room))
                }
            },
            ConnectionState::BlockedHandshake | ConnectionState::Closed => match write {
                Write::Data(_) => Step::Fail(io::Error::new(
                    io::ErrorKind::NotConnected,
                    "the TLS session is closed",
                )),
                Write::Nothing | Write::CloseNotify => Step::Rest,
            },
            // Early data is never offered.
            _ => Step::Fail(io::Error::new(
                io::ErrorKind::InvalidData,
                "unexpected TLS state",
            )),
        }
    }

    fn write_last(
        &mut self,
        guess: usize,
        mut encrypt: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
    ) -> Step {
        let step = self.write_out(guess, |room| match encrypt(room) {
            Ok(written) => Ok(Some(written)),
            Err(EncryptError::InsufficientSize(size)) => Err(size),
            Err(EncryptError::EncryptExhausted) => Ok(None),
        });
        if matches!(step, Step::Again) {
            Step::Rest
        } else {
            step
        }
    }

    /// Appends to `out` what `produce` writes, in a second try with as much room as the first asked for.
    fn write_out(
        &mut self,
        guess: usize,
        mut produce: impl FnMut(&mut [u8]) -> Result<Option<usize>, InsufficientSizeError>,
    ) -> Step {
        let begin = self.out.len();
        let mut room = guess;
        for _ in 0..2 {
            self.out.resize(begin + room, 0);
            match produce(self.out.get_mut(begin..).unwrap_or_default()) {
                Ok(Some(written)) => {
                    self.out.truncate(begin + written);
                    return Step::Again;
                }
                Ok(None) => break,
                Err(InsufficientSizeError { required_size }) => room = required_size,
            }
        }
        self.out.truncate(begin);
        Step::Fail(io::Error::new(
            io::ErrorKind::InvalidData,
            "the TLS session cannot encrypt any more",
        ))
    }
}

/// A refusal by rustls as an I/O error.
pub(super) fn refused(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The end came without close_notify.
pub(super) fn truncated() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the peer closed without close_notify",
    )
}
