//! What is known of one method on one upstream, and of an upstream as a whole: means and shares that forget. It compares nobody.

use core::time::Duration;

use super::decay::decayed;
use super::{Load, MEMORY, ONE, Outing, TRIAL_SAMPLES};
use crate::gossip::Digest;
use crate::time::Instant;

/// So many fresh samples count in a mean at most.
const MAX_SAMPLES: u32 = 32;
/// What another shard says of an upstream is worth something for this long.
pub(super) const HEARSAY: Duration = Duration::from_secs(30);
/// So many answers in a row beyond a factor of two replace the mean.
const RUN: u8 = 3;
/// Latencies above this (an hour) are cut: the arithmetic below has room for them.
pub(super) const MAX_LATENCY_US: u64 = 3_600_000_000;
/// What an answer takes without load is the lowest mean of this long, and of as long before it.
const LOW_FOR: Duration = Duration::from_secs(60);
/// So many fresh samples make a mean that is worth remembering as the lowest.
const LOW_AFTER: u32 = 16;

pub(super) const FRACTION_BITS: u32 = 4;
pub(super) const SAMPLE: u32 = 1 << 8;

/// A mean that forgets by time and by number, and starts anew when the world has changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    /// In microseconds, with [`FRACTION_BITS`].
    pub(super) value: u64,
    /// Weight of what is in the mean, in 1/256 of a sample.
    pub(super) weight: u32,
    pub(super) at: Instant,
    pub(super) run: u8,
    pub(super) run_is_slower: bool,
    pub(super) run_total: u64,
}

impl Mean {
    /// One sample.
    pub(super) fn of(us: u64, now: Instant) -> Self {
        Self {
            value: us << FRACTION_BITS,
            weight: SAMPLE,
            at: now,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, sample_us: u64, now: Instant) {
        let sample = sample_us.min(MAX_LATENCY_US) << FRACTION_BITS;
        let kept = decayed(self.weight, now.saturating_duration_since(self.at), MEMORY)
            .min((MAX_SAMPLES - 1) * SAMPLE);
        self.at = now;
        if self.is_changed(sample) {
            self.value = (self.run_total / u64::from(RUN)).max(1);
            self.weight = u32::from(RUN) * SAMPLE;
            self.run = 0;
            return;
        }
        // A latency has 36 bits and a weight 13.
        let (kept, one) = (u64::from(kept), u64::from(SAMPLE));
        let total = self.value * kept + sample * one;
        self.value = (total / (kept + one)).max(1);
        self.weight = (kept + one) as u32;
    }

    /// Follows runs of answers on one side, and says when one is long enough.
    pub(super) fn is_changed(&mut self, sample: u64) -> bool {
        let slower = sample > self.value.saturating_mul(2);
        let faster = sample.saturating_mul(2) < self.value;
        if self.weight == 0 || !(slower || faster) {
            self.run = 0;
            return false;
        }
        if self.run == 0 || self.run_is_slower != slower {
            self.run = 0;
            self.run_total = 0;
            self.run_is_slower = slower;
        }
        self.run += 1;
        self.run_total = self.run_total.saturating_add(sample);
        self.run >= RUN
    }

    pub(super) const fn is_known(&self) -> bool {
        self.weight >= SAMPLE
    }

    /// Its last answers were all much faster than the mean, but not yet enough of them to believe it.
    pub(super) const fn is_promising(&self) -> bool {
        self.run > 0 && !self.run_is_slower
    }

    pub(super) const fn us(&self) -> u64 {
        self.value >> FRACTION_BITS
    }
}

/// A moving share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) value: u32,
    pub(super) samples: u32,
    pub(super) at: Instant,
}

impl Share {
    pub(super) const fn new() -> Self {
        Self {
            value: ONE,
            samples: 0,
            at: Instant::ZERO,
        }
    }

    /// Moves towards `target`: by the larger of 1/32 and what time has worn away.
    pub(super) fn add(&mut self, target: u32, now: Instant) {
        let kept = decayed(ONE, now.saturating_duration_since(self.at), MEMORY).min(ONE - ONE / 32);
        let kept = u64::from(kept);
        let moved = u64::from(self.value) * kept + u64::from(target) * (u64::from(ONE) - kept);
        self.value = (moved >> 16) as u32;
        self.samples = self.samples.saturating_add(1);
        self.at = now;
    }
}

