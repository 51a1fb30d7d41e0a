//! What is told about trust, limits, money and overload arrives where it belongs, and shards add up as they should.

use super::dimensions;
use crate::metrics::Metric;
use crate::{
    AccountLevels, BearingLevels, LearnedKind, LimitKind, PeriodLevels, Recorder, RetryKind,
    prometheus,
};

fn told(shard: usize) -> Recorder {
    let mut recorder = Recorder::new(dimensions(), shard);
    recorder.breaker_group_entered(1, 0, 1, 2);
    recorder.set_breaker_group(0, 1, 0, 1);
    recorder.probation_began(0, 1);
    recorder.limit_found(0, 1, LimitKind::Rate);
    recorder.learned(0, 1, LearnedKind::History);
    recorder.learned(0, 1, LearnedKind::Batch);
    recorder.learned(0, 1, LearnedKind::Batch);
    recorder.set_bearing(
        0,
        1,
        &BearingLevels {
            withheld_permille: 250 * (shard as u64 + 1),
            on_probation: true,
            limit_in_flight: 7,
            limit_rate_millis: 12_500,
            saturated: true,
            drained: shard == 1,
            batch_calls: 20,
        },
    );
    recorder.chain_panics(1, true);
    recorder.call_shed(0, 0);
    recorder.call_hopeless(1);
    recorder.call_held(1);
    recorder.set_shedding(2);
    recorder.spent(1, 0, 75, 33_750_000);
    recorder.priced(0, 100, 1_000);
    recorder.priced(0, 500, 200);
    recorder.race_denied(0);
    recorder.retried(0, RetryKind::Race);
    recorder.account_held_off(1);
    let spent = |calls, units| PeriodLevels { calls, units };
    recorder.set_account(
        0,
        &AccountLevels {
            today: spent(10, 750),
            this_month: spent(30, 2_000 + shard as u64),
            second: 4,
            room_permille: 500,
            paid_pico: 250_000_000_000,
        },
    );
    recorder
}

#[test]
fn each_thing_counts_in_its_own_cell() {
    let snapshot = told(0).snapshot();
    let at = |metric, at: &[usize]| snapshot.value(metric, at).unwrap();
    // Upstreams are numbered through: chain 0 has two, chain 1 the third.
    assert_eq!(at(Metric::BreakerGroupTransitions, &[2, 1, 2]), 1);
    assert_eq!(at(Metric::BreakerGroupState, &[1, 0, 1]), 1);
    assert_eq!(at(Metric::BreakerGroupState, &[1, 0, 0]), 0);
    assert_eq!(at(Metric::LimitsFound, &[1, LimitKind::Rate.index()]), 1);
    assert_eq!(
        at(Metric::LimitsFound, &[1, LimitKind::InFlight.index()]),
        0
    );
    assert_eq!(at(Metric::Learned, &[1, LearnedKind::Batch.index()]), 2);
    assert_eq!(at(Metric::CallsShed, &[0, 0]), 1);
    assert_eq!(at(Metric::CallsHopeless, &[1]), 1);
    assert_eq!(at(Metric::CallsHeld, &[1]), 1);
    // What is saved here is not lost there.
    assert_eq!(
        (at(Metric::Saved, &[0]), at(Metric::PaidMore, &[0])),
        (900, 300)
    );
    assert_eq!(
        (at(Metric::Spent, &[2]), at(Metric::SpentUnits, &[2])),
        (33_750_000, 75)
    );
    assert_eq!(at(Metric::AccountHoldOffs, &[1]), 1);
    assert_eq!(at(Metric::Retries, &[0, RetryKind::Race.index()]), 1);
}

#[test]
fn of_two_shards_what_each_has_adds_up_and_what_both_see_does_not() {
    let mut both = told(0).snapshot();
    both.merge(&told(1).snapshot()).unwrap();
    let text = prometheus::render(&both);
    let upstream = r#"chain="ethereum",upstream="in\"fura\\\n""#;
    for line in [
        format!("livechain_upstream_withheld_ratio{{{upstream}}} 0.5"),
        format!("livechain_upstream_on_probation{{{upstream}}} 2"),
        format!("livechain_upstream_drained{{{upstream}}} 1"),
        format!("livechain_upstream_limit_in_flight{{{upstream}}} 14"),
        format!("livechain_upstream_limit_per_second{{{upstream}}} 25"),
        format!("livechain_upstream_learned_batch_calls{{{upstream}}} 20"),
        r#"livechain_chain_panic{chain="base"} 2"#.to_owned(),
        r#"livechain_chain_panics_total{chain="base"} 2"#.to_owned(),
        r#"livechain_shard_shedding{shard="1"} 2"#.to_owned(),
        r#"livechain_account_compute_units{account="growth",period="month"} 2001"#.to_owned(),
        r#"livechain_account_calls{account="growth",period="day"} 10"#.to_owned(),
        r#"livechain_account_last_second{account="growth"} 8"#.to_owned(),
        r#"livechain_account_room_ratio{account="growth"} 0.5"#.to_owned(),
        r#"livechain_account_paid_this_month{account="growth"} 0.5"#.to_owned(),
        r#"livechain_spend_total{chain="base",upstream="drpc"} 0.0000675"#.to_owned(),
    ] {
        assert!(
            text.lines().any(|one| one == line),
            "{line} is not in\n{text}"
        );
    }
}

#[test]
fn a_panic_that_ends_is_not_counted_again() {
    let mut recorder = told(0);
    recorder.chain_panics(1, false);
    let snapshot = recorder.snapshot();
    assert_eq!(snapshot.value(Metric::ChainPanic, &[1]), Some(0));
    assert_eq!(snapshot.value(Metric::ChainPanics, &[1]), Some(1));
}
