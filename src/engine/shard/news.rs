//! What this shard tells the others, and what it believes of what they tell. Only what it found out itself is told, so nothing goes round.

use crate::account::REPLY_AFTER;
use crate::ban::Ban;
use crate::breaker::State;
use crate::gossip::{Key, News};
use crate::head::{Agreed, HeadKind};
use crate::index::{ChainIndex, UpstreamIndex};
use crate::method::{MethodGroup, MethodId};
use crate::note::NoteKind;
use crate::quarantine::Cause;
use crate::time::Instant;

use super::Shard;
use super::chain::{Upstream, breaker_notes};

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
                returned,
                ..
            } => {
                self.hear_well(chain, upstream, (at, returned), now);
                self.hear_head(chain, upstream, kind, (number, behind), at)
            }
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
                group,
                opened,
                until,
                ..
            } => self.member(chain, upstream).and_then(|member| {
                let (from, to) = member.breakers.adopt(group, opened, until, now)?;
                Some(NoteKind::Breaker {
                    upstream,
                    group,
                    from,
                    to,
                })
            }),
            News::HoldOff {
                upstream,
                floor,
                until,
                ..
            } => self.hear_hold_off(chain, upstream, (floor, until), now),
            News::Quarantine {
                upstream,
                cause,
                began,
                until,
                ..
            } => self.member(chain, upstream).and_then(|member| {
                // It has answered here since: then this shard knows better.
                let answered = member.breakers.succeeded() >= began;
                let until = (!answered).then(|| member.quarantine.adopt(cause, until, now))??;
                Some(NoteKind::Quarantined {
                    upstream,
                    cause,
                    until,
                })
            }),
            News::Ban {
                upstream,
                method,
                at,
                until,
                ..
            } => self.hear_ban(chain, upstream, method, Ban { at, until }, now),
            News::Learned {
                upstream, what, at, ..
            } => self.member(chain, upstream).and_then(|member| {
                let is_news = member.lessons.take(what, at.min(now));
                is_news.then_some(NoteKind::Learned { upstream, what })
            }),
            News::Score {
                upstream, digest, ..
            } => {
                if let Some(state) = self.chains.get_mut(chain.as_usize()) {
                    state.board.hear(upstream, digest);
                }
                None
            }
            News::Spend { .. } => None,
        };
        if let Some(kind) = noted {
            self.note(now, chain, kind);
            let upstream = news.upstream();
            if let Some((state, upstream)) = self.chains.get_mut(chain.as_usize()).zip(upstream) {
                state.turned(upstream, now, &mut |kind| self.notes.push(now, chain, kind));
            }
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

    fn hear_hold_off(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        (floor, until): (Instant, Instant),
        now: Instant,
    ) -> Option<NoteKind> {
        let began = self
            .member(chain, upstream)?
            .throttle
            .adopt(floor, until, now);
        self.hold_account(chain, upstream, now);
        if began.is_some()
            && self
                .member(chain, upstream)
                .is_some_and(|member| !member.limiter.knows_rate(now))
        {
            // What was too much was everybody's traffic together: of the limit each has the part that it used.
            self.watch_throttle(chain, upstream, now);
        }
        began.map(|until| NoteKind::HoldOffBegan { upstream, until })
    }

    fn hear_ban(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        method: MethodId,
        told: Ban,
        now: Instant,
    ) -> Option<NoteKind> {
        let member = self.member(chain, upstream)?;
        let told = Ban {
            at: told.at.min(now),
            ..told
        };
        let is_news = member.bans.take(method, told) && told.until > now;
        is_news.then_some(NoteKind::Banned {
            upstream,
            method,
            until: told.until,
        })
    }

    /// It answered somebody: its probes may begin before their time.
    fn hear_well(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        (at, returned): (Instant, Instant),
        now: Instant,
    ) {
        let Some(member) = self.member(chain, upstream) else {
            return;
        };
        let changes = member.breakers.heard_well(at, returned);
        let turned = breaker_notes(upstream, MethodGroup::Reads, changes);
        for kind in turned.into_iter().flatten() {
            self.notes.push(now, chain, kind);
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
        crossed.map(|crossed| NoteKind::Lagging {
            upstream,
            lag_blocks: crossed.lag_blocks,
            left_out: crossed.left_out,
        })
    }

    pub(super) fn member(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
    ) -> Option<&mut Upstream> {
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
                let state = self.chain(chain)?;
                let (number, behind, at) = state.heads.reported(upstream, kind)?;
                Some(News::Head {
                    chain,
                    upstream,
                    kind,
                    number,
                    behind,
                    at,
                    returned: state.upstream(upstream)?.breakers.returned(),
                })
            }
            Key::Breaker(chain, upstream, group) => {
                let breakers = &self.chain(chain)?.upstream(upstream)?.breakers;
                let state = group.map_or(breakers.whole(), |group| breakers.group(group));
                let (opened, until) = breakers.opening(group);
                (state == State::Open).then_some(News::Breaker {
                    chain,
                    upstream,
                    group,
                    opened,
                    until,
                })
            }
            Key::Quarantine(chain, upstream) => {
                let quarantine = &self.chain(chain)?.upstream(upstream)?.quarantine;
                let (cause, until) = quarantine.state()?;
                (cause != Cause::WrongChain).then_some(News::Quarantine {
                    chain,
                    upstream,
                    cause,
                    began: quarantine.began(),
                    until,
                })
            }
            Key::Ban(chain, upstream, method) => {
                let ban = self.chain(chain)?.upstream(upstream)?.bans.read(method)?;
                Some(News::Ban {
                    chain,
                    upstream,
                    method,
                    at: ban.at,
                    until: ban.until,
                })
            }
            Key::Learned(chain, upstream, register) => {
                let lessons = &self.chain(chain)?.upstream(upstream)?.lessons;
                let (what, at) = lessons.read(usize::from(register))?;
                Some(News::Learned {
                    chain,
                    upstream,
                    what,
                    at,
                })
            }
            Key::HoldOff(chain, upstream) => {
                let throttle = &self.chain(chain)?.upstream(upstream)?.throttle;
                // Whoever is held for its account's sake alone is held by each shard for the two that are.
                throttle.held_itself().map(|until| News::HoldOff {
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
