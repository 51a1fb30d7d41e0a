//! Strategies: how the eligible upstreams are ordered for a call. One file each, registered in one line of [`REGISTRY`].
//! A strategy ranks; it never decides who is eligible, never sends, and never sees a call's bytes.

mod cap;
mod cost_aware;
mod explore;
mod leaderboard;
mod options;
mod priority;
mod quota_aware;
mod race_top_n;
mod rendezvous;
mod round_robin;
mod shares;
mod sticky_session;
#[cfg(test)]
mod tests;

pub(crate) use cap::Cap;
pub use options::{OVER, OptionDescriptor, OptionKind, Setting, SpecError, StrategySpec, Values};

use alloc::boxed::Box;
use core::fmt;

use crate::call::SessionKey;
use crate::index::{ProviderIndex, UpstreamIndex};
use crate::method::MethodId;
use crate::rng::Rng;
use crate::time::Instant;

/// Every strategy that a configuration may name.
pub static REGISTRY: [&StrategyKind; 7] = [
    &leaderboard::KIND,
    &priority::KIND,
    &round_robin::KIND,
    &race_top_n::KIND,
    &cost_aware::KIND,
    &quota_aware::KIND,
    &sticky_session::KIND,
];

/// A strategy as the registry knows it: for building, documentation and the schema.
#[derive(Debug)]
pub struct StrategyKind {
    /// The name in configurations, URLs and metrics.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// When to use it, in a sentence.
    pub when_to_use: &'static str,
    /// What can be set.
    pub options: &'static [OptionDescriptor],
    pub(crate) build: Build,
}

impl StrategyKind {
    /// Does it order what another strategy has ranked? Then its option `over` names that one, and takes that one's options as well.
    #[must_use]
    pub const fn wraps(&self) -> bool {
        matches!(self.build, Build::Over(_))
    }
}

/// How an instance is made of resolved options.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Build {
    /// By itself.
    Alone(fn(&Values) -> Box<dyn Strategy>),
    /// Over another one.
    Over(fn(&Values, Box<dyn Strategy>) -> Box<dyn Strategy>),
}

/// Orders a candidate set.
pub trait Strategy: fmt::Debug + Send {
    /// Puts the candidates in the order in which to try them, best first, and says why the first is first.
    ///
    /// The slice is never empty. Called once for each selection, so a strategy with turns takes one here.
    fn rank(
        &mut self,
        candidates: &mut [Candidate],
        context: &Context<'_>,
        rng: &mut Rng,
    ) -> Reason;

    /// What it wants to know of the candidates besides what all are told. Asked once, when it is built.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Does it send a call to several upstreams from the start? Asked once, when it is built.
    fn race(&self) -> Option<Race> {
        None
    }

    /// How many of the candidates that it has just ranked, from the first on, it takes for equals: among them a wrapper may choose by
    /// another rule. At least the first.
    fn equals(&self, ranked: &[Candidate]) -> usize {
        ranked
            .iter()
            .take_while(|candidate| candidate.weight > 0)
            .count()
            .max(1)
    }
}

/// What a strategy wants to find in the [`Offer`]s. What nobody wants is not looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// [`Offer::price_pico`].
    pub prices: bool,
    /// [`Offer::room`].
    pub room: bool,
    /// [`Offer::quantile_us`], of so many in a thousand.
    pub quantile_permille: Option<u16>,
    /// A session stays where it is: what a part of the calls is kept from is decided by session.
    pub sessions: bool,
}

impl Needs {
    /// Is anything wanted at all?
    #[must_use]
    pub const fn any(&self) -> bool {
        self.prices || self.room || self.quantile_permille.is_some()
    }
}

/// How a strategy races.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Race {
    /// Attempts from the start, the first included; at most [`MAX_LIVE_ATTEMPTS`](crate::call::MAX_LIVE_ATTEMPTS).
    pub attempts: u8,
    /// Attempts beyond the first that may be made for a thousand calls.
    pub max_extra_permille: u32,
}

