//! How far a chain and each of its upstreams have come. It is told heads, and asks nobody; it says whom to ask next.
//!
//! **Agreed** is what the upstreams' reports together say: the highest; with three or more that report, the second highest, so
//! that a single one that reports nonsense cannot raise it. **Served** is what clients are told: what is agreed, what another shard has
//! served ([`Mark`]), or what answers plausibly added: one a few blocks, two upstreams' that say the same as much as reports. Neither
//! goes back, but by a reset.
//!
//! **Plausible** is a number that the chain can have reached since the last one was agreed on: 64 blocks, or eight times its usual
//! pace. One that is higher is believed when another says about the same, or when its upstream has said it three times in a row and no other
//! has meanwhile said anything believable. The
//! first of all is believed, with three or more after a moment in which the others may speak; if it was never confirmed and two others
//! agree on something far below, it is taken back.
//!
//! **A reset** is how a test chain is set back and still served: when every upstream that gave the head has reported less, three times in a row and
//! for [`GONE_BACK_FOR`] or four blocks. An upstream that is merely silent has not gone back, so a failover to one that lags is no reset.
//! After a reset nothing is final, and a new era begins. What was served above all that the reports can explain, as by an answer before
//! anybody had reported, is taken back in the same way.
//!
//! **Behind** is an upstream by its own report, held against what was agreed on when the report came, if anybody still said so then.
//! So it is never called late because another was asked a moment after it, however fast the chain is.
//!
//! **A restart** is a reset at once: every upstream that counts says what a chain cannot say that goes on, twice in a row: a newest
//! block well below the final one, or a final block two epochs below what it called final before.

mod gate;
mod height;
mod kind;
mod pace;
mod polls;
mod quorum;
#[cfg(test)]
mod tests;
mod weigh;

pub use gate::FREE_BLOCKS;
pub use kind::{ChainHead, HeadKind, HeadPoll, Mark};
pub use polls::MAX_BACK_OFF;

use alloc::vec::Vec;
use core::time::Duration;

use crate::block::Height as Needed;
use crate::config::HeadConfig;
use crate::index::{UpstreamIndex, UpstreamSet};
use crate::time::Instant;

use height::{Height, Report};
use pace::Pace;
use polls::End;

/// The default limit of [`ChainConfig::max_lag_blocks`](crate::config::ChainConfig::max_lag_blocks): three minutes of Ethereum.
pub const DEFAULT_MAX_LAG_BLOCKS: u64 = 16;

/// An upstream that does not know a tag is asked for it again after this long: it may have been upgraded.
pub const ASK_AGAIN: Duration = Duration::from_secs(600);

/// For so long at least the upstreams that gave the head must report less before it is taken back.
pub const GONE_BACK_FOR: Duration = Duration::from_secs(30);

/// One that gave the head and has been silent for so long does not hold up a reset by the others that gave it.
pub const SILENT_FOR: Duration = Duration::from_secs(600);

/// What the reports together say, of one era.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// How often the chain was reset before.
    pub era: u32,
    /// The newest block.
    pub newest: u64,
    /// Since when that is the newest.
    pub since: Instant,
    /// The newest safe block.
    pub safe: Option<u64>,
    /// The newest finalized block.
    pub finalized: Option<u64>,
    /// The mean time between two blocks, once it is known.
    pub block_time: Option<Duration>,
}

/// The heads of one chain and its upstreams.
#[derive(Clone, Debug)]
pub struct Heads {
    config: HeadConfig,
    heights: Vec<Height>,
    max_lag_blocks: Option<u64>,
    lagging: UpstreamSet,
    /// Those that once said that they are not in sync, and have not reported a head since their time was over.
    unready: UpstreamSet,
    agreed: Option<Agreed>,
    /// Those whose reports reached what is agreed.
    givers: UpstreamSet,
    /// Two have once agreed, or there were never three.
    confirmed: bool,
    served: ChainHead,
    pace: Pace,
    /// The first head that was served without an agreement, and when: what answers are held against until there is one.
    first_served: Option<(u64, Instant)>,
    /// Since when more is served than what is agreed on can explain.
    above_since: Option<Instant>,
    /// When something was agreed on first.
    first_agreed: Option<Instant>,
    /// When the first newest block was reported.
    first_report: Option<Instant>,
    /// When the first finalized, and the first safe block was reported.
    finality_since: [Option<Instant>; HeadKind::COUNT],
}

/// What a report changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// It was believed, and is newer than what was known of this upstream.
    pub news: Option<HeadKind>,
    /// What is agreed is something else now.
    pub agreed: bool,
    /// The upstream crossed the limit.
    pub crossed: Option<Crossed>,
    /// The chain was reset: the head that was served, and the one that is.
    pub reset: Option<(u64, u64)>,
}

