//! The providers' side: connections that come in, and one send for all that a receive brought. Answers come from a
//! [`Desk`].

use super::socket::{Received, Socket};
use crate::provider::Desk;
use std::io;

/// Longest request.
const MAX_REQUEST_BYTES: usize = 64 << 20;

/// One connection of a proxy.
#[derive(Debug)]
pub(super) struct Served {
    socket: Socket,
    /// Which provider it belongs to.
    pub(super) desk: usize,
    /// The beginning of a request whose end has not come.
    partial: Vec<u8>,
}

impl Served {
    pub(super) fn new(socket: Socket, desk: usize) -> Self {
        Self {
            socket,
            desk,
            partial: Vec::new(),
        }
    }

    /// Answers what came. `buffer` and `out` are scratch. Says whether the connection goes on.
    pub(super) fn serve(&mut self, desk: &mut Desk, buffer: &mut [u8], out: &mut Vec<u8>) -> bool {
        if self.socket.flush().is_err() {
            return false;
        }
        loop {
            let count = match self.socket.receive(buffer) {
                Received::End => return false,
                Received::Nothing => return true,
                Received::Bytes(count) => count,
            };
            let came = buffer.get(..count).unwrap_or_default();
            let Ok(goes_on) = self.take(came, desk, out) else {
                return false;
            };
            if !goes_on {
                return false;
            }
            // A receive that left room took all there was; what comes later is reported again.
            if count < buffer.len() {
                return true;
            }
        }
    }

    fn take(&mut self, came: &[u8], desk: &mut Desk, out: &mut Vec<u8>) -> io::Result<bool> {
        out.clear();
        let taken = if self.partial.is_empty() {
            let taken = desk.answer(came, out);
            self.partial
                .extend_from_slice(came.get(taken.bytes..).unwrap_or_default());
            taken
        } else {
            self.partial.extend_from_slice(came);
            let taken = desk.answer(&self.partial, out);
            self.partial.drain(..taken.bytes);
            taken
        };
        if !out.is_empty() {
            self.socket.send(out)?;
        }
        Ok(!taken.close && self.partial.len() <= MAX_REQUEST_BYTES)
    }
}
