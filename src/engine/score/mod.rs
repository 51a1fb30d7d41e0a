//! What is believed about each upstream's latency and health, per method. It measures and estimates; it never chooses.
//!
//! **Latency** is the mean of an upstream's answers to one method, weighted by age (a sample counts e⁻¹ after five seconds) and by number (at
//! most 32 count), with a test for change: three answers in a row that are all beyond a factor of two from the mean
//! replace it. Two things that a plain moving average lacks follow. A move is noticed after three answers, whichever way it goes. And
//! a single slow answer, which every network produces, moves the mean by a thirtieth; with the usual *peak* average it would rule
//! for seconds, and two equal upstreams with long tails would take turns at being out.
//!
//! **What has not answered yet counts too.** The waits of attempts in flight, beyond what the mean expects of them, enter the mean as samples
//! that are at least that long. So an upstream that hangs loses its share while the calls hang, not when they time out; and queueing shows
//! as waits, where a mere count in flight would punish whoever carries the traffic.
//!
//! **A queue** is seen by what comes out of it: answers that take four times what they take without load, with sixteen and more in flight. Its mean
//! tells of when those were sent, so two upstreams with queues of seconds would take turns at getting everything. What a call will take there is
//! what is in flight by the pace at which answers come (Little's law), which moves with each attempt that is sent.
//!
//! **A method that was never seen** on an upstream is estimated from what is known: the method's mean over all upstreams times the upstream's
//! usual ratio to such means. An upstream of which nothing is known counts as average: neither a second slow (it would never
//! be tried) nor as fast as the best (it would get everything); see [`Candidate::cold`](crate::strategy::Candidate::cold).
//!
//! **Health** is a moving share of attempts that did not fail, per method while that is fresh, else of the whole upstream. The cost of
//! sending somewhere is latency / health²: a failed attempt costs its own time and then another attempt's.
//!
//! **What was outrun** by another attempt of its call has taken at least as long as it was waited for. Where that is longer than the mean it
//! enters the mean as such; where it is shorter it says nothing. Health hears nothing of it either way.
//!
//! **Without load** an answer takes what the mean was at its lowest within the last minute or two; the ratio to that is an upstream's *stretch*.
//!
//! **Quantiles** are kept for the methods that are hedged, from the first question on: see [`Board::quantile`].
//!
//! All of it is in integers: microseconds with four bits of fraction, shares in 1/65536.

mod cell;
mod decay;
mod spread;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::gossip::Digest;
use crate::index::UpstreamIndex;
use crate::method::MethodId;
use crate::time::Instant;

use cell::{Cell, HEARSAY, Low, MAX_LATENCY_US, Mean, Pace, SAMPLE, Share, Standing};
use spread::Spread;

/// One, as a share.
pub const ONE: u32 = 1 << 16;
/// A sample counts e⁻¹ of a fresh one after this time.
pub const MEMORY: Duration = Duration::from_secs(5);
/// From this many samples on, an upstream is no longer on trial.
pub const TRIAL_SAMPLES: u32 = 8;
/// A method of which nothing at all is known: any figure will do, since it is the same for all.
const UNKNOWN_US: u64 = 100_000;
/// Health is not believed to be worse than an eighth, so that costs stay comparable.
const MIN_HEALTH: u32 = ONE / 8;

/// Who is back is believed to be at least so healthy: enough for a part of its share, which then shows.
const RETURNED_HEALTH: u32 = ONE / 8 * 7;

/// Answers that take so many times what they take without load come out of a queue, if so many wait.
const QUEUED: u64 = 4;
const WAITING: u32 = 16;

/// One, as a stretch.
const STRETCH_ONE: u64 = 16;

/// How an attempt ended, as far as the score is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Answered, after so long.
    Answered(Duration),
    /// Answered, but in a way that says nothing of how long a real answer takes.
    Refused,
    /// Failed, by so much of a failure in per cent; the time is given where it is a lower bound of a real answer's.
    Failed(u8, Option<Duration>),
    /// Given up after so long since another attempt answered the call: a real answer would have taken at least that.
    Outrun(Duration),
    /// It says nothing: cancelled, throttled, a capability.
    Neutral,
}

/// The time from one return of an upstream to the next. Attempts of one instant may belong to two of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outing(u32);

/// Attempts at an upstream that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// All of them.
    pub all: u32,
    /// Of those, the ones that were sent since it last came back. The others may hang for as long as they may take, and it has nothing to do any
    /// more with most of them.
    pub fresh: u32,
}

