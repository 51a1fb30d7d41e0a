//! What a lane is made of: trials, in each of which several sides do work before the same providers, and the measures
//! that are taken. Plain data; `lanes` has the table, `measure` does it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A named comparison.
#[derive(Clone, Debug)]
pub struct Lane {
    /// As on the command line.
    pub name: &'static str,
    /// What it shows, one sentence.
    pub what: &'static str,
    /// Measures that the results show, in order.
    pub measures: &'static [Measure],
    /// Those of them that are divided by the first side's.
    pub compared: &'static [Measure],
    /// What is done, each trial for itself.
    pub trials: Vec<Trial>,
}

/// Sides that are measured in rotation before one set of providers. The first is what ratios refer to, the last is the
/// subject.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What tells it from the lane's other trials.
    pub name: String,
    pub scenery: Scenery,
    pub sides: Vec<Side>,
    /// Whether a proxy is started anew for each cell: where memory is looked at.
    pub fresh: bool,
}

/// The providers of a trial.
#[derive(Clone, Debug, Default)]
pub struct Scenery {
    /// How many; sides whose configuration names one use the first.
    pub providers: Providers,
    /// Time that each answer takes.
    pub latency: Option<Duration>,
    /// Share of the first provider's answers that stall, and for how long.
    pub stalls: Option<(f64, Duration)>,
    /// Length of every balance's answer instead of its own.
    pub result_bytes: Option<usize>,
    /// TLS between proxy and providers.
    pub tls: bool,
}

/// A number of providers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Providers {
    #[default]
    One,
    Three,
}

/// One proxy, configured in one way, doing one kind of work.
#[derive(Clone, Debug)]
pub struct Side {
    pub who: Who,
    /// What tells it from other sides of the same proxy; may be empty.
    pub note: &'static str,
    /// Which of the proxy's configurations.
    pub variant: &'static str,
    /// Processors that it gets.
    pub cores: usize,
    pub work: Work,
    /// What must be true of the calls that reach the providers.
    pub upstream: Upstream,
}

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A peer by name.
    Peer(&'static str),
    /// The one that the comparison is about.
    Subject,
}

impl Side {
    /// Whether clients speak TLS to it.
    pub fn is_tls(&self) -> bool {
        matches!(self.work, Work::Load { tls: true, .. })
    }
}

/// What is done to a proxy.
#[derive(Clone, Debug)]
pub enum Work {
    /// Requests.
    Load {
        /// The mix, in the load generator's text form.
        mix: String,
        pace: Pace,
        /// TLS between generator and proxy.
        tls: bool,
    },
    /// So many connections that do nothing, after one request each.
    Idle { connections: usize },
}

/// How requests arrive. Connections are for each core of the side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each connection asks again once it is answered.
    Closed { connections: usize },
    /// At a constant rate.
    Open { rate_per_s: f64, connections: usize },
    /// At half of the rate that the trial's first side reaches in a closed loop over as many connections.
    HalfOfMaximum { connections: usize },
}

impl Lane {
    /// Whether it is about latency, and a generator that is late spoils it.
    pub fn is_about_latency(&self) -> bool {
        self.compared.iter().any(|measure| measure.is_latency())
    }
}

impl Trial {
    /// The rate that must be known before the sides can be measured: of which mix, over how many connections.
    pub fn needs_maximum(&self) -> Option<(&str, usize)> {
        self.sides.iter().find_map(|side| match &side.work {
            Work::Load {
                mix,
                pace: Pace::HalfOfMaximum { connections },
                ..
            } => Some((mix.as_str(), *connections)),
            _ => None,
        })
    }
}

/// What must be true of the number of calls that reach the providers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Upstream {
    /// As many as the clients sent.
    Same,
    /// As many as the clients sent, but for what the proxy asks on its own account: 1 % at most.
    Nearly,
    /// At most as many as the clients sent.
    Fewer,
    /// At least as many as the clients sent, and at most this many times as many.
    UpTo(f64),
}

/// One figure of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Processor time of the proxy and its children, user and system, for each successful request, in microseconds.
    CpuUsPerRequest,
    /// The same for each successful call, where a request is a batch.
    CpuUsPerCall,
    /// Successful requests a second.
    RequestsPerS,
    P50Us,
    P99Us,
    P999Us,
    /// Calls that reached the providers for each successful call of the clients.
    UpstreamPerCall,
    /// Calls that reached the providers for each question, where all clients ask the same one at once.
    UpstreamPerQuestion,
    /// Share of a core that the proxy used.
    ProxyShare,
    /// Share of the time in which the proxy could have run and other processes did.
    ProxyWaitingShare,
    /// Share of a core that load generator and providers used together.
    HarnessShare,
    /// Processor time of load generator and providers for each successful request, in microseconds.
    HarnessUsPerRequest,
    /// Memory (proportional set size) that one more idle connection takes.
    BytesPerConnection,
    /// Share of a core that the proxy used with no connection at all.
    ShareAtRest,
    /// Share of a core that the proxy used with all the idle connections.
    ShareWithIdle,
}

impl Measure {
    /// Head of its column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::CpuUsPerRequest => "CPU µs/request",
            Self::CpuUsPerCall => "CPU µs/call",
            Self::RequestsPerS => "requests/s",
            Self::P50Us => "p50 µs",
            Self::P99Us => "p99 µs",
            Self::P999Us => "p99.9 µs",
            Self::UpstreamPerCall => "upstream calls/call",
            Self::UpstreamPerQuestion => "upstream calls/question",
            Self::ProxyShare => "proxy core",
            Self::ProxyWaitingShare => "proxy waiting",
            Self::HarnessShare => "harness core",
            Self::HarnessUsPerRequest => "harness µs/request",
            Self::BytesPerConnection => "bytes/idle connection",
            Self::ShareAtRest => "core at rest",
            Self::ShareWithIdle => "core with idle connections",
        }
    }

    /// Whether it is shown in per cent.
    pub const fn is_share(self) -> bool {
        matches!(
            self,
            Self::ProxyShare
                | Self::ProxyWaitingShare
                | Self::HarnessShare
                | Self::ShareAtRest
                | Self::ShareWithIdle
        )
    }

    /// Whether it is a latency.
    pub const fn is_latency(self) -> bool {
        matches!(self, Self::P50Us | Self::P99Us | Self::P999Us)
    }

    /// Digits after the point.
    pub const fn digits(self) -> usize {
        match self {
            Self::CpuUsPerRequest | Self::CpuUsPerCall | Self::HarnessUsPerRequest => 1,
            Self::UpstreamPerCall | Self::UpstreamPerQuestion => 3,
            Self::ShareAtRest | Self::ShareWithIdle => 2,
            _ => 0,
        }
    }
}
