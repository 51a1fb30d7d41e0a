//! The part of the books that is kept about upstreams that have not their whole share: in a brownout, and on their way back.
//!
//! Only choices count in which somebody could be chosen who has his whole share: where nobody has, nobody is held back.

use std::collections::BTreeSet;

use engine::breaker::{MIN_SHARE_PERMILLE, State};
use engine::config::UpstreamConfig;
use engine::index::{CallId, UpstreamIndex, UpstreamSet};
use engine::method::{Effect, MethodGroup};
use engine::probation::LEAST;
use engine::time::Instant;

use super::{Auditor, Check, must};

/// What it takes until a brownout's share has followed a sudden change: half of the outcomes that are remembered.
const SLACK_FAILURES: u64 = 32;
/// What rounding may add, beside a tenth for credit of choices that are not counted here.
const SLACK_CALLS: u64 = 8;

/// How often an upstream could have been chosen, how often it was among those to choose from, and how often it then failed.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    could: u64,
    was: u64,
    failed: u64,
}

/// One upstream's shares.
#[derive(Debug)]
pub(super) struct Shares {
    /// Since when it is on its way back.
    ramp: Option<Instant>,
    /// Calls that are there and were counted in a brownout.
    counted: BTreeSet<CallId>,
    /// The most of them at once: so many were sent before the first of them came back and could teach anything.
    most_counted: usize,
    on_ramp: Count,
    in_brownout: [Count; MethodGroup::COUNT],
}

impl Shares {
    pub(super) fn new(config: &UpstreamConfig) -> Self {
        Self {
            ramp: config.slow_start.then_some(Instant::ZERO),
            counted: BTreeSet::new(),
            most_counted: 0,
            on_ramp: Count::default(),
            in_brownout: Default::default(),
        }
    }

    pub(super) const fn is_on_ramp(&self) -> bool {
        self.ramp.is_some()
    }

    pub(super) fn begin_ramp(&mut self, now: Instant) {
        self.ramp = Some(now);
        self.on_ramp = Count::default();
    }

    pub(super) fn end_ramp(&mut self, now: Instant) -> Check {
        let began = self.ramp.take().ok_or("a ramp ends that never began")?;
        let lasted = now.saturating_duration_since(began);
        must!(
            lasted >= 2 * LEAST,
            "a way back of {lasted:?}: two steps take {:?}",
            2 * LEAST
        );
        Ok(())
    }

    pub(super) fn end_brownout(&mut self, group: Option<MethodGroup>) {
        self.most_counted = self.counted.len();
        match group {
            None => self.in_brownout = Default::default(),
            Some(group) => self.in_brownout[group as usize] = Count::default(),
        }
    }

    /// An attempt ended, with a failure that counts for a breaker or not.
    pub(super) fn ended(&mut self, call: CallId, group: MethodGroup, failed: bool) {
        let count = &mut self.in_brownout[group as usize];
        if self.counted.remove(&call) && failed && count.could > 0 {
            count.failed += 1;
        }
    }

    fn count(&mut self, group: MethodGroup, state: State, was: bool) {
        let add = |count: &mut Count| {
            count.could += 1;
            count.was += u64::from(was);
        };
        if self.is_on_ramp() {
            add(&mut self.on_ramp);
        }
        if state == State::Brownout {
            add(&mut self.in_brownout[group as usize]);
        }
    }

    fn check(&self, group: MethodGroup, retry_permille: u32) -> Check {
        let Count { could, was, .. } = self.on_ramp;
        must!(
            was <= could * 6 / 10 + SLACK_CALLS,
            "on its way back it could take {was} of {could} calls, at most a half"
        );
        let Count { could, was, failed } = self.in_brownout[group as usize];
        let floor = u64::from(MIN_SHARE_PERMILLE);
        let may_fail = could * u64::from(retry_permille / 2).max(floor) / 1_000;
        must!(
            failed <= may_fail * 3 / 2 + SLACK_FAILURES + self.most_counted as u64,
            "{failed} of {could} calls failed in a brownout, which {retry_permille} repeats of a thousand are to pay for"
        );
        // With a ramp's share on top it may be less.
        must!(
            self.is_on_ramp() || was + SLACK_CALLS >= could * floor / 1_000 / 2,
            "in a brownout it was asked for {was} of {could} calls: nobody would see it recover"
        );
        Ok(())
    }
}

impl Auditor {
    /// An upstream was chosen among these; those sat the call out.
    pub(super) fn count_shares(
        &mut self,
        id: CallId,
        chosen: UpstreamIndex,
        candidates: UpstreamSet,
        sits_out: UpstreamSet,
    ) -> Check {
        let Some(call) = self.noted(id)? else {
            return Err(format!("{id:?} is over"));
        };
        let group = call.group();
        let effect = call.request.effect;
        if effect != Effect::None {
            return Ok(());
        }
        let has_whole = |index: UpstreamIndex| {
            self.upstreams.get(index.as_usize()).is_some_and(|known| {
                !known.shares.is_on_ramp() && known.breakers.state(group) != State::Brownout
            })
        };
        if !candidates.iter().any(has_whole) {
            return Ok(());
        }
        let retry_permille = self.budget.permille_of_calls;
        for (position, known) in self.upstreams.iter_mut().enumerate() {
            let index = UpstreamIndex(position as u16);
            let was = candidates.contains(index);
            let could = was || sits_out.contains(index);
            // Whoever is in a brownout, or on a ramp with closed breakers, is left out by his breaker for this alone.
            let state = known.breakers.state(group);
            if could && matches!(state, State::Closed | State::Brownout) {
                known.shares.count(group, state, was);
                if index == chosen && state == State::Brownout {
                    known.shares.counted.insert(id);
                    known.shares.most_counted =
                        known.shares.most_counted.max(known.shares.counted.len());
                }
                known
                    .shares
                    .check(group, retry_permille)
                    .map_err(|sentence| format!("{index:?}: {sentence}"))?;
            }
        }
        Ok(())
    }
}
