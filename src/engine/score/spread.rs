//! How an upstream's recent answers to one method are spread: counts over logarithmic steps, from which any quantile can be read. It
//! holds no single answer and judges nobody.
//!
//! Each power of two of microseconds is cut into eight steps, from 1 µs to 67 s. A quantile is given as the upper end of the step in which it
//! lies, so it is **never below the exact one and at most an eighth above it** (exact below 16 µs).
//!
//! **What was cut short** counts apart, as if it had answered when it was given up: it would have taken at least as long. Left out, the slow
//! answers, which are the ones that are cut short, would be missing; each reading would be lower than the one before and cut more of them.
//! But what hangs would raise the reading, which would let it hang longer before it is cut, and so on without end. So the exact quantile is
//! that of all, but **at most twice that of the answers that came**.
//!
//! **What is recent.** Two parts are kept, the one that is being filled and the one before it. A part ends when it spans [`PART`] and holds
//! [`ENOUGH`] entries, or holds [`FULL`], or spans [`OLDEST`], whatever it holds. So where traffic is dense everything older than five
//! seconds is forgotten for good, where it is sparse the last hundred answers count, and nothing is older than half a minute. (A
//! histogram that decays by factors would take four time constants to forget a slow spell down to its 98th percentile.)
//!
//! Adding costs one increment; a quantile is read again after [`READ_AFTER`] entries or [`READ_EVERY`], and remembered in between.

use core::time::Duration;

use crate::time::{Instant, nanos};

const STEP_BITS: u32 = 3;
const STEPS: u32 = 1 << STEP_BITS;
const OCTAVES: u32 = 24;
const COUNT: usize = (OCTAVES * STEPS) as usize;
/// Longer answers count as this long: 67 seconds.
const LONGEST_US: u64 = (1 << (OCTAVES + STEP_BITS - 1)) - 1;

/// Fewer recent answers than this say nothing of a quantile.
const KNOWN_AFTER: u32 = 20;
/// How long a part lasts, with enough answers.
const PART: Duration = Duration::from_millis(2_500);
/// So many are enough.
const ENOUGH: u32 = 64;
/// So many end a part at once.
const FULL: u32 = 4_096;
/// No part lasts longer, and none is remembered for longer after its end.
const OLDEST: Duration = Duration::from_secs(15);
/// A remembered quantile is read again after so many answers,
const READ_AFTER: u32 = 64;
/// or after so long.
const READ_EVERY: Duration = Duration::from_millis(100);

const _: () = assert!(FULL <= u16::MAX as u32, "a count is 16 bits wide");

type Steps = [u16; COUNT];

#[derive(Clone, Debug)]
struct Part {
    answered: Steps,
    cut: Steps,
    total: u32,
    /// Of those, the ones that were cut short.
    total_cut: u32,
    /// When its first entry came.
    began: Instant,
}

impl Part {
    const EMPTY: Self = Self {
        answered: [0; COUNT],
        cut: [0; COUNT],
        total: 0,
        total_cut: 0,
        began: Instant::ZERO,
    };
}

/// The quantile that was read last.
#[derive(Clone, Copy, Debug)]
struct Read {
    permille: u16,
    us: u64,
    at: Instant,
    since: u32,
}

/// The spread of recent answers.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    current: Part,
    previous: Part,
    /// When the previous part ended.
    turned: Instant,
    read: Read,
}

impl Spread {
    pub(super) const fn new() -> Self {
        Self {
            current: Part::EMPTY,
            previous: Part::EMPTY,
            turned: Instant::ZERO,
            read: Read {
                permille: 0,
                us: 0,
                at: Instant::ZERO,
                since: 0,
            },
        }
    }

    /// Counts an answer that took so long.
    pub(super) fn add(&mut self, took_us: u64, now: Instant) {
        let current = self.make_room(now);
        if let Some(step) = current.answered.get_mut(step_of(took_us)) {
            *step += 1;
            current.total += 1;
        }
    }

