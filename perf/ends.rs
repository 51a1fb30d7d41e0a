//! Both ends of a proxy in one thread: synthetic providers that answer at once, and a load that comes and goes. One loop
//! over one epoll instance serves all of their sockets, so that a request costs the harness as little as it can: two
//! receives and two sends, no other thread to wake, no allocation. Plain text only, nothing scripted: what misbehaves or
//! waits is [`crate::provider`]'s, and TLS is [`crate::load`]'s.
//!
//! ```
//! use perf::ends::Ends;
//! use perf::load::{Arrival, Plan, Target};
//! use perf::provider::Chain;
//!
//! let ends = Ends::start(&Chain::default(), 1)?;
//! // A proxy would stand here.
//! let target = Target::parse(&format!("http://{}/", ends.addresses()[0]))?;
//! let plan = Plan { max_requests: Some(100), ..Plan::new(target, Arrival::Closed { connections: 4 }) };
//! let report = ends.run(&plan)?;
//! assert_eq!((report.ok, report.failed), (100, 0));
//! // The warm-up was answered too.
//! assert!(ends.counters()[0].calls >= 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answering;
mod asking;
mod client;
mod socket;
#[cfg(test)]
mod tests;
mod turning;

use crate::load::{LoadError, Plan, Report};
use crate::provider::{Chain, Counters, Desk};
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use turning::{Command, Turner};

/// A running loop. Dropping it ends it.
#[derive(Debug)]
pub struct Ends {
    addresses: Vec<SocketAddr>,
    desks: Vec<Desk>,
    commands: Option<Sender<Command>>,
    bell: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Ends {
    /// Starts so many providers of one chain, each on a free port of 127.0.0.1, and returns once they listen.
    ///
    /// # Errors
    /// When a socket or the thread cannot be made.
    pub fn start(chain: &Chain, providers: usize) -> io::Result<Self> {
        let desks: Vec<Desk> = (0..providers).map(|_| Desk::new(chain)).collect();
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (commands, receiver) = mpsc::channel();
        let turner = Turner::new(desks.clone(), Arc::clone(&bell), receiver)?;
        let addresses = turner.addresses()?;
        let builder = std::thread::Builder::new().name("ends".to_owned());
        let thread = builder.spawn(move || turner.run())?;
        Ok(Self {
            addresses,
            desks,
            commands: Some(commands),
            bell,
            thread: Some(thread),
        })
    }

    /// Where the providers listen.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What each provider counted so far.
    #[must_use]
    pub fn counters(&self) -> Vec<Counters> {
        self.desks.iter().map(Desk::counters).collect()
    }

    /// Makes a run from the same thread that serves the providers. As [`crate::load::run`], but: one thread, plain text, no
    /// log; a connection that failed asks no more; answers must have a content-length. Mixes that name blocks name those of
    /// the providers' chain. The report's generator has no processor share of its own: the thread's is the providers' too.
    ///
    /// # Errors
    /// When the run could not be made.
    pub fn run(&self, plan: &Plan) -> Result<Report, LoadError> {
        let (reply, done) = mpsc::sync_channel(1);
        let gone = || LoadError::Thread(io::Error::other("the thread of both ends has ended"));
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        let command = Command::Ask {
            plan: Box::new(plan.clone()),
            reply,
        };
        commands.send(command).map_err(|_| gone())?;
        self.ring();
        done.recv().map_err(|_| gone())?
    }

    fn ring(&self) {
        // A bell that is full has been rung.
        let _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.commands = None;
        self.ring();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was printed there.
            let _ = thread.join();
        }
    }
}
