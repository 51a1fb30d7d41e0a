//! One machine's transitions, at the edges of each limit.

use super::*;

fn breaker() -> Breaker {
    Breaker::new(BreakerConfig::default())
}

/// Sends one attempt and ends it at once.
fn hit(breaker: &mut Breaker, verdict: Verdict, now: Instant) -> Option<Change> {
    let (permit, change) = breaker.admit(now);
    breaker
        .finish(permit, verdict, now, &mut Rng::new(1))
        .or(change)
}

fn tripped_at(seconds: u64) -> Breaker {
    let mut breaker = breaker();
    for _ in 0..5 {
        hit(&mut breaker, Verdict::Failure(100), at(seconds));
    }
    assert_eq!(breaker.state(), State::Open);
    breaker
}

#[test]
fn trips_at_the_limit_and_not_one_before() {
    let mut breaker = breaker();
    for _ in 0..4 {
        assert_eq!(hit(&mut breaker, Verdict::Failure(100), at(1)), None);
    }
    assert!(breaker.admits(at(1)));
    let change = hit(&mut breaker, Verdict::Failure(100), at(1));
    assert_eq!(change, Some((State::Closed, State::Open)));
    assert!(!breaker.admits(at(1)));
}

#[test]
fn half_a_failure_counts_half() {
    let mut breaker = breaker();
    for _ in 0..9 {
        assert_eq!(hit(&mut breaker, Verdict::Failure(50), at(1)), None);
        assert_eq!(hit(&mut breaker, Verdict::Success, at(1)), None);
    }
    assert_eq!(
        hit(&mut breaker, Verdict::Failure(50), at(1)),
        Some((State::Closed, State::Brownout)),
        "five of nineteen failed"
    );
}

