//! Kinds of work that fail apart, and upstreams that are down as a whole.

use super::*;

use MethodGroup::{Logs, Reads, Traces, Writes};

struct Pair {
    breakers: Breakers,
    rng: Rng,
}

impl Pair {
    fn new() -> Self {
        Self::of(BreakerConfig::default())
    }

    fn of(config: BreakerConfig) -> Self {
        Self {
            breakers: Breakers::new(config),
            rng: Rng::new(3),
        }
    }

    fn hit(&mut self, group: MethodGroup, verdict: Verdict, now: Instant) -> Changes {
        let (permit, before) = self.breakers.admit(group, now);
        let after = self
            .breakers
            .finish(permit, group, verdict, now, &mut self.rng);
        Changes {
            whole: after.whole.or(before.whole),
            group: after.group.or(before.group),
        }
    }

    fn fail(&mut self, group: MethodGroup, times: u32, now: Instant) {
        for _ in 0..times {
            self.hit(group, Verdict::Failure(100), now);
        }
    }

    fn serve(&mut self, group: MethodGroup, times: u32, now: Instant) {
        for _ in 0..times {
            self.hit(group, Verdict::Success, now);
        }
    }
}

#[test]
fn traces_that_fail_leave_reads_alone() {
    let mut pair = Pair::new();
    pair.serve(Reads, 50, at(1));
    for _ in 0..5 {
        pair.fail(Traces, 1, at(2));
        pair.serve(Reads, 1, at(2));
    }
    assert_eq!(pair.breakers.whole(), State::Closed);
    assert_eq!(pair.breakers.state(Traces), State::Open);
    assert_eq!(pair.breakers.state(Reads), State::Closed);
    assert!(!pair.breakers.admits(Traces, at(2)) && pair.breakers.admits(Reads, at(2)));
    assert!(!pair.breakers.are_closed());
}

#[test]
fn traces_alone_say_nothing_of_reads() {
    let mut pair = Pair::new();
    pair.fail(Traces, 5, at(1));
    assert_eq!(
        (pair.breakers.whole(), pair.breakers.state(Traces)),
        (State::Closed, State::Open)
    );
}

#[test]
fn reads_that_fail_while_nobody_vouches_are_an_outage_of_all() {
    let mut pair = Pair::new();
    pair.serve(Traces, 10, at(1));
    pair.serve(Reads, 20, at(1));
    pair.fail(Reads, 9, at(2));
    assert_eq!(pair.breakers.whole(), State::Closed);
    let changes = pair.hit(Reads, Verdict::Failure(100), at(2));
    assert_eq!(changes.whole, Some((State::Closed, State::Open)));
    assert_eq!(changes.group, None, "the whole is told of alone");
    for group in MethodGroup::ALL {
        assert_eq!(pair.breakers.group(group), State::Closed);
        assert!(!pair.breakers.admits(group, at(2)));
        assert_eq!(pair.breakers.state(group), State::Open);
    }
}

#[test]
fn reads_that_fail_while_traces_succeed_are_out_alone() {
    let mut pair = Pair::new();
    for _ in 0..5 {
        pair.fail(Reads, 1, at(2));
        pair.serve(Traces, 1, at(2));
    }
    assert_eq!(
        (pair.breakers.whole(), pair.breakers.group(Reads)),
        (State::Closed, State::Open)
    );
}

#[test]
fn two_kinds_that_fail_together_are_an_outage_of_all() {
    let mut pair = Pair::new();
    pair.serve(Reads, 10, at(1));
    pair.fail(Logs, 1, at(2));
    pair.fail(Traces, 5, at(3));
    assert_eq!(
        pair.breakers.whole(),
        State::Closed,
        "logs failed before traces did"
    );
    let mut pair = Pair::new();
    pair.serve(Reads, 10, at(1));
    for _ in 0..5 {
        pair.fail(Traces, 1, at(2));
        pair.fail(Logs, 1, at(2));
    }
    assert_eq!(pair.breakers.whole(), State::Open);
}

#[test]
fn where_nothing_answers_at_all_it_is_down_whatever_was_asked() {
    let mut pair = Pair::new();
    for _ in 0..5 {
        pair.serve(Reads, 1, at(2));
        pair.hit(Traces, Verdict::Unreachable, at(2));
    }
    assert_eq!(pair.breakers.whole(), State::Open);
}

#[test]
fn one_that_is_down_is_found_out_by_the_first_kind_that_is() {
    // A mixture of all kinds, all of which fail from the second second on: no more than twice a single breaker's failures.
    let mut pair = Pair::new();
    for _ in 0..20 {
        for group in MethodGroup::ALL {
            pair.serve(group, 1, at(1));
        }
    }
    let (mut failures, mix) = (0, [Reads, Reads, Logs, Reads, Traces, Reads, Writes]);
    for group in mix.into_iter().cycle().take(200) {
        pair.fail(group, 1, at(2));
        failures += 1;
        if pair.breakers.whole() == State::Open {
            break;
        }
    }
    assert!(failures <= 20, "{failures}");
}

#[test]
fn a_probe_of_any_kind_may_bring_it_back() {
    let mut pair = Pair::new();
    pair.fail(Reads, 5, at(1));
    let until = pair.breakers.open_until(Reads).unwrap();
    assert!(pair.breakers.wants_probe(Traces, until));
    assert_eq!(
        pair.hit(Traces, Verdict::Success, until).whole,
        Some((State::Open, State::HalfOpen))
    );
    assert_eq!(
        pair.hit(Reads, Verdict::Success, until).whole,
        Some((State::HalfOpen, State::Closed))
    );
    assert!(pair.breakers.are_closed());
}

