//! What comes to the shard by itself: calls from clients, open-loop (the next one comes whether or not the last has ended), and checks
//! beside the traffic.

use core::time::Duration;

use engine::block::Height;
use engine::call::Request;
use engine::chain::ChainId;
use engine::index::{PolicyIndex, UpstreamIndex, UpstreamSet};
use engine::method::{Effect, lookup};
use engine::shard::ProbeResult;

use crate::auditor::Check;
use crate::latency;
use crate::provider::Behaviour;
use crate::scenario::Mix;

use super::{CHAIN, CHAIN_ID, Kind, Live, World};

impl World<'_> {
    pub(super) fn arrive(&mut self) -> Check {
        if self.now >= self.scenario.until {
            return Ok(());
        }
        let load = &self.scenario.load;
        let per_second = load
            .iter()
            .rev()
            .find(|(from, _)| *from <= self.now)
            .map_or(1, |(_, rate)| *rate);
        let mean = Duration::from_secs(1) / per_second.max(1);
        let gap = latency::gap(mean, &mut self.arrivals);
        self.at(self.now + gap, Kind::Arrive);

        let request = self.draw_request();
        let call = self.shard.begin(self.now, request);
        self.auditor
            .begun(call.id(), request, call.deadline(), self.now)?;
        self.report.calls += 1;
        self.report.second(self.now, self.providers.len()).calls += 1;
        let number = self.calls.len();
        if self.draw(self.mix_now().abandoned) {
            let patience = Duration::from_millis(self.mix.below(1_000));
            self.at(self.now + patience, Kind::Leave { call: number });
        }
        self.calls.push(Some(Box::new(Live {
            call,
            begun: self.now,
            attempts: Vec::new(),
            timer: None,
        })));
        self.with(number, |_, _| Ok(()))
    }

    fn draw(&mut self, permille: u32) -> bool {
        permille > 0 && self.mix.chance(u64::from(permille), 1_000)
    }

    fn mix_now(&self) -> Mix {
        if self.now < self.scenario.plain_from {
            self.scenario.mix
        } else {
            Mix::default()
        }
    }

    fn draw_request(&mut self) -> Request {
        let mix = self.mix_now();
        let upstreams = self.providers.len() as u64;
        let effect = if self.draw(mix.signed) {
            Effect::SignedTransaction
        } else if self.draw(mix.node_writes) {
            Effect::NodeWrite
        } else {
            Effect::None
        };
        let method: &[u8] = match effect {
            Effect::None if self.mix.chance(1, 4) => b"eth_getBalance",
            Effect::None => b"eth_call",
            Effect::SignedTransaction => b"eth_sendRawTransaction",
            Effect::NodeWrite => b"eth_sendTransaction",
        };
        let one = UpstreamIndex(self.mix.below(upstreams) as u16);
        let patience = if self.draw(mix.hurried) {
            Duration::from_millis(200)
        } else {
            Duration::from_secs(30)
        };
        Request {
            chain: CHAIN,
            policy: PolicyIndex(0),
            method: lookup(method),
            effect,
            deadline: self.now + patience,
            strategy: None,
            pinned: self.draw(mix.pinned).then_some(one),
            excluded: if self.draw(mix.excluded) {
                UpstreamSet::only(one)
            } else {
                UpstreamSet::EMPTY
            },
            height: Height::Any,
            ..Request::default()
        }
    }

    /// A check beside the traffic: the chain's id and the newest block, one block a second.
    pub(super) fn probe(&mut self, upstream: u16) {
        let Some(every) = self
            .scenario
            .probe_every
            .filter(|_| self.now < self.scenario.until)
        else {
            return;
        };
        self.at(self.now + every, Kind::Probe { upstream });
        let index = UpstreamIndex(upstream);
        let behaviour = self
            .providers
            .get(index.as_usize())
            .and_then(|provider| provider.behaviour(self.now));
        let head = 1_000 + self.now.0 / 1_000_000_000;
        let results = match behaviour {
            Some(Behaviour::Refuse | Behaviour::Hang | Behaviour::Reset) => {
                [Some(ProbeResult::Failed), None]
            }
            Some(Behaviour::WrongChain) => [Some(ProbeResult::ChainId(ChainId(56))), None],
            Some(Behaviour::StuckHead) => [
                Some(ProbeResult::ChainId(CHAIN_ID)),
                Some(ProbeResult::Head(1_000)),
            ],
            _ => [
                Some(ProbeResult::ChainId(CHAIN_ID)),
                Some(ProbeResult::Head(head)),
            ],
        };
        for result in results.into_iter().flatten() {
            if let ProbeResult::ChainId(id) = result {
                self.auditor.saw_chain(index, id == CHAIN_ID);
            }
            self.shard.probe_result(self.now, CHAIN, index, result);
        }
    }
}
