//! The limits that are found, against upstreams that have one and against those that only seem to.

use core::time::Duration;
use std::collections::VecDeque;
use std::vec::Vec;

use super::in_flight::{MIN_LIMIT, QUIET, WATCHED};
use super::rate::MIN_RATE_MILLIS;
use super::*;

fn ms(millis: u64) -> Instant {
    Instant(millis * 1_000_000)
}

fn limiter() -> Limiter {
    Limiter::new(LimiterConfig::default())
}

/// Sends so many attempts a second for so long, all served.
fn send(limiter: &mut Limiter, from_ms: u64, for_ms: u64, per_second: u64) {
    for number in 0..for_ms * per_second / 1_000 {
        limiter.started(ms(from_ms + number * 1_000 / per_second));
    }
}

fn rate(found: Found) -> Option<u64> {
    match found {
        Found::Limit(Limit::RateMillis(millis)) => Some(millis),
        Found::Nothing => None,
        other => panic!("{other:?}"),
    }
}

/// The last attempt is refused, and a hold-off begins.
fn throttle(limiter: &mut Limiter, at_ms: u64) -> Option<u64> {
    limiter.refused(ms(at_ms));
    rate(limiter.throttled(ms(at_ms), &mut Rng::new(at_ms)))
}

#[test]
fn a_throttle_sets_nine_tenths_of_what_was_served() {
    let mut limiter = limiter();
    send(&mut limiter, 0, 2_000, 100);
    assert!(limiter.is_free(ms(2_000)) && limiter.has_room(Load::of(1_000), ms(2_000)));
    assert!(!limiter.knows_rate(ms(2_000)));
    limiter.started(ms(1_999));
    let found = throttle(&mut limiter, 1_999).unwrap();
    assert!(found.abs_diff(90_000) <= 100, "{found}");
    assert!(limiter.knows_rate(ms(2_000)));
    assert_eq!(limiter.max_rate_millis(ms(1_999)), Some(found));
}

#[test]
fn the_best_second_of_late_counts_where_a_hold_off_cut_the_last_one_short() {
    for (pause_ms, millis) in [(2_000, 90_000), (30_000, 9_000)] {
        let mut limiter = limiter();
        send(&mut limiter, 0, 3_000, 100);
        send(&mut limiter, 3_000 + pause_ms, 1_000, 10);
        let found = throttle(&mut limiter, 3_999 + pause_ms);
        // But for the one that was refused.
        let found = found.unwrap();
        assert!(found.abs_diff(millis) <= 1_000, "{pause_ms}: {found}");
    }
}

#[test]
fn what_was_refused_was_not_served() {
    let mut limiter = limiter();
    send(&mut limiter, 0, 1_000, 100);
    for number in 0..50 {
        limiter.started(ms(1_000 + number * 10));
        limiter.refused(ms(1_000 + number * 10));
    }
    for number in 50..100 {
        limiter.refused(ms(number * 10));
    }
    limiter.started(ms(1_999));
    let found = throttle(&mut limiter, 1_999).unwrap();
    assert!(found <= 45_000, "{found}");
}

#[test]
fn the_rate_grows_back_slowly_then_past_it_and_is_forgotten() {
    let mut seen = Vec::new();
    for seed in 0..50 {
        let mut limiter = limiter();
        send(&mut limiter, 1_000, 2_000, 100);
        let found = rate(limiter.throttled(ms(2_999), &mut Rng::new(seed))).unwrap();
        assert!(found.abs_diff(90_000) <= 100, "{found}");
        let percent = |at_ms: u64| Some(limiter.max_rate_millis(ms(2_999 + at_ms))? / 1_000);
        // It is forgotten after twice K.
        let gone = (0..).step_by(100).find(|&at| percent(at).is_none());
        let back = gone.unwrap() / 2;
        assert!((20_000..=30_100).contains(&back), "{back}");
        seen.push(back);
        for (parts, expected) in [(1, 95), (2, 98), (4, 100), (6, 101), (7, 104)] {
            let now = percent(back * parts / 4).unwrap();
            assert!(now.abs_diff(expected) <= 2, "{parts}/4 of {back}: {now}");
        }
        assert!(limiter.is_free(ms(3_100 + back * 2)));
    }
    seen.sort_unstable();
    assert!(seen[40] - seen[10] > 4_000, "not all are tried at once");
}