impl Load {
    /// So many, all of them fresh.
    #[must_use]
    pub const fn of(count: u32) -> Self {
        Self {
            all: count,
            fresh: count,
        }
    }
}

/// What is believed of one upstream for one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Latency over health², in microseconds; at least 1.
    pub cost_us: u64,
    /// Latency alone, in microseconds.
    pub latency_us: u64,
    /// The same as of the last answer: what has not come since, and was waited for or given up, is not in it. In microseconds.
    pub usual_us: u64,
    /// Share of attempts that did not fail, in 1/65536.
    pub health: u32,
    /// Nothing is known of this upstream yet, or next to nothing.
    pub cold: bool,
    /// Its last answers were much faster than believed.
    pub promising: bool,
    /// Since its last answer or failure with this method, in microseconds; `u64::MAX` for never.
    pub silent_for_us: u64,
}

/// The scores of one chain's upstreams. A method's row is made when the method is first sent.
#[derive(Debug)]
pub struct Board {
    upstreams: Vec<Standing>,
    rows: Vec<Option<Row>>,
}

#[derive(Debug)]
struct Row {
    mean: Mean,
    cells: Box<[Cell]>,
    /// From the first question for a quantile on.
    spreads: Option<Box<Spreads>>,
}

/// How one method's answers are spread.
#[derive(Debug)]
struct Spreads {
    /// Over all upstreams.
    all: Spread,
    each: Box<[Spread]>,
}

impl Spreads {
    fn new(upstreams: usize) -> Box<Self> {
        Box::new(Self {
            all: Spread::new(),
            each: alloc::vec![Spread::new(); upstreams].into_boxed_slice(),
        })
    }

    /// Counts an answer, or one that would have taken at least so long: if that is less than what the upstream is held to, where it
    /// would lie is not known, and so it is not counted.
    fn add(&mut self, upstream: UpstreamIndex, took_us: u64, at_least: bool, now: Instant) {
        let Some(own) = self.each.get_mut(upstream.as_usize()) else {
            return;
        };
        let held_to_us = if own.is_known() {
            own.last_read_us()
        } else {
            self.all.last_read_us()
        };
        if !at_least {
            own.add(took_us, now);
            self.all.add(took_us, now);
        } else if held_to_us > 0 && took_us >= held_to_us {
            own.add_cut(took_us, now);
            self.all.add_cut(took_us, now);
        }
    }
}

impl Board {
    /// Nothing is known.
    #[must_use]
    pub fn new(upstreams: usize) -> Self {
        let standing = Standing {
            health: Share::new(),
            relative: Share::new(),
            load: Load::default(),
            pace: Pace::default(),
            since: Instant::ZERO,
            outing: Outing::default(),
            told: None,
            telling: Digest::default(),
        };
        Self {
            upstreams: alloc::vec![standing; upstreams],
            rows: (0..=MethodId::COUNT).map(|_| None).collect(),
        }
    }

    /// An attempt was sent: in this outing of the upstream's, which [`Self::ended`] is to be told.
    pub fn started(&mut self, upstream: UpstreamIndex, method: MethodId, now: Instant) -> Outing {
        let count = self.upstreams.len();
        let mut outing = Outing::default();
        if let Some(standing) = self.upstreams.get_mut(upstream.as_usize()) {
            standing.load.all += 1;
            standing.load.fresh += 1;
            outing = standing.outing;
        }
        let Some(slot) = self.rows.get_mut(method.index()) else {
            return outing;
        };
        let row = slot.get_or_insert_with(|| Row {
            mean: Mean::default(),
            cells: alloc::vec![Cell::new(); count].into_boxed_slice(),
            spreads: None,
        });
        if let Some(cell) = row.cells.get_mut(upstream.as_usize()) {
            cell.in_flight += 1;
            cell.started_us = cell.started_us.wrapping_add(now.as_micros());
        }
        outing
    }

