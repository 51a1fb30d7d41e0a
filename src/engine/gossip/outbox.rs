//! What waits to be told, as marks by key: a fact is read when it is taken, so the newest is told, and the outbox never grows. It holds
//! no fact itself.

use alloc::vec::Vec;
use core::time::Duration;

use crate::head::HeadKind;
use crate::index::{AccountIndex, ChainIndex, UpstreamIndex, UpstreamSet};
use crate::time::Instant;

/// How an upstream stands is told so often at most.
pub const SCORE_EVERY: Duration = Duration::from_millis(250);

/// What a fact is about: of one key at most one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// What is agreed on a chain.
    Agreed(ChainIndex),
    /// An upstream's head.
    Head(ChainIndex, UpstreamIndex, HeadKind),
    /// An upstream's hold-off.
    HoldOff(ChainIndex, UpstreamIndex),
    /// An upstream's breaker.
    Breaker(ChainIndex, UpstreamIndex),
    /// How an upstream stands.
    Score(ChainIndex, UpstreamIndex),
    /// What was spent of an account.
    Spend(AccountIndex),
}

#[derive(Debug, Default)]
struct Waiting {
    agreed: bool,
    heads: [UpstreamSet; HeadKind::COUNT],
    hold_offs: UpstreamSet,
    breakers: UpstreamSet,
    scores: UpstreamSet,
    /// When an upstream's standing may be told next.
    score_from: Vec<Instant>,
}

/// The marks of all chains.
#[derive(Debug, Default)]
pub struct Outbox {
    chains: Vec<Waiting>,
    /// The first chain that may have a mark.
    first: usize,
    /// By account: whether it has a mark, and when it was marked last.
    spends: Vec<(bool, Instant)>,
    /// How many accounts have one.
    spends_waiting: usize,
    superseded: u64,
}

impl Outbox {
    /// An empty one for chains of so many upstreams each, and so many accounts.
    pub fn new(upstreams: impl Iterator<Item = usize>, accounts: usize) -> Self {
        let chains: Vec<Waiting> = upstreams
            .map(|count| Waiting {
                score_from: alloc::vec![Instant::ZERO; count],
                ..Waiting::default()
            })
            .collect();
        Self {
            first: chains.len(),
            chains,
            spends: alloc::vec![(false, Instant::ZERO); accounts],
            spends_waiting: 0,
            superseded: 0,
        }
    }

    /// Something was spent of an account; told no more often than every so long.
    pub fn mark_spend(&mut self, account: AccountIndex, now: Instant, every: Duration) {
        let Some((waits, marked)) = self.spends.get_mut(account.as_usize()) else {
            return;
        };
        let is_first = *marked == Instant::ZERO;
        if !is_first && now < *marked + every {
            return;
        }
        *marked = now.max(Instant(1));
        if core::mem::replace(waits, true) {
            self.superseded += 1;
        } else {
            self.spends_waiting += 1;
        }
    }

    fn take_spend(&mut self) -> Option<Key> {
        let position = self.spends.iter().position(|(waits, _)| *waits)?;
        let (waits, _) = self.spends.get_mut(position)?;
        *waits = false;
        self.spends_waiting -= 1;
        Some(Key::Spend(AccountIndex(position as u16)))
    }

    /// There is something new about this.
    pub fn mark(&mut self, key: Key) {
        let chain = match key {
            Key::Agreed(chain)
            | Key::Head(chain, ..)
            | Key::HoldOff(chain, _)
            | Key::Breaker(chain, _)
            | Key::Score(chain, _) => chain.as_usize(),
            Key::Spend(account) => return self.mark_spend(account, Instant::ZERO, Duration::ZERO),
        };
        let Some(waiting) = self.chains.get_mut(chain) else {
            return;
        };
        self.first = self.first.min(chain);
        if waiting.mark(key) {
            self.superseded += 1;
        }
    }

    /// How an upstream stands has changed; told only so often.
    pub fn mark_score(&mut self, chain: ChainIndex, upstream: UpstreamIndex, now: Instant) {
        let waiting = self.chains.get_mut(chain.as_usize());
        let from = waiting.and_then(|waiting| waiting.score_from.get_mut(upstream.as_usize()));
        if let Some(from) = from.filter(|from| now >= **from) {
            *from = now + SCORE_EVERY;
            self.mark(Key::Score(chain, upstream));
        }
    }

    /// The next key, whose mark is taken off.
    pub fn take(&mut self) -> Option<Key> {
        while let Some(waiting) = self.chains.get_mut(self.first) {
            if let Some(key) = waiting.take(ChainIndex(self.first as u16)) {
                return Some(key);
            }
            self.first += 1;
        }
        if self.spends_waiting > 0 {
            return self.take_spend();
        }
        None
    }

    /// Facts that were replaced by newer ones before they were taken.
    pub const fn superseded(&self) -> u64 {
        self.superseded
    }
}

impl Waiting {
    /// True if there was such a mark already.
    fn mark(&mut self, key: Key) -> bool {
        let (set, upstream) = match key {
            Key::Agreed(_) => return core::mem::replace(&mut self.agreed, true),
            Key::Head(_, upstream, kind) => match self.heads.get_mut(kind as usize) {
                Some(set) => (set, upstream),
                None => return false,
            },
            Key::HoldOff(_, upstream) => (&mut self.hold_offs, upstream),
            Key::Breaker(_, upstream) => (&mut self.breakers, upstream),
            Key::Score(_, upstream) => (&mut self.scores, upstream),
            Key::Spend(_) => return false,
        };
        let was_there = set.contains(upstream);
        set.insert(upstream);
        was_there
    }

    /// In the order of what it costs to hear late.
    fn take(&mut self, chain: ChainIndex) -> Option<Key> {
        if core::mem::take(&mut self.agreed) {
            return Some(Key::Agreed(chain));
        }
        for (kind, set) in HeadKind::ALL.into_iter().zip(&mut self.heads) {
            if let Some(upstream) = take_first(set) {
                return Some(Key::Head(chain, upstream, kind));
            }
        }
        if let Some(upstream) = take_first(&mut self.hold_offs) {
            return Some(Key::HoldOff(chain, upstream));
        }
        if let Some(upstream) = take_first(&mut self.breakers) {
            return Some(Key::Breaker(chain, upstream));
        }
        take_first(&mut self.scores).map(|upstream| Key::Score(chain, upstream))
    }
}

fn take_first(set: &mut UpstreamSet) -> Option<UpstreamIndex> {
    let first = set.iter().next()?;
    set.remove(first);
    Some(first)
}
