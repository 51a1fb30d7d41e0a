//! Half-broken upstreams: when a brownout begins and ends, and how large the share is.

use super::*;

/// A twentieth of the calls may be repeated.
const RETRIES: u32 = 100;

struct Machine {
    breaker: Breaker,
    rng: Rng,
    now: Instant,
    changes: std::vec::Vec<Change>,
}

impl Machine {
    fn new() -> Self {
        Self {
            breaker: Breaker::new(BreakerConfig::default()),
            rng: Rng::new(7),
            now: at(1),
            changes: std::vec::Vec::new(),
        }
    }

    fn hit(&mut self, verdict: Verdict) {
        let (ticket, change) = self.breaker.admit(self.now);
        self.changes.extend(change);
        let change = self
            .breaker
            .finish(ticket, verdict, self.now, &mut self.rng);
        self.changes.extend(change);
    }

    /// So many outcomes, ten milliseconds apart, of which so many of a thousand fail at random.
    fn run(&mut self, outcomes: u32, failing_permille: u64, draws: &mut Rng) {
        for _ in 0..outcomes {
            self.now = self.now + Duration::from_millis(10);
            let fails = draws.chance(failing_permille, 1_000);
            self.hit(if fails {
                Verdict::Failure(100)
            } else {
                Verdict::Success
            });
        }
    }

    fn in_brownout() -> Self {
        let mut machine = Self::new();
        for _ in 0..32 {
            if machine.breaker.state() == State::Closed {
                machine.hit(Verdict::Success);
                machine.hit(Verdict::Failure(100));
            }
        }
        assert_eq!(machine.breaker.state(), State::Brownout);
        machine
    }
}

#[test]
fn a_quarter_of_the_last_ones_begins_it_and_less_does_not() {
    let mut machine = Machine::new();
    (0..64).for_each(|_| machine.hit(Verdict::Success));
    let mut failures = 0;
    while machine.breaker.state() == State::Closed && failures < 64 {
        machine.hit(Verdict::Failure(100));
        failures += 1;
        (0..2).for_each(|_| machine.hit(Verdict::Success));
    }
    assert_eq!(machine.changes, [(State::Closed, State::Brownout)]);
    assert_eq!(failures, 16, "a quarter of 64");

    let mut machine = Machine::new();
    for _ in 0..500 {
        machine.hit(Verdict::Failure(100));
        (0..4).for_each(|_| machine.hit(Verdict::Success));
    }
    // The first failure of all and the ones after it were more than a quarter of what was known.
    assert!(machine.changes.is_empty(), "a fifth, evenly");
}

#[test]
fn what_may_be_an_outage_is_not_taken_for_a_brownout() {
    let mut machine = Machine::new();
    (0..20).for_each(|_| machine.hit(Verdict::Success));
    (0..10).for_each(|_| machine.hit(Verdict::Failure(100)));
    assert_eq!(machine.changes, [(State::Closed, State::Open)]);
}

#[test]
fn the_share_is_what_still_works_and_no_more_than_repeats_can_pay_for() {
    // Of twenty outcomes so many failed; the share.
    for (failed, share) in [(5, 400), (10, 200), (16, 125), (17, 117)] {
        let mut machine = Machine::new();
        for number in 0..20 {
            // The failures are spread, so that no run opens it.
            let fails = (number + 1) * failed / 20 > number * failed / 20;
            machine.hit(if fails {
                Verdict::Failure(100)
            } else {
                Verdict::Success
            });
        }
        assert_eq!(machine.breaker.state(), State::Brownout, "{failed}");
        assert_eq!(machine.breaker.share_permille(RETRIES), share, "{failed}");
        assert_eq!(
            machine.breaker.share_permille(10_000),
            1_000 - 50 * failed,
            "with any number of repeats it is what works"
        );
        assert_eq!(
            machine.breaker.share_permille(0),
            MIN_SHARE_PERMILLE,
            "and with none enough to see a recovery"
        );
    }
    assert_eq!(Machine::new().breaker.share_permille(0), 1_000);
}

