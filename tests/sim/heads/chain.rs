//! The chain as it really is, and what each upstream makes of it.

use core::time::Duration;

use engine::rng::Rng;
use engine::time::Instant;

/// The newest block's number at the start, unless another is given.
pub const START: u64 = 1_000;
/// How far behind the newest the finalized block is.
const FINAL_AFTER: u64 = 64;

/// What an upstream does with the chain.
#[derive(Clone, Copy, Debug)]
pub enum Habit {
    /// It has each block so long after it was made.
    Follows(Duration),
    /// It is so many blocks behind.
    Lags(u64),
    /// It stands still at what it had when this began.
    Stuck,
    /// It answers from several nodes that are up to so many blocks behind, at random.
    Mixed(u64),
    /// It says numbers this much too high, heads and finality alike.
    Lies(u64),
    /// Numbers of no sense at all.
    Raves,
    /// It does not answer.
    Silent,
}

/// An upstream: its habit, and others for a time.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub habit: Habit,
    /// From, until, what it does then.
    pub phases: Vec<(Instant, Instant, Habit)>,
    /// It knows the tags `safe` and `finalized`.
    pub tags: bool,
}

impl Node {
    /// One of this habit.
    #[must_use]
    pub fn new(habit: Habit) -> Self {
        Self {
            habit,
            phases: Vec::new(),
            tags: true,
        }
    }

    /// One that has each block so many milliseconds after it was made.
    #[must_use]
    pub fn good(delay_ms: u64) -> Self {
        Self::new(Habit::Follows(Duration::from_millis(delay_ms)))
    }

    /// Does something else between those seconds.
    #[must_use]
    pub fn but(mut self, from_s: u64, until_s: u64, habit: Habit) -> Self {
        let second = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        self.phases.push((second(from_s), second(until_s), habit));
        self
    }

    fn now(&self, at: Instant) -> (Habit, Instant) {
        let phases = self.phases.iter();
        let mut current = phases.filter(|(from, until, _)| (*from..*until).contains(&at));
        current
            .next()
            .map_or((self.habit, Instant::ZERO), |(from, _, habit)| {
                (*habit, *from)
            })
    }
}

/// The chain: when each block was made.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Made at, number; the first was there at the start.
    made: Vec<(Instant, u64)>,
    start: u64,
}

impl Truth {
    /// All blocks of a run. Each is made within a quarter of a block time around its due time, and one of twenty is missed. With `set_back` it
    /// goes back then by so many blocks, or to the first.
    #[must_use]
    pub fn new(
        start: u64,
        each: Duration,
        until: Instant,
        set_back: Option<(Instant, u64)>,
        rng: &mut Rng,
    ) -> Self {
        let mut made = vec![(Instant::ZERO, start)];
        let (mut slot, mut number) = (Instant::ZERO, start);
        let mut set_back = set_back;
        while slot < until {
            slot = slot + each;
            if rng.chance(1, 20) {
                continue;
            }
            let jitter = rng.below(engine::time::nanos(each) / 4);
            number += 1;
            let at = slot + Duration::from_nanos(jitter);
            if let Some((when, blocks)) = set_back
                && at >= when
            {
                number = number.saturating_sub(blocks).max(1);
                set_back = None;
            }
            made.push((at, number));
        }
        Self { made, start }
    }

    /// The newest block at a time.
    #[must_use]
    pub fn newest(&self, at: Instant) -> u64 {
        let after = self.made.partition_point(|(made, _)| *made <= at);
        self.made
            .get(after.saturating_sub(1))
            .map_or(self.start, |block| block.1)
    }

    /// The finalized block then.
    #[must_use]
    pub fn finalized(&self, at: Instant) -> u64 {
        self.newest(at).saturating_sub(FINAL_AFTER)
    }

    /// How many blocks were made.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.made.len() as u64
    }

    /// The newest block by this upstream; `None` where it does not answer.
    pub fn said(&self, node: &Node, at: Instant, rng: &mut Rng) -> Option<u64> {
        let (habit, since) = node.now(at);
        match habit {
            Habit::Follows(delay) => Some(self.newest(at - delay)),
            Habit::Lags(blocks) => Some(self.newest(at).saturating_sub(blocks)),
            Habit::Stuck => Some(self.newest(since)),
            Habit::Mixed(blocks) => Some(self.newest(at).saturating_sub(rng.below(blocks + 1))),
            Habit::Lies(blocks) => Some(self.newest(at) + blocks),
            Habit::Raves => Some(rng.next_u64()),
            Habit::Silent => None,
        }
    }

    /// The finalized block by this upstream.
    pub fn said_final(&self, node: &Node, at: Instant, rng: &mut Rng) -> Option<u64> {
        let newest = self.said(node, at, rng)?;
        Some(match node.now(at).0 {
            Habit::Lies(_) | Habit::Raves => newest,
            _ => newest.saturating_sub(FINAL_AFTER),
        })
    }
}