#[test]
fn a_probe_with_a_trace_that_fails_puts_out_traces_alone() {
    let mut pair = Pair::new();
    pair.fail(Reads, 5, at(1));
    let until = pair.breakers.open_until(Reads).unwrap();
    let changes = pair.hit(Traces, Verdict::Failure(100), until);
    assert_eq!(changes.group, Some((State::Closed, State::Open)));
    assert_eq!(
        pair.breakers.whole(),
        State::HalfOpen,
        "reads may still try"
    );
    assert!(!pair.breakers.admits(Traces, until) && pair.breakers.admits(Reads, until));
    pair.serve(Reads, 2, until);
    assert_eq!(
        (pair.breakers.whole(), pair.breakers.state(Traces)),
        (State::Closed, State::Open)
    );
    // A read that fails is the whole's matter, and so is one that nobody hears.
    for (group, verdict) in [
        (Reads, Verdict::Failure(100)),
        (Traces, Verdict::Unreachable),
    ] {
        let mut pair = Pair::new();
        pair.fail(Reads, 5, at(1));
        let until = pair.breakers.open_until(Reads).unwrap();
        pair.hit(group, verdict, until);
        assert_eq!(pair.breakers.whole(), State::Open);
    }
}

#[test]
fn probes_of_both_are_given_back() {
    let mut pair = Pair::new();
    pair.fail(Reads, 5, at(1));
    let until = pair.breakers.open_until(Reads).unwrap();
    let (permit, _) = pair.breakers.admit(Traces, until);
    let (other, _) = pair.breakers.admit(Traces, until);
    assert!(permit.is_probe() && other.is_probe());
    assert!(!pair.breakers.admits(Traces, until));
    let mut rng = Rng::new(1);
    let cancelled = pair
        .breakers
        .finish(permit, Traces, Verdict::Neutral, until, &mut rng);
    assert!(!cancelled.any());
    assert!(pair.breakers.admits(Traces, until));
}

#[test]
fn stragglers_of_groups_from_before_the_outage_are_not_heard() {
    let mut pair = Pair::new();
    let (straggler, _) = pair.breakers.admit(Traces, at(1));
    pair.fail(Reads, 5, at(1));
    let until = pair.breakers.open_until(Reads).unwrap();
    pair.serve(Reads, 2, until);
    let mut rng = Rng::new(1);
    for _ in 0..20 {
        let changes =
            pair.breakers
                .finish(straggler, Traces, Verdict::Failure(100), until, &mut rng);
        assert!(!changes.any());
    }
}

#[test]
fn without_groups_everything_counts_together() {
    let mut pair = Pair::of(BreakerConfig {
        by_group: false,
        ..BreakerConfig::default()
    });
    for group in [Reads, Logs, Traces, Writes] {
        pair.fail(group, 1, at(1));
    }
    assert_eq!(pair.breakers.whole(), State::Closed);
    pair.fail(Reads, 1, at(1));
    assert_eq!(pair.breakers.whole(), State::Open);
}

#[test]
fn another_shard_s_word_is_of_the_kind_that_it_names() {
    let mut pair = Pair::new();
    let opened = pair.breakers.adopt(Some(Traces), at(1), at(11), at(2));
    assert_eq!(opened, Some((State::Closed, State::Open)));
    assert!(pair.breakers.admits(Reads, at(2)) && !pair.breakers.admits(Traces, at(2)));
    let opened = pair.breakers.adopt(None, at(1), at(12), at(2));
    assert_eq!(opened, Some((State::Closed, State::Open)));
    assert_eq!(pair.breakers.group(Traces), State::Open, "as it was told");
    // A success here speaks against both.
    let mut pair = Pair::new();
    pair.serve(Reads, 1, at(3));
    assert_eq!(pair.breakers.adopt(None, at(2), at(12), at(3)), None);
    assert!(
        pair.breakers
            .adopt(Some(Traces), at(2), at(12), at(3))
            .is_some()
    );
}

#[test]
fn a_check_beside_the_traffic_speaks_for_reads_and_the_whole() {
    for (group, speaks) in [(Reads, true), (Traces, false)] {
        let mut pair = Pair::new();
        for _ in 0..5 {
            pair.fail(group, 1, at(2));
            pair.serve(Logs, 1, at(2));
        }
        let until = pair.breakers.open_until(group).unwrap();
        pair.hit(group, Verdict::Failure(100), until);
        let reopened = pair.breakers.open_until(group).unwrap();
        assert!(reopened >= until + Duration::from_secs(20));
        let soon = until + Duration::from_secs(11);
        pair.breakers.heard_well(soon, Instant::ZERO);
        assert_eq!(pair.breakers.admits(group, soon), speaks, "{group:?}");
    }
}

#[test]
fn what_was_sent_while_the_whole_was_out_trips_no_group_when_it_is_back() {
    let mut pair = Pair::new();
    pair.hit(Reads, Verdict::Unreachable, at(1));
    for _ in 0..4 {
        pair.hit(Reads, Verdict::Unreachable, at(1));
    }
    assert_eq!(pair.breakers.whole(), State::Open);
    let sent: std::vec::Vec<_> = (0..40)
        .map(|_| pair.breakers.admit(Reads, at(2)).0)
        .collect();
    let until = pair.breakers.open_until(Reads).unwrap();
    pair.serve(Reads, 5, until);
    assert!(pair.breakers.are_closed());
    for permit in sent {
        let now = until + Duration::from_secs(1);
        let late = pair
            .breakers
            .finish(permit, Reads, Verdict::Failure(100), now, &mut pair.rng);
        assert!(!late.any());
    }
    assert!(pair.breakers.are_closed());
}
