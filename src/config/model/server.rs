//! The process's own settings: listeners, limits, logs. Never anything about a chain.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::region::{ClientRegion, Session};

/// The process: where it listens, what it admits, what it writes down.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Addresses of the data plane. Never empty.
    pub listen: Vec<SocketAddr>,
    /// Address of the control plane (`/metrics`, `/livez`, `/readyz`); `None` when `off`.
    pub admin: Option<SocketAddr>,
    /// Which processors serve.
    pub cores: Cores,
    /// Whether shards spin instead of sleeping when there is nothing to do: a core each, for latency.
    pub busy_poll: bool,
    /// How long calls in flight may take to end after SIGTERM.
    pub drain_timeout: Duration,
    /// TLS of the data plane; `None` serves in clear.
    pub tls: Option<ServerTls>,
    /// What a client may cost.
    pub limits: Limits,
    /// When calls are refused so that the others are served.
    pub overload: Overload,
    /// How the region of a client is known.
    pub client_region: ClientRegion,
    /// What tells sessions apart.
    pub session: Session,
    /// Whether answers say which upstream gave them, how it was chosen and why the others were left out.
    pub explain: bool,
    /// Which web pages may read answers.
    pub cors: Cors,
    /// The record of calls.
    pub access_log: AccessLog,
    /// The program's own log.
    pub log: Log,
}

/// Which processors serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cores {
    /// Every processor that the process may use.
    Auto,
    /// This many of them, the first ones.
    Count(u16),
    /// These, by the kernel's number. Distinct, never empty.
    Ids(Vec<u16>),
}

/// The data plane's certificate chain and private key, both PEM files that were read and parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// File of the certificate chain, the server's own first.
    pub cert: PathBuf,
    /// File of the private key.
    pub key: PathBuf,
}

/// What a client may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest request body.
    pub max_body_bytes: usize,
    /// Longest answer of an upstream.
    pub max_response_bytes: usize,
    /// Answers up to this length are checked whole before a byte reaches the client.
    pub hold_bytes: usize,
    /// Longest request head.
    pub max_header_bytes: usize,
    /// Most calls in one batch.
    pub max_batch_calls: usize,
    /// Most client connections of the process.
    pub max_connections: usize,
    /// Longest time from the first byte of a request's head to its end.
    pub header_timeout: Duration,
    /// Longest time from the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// How long a connection may be idle between requests.
    pub idle_timeout: Duration,
    /// Longest time of one call, all its attempts included, unless its method says otherwise.
    pub request_timeout: Duration,
}

/// When calls are refused so that the others are served: those that matter least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overload {
    /// Most calls in progress at once, of the process.
    pub max_live_calls: u32,
    /// Work that always waits for longer than this is a queue that does not drain; zero is for never.
    pub max_wait: Duration,
}

/// Which web pages may read answers (the Fetch standard's CORS protocol). Never with credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins as browsers send them, in lower case; `*` alone is every origin; empty is none.
    pub origins: Vec<String>,
}

/// The record of calls, one JSON line each.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessLog {
    /// Where the lines go.
    pub path: LogPath,
    /// The share of calls that is written, 0.0 to 1.0.
    pub sample: f64,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPath {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
}

/// The program's own log, on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least grave level that is written.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// Levels of the program's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed that an operator must see to.
    Error,
    /// Something is wrong and was borne.
    Warn,
    /// What an operator wants to know of a healthy process.
    Info,
    /// For finding a fault.
    Debug,
    /// Everything.
    Trace,
}

/// How a line of the program's own log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8545))],
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 9545))),
            cores: Cores::Auto,
            busy_poll: false,
            drain_timeout: Duration::from_secs(30),
            tls: None,
            limits: Limits::default(),
            overload: Overload::default(),
            client_region: ClientRegion::default(),
            session: Session::default(),
            explain: false,
            cors: Cors::default(),
            access_log: AccessLog::default(),
            log: Log::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 5 << 20,
            max_response_bytes: 128 << 20,
            hold_bytes: 64 << 10,
            max_header_bytes: 16 << 10,
            max_batch_calls: 1000,
            max_connections: 20_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            request_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Overload {
    /// A tenth of a second in a queue of our own is a hundred times what a call costs here: no burst does that for long.
    fn default() -> Self {
        Self {
            max_live_calls: 100_000,
            max_wait: Duration::from_millis(100),
        }
    }
}

impl Default for Cors {
    /// Every origin: dapps call from any page, chain data is public, no credential is ever allowed.
    fn default() -> Self {
        Self {
            origins: vec!["*".to_owned()],
        }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            path: LogPath::Off,
            sample: 1.0,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
        }
    }
}
