//! Strategies: how the eligible upstreams are ordered for a call. One file each, registered in one line of [`REGISTRY`].
//! A strategy ranks; it never decides who is eligible, never sends, and never sees a call's bytes.

mod leaderboard;
mod options;
mod priority;
mod round_robin;
#[cfg(test)]
mod tests;

pub use options::{OptionDescriptor, OptionKind, Setting, SpecError, StrategySpec, Values};

use alloc::boxed::Box;
use core::fmt;

use crate::index::UpstreamIndex;
use crate::rng::Rng;

/// Every strategy that a configuration may name.
pub static REGISTRY: [&StrategyKind; 3] = [&leaderboard::KIND, &priority::KIND, &round_robin::KIND];

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
    pub(crate) build: fn(&Values) -> Box<dyn Strategy>,
}

/// Orders a candidate set.
pub trait Strategy: fmt::Debug + Send {
    /// Puts the candidates in the order in which to try them, best first, and says why the first is first.
    ///
    /// The slice is never empty. Called once for each selection, so a strategy with turns takes one here.
    fn rank(&mut self, candidates: &mut [Candidate], context: &Context, rng: &mut Rng) -> Reason;
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
}

/// What a strategy may know of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The call may be spent on learning about an upstream: it is a first attempt without effects, and there is time
    /// to go elsewhere after it.
    pub may_explore: bool,
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
        }
    }
}

/// The strategy of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static StrategyKind> {
    REGISTRY.into_iter().find(|kind| kind.name == name)
}
