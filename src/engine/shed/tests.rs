//! Who is refused, at the edges of the number and of the wait.

use super::*;

fn ms(millis: u64) -> Instant {
    Instant(millis * 1_000_000)
}

const LONG: Duration = Duration::from_millis(21);
const SHORT: Duration = Duration::from_millis(20);

fn shedder(max_live_calls: u32) -> Shedder {
    Shedder::new(SheddingConfig {
        max_live_calls,
        ..SheddingConfig::default()
    })
}

/// Reports this wait every millisecond of so many intervals, and gives what is let in then.
fn report(shedder: &mut Shedder, from_ms: u64, intervals: u64, wait: Duration) -> Priority {
    for at in from_ms..from_ms + intervals * 100 {
        shedder.waited(wait, ms(at));
    }
    shedder.lets_in()
}

#[test]
fn the_number_refuses_by_priority_at_its_edges() {
    let mut shedder = shedder(1_000);
    let edges = [(700, 0), (850, 1), (950, 2), (1_000, 3)];
    for (live, priority) in edges {
        let priority = Priority::ALL[priority];
        assert!(!shedder.refuses(priority, live - 1, ms(1)), "{priority:?}");
        assert!(shedder.refuses(priority, live, ms(1)), "{priority:?}");
    }
    assert!(!shedder.may_refuse(699));
    assert!(shedder.may_refuse(700));
}

#[test]
fn a_limit_of_one_call_lets_one_in() {
    let mut shedder = shedder(1);
    for priority in Priority::ALL {
        assert!(!shedder.refuses(priority, 0, ms(1)));
        assert!(shedder.refuses(priority, 1, ms(1)));
    }
}

#[test]
fn a_wait_that_never_ends_sheds_one_priority_an_interval_and_never_effects() {
    let mut shedder = shedder(1_000);
    assert_eq!(report(&mut shedder, 0, 1, LONG), Priority::Bulk);
    assert_eq!(report(&mut shedder, 100, 1, LONG), Priority::Normal);
    assert!(shedder.may_refuse(0));
    assert!(shedder.refuses(Priority::Bulk, 0, ms(199)));
    assert!(!shedder.refuses(Priority::Normal, 0, ms(199)));
    assert_eq!(report(&mut shedder, 200, 1, LONG), Priority::Cheap);
    assert_eq!(report(&mut shedder, 300, 1, LONG), Priority::Critical);
    assert_eq!(report(&mut shedder, 400, 5, LONG), Priority::Critical);
    assert!(!shedder.refuses(Priority::Critical, 0, ms(899)));
    assert!(shedder.refuses(Priority::Cheap, 0, ms(899)));
}

#[test]
fn a_burst_that_drains_within_the_interval_sheds_nothing() {
    let mut shedder = shedder(1_000);
    for at in 0..1_000 {
        let wait = if at % 100 == 7 {
            SHORT
        } else {
            Duration::from_secs(1)
        };
        shedder.waited(wait, ms(at));
        assert_eq!(shedder.lets_in(), Priority::Bulk);
    }
}

#[test]
fn it_lets_in_again_step_by_step() {
    let mut shedder = shedder(1_000);
    report(&mut shedder, 0, 5, LONG);
    assert_eq!(report(&mut shedder, 500, 1, SHORT), Priority::Critical);
    assert_eq!(report(&mut shedder, 600, 1, SHORT), Priority::Cheap);
    assert_eq!(report(&mut shedder, 700, 2, SHORT), Priority::Bulk);
    assert!(!shedder.may_refuse(0));
}

#[test]
fn silence_is_no_wait() {
    let mut shedder = shedder(1_000);
    assert_eq!(report(&mut shedder, 0, 4, LONG), Priority::Critical);
    assert!(shedder.refuses(Priority::Cheap, 0, ms(499)));
    assert!(!shedder.refuses(Priority::Cheap, 0, ms(500)));
    report(&mut shedder, 1_000, 4, LONG);
    assert!(shedder.is_waiting());
    // The first report after a pause is of a new interval.
    assert!(shedder.waited(LONG, ms(5_000)));
    assert_eq!(shedder.lets_in(), Priority::Bulk);
}

#[test]
fn without_a_limit_no_wait_counts() {
    let mut shedder = Shedder::new(SheddingConfig {
        max_wait: Duration::ZERO,
        ..SheddingConfig::default()
    });
    assert_eq!(
        report(&mut shedder, 0, 9, Duration::from_secs(9)),
        Priority::Bulk
    );
}
