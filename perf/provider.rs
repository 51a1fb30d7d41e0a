//! A synthetic EVM provider inside this process: HTTP/1.1 with keep-alive and pipelining, JSON-RPC single and batch,
//! fast enough to stand behind a proxy under load, and scriptable at run time to misbehave in every way that a real
//! provider was seen to. It holds no chain: what it answers is derived from what it is asked.
//!
//! ```
//! use perf::provider::{Fault, Options, Provider, Rule};
//!
//! let provider = Provider::start(Options::default())?;
//! let throttle = provider.inject(Rule::next(2, Fault::throttled(Some(1))));
//! // … send requests to provider.url() …
//! assert_eq!(provider.hits(throttle), 0);
//! # std::io::Result::Ok(())
//! ```

mod answer;
mod blocks;
mod chain;
mod connection;
mod deliver;
mod desk;
mod door;
mod exchange;
mod fault;
mod fixtures;
mod latency;
mod ledger;
mod methods;
mod request;
mod script;
mod tally;
#[cfg(test)]
mod tests;

pub use chain::Chain;
pub(crate) use desk::Desk;
pub use door::Door;
pub use fault::{Fault, FaultId, Rule, When};
pub use fixtures::{Exchange, Fixtures, FixturesError};
pub use latency::Latency;
pub use tally::{Counters, Recorded};

use door::{Command, Gate};
use ledger::Ledger;
use script::Script;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tally::Tally;

/// What a provider is started with. All of it has defaults: chain 1, any free port of 127.0.0.1, one thread.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen. Port 0 picks a free one, which the provider then keeps until it is dropped.
    pub listen: SocketAddr,
    /// Threads that serve, each with its own listening socket (SO_REUSEPORT).
    pub threads: usize,
    /// The chain; share a clone between providers of one chain.
    pub chain: Chain,
    /// Answer from these where they know the call; the rest is synthetic, and counted as a miss.
    pub fixtures: Option<Arc<Fixtures>>,
    /// How large the large answers are.
    pub sizes: Sizes,
    /// Latency to begin with.
    pub latency: Latency,
    /// Serve TLS instead of plain text.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How many of the last requests to keep for [`Handle::recent`]; 0 keeps none, which is the fastest.
    pub keep_requests: usize,
    /// Connections at once, over all threads; more are closed at once.
    pub max_connections: usize,
    /// Longest request head and body together.
    pub max_request_bytes: usize,
    /// Seed for latencies and probabilities.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            threads: 1,
            chain: Chain::default(),
            fixtures: None,
            sizes: Sizes::default(),
            latency: Latency::None,
            tls: None,
            keep_requests: 256,
            max_connections: 65_536,
            max_request_bytes: 64 << 20,
            seed: 1,
        }
    }
}

/// How large synthetic answers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Logs in an answer to `eth_getLogs`; about 600 bytes each.
    pub logs: usize,
    /// Transactions in a block; 70 bytes each as hashes, about 700 in full.
    pub transactions: usize,
    /// Logs in a receipt.
    pub receipt_logs: usize,
    /// Bytes of a trace.
    pub trace_bytes: usize,
    /// Bytes of contract code, before hex.
    pub code_bytes: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            logs: 10,
            transactions: 100,
            receipt_logs: 3,
            trace_bytes: 20_000,
            code_bytes: 1024,
        }
    }
}

/// Starts providers. Stateless: what runs is held by the [`Handle`].
#[derive(Debug)]
pub struct Provider;

/// A running provider: its counters, its script, its door. Dropping it stops it and closes its connections.
#[derive(Debug)]
pub struct Handle {
    shared: Arc<Shared>,
    gates: Vec<Gate>,
    threads: Vec<JoinHandle<()>>,
    /// Bound and never listening: keeps the port while the door is shut.
    _port: socket2::Socket,
    address: SocketAddr,
    tls: bool,
}

/// What the handle and the serving threads share.
#[derive(Debug)]
struct Shared {
    options: Options,
    script: Script,
    tally: Tally,
    ledger: Ledger,
    /// Whether connections that are cut get an RST instead of a FIN.
    reset_on_cut: Arc<AtomicBool>,
}

