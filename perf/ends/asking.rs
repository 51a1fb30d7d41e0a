//! The load's side: which connection asks when, and what is recorded. A closed loop asks again once it is answered, an
//! open one when the schedule says so. Moves no byte itself.

use super::client::{Client, Flight, Progress};
use super::socket::Socket;
use crate::load::{
    Arrival, Bodies, Closing, Failure, Interval, LoadError, Pacing, Plan, Report, Timing, prefix,
};
use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// Most arrivals whose absence is counted.
const MAX_UNSENT: usize = 100_000_000;

/// A run that goes on.
pub(super) struct Asking {
    plan: Plan,
    prefix: Vec<u8>,
    clients: Vec<Option<Client>>,
    recorder: Interval,
    start: Instant,
    end: Duration,
    /// Requests that may still be recorded.
    left: u64,
    open: Option<Open>,
    in_flight: usize,
    last: Duration,
    reply: SyncSender<Result<Report, LoadError>>,
}

/// The schedule of an open loop, and who is free to keep it.
struct Open {
    pacing: Pacing,
    next: u64,
    free: VecDeque<usize>,
}

impl Asking {
    /// Connects, and begins.
    pub(super) fn begin(
        plan: Plan,
        head: u64,
        epoll: &OwnedFd,
        token_of: impl Fn(usize) -> u64,
        reply: SyncSender<Result<Report, LoadError>>,
    ) -> Option<Self> {
        match Self::new(plan, head, epoll, token_of, reply.clone()) {
            Ok(mut asking) => {
                asking.start = Instant::now();
                asking.pump();
                Some(asking)
            }
            Err(error) => {
                // Who asked may have given up; there is nobody else to tell.
                let _ = reply.send(Err(error));
                None
            }
        }
    }

    fn new(
        plan: Plan,
        head: u64,
        epoll: &OwnedFd,
        token_of: impl Fn(usize) -> u64,
        reply: SyncSender<Result<Report, LoadError>>,
    ) -> Result<Self, LoadError> {
        let route = crate::load::prepare(&plan)?;
        if route.tls.is_some() || plan.mix.is_together() {
            return Err(LoadError::Plan(
                "both ends in one thread speak plain text, and ask each for itself",
            ));
        }
        let count = plan.arrival.connections();
        let prefix = prefix(&plan);
        let mut clients = Vec::with_capacity(count);
        for index in 0..count {
            let number = u64::try_from(index).unwrap_or(0);
            let socket = TcpStream::connect(route.address)
                .and_then(|stream| Socket::watch(stream, epoll, token_of(index)))
                .map_err(LoadError::Thread)?;
            let bodies = Bodies::new(&plan.mix, plan.seed, number, head);
            let mut client = Client::new(socket, bodies, plan.verify, plan.max_response_bytes);
            client.prepare(&prefix);
            clients.push(Some(client));
        }
        let open = match plan.arrival {
            Arrival::Closed { .. } => None,
            Arrival::Open { rate_per_s, .. } => Some(Open {
                pacing: Pacing::new(rate_per_s, 1, 0),
                next: 0,
                free: (0..count).collect(),
            }),
        };
        let create = |error| LoadError::Thread(io::Error::other(error));
        Ok(Self {
            prefix,
            clients,
            recorder: Interval::new().map_err(create)?,
            start: Instant::now(),
            end: plan.warmup.saturating_add(plan.duration),
            left: plan.max_requests.unwrap_or(u64::MAX),
            open,
            in_flight: 0,
            last: Duration::ZERO,
            plan,
            reply,
        })
    }

    /// How long the loop may wait for events, if a request is to be sent by then.
    pub(super) fn patience(&self) -> Option<Duration> {
        let open = self.open.as_ref().filter(|open| !open.free.is_empty())?;
        let due = open.pacing.due(open.next);
        (due < self.end).then(|| due.saturating_sub(self.start.elapsed()))
    }