    /// Counts one that was given up after so long.
    pub(super) fn add_cut(&mut self, waited_us: u64, now: Instant) {
        let current = self.make_room(now);
        if let Some(step) = current.cut.get_mut(step_of(waited_us)) {
            *step += 1;
            current.total += 1;
            current.total_cut += 1;
        }
    }

    fn make_room(&mut self, now: Instant) -> &mut Part {
        self.turn(now);
        if self.current.total == 0 {
            self.current.began = now;
        }
        self.read.since += 1;
        &mut self.current
    }

    /// How many entries are recent.
    const fn count(&self) -> u32 {
        self.current.total + self.previous.total
    }

    /// How many of them are answers.
    const fn count_answered(&self) -> u32 {
        self.count() - self.current.total_cut - self.previous.total_cut
    }

    /// Are there enough for a quantile?
    pub(super) const fn is_known(&self) -> bool {
        self.count_answered() >= KNOWN_AFTER
    }

    /// The time within which so many of a thousand recent answers came, in microseconds; `None` for fewer than [`KNOWN_AFTER`].
    pub(super) fn quantile_us(&mut self, permille: u16, now: Instant) -> Option<u64> {
        self.turn(now);
        if !self.is_known() {
            return None;
        }
        let read = &self.read;
        let is_fresh = read.permille == permille
            && read.since < READ_AFTER
            && (read.since == 0 || is_within(READ_EVERY, read.at, now));
        if !is_fresh {
            self.read = Read {
                permille,
                us: self.quantile_now_us(permille),
                at: now,
                since: 0,
            };
        }
        Some(self.read.us)
    }

    /// What [`Self::quantile_us`] said last: 0 for never.
    pub(super) const fn last_read_us(&self) -> u64 {
        self.read.us
    }

    fn quantile_now_us(&self, permille: u16) -> u64 {
        let (current, previous) = (&self.current, &self.previous);
        let answered = current.answered.iter().zip(&previous.answered);
        let cut = current.cut.iter().zip(&previous.cut);
        let each = answered.map(|(&a, &b)| u32::from(a) + u32::from(b));
        let of_answered = quantile(each.clone(), self.count_answered(), permille);
        if self.count() == self.count_answered() {
            return of_answered;
        }
        let all = each
            .zip(cut.map(|(&a, &b)| u32::from(a) + u32::from(b)))
            .map(|(answered, cut)| answered + cut);
        quantile(all, self.count(), permille).min(2 * of_answered)
    }

    /// Ends the current part if it is due, and forgets what is old.
    fn turn(&mut self, now: Instant) {
        let current = &self.current;
        let is_over = current.total >= FULL
            || current.total >= ENOUGH && !is_within(PART, current.began, now)
            || current.total > 0 && !is_within(OLDEST, current.began, now);
        if is_over {
            // It may have been over for long without anybody looking.
            self.turned = now.min(current.began + OLDEST);
            core::mem::swap(&mut self.current, &mut self.previous);
            self.current = Part::EMPTY;
            self.read.permille = 0;
        }
        if self.previous.total > 0 && !is_within(OLDEST, self.turned, now) {
            self.previous = Part::EMPTY;
            self.read.permille = 0;
        }
    }
}

/// The end of the step in which the quantile of so many counts lies, by nearest rank.
fn quantile(
    steps: impl DoubleEndedIterator<Item = u32> + ExactSizeIterator,
    count: u32,
    permille: u16,
) -> u64 {
    let rank = (count * u32::from(permille)).div_ceil(1_000);
    let mut above = count.saturating_sub(rank);
    for (step, here) in steps.enumerate().rev() {
        if here > above {
            return end_of(step);
        }
        above -= here;
    }
    0
}

const fn is_within(span: Duration, since: Instant, now: Instant) -> bool {
    now.0.saturating_sub(since.0) < nanos(span)
}

