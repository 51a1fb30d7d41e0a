//! What goes on beside the traffic: checks of chain ids and questions for heads, asked by the first shard as in the product, and what upstreams
//! say to them.

use core::time::Duration;

use engine::chain::ChainId;
use engine::head::{HeadKind, HeadPoll};
use engine::index::UpstreamIndex;
use engine::method::MethodId;
use engine::rng::Rng;
use engine::shard::ProbeResult;
use engine::time::Instant;

use super::queue::Happening;
use super::{Check, Decider, World};
use crate::heads::Truth;
use crate::provider::{Behaviour, NOT_YET, Provider, Saying};
use crate::report::Moment;

/// The id of some other chain.
const OTHER_CHAIN: ChainId = ChainId(56);
/// The longest that nobody looks whether a head is to be asked for, and what an answer takes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How far behind the newest the finalized block is.
const FINAL_AFTER: u64 = 64;

impl Provider {
    /// Its newest block by its own words; `None` where it does not answer.
    pub(super) fn said(&self, now: Instant, truth: &Truth, rng: &mut Rng) -> Option<u64> {
        let script = self.script();
        let mut newest = truth.newest(now - script.head_delay);
        let mut phases = script.phases.iter();
        if script.phases.is_empty() {
            return Some(newest);
        }
        let in_force = phases
            .by_ref()
            .filter(|phase| phase.only.is_none() && phase.from <= now && now < phase.until);
        for phase in in_force {
            match phase.behaviour {
                Behaviour::Refuse | Behaviour::Hang | Behaviour::Reset => return None,
                Behaviour::RefuseSome(permille)
                | Behaviour::HangSome(permille)
                | Behaviour::ResetSome(permille)
                | Behaviour::Say(_, permille)
                | Behaviour::Fail(_, permille)
                    if rng.chance(u64::from(permille), 1_000) =>
                {
                    return None;
                }
                Behaviour::StuckHead => newest = newest.min(truth.newest(phase.from)),
                Behaviour::Behind(blocks) => newest = newest.saturating_sub(blocks),
                Behaviour::Ahead(blocks) => newest += blocks,
                _ => {}
            }
        }
        Some(newest)
    }

    /// How long what is asked now waits, since the upstream stands still.
    fn stands_still(&self, now: Instant) -> Duration {
        let phases = self.script().phases.iter();
        let in_force =
            phases.filter(|phase| phase.only.is_none() && phase.from <= now && now < phase.until);
        let waits = in_force.map(|phase| phase.standstill(now));
        waits.max().unwrap_or_default()
    }

    fn chain_said(&self, now: Instant, right: ChainId) -> ProbeResult {
        // A check is asked with no method of the menu; what concerns single methods passes it by.
        let mut phases = self.phases(now, MethodId::OTHER);
        let telling = phases.find_map(|phase| match phase.behaviour {
            Behaviour::Refuse | Behaviour::Hang | Behaviour::Reset => Some(ProbeResult::Failed),
            Behaviour::WrongChain => Some(ProbeResult::ChainId(OTHER_CHAIN)),
            _ => None,
        });
        telling.unwrap_or(ProbeResult::ChainId(right))
    }

    /// The newest block that it really has, whatever it says.
    fn newest(&self, now: Instant, truth: &Truth) -> u64 {
        let script = self.script();
        let mut newest = truth.newest(now - script.head_delay);
        for phase in self.phases(now, MethodId::OTHER) {
            match phase.behaviour {
                Behaviour::StuckHead => newest = newest.min(truth.newest(phase.from)),
                Behaviour::Behind(blocks) => newest = newest.saturating_sub(blocks),
                _ => {}
            }
        }
        newest
    }

    /// What it says to a call about this block; `None` where it has it.
    pub(super) fn lacks(
        &self,
        method: MethodId,
        number: u64,
        now: Instant,
        truth: &Truth,
    ) -> Option<Saying> {
        match self.newest(now, truth).checked_sub(number) {
            Some(back) => self.script().kept.lacks(method, back),
            None => Some(NOT_YET),
        }
    }
}

