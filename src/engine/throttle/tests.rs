//! Hold-offs: floors, growth, the ramp, and what a refusal that comes late must not do.

use super::*;

const BASE: Duration = Duration::from_secs(1);

fn refused(retry_after_s: Option<u64>) -> Answer {
    Answer::Throttled {
        retry_after: retry_after_s.map(Duration::from_secs),
        base: BASE,
    }
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
fn without_a_word_it_is_a_second_and_doubles_to_the_cap() {
    let mut throttle = Throttle::new();
    let mut now = at(0);
    for expected_s in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_800, 1_800] {
        let until = hit(&mut throttle, refused(None), now).unwrap();
        let (span, expected) = (
            until.saturating_duration_since(now),
            Duration::from_secs(expected_s),
        );
        assert!(
            span >= expected && span <= expected * 6 / 5,
            "{span:?} for {expected:?}"
        );
        assert!(!throttle.admits(Instant(until.0 - 1)));
        assert!(throttle.admits(until));
        now = until;
    }
}

#[test]
fn retry_after_is_a_floor_even_for_the_least_bad() {
    let mut throttle = Throttle::new();
    let until = hit(&mut throttle, refused(Some(30)), at(0)).unwrap();
    assert!(until >= at(30_000) && until <= at(36_000));
    assert!(!throttle.admits_least_bad(at(29_999)));
    assert!(throttle.admits_least_bad(at(30_000)));
    assert!(!throttle.admits(Instant(until.0 - 1)));
}

#[test]
fn a_retry_after_of_a_year_is_half_an_hour_and_one_of_nothing_is_a_second() {
    let mut throttle = Throttle::new();
    let until = hit(&mut throttle, refused(Some(31_536_000)), at(0)).unwrap();
    assert!(until >= Instant::ZERO + MAX_FLOOR && until <= Instant::ZERO + MAX_FLOOR * 6 / 5);
    let mut throttle = Throttle::new();
    let until = hit(&mut throttle, refused(Some(0)), at(0)).unwrap();
    assert!(until >= at(1_000));
}

#[test]
fn before_its_time_the_least_bad_is_one_at_a_time() {
    let mut throttle = Throttle::new();
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
    let mut throttle = Throttle::new();
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
    let mut throttle = Throttle::new();
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
    let mut throttle = Throttle::new();
    let until = hit(&mut throttle, refused(None), at(0)).unwrap();
    hit(&mut throttle, Answer::Served, until);
    let again = hit(&mut throttle, refused(None), until).unwrap();
    assert!(again.saturating_duration_since(until) >= Duration::from_secs(2));
}

#[test]
fn a_hundred_refusals_of_calls_in_flight_are_one_throttle() {
    let mut throttle = Throttle::new();
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
    let mut throttle = Throttle::new();
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
    let mut throttle = Throttle::new();
    hit(&mut throttle, refused(None), at(0));
    hit(&mut throttle, Answer::Served, at(100));
    assert!(throttle.is_ramping());
    assert!(throttle.admits(at(101)));
}
