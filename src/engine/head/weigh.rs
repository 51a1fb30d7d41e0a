//! How a report is weighed: is it believed, what do all reports together say now, and has the chain gone back? The rules are told in
//! [`super`].

use core::time::Duration;

use crate::index::{UpstreamIndex, UpstreamSet};
use crate::time::Instant;

use super::height::{Height, Report};
use super::quorum::{QUORUM, Voices};
use super::{Agreed, FREE_BLOCKS, GONE_BACK_FOR, HeadKind, Heads, Reported, SILENT_FOR, gate};

/// A report counts with the others for so many of the longest intervals, and for [`LEAST_VOICE`] at least.
const VOICE_INTERVALS: u32 = 4;
const LEAST_VOICE: Duration = Duration::from_secs(10);

/// So long at most the first to report waits for the others.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// For so long after the first agreement other shards may not have heard of it, and serve what the first answer said.
const SETTLING: Duration = Duration::from_secs(5);

/// Where several upstreams could say what is final, a single one is waited out for this long.
const LONE_FINALITY: Duration = Duration::from_secs(60);

impl Heads {
    pub(super) fn newest_reported(
        &mut self,
        upstream: UpstreamIndex,
        number: u64,
        at: Instant,
    ) -> Reported {
        if !self.is_believed(upstream, number, at) {
            return Reported::default();
        }
        let Some(height) = self.heights.get_mut(upstream.as_usize()) else {
            return Reported::default();
        };
        let behind = 0;
        if !height.hear(HeadKind::Newest, Report { at, number, behind }) {
            return Reported::default();
        }
        let voices = self.voices(at);
        let Some(best) = voices.newest() else {
            return Reported::default();
        };
        let before = self.agreed;
        let reset = self.weigh(upstream, number, &voices, at);
        let behind = self.stands(at).unwrap_or(best).saturating_sub(number);
        let late = self.is_past_race((number, behind), at);
        if let Some(height) = self.heights.get_mut(upstream.as_usize()) {
            height.set_behind(behind);
            height.set_late(late);
        }
        let crossed = self.cross(upstream, behind);
        Reported {
            news: Some(HeadKind::Newest),
            agreed: self.agreed != before,
            crossed,
            reset,
        }
    }

    /// Holds a report against what is agreed.
    fn weigh(
        &mut self,
        upstream: UpstreamIndex,
        number: u64,
        voices: &Voices,
        at: Instant,
    ) -> Option<(u64, u64)> {
        let best = voices.newest()?;
        let (era, before) = (self.served.era, self.agreed);
        if before.is_none() && !self.have_spoken(voices, at) {
            return None;
        }
        match before.filter(|agreed| agreed.era == era) {
            Some(agreed) if best <= agreed.newest => {
                if number == agreed.newest {
                    self.pace.unchanged(at);
                }
            }
            known => self.agree(Agreed {
                newest: best,
                since: at,
                era,
                ..known.unwrap_or_default()
            }),
        }
        let agreed = self.agreed?;
        if number >= agreed.newest {
            self.givers.insert(upstream);
        }
        let block_time = self.block_time();
        if let Some(height) = self.heights.get_mut(upstream.as_usize()) {
            height.reported_low(number < agreed.newest, at);
            height.reported_newest(number, agreed.finalized.unwrap_or(0), block_time);
        }
        if before.is_none() && self.is_above(&agreed) {
            // Answers were told before anybody was asked, and nobody asked says anything like them.
            return self.reset(at);
        }
        if self.is_unexplained(&agreed, at)
            || self.was_nonsense(voices, &agreed, at)
            || self.has_gone_back(at)
            || self.has_restarted(at)
        {
            return self.reset(at);
        }
        None
    }

    /// May the first head be agreed on? Where three or more could speak, the first to speak is not taken at its word while the
    /// others are being asked, but for a moment only.
    fn have_spoken(&mut self, voices: &Voices, at: Instant) -> bool {
        let first = *self.first_report.get_or_insert(at);
        let mut heights = self.heights.iter();
        self.heights.len() < QUORUM
            || voices.count() >= QUORUM
            || heights.all(|height| height.polls.was_asked(HeadKind::Newest))
            || first + FIRST_WORD <= at
    }

    /// The agreed head, if one that gave it still says so.
    fn stands(&self, now: Instant) -> Option<u64> {
        let newest = self.agreed?.newest;
        let span = self.voice_span();
        let says_so = |height: &Height| {
            let report = height.report(HeadKind::Newest);
            height.is_voice(now, span) && report.is_some_and(|report| report.number >= newest)
        };
        let mut givers = self.givers.iter();
        givers
            .any(|giver| self.heights.get(giver.as_usize()).is_some_and(says_so))
            .then_some(newest)
    }

