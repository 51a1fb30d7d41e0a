//! The ramp, step by step.

use super::*;

fn ms(millis: u64) -> Instant {
    Instant(millis * 1_000_000)
}

/// The shares that it has, from answer to answer every so many milliseconds.
fn climb(mut probation: Probation, every_ms: u64) -> std::vec::Vec<(u64, u32)> {
    let mut steps = std::vec![(0, probation.share_permille())];
    let mut at = 0;
    while probation.is_on() {
        at += every_ms;
        let before = probation.share_permille();
        assert_eq!(probation.answered(ms(at)), !probation.is_on());
        if probation.share_permille() != before {
            steps.push((at, probation.share_permille()));
        }
        assert!(at < 1_000_000, "it never ends");
    }
    steps
}

fn begun(ramp: Ramp) -> Probation {
    let mut probation = Probation::new();
    assert!(probation.begin(ramp, ms(0)));
    probation
}

#[test]
fn the_share_doubles_from_step_to_step() {
    let quarantine = [
        (0, 62),
        (1_000, 125),
        (2_000, 250),
        (3_000, 500),
        (4_000, 1_000),
    ];
    assert_eq!(climb(begun(Ramp::Released), 10), quarantine);
    assert_eq!(climb(begun(Ramp::New), 10).len(), 4);
    assert_eq!(
        climb(begun(Ramp::Recovered), 10),
        [(0, 250), (1_000, 500), (2_000, 1_000)]
    );
}

#[test]
fn a_step_wants_four_answers_or_five_seconds_and_one() {
    assert_eq!(
        climb(begun(Ramp::Recovered), 400),
        [(0, 250), (1_600, 500), (3_200, 1_000)]
    );
    assert_eq!(
        climb(begun(Ramp::Recovered), 4_999),
        [(0, 250), (9_998, 500), (19_996, 1_000)]
    );
    assert_eq!(
        climb(begun(Ramp::Recovered), 5_000),
        [(0, 250), (5_000, 500), (10_000, 1_000)]
    );
}

#[test]
fn a_failure_is_a_step_back_and_never_below_the_first() {
    let mut probation = begun(Ramp::Recovered);
    for _ in 0..10 {
        probation.failed(ms(1));
    }
    assert_eq!(probation.share_permille(), 250);
    probation.failed(ms(2_000));
    for _ in 0..3 {
        probation.answered(ms(3_000));
    }
    assert_eq!(probation.share_permille(), 250, "three are not four");
    probation.answered(ms(3_000));
    assert_eq!(probation.share_permille(), 500);
    probation.failed(ms(3_001));
    assert_eq!(probation.share_permille(), 250);
}

#[test]
fn without_a_ramp_nothing_counts() {
    let mut probation = Probation::new();
    probation.failed(ms(1));
    assert!(!probation.answered(ms(2)));
    assert_eq!(
        (probation.is_on(), probation.share_permille()),
        (false, 1_000)
    );
}

#[test]
fn a_longer_ramp_replaces_a_shorter_one_and_not_the_other_way() {
    let mut probation = begun(Ramp::Recovered);
    assert!(!probation.begin(Ramp::Released, ms(1)));
    assert_eq!(probation.share_permille(), 62);
    assert!(!probation.begin(Ramp::Recovered, ms(2)));
    assert_eq!(probation.share_permille(), 62);
}