fn step_of(us: u64) -> usize {
    let us = us.min(LONGEST_US);
    let octave = (u64::BITS - us.leading_zeros()).saturating_sub(STEP_BITS + 1);
    // Up to two octaves of steps are exact: the step is the value itself.
    let step = (us >> octave) + u64::from(octave * STEPS);
    step as usize
}

/// The longest time that falls into a step, in microseconds.
const fn end_of(step: usize) -> u64 {
    let octave = (step as u64 >> STEP_BITS).saturating_sub(1);
    let within = step as u64 - octave * STEPS as u64;
    ((within + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn millis(millis: u64) -> Instant {
        Instant(millis * 1_000_000)
    }

    /// The nearest-rank quantile.
    fn exact(values: &[u64], permille: u16) -> u64 {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let rank = (sorted.len() * usize::from(permille)).div_ceil(1_000);
        sorted[rank.max(1) - 1]
    }

    #[test]
    fn the_steps_cover_everything_without_a_gap() {
        let mut next = 0;
        for step in 0..COUNT {
            assert_eq!(step_of(next), step);
            let end = end_of(step);
            assert_eq!(step_of(end), step);
            assert!(end - next <= next / 8, "{next} to {end}");
            next = end + 1;
        }
        assert_eq!(next, LONGEST_US + 1);
        assert_eq!(step_of(u64::MAX), COUNT - 1);
    }

    #[test]
    fn nineteen_answers_say_nothing_and_twenty_do() {
        let mut spread = Spread::new();
        for _ in 0..KNOWN_AFTER - 1 {
            spread.add(1_000, millis(1));
        }
        assert_eq!(spread.quantile_us(980, millis(1)), None);
        spread.add(1_000, millis(1));
        assert!(spread.quantile_us(980, millis(1)).is_some());
    }

    #[test]
    fn what_is_old_is_forgotten_at_the_latest_after_half_a_minute() {
        let mut spread = Spread::new();
        for _ in 0..30 {
            spread.add(1_000, millis(0));
        }
        assert!(spread.quantile_us(980, millis(29_999)).is_some());
        let mut spread = Spread::new();
        for at in 0..30 {
            spread.add(1_000, millis(at));
        }
        assert!(spread.quantile_us(980, millis(15_000)).is_some());
        assert_eq!(spread.count(), 30);
        assert_eq!(spread.quantile_us(980, millis(30_000)), None);
        assert_eq!(spread.count(), 0);
    }

    /// A step in the latency at a hundred calls a second: how many milliseconds until the quantile has followed.
    fn time_to_follow(from_us: u64, to_us: u64) -> u64 {
        let mut spread = Spread::new();
        for at in 0..2_000 {
            spread.add(from_us, millis(at * 10));
        }
        for at in 2_000..4_000 {
            spread.add(to_us, millis(at * 10));
            let quantile = spread.quantile_us(980, millis(at * 10)).unwrap();
            if quantile.abs_diff(to_us) <= to_us / 8 {
                return (at - 2_000) * 10;
            }
        }
        panic!("it never followed");
    }

    #[test]
    fn a_change_is_followed_within_seconds_either_way() {
        assert!(time_to_follow(10_000, 80_000) < 500);
        assert!(time_to_follow(80_000, 10_000) < 5_500);
    }

    #[test]
    fn a_remembered_quantile_is_at_most_64_answers_or_100_ms_old() {
        let mut spread = Spread::new();
        for _ in 0..100 {
            spread.add(1_000, millis(0));
        }
        let before = spread.quantile_us(900, millis(0)).unwrap();
        for _ in 0..READ_AFTER - 1 {
            spread.add(9_000, millis(0));
        }
        assert_eq!(spread.quantile_us(900, millis(0)), Some(before));
        assert!(
            spread.quantile_us(901, millis(0)).unwrap() >= 9_000,
            "another one is read at once"
        );
        assert!(spread.quantile_us(900, millis(0)).unwrap() >= 9_000);
        for _ in 0..READ_AFTER {
            spread.add(30_000, millis(0));
        }
        assert!(spread.quantile_us(900, millis(0)).unwrap() >= 30_000);
        spread.add(90_000, millis(1));
        let before = spread.quantile_us(999, millis(0)).unwrap();
        spread.add(500_000, millis(1));
        assert_eq!(spread.quantile_us(999, millis(99)), Some(before));
        assert!(spread.quantile_us(999, millis(100)).unwrap() >= 500_000);
    }

    #[test]
    fn what_hangs_does_not_raise_it_without_end_and_what_is_cut_does_not_lower_it() {
        let mut spread = Spread::new();
        let answer = |number: u64| 10_000 + number * 7_919 % 20_000;
        for at in 0..1_000 {
            spread.add(answer(at), millis(at));
        }
        let usual = spread.quantile_us(980, millis(1_000)).unwrap();
        // One in ten hangs from here on, and is given up a while after the quantile, whatever that is.
        for at in 1_000..60_000 {
            let held_to = spread.quantile_us(980, millis(at)).unwrap();
            if at % 10 == 0 {
                spread.add_cut(held_to + 10_000, millis(at));
            } else if answer(at) > held_to {
                spread.add_cut(held_to, millis(at));
            } else {
                spread.add(answer(at), millis(at));
            }
            assert!(
                held_to * 9 / 8 >= usual && held_to <= usual * 9 / 4,
                "{held_to} at {at}"
            );
        }
        // Now all hang: as long as anything is known, it holds.
        let mut at = 60_000;
        while let Some(held_to) = spread.quantile_us(980, millis(at)) {
            assert!(held_to <= usual * 9 / 4);
            spread.add_cut(held_to + 10_000, millis(at));
            at += 1;
        }
        assert!(at < 66_000, "what has been forgotten is not known");
    }

    proptest! {
        /// Within the stated error of the exact quantile of the last answers, as many as are counted; and the right ones are counted.
        #[test]
        fn a_quantile_is_the_exact_one_and_at_most_an_eighth_more(
            entries in prop::collection::vec((0_u64..600, 0_u32..27, any::<u64>(), 0_u8..10), 1..1_500),
            cut_tenths in 0_u8..8,
            permille in 500_u16..1_000,
        ) {
            let mut spread = Spread::new();
            let mut now = 0;
            let mut all = Vec::new();
            for (gap, bits, draw, cut) in entries {
                // Mostly dense, now and then a pause.
                now += if gap < 590 { gap / 12 } else { (gap - 590) * 2_000 };
                let value = draw & ((1 << bits) - 1);
                if cut < cut_tenths {
                    spread.add_cut(value, millis(now));
                } else {
                    spread.add(value, millis(now));
                }
                all.push((now, value, cut >= cut_tenths));
            }
            spread.turn(millis(now));
            let count = spread.count() as usize;
            let recent = &all[all.len() - count..];
            let values: Vec<u64> = recent.iter().map(|&(_, value, _)| value).collect();
            let answered: Vec<u64> = recent.iter().filter(|entry| entry.2).map(|&(_, value, _)| value).collect();
            if answered.len() >= KNOWN_AFTER as usize {
                let ours = spread.quantile_us(permille, millis(now)).unwrap();
                let exact = exact(&values, permille).min(2 * exact(&answered, permille));
                prop_assert!(ours >= exact && ours <= exact + exact / 8, "{ours} for {exact}");
            } else {
                prop_assert_eq!(spread.quantile_us(permille, millis(now)), None);
            }
            let oldest = recent.first().map_or(now, |&(at, _, _)| at);
            prop_assert!(now - oldest < 30_000, "{} ms old", now - oldest);
            let last_part = all.iter().filter(|&&(at, _, _)| now - at < 2_500).count();
            prop_assert!(count >= last_part, "{count} of {last_part}");
        }
    }
}