    /// An event on a connection.
    pub(super) fn event(&mut self, index: usize, buffer: &mut [u8]) {
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let progress = client.advance(buffer);
        if progress == Progress::Waiting {
            return;
        }
        let now = self.start.elapsed();
        if let Some(flight) = client.flight.take() {
            self.in_flight -= 1;
            if flight.due >= self.plan.warmup {
                self.last = now;
                match progress {
                    Progress::Done { calls, bytes } => {
                        let timing = Timing {
                            due: flight.due,
                            taken: flight.taken,
                            begun: flight.begun,
                            done: now,
                        };
                        self.recorder.succeed(&timing, calls, bytes);
                    }
                    Progress::Failed(failure) => self.recorder.fail(failure),
                    Progress::Waiting => {}
                }
            }
        }
        if matches!(progress, Progress::Failed(_)) {
            self.drop_client(index);
            return;
        }
        client.free_since = now;
        match &mut self.open {
            None => {
                client.prepare(&self.prefix);
                self.ask(index, now, now);
            }
            Some(open) => {
                open.free.push_back(index);
                client.prepare(&self.prefix);
            }
        }
    }

    /// Whether requests follow a schedule.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Sends what is due.
    pub(super) fn pump(&mut self) {
        if self.open.is_none() {
            // The first request of each connection; later ones follow answers.
            for index in 0..self.clients.len() {
                let is_idle = self
                    .clients
                    .get(index)
                    .and_then(Option::as_ref)
                    .is_some_and(|client| client.flight.is_none());
                if is_idle {
                    let now = self.start.elapsed();
                    self.ask(index, now, now);
                }
            }
            return;
        }
        loop {
            let now = self.start.elapsed();
            let Some(open) = self.open.as_mut() else {
                return;
            };
            let due = open.pacing.due(open.next);
            if due > now || due >= self.end || now >= self.end || self.left == 0 {
                return;
            }
            let Some(index) = open.free.pop_front() else {
                return;
            };
            open.next += 1;
            self.ask(index, due, now);
        }
    }

    /// Sends a connection's next request, unless the run is over.
    fn ask(&mut self, index: usize, due: Duration, now: Duration) {
        if now >= self.end || self.left == 0 {
            return;
        }
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if due >= self.plan.warmup {
            self.left -= 1;
        }
        let flight = Flight {
            due,
            taken: client.free_since,
            begun: now,
        };
        if client.ask(flight) {
            self.in_flight += 1;
        } else {
            self.recorder.fail(Failure::Reset);
            self.drop_client(index);
        }
    }

    fn drop_client(&mut self, index: usize) {
        if let Some(client) = self.clients.get_mut(index) {
            *client = None;
        }
    }

    /// Whether nothing more will happen: nothing is in flight and nothing will be sent, or it takes too long.
    pub(super) fn is_over(&self) -> bool {
        let now = self.start.elapsed();
        let is_idle = self.in_flight == 0
            && (now >= self.end || self.left == 0 || self.clients.iter().all(Option::is_none));
        is_idle || now >= self.end.saturating_add(self.plan.timeout)
    }

    /// Tells what was found.
    pub(super) fn finish(mut self) {
        for _ in 0..self.in_flight {
            self.recorder.fail(Failure::Timeout);
        }
        let unsent = self.open.as_ref().map_or(0, |open| {
            let due = |n: &u64| open.pacing.due(*n) < self.end;
            (open.next..).take_while(due).take(MAX_UNSENT).count()
        });
        let unsent = if self.left == 0 { 0 } else { unsent };
        let closing = Closing {
            spent: None,
            slots: 1,
            unsent: u64::try_from(unsent).unwrap_or(u64::MAX),
            last: self.last,
        };
        let report = Report::new(&self.plan, &self.recorder, &[closing]);
        // Who asked may have given up.
        let _ = self.reply.send(Ok(report));
    }
}
