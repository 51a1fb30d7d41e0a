//! One upstream: where it is, how it is reached, what it may be asked. Never shows its URL's path.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::account::Price;
use super::method::MethodFilter;
use super::secret::Secret;

/// The longest that a standard method may take (a trace), so that an upstream's own limit binds only
/// where an operator sets it; a method's time and the share of it that an attempt gets bind before.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// One endpoint of a provider for one chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// The name, unique in its chain.
    pub name: String,
    /// The company behind it, which chooses the error dialect; the upstream's own name unless given.
    pub provider: String,
    /// Where it is.
    pub url: UpstreamUrl,
    /// The file that the URL was read from, if it was.
    pub url_file: Option<PathBuf>,
    /// Whether link-local addresses are meant, also ones that the host's name resolves to.
    pub allow_link_local: bool,
    /// Rank for strategies that go by it: 1 is the first choice.
    pub priority: u32,
    /// Share for strategies that go by it, beside the other upstreams' weights.
    pub weight: u32,
    /// The region that it is in, if it is in one.
    pub region: Option<String>,
    /// The account that pays for it, one of the configuration's; `None` for one of its own, without limits.
    pub account: Option<String>,
    /// What its calls cost.
    pub price: Price,
    /// Headers added to each request to it.
    pub headers: Vec<Header>,
    /// Which methods it is asked.
    pub methods: MethodFilter,
    /// When it is no longer trusted, and for how long.
    pub breaker: Breaker,
    /// How long it is left alone after it throttled us.
    pub hold_off: HoldOff,
    /// Most attempts at once, of the process, while others have room; `None` for no such limit.
    pub max_in_flight: Option<u32>,
    /// Which of its limits are found by trying.
    pub limiter: Limiter,
    /// Whether its share grows with its answers from the start on.
    pub slow_start: bool,
    /// Connections to it.
    pub pool: Pool,
    /// Calls that travel together.
    pub batch: Batch,
    /// Longest time of one attempt, its body included.
    pub timeout: Duration,
    /// Longest time until a connection to it stands, TLS included.
    pub connect_timeout: Duration,
    /// Whether compressed answers are asked for.
    pub compression: Compression,
    /// Whom it must prove to be.
    pub tls: UpstreamTls,
}

/// An `http` or `https` URL, split. `Debug` and `Display` show `https://host/…` and nothing more.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamUrl {
    /// Whether it is `https`.
    pub tls: bool,
    /// Host name in lower case, or the address (IPv6 without brackets).
    pub host: String,
    /// Port, the scheme's own unless given.
    pub port: u16,
    /// Path and query as they go on the request line: begins with `/`, may hold a provider's key.
    pub target: Secret,
    /// `Basic …`, ready for an `Authorization` header, when the URL had user and password.
    pub authorization: Option<Secret>,
}

/// A header added to each request to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name in lower case.
    pub name: String,
    /// Value: visible ASCII, spaces and tabs.
    pub value: Secret,
    /// The file that the value was read from, if it was.
    pub file: Option<PathBuf>,
}

/// When an upstream is no longer trusted, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Failures within `window` that open it.
    pub failures: u32,
    /// The time over which failures count.
    pub window: Duration,
    /// How long it stays open before it admits probes.
    pub open_for: Duration,
    /// Probes in a row that must succeed before it closes.
    pub probes: u32,
    /// Whether it keeps a share of its calls while some of them fail.
    pub brownout: bool,
    /// Whether kinds of work are trusted each for itself.
    pub by_group: bool,
}

/// How long an upstream is left alone after it throttled us, where it names no time or a shorter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldOff {
    /// The first time; each throttle in a row doubles it.
    pub first: Duration,
    /// The doubling ends here; not below `first`.
    pub longest: Duration,
}

/// Which limits of an upstream are found by trying, to stay below them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limiter {
    /// Attempts at once, by their latency.
    pub in_flight: bool,
    /// Attempts a second, by its throttles.
    pub rate: bool,
}

/// Connections to one upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Most connections of the process, split over the cores; each core may have at least one.
    pub max_connections: u32,
    /// Most attempts of the process that wait for a connection, split over the cores.
    pub max_waiting: u32,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
}

/// Calls of a client's batch that travel together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Most calls in one upstream request; 1 sends each on its own.
    pub max_calls: u32,
}

/// Whether compressed answers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip for upstreams over TLS, none for upstreams in clear (which are near).
    Auto,
    /// Always gzip.
    Gzip,
    /// Never.
    None,
}

/// Whom an upstream must prove to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// PEM file of the only authorities that are trusted for it.
    pub ca: Option<PathBuf>,
    /// The authorities that are trusted when `ca` is not given.
    pub roots: TrustRoots,
    /// The name that its certificate must bear, and SNI; the URL's host unless given.
    pub server_name: Option<String>,
}

/// A set of certificate authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustRoots {
    /// Mozilla's list, as built into the program.
    Webpki,
    /// The machine's own list.
    System,
}

impl Upstream {
    /// An upstream with defaults in everything but its name and URL.
    #[must_use]
    pub fn new(name: &str, url: UpstreamUrl) -> Self {
        Self {
            name: name.to_owned(),
            provider: name.to_owned(),
            url,
            url_file: None,
            allow_link_local: false,
            priority: 1,
            weight: 100,
            region: None,
            account: None,
            price: Price::default(),
            headers: Vec::new(),
            methods: MethodFilter::default(),
            breaker: Breaker::default(),
            hold_off: HoldOff::default(),
            max_in_flight: None,
            limiter: Limiter::default(),
            slow_start: false,
            pool: Pool::default(),
            batch: Batch::default(),
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: Duration::from_secs(2),
            compression: Compression::Auto,
            tls: UpstreamTls::default(),
        }
    }
}

impl UpstreamUrl {
    /// `host:port`, the port left out where it is the scheme's own, IPv6 in brackets: what goes in a
    /// `Host` header (RFC 9110 §7.2).
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == Self::default_port(self.tls) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// 443 for `https`, 80 for `http`.
    #[must_use]
    pub const fn default_port(tls: bool) -> u16 {
        if tls { 443 } else { 80 }
    }

    /// `https` or `http`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.target.expose() == "/" {
            "/"
        } else {
            "/…"
        };
        write!(f, "{}://{}{path}", self.scheme(), self.authority())
    }
}

impl fmt::Debug for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_secs(30),
            open_for: Duration::from_secs(10),
            probes: 2,
            brownout: true,
            by_group: true,
        }
    }
}

impl Default for HoldOff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            longest: Duration::from_secs(30 * 60),
        }
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            in_flight: true,
            rate: true,
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            max_connections: 256,
            max_waiting: 1024,
            idle_timeout: Duration::from_secs(50),
        }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { max_calls: 1 }
    }
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            ca: None,
            roots: TrustRoots::Webpki,
            server_name: None,
        }
    }
}
