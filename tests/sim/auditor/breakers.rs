//! The part of the books that is kept about breakers: the states of the whole and of each kind of work, and who is a probe.

use std::collections::BTreeSet;

use engine::breaker::State;
use engine::config::BreakerConfig;
use engine::index::{AttemptId, CallId, UpstreamIndex};
use engine::method::MethodGroup;

use super::{Auditor, Check, must};

type Probe = (CallId, AttemptId);

/// One upstream's breakers as they were noted.
#[derive(Debug)]
pub(super) struct Breakers {
    probes_allowed: usize,
    by_group: bool,
    brownout: bool,
    whole: Machine,
    groups: [Machine; MethodGroup::COUNT],
}

#[derive(Debug, Default)]
struct Machine {
    state: State,
    probes: BTreeSet<Probe>,
}

impl Breakers {
    pub(super) fn new(config: &BreakerConfig) -> Self {
        Self {
            probes_allowed: config.probes as usize,
            by_group: config.by_group,
            brownout: config.brownout,
            whole: Machine::default(),
            groups: Default::default(),
        }
    }

    /// What a call of this kind meets.
    pub(super) fn state(&self, group: MethodGroup) -> State {
        match self.whole.state {
            State::Closed => self.groups[self.position(group)].state,
            state => state,
        }
    }

    /// An attempt is over, as a probe or not.
    pub(super) fn ended(&mut self, probe: Probe) {
        self.whole.probes.remove(&probe);
        for group in &mut self.groups {
            group.probes.remove(&probe);
        }
    }

    const fn position(&self, group: MethodGroup) -> usize {
        if self.by_group { group as usize } else { 0 }
    }

    /// `own` where this shard found it out itself: what others tell of the whole says nothing of the kinds of work.
    fn turn(&mut self, group: Option<MethodGroup>, (from, to): (State, State), own: bool) -> Check {
        use State::{Brownout, Closed, HalfOpen, Open};
        let legal = match from {
            Closed => matches!(to, Open | Brownout),
            Brownout => matches!(to, Closed | Open),
            Open => matches!(to, HalfOpen | Closed),
            // Once more, where its probes went into a silence that is over.
            HalfOpen => matches!(to, Open | Closed | HalfOpen),
        };
        must!(legal, "a breaker goes from {from:?} to {to:?}");
        must!(
            to != Brownout || (self.brownout && group.is_some()),
            "a brownout of the whole, or where there is none"
        );
        if own && group.is_none() && to == Open {
            self.groups = Default::default();
        }
        let machine = match group {
            None => &mut self.whole,
            Some(group) => {
                let position = self.position(group);
                &mut self.groups[position]
            }
        };
        must!(
            machine.state == from,
            "{group:?} leaves {from:?}, but was {:?}",
            machine.state
        );
        machine.state = to;
        machine.probes.clear();
        Ok(())
    }

    fn start(&mut self, probe: Probe, group: MethodGroup, is_probe: bool, forced: bool) -> Check {
        let position = self.position(group);
        let machines = [&mut self.whole, &mut self.groups[position]];
        let mut may_be_probe = false;
        for machine in machines {
            match machine.state {
                State::Closed | State::Brownout => {}
                State::Open => must!(forced, "one is sent although the breaker is open"),
                State::HalfOpen => {
                    may_be_probe = true;
                    must!(
                        is_probe || forced,
                        "one is sent, half-open, and is no probe"
                    );
                    let out = machine.probes.len();
                    if is_probe && !(forced && out >= self.probes_allowed) {
                        machine.probes.insert(probe);
                    }
                    let (out, allowed) = (machine.probes.len(), self.probes_allowed);
                    must!(
                        out <= allowed,
                        "{out} probes are out, {allowed} are allowed"
                    );
                }
            }
        }
        must!(
            may_be_probe || !is_probe,
            "a probe, and no breaker is half-open"
        );
        Ok(())
    }
}

impl Auditor {
    /// A breaker has changed its state.
    pub(super) fn breaker_turned(
        &mut self,
        upstream: UpstreamIndex,
        group: Option<MethodGroup>,
        (from, to): (State, State),
    ) -> Check {
        let position = |group: MethodGroup| {
            let known = self.upstreams.get(upstream.as_usize());
            known.map(|known| known.breakers.position(group))
        };
        let why = self.failed.is_some_and(|(failed, of)| {
            failed == upstream && group.is_none_or(|group| position(group) == position(of))
        });
        must!(
            !matches!(to, State::Open | State::Brownout) || why,
            "{upstream:?}, {group:?}: {to:?}, but nothing failed there"
        );
        self.failed = None;
        let own = !self.hears;
        let known = self.upstream(upstream)?;
        if to != State::Brownout {
            known.shares.end_brownout(group);
        }
        known
            .breakers
            .turn(group, (from, to), own)
            .map_err(|sentence| format!("{upstream:?}: {sentence}"))
    }

    /// An attempt has begun.
    pub(super) fn started(
        &mut self,
        attempt: Probe,
        to: UpstreamIndex,
        is_probe: bool,
        forced: bool,
    ) -> Check {
        let group = self.noted(attempt.0)?.map(super::Call::group);
        let group = group.ok_or_else(|| format!("{:?} is over", attempt.0))?;
        self.upstream(to)?
            .breakers
            .start(attempt, group, is_probe, forced)
            .map_err(|sentence| format!("{attempt:?} to {to:?}: {sentence}"))
    }
}
