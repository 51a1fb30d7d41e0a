//! What a shard tells its recorder about what upstreams bear and are trusted with: breakers of a kind of work, brownouts, probation, limits,
//! what was learned, panic and overload. Like [`crate::record`], verbs and levels by index.
//! Never sees a call or an answer.

use crate::labels::{LearnedKind, LimitKind};
use crate::metrics::Metric;
use crate::recorder::Recorder;

/// What one upstream bears, as one shard sees it at the time of a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct BearingLevels {
    /// Part of its calls that it is not given, per thousand.
    pub withheld_permille: u64,
    /// Its share grows.
    pub on_probation: bool,
    /// Attempts at once that it may have; 0 without a limit.
    pub limit_in_flight: u64,
    /// Attempts a second that it may have, in thousandths; 0 without a limit.
    pub limit_rate_millis: u64,
    /// It has as much as it can carry.
    pub saturated: bool,
    /// An operator has drained it.
    pub drained: bool,
    /// Calls that it takes in one batch; 0 where nothing was learned.
    pub batch_calls: u64,
}

/// What upstreams are trusted with.
impl Recorder {
    /// A breaker for a kind of work entered a state.
    pub fn breaker_group_entered(
        &mut self,
        chain: usize,
        upstream: usize,
        group: usize,
        state: usize,
    ) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::BreakerGroupTransitions, [upstream, group, state], 1);
    }

    /// The state of the breaker for a kind of work, as it is now.
    pub fn set_breaker_group(&mut self, chain: usize, upstream: usize, group: usize, state: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        for each in 0..self.dimensions().breaker_states.len() {
            let is_in = u64::from(each == state);
            self.set(Metric::BreakerGroupState, [upstream, group, each], is_in);
        }
    }

    /// An upstream came back, or is new, and its share grows.
    pub fn probation_began(&mut self, chain: usize, upstream: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::Probations, [upstream], 1);
    }

    /// A limit of an upstream was found, or moved.
    pub fn limit_found(&mut self, chain: usize, upstream: usize, kind: LimitKind) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::LimitsFound, [upstream, kind.index()], 1);
    }

    /// Something was learned of what an upstream takes.
    pub fn learned(&mut self, chain: usize, upstream: usize, kind: LearnedKind) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::Learned, [upstream, kind.index()], 1);
    }

    /// What an upstream bears, as it is now.
    pub fn set_bearing(&mut self, chain: usize, upstream: usize, levels: &BearingLevels) {
        let upstream = self.flat_upstream(chain, upstream);
        for (metric, level) in [
            (Metric::Withheld, levels.withheld_permille),
            (Metric::OnProbation, u64::from(levels.on_probation)),
            (Metric::LimitInFlight, levels.limit_in_flight),
            (Metric::LimitRate, levels.limit_rate_millis),
            (Metric::Saturated, u64::from(levels.saturated)),
            (Metric::Drained, u64::from(levels.drained)),
            (Metric::LearnedBatch, levels.batch_calls),
        ] {
            self.set(metric, [upstream], level);
        }
    }
}

/// A chain in panic, and a shard that is overloaded.
impl Recorder {
    /// A chain's upstreams that are out are used, or no longer.
    pub fn chain_panics(&mut self, chain: usize, began: bool) {
        self.add(Metric::ChainPanics, [chain], u64::from(began));
        self.set(Metric::ChainPanic, [chain], u64::from(began));
    }

    /// A call was refused because the shard is overloaded.
    pub fn call_shed(&mut self, chain: usize, priority: usize) {
        self.add(Metric::CallsShed, [chain, priority], 1);
    }

    /// A call was given up before any upstream was asked: none could have answered in time.
    pub fn call_hopeless(&mut self, chain: usize) {
        self.add(Metric::CallsHopeless, [chain], 1);
    }

    /// A call waits since everybody who could take it throttles us.
    pub fn call_held(&mut self, chain: usize) {
        self.add(Metric::CallsHeld, [chain], 1);
    }

    /// How much this shard refuses because its work waits: so many priorities, from the least on.
    pub fn set_shedding(&mut self, priorities: usize) {
        let shard = self.shard();
        self.set(Metric::ShardShedding, [shard], priorities as u64);
    }
}
