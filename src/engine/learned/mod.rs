//! What an upstream takes: how many blocks at once, how many calls in a batch, how old a block. It is learned from refusals and unlearned
//! from answers, believed for [`BELIEVED_FOR`] and then tried again; it says nothing about health, and it chooses nobody.
//!
//! Each fact is a register in which the newest counts, so that shards that tell each other theirs come to the same view in any order.
//!
//! **Blocks.** A refusal that names its limit is believed; one that does not teaches that so many blocks are too many, and no more than that. A limit of
//! results or addresses is about the query and teaches nothing of the next one.
//!
//! **History.** A node that lacks a block far below its head lacks all older ones, too, and one that prunes goes on pruning: what is
//! gone moves up with the head. Near the head a missing block is not yet there, which is another matter ([`head`](crate::head)'s).

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::block::Height;
use crate::fault::Hint;
use crate::method::{BlockForm, MethodClass, MethodGroup, StandardPolicy};
use crate::time::Instant;

/// How long anything that was learned is believed. Plans change, nodes are rebuilt.
pub const BELIEVED_FOR: Duration = Duration::from_secs(600);
/// A block that is no further below the head than this may only be missing yet.
pub const NOT_YET_BLOCKS: u64 = 32;

/// What of a block a call needs: nodes drop one sooner than the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum History {
    /// Balances, code, storage: a full node keeps the last 128 blocks' or so.
    State,
    /// The block, its transactions and receipts (EIP-4444 lets nodes drop them).
    Blocks,
    /// Logs over ranges.
    Logs,
    /// Re-execution: state, and often an index.
    Traces,
}

impl History {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// Every kind, in order.
    pub const ALL: [Self; Self::COUNT] = [Self::State, Self::Blocks, Self::Logs, Self::Traces];

    /// What a call of this method needs of its block.
    #[must_use]
    pub const fn of(policy: &StandardPolicy) -> Self {
        match (policy.class, policy.block_param) {
            (MethodClass::Trace, _) => Self::Traces,
            (MethodClass::Logs, _) => Self::Logs,
            (_, Some(param)) if matches!(param.form, BlockForm::NumberTagOrHash) => Self::State,
            _ => Self::Blocks,
        }
    }

    /// The name in metrics and dumps.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Blocks => "blocks",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }
}

/// One thing that was learned of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Learned {
    /// It takes at most so many blocks at once, first and last included; `u64::MAX` where that turned out not to be so.
    Blocks {
        /// In calls of this kind.
        group: MethodGroup,
        /// So many.
        most: u64,
    },
    /// It takes at most so many calls in one batch; `u32::MAX` where that turned out not to be so.
    Batch {
        /// So many.
        most: u32,
    },
    /// It has this no more of any block as old as `gone`, or older; not even where that was found when the head was at `head`, moved up by as much as
    /// the head has since. `gone` is 0 where that turned out not to be so.
    History {
        /// What it lacks.
        kind: History,
        /// The newest block that it is known not to have any more.
        gone: u64,
        /// The chain's head when that was found.
        head: u64,
    },
}

impl Learned {
    /// How many registers an upstream has.
    pub const COUNT: usize = MethodGroup::COUNT + 1 + History::COUNT;

    /// The register that it belongs into, below [`Self::COUNT`].
    #[must_use]
    pub const fn register(&self) -> usize {
        match *self {
            Self::Blocks { group, .. } => group as usize,
            Self::Batch { .. } => MethodGroup::COUNT,
            Self::History { kind, .. } => MethodGroup::COUNT + 1 + kind as usize,
        }
    }

    /// Does it say that nothing is known any more?
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        match *self {
            Self::Blocks { most, .. } => most == u64::MAX,
            Self::Batch { most } => most == u32::MAX,
            Self::History { gone, .. } => gone == 0,
        }
    }

    /// The name in metrics and events.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Blocks { .. } => "blocks",
            Self::Batch { .. } => "batch",
            Self::History { .. } => "history",
        }
    }
}

/// What a call asks for, as far as upstreams have limits of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of which kind it is.
    pub group: MethodGroup,
    /// What it needs of its blocks.
    pub history: History,
    /// How many blocks; 0 where that is not known.
    pub blocks: u64,
    /// The oldest of them, where that is known.
    pub oldest: Option<u64>,
    /// The chain's head, where that is known.
    pub head: Option<u64>,
}

impl Wanted {
    /// What a call of this method asks for.
    #[must_use]
    pub fn of(policy: &StandardPolicy, height: Height, blocks: u64, head: Option<u64>) -> Self {
        let newest = match height {
            // How far back the safe and the final block are does not matter to what nodes keep.
            Height::Any | Height::Safe | Height::Finalized => None,
            Height::Latest => head,
            Height::At(number) => Some(number),
        };
        Self {
            group: policy.class.group(),
            history: History::of(policy),
            blocks,
            oldest: newest
                .filter(|_| blocks > 0)
                .map(|newest| newest.saturating_sub(blocks - 1)),
            head,
        }
    }
}

/// What was learned of one upstream.
#[derive(Clone, Debug)]
pub struct Lessons {
    registers: [Option<(Instant, Learned)>; Learned::COUNT],
    /// Nothing is believed from then on.
    until: Instant,
}