#[test]
fn what_says_nothing_about_health_never_trips() {
    let mut breaker = breaker();
    for _ in 0..1_000 {
        assert_eq!(hit(&mut breaker, Verdict::Neutral, at(1)), None);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn failures_older_than_the_window_are_forgotten() {
    let mut breaker = breaker();
    for _ in 0..4 {
        hit(&mut breaker, Verdict::Failure(100), at(0));
    }
    assert_eq!(hit(&mut breaker, Verdict::Failure(100), at(30)), None);
    assert_eq!(breaker.state(), State::Closed);
    // And within it they are not.
    let mut breaker = self::breaker();
    for _ in 0..4 {
        hit(&mut breaker, Verdict::Failure(100), at(0));
    }
    assert_eq!(
        hit(&mut breaker, Verdict::Failure(100), at(29)),
        Some((State::Closed, State::Open))
    );
}

#[test]
fn a_long_run_opens_although_all_was_well_before() {
    let mut breaker = breaker();
    for _ in 0..100 {
        hit(&mut breaker, Verdict::Success, at(1));
    }
    for failure in 1..10 {
        assert_eq!(
            hit(&mut breaker, Verdict::Failure(100), at(2)),
            None,
            "failure {failure}"
        );
    }
    assert_eq!(
        hit(&mut breaker, Verdict::Failure(100), at(2)),
        Some((State::Closed, State::Open))
    );
}

#[test]
fn without_a_brownout_two_fifths_of_the_last_outcomes_open_and_a_third_does_not() {
    let config = BreakerConfig {
        brownout: false,
        ..BreakerConfig::default()
    };
    let mut breaker = Breaker::new(config);
    for _ in 0..1_000 {
        hit(&mut breaker, Verdict::Success, at(1));
    }
    // One in two from now on: 26 of 64 are two fifths.
    let mut failures = 0;
    while breaker.state() == State::Closed && failures < 64 {
        hit(&mut breaker, Verdict::Success, at(2));
        hit(&mut breaker, Verdict::Failure(100), at(2));
        failures += 1;
    }
    assert_eq!((failures, breaker.state()), (26, State::Open));
    let mut breaker = Breaker::new(config);
    for round in 0..200 {
        hit(&mut breaker, Verdict::Success, at(1));
        hit(&mut breaker, Verdict::Success, at(1));
        assert_eq!(
            hit(&mut breaker, Verdict::Failure(100), at(1)),
            None,
            "round {round}"
        );
    }
}

#[test]
fn opens_for_its_time_then_admits_probes_up_to_the_limit() {
    let mut breaker = tripped_at(1);
    let until = breaker.open_until().unwrap();
    assert!(until >= at(11) && until <= at(14), "{until}");
    assert!(!breaker.admits(Instant(until.0 - 1)));
    assert!(breaker.wants_probe(until));
    let (first, change) = breaker.admit(until);
    assert_eq!(change, Some((State::Open, State::HalfOpen)));
    assert!(first.probe);
    assert!(breaker.admits(until));
    let (second, _) = breaker.admit(until);
    assert!(second.probe);
    assert!(!breaker.admits(until), "two probes are out");
    let (forced, _) = breaker.admit(until);
    assert!(!forced.probe);
}

#[test]
fn closes_when_all_probes_pass() {
    let mut breaker = tripped_at(1);
    let until = breaker.open_until().unwrap();
    assert_eq!(
        hit(&mut breaker, Verdict::Success, until),
        Some((State::Open, State::HalfOpen))
    );
    assert_eq!(
        hit(&mut breaker, Verdict::Success, until),
        Some((State::HalfOpen, State::Closed))
    );
    // What was counted before is forgotten: one failure does not trip.
    assert_eq!(hit(&mut breaker, Verdict::Failure(100), until), None);
}

#[test]
fn a_cancelled_probe_gives_its_place_back() {
    let mut breaker = tripped_at(1);
    let until = breaker.open_until().unwrap();
    let (first, _) = breaker.admit(until);
    let (_second, _) = breaker.admit(until);
    assert!(!breaker.admits(until));
    assert_eq!(
        breaker.finish(first, Verdict::Neutral, until, &mut Rng::new(1)),
        None
    );
    assert!(breaker.admits(until));
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn a_failed_probe_opens_for_twice_as_long_up_to_the_cap() {
    let mut breaker = tripped_at(1);
    let mut opened = at(1);
    for expected_s in [10, 20, 40, 60, 60] {
        let until = breaker.open_until().unwrap();
        let span = until.saturating_duration_since(opened);
        let expected = Duration::from_secs(expected_s);
        assert!(
            span >= expected && span <= expected * 5 / 4,
            "{span:?} for {expected:?}"
        );
        let (probe, _) = breaker.admit(until);
        assert_eq!(
            breaker.finish(probe, Verdict::Failure(100), until, &mut Rng::new(3)),
            Some((State::HalfOpen, State::Open))
        );
        opened = until;
    }
}

#[test]
fn an_open_time_beyond_the_cap_is_kept() {
    let mut breaker = Breaker::new(BreakerConfig {
        open_for: Duration::from_secs(300),
        failures: 1,
        ..BreakerConfig::default()
    });
    hit(&mut breaker, Verdict::Failure(100), at(0));
    assert!(breaker.open_until().unwrap() >= at(300));
}

#[test]
fn earlier_trips_are_forgotten_after_a_long_healthy_time() {
    for (pause_s, expected_s) in [(99, 20), (101, 10)] {
        let mut breaker = tripped_at(1);
        let until = breaker.open_until().unwrap();
        hit(&mut breaker, Verdict::Success, until);
        hit(&mut breaker, Verdict::Success, until);
        let now = until + Duration::from_secs(pause_s);
        for _ in 0..5 {
            hit(&mut breaker, Verdict::Failure(100), now);
        }
        let span = breaker.open_until().unwrap().saturating_duration_since(now);
        let expected = Duration::from_secs(expected_s);
        assert!(
            span >= expected && span <= expected * 5 / 4,
            "{pause_s} s: {span:?}"
        );
    }
}

#[test]
fn stragglers_from_before_a_change_are_not_heard() {
    let mut breaker = breaker();
    let (straggler, _) = breaker.admit(at(1));
    for _ in 0..5 {
        hit(&mut breaker, Verdict::Failure(100), at(1));
    }
    assert_eq!(
        breaker.finish(straggler, Verdict::Success, at(2), &mut Rng::new(1)),
        None
    );
    assert_eq!(breaker.state(), State::Open);
    let until = breaker.open_until().unwrap();
    let (probe, _) = breaker.admit(until);
    assert_eq!(
        breaker.finish(straggler, Verdict::Failure(100), until, &mut Rng::new(1)),
        None
    );
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(
        breaker.finish(probe, Verdict::Success, until, &mut Rng::new(1)),
        None
    );
}

#[test]
fn an_attempt_sent_although_open_may_bring_it_back_but_not_keep_it_out() {
    let mut breaker = tripped_at(1);
    let before = breaker.open_until();
    assert_eq!(hit(&mut breaker, Verdict::Failure(100), at(2)), None);
    assert_eq!(breaker.open_until(), before);
    assert_eq!(
        hit(&mut breaker, Verdict::Success, at(2)),
        Some((State::Open, State::HalfOpen))
    );
    assert_eq!(
        hit(&mut breaker, Verdict::Success, at(2)),
        Some((State::HalfOpen, State::Closed))
    );
}

#[test]
fn a_check_beside_the_traffic_shortens_a_long_open_time_only() {
    let mut breaker = tripped_at(1);
    breaker.heard_well(at(2), Instant::ZERO);
    assert!(!breaker.admits(at(10)), "not before the first open time");
    assert!(breaker.admits(at(11)));
    assert_eq!(breaker.state(), State::Open, "it takes a probe to find out");

    let until = breaker.open_until().unwrap();
    let (probe, _) = breaker.admit(until);
    breaker.finish(probe, Verdict::Failure(100), until, &mut Rng::new(1));
    let long = breaker.open_until().unwrap();
    assert!(long >= until + Duration::from_secs(20));
    breaker.heard_well(until + Duration::from_secs(12), Instant::ZERO);
    assert!(breaker.admits(until + Duration::from_secs(12)));
}

#[test]
fn a_check_after_a_silence_is_news_of_a_return_and_is_followed_at_once() {
    // Checks came all the time: what failed was something else.
    let mut breaker = breaker();
    for second in 1..20 {
        breaker.heard_well(at(second), Instant::ZERO);
        if second == 10 {
            for _ in 0..5 {
                hit(&mut breaker, Verdict::Failure(100), at(10));
            }
        }
        assert_eq!(breaker.admits(at(second)), second < 10, "{second}");
    }
    // The last of them came before it opened, and the next one long after: it is back.
    let mut breaker = tripped_at(10);
    breaker.heard_well(at(9), Instant::ZERO);
    let until = breaker.open_until().unwrap();
    let (probe, _) = breaker.admit(until);
    breaker.finish(probe, Verdict::Failure(100), until, &mut Rng::new(1));
    assert!(breaker.open_until().unwrap() >= until + Duration::from_secs(20));
    let back = until + Duration::from_millis(200);
    breaker.heard_well(back, back);
    assert!(!breaker.admits(back), "not within a second of its opening");
    assert!(breaker.admits(until + Duration::from_secs(1)));
    // A failed probe later is newer news.
    let now = until + Duration::from_secs(1);
    let (probe, _) = breaker.admit(now);
    breaker.finish(probe, Verdict::Failure(100), now, &mut Rng::new(1));
    assert!(!breaker.admits(now + Duration::from_secs(9)));
}

#[test]
fn probes_that_were_sent_into_the_silence_make_room_when_it_is_over() {
    let mut breaker = tripped_at(1);
    breaker.heard_well(at(1), Instant::ZERO);
    let until = breaker.open_until().unwrap();
    let lost: std::vec::Vec<_> =
        core::iter::from_fn(|| breaker.admits(until).then(|| breaker.admit(until).0))
            .take(10)
            .collect();
    assert!(!breaker.admits(until), "{} are out", lost.len());
    let back = until + Duration::from_secs(4);
    let anew = breaker.heard_well(back, back);
    assert_eq!(anew, Some((State::HalfOpen, State::HalfOpen)));
    assert!(breaker.admits(back));
    for _ in 0..lost.len() {
        hit(&mut breaker, Verdict::Success, back);
    }
    assert_eq!(breaker.state(), State::Closed);
    for probe in lost {
        let late = breaker.finish(probe, Verdict::Failure(100), back, &mut Rng::new(1));
        assert_eq!(late, None);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn limits_of_one_work() {
    let mut breaker = Breaker::new(BreakerConfig {
        failures: 1,
        window: Duration::from_nanos(1),
        open_for: Duration::from_nanos(1),
        probes: 1,
        ..BreakerConfig::default()
    });
    assert_eq!(
        hit(&mut breaker, Verdict::Failure(100), Instant(0)),
        Some((State::Closed, State::Open))
    );
    let (probe, _) = breaker.admit(Instant(10));
    assert_eq!(
        breaker.finish(probe, Verdict::Success, Instant(10), &mut Rng::new(1)),
        Some((State::HalfOpen, State::Closed))
    );
    let mut forced = Breaker::new(BreakerConfig {
        probes: 1,
        ..BreakerConfig::default()
    });
    (0..5).for_each(|_| {
        hit(&mut forced, Verdict::Failure(100), at(1));
    });
    assert_eq!(
        hit(&mut forced, Verdict::Success, at(2)),
        Some((State::Open, State::Closed))
    );
}