/// An upstream crossed the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// How far it is behind.
    pub lag_blocks: u64,
    /// Is it out now?
    pub left_out: bool,
}

impl Heads {
    /// Nothing is known, so nobody lags.
    #[must_use]
    pub fn new(upstreams: usize, max_lag_blocks: Option<u64>, config: HeadConfig) -> Self {
        Self {
            config,
            heights: alloc::vec![Height::default(); upstreams],
            max_lag_blocks,
            lagging: UpstreamSet::EMPTY,
            unready: UpstreamSet::EMPTY,
            agreed: None,
            givers: UpstreamSet::EMPTY,
            confirmed: false,
            served: ChainHead::default(),
            pace: Pace::default(),
            first_served: None,
            above_since: None,
            first_agreed: None,
            first_report: None,
            finality_since: [None; HeadKind::COUNT],
        }
    }

    /// What is served.
    #[must_use]
    pub const fn head(&self) -> ChainHead {
        self.served
    }

    /// What the reports together say.
    #[must_use]
    pub const fn agreed(&self) -> Option<Agreed> {
        self.agreed
    }

    /// The mean time between two blocks, once it is known.
    #[must_use]
    pub fn block_time(&self) -> Option<Duration> {
        let told = || self.agreed?.block_time;
        self.pace.block_time().or_else(told)
    }

    /// Would an answer now be the first after a silence? The question before failed, or this one was due long ago and is answered only now.
    #[must_use]
    pub fn is_silent(&self, upstream: UpstreamIndex, now: Instant) -> bool {
        let Some(height) = self.heights.get(upstream.as_usize()) else {
            return false;
        };
        let due = || {
            let report = height.report(HeadKind::Newest);
            let behind = report.map_or(0, |report| report.behind);
            height.polls.newest_at(&self.config, &self.pace, behind)
        };
        height.polls.was_asked(HeadKind::Newest)
            && (height.polls.failures(HeadKind::Newest) > 0
                || due() + self.config.min_interval <= now)
    }

    /// Takes in an upstream's answer to a question for one of its heads.
    pub fn report(
        &mut self,
        upstream: UpstreamIndex,
        kind: HeadKind,
        number: u64,
        at: Instant,
    ) -> Reported {
        let Some(height) = self.heights.get_mut(upstream.as_usize()) else {
            return Reported::default();
        };
        height.polls.ended(kind, End::Answered, at);
        if at >= height.not_ready_until {
            self.unready.remove(upstream);
        }
        match kind {
            HeadKind::Newest => self.newest_reported(upstream, number, at),
            HeadKind::Safe | HeadKind::Finalized => {
                self.finality_reported(upstream, kind, number, at)
            }
        }
    }

    /// A question for one of its heads came to nothing; `unknown` when the upstream said that it does not know the tag.
    pub fn unanswered(
        &mut self,
        upstream: UpstreamIndex,
        kind: HeadKind,
        unknown: bool,
        at: Instant,
    ) {
        if let Some(height) = self.heights.get_mut(upstream.as_usize()) {
            let end = if unknown { End::Unknown } else { End::Failed };
            height.polls.ended(kind, end, at);
            if kind == HeadKind::Newest {
                height.failed();
            }
        }
    }

    /// An upstream answered a call: if questions to it failed, they need not wait out their long pauses.
    pub fn works(&mut self, upstream: UpstreamIndex) {
        if let Some(height) = self.heights.get_mut(upstream.as_usize())
            && height.polls.failures(HeadKind::Newest) > 0
        {
            height.polls.works();
        }
    }

    /// Takes in what another shard heard of an upstream. Nothing is concluded from it about the chain.
    pub fn hear(
        &mut self,
        upstream: UpstreamIndex,
        kind: HeadKind,
        (number, behind): (u64, u64),
        at: Instant,
    ) -> Option<Crossed> {
        let report = Report { at, number, behind };
        let late = self.is_past_race((number, behind), at);
        let height = self.heights.get_mut(upstream.as_usize())?;
        let is_news = height.hear(kind, report) && kind == HeadKind::Newest;
        if is_news {
            height.set_late(late);
        }
        is_news.then(|| self.cross(upstream, behind)).flatten()
    }

    /// Takes in what another shard concluded about the chain: of one era the highest, and a later era replaces.
    pub fn join(&mut self, told: &Agreed) {
        let ours = self.agreed.get_or_insert(Agreed {
            since: Instant::NEVER,
            ..*told
        });
        if told.era > ours.era {
            *ours = *told;
            self.givers = UpstreamSet::EMPTY;
        } else if told.era == ours.era {
            if told.newest > ours.newest {
                (ours.newest, ours.since) = (told.newest, told.since);
                ours.block_time = told.block_time;
            } else if told.newest == ours.newest {
                ours.since = ours.since.min(told.since);
                ours.block_time = ours.block_time.max(told.block_time);
            }
            ours.safe = ours.safe.max(told.safe);
            ours.finalized = ours.finalized.max(told.finalized);
        }
        self.serve_agreed();
    }