    fn agree(&mut self, mut agreed: Agreed) {
        self.first_agreed.get_or_insert(agreed.since);
        self.pace.advanced(agreed.newest, agreed.since);
        agreed.block_time = self.pace.block_time();
        self.agreed = Some(agreed);
        self.givers = UpstreamSet::EMPTY;
        for (position, height) in self.heights.iter_mut().enumerate() {
            let reached = height
                .report(HeadKind::Newest)
                .is_some_and(|report| report.number >= agreed.newest);
            if reached {
                self.givers.insert(UpstreamIndex(position as u16));
            }
        }
        self.serve_agreed();
    }

    /// What the chain cannot have reached since the last was agreed on is not believed until it is said again.
    fn is_believed(&mut self, upstream: UpstreamIndex, number: u64, at: Instant) -> bool {
        let Some(agreed) = self.agreed else {
            return true;
        };
        let block_time = self.block_time();
        let passed = at.saturating_duration_since(agreed.since);
        let allowed = gate::allowance(block_time, passed);
        if number <= agreed.newest.saturating_add(allowed) {
            return true;
        }
        let span = self.voice_span();
        let others = self.heights.iter().enumerate();
        let mut others = others.filter(|(position, _)| *position != upstream.as_usize());
        let seconded = others.any(|(_, other)| {
            let said = other.is_voice(at, span).then(|| other.newest()).flatten();
            let near = |known: u64| known.abs_diff(number) <= allowed;
            said.is_some_and(near) || other.suspicion().is_some_and(near)
        });
        let Some(height) = self.heights.get_mut(upstream.as_usize()) else {
            return false;
        };
        let insists = height.suspect(number, block_time, at);
        let since = height.suspected_since().unwrap_or(at);
        seconded || insists && !self.is_contradicted(upstream, since, at)
    }

    /// Has another upstream that counts said something believable since?
    fn is_contradicted(&self, upstream: UpstreamIndex, since: Instant, at: Instant) -> bool {
        let span = self.voice_span();
        let mut heights = self.heights.iter().enumerate();
        heights.any(|(position, other)| {
            let last = other.report(HeadKind::Newest);
            position != upstream.as_usize()
                && other.is_voice(at, span)
                && last.is_some_and(|report| report.at >= since)
        })
    }

    /// Was the head that is agreed one upstream's alone from the start, while two others agree on something far below?
    fn was_nonsense(&mut self, voices: &Voices, agreed: &Agreed, at: Instant) -> bool {
        if self.confirmed {
            return false;
        }
        let Some(second) = voices.outvotes() else {
            return false;
        };
        let passed = at.saturating_duration_since(agreed.since);
        let reachable = second.saturating_add(gate::allowance(self.block_time(), passed));
        self.confirmed = agreed.newest <= reachable;
        !self.confirmed
    }

    /// Have the very upstreams that gave the head said less since, long and often enough?
    fn has_gone_back(&self, now: Instant) -> bool {
        let four_blocks = self.block_time().unwrap_or_default() * 4;
        let span = GONE_BACK_FOR.max(four_blocks);
        let heights = || {
            let givers = self.givers.iter();
            givers.filter_map(|giver| self.heights.get(giver.as_usize()))
        };
        let is_low = |height: &Height| height.is_low_for(span, now);
        let is_gone = |height: &Height| {
            let last = height.report(HeadKind::Newest);
            last.is_none_or(|report| report.at + SILENT_FOR <= now)
        };
        heights().any(is_low) && heights().all(|height| is_low(height) || is_gone(height))
    }

    /// Does everybody who counts, and everybody who gave the head, belie what was final? One that is silent does not, nor does one that
    /// merely lags: so neither a failover to a laggard nor a single liar ends anything.
    fn has_restarted(&self, now: Instant) -> bool {
        let span = self.voice_span();
        let mut givers = self.givers.iter();
        let mut voices = self.heights.iter();
        !self.givers.is_empty()
            && givers.all(|giver| {
                let height = self.heights.get(giver.as_usize());
                height.is_some_and(Height::has_sunk)
            })
            && voices.all(|height| height.has_sunk() || !height.is_voice(now, span))
    }