#[test]
fn no_rate_is_set_from_nothing_and_none_below_the_least() {
    let mut limiter = limiter();
    let mut rng = Rng::new(1);
    assert_eq!(
        rate(limiter.throttled(ms(5_000), &mut rng)),
        None,
        "nothing was served"
    );
    limiter.started(ms(9_000));
    assert_eq!(
        throttle(&mut limiter, 9_000),
        None,
        "nor here but what was refused"
    );
    limiter.started(ms(9_998));
    limiter.started(ms(9_999));
    let low = throttle(&mut limiter, 9_999).unwrap();
    assert!((MIN_RATE_MILLIS..=1_000).contains(&low), "{low}");
}

#[test]
fn room_is_when_the_next_one_is_due_and_only_the_rate_says_so() {
    let mut limiter = limiter();
    send(&mut limiter, 0, 1_000, 100);
    assert_eq!(limiter.room_at(Load::of(0), ms(1_000)), None);
    rate(limiter.throttled(ms(999), &mut Rng::new(1))).unwrap();
    let mut now = ms(1_000);
    while limiter.has_room(Load::of(0), now) {
        limiter.started(now);
    }
    let at = limiter.room_at(Load::of(0), now).unwrap();
    assert!(now < at && at <= now + Duration::from_millis(12), "{at:?}");
    assert!(!limiter.has_room(Load::of(0), Instant(at.0 - 1_000_000)));
    now = at;
    assert!(limiter.has_room(Load::of(0), now));
    let full = Limiter::new(LimiterConfig {
        max_in_flight: 1,
        ..LimiterConfig::default()
    });
    assert_eq!(full.room_at(Load::of(1), now), None);
}

/// A provider that refuses more than `limit` in any second; how many it served and refused.
struct Window {
    limit: usize,
    recent: VecDeque<u64>,
    served: u64,
    refused: u64,
}

impl Window {
    fn take(&mut self, at_ms: u64) -> bool {
        while self
            .recent
            .front()
            .is_some_and(|&first| first + 1_000 <= at_ms)
        {
            self.recent.pop_front();
        }
        let has_room = self.recent.len() < self.limit;
        if has_room {
            self.recent.push_back(at_ms);
            self.served += 1;
        } else {
            self.refused += 1;
        }
        has_room
    }
}

#[test]
fn it_stays_below_the_limit_of_a_provider_and_uses_most_of_it() {
    for limit in [5, 20, 100] {
        let mut provider = Window {
            limit,
            recent: VecDeque::new(),
            served: 0,
            refused: 0,
        };
        let (mut limiter, mut held_until) = (limiter(), 0);
        // Ten minutes of twice as much as there is. A throttle holds off for a second.
        let gap_ms = 500 / limit as u64;
        for number in 0..600_000 / gap_ms.max(1) {
            let now = number * gap_ms.max(1);
            if now < held_until || !limiter.has_room(Load::of(0), ms(now)) {
                continue;
            }
            limiter.started(ms(now));
            if !provider.take(now) {
                throttle(&mut limiter, now);
                held_until = now + 1_000;
            }
        }
        let could = limit as u64 * 600;
        assert!(
            provider.served * 100 >= could * 80,
            "{limit}: {} of {could}",
            provider.served
        );
        assert!(
            provider.refused <= 60,
            "{limit}: {} refused",
            provider.refused
        );
    }
}

#[test]
fn below_the_limit_nothing_is_ever_held_back() {
    let mut limiter = limiter();
    send(&mut limiter, 2_000, 1_000, 100);
    throttle(&mut limiter, 2_999).unwrap();
    // Half of it from now on, evenly.
    for number in 0..3_000 {
        let now = ms(4_000 + number * 20);
        assert!(limiter.has_room(Load::of(0), now), "{number}");
        limiter.started(now);
    }
}

