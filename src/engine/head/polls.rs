//! When to ask one upstream for which of its heads. It looks at what came of the earlier questions and at the chain's pace; it sends
//! nothing and judges nobody.
//!
//! The newest block is asked for once a block, a little after the block is due; again soon if it was not there yet, and ever more rarely
//! while none comes. Fast chains are asked at the shortest interval, unknown and standing ones between the two.

use core::time::Duration;

use crate::config::HeadConfig;
use crate::time::Instant;

use super::pace::Pace;
use super::{ASK_AGAIN, HeadKind, HeadPoll};

/// An upstream that does not answer is asked again ever more rarely, down to this (or its usual interval, if that is longer).
pub const MAX_BACK_OFF: Duration = Duration::from_secs(60);
/// It is asked again after this part of the time for which it has not answered: that it is back is noticed soon after a short outage, and a long one
/// costs few questions.
const PATIENCE: u64 = 16;
/// A question comes so much after the block is due: this part of the block time, within these limits.
const MARGIN: u32 = 32;
const MARGIN_LIMITS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));
/// After a question that came too early the next one waits for this part of the block time.
const RETRY: u32 = 8;
/// An upstream that is this many blocks behind at most may have been asked a moment too early.
const MAY_CATCH_UP: u64 = 2;

#[derive(Clone, Copy, Debug, Default)]
struct Poll {
    asked: Option<Instant>,
    /// Questions in a row that failed, and when the first of them did.
    failures: u8,
    failing_since: Instant,
    unknown: bool,
}

/// What came of the questions to one upstream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Polls {
    kinds: [Poll; HeadKind::COUNT],
}

/// What a question ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A number.
    Answered,
    /// Nothing that could be read.
    Failed,
    /// The upstream does not know this kind of head.
    Unknown,
}

impl Polls {
    /// A question came to its end.
    pub fn ended(&mut self, kind: HeadKind, end: End, at: Instant) {
        let Some(poll) = self.kinds.get_mut(kind as usize) else {
            return;
        };
        poll.asked = poll.asked.max(Some(at));
        poll.unknown = end == End::Unknown;
        if end == End::Failed && poll.failures == 0 {
            poll.failing_since = at;
        }
        poll.failures = match end {
            End::Failed => poll.failures.saturating_add(1),
            End::Answered | End::Unknown => 0,
        };
    }

    /// It answers others: what failed is asked again at its usual time.
    pub const fn works(&mut self) {
        let [newest, ..] = &mut self.kinds;
        newest.failures = 0;
    }

    /// Questions in a row that failed.
    #[must_use]
    pub fn failures(&self, kind: HeadKind) -> u8 {
        self.of(kind).failures
    }

    /// Was it asked for this at all, whatever came of it?
    #[must_use]
    pub fn was_asked(&self, kind: HeadKind) -> bool {
        self.of(kind).asked.is_some()
    }

    /// Safe and finalized are asked for once more at once.
    pub fn ask_finality_again(&mut self) {
        for kind in [HeadKind::Safe, HeadKind::Finalized] {
            if let Some(poll) = self.kinds.get_mut(kind as usize)
                && !poll.unknown
            {
                *poll = Poll::default();
            }
        }
    }

    /// The next question. `behind` is how far the upstream was behind when it was last asked.
    #[must_use]
    pub fn next(&self, config: &HeadConfig, pace: &Pace, behind: u64) -> HeadPoll {
        let mut next = HeadPoll {
            at: self.newest_at(config, pace, behind),
            kind: HeadKind::Newest,
        };
        // The finalized block is what the cache rests on, so it comes before the safe one.
        for kind in [HeadKind::Finalized, HeadKind::Safe] {
            let at = self.finality_at(kind, config);
            if at < next.at {
                next = HeadPoll { at, kind };
            }
        }
        next
    }

    fn of(&self, kind: HeadKind) -> Poll {
        self.kinds.get(kind as usize).copied().unwrap_or_default()
    }

    fn finality_at(&self, kind: HeadKind, config: &HeadConfig) -> Instant {
        let poll = self.of(kind);
        poll.asked.map_or(Instant::ZERO, |asked| {
            asked + poll.pause(config.finality_interval)
        })
    }

    /// When the newest block is to be asked for.
    pub(super) fn newest_at(&self, config: &HeadConfig, pace: &Pace, behind: u64) -> Instant {
        let poll = self.of(HeadKind::Newest);
        let Some(asked) = poll.asked else {
            return Instant::ZERO;
        };
        let wait = wait(asked, config.min_interval, pace, behind);
        let within = |span: Duration| span.max(config.min_interval).min(config.max_interval);
        if poll.failures > 0 || poll.unknown {
            return asked + poll.pause(within(pace.block_time().unwrap_or_default()));
        }
        asked + within(wait)
    }
}

impl Poll {
    /// The usual interval, or longer where the last questions came to nothing.
    fn pause(&self, usual: Duration) -> Duration {
        if self.unknown {
            return ASK_AGAIN.max(usual);
        }
        let Some(asked) = self.asked.filter(|_| self.failures > 0) else {
            return usual;
        };
        let out = asked.0.saturating_sub(self.failing_since.0);
        let pause = Duration::from_nanos(out / PATIENCE);
        pause.max(usual).min(MAX_BACK_OFF.max(usual))
    }
}

/// How long after it was last asked an upstream should be asked for its newest block again, before the limits.
fn wait(asked: Instant, min_interval: Duration, pace: &Pace, behind: u64) -> Duration {
    let Some(each) = pace.block_time() else {
        return asked.saturating_duration_since(pace.seen()) / 4;
    };
    if each <= min_interval.saturating_mul(2) {
        return each;
    }
    let (least, most) = MARGIN_LIMITS;
    let margin = (each / MARGIN).clamp(least, most);
    let came = pace.came() + margin;
    if asked < came {
        // It has not been asked since the newest block came.
        return came.saturating_duration_since(asked);
    }
    let retry = each / RETRY;
    if (1..=MAY_CATCH_UP).contains(&behind) && asked < came + each / 2 {
        return retry;
    }
    let due = came + each;
    if asked < due {
        due.saturating_duration_since(asked)
    } else {
        retry.max(asked.saturating_duration_since(due) / 2)
    }
}
