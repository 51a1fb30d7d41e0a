//! What this shard tells the others, and what it believes of what they tell. Only what it found out itself is told, so nothing goes round.

use crate::account::REPLY_AFTER;
use crate::breaker::State;
use crate::gossip::{Key, News};
use crate::head::{Agreed, HeadKind};
use crate::index::{ChainIndex, UpstreamIndex};
use crate::note::NoteKind;
use crate::time::Instant;

use super::Shard;
use super::chain::Upstream;

impl Shard {
    /// The next fact for the other shards; poll until `None`. One fact a key waits at most, the newest: whoever polls
    /// rarely gets fewer. Costs one compare while nothing is new, and never allocates.
    pub fn poll_news(&mut self) -> Option<News> {
        // Bounded: each turn takes a mark off.
        loop {
            let key = self.outbox.take()?;
            if let Some(news) = self.read_news(key) {
                return Some(news);
            }
        }
    }

    /// How many facts were replaced by newer ones before they were polled.
    #[must_use]
    pub const fn news_superseded(&self) -> u64 {
        self.outbox.superseded()
    }

    /// Takes in a fact from another shard. Late ones, repeated ones and ones about chains or upstreams that do not exist
    /// change nothing. `from_shard` is that shard's number.
    pub fn take_news(&mut self, from_shard: u16, news: News, now: Instant) {
        // A fact is worth the same whoever tells it; the number is there for whoever wants to know.
        let _ = from_shard;
        let Some(chain) = news.chain() else {
            return self.hear_spend(news, now);
        };
        let noted = match news {
            News::Head {
                upstream,
                kind,
                number,
                behind,
                at,
                ..
            } => self.hear_head(chain, upstream, kind, (number, behind), at),
            News::Agreed {
                era,
                newest,
                since,
                safe,
                finalized,
                block_time,
                ..
            } => {
                if let Some(state) = self.chains.get_mut(chain.as_usize()) {
                    state.heads.join(&Agreed {
                        era,
                        newest,
                        since,
                        safe,
                        finalized,
                        block_time,
                    });
                }
                None
            }
            News::Breaker {
                upstream,
                opened,
                until,
                ..
            } => self.member(chain, upstream).and_then(|member| {
                let (from, to) = member.breaker.adopt(opened, until, now)?;
                Some(NoteKind::Breaker {
                    upstream,
                    group: None,
                    from,
                    to,
                })
            }),
            News::HoldOff {
                upstream,
                floor,
                until,
                ..
            } => self.member(chain, upstream).and_then(|member| {
                let until = member.throttle.adopt(floor, until, now)?;
                Some(NoteKind::HoldOffBegan { upstream, until })
            }),
            News::Score {
                upstream, digest, ..
            } => {
                if let Some(state) = self.chains.get_mut(chain.as_usize()) {
                    state.board.hear(upstream, digest);
                }
                None
            }
            News::Quarantine { .. }
            | News::Ban { .. }
            | News::Learned { .. }
            | News::Spend { .. } => None,
        };
        if let Some(kind) = noted {
            self.note(now, chain, kind);
        }
    }

    /// What another shard has spent. Whoever hears of it and has not said for a while how it stands itself does so: silence would be taken for
    /// spending unheard.
    fn hear_spend(&mut self, news: News, now: Instant) {
        if let News::Spend {
            shard,
            account,
            report,
        } = news
            && self.accounts.hear(account, shard, report, now)
        {
            self.outbox.mark_spend(account, now, REPLY_AFTER);
        }
    }

    fn hear_head(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        kind: HeadKind,
        said: (u64, u64),
        at: Instant,
    ) -> Option<NoteKind> {
        let state = self.chains.get_mut(chain.as_usize())?;
        let crossed = state.heads.hear(upstream, kind, said, at);
        // It answered somebody: its probes may begin before their time.
        state
            .upstreams
            .get_mut(upstream.as_usize())?
            .breaker
            .checked_well(at);
        crossed.map(|crossed| NoteKind::Lagging {
            upstream,
            lag_blocks: crossed.lag_blocks,
            left_out: crossed.left_out,
        })
    }

    fn member(&mut self, chain: ChainIndex, upstream: UpstreamIndex) -> Option<&mut Upstream> {
        let state = self.chains.get_mut(chain.as_usize())?;
        state.upstreams.get_mut(upstream.as_usize())
    }

    /// What there is to tell about a key now; nothing if it has passed.
    fn read_news(&mut self, key: Key) -> Option<News> {
        match key {
            Key::Agreed(chain) => {
                let agreed = self.chain(chain)?.heads.agreed()?;
                Some(News::Agreed {
                    chain,
                    era: agreed.era,
                    newest: agreed.newest,
                    since: agreed.since,
                    safe: agreed.safe,
                    finalized: agreed.finalized,
                    block_time: agreed.block_time,
                })
            }
            Key::Head(chain, upstream, kind) => {
                let (number, behind, at) = self.chain(chain)?.heads.reported(upstream, kind)?;
                Some(News::Head {
                    chain,
                    upstream,
                    kind,
                    number,
                    behind,
                    at,
                })
            }
            Key::Breaker(chain, upstream) => {
                let breaker = &self.chain(chain)?.upstream(upstream)?.breaker;
                let open = breaker.state() == State::Open;
                let (opened, until) = breaker.opening();
                open.then_some(News::Breaker {
                    chain,
                    upstream,
                    group: None,
                    opened,
                    until,
                })
            }
            Key::HoldOff(chain, upstream) => {
                let throttle = &self.chain(chain)?.upstream(upstream)?.throttle;
                throttle.held_until().map(|until| News::HoldOff {
                    chain,
                    upstream,
                    floor: throttle.floor(),
                    until,
                })
            }
            Key::Spend(account) => Some(News::Spend {
                shard: self.accounts.shard(),
                account,
                report: self.accounts.tell(account)?,
            }),
            Key::Score(chain, upstream) => {
                let state = self.chains.get_mut(chain.as_usize())?;
                let digest = state.board.digest(upstream)?;
                Some(News::Score {
                    chain,
                    upstream,
                    digest,
                })
            }
        }
    }
}