    /// Another shard serves this.
    pub fn raise(&mut self, mark: Mark, now: Instant) {
        if let Some((era, number)) = mark.read() {
            self.serve(era, number);
            self.first_served.get_or_insert((number, now));
        }
    }

    /// What hangs on the newest block is out of date, although its number may be the same.
    pub fn outdate(&mut self) {
        self.served.seq += 1;
    }

    /// What a client is told of an upstream's `eth_blockNumber`.
    pub fn answer(&mut self, upstream: UpstreamIndex, answered: u64, now: Instant) -> u64 {
        if !self.config.enabled || upstream.as_usize() >= self.heights.len() {
            return answered;
        }
        let told = match self.served.newest {
            Some(served) if answered <= served => return served,
            Some(served) if !self.is_likely(answered, now) => {
                let seconded = self.seconded(upstream, answered, now);
                match seconded.filter(|seconded| *seconded > served) {
                    Some(seconded) => seconded,
                    None => return served,
                }
            }
            _ => answered,
        };
        if let Some(height) = self.heights.get_mut(upstream.as_usize()) {
            height.answered(told);
        }
        self.serve(self.served.era, told);
        self.first_served.get_or_insert((told, now));
        told
    }

    /// Which block a client is told is `safe` or `finalized` where an upstream answered with this one: never an older one than is served.
    /// A newer one raises what is served when another upstream says so too, or none but this one knows the tag.
    pub fn answer_final(&mut self, upstream: UpstreamIndex, kind: HeadKind, answered: u64) -> u64 {
        let (Some(newest), Some(served)) = (self.served.newest, self.served.of(kind)) else {
            return answered;
        };
        if !self.config.enabled || kind == HeadKind::Newest {
            return answered;
        }
        if let Some(height) = self.heights.get_mut(upstream.as_usize()) {
            height.called_final(kind, answered);
        }
        let others = self.heights.iter().enumerate();
        let others = others.filter(|(position, _)| *position != upstream.as_usize());
        let second = others.filter_map(|(_, other)| other.finality(kind)).max();
        let believed = answered.min(second.unwrap_or(answered)).min(newest);
        self.serve_final(kind, Some(believed));
        believed.max(served)
    }

    /// The upstream said itself that it is not in sync.
    pub fn mark_not_ready(&mut self, upstream: UpstreamIndex, now: Instant, span: Duration) {
        if let Some(height) = self.heights.get_mut(upstream.as_usize()) {
            height.not_ready_until = now + span;
            self.unready.insert(upstream);
        }
    }

    /// The upstream is of another chain: what it said is forgotten, and what was kept may be its answers.
    pub fn disown(&mut self, upstream: UpstreamIndex, now: Instant) -> Option<(u64, u64)> {
        let height = self.heights.get_mut(upstream.as_usize())?;
        height.forget();
        self.served.generation += 1;
        self.served.seq += 1;
        self.lagging.remove(upstream);
        let gave = self.givers.contains(upstream);
        self.givers.remove(upstream);
        if !gave || !self.givers.is_empty() {
            return None;
        }
        self.reset(now)
    }

    /// All of whom [`Self::is_late`] may be true: nobody else need be asked about.
    #[must_use]
    pub const fn maybe_late(&self) -> UpstreamSet {
        self.lagging.or(self.unready)
    }

    /// Is it too far behind for any call?
    #[must_use]
    pub fn is_late(&self, upstream: UpstreamIndex, now: Instant) -> bool {
        let not_ready = self
            .heights
            .get(upstream.as_usize())
            .is_some_and(|height| now < height.not_ready_until);
        not_ready || self.lagging.contains(upstream)
    }

    /// Is it known not to have come as far as a call needs? Of one of which nothing is known it is not known.
    #[must_use]
    pub fn falls_short(&self, upstream: UpstreamIndex, needed: Needed) -> bool {
        let Some(height) = self.heights.get(upstream.as_usize()) else {
            return false;
        };
        match needed {
            Needed::Any => false,
            Needed::At(number) => height.newest().is_some_and(|newest| newest < number),
            // The race is a block at least, so most are decided without a division.
            Needed::Latest => height.report(HeadKind::Newest).is_some_and(|report| {
                height.is_late()
                    || report.behind > 1 && report.behind > gate::race(self.block_time())
            }),
            Needed::Safe => self.lacks_final(height, HeadKind::Safe),
            Needed::Finalized => self.lacks_final(height, HeadKind::Finalized),
        }
    }

    /// Is it known not to call final what clients were told is?
    fn lacks_final(&self, height: &Height, kind: HeadKind) -> bool {
        let known = height.finality(kind);
        known.is_some_and(|known| self.served.of(kind) > Some(known))
    }