/// The lowest that a mean was within the last minute or two: what an answer takes without load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Low {
    /// In microseconds: of the minute that is on, and of the one before; 0 for none.
    here_us: u64,
    before_us: u64,
    /// When the minute is over.
    until: Instant,
}

impl Low {
    pub(super) const NONE: Self = Self {
        here_us: 0,
        before_us: 0,
        until: Instant::ZERO,
    };

    pub(super) fn see(&mut self, mean: &Mean, now: Instant) {
        if mean.weight < LOW_AFTER * SAMPLE {
            return;
        }
        let us = mean.us();
        if now >= self.until {
            self.before_us = self.here_us;
            self.here_us = us;
            self.until = now + LOW_FOR;
        } else if us < self.here_us {
            self.here_us = us;
        }
    }

    pub(super) fn us(&self) -> Option<u64> {
        let us = if self.before_us == 0 {
            self.here_us
        } else {
            self.here_us.min(self.before_us)
        };
        (us > 0).then_some(us)
    }
}

/// What is known of one method on one upstream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) latency: Mean,
    pub(super) low: Low,
    /// The mean as it was at the last answer, in microseconds; 0 for none yet.
    pub(super) usual_us: u64,
    /// What answers that came took lately, each an eighth, in microseconds; 0 for none yet. What did not come is not in it.
    pub(super) came_us: u64,
    /// When the upstream last said anything to this method.
    pub(super) spoke_at: Instant,
    pub(super) health: Share,
    pub(super) in_flight: u32,
    /// The sum of the in-flight attempts' starting times in microseconds, modulo 2⁶⁴: only its difference to a product is used.
    pub(super) started_us: u64,
}

impl Cell {
    pub(super) const fn new() -> Self {
        Self {
            latency: Mean {
                value: 0,
                weight: 0,
                at: Instant::ZERO,
                run: 0,
                run_is_slower: false,
                run_total: 0,
            },
            low: Low::NONE,
            usual_us: 0,
            came_us: 0,
            spoke_at: Instant::ZERO,
            health: Share::new(),
            in_flight: 0,
            started_us: 0,
        }
    }

    /// The time for which all attempts in flight have waited together, in microseconds.
    pub(super) fn waited_us(&self, now: Instant) -> u64 {
        u64::from(self.in_flight)
            .wrapping_mul(now.as_micros())
            .wrapping_sub(self.started_us)
    }
}

/// How many answers came within the last half second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    window: u64,
    here: u32,
    before: u32,
}

/// So long is a window.
const PACE_NS: u64 = 500_000_000;

impl Pace {
    pub(super) const fn count(&mut self, now: Instant) {
        self.move_to(now);
        self.here = self.here.saturating_add(1);
    }

    const fn move_to(&mut self, now: Instant) {
        let window = now.0 / PACE_NS;
        if window != self.window {
            self.before = if window == self.window.wrapping_add(1) {
                self.here
            } else {
                0
            };
            self.here = 0;
            self.window = window;
        }
    }

    /// How long so many answers take at this pace, in microseconds; `None` while too few came to say.
    pub(super) fn takes_us(mut self, answers: u32, now: Instant) -> Option<u64> {
        self.move_to(now);
        let left = PACE_NS - now.0 % PACE_NS;
        // In thousandths.
        let came =
            u64::from(self.here) * 1_000 + u64::from(self.before) * (left / (PACE_NS / 1_000));
        (came >= ENOUGH * 1_000).then(|| u64::from(answers) * (PACE_NS / 1_000) * 1_000 / came)
    }
}

/// So many answers within half a second are a pace.
const ENOUGH: u64 = 4;

/// What is known of one upstream over all its methods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) health: Share,
    /// Its answers' ratio to the methods' means, in 1/65536.
    pub(super) relative: Share,
    pub(super) load: Load,
    pub(super) pace: Pace,
    /// When it last came back: what was sent before says nothing of it now.
    pub(super) since: Instant,
    pub(super) outing: Outing,
    /// What other shards know.
    pub(super) told: Option<Digest>,
    /// What they were told last.
    pub(super) telling: Digest,
}

impl Standing {
    /// What other shards know of an upstream of which this one knows little, while it is fresh.
    pub(super) fn hearsay(&self, now: Instant) -> Option<Digest> {
        let is_fresh = |digest: &Digest| now.saturating_duration_since(digest.at) < HEARSAY;
        self.told
            .filter(|digest| self.health.samples < TRIAL_SAMPLES && is_fresh(digest))
    }
}