    /// An attempt that was sent at `started` ended.
    pub fn ended(
        &mut self,
        upstream: UpstreamIndex,
        method: MethodId,
        (started, outing): (Instant, Outing),
        sample: Sample,
        now: Instant,
    ) {
        let Some(standing) = self.upstreams.get_mut(upstream.as_usize()) else {
            return;
        };
        let Some(row) = self.rows.get_mut(method.index()).and_then(Option::as_mut) else {
            return;
        };
        let Some(cell) = row.cells.get_mut(upstream.as_usize()) else {
            return;
        };
        standing.load.all = standing.load.all.saturating_sub(1);
        if outing != standing.outing {
            return;
        }
        standing.load.fresh = standing.load.fresh.saturating_sub(1);
        cell.in_flight = cell.in_flight.saturating_sub(1);
        cell.started_us = cell.started_us.wrapping_sub(started.as_micros());
        let believed_us = cell.latency.us();
        let (health, took) = match sample {
            Sample::Neutral => return,
            Sample::Answered(latency) => (Some(ONE), Some((micros(latency), false))),
            Sample::Refused => (Some(ONE), None),
            Sample::Failed(weight, waited) => (
                Some(ONE - ONE / 100 * u32::from(weight.min(100))),
                waited.map(|waited| (micros(waited), true)),
            ),
            Sample::Outrun(waited) => (None, Some((micros(waited), true))),
        };
        if let Some(health) = health {
            standing.health.add(health, now);
            cell.health.add(health, now);
        }
        let Some((took_us, at_least)) = took else {
            return;
        };
        if !at_least {
            standing.pace.count(now);
        }
        if let Some(spreads) = &mut row.spreads {
            spreads.add(upstream, took_us, at_least, now);
        }
        let usual_us = if cell.latency.is_known() {
            believed_us
        } else {
            row.mean.us()
        };
        if health.is_none() && (usual_us == 0 || took_us <= usual_us) {
            return;
        }
        // It would have taken at least as long as it was waited for; cut short of the mean, that is no news.
        let sample_us = if at_least {
            took_us.max(believed_us)
        } else {
            took_us
        };
        if row.mean.is_known() {
            standing.relative.add(ratio(sample_us, row.mean.us()), now);
        }
        cell.latency.add(sample_us, now);
        if !at_least {
            cell.usual_us = cell.latency.us();
            let came_us = took_us.min(MAX_LATENCY_US);
            cell.came_us = if cell.came_us == 0 {
                came_us
            } else {
                (cell.came_us * 7 + came_us) / 8
            };
            cell.low.see(&cell.latency, now);
        }
        row.mean.add(sample_us, now);
    }

    /// An upstream is back from an outage. Whatever was sent to it before may hang for long, and fail then; that is news of the past, and is not
    /// waited for any more.
    pub fn returned(&mut self, upstream: UpstreamIndex, now: Instant) {
        if let Some(standing) = self.upstreams.get_mut(upstream.as_usize()) {
            standing.since = now;
            standing.outing.0 = standing.outing.0.wrapping_add(1);
            standing.load.fresh = 0;
            standing.health.value = standing.health.value.max(RETURNED_HEALTH);
        }
        for row in self.rows.iter_mut().flatten() {
            if let Some(cell) = row.cells.get_mut(upstream.as_usize()) {
                (cell.in_flight, cell.started_us) = (0, 0);
                cell.health.value = cell.health.value.max(RETURNED_HEALTH);
                if cell.usual_us > 0 && cell.latency.us() > cell.usual_us {
                    cell.latency = Mean::of(cell.usual_us, now);
                }
            }
        }
    }

    /// When an upstream came back, if that was after an attempt of this outing was sent.
    #[must_use]
    pub fn returned_since(&self, upstream: UpstreamIndex, outing: Outing) -> Option<Instant> {
        let standing = self.upstreams.get(upstream.as_usize())?;
        (standing.outing != outing).then_some(standing.since)
    }

    /// The time within which so many of a thousand recent answers of an upstream to a method came; of all upstreams, where fewer than twenty of
    /// its own are recent; `None` where those are too few as well. Never below the exact quantile, and at most an eighth above it, of answers as
    /// they were up to 64 answers and 100 ms ago. An attempt that was given up counts as if it had answered then, unless that was
    /// sooner than the quantile; such attempts alone never raise it above twice the quantile of the answers that came.
    ///
    /// The first question for a method makes room for its counts (1.6 kB an upstream), later ones allocate nothing. A method of which
    /// nothing was asked costs nothing.
    pub fn quantile(
        &mut self,
        upstream: UpstreamIndex,
        method: MethodId,
        permille: u16,
        now: Instant,
    ) -> Option<Duration> {
        let count = self.upstreams.len();
        let row = self.rows.get_mut(method.index())?.as_mut()?;
        let spreads = row.spreads.get_or_insert_with(|| Spreads::new(count));
        let own = spreads.each.get_mut(upstream.as_usize())?;
        let us = own
            .quantile_us(permille, now)
            .or_else(|| spreads.all.quantile_us(permille, now))?;
        Some(Duration::from_micros(us))
    }

