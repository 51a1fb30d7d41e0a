//! The load's side, one connection: a request at a time, its answer judged as it comes in. Knows no schedule.

use super::socket::{Received, Socket};
use crate::load::{Bodies, Expected, Failure, Verify, judge, parse_head};
use std::time::Duration;

/// A connection to the proxy.
#[derive(Debug)]
pub(super) struct Client {
    socket: Socket,
    bodies: Bodies,
    /// The request that is sent next, and what its answer must be.
    request: Vec<u8>,
    expected: Vec<Expected>,
    body: Vec<u8>,
    /// The beginning of an answer whose end has not come.
    partial: Vec<u8>,
    verify: Verify,
    max_response_bytes: usize,
    /// The request in flight: when it was due, when the connection was free for it, when it was begun.
    pub(super) flight: Option<Flight>,
    /// From when on it has had nothing to do.
    pub(super) free_since: Duration,
}

/// The moments of a request in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) due: Duration,
    pub(super) taken: Duration,
    pub(super) begun: Duration,
}

/// What an event brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The answer is not whole.
    Waiting,
    /// It is, and right: so many calls, so many bytes with its head.
    Done { calls: usize, bytes: usize },
    /// It is not, or not right. The connection is spoiled.
    Failed(Failure),
}

impl Client {
    pub(super) fn new(
        socket: Socket,
        bodies: Bodies,
        verify: Verify,
        max_response_bytes: usize,
    ) -> Self {
        Self {
            socket,
            bodies,
            request: Vec::with_capacity(1024),
            expected: Vec::new(),
            body: Vec::with_capacity(1024),
            partial: Vec::new(),
            verify,
            max_response_bytes,
            flight: None,
            free_since: Duration::ZERO,
        }
    }

    /// Makes the next request ready, so that sending it takes no time when it is due.
    pub(super) fn prepare(&mut self, prefix: &[u8]) {
        self.body.clear();
        self.expected.clear();
        self.bodies.next(&mut self.body, &mut self.expected);
        self.request.clear();
        self.request.extend_from_slice(prefix);
        crate::fields::write_decimal(&mut self.request, self.body.len());
        self.request.extend_from_slice(b"\r\n\r\n");
        self.request.extend_from_slice(&self.body);
    }

    /// Sends the request that is ready. Says whether the connection took it.
    pub(super) fn ask(&mut self, flight: Flight) -> bool {
        self.flight = Some(flight);
        self.socket.send(&self.request).is_ok()
    }

    /// Reads what came. `buffer` is scratch.
    pub(super) fn advance(&mut self, buffer: &mut [u8]) -> Progress {
        if self.socket.flush().is_err() {
            return Progress::Failed(Failure::Reset);
        }
        loop {
            let count = match self.socket.receive(buffer) {
                Received::End => return Progress::Failed(Failure::Closed),
                Received::Nothing => return Progress::Waiting,
                Received::Bytes(count) => count,
            };
            if self.flight.is_none() {
                // Nobody asked.
                return Progress::Failed(Failure::Framing);
            }
            let came = buffer.get(..count).unwrap_or_default();
            let progress = if self.partial.is_empty() {
                let progress = self.whole(came);
                if progress == Progress::Waiting {
                    self.partial.extend_from_slice(came);
                }
                progress
            } else {
                let mut answer = std::mem::take(&mut self.partial);
                answer.extend_from_slice(came);
                let progress = self.whole(&answer);
                self.partial = answer;
                progress
            };
            if progress != Progress::Waiting {
                self.partial.clear();
                return progress;
            }
            if count < buffer.len() {
                return Progress::Waiting;
            }
        }
    }

    fn whole(&self, answer: &[u8]) -> Progress {
        let head = match parse_head(answer) {
            Err(failure) => return Progress::Failed(failure),
            Ok(None) if answer.len() > self.max_response_bytes => {
                return Progress::Failed(Failure::Framing);
            }
            Ok(None) => return Progress::Waiting,
            Ok(Some(head)) => head,
        };
        // No length: chunked, most likely, which this end does not read.
        let Some(length) = head
            .length
            .filter(|length| *length <= self.max_response_bytes)
        else {
            return Progress::Failed(Failure::Framing);
        };
        let end = head.bytes.saturating_add(length);
        let Some(body) = answer.get(head.bytes..end) else {
            return Progress::Waiting;
        };
        if answer.len() > end {
            return Progress::Failed(Failure::Framing);
        }
        if head.status != 200 {
            return Progress::Failed(Failure::Status(head.status));
        }
        match judge(body, &self.expected, self.bodies.is_batch(), self.verify) {
            Err(failure) => Progress::Failed(failure),
            // An answer that announces the end of the connection is whole, and the last.
            Ok(()) if head.close => Progress::Failed(Failure::Closed),
            Ok(()) => Progress::Done {
                calls: self.expected.len(),
                bytes: end,
            },
        }
    }
}
