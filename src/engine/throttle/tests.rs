//! Hold-offs: floors, growth, the ramp, and what a refusal that comes late must not do.

use super::*;

fn refused(retry_after_s: Option<u64>) -> Answer {
    Answer::Throttled {
        retry_after: retry_after_s.map(Duration::from_secs),
    }
}

/// With the defaults.
fn plain() -> Throttle {
    Throttle::new(HoldOffConfig {
        first: Duration::from_secs(1),
        ..HoldOffConfig::default()
    })
}

fn holding(first: Duration, longest: Duration) -> Throttle {
    Throttle::new(HoldOffConfig { first, longest })
}

fn at(millis: u64) -> Instant {
    Instant(millis * 1_000_000)
}

fn hit(throttle: &mut Throttle, answer: Answer, now: Instant) -> Option<Instant> {
    let (permit, _) = throttle.admit(now);
    throttle.finish(permit, answer, now, &mut Rng::new(5))
}

/// Serves the whole ramp.
fn ramp(throttle: &mut Throttle, now: Instant) {
    for _ in 0..RAMP_PASSES {
        assert!(throttle.admits(now));
        assert_eq!(hit(throttle, Answer::Served, now), None);
    }
}

#[test]
fn without_a_word_it_is_a_second_and_doubles_to_half_an_hour() {
    let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_800, 1_800];
    assert_spans(plain(), expected.map(|s| s * 1_000));
}

/// Throttled again whenever it is back: how long it is held off each time.
fn in_a_row<const N: usize>(mut throttle: Throttle) -> [Duration; N] {
    let mut now = at(0);
    core::array::from_fn(|_| {
        let until = hit(&mut throttle, refused(None), now).unwrap();
        let span = until.saturating_duration_since(now);
        assert!(!throttle.admits(Instant(until.0 - 1)));
        assert!(throttle.admits(until));
        now = until;
        span
    })
}

fn assert_spans<const N: usize>(throttle: Throttle, expected_ms: [u64; N]) {
    for (span, expected) in in_a_row::<N>(throttle).into_iter().zip(expected_ms) {
        let expected = Duration::from_millis(expected);
        assert!(
            span >= expected && span <= expected * 6 / 5,
            "{span:?} for {expected:?}"
        );
    }
}

#[test]
fn it_begins_at_the_configured_first_and_doubles_to_the_configured_longest() {
    let (second, minute, hour) = (1_000, 60_000, 3_600_000);
    let of = |first, longest| holding(Duration::from_millis(first), Duration::from_millis(longest));
    assert_spans(
        of(30 * second, 30 * minute),
        [30, 60, 120, 240, 480, 960, 1_800, 1_800].map(|s| s * second),
    );
    // The end is below the first doubling, and below nothing at all.
    assert_spans(
        of(30 * second, 45 * second),
        [30 * second, 45 * second, 45 * second],
    );
    assert_spans(of(second, second), [second; 5]);
    assert_spans(of(hour, hour), [hour; 3]);
    assert_spans(
        of(hour, 24 * hour),
        [1, 2, 4, 8, 16, 24, 24].map(|h| h * hour),
    );
    // From the shortest first time to the longest longest one, and no step is missing or too many.
    let day = 24 * hour;
    let expected = core::array::from_fn::<u64, 40, _>(|row| (100_u64 << row.min(30)).min(day));
    assert_spans(of(100, day), expected);
}

#[test]
fn the_jitter_is_up_to_a_fifth_and_differs() {
    let first = Duration::from_secs(30);
    let spans: [Duration; 200] = core::array::from_fn(|seed| {
        let mut throttle = holding(first, first);
        let (permit, _) = throttle.admit(at(0));
        let until = throttle.finish(permit, refused(None), at(0), &mut Rng::new(seed as u64));
        until.unwrap().saturating_duration_since(at(0))
    });
    let (least, most) = (spans.iter().min().unwrap(), spans.iter().max().unwrap());
    assert!(*least >= first && *least < first * 21 / 20, "{least:?}");
    assert!(
        *most <= first * 6 / 5 && *most > first * 23 / 20,
        "{most:?}"
    );
}

#[test]
fn no_configuration_makes_a_hold_off_shorter_than_its_first() {
    // Refused by the check of a chain; whoever was not asked is still sane.
    let first = Duration::from_secs(5);
    assert_spans(holding(first, Duration::ZERO), [5_000; 3]);
}

#[test]
fn a_retry_after_goes_before_a_first_that_is_shorter_and_not_before_one_that_is_longer() {
    let (first, longest) = (Duration::from_secs(30), Duration::from_secs(1_800));
    let mut throttle = holding(first, longest);
    let until = hit(&mut throttle, refused(Some(5)), at(0)).unwrap();
    assert!(until >= at(30_000) && until <= at(36_000));
    assert_eq!(throttle.floor(), at(5_000));
    let mut throttle = holding(first, longest);
    let until = hit(&mut throttle, refused(Some(60)), at(0)).unwrap();
    assert!(until >= at(60_000) && until <= at(72_000));
    // It may be longer than the longest of our own.
    let mut throttle = holding(Duration::from_secs(1), Duration::from_secs(1));
    let until = hit(&mut throttle, refused(Some(1_800)), at(0)).unwrap();
    assert!(until >= Instant::ZERO + MAX_FLOOR);
}