    /// What is believed of an upstream for a method.
    #[must_use]
    pub fn estimate(&self, upstream: UpstreamIndex, method: MethodId, now: Instant) -> Estimate {
        let standing = self.upstreams.get(upstream.as_usize());
        let row = self.rows.get(method.index()).and_then(Option::as_ref);
        let cell = row.and_then(|row| row.cells.get(upstream.as_usize()));
        let hearsay = standing.and_then(|standing| standing.hearsay(now));
        let relative = standing.map_or(ONE, |standing| standing.relative.value);
        let relative = hearsay.map_or(relative, |told| told.relative);
        let usual_us = row
            .filter(|row| row.mean.is_known())
            .map_or(UNKNOWN_US, |row| row.mean.us());
        let guess_us = (usual_us.saturating_mul(u64::from(relative)) >> 16).max(1);
        let known = cell.filter(|cell| cell.latency.is_known());
        let latency_us = with_waits(known, cell, guess_us, now);
        let latency_us = standing
            .zip(known)
            .and_then(|(standing, cell)| queue_us(standing, cell, now))
            .unwrap_or(latency_us);
        let fresh = |share: &&Share| {
            share.samples >= TRIAL_SAMPLES && now.saturating_duration_since(share.at) < MEMORY
        };
        let health = cell
            .map(|cell| &cell.health)
            .filter(fresh)
            .or(standing.map(|standing| &standing.health))
            .map_or(ONE, |share| share.value);
        let health = hearsay.map_or(health, |told| told.health);
        let last = cell
            .filter(|cell| cell.health.samples > 0)
            .map(|cell| cell.health.at);
        Estimate {
            cost_us: cost(latency_us, health),
            latency_us,
            usual_us: cell
                .map(|cell| cell.usual_us)
                .filter(|&us| us > 0)
                .unwrap_or(guess_us),
            health,
            cold: hearsay.is_none()
                && standing.is_none_or(|standing| standing.health.samples < TRIAL_SAMPLES),
            promising: cell.is_some_and(|cell| cell.latency.is_promising()),
            silent_for_us: last.map_or(u64::MAX, |at| {
                now.as_micros().saturating_sub(at.as_micros())
            }),
        }
    }

    /// How long an upstream's answers to a method took when one last came, and when that, or a failure, was. `None` while none has come.
    #[must_use]
    pub fn last_took(
        &self,
        upstream: UpstreamIndex,
        method: MethodId,
    ) -> Option<(Duration, Instant)> {
        let row = self.rows.get(method.index())?.as_ref()?;
        let cell = row.cells.get(upstream.as_usize())?;
        (cell.usual_us > 0).then(|| (Duration::from_micros(cell.usual_us), cell.health.at))
    }

    /// An upstream said something to a question with this method, be it an error or the beginning of an answer.
    pub fn spoke(&mut self, upstream: UpstreamIndex, method: MethodId, now: Instant) {
        let row = self.rows.get_mut(method.index()).and_then(Option::as_mut);
        if let Some(cell) = row.and_then(|row| row.cells.get_mut(upstream.as_usize())) {
            cell.spoke_at = now;
        }
    }

    /// How many attempts at an upstream wait for an answer to a method, and when it last said anything to one; the base for never.
    #[must_use]
    pub fn waiting(&self, upstream: UpstreamIndex, method: MethodId) -> (u32, Instant) {
        let row = self.rows.get(method.index()).and_then(Option::as_ref);
        let cell = row.and_then(|row| row.cells.get(upstream.as_usize()));
        cell.map_or((0, Instant::ZERO), |cell| (cell.in_flight, cell.spoke_at))
    }

    /// How long an upstream's answers to a method take now, in sixteenths of what they took at their best within the last minute or two; 16
    /// where too little is known.
    #[must_use]
    pub fn stretch(&self, upstream: UpstreamIndex, method: MethodId) -> u32 {
        let row = self.rows.get(method.index()).and_then(Option::as_ref);
        let cell = row.and_then(|row| row.cells.get(upstream.as_usize()));
        let ratio = cell.and_then(|cell| {
            let low_us = cell.low.us()?;
            (cell.latency.us() * STRETCH_ONE).checked_div(low_us)
        });
        ratio.map_or(STRETCH_ONE as u32, |ratio| {
            u32::try_from(ratio).unwrap_or(u32::MAX)
        })
    }

