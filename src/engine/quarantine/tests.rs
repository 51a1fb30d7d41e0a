//! Quarantines: two refusals, growth, one at a time afterwards, and the wrong chain.

use super::*;

const LONGEST: Duration = Duration::from_secs(900);

fn refuse(quarantine: &mut Quarantine, now: Instant) -> Option<Instant> {
    quarantine.refused(Cause::Auth, LONGEST, None, now, &mut Rng::new(1))
}

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

#[test]
fn two_refusals_in_a_row_and_not_one() {
    let mut quarantine = Quarantine::new();
    assert_eq!(refuse(&mut quarantine, at(0)), None);
    assert!(!quarantine.answered());
    assert_eq!(
        refuse(&mut quarantine, at(0)),
        None,
        "an answer between them starts the count anew"
    );
    let until = refuse(&mut quarantine, at(0)).unwrap();
    assert!(until >= at(60) && until <= at(66));
    assert!(!quarantine.admits(at(59)));
    assert!(quarantine.admits_least_bad());
}

#[test]
fn grows_to_the_class_s_duration() {
    let mut quarantine = Quarantine::new();
    refuse(&mut quarantine, at(0));
    let mut now = at(0);
    for expected_s in [60, 120, 240, 480, 900, 900] {
        let until = refuse(&mut quarantine, now).unwrap();
        let span = until.saturating_duration_since(now);
        let expected = Duration::from_secs(expected_s);
        assert!(
            span >= expected && span <= expected * 11 / 10,
            "{span:?} for {expected:?}"
        );
        now = until;
    }
}

#[test]
fn the_upstreams_own_word_is_a_floor_up_to_a_day() {
    let mut quarantine = Quarantine::new();
    let mut rng = Rng::new(1);
    let hour = Some(Duration::from_secs(3_600));
    quarantine.refused(Cause::QuotaBilling, LONGEST, hour, at(0), &mut rng);
    let until = quarantine
        .refused(Cause::QuotaBilling, LONGEST, hour, at(0), &mut rng)
        .unwrap();
    assert!(until >= at(3_600));
    let mut quarantine = Quarantine::new();
    quarantine.refused(
        Cause::QuotaBilling,
        LONGEST,
        Some(Duration::MAX),
        at(0),
        &mut rng,
    );
    let until = quarantine.refused(
        Cause::QuotaBilling,
        LONGEST,
        Some(Duration::MAX),
        at(0),
        &mut rng,
    );
    assert!(until.unwrap() <= Instant::ZERO + MAX * 11 / 10);
}

#[test]
fn afterwards_one_at_a_time_until_one_is_answered() {
    let mut quarantine = Quarantine::new();
    refuse(&mut quarantine, at(0));
    let until = refuse(&mut quarantine, at(0)).unwrap();
    assert!(quarantine.admits(until));
    let counted = quarantine.admit();
    assert!(counted && !quarantine.admits(until));
    quarantine.leave(counted);
    assert!(quarantine.admits(until));
    assert!(quarantine.answered());
    assert!(!quarantine.admit(), "no longer counted");
    assert_eq!(quarantine.state(), None);
}

#[test]
fn refusals_within_a_quarantine_do_not_lengthen_it() {
    let mut quarantine = Quarantine::new();
    refuse(&mut quarantine, at(0));
    refuse(&mut quarantine, at(0));
    let state = quarantine.state();
    assert_eq!(refuse(&mut quarantine, at(5)), None);
    assert_eq!(quarantine.state(), state);
}

#[test]
fn the_wrong_chain_ends_with_the_right_one_and_with_nothing_else() {
    let mut quarantine = Quarantine::new();
    assert!(quarantine.wrong_chain());
    assert!(!quarantine.wrong_chain(), "no news");
    assert!(!quarantine.admits(at(1_000_000)) && !quarantine.admits_least_bad());
    assert!(!quarantine.answered(), "a wrong chain answers, too");
    assert_eq!(refuse(&mut quarantine, at(1)), None);
    assert!(!quarantine.admits_least_bad());
    assert!(quarantine.right_chain());
    assert!(quarantine.admits(at(2)));
    assert!(!quarantine.right_chain());
}