/// What a strategy may know of an eligible upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub upstream: UpstreamIndex,
    /// From the configuration; lower is earlier.
    pub priority: u32,
    /// From the configuration; 100 is usual.
    pub weight: u32,
    /// Expected cost of sending this call there, in microseconds: latency divided by health. See [`crate::score`].
    pub cost_us: u64,
    /// Too little is known of it for `cost_us` to be more than a guess.
    pub cold: bool,
    /// Attempts there that have not ended.
    pub in_flight: u32,
    /// How long ago it last answered this method, in microseconds; `u64::MAX` for never.
    pub silent_for_us: u64,
    /// Its last answers were much better than its estimate: look again soon.
    pub promising: bool,
    /// Its breaker is half-open and waits for a probe.
    pub probe_due: bool,
    /// The company behind it.
    pub provider: ProviderIndex,
    /// How long an answer is believed to take, in microseconds: what waits there included, health left out.
    pub latency_us: u64,
    /// Share of attempts that did not fail, in 1/65536.
    pub health: u32,
}

impl Default for Candidate {
    /// An upstream like any other, of which nothing is known.
    fn default() -> Self {
        Self {
            upstream: UpstreamIndex(0),
            priority: 1,
            weight: 100,
            cost_us: 1,
            cold: true,
            in_flight: 0,
            silent_for_us: u64::MAX,
            promising: false,
            probe_due: false,
            provider: ProviderIndex(0),
            latency_us: 1,
            health: 1 << 16,
        }
    }
}

/// What a strategy may know of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// The call may be spent on learning about an upstream: it is a first attempt without effects, and there is time
    /// to go elsewhere after it.
    pub may_explore: bool,
    /// Its method.
    pub method: MethodId,
    /// Its session, if it has one.
    pub session: Option<SessionKey>,
    /// When it is.
    pub now: Instant,
    /// By upstream index: what the strategy said that it needs, for the candidates. Empty if it needs nothing.
    pub offers: &'a [Offer],
    /// By upstream index: the names that consistent hashing knows them by.
    pub identities: &'a [u64],
}

impl Context<'_> {
    /// A call of an unknown method, at the beginning of time.
    #[must_use]
    pub const fn new(may_explore: bool) -> Self {
        Self {
            may_explore,
            method: MethodId::OTHER,
            session: None,
            now: Instant::ZERO,
            offers: &[],
            identities: &[],
        }
    }

    /// The name that consistent hashing knows an upstream by.
    #[must_use]
    pub fn identity(&self, upstream: UpstreamIndex) -> u64 {
        let identity = self.identities.get(upstream.as_usize());
        identity.copied().unwrap_or(u64::from(upstream.0))
    }

    /// What is known of an upstream beyond its [`Candidate`]; nothing in particular where nothing was asked for.
    #[must_use]
    pub fn offer(&self, upstream: UpstreamIndex) -> Offer {
        self.offers
            .get(upstream.as_usize())
            .copied()
            .unwrap_or_default()
    }
}

/// What one call at one upstream would cost and take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its price, in 10⁻¹² of the currency. Nothing while the account still has units that are included.
    pub price_pico: u64,
    /// How much of its usual share the account can afford if it is to last until its period ends, in 1/65536: all of it where there is no
    /// limit, nothing where it is ahead of its pace, or close to what it may spend in this second.
    pub room: u32,
    /// The time within which that many of a thousand recent answers came, in microseconds; 0 where too few are known.
    pub quantile_us: u64,
}

impl Default for Offer {
    /// For nothing, without a limit, and not known.
    fn default() -> Self {
        Self {
            price_pico: 0,
            room: 1 << 16,
            quantile_us: 0,
        }
    }
}

/// Why a candidate came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was the only one.
    Only,
    /// The request named it.
    Pinned,
    /// Drawn by its share: the better an upstream, the larger.
    Share,
    /// To see how it does now.
    Explored,
    /// Its breaker is half-open.
    Probe,
    /// The lowest priority number.
    Priority,
    /// Its turn.
    Turn,
    /// The cheapest that is expected to answer in time and well.
    Cheapest,
    /// None is expected to: the best there is.
    BestEffort,
    /// Its account has room.
    Room,
    /// The session is at home there.
    Session,
    /// The first choice's provider has had its part of the calls.
    Capped,
}

impl Reason {
    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Pinned => "pinned",
            Self::Share => "share",
            Self::Explored => "explored",
            Self::Probe => "probe",
            Self::Priority => "priority",
            Self::Turn => "turn",
            Self::Cheapest => "cheapest",
            Self::BestEffort => "best_effort",
            Self::Room => "room",
            Self::Session => "session",
            Self::Capped => "capped",
        }
    }
}

/// The strategy of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static StrategyKind> {
    REGISTRY.into_iter().find(|kind| kind.name == name)
}