    /// What an upstream's answers take now is what they take, for every method: it is slow, and not for its load.
    pub fn is_usual(&mut self, upstream: UpstreamIndex, now: Instant) {
        for row in self.rows.iter_mut().flatten() {
            if let Some(cell) = row.cells.get_mut(upstream.as_usize()) {
                cell.low = Low::NONE;
                cell.low.see(&cell.latency, now);
            }
        }
    }

    /// Takes in how an upstream stands with another shard: of two, the later counts. Used only while little is known here.
    pub fn hear(&mut self, upstream: UpstreamIndex, digest: Digest) {
        if let Some(standing) = self.upstreams.get_mut(upstream.as_usize()) {
            let cut = Digest {
                health: digest.health.min(ONE),
                relative: digest.relative.clamp(ONE / 16, ONE * 16),
                ..digest
            };
            standing.told = standing.told.max(Some(cut));
        }
    }

    /// How an upstream stands, for other shards; `None` where too little is known, or nothing that matters has changed
    /// since this was asked last.
    pub fn digest(&mut self, upstream: UpstreamIndex) -> Option<Digest> {
        let standing = self.upstreams.get_mut(upstream.as_usize())?;
        let now = Digest {
            at: standing.health.at,
            health: standing.health.value,
            relative: standing.relative.value,
        };
        let then = standing.telling;
        let moved = |now: u32, then: u32| now.abs_diff(then) > then / 16;
        let is_news = moved(now.health, then.health)
            || moved(now.relative, then.relative)
            || now.at.saturating_duration_since(then.at) > HEARSAY / 3;
        if standing.health.samples < TRIAL_SAMPLES || !is_news {
            return None;
        }
        standing.telling = now;
        Some(now)
    }

    /// Attempts to an upstream that have not ended.
    #[must_use]
    pub fn load(&self, upstream: UpstreamIndex) -> Load {
        let standing = self.upstreams.get(upstream.as_usize());
        standing.map_or(Load::default(), |standing| standing.load)
    }

    /// An upstream's health and its relative latency over all methods, both in 1/65536.
    #[must_use]
    pub fn standing(&self, upstream: UpstreamIndex) -> (u32, u32) {
        self.upstreams
            .get(upstream.as_usize())
            .map_or((ONE, ONE), |standing| {
                (standing.health.value, standing.relative.value)
            })
    }
}

/// The mean with the waits of what is in flight.
fn with_waits(known: Option<&Cell>, cell: Option<&Cell>, guess_us: u64, now: Instant) -> u64 {
    let mean_us = known.map_or(guess_us, |cell| cell.latency.us()).max(1);
    let Some(cell) = cell else {
        return mean_us;
    };
    let waiting = u64::from(cell.in_flight);
    let excess_us = cell
        .waited_us(now)
        .saturating_sub(mean_us.saturating_mul(waiting));
    let samples = known.map_or(1, |cell| u64::from((cell.latency.weight / SAMPLE).max(1)));
    mean_us.saturating_add(excess_us / (samples + waiting))
}

/// What a call that is sent to an upstream with a queue will take: until everything before it is answered, at the pace at which answers come. The
/// mean tells what those took that came now, and were sent when the queue was another; whoever goes by it is always late by the length of the queue.
fn queue_us(standing: &Standing, cell: &Cell, now: Instant) -> Option<u64> {
    let low_us = cell.low.us()?;
    let queues = cell.came_us >= low_us.saturating_mul(QUEUED) && standing.load.fresh >= WAITING;
    let takes_us = queues.then(|| standing.pace.takes_us(standing.load.fresh, now))??;
    Some(takes_us.max(low_us))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// `sample / usual` in 1/65536, within a factor of sixteen.
fn ratio(sample_us: u64, usual_us: u64) -> u32 {
    let ratio = (sample_us.min(MAX_LATENCY_US) << 16) / usual_us.max(1);
    ratio.clamp(u64::from(ONE / 16), u64::from(ONE * 16)) as u32
}

fn cost(latency_us: u64, health: u32) -> u64 {
    // An hour in microseconds has 32 bits, so this shift loses none.
    let health = u64::from(health.clamp(MIN_HEALTH, ONE));
    ((latency_us.min(MAX_LATENCY_US) << 32) / (health * health)).max(1)
}
