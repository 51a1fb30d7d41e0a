//! The verbs about heads: what a chain's head is, whom to ask for it next, and what a client that asks for it is told.

use core::time::Duration;

use crate::gossip::Key;
use crate::head::{ChainHead, HeadKind, HeadPoll, Mark};
use crate::index::{ChainIndex, UpstreamIndex};
use crate::time::Instant;

use super::{ProbeResult, Shard};

impl Shard {
    /// Takes in a check beside the traffic.
    pub fn probe_result(
        &mut self,
        now: Instant,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        result: ProbeResult,
    ) {
        let Some(state) = self.chains.get_mut(chain.as_usize()) else {
            return;
        };
        let reported = state.probed(upstream, result, now, &mut |kind| {
            self.notes.push(now, chain, kind)
        });
        if let Some(kind) = reported.news {
            self.outbox.mark(Key::Head(chain, upstream, kind));
        }
        if reported.agreed {
            self.outbox.mark(Key::Agreed(chain));
        }
    }

    /// What is served as the chain's head. One array look-up and a copy.
    #[must_use]
    pub fn chain_head(&self, chain: ChainIndex) -> ChainHead {
        self.chain(chain)
            .map_or(ChainHead::default(), |state| state.heads.head())
    }

    /// The mean time between two of the chain's blocks; `None` until enough were seen.
    #[must_use]
    pub fn block_time(&self, chain: ChainIndex) -> Option<Duration> {
        self.chain(chain)?.heads.block_time()
    }

    /// The newest block that an upstream is known to have.
    #[must_use]
    pub fn upstream_head(&self, chain: ChainIndex, upstream: UpstreamIndex) -> Option<u64> {
        self.chain(chain)?.heads.known(upstream, HeadKind::Newest)
    }

    /// The head to tell the other shards: it is greater than before whenever [`Self::chain_head`] changed.
    #[must_use]
    pub fn head_mark(&self, chain: ChainIndex) -> Mark {
        Mark::of(&self.chain_head(chain))
    }

    /// Another shard has served this head (the maximum of all shards' [`Self::head_mark`]): ours is not lower from now on.
    pub fn raise_head(&mut self, chain: ChainIndex, mark: Mark, now: Instant) {
        if let Some(state) = self.chains.get_mut(chain.as_usize()) {
            state.heads.raise(mark, now);
        }
    }

    /// A call with an effect was answered, or a client was shown a block that we do not believe in yet: whatever was kept of the
    /// newest block is not to be given any more ([`ChainHead::seq`] grows). A chain that mines when it is written to, as test
    /// chains do, has moved before anybody polls.
    pub fn outdate_head(&mut self, chain: ChainIndex) {
        if let Some(state) = self.chains.get_mut(chain.as_usize()) {
            state.heads.outdate();
        }
    }

    /// What a client that asked for `eth_blockNumber` is told when this upstream answered `answered`: never less than
    /// the served head. A plausible higher answer raises the served head; of an implausible one the served head is told.
    ///
    /// Where heads are not followed ([`HeadConfig::enabled`](crate::config::HeadConfig::enabled)) it is told what was answered.
    pub fn answer_block_number(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        answered: u64,
        now: Instant,
    ) -> u64 {
        let Some(state) = self.chains.get_mut(chain.as_usize()) else {
            return answered;
        };
        if state.is_foreign(upstream) {
            // It was asked before it was found out.
            return state.heads.head().newest.unwrap_or(answered);
        }
        state.heads.answer(upstream, answered, now)
    }

    /// Which block a client that asked for the newest safe or finalized block is told of when this upstream answered with block
    /// `answered`: never an older one than before, and no newer one than another upstream, if any knows, calls so too.
    pub fn answer_final(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        kind: HeadKind,
        answered: u64,
    ) -> u64 {
        let Some(state) = self.chains.get_mut(chain.as_usize()) else {
            return answered;
        };
        if state.is_foreign(upstream) {
            return state.heads.head().of(kind).unwrap_or(answered);
        }
        state.heads.answer_final(upstream, kind, answered)
    }

    /// The next question for an upstream's head, now or later; `None` where heads are not followed. It changes nothing: ask at its
    /// time, report with [`Self::probe_result`], and come back. One task an upstream is enough.
    #[must_use]
    pub fn next_head_poll(
        &self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        now: Instant,
    ) -> Option<HeadPoll> {
        let poll = self.chain(chain)?.heads.next_poll(upstream)?;
        Some(HeadPoll {
            at: poll.at.max(now).max(self.left_alone_until(chain, upstream)),
            ..poll
        })
    }

    /// Before this an upstream itself does not want to hear of us (its Retry-After), be it a check; the past for whoever does not mind.
    #[must_use]
    pub fn left_alone_until(&self, chain: ChainIndex, upstream: UpstreamIndex) -> Instant {
        let member = self.chain(chain).and_then(|state| state.upstream(upstream));
        member.map_or(Instant::ZERO, |member| member.throttle.floor())
    }
}
