//! Strategies of the field, written from their published descriptions, each with the plain failover that it is usually run with. They are
//! there to be compared with: nothing in the product uses them.
//!
//! All of them fail over alike: up to three attempts, at once and to an upstream that the call has not been to, after every failure
//! that another upstream could mend by the production fault table (which is more than most of them know); five seconds an attempt; a write
//! whose bytes may have left is not sent again. An upstream that failed too often is left out for a while, by the rule that belongs to the
//! strategy; where all are left out, all are used. None of them hedges.
//!
//! | name | chooses | leaves out |
//! |---|---|---|
//! | `baseline_random` | uniformly at random | nginx's `max_fails=1 fail_timeout=10s` |
//! | `baseline_round_robin` | smooth weighted round robin, as nginx does | the same |
//! | `baseline_p2c_ewma` | of two at random the one of lower peak EWMA × calls in flight (Finagle) | 5 failures in a row, 5 s doubled to 300 s |
//! | `baseline_lasso` | weight = (best mean / own mean)³ (Lasso) | 5 failures in a row, 30 s; throttled: Retry-After or 30 s |
//! | `baseline_erpc` | the highest score every 15 s, held unless another is 30 % better (eRPC's default policy) | its error, throttle, latency and lag rules |
//! | `baseline_priority` | the first in the configured order | as `baseline_random` |

mod accrual;
mod erpc;
mod failover;
mod lasso;
mod p2c_ewma;
mod priority;
mod random;
mod round_robin;
#[cfg(test)]
mod tests;

pub use accrual::Accrual;
pub use failover::{Baseline, PlainCall};

use core::fmt;
use core::time::Duration;

use engine::config::UpstreamConfig;
use engine::fault::Fault;
use engine::method::MethodId;
use engine::rng::Rng;
use engine::time::Instant;

use crate::scenario::Scenario;

/// Every baseline.
pub static BASELINES: [&Kind; 6] = [
    &random::KIND,
    &round_robin::KIND,
    &p2c_ewma::KIND,
    &lasso::KIND,
    &erpc::KIND,
    &priority::KIND,
];

/// A baseline as the registry knows it.
#[derive(Debug)]
pub struct Kind {
    /// Its name in reports.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// When an upstream is left out.
    pub accrual: Accrual,
    build: fn(&[UpstreamConfig]) -> Box<dyn Rule>,
}

impl Kind {
    /// A shard that decides by it.
    #[must_use]
    pub fn decider(&'static self, scenario: &Scenario, seed: u64) -> Baseline {
        Baseline::new(self, scenario, seed)
    }
}

/// The baseline of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    BASELINES.into_iter().find(|kind| kind.name == name)
}

/// How an attempt ended, as a rule hears of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ended {
    /// With an answer.
    Answered,
    /// With a failure.
    Failed(Fault),
    /// It was given up, and says nothing.
    GivenUp,
}

/// How an upstream is chosen.
pub(crate) trait Rule: fmt::Debug {
    /// Chooses one of the candidates, which are never none.
    fn choose(
        &mut self,
        candidates: &[usize],
        method: MethodId,
        now: Instant,
        rng: &mut Rng,
    ) -> usize;
    /// An attempt was sent there.
    fn sent(&mut self, _upstream: usize, _now: Instant) {}
    /// An attempt that was sent there ended.
    fn ended(
        &mut self,
        _upstream: usize,
        _method: MethodId,
        _how: Ended,
        _took: Duration,
        _now: Instant,
    ) {
    }
    /// An upstream told its newest block.
    fn head(&mut self, _upstream: usize, _number: u64, _now: Instant) {}
    /// How often upstreams are to be asked for it; `None` for never.
    fn asks_heads(&self) -> Option<Duration> {
        None
    }
}
