//! What an upstream was found to take, from refusals and answers, and the verbs about batches. The rules are [`crate::learned`]'s and
//! [`crate::limit`]'s.

use crate::call::Call;
use crate::fault::{Fault, Hint, SideEffect};
use crate::gossip::Key;
use crate::head::HeadKind;
use crate::index::{ChainIndex, UpstreamIndex};
use crate::learned::Learned;
use crate::limit::{Found, Limit};
use crate::note::NoteKind;
use crate::time::Instant;

use super::Shard;

impl Shard {
    /// An upstream refused a batch of so many calls for being one, or for its length; `hint` is the refusal's. Its calls are not judged by
    /// that.
    pub fn batch_refused(
        &mut self,
        now: Instant,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        calls: u32,
        hint: Hint,
    ) {
        let state = self.chains.get_mut(chain.as_usize());
        let member = state.and_then(|state| state.upstreams.get_mut(upstream.as_usize()));
        if let Some(learned) =
            member.and_then(|member| member.lessons.refused_batch(calls, hint, now))
        {
            self.learned(chain, upstream, learned, now);
        }
    }

    /// How many calls an upstream takes in one batch, as far as was learned; `None` where nothing is known. 1 is no batch.
    #[must_use]
    pub fn max_batch(
        &self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        now: Instant,
    ) -> Option<u32> {
        let member = self.chain(chain)?.upstream(upstream)?;
        member.lessons.max_batch(now)
    }

    /// What a refusal teaches of the upstream's ranges and history.
    pub(super) fn learn_from_refusal(
        &mut self,
        call: &Call,
        index: UpstreamIndex,
        fault: &Fault,
        now: Instant,
    ) {
        let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) else {
            return;
        };
        let wanted = chain.wanted(call);
        let own_head = chain.heads.known(index, HeadKind::Newest);
        let Some(upstream) = chain.upstreams.get_mut(index.as_usize()) else {
            return;
        };
        let lessons = &mut upstream.lessons;
        let learned = match fault.traits().side_effect {
            SideEffect::LearnRange => lessons.refused_blocks(&wanted, fault.hint, now),
            SideEffect::MoveBounds => lessons.lacked(&wanted, own_head, now),
            _ => None,
        };
        if let Some(learned) = learned {
            self.learned(call.request.chain, index, learned, now);
        }
    }

    /// An answer of an upstream of which something had been learned.
    pub(super) fn unlearn(&mut self, call: &Call, index: UpstreamIndex, now: Instant) {
        let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) else {
            return;
        };
        let wanted = chain.wanted(call);
        let Some(upstream) = chain.upstreams.get_mut(index.as_usize()) else {
            return;
        };
        if upstream.lessons.is_empty(now) {
            return;
        }
        for learned in upstream.lessons.served(&wanted, now).into_iter().flatten() {
            self.learned(call.request.chain, index, learned, now);
        }
    }

    fn learned(&mut self, chain: ChainIndex, upstream: UpstreamIndex, what: Learned, now: Instant) {
        self.outbox
            .mark(Key::Learned(chain, upstream, what.register() as u8));
        self.note(now, chain, NoteKind::Learned { upstream, what });
        if let Some(state) = self.chains.get_mut(chain.as_usize()) {
            state.refresh(upstream, now);
        }
    }

    /// An answer came with so many attempts in flight that its latency says something of what the upstream can carry.
    pub(super) fn watch_limit(&mut self, call: &Call, index: UpstreamIndex, now: Instant) {
        let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) else {
            return;
        };
        let stretch = chain.board.stretch(index, call.request.method);
        let in_flight = chain.board.load(index).fresh;
        let Some(upstream) = chain.upstreams.get_mut(index.as_usize()) else {
            return;
        };
        let found = upstream.limiter.answered(stretch, in_flight, now);
        self.limited(call.request.chain, index, found, now);
    }

    /// A throttle began a hold-off: it says something of what the upstream can carry, too.
    pub(super) fn watch_throttle(&mut self, chain: ChainIndex, index: UpstreamIndex, now: Instant) {
        let state = self.chains.get_mut(chain.as_usize());
        let upstream = state.and_then(|state| state.upstreams.get_mut(index.as_usize()));
        if let Some(found) = upstream.map(|upstream| upstream.limiter.throttled(now, &mut self.rng))
        {
            self.limited(chain, index, found, now);
        }
    }

    fn limited(&mut self, chain: ChainIndex, index: UpstreamIndex, found: Found, now: Instant) {
        let to = match found {
            Found::Nothing => return,
            Found::Limit(limit) => limit,
            Found::Slow => Limit::InFlight(u32::MAX),
        };
        if let Some(state) = self.chains.get_mut(chain.as_usize()) {
            if found == Found::Slow {
                state.board.is_usual(index, now);
            }
            state.refresh(index, now);
        }
        let upstream = index;
        self.note(now, chain, NoteKind::Limited { upstream, to });
    }
}