#[test]
fn repeats_stay_within_what_may_be_spent_on_them() {
    let machine = Machine::in_brownout();
    for retries in [0, 1, 50, 100, 500, 1_000] {
        let share = machine.breaker.share_permille(retries);
        // A half fails.
        assert!(
            share / 2 <= retries.max(MIN_SHARE_PERMILLE),
            "{retries}: {share}"
        );
    }
}

#[test]
fn a_half_that_fails_stays_in_it_and_comes_back_when_it_ends() {
    for seed in 0..20 {
        let mut draws = Rng::new(seed);
        let mut machine = Machine::new();
        machine.run(2_000, 500, &mut draws);
        let opened = machine
            .changes
            .iter()
            .filter(|change| change.1 == State::Open)
            .count();
        assert!(opened <= 1, "seed {seed}: {:?}", machine.changes);
        machine.run(64, 0, &mut draws);
        machine.now = machine.now + MAX_OPEN * 2;
        machine.run(64, 0, &mut draws);
        assert_eq!(machine.breaker.state(), State::Closed, "seed {seed}");
    }
}

#[test]
fn a_fifth_that_fails_never_opens_it() {
    for seed in 0..20 {
        let mut machine = Machine::new();
        machine.run(5_000, 200, &mut Rng::new(seed));
        let opened = machine.changes.iter().any(|change| change.1 == State::Open);
        assert!(!opened, "seed {seed}: {:?}", machine.changes);
    }
}

#[test]
fn four_fifths_that_fail_open_it_soon() {
    for seed in 0..20 {
        let mut machine = Machine::new();
        machine.run(500, 800, &mut Rng::new(seed));
        let opened = machine.changes.iter().any(|change| change.1 == State::Open);
        assert!(opened, "seed {seed}: {:?}", machine.changes);
    }
}

#[test]
fn one_in_twenty_is_no_brownout() {
    for seed in 0..20 {
        let mut machine = Machine::new();
        machine.run(64, 0, &mut Rng::new(seed));
        machine.run(5_000, 50, &mut Rng::new(seed));
        assert!(
            machine.changes.is_empty(),
            "seed {seed}: {:?}",
            machine.changes
        );
    }
}

#[test]
fn an_outage_out_of_a_brownout_opens_after_a_longer_run() {
    let mut machine = Machine::in_brownout();
    machine.hit(Verdict::Success);
    let mut failures = 0;
    while machine.breaker.state() == State::Brownout && failures < 64 {
        machine.hit(Verdict::Failure(100));
        failures += 1;
    }
    assert_eq!((machine.breaker.state(), failures), (State::Open, 15));
}

#[test]
fn it_ends_with_32_in_a_row_or_with_few_after_a_quiet_window() {
    let mut machine = Machine::in_brownout();
    (0..31).for_each(|_| machine.hit(Verdict::Success));
    assert_eq!(machine.breaker.state(), State::Brownout);
    machine.hit(Verdict::Success);
    assert_eq!(machine.breaker.state(), State::Closed);
    // What was counted is forgotten: one failure is one failure.
    (0..4).for_each(|_| machine.hit(Verdict::Failure(100)));
    assert_eq!(machine.breaker.state(), State::Closed);

    let mut machine = Machine::in_brownout();
    machine.now = machine.now + Duration::from_secs(30);
    machine.hit(Verdict::Success);
    assert_eq!(
        machine.breaker.state(),
        State::Brownout,
        "two are asked for"
    );
    machine.hit(Verdict::Success);
    assert_eq!(machine.breaker.state(), State::Closed);
}

#[test]
fn what_was_sent_before_it_began_counts_in_it() {
    let mut machine = Machine::new();
    let tickets: std::vec::Vec<Ticket> = (0..41)
        .map(|_| machine.breaker.admit(machine.now).0)
        .collect();
    let mut changes = std::vec::Vec::new();
    for (number, ticket) in tickets.into_iter().enumerate() {
        let verdict = if number < 10 && number % 2 == 0 {
            Verdict::Failure(100)
        } else {
            Verdict::Success
        };
        let (now, rng) = (machine.now, &mut machine.rng);
        changes.extend(machine.breaker.finish(ticket, verdict, now, rng));
    }
    assert_eq!(
        changes,
        [
            (State::Closed, State::Brownout),
            (State::Brownout, State::Closed)
        ],
        "thirty-two successes that were on their way end it"
    );
}