#[test]
fn what_another_shard_tells_is_believed_as_far_as_it_can_be_true() {
    let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
    let told = Instant::NEVER;
    let mut plain = plain();
    assert_eq!(plain.adopt(at(0), told, at(0)), Some(Instant::ZERO + hour));
    let mut throttle = holding(hour, day);
    assert_eq!(
        throttle.adopt(at(0), told, at(0)),
        Some(Instant::ZERO + day * 2)
    );
}

#[test]
fn retry_after_is_a_floor_even_for_the_least_bad() {
    let mut throttle = plain();
    let until = hit(&mut throttle, refused(Some(30)), at(0)).unwrap();
    assert!(until >= at(30_000) && until <= at(36_000));
    assert!(!throttle.admits_least_bad(at(29_999)));
    assert!(throttle.admits_least_bad(at(30_000)));
    assert!(!throttle.admits(Instant(until.0 - 1)));
}

#[test]
fn a_retry_after_of_a_year_is_half_an_hour_and_one_of_nothing_is_a_second() {
    let mut throttle = plain();
    let until = hit(&mut throttle, refused(Some(31_536_000)), at(0)).unwrap();
    assert!(until >= Instant::ZERO + MAX_FLOOR && until <= Instant::ZERO + MAX_FLOOR * 6 / 5);
    let mut throttle = plain();
    let until = hit(&mut throttle, refused(Some(0)), at(0)).unwrap();
    assert!(until >= at(1_000));
}

#[test]
fn before_its_time_the_least_bad_is_one_at_a_time() {
    let mut throttle = plain();
    hit(&mut throttle, refused(None), at(0));
    assert!(!throttle.admits(at(10)));
    assert!(throttle.admits_least_bad(at(10)));
    let (permit, begins) = throttle.admit(at(10));
    assert!(!begins);
    assert!(!throttle.admits_least_bad(at(10)));
    throttle.finish(permit, Answer::Neutral, at(11), &mut Rng::new(1));
    assert!(
        throttle.admits_least_bad(at(11)),
        "a cancelled attempt gives its place back"
    );
}

#[test]
fn the_ramp_admits_one_more_for_each_answer() {
    let mut throttle = plain();
    let until = hit(&mut throttle, refused(None), at(0)).unwrap();
    let (first, begins) = throttle.admit(until);
    assert!(begins && throttle.is_ramping());
    assert!(!throttle.admits(until), "one at first");
    throttle.finish(first, Answer::Served, until, &mut Rng::new(1));
    let (_a, begins) = throttle.admit(until);
    assert!(!begins);
    assert!(throttle.admits(until), "then two");
    let (_b, _) = throttle.admit(until);
    assert!(!throttle.admits(until));
}

#[test]
fn a_whole_ramp_frees_it_and_forgets_the_growth() {
    let mut throttle = plain();
    let until = hit(&mut throttle, refused(None), at(0)).unwrap();
    let until = hit(&mut throttle, refused(None), until).unwrap();
    ramp(&mut throttle, until);
    assert!(!throttle.is_ramping() && throttle.held_until().is_none());
    for _ in 0..100 {
        throttle.admit(until);
    }
    assert!(throttle.admits(until), "no limit any more");
    let again = hit(&mut throttle, refused(None), until).unwrap();
    assert!(
        again.saturating_duration_since(until) < Duration::from_secs(2),
        "the first step again"
    );
}

#[test]
fn a_throttle_in_the_ramp_goes_on_growing() {
    let mut throttle = plain();
    let until = hit(&mut throttle, refused(None), at(0)).unwrap();
    hit(&mut throttle, Answer::Served, until);
    let again = hit(&mut throttle, refused(None), until).unwrap();
    assert!(again.saturating_duration_since(until) >= Duration::from_secs(2));
}

#[test]
fn a_hundred_refusals_of_calls_in_flight_are_one_plain() {
    let mut throttle = plain();
    let permits: [Permit; 100] = core::array::from_fn(|_| throttle.admit(at(0)).0);
    let mut rng = Rng::new(9);
    let begun = permits
        .iter()
        .filter_map(|&permit| throttle.finish(permit, refused(None), at(1), &mut rng))
        .count();
    assert_eq!(begun, 1);
    assert!(throttle.held_until().unwrap() < at(1_300));
}

#[test]
fn a_late_refusal_may_raise_the_floor_and_a_late_answer_ends_nothing() {
    let mut throttle = plain();
    let (early, _) = throttle.admit(at(0));
    let (answered, _) = throttle.admit(at(0));
    hit(&mut throttle, refused(Some(1)), at(1));
    assert_eq!(
        throttle.finish(early, refused(Some(10)), at(2), &mut Rng::new(1)),
        None
    );
    assert_eq!(throttle.floor(), at(10_002));
    assert!(throttle.held_until().unwrap() >= at(10_002));
    throttle.finish(answered, Answer::Served, at(3), &mut Rng::new(1));
    assert!(!throttle.admits_least_bad(at(10_001)));
}

#[test]
fn an_answer_to_the_least_bad_begins_the_ramp() {
    let mut throttle = plain();
    hit(&mut throttle, refused(None), at(0));
    hit(&mut throttle, Answer::Served, at(100));
    assert!(throttle.is_ramping());
    assert!(throttle.admits(at(101)));
}