impl<D: Decider> World<'_, D> {
    pub(super) fn begin_checks(&mut self) {
        for upstream in 0..self.providers.len() as u16 {
            let at = Instant(u64::from(upstream));
            if self.scenario.probe_every.is_some() {
                self.queue.push(at, Happening::Probe(upstream));
            }
            if self.scenario.follows_heads() {
                self.queue.push(at, Happening::Look(upstream));
            }
        }
    }

    /// While calls come, there are checks.
    fn goes_on(&self) -> bool {
        self.now < self.scenario.until
    }

    /// The first shard asks; all are told, since this goes through the control lane, which loses nothing.
    pub(super) fn probe(&mut self, upstream: u16) -> Check {
        let Some(every) = self.scenario.probe_every.filter(|_| self.goes_on()) else {
            return Ok(());
        };
        self.queue
            .push(self.now + every, Happening::Probe(upstream));
        let index = UpstreamIndex(upstream);
        let Some(provider) = self.providers.get(index.as_usize()) else {
            return Ok(());
        };
        let result = provider.chain_said(self.now, self.scenario.chain.id);
        for lane in 0..self.lanes.len() {
            self.lanes[lane].decider.probed(index, result, self.now);
            self.after_news(lane as u16)?;
        }
        Ok(())
    }

    /// The driver's loop of one upstream, as the data plane has it.
    pub(super) fn look(&mut self, upstream: u16) -> Check {
        if !self.goes_on() {
            return Ok(());
        }
        let lane = self.lanes.first();
        let due = lane.and_then(|lane| {
            lane.decider
                .next_head_poll(UpstreamIndex(upstream), self.now)
        });
        match due {
            Some(HeadPoll { at, kind }) if at <= self.now => {
                let latency = Duration::from_millis(5 + self.heads.below(80));
                let provider = self.providers.get(usize::from(upstream));
                let waits = provider.map_or(Duration::ZERO, |one| one.stands_still(self.now));
                let answered = self.now + waits + latency;
                self.queue.push(answered, Happening::Polled(upstream, kind));
            }
            Some(HeadPoll { at, .. }) => {
                let at = at.min(self.now + LOOK_AGAIN);
                self.queue.push(at, Happening::Look(upstream));
            }
            None => {}
        }
        Ok(())
    }

    pub(super) fn polled(&mut self, upstream: u16, kind: HeadKind) -> Check {
        let index = UpstreamIndex(upstream);
        let Some(provider) = self.providers.get(index.as_usize()) else {
            return Ok(());
        };
        let said = provider.said(self.now, &self.truth, &mut self.heads);
        let result = match (said, kind) {
            (None, _) => ProbeResult::HeadFailed(kind),
            (Some(number), HeadKind::Newest) => ProbeResult::Head(number),
            (Some(number), HeadKind::Safe) => {
                ProbeResult::Safe(number.saturating_sub(FINAL_AFTER / 2))
            }
            (Some(number), HeadKind::Finalized) => {
                ProbeResult::Finalized(number.saturating_sub(FINAL_AFTER))
            }
        };
        if let Some(lane) = self.lanes.first_mut() {
            lane.decider.probed(index, result, self.now);
        }
        self.queue.push(self.now, Happening::Look(upstream));
        self.after_news(0)
    }

    /// A shard has heard something that is about no call: takes out what it observed and what it has to tell.
    pub(super) fn after_news(&mut self, number: u16) -> Check {
        let now = self.now;
        let Some(lane) = self.lanes.get_mut(usize::from(number)) else {
            return Ok(());
        };
        lane.decider.settle(now)?;
        while let Some(moment) = lane.decider.take_moment() {
            self.report.keep(Moment {
                shard: number,
                ..moment
            });
        }
        self.mark = self.mark.max(lane.decider.head_mark());
        self.share(number)
    }
}