#[test]
fn what_is_configured_holds_from_the_start() {
    let limiter = Limiter::new(LimiterConfig {
        max_in_flight: 3,
        ..LimiterConfig::default()
    });
    assert!(limiter.has_room(Load::of(2), ms(0)) && !limiter.has_room(Load::of(3), ms(0)));
    assert_eq!(limiter.max_in_flight(), Some(3));
    assert!(!limiter.is_free(ms(0)));
}

#[test]
fn switched_off_it_finds_nothing() {
    let mut limiter = Limiter::new(LimiterConfig {
        in_flight: false,
        rate: false,
        ..LimiterConfig::default()
    });
    assert!(!limiter.watches(1_000));
    send(&mut limiter, 0, 1_000, 100);
    let mut rng = Rng::new(1);
    assert_eq!(limiter.throttled(ms(1_000), &mut rng), Found::Nothing);
    assert_eq!(limiter.throttled(ms(1_001), &mut rng), Found::Nothing);
    assert!(limiter.is_free(ms(1_001)));
}

/// What is seen of an upstream that serves `capacity` at once in `base` and queues the rest: 16 is unloaded.
fn stretch(in_flight: u32, capacity: u32) -> u32 {
    (in_flight * 16 / capacity).max(16)
}

#[test]
fn a_queue_is_found_and_kept_short() {
    let (capacity, demand) = (20, 200);
    let mut limiter = limiter();
    let mut in_flight = demand;
    let mut lowest = u32::MAX;
    for answer in 0..20_000_u64 {
        if limiter.watches(in_flight) {
            limiter.answered(stretch(in_flight, capacity), in_flight, ms(answer));
        }
        // The surplus drains, one with each answer, and there is always more to send.
        in_flight = in_flight.min(demand) - 1;
        if limiter.has_room(Load::of(in_flight), ms(answer)) {
            in_flight += 1;
        }
        lowest = lowest.min(in_flight);
        if answer > 2_000 {
            let most = limiter.max_in_flight().unwrap();
            assert!(
                (capacity..=3 * capacity).contains(&most),
                "{most} after {answer}"
            );
        }
    }
    assert!(lowest >= capacity - 1, "it went idle: {lowest}");
}

#[test]
fn one_that_is_slow_and_not_full_is_left_alone() {
    let mut limiter = limiter();
    let (mut limited, mut at) = (0, 0);
    for answer in 0..100_000_u64 {
        at = answer;
        // Ten times what it was, however many are in flight.
        match limiter.answered(160, 40, ms(answer)) {
            Found::Slow => {
                assert_eq!(limiter.max_in_flight(), None);
                break;
            }
            Found::Limit(_) => limited += 1,
            Found::Nothing => {}
        }
    }
    assert_eq!(limited, 1, "one experiment");
    assert!(at < 200, "and a short one: {at}");
    let quiet = ms(at) + QUIET;
    for _ in 0..100 {
        assert_eq!(
            limiter.answered(160, 40, Instant(quiet.0 - 1)),
            Found::Nothing
        );
    }
    assert!(matches!(limiter.answered(160, 40, quiet), Found::Limit(_)));
}

#[test]
fn few_in_flight_and_short_waits_are_never_limited() {
    let mut limiter = limiter();
    assert!(!limiter.watches(WATCHED - 1));
    assert!(limiter.watches(WATCHED));
    for answer in 0..1_000 {
        assert_eq!(
            limiter.answered(1_000, WATCHED - 1, ms(answer)),
            Found::Nothing
        );
    }
    let mut limiter = self::limiter();
    for answer in 0..1_000 {
        assert_eq!(limiter.answered(60, 500, ms(answer)), Found::Nothing);
    }
}

#[test]
fn a_limit_that_is_no_longer_needed_grows_until_it_is_forgotten() {
    let mut limiter = limiter();
    let mut answer = 0;
    while limiter.max_in_flight().is_none() {
        limiter.answered(200, 100, ms(answer));
        answer += 1;
        assert!(answer < 1_000, "nothing is found");
    }
    assert!(limiter.max_in_flight().unwrap() >= MIN_LIMIT);
    while limiter.max_in_flight().is_some() {
        limiter.answered(16, 4, ms(answer));
        answer += 1;
        assert!(answer < 5_000);
    }
    assert!(limiter.is_free(ms(answer)));
}