impl Shared {
    fn new(options: Options) -> Self {
        Self {
            script: Script::new(options.latency.clone()),
            tally: Tally::new(options.keep_requests),
            ledger: Ledger::default(),
            reset_on_cut: Arc::new(AtomicBool::new(false)),
            options,
        }
    }
}

impl Provider {
    /// Starts a provider on threads of its own, and returns once it accepts connections.
    ///
    /// # Errors
    /// When the address cannot be bound or a thread cannot be started.
    pub fn start(options: Options) -> io::Result<Handle> {
        let port = door::bind(options.listen)?;
        let address = port
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the socket has no address"))?;
        let tls = options.tls.is_some();
        let count = options.threads.max(1);
        let shared = Arc::new(Shared::new(options));
        let mut handle = Handle {
            shared,
            gates: Vec::new(),
            threads: Vec::new(),
            _port: port,
            address,
            tls,
        };
        for index in 0..count {
            let (gate, thread) = door::open(address, index, Arc::clone(&handle.shared))?;
            handle.gates.push(gate);
            handle.threads.push(thread);
        }
        Ok(handle)
    }
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://…/` or `https://…/`, with the address in figures.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "{}://{}/",
            if self.tls { "https" } else { "http" },
            self.address
        )
    }

    /// The chain that it serves.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.shared.options.chain
    }

    /// Puts a rule in force; requests read from now on are judged by it. Rules are asked in the order of injection, and
    /// where two of them want different things of one answer, the first has its way.
    pub fn inject(&self, rule: Rule) -> FaultId {
        self.shared.script.inject(rule)
    }

    /// Takes a rule out of force. Its hits stay known.
    pub fn clear(&self, id: FaultId) {
        self.shared.script.clear(id);
    }

    /// Takes all rules out of force.
    pub fn clear_all(&self) {
        self.shared.script.clear_all();
    }

    /// How often a rule struck. 0 for an id of another provider.
    #[must_use]
    pub fn hits(&self, id: FaultId) -> u64 {
        self.shared.script.hits(id)
    }

    /// Changes the base latency.
    pub fn set_latency(&self, latency: Latency) {
        self.shared.script.set_latency(latency);
    }

    /// Changes the latency of one method (for a batch: of its first call's).
    pub fn set_method_latency(&self, method: &str, latency: Latency) {
        self.shared.script.set_method_latency(method, latency);
    }

    /// Changes what happens to new connections, on all threads, before it returns.
    ///
    /// # Errors
    /// When the port could not be opened again, or a serving thread did not answer within five seconds.
    pub fn set_door(&self, door: Door) -> io::Result<()> {
        self.command_all(|ack| Command::SetDoor(door, ack))
    }

    /// Closes every open connection with FIN, or with RST where `reset`.
    ///
    /// # Errors
    /// When a serving thread did not answer within five seconds.
    pub fn cut_connections(&self, reset: bool) -> io::Result<()> {
        self.shared.reset_on_cut.store(reset, Ordering::SeqCst);
        let outcome = self.command_all(Command::CutConnections);
        self.shared.reset_on_cut.store(false, Ordering::SeqCst);
        outcome
    }

    /// What a killed process looks like from outside: connects are refused, open connections end.
    ///
    /// # Errors
    /// As [`Handle::set_door`].
    pub fn kill(&self) -> io::Result<()> {
        self.set_door(Door::Refuse)?;
        self.cut_connections(true)
    }

    /// The same provider, back on its port.
    ///
    /// # Errors
    /// As [`Handle::set_door`].
    pub fn revive(&self) -> io::Result<()> {
        self.set_door(Door::Open)
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.tally.counters()
    }

    /// The last requests as they came, oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Recorded> {
        self.shared.tally.recent()
    }

    /// Raw transactions taken by `eth_sendRawTransaction`, as sent, each once, in order of arrival.
    #[must_use]
    pub fn transactions(&self) -> Vec<String> {
        self.shared.ledger.transactions()
    }

    fn command_all(&self, command: impl Fn(door::Ack) -> Command) -> io::Result<()> {
        self.gates
            .iter()
            .try_for_each(|gate| gate.command(&command))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.gates.clear();
        for thread in self.threads.drain(..) {
            // A panic in a serving thread was printed there; nothing is left to be done about it here.
            let _ = thread.join();
        }
    }
}
