//! The limits that are found, against upstreams that have one and against those that only seem to.

use core::time::Duration;
use std::collections::VecDeque;

use super::in_flight::{MIN_LIMIT, QUIET, WATCHED};
use super::rate::{AGAIN, MIN_RATE_MILLIS};
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

#[test]
fn one_throttle_sets_no_rate_and_a_second_soon_after_does() {
    for (pause_ms, sets) in [(30_000, true), (70_000, false)] {
        let mut limiter = limiter();
        send(&mut limiter, 0, 2_000, 100);
        assert_eq!(rate(limiter.throttled(ms(2_000))), None);
        assert!(limiter.is_free(ms(2_000)) && limiter.has_room(Load::of(1_000), ms(2_000)));
        send(&mut limiter, pause_ms, 2_000, 100);
        let found = rate(limiter.throttled(ms(pause_ms + 2_000)));
        assert_eq!(found.is_some(), sets, "{pause_ms}");
        assert_eq!(AGAIN, Duration::from_secs(60));
        if let Some(millis) = found {
            assert!((80_000..=85_000).contains(&millis), "{millis}");
        }
    }
}

#[test]
fn the_rate_grows_back_slowly_then_past_it_and_is_forgotten() {
    let mut limiter = limiter();
    limiter.throttled(ms(1));
    send(&mut limiter, 1_000, 2_000, 101);
    let first = rate(limiter.throttled(ms(3_000))).unwrap();
    let of_100 = |limiter: &Limiter, seconds: u64| {
        let millis = limiter.max_rate_millis(ms(3_000 + seconds * 1_000))?;
        Some(millis * 85 / first)
    };
    assert_eq!(of_100(&limiter, 0), Some(85));
    for (seconds, percent) in [
        (5, 95),
        (10, 99),
        (15, 100),
        (20, 100),
        (30, 115),
        (45, 220),
    ] {
        let now = of_100(&limiter, seconds).unwrap();
        assert!(now.abs_diff(percent) <= 2, "{seconds} s: {now}");
    }
    assert!(of_100(&limiter, 59).is_some());
    assert_eq!(of_100(&limiter, 60), None);
    assert!(limiter.is_free(ms(63_000)));
}

#[test]
fn no_rate_is_set_from_nothing_and_none_below_the_least() {
    let mut limiter = limiter();
    limiter.throttled(ms(1));
    assert_eq!(
        rate(limiter.throttled(ms(5_000))),
        None,
        "nothing was served"
    );
    limiter.started(ms(9_000));
    assert_eq!(
        rate(limiter.throttled(ms(9_001))),
        None,
        "nor here but what was refused"
    );
    limiter.started(ms(9_998));
    limiter.started(ms(9_999));
    let low = rate(limiter.throttled(ms(10_500))).unwrap();
    assert!((MIN_RATE_MILLIS..1_000).contains(&low), "{low}");
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
                limiter.throttled(ms(now));
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
    send(&mut limiter, 0, 1_000, 100);
    limiter.throttled(ms(1_000));
    send(&mut limiter, 2_000, 1_000, 100);
    limiter.throttled(ms(3_000));
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
    limiter.throttled(ms(1_000));
    assert_eq!(limiter.throttled(ms(1_001)), Found::Nothing);
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
