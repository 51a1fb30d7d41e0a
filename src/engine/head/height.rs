//! What one upstream said of its heads, and how far it is to be believed. It knows the others only by what it is told.

use core::time::Duration;

use crate::time::Instant;

use super::HeadKind;
use super::gate;
use super::polls::Polls;

/// An upstream that says the same implausible thing so often in a row is believed.
pub const REPEATS: u8 = 3;

/// One thing that an upstream said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Report {
    /// When. First, so that of two reports the later is the greater.
    pub at: Instant,
    /// The block's number.
    pub number: u64,
    /// How far that was behind what was known by then.
    pub behind: u64,
}

/// A number that is not believed yet.
#[derive(Clone, Copy, Debug)]
pub struct Suspicion {
    /// The number.
    pub number: u64,
    /// When it was said first.
    since: Instant,
    at: Instant,
    count: u8,
}

/// Reports in a row below the chain's head.
#[derive(Clone, Copy, Debug, Default)]
struct Low {
    since: Instant,
    count: u32,
}

/// One upstream's heads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Height {
    reports: [Option<Report>; HeadKind::COUNT],
    suspicion: Option<Suspicion>,
    low: Low,
    /// The highest that it answered to a client since its last report.
    answered: u64,
    /// The same, where it was not believed when it came.
    claimed: u64,
    /// The questions to it.
    pub polls: Polls,
    /// It said itself that it is not in sync.
    pub not_ready_until: Instant,
}

impl Height {
    /// The last report of this kind that was believed.
    #[must_use]
    pub fn report(&self, kind: HeadKind) -> Option<Report> {
        self.reports.get(kind as usize).copied().flatten()
    }

    /// Takes a report in, unless a later one is known. True if it is news.
    pub fn hear(&mut self, kind: HeadKind, report: Report) -> bool {
        let Some(slot) = self.reports.get_mut(kind as usize) else {
            return false;
        };
        let is_news = Some(report) > *slot;
        if is_news {
            *slot = Some(report);
            if kind == HeadKind::Newest {
                self.answered = 0;
                self.claimed = 0;
                self.suspicion = None;
            }
        }
        is_news
    }

    /// What it said last was so far behind what was known by then.
    pub fn set_behind(&mut self, blocks: u64) {
        if let Some(Some(report)) = self.reports.get_mut(HeadKind::Newest as usize) {
            report.behind = blocks;
        }
    }

    /// The newest block that it is known to have.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        let reported = self.report(HeadKind::Newest).map(|report| report.number);
        reported.max((self.answered > 0).then_some(self.answered))
    }

    /// It answered this to a client.
    pub fn answered(&mut self, number: u64) {
        self.answered = self.answered.max(number);
    }

    /// It answered this to a client, who was not told so.
    pub fn claimed(&mut self, number: u64) {
        self.claimed = self.claimed.max(number);
    }

    /// The newest block that it said it has, believed or not.
    #[must_use]
    pub fn said(&self) -> Option<u64> {
        self.newest()
            .max((self.claimed > 0).then_some(self.claimed))
    }

    /// Does it count where the upstreams' reports are put together? Not when it has been silent, or fails.
    #[must_use]
    pub fn is_voice(&self, now: Instant, span: Option<Duration>) -> bool {
        let recent = |report: Report| span.is_none_or(|span| report.at + span >= now);
        self.report(HeadKind::Newest).is_some_and(recent)
            && self.polls.failures(HeadKind::Newest) < REPEATS
    }

    /// The number that it insists on, and that is not believed.
    #[must_use]
    pub fn suspicion(&self) -> Option<u64> {
        self.suspicion.map(|suspicion| suspicion.number)
    }

    /// Since when it has insisted on it.
    #[must_use]
    pub fn suspected_since(&self) -> Option<Instant> {
        self.suspicion.map(|suspicion| suspicion.since)
    }

    /// It says something implausible. True when it has said about the same so often that it is believed.
    pub fn suspect(&mut self, number: u64, block_time: Option<Duration>, at: Instant) -> bool {
        let mut since = at;
        let count = match self.suspicion {
            Some(before) => {
                let passed = at.saturating_duration_since(before.at);
                let highest = before
                    .number
                    .saturating_add(gate::allowance(block_time, passed));
                let lowest = before.number.saturating_sub(gate::FREE_BLOCKS);
                if (lowest..=highest).contains(&number) {
                    since = before.since;
                    before.count.saturating_add(1)
                } else {
                    1
                }
            }
            None => 1,
        };
        self.suspicion = Some(Suspicion {
            number,
            since,
            at,
            count,
        });
        count >= REPEATS
    }

    /// It reported less than the chain's head, or (with `false`) not less.
    pub fn reported_low(&mut self, low: bool, at: Instant) {
        if !low {
            self.low = Low::default();
            return;
        }
        if self.low.count == 0 {
            self.low.since = at;
        }
        self.low.count = self.low.count.saturating_add(1);
    }

    /// Has it reported less than the chain's head for so long, and often enough?
    #[must_use]
    pub fn is_low_for(&self, span: Duration, now: Instant) -> bool {
        self.low.count >= u32::from(REPEATS) && self.low.since + span <= now
    }

    /// A question to it failed: what it says is not in a row any more.
    pub fn failed(&mut self) {
        self.low = Low::default();
    }

    /// The chain went back: what it said of final blocks was about other ones.
    pub fn forget_finality(&mut self) {
        for kind in [HeadKind::Safe, HeadKind::Finalized] {
            if let Some(slot) = self.reports.get_mut(kind as usize) {
                *slot = None;
            }
        }
        self.low = Low::default();
        self.polls.ask_finality_again();
    }

    /// It turned out to be of another chain: nothing that it said counts.
    pub fn forget(&mut self) {
        self.reports = [None; HeadKind::COUNT];
        self.suspicion = None;
        self.low = Low::default();
        self.answered = 0;
        self.claimed = 0;
    }
}