impl Lessons {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            registers: [None; Learned::COUNT],
            until: Instant::ZERO,
        }
    }

    /// Is nothing believed?
    #[must_use]
    pub fn is_empty(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// Takes in a fact that was found at `at`, here or elsewhere: of two in one register the newer counts. True if it is news.
    pub fn take(&mut self, learned: Learned, at: Instant) -> bool {
        let Some(register) = self.registers.get_mut(learned.register()) else {
            return false;
        };
        if register.is_some_and(|known| known >= (at, learned)) {
            return false;
        }
        *register = Some((at, learned));
        let believed = self.registers.iter().flatten();
        let last = believed.filter(|(_, learned)| !learned.is_nothing());
        self.until = last
            .map(|(at, _)| *at + BELIEVED_FOR)
            .max()
            .unwrap_or_default();
        true
    }

    /// What is in a register, and since when.
    #[must_use]
    pub fn read(&self, register: usize) -> Option<(Learned, Instant)> {
        let (at, learned) = (*self.registers.get(register)?)?;
        Some((learned, at))
    }

    /// The most blocks at once, for calls of this kind.
    #[must_use]
    pub fn max_blocks(&self, group: MethodGroup, now: Instant) -> Option<u64> {
        let asked = Learned::Blocks { group, most: 0 };
        match self.believed(asked, now)? {
            Learned::Blocks { most, .. } => Some(most),
            _ => None,
        }
    }

    /// The most calls in one batch.
    #[must_use]
    pub fn max_batch(&self, now: Instant) -> Option<u32> {
        match self.believed(Learned::Batch { most: 0 }, now)? {
            Learned::Batch { most } => Some(most),
            _ => None,
        }
    }

    /// The newest block that is gone, with the head where it is.
    #[must_use]
    pub fn gone(&self, kind: History, head: Option<u64>, now: Instant) -> Option<u64> {
        let asked = Learned::History {
            kind,
            gone: 0,
            head: 0,
        };
        match self.believed(asked, now)? {
            Learned::History {
                gone, head: then, ..
            } => Some(gone.saturating_add(head.unwrap_or(0).saturating_sub(then))),
            _ => None,
        }
    }

    /// Is it known to refuse this?
    #[must_use]
    pub fn refuse(&self, wanted: &Wanted, now: Instant) -> bool {
        if self.is_empty(now) {
            return false;
        }
        let too_many = || {
            self.max_blocks(wanted.group, now)
                .is_some_and(|most| wanted.blocks > most)
        };
        let too_old = || {
            let gone = self.gone(wanted.history, wanted.head, now);
            gone.zip(wanted.oldest)
                .is_some_and(|(gone, oldest)| oldest <= gone)
        };
        too_many() || too_old()
    }

    /// It refused so many blocks.
    pub fn refused_blocks(&mut self, wanted: &Wanted, hint: Hint, now: Instant) -> Option<Learned> {
        let Hint::TooManyBlocks(named) = hint else {
            return None;
        };
        let most = match named {
            // It says that it takes what it has just refused: then this is about something else.
            Some(named) if wanted.blocks > 0 && u64::from(named) >= wanted.blocks => return None,
            Some(named) => u64::from(named).max(1),
            // One block is no range.
            None if wanted.blocks < 2 => return None,
            None => wanted.blocks - 1,
        };
        self.learn(
            Learned::Blocks {
                group: wanted.group,
                most,
            },
            now,
        )
    }

    /// It refused a batch of so many calls.
    pub fn refused_batch(&mut self, calls: u32, hint: Hint, now: Instant) -> Option<Learned> {
        let most = match hint {
            Hint::TooManyCalls(Some(named)) if named < calls => named.max(1),
            Hint::TooManyCalls(_) => calls / 2,
            // It takes none at all.
            _ => 1,
        };
        self.learn(Learned::Batch { most: most.max(1) }, now)
    }

    /// It lacks a block that it should have had: its own head is `own_head`.
    pub fn lacked(
        &mut self,
        wanted: &Wanted,
        own_head: Option<u64>,
        now: Instant,
    ) -> Option<Learned> {
        let (oldest, head) = (wanted.oldest?, wanted.head?);
        if oldest == 0 || oldest.saturating_add(NOT_YET_BLOCKS) > own_head? {
            return None;
        }
        let kind = wanted.history;
        if self
            .gone(kind, wanted.head, now)
            .is_some_and(|gone| gone >= oldest)
        {
            return None;
        }
        self.learn(
            Learned::History {
                kind,
                gone: oldest,
                head,
            },
            now,
        )
    }

    /// It served this. What was believed to the contrary is corrected.
    pub fn served(&mut self, wanted: &Wanted, now: Instant) -> [Option<Learned>; 2] {
        let group = wanted.group;
        let more = self
            .max_blocks(group, now)
            .is_some_and(|most| wanted.blocks > most);
        let kind = wanted.history;
        let older = self
            .gone(kind, wanted.head, now)
            .zip(wanted.oldest)
            .filter(|(gone, oldest)| oldest <= gone);
        [
            more.then_some(Learned::Blocks {
                group,
                most: u64::MAX,
            })
            .and_then(|learned| self.learn(learned, now)),
            older.and_then(|(_, oldest)| {
                let learned = Learned::History {
                    kind,
                    gone: oldest.saturating_sub(1),
                    head: wanted.head.unwrap_or(0),
                };
                self.learn(learned, now)
            }),
        ]
    }

    fn learn(&mut self, learned: Learned, now: Instant) -> Option<Learned> {
        self.take(learned, now).then_some(learned)
    }

    fn believed(&self, like: Learned, now: Instant) -> Option<Learned> {
        let (learned, at) = self.read(like.register())?;
        (!learned.is_nothing() && now < at + BELIEVED_FOR).then_some(learned)
    }
}

impl Default for Lessons {
    fn default() -> Self {
        Self::new()
    }
}