    /// Was a report of less than the chain's head made so long after the head was heard of that it is no race of two questions?
    fn is_past_race(&self, (number, behind): (u64, u64), at: Instant) -> bool {
        // A shard may hear of the report before it hears of the head that it was behind.
        let is_old = |agreed: Agreed| agreed.newest > number && agreed.since + gate::RACE <= at;
        behind > 0 && self.agreed.is_some_and(is_old)
    }

    /// The last that an upstream is known to have of this kind.
    #[must_use]
    pub fn known(&self, upstream: UpstreamIndex, kind: HeadKind) -> Option<u64> {
        let height = self.heights.get(upstream.as_usize())?;
        match kind {
            HeadKind::Newest => height.newest(),
            HeadKind::Safe | HeadKind::Finalized => height.report(kind).map(|report| report.number),
        }
    }

    /// Its last report of this kind: the number, how far that was behind, and when.
    #[must_use]
    pub fn reported(&self, upstream: UpstreamIndex, kind: HeadKind) -> Option<(u64, u64, Instant)> {
        let report = self.heights.get(upstream.as_usize())?.report(kind)?;
        Some((report.number, report.behind, report.at))
    }

    /// What to ask an upstream next; `None` where heads are not followed.
    #[must_use]
    pub fn next_poll(&self, upstream: UpstreamIndex) -> Option<HeadPoll> {
        let height = self.heights.get(upstream.as_usize())?;
        let behind = height
            .report(HeadKind::Newest)
            .map_or(0, |report| report.behind);
        self.config
            .enabled
            .then(|| height.polls.next(&self.config, &self.pace, behind))
    }

    fn cross(&mut self, upstream: UpstreamIndex, lag_blocks: u64) -> Option<Crossed> {
        let left_out = self.max_lag_blocks.is_some_and(|limit| lag_blocks > limit);
        if left_out == self.lagging.contains(upstream) {
            return None;
        }
        if left_out {
            self.lagging.insert(upstream);
        } else {
            self.lagging.remove(upstream);
        }
        Some(Crossed {
            lag_blocks,
            left_out,
        })
    }

    fn serve_agreed(&mut self) {
        let Some(agreed) = self.agreed else {
            return;
        };
        self.serve(agreed.era, agreed.newest);
        if agreed.era == self.served.era {
            self.serve_final(HeadKind::Safe, agreed.safe);
            self.serve_final(HeadKind::Finalized, agreed.finalized);
        }
    }

    fn serve_final(&mut self, kind: HeadKind, number: Option<u64>) {
        let slot = match kind {
            HeadKind::Newest => return,
            HeadKind::Safe => &mut self.served.safe,
            HeadKind::Finalized => &mut self.served.finalized,
        };
        if number > *slot {
            *slot = number;
            self.served.seq += 1;
        }
    }

    fn serve(&mut self, era: u32, number: u64) {
        let is_later = era > self.served.era;
        if is_later {
            (self.served.safe, self.served.finalized) = (None, None);
            self.served.generation += 1;
        } else if era < self.served.era || self.served.newest >= Some(number) {
            return;
        }
        self.served.era = era;
        self.served.newest = Some(number);
        self.served.seq += 1;
    }

    /// May one answer raise what clients are told? By as much as the reports may where it is the only upstream's, by a few
    /// blocks where there are others.
    fn is_likely(&self, answered: u64, now: Instant) -> bool {
        let allowed = if self.heights.len() == 1 {
            gate::allowance
        } else {
            gate::slack
        };
        self.is_within(allowed, answered, now)
    }

    /// Is it no more above what is agreed, or was served first, than is allowed by now?
    fn is_within(
        &self,
        allowed: fn(Option<Duration>, Duration) -> u64,
        answered: u64,
        now: Instant,
    ) -> bool {
        let agreed = self.agreed.map(|agreed| (agreed.newest, agreed.since));
        let Some((newest, since)) = agreed.or(self.first_served) else {
            return true;
        };
        let passed = now.saturating_duration_since(since);
        answered <= newest.saturating_add(allowed(self.block_time(), passed))
    }

    /// How much of an answer that one alone may not give is believed because another upstream said it, too, since it was last
    /// asked for its head. A chain that mines in bursts is ahead of the questions.
    fn seconded(&mut self, upstream: UpstreamIndex, answered: u64, now: Instant) -> Option<u64> {
        if !self.is_within(gate::allowance, answered, now) {
            return None;
        }
        let height = self.heights.get_mut(upstream.as_usize())?;
        height.claimed(answered);
        let others = self.heights.iter().enumerate();
        let others = others.filter(|(position, _)| *position != upstream.as_usize());
        let second = others.filter_map(|(_, other)| other.said()).max()?;
        Some(second.min(answered))
    }
}
