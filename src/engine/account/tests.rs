//! Limits at their edges, paces, prices, and counters that merge.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::config::{Allowance, Carried};

/// 2024-02-10T00:00:00Z.
const ZERO_MS: u64 = 1_707_523_200_000;
const DAY_S: u64 = 86_400;
const A: AccountIndex = AccountIndex(0);

fn secs(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

fn ms(millis: u64) -> Instant {
    Instant(millis * 1_000_000)
}

fn calls(amount: u64) -> Option<Allowance> {
    Some(Allowance {
        amount,
        of: Measure::Calls,
    })
}

fn units(amount: u64) -> Option<Allowance> {
    Some(Allowance {
        amount,
        of: Measure::Units,
    })
}

fn accounts(shard: u16, shards: u16, config: AccountConfig) -> Accounts {
    let mut accounts = Accounts::new(Calendar::new(ZERO_MS), shard, shards);
    assert_eq!(accounts.add(config, Instant::ZERO), A);
    accounts
}

fn alone(config: AccountConfig) -> Accounts {
    accounts(0, 1, config)
}

/// A whole attempt. Its price.
fn spend(accounts: &mut Accounts, units: u32, per_unit_pico: u64, now: Instant) -> u64 {
    accounts.reserve(A, units, now);
    accounts.settle(A, units, per_unit_pico, true, now)
}

#[test]
fn a_day_s_limit_is_reached_and_over_at_midnight() {
    let mut accounts = alone(AccountConfig {
        per_day: calls(3),
        ..AccountConfig::default()
    });
    for _ in 0..3 {
        assert_eq!(accounts.allows(A, 9, secs(1)), Ok(()));
        spend(&mut accounts, 9, 0, secs(1));
    }
    let midnight = secs(DAY_S);
    assert_eq!(accounts.allows(A, 9, secs(2)), Err(midnight));
    assert_eq!(accounts.allows(A, 9, secs(DAY_S - 1)), Err(midnight));
    assert_eq!(accounts.allows(A, 9, midnight), Ok(()));
    let view = accounts.view(A, midnight).unwrap();
    assert_eq!(view.today, Tally::default());
    assert_eq!(
        view.this_month,
        Tally {
            calls: 3,
            units: 27
        }
    );
}

#[test]
fn a_month_s_limit_counts_units_and_what_was_carried_over() {
    let february = (2024 - 1970) * 12 + 1;
    let config = |period| AccountConfig {
        per_month: units(100),
        this_month: Carried {
            period,
            calls: 1,
            units: 60,
        },
        ..AccountConfig::default()
    };
    let mut accounts = alone(config(february));
    assert_eq!(accounts.allows(A, 40, secs(0)), Ok(()));
    assert_eq!(
        accounts.allows(A, 41, secs(0)),
        Err(secs(20 * DAY_S)),
        "the first of March"
    );
    let mut stale = alone(config(february - 1));
    assert_eq!(
        stale.allows(A, 100, secs(0)),
        Ok(()),
        "that was another month"
    );
}

#[test]
fn what_is_pending_counts_and_what_was_not_sent_is_taken_back() {
    let mut accounts = alone(AccountConfig {
        per_day: calls(1),
        ..AccountConfig::default()
    });
    accounts.reserve(A, 1, secs(1));
    assert!(accounts.allows(A, 1, secs(1)).is_err());
    assert_eq!(accounts.settle(A, 1, 7, false, secs(1)), 0);
    assert_eq!(accounts.allows(A, 1, secs(1)), Ok(()));
    accounts.reserve(A, 1, secs(1));
    assert_eq!(accounts.settle(A, 1, 7, true, secs(1)), 7);
    assert!(accounts.allows(A, 1, secs(1)).is_err());
}

#[test]
fn a_second_s_limit_holds_in_every_second() {
    let mut accounts = alone(AccountConfig {
        per_second: calls(10),
        ..AccountConfig::default()
    });
    let mut sent: Vec<u64> = Vec::new();
    for millis in 1..5_000 {
        if accounts.allows(A, 1, ms(millis)).is_ok() {
            spend(&mut accounts, 1, 0, ms(millis));
            sent.push(millis);
        }
    }
    for (at, &first) in sent.iter().enumerate() {
        let within = sent[at..]
            .iter()
            .take_while(|&&other| other < first + 1_000);
        assert!(within.count() <= 10, "from {first} ms on");
    }
    assert!(sent.len() >= 40, "{} of 50", sent.len());
    let until = accounts.allows(A, 1, ms(5_000)).unwrap_err();
    assert!(until > ms(5_000) && until <= ms(6_100), "{until}");
    assert_eq!(accounts.allows(A, 1, until), Ok(()));
}

#[test]
fn a_call_that_is_dearer_than_the_second_is_sent_alone() {
    let mut accounts = alone(AccountConfig {
        per_second: units(10),
        ..AccountConfig::default()
    });
    assert_eq!(accounts.allows(A, 75, ms(500)), Ok(()));
    spend(&mut accounts, 75, 0, ms(500));
    assert!(accounts.allows(A, 1, ms(1_400)).is_err());
    assert_eq!(accounts.allows(A, 75, ms(1_600)), Ok(()));
    spend(&mut accounts, 1, 0, ms(1_600));
    assert!(accounts.allows(A, 75, ms(1_700)).is_err());
}

#[test]
fn what_is_included_is_free_and_a_call_across_the_edge_is_paid_in_part() {
    let mut accounts = alone(AccountConfig {
        included_units: 100,
        included_per: Period::Day,
        ..AccountConfig::default()
    });
    assert_eq!(accounts.price(A, 26, 5, secs(0)), 0);
    for _ in 0..3 {
        assert_eq!(spend(&mut accounts, 26, 5, secs(0)), 0);
    }
    assert_eq!(accounts.price(A, 26, 5, secs(0)), 4 * 5);
    accounts.reserve(A, 26, secs(0));
    assert_eq!(
        accounts.price(A, 26, 5, secs(0)),
        26 * 5,
        "one is on its way"
    );
    accounts.reserve(A, 26, secs(0));
    assert_eq!(accounts.settle(A, 26, 5, true, secs(0)), 4 * 5);
    assert_eq!(accounts.settle(A, 26, 5, true, secs(0)), 26 * 5);
    assert_eq!(accounts.view(A, secs(0)).unwrap().paid_pico, 30 * 5);
    assert_eq!(accounts.price(A, 26, 5, secs(DAY_S)), 0, "another day");
    assert_eq!(accounts.view(A, secs(19 * DAY_S)).unwrap().paid_pico, 150);
    assert_eq!(
        accounts.view(A, secs(20 * DAY_S)).unwrap().paid_pico,
        0,
        "another month"
    );
}

#[test]
fn the_pace_lasts_to_the_end_of_the_day() {
    let config = AccountConfig {
        per_day: calls(86_400),
        ..AccountConfig::default()
    };
    let room = |spent: u64, at: u64| {
        let mut accounts = alone(AccountConfig {
            today: Carried {
                period: (ZERO_MS / 1_000 / DAY_S) as u32,
                calls: spent,
                units: 0,
            },
            ..config
        });
        u64::from(accounts.room(A, secs(at))) * 100 / ONE
    };
    assert_eq!(room(0, 0), 100);
    assert_eq!(room(2_160, 0), 50, "half of what it may be ahead");
    assert_eq!(room(4_320, 0), 0);
    assert_eq!(room(43_200, 43_200), 100);
    assert_eq!(room(43_200 + 4_320, 43_200), 0);
    // In the last hour three quarters of an even pace are left.
    assert_eq!(room(82_800 + 900, 82_800), 0);
    assert!(room(82_800, 82_800) >= 99);
    assert_eq!(room(86_400, 86_399), 0);
}

#[test]
fn an_even_demand_beyond_the_allowance_is_served_to_the_last_minute() {
    // Two calls a second are wanted, one is allowed; whoever is told that there is room for a part takes it at random.
    let mut accounts = alone(AccountConfig {
        per_day: calls(86_400),
        ..AccountConfig::default()
    });
    let mut rng = crate::rng::Rng::new(1);
    let mut last_hour = 0;
    for at in 0..DAY_S * 2 {
        let now = ms(at * 500);
        let room = accounts.room(A, now);
        if rng.chance(u64::from(room), ONE) {
            assert_eq!(accounts.allows(A, 1, now), Ok(()), "at {now}");
            spend(&mut accounts, 1, 0, now);
            last_hour += u32::from(at >= (DAY_S - 3_600) * 2);
        }
    }
    let spent = accounts.view(A, ms(DAY_S * 1_000 - 1)).unwrap().today.calls;
    assert!(spent > 86_000, "{spent} of 86400 were used");
    assert!(last_hour > 2_500, "{last_hour} in the last hour");
}

#[test]
fn throttles_teach_a_second_s_limit_that_is_kept_away_from() {
    let mut accounts = alone(AccountConfig::default());
    assert_eq!(accounts.room(A, ms(0)), ONE as u32);
    for at in 0..100 {
        spend(&mut accounts, 1, 0, ms(at));
    }
    accounts.throttled(A, ms(99), ms(100));
    assert_eq!(accounts.view(A, ms(100)).unwrap().second_learned, Some(84));
    assert_eq!(accounts.room(A, ms(100)), 0);
    assert_eq!(accounts.allows(A, 1, ms(100)), Ok(()), "it is advice");
    assert_eq!(accounts.room(A, ms(1_200)), ONE as u32);
    for _ in 0..63 {
        spend(&mut accounts, 1, 0, ms(1_200));
    }
    let half = accounts.room(A, ms(1_200));
    assert!(
        (ONE as u32 / 5 * 2..ONE as u32 / 5 * 3).contains(&half),
        "{half}"
    );
}

#[test]
fn an_account_that_does_not_exist_allows_everything_and_costs_what_it_costs() {
    let mut none = Accounts::new(Calendar::default(), 0, 1);
    assert_eq!(none.allows(A, 1, secs(1)), Ok(()));
    assert_eq!(none.room(A, secs(1)), ONE as u32);
    assert_eq!(none.price(A, 3, 5, secs(1)), 15);
    assert_eq!(none.settle(A, 3, 5, true, secs(1)), 15);
    assert_eq!(none.view(A, secs(1)), None);
    assert_eq!(none.tell(A), None);
    assert!(!none.hear(A, 1, Report::default(), secs(1)));
    assert!(none.is_empty() && !none.is_shared(A));
}

#[test]
fn who_is_heard_of_leaves_the_rest_and_who_is_not_takes_an_equal_part() {
    let config = AccountConfig {
        per_day: calls(100),
        per_second: calls(40),
        ..AccountConfig::default()
    };
    let (mut one, mut other) = (accounts(0, 2, config), accounts(1, 2, config));
    let day = (ZERO_MS / 1_000 / DAY_S) as u32;
    let allowed = |accounts: &mut Accounts, at| {
        let view = accounts.view(A, ms(at)).unwrap();
        view.second_allowed.unwrap()
    };
    assert_eq!(allowed(&mut one, 1), 20, "nobody was heard of");
    for _ in 0..10 {
        spend(&mut other, 1, 0, ms(5));
    }
    let report = other.tell(A).unwrap();
    assert_eq!(
        (report.day, report.second, report.today.calls),
        (day, 10, 10)
    );
    assert!(!one.hear(A, 1, report, ms(6)), "too soon for an answer");
    assert_eq!(allowed(&mut one, 6), 30);
    assert_eq!(one.view(A, ms(6)).unwrap().today.calls, 10);
    assert!(one.hear(A, 1, report, ms(1_006)));
    assert!(!one.hear(A, 0, report, ms(9_999)), "its own words");
    assert!(!one.hear(A, 2, report, ms(9_999)), "there is no third");
    // Three seconds later it counts as spending unheard.
    assert_eq!(allowed(&mut one, 3_006), 20);
    for at in 0..20 {
        spend(&mut one, 1, 0, ms(4_000 + at));
    }
    assert_eq!(
        one.view(A, ms(4_100)).unwrap().today.calls,
        40,
        "as much as this one"
    );
}

#[test]
fn parts_that_do_not_come_out_even_go_round() {
    let config = AccountConfig {
        per_second: calls(5),
        ..AccountConfig::default()
    };
    let mut all: Vec<_> = (0..8).map(|shard| accounts(shard, 8, config)).collect();
    let mut had = [0; 8];
    for second in 0..8 {
        let now = secs(second);
        let mut sum = 0;
        for (shard, accounts) in all.iter_mut().enumerate() {
            let allowed = accounts.view(A, now).unwrap().second_allowed.unwrap();
            had[shard] += allowed;
            sum += allowed;
        }
        assert_eq!(sum, 5, "in second {second}");
    }
    assert_eq!(had, [5; 8]);
}

fn report() -> impl Strategy<Value = Report> {
    (0..5_u64, 0..9_u64, 0..3_u32, 0..3_u32, 0..5_u64, 0..5_u64).prop_map(
        |(at, second, day, month, calls, units)| Report {
            at: secs(at),
            second,
            day,
            month,
            today: Tally { calls, units },
            this_month: Tally {
                calls: units,
                units: calls,
            },
        },
    )
}

proptest! {
    #[test]
    fn reports_join_in_any_order_and_any_number_of_times(
        one in report(), two in report(), three in report()
    ) {
        prop_assert_eq!(one.joined(two), two.joined(one));
        prop_assert_eq!(one.joined(two).joined(three), one.joined(two.joined(three)));
        prop_assert_eq!(one.joined(one), one);
        prop_assert_eq!(one.joined(two).joined(one), one.joined(two));
    }

    /// Shards spend as they are allowed, and what they tell is lost, late, repeated or arrives. The limit is never passed by more than what was
    /// spent elsewhere and not known where the last call was allowed.
    #[test]
    fn a_limit_is_passed_by_no_more_than_what_was_not_known(
        seed in any::<u64>(),
        shards in 1..5_u16,
        limit in 1..300_u64,
        loss in 0..=100_u64,
        in_units in any::<bool>(),
    ) {
        let mut rng = crate::rng::Rng::new(seed);
        let config = AccountConfig {
            per_day: if in_units { units(limit) } else { calls(limit) },
            ..AccountConfig::default()
        };
        let mut all: Vec<_> = (0..shards).map(|shard| accounts(shard, shards, config)).collect();
        let mut spent = std::vec![0_u64; usize::from(shards)];
        let mut letters: Vec<(Instant, u16, u16, Report)> = Vec::new();
        // By receiver and sender: how much has arrived.
        let mut arrived = std::vec![std::vec![0_u64; usize::from(shards)]; usize::from(shards)];
        for step in 1..2_000_u64 {
            let now = ms(step * 5);
            let me = rng.below(u64::from(shards)) as u16;
            let cost = if in_units { 1 + rng.below(4) as u32 } else { 1 };
            let accounts = &mut all[usize::from(me)];
            let was_allowed = accounts.allows(A, cost, now).is_ok();
            if was_allowed {
                spend(accounts, cost, 0, now);
                spent[usize::from(me)] += u64::from(cost);
                let total: u64 = spent.iter().sum();
                let known = spent.iter().zip(&arrived[usize::from(me)]).enumerate();
                let unknown: u64 = known
                    .filter(|(from, _)| *from != usize::from(me))
                    .map(|(_, (spent, arrived))| spent - arrived)
                    .sum();
                prop_assert!(
                    total <= limit + unknown,
                    "{total} of {limit} are spent, and all but {unknown} was known"
                );
                if loss == 100 {
                    prop_assert!(total <= limit, "nothing was heard, and {total} of {limit} are spent");
                }
            }
            if let Some(report) = all[usize::from(me)].tell(A) {
                for to in (0..shards).filter(|&to| to != me) {
                    while !rng.chance(loss, 100) {
                        let late = Duration::from_millis(rng.below(400));
                        letters.push((now + late, me, to, report));
                        if rng.chance(2, 3) {
                            break;
                        }
                    }
                }
            }
            letters.retain(|&(at, from, to, report)| {
                if at <= now {
                    all[usize::from(to)].hear(A, from, report, now);
                    let told = if in_units { report.today.units } else { report.today.calls };
                    let arrived = &mut arrived[usize::from(to)][usize::from(from)];
                    *arrived = told.max(*arrived);
                }
                at > now
            });
        }
        // Once nobody spends and everybody has told, all know the same.
        let now = ms(20_000);
        let reports: Vec<_> = all.iter_mut().map(|accounts| {
            accounts.room(A, now);
            accounts.tell(A).unwrap()
        }).collect();
        let total: u64 = spent.iter().sum();
        for (me, accounts) in all.iter_mut().enumerate() {
            for (from, report) in reports.iter().enumerate() {
                accounts.hear(A, from as u16, *report, now);
            }
            let known = accounts.view(A, now).unwrap().today;
            prop_assert_eq!(if in_units { known.units } else { known.calls }, total, "shard {}", me);
        }
    }
}
