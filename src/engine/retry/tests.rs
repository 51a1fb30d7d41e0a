//! The budget's arithmetic and the pauses.

use super::*;

const SECOND: u64 = 1_000_000_000;

fn budget(permille: u32, min_millis: u32) -> Budget {
    Budget::new(RetryBudgetConfig {
        permille_of_calls: permille,
        min_millis_per_second: min_millis,
    })
}

#[test]
fn a_quiet_process_has_the_fixed_rate() {
    let mut budget = budget(200, 10_000);
    let granted = (0..1_000).filter(|_| budget.take(Instant(0), 1)).count();
    assert_eq!(granted, 100, "ten a second over ten seconds");
    assert!(!budget.take(Instant(9 * SECOND), 1));
    assert!(
        budget.take(Instant(10 * SECOND), 1),
        "the window has moved on"
    );
}

#[test]
fn a_busy_process_has_its_share_of_calls_and_not_one_more() {
    let mut budget = budget(200, 10_000);
    for call in 0..10_000_u64 {
        budget.count_call(Instant(call * 1_000_000));
    }
    let now = Instant(9_999 * 1_000_000);
    assert_eq!(
        budget.left(now),
        2_100,
        "a fifth of the calls, and the fixed rate"
    );
    let granted = (0..10_000).filter(|_| budget.take(now, 1)).count();
    assert_eq!(granted, 2_100);
}

#[test]
fn a_cost_of_two_needs_two() {
    let mut budget = budget(0, 300);
    assert_eq!(budget.left(Instant(0)), 3);
    assert!(budget.take(Instant(0), 2));
    assert!(!budget.take(Instant(0), 2));
    assert!(budget.take(Instant(0), 1));
    assert!(
        budget.take(Instant(0), 0),
        "what costs nothing is never denied"
    );
}

#[test]
fn a_budget_of_nothing_allows_nothing() {
    let mut budget = budget(0, 0);
    budget.count_call(Instant(0));
    assert!(!budget.take(Instant(0), 1));
}

#[test]
fn a_share_of_the_process_keeps_its_fractions() {
    let share = RetryBudgetConfig::share(200, 10, 4);
    assert_eq!(share.min_millis_per_second, 2_500);
    assert_eq!(
        RetryBudgetConfig::share(200, 10, 0).min_millis_per_second,
        10_000
    );
}

#[test]
fn pauses_double_to_a_cap_and_are_never_below_half() {
    let mut rng = Rng::new(4);
    for (nth, longest_ms) in [(0, 20), (1, 40), (2, 80), (5, 640), (6, 1_000), (60, 1_000)] {
        for _ in 0..100 {
            let pause = pause(nth, &mut rng);
            let longest = Duration::from_millis(longest_ms);
            assert!(pause >= longest / 2 && pause < longest, "{nth}: {pause:?}");
        }
    }
}