    /// Begins a new era at what the upstreams say now.
    pub(super) fn reset(&mut self, now: Instant) -> Option<(u64, u64)> {
        let newest = self.voices(now).newest()?;
        let from = self.served.newest.unwrap_or(newest);
        for height in &mut self.heights {
            height.forget_finality();
        }
        self.finality_since = [None; HeadKind::COUNT];
        self.above_since = None;
        self.pace.forget();
        self.confirmed = true;
        self.agree(Agreed {
            era: self.served.era.saturating_add(1),
            newest,
            since: now,
            safe: None,
            finalized: None,
            block_time: None,
        });
        Some((from, newest))
    }

    pub(super) fn finality_reported(
        &mut self,
        upstream: UpstreamIndex,
        kind: HeadKind,
        number: u64,
        at: Instant,
    ) -> Reported {
        let report = Report {
            at,
            number,
            behind: 0,
        };
        let height = self.heights.get_mut(upstream.as_usize());
        let news = height.is_some_and(|height| height.hear(kind, report));
        if let Some(since) = self.finality_since.get_mut(kind as usize) {
            since.get_or_insert(at);
        }
        let before = self.agreed;
        if kind == HeadKind::Finalized {
            self.hold_against_final(upstream, number);
        }
        self.settle_finality(kind, at);
        Reported {
            news: news.then_some(kind),
            agreed: self.agreed != before,
            ..Reported::default()
        }
    }

    /// Does the upstream belie what it called final before? The first time it is asked again at once. What follows is concluded from the
    /// next newest blocks, which say where the new chain is.
    fn hold_against_final(&mut self, upstream: UpstreamIndex, number: u64) {
        let Some(newest) = self.agreed.map(|agreed| agreed.newest) else {
            return;
        };
        let Some(height) = self.heights.get_mut(upstream.as_usize()) else {
            return;
        };
        if height.reported_final(number.min(newest)) {
            height.polls.ask_finality_again();
        }
    }

    fn settle_finality(&mut self, kind: HeadKind, at: Instant) {
        let span = self.config.finality_interval * 3 + LONE_FINALITY;
        let recent = |height: &Height| {
            let report = height.report(kind)?;
            (report.at + span >= at).then_some(report.number)
        };
        let voices = Voices::of(self.heights.iter().filter_map(recent));
        let since = self.finality_since.get(kind as usize).copied().flatten();
        let waited = since.is_some_and(|since| since + LONE_FINALITY <= at);
        let mut heights = self.heights.iter();
        let alone = waited || heights.all(|height| height.polls.was_asked(kind));
        let certain = voices.certain().filter(|_| voices.count() > 1 || alone);
        let (Some(certain), Some(agreed)) = (certain, &mut self.agreed) else {
            return;
        };
        let certain = Some(certain.min(agreed.newest));
        match kind {
            HeadKind::Newest => {}
            HeadKind::Safe => agreed.safe = agreed.safe.max(certain),
            HeadKind::Finalized => agreed.finalized = agreed.finalized.max(certain),
        }
        self.serve_agreed();
    }

    fn voices(&self, now: Instant) -> Voices {
        let span = self.voice_span();
        let heights = self.heights.iter();
        let voices = heights.filter(|height| height.is_voice(now, span));
        Voices::of(voices.filter_map(|height| Some(height.report(HeadKind::Newest)?.number)))
    }

    /// How long a report counts. Where nobody asks by our plan, for ever.
    fn voice_span(&self) -> Option<Duration> {
        let span = self.config.max_interval.saturating_mul(VOICE_INTERVALS);
        self.config.enabled.then(|| span.max(LEAST_VOICE))
    }

    /// Is more served than the reports explain, be it by another shard, and has it been so for long, or since the first reports?
    fn is_unexplained(&mut self, agreed: &Agreed, at: Instant) -> bool {
        let passed = at.saturating_duration_since(agreed.since);
        let allowed = gate::allowance(self.block_time(), passed);
        let highest = agreed.newest.saturating_add(allowed);
        if self.served.newest <= Some(highest) {
            self.above_since = None;
            return false;
        }
        let since = *self.above_since.get_or_insert(at);
        let first = *self.first_agreed.get_or_insert(at);
        since + GONE_BACK_FOR <= at || first + SETTLING > at
    }

    /// Is what was served before anything was agreed on more than an answer may add to it?
    fn is_above(&self, agreed: &Agreed) -> bool {
        let added = if self.heights.len() < QUORUM {
            FREE_BLOCKS
        } else {
            gate::slack(None, Duration::ZERO)
        };
        let limit = agreed.newest.saturating_add(added);
        self.served.newest.is_some_and(|newest| newest > limit)
    }
}
