//! What is drawn agrees with what is foretold, and limits, queues and allowances hold.

use engine::learned::History;
use engine::method::lookup;

use super::*;
use crate::distribution::WHOLE;
use crate::scenario::second;

fn ask(key: u64) -> Ask {
    Ask {
        method: lookup(b"eth_call"),
        effort: 1_000,
        units: 10,
        key,
        nth: 0,
        pooled: false,
        lacks: None,
    }
}

fn draws(script: &Script, at: Instant, count: u64) -> Vec<Plan> {
    let mut provider = Provider::new(script.clone(), 7);
    (0..count)
        .map(|key| provider.receive(at, &ask(key)))
        .collect()
}

/// Every behaviour that an observer can foretell, alone and together.
#[test]
fn what_is_drawn_is_what_was_foretold() {
    let ms = Duration::from_millis;
    let cases = [
        vec![],
        vec![Behaviour::RefuseSome(200)],
        vec![Behaviour::HangSome(150), Behaviour::Slow(300)],
        vec![Behaviour::StallSome(100, ms(500))],
        vec![
            Behaviour::StallSome(100, ms(500)),
            Behaviour::StallSome(300, ms(50)),
        ],
        vec![Behaviour::Say(INTERNAL, 200), Behaviour::Later(ms(30))],
        vec![Behaviour::Drift(100, 900)],
        vec![Behaviour::Pauses(
            Duration::from_secs(10),
            Duration::from_secs(6),
        )],
        vec![
            Behaviour::ResetSome(100),
            Behaviour::Fail(PRUNED.fault(None), 500),
        ],
    ];
    const COUNT: u64 = 40_000;
    for behaviours in cases {
        let mut script = Script::new(0, 20);
        script.distance = ms(5);
        for behaviour in &behaviours {
            script = script.but(0, 60, *behaviour);
        }
        let at = second(25);
        let outlook = Provider::new(script.clone(), 7).outlook(at, lookup(b"eth_call"), 1_000);
        let plans = draws(&script, at, COUNT);
        for span in [ms(10), ms(20), ms(45), ms(100), ms(400), ms(600), ms(5_000)] {
            let span_ns = engine::time::nanos(span);
            let good = |plan: &&Plan| {
                plan.end == End::Finished(Ok(())) && plan.ends_after.is_some_and(|at| at <= span)
            };
            let ended = |plan: &&Plan| plan.ends_after.is_some_and(|at| at <= span);
            let share = |count: usize| count as u64 * WHOLE / COUNT;
            let answered = share(plans.iter().filter(good).count());
            let told = outlook.answered_within(span_ns);
            assert!(
                answered.abs_diff(told) < 10_000,
                "{behaviours:?} {span:?}: {answered} {told}"
            );
            let waiting = WHOLE - share(plans.iter().filter(ended).count());
            let told = outlook.waiting_after(span_ns);
            assert!(
                waiting.abs_diff(told) < 25_000,
                "{behaviours:?} {span:?}: {waiting} {told}"
            );
        }
    }
}

#[test]
fn a_call_has_the_same_luck_at_an_upstream_however_late_it_comes() {
    let script = Script::new(0, 20);
    let (early, late) = (
        draws(&script, second(1), 100),
        draws(&script, second(9), 100),
    );
    assert_eq!(early, late);
    let other = Provider::new(script, 8).receive(second(1), &ask(0));
    assert_ne!(early[0], other, "another upstream");
}

#[test]
fn a_limit_is_reached_in_any_second_and_costs_nothing() {
    let mut script = Script::new(0, 20);
    script.limit = Some(Limit {
        per_second: 10,
        retry_after_s: Some(3),
        published: false,
    });
    let plans = draws(&script, second(1), 12);
    let refused: Vec<_> = plans.iter().filter(|plan| !plan.billed).collect();
    assert_eq!(refused.len(), 2);
    let End::Finished(Err(fault)) = refused[0].end else {
        panic!("{:?}", refused[0]);
    };
    assert_eq!(fault.class, FaultClass::RateLimited);
    assert_eq!(fault.hold_off, Some(Duration::from_secs(3)));
}

#[test]
fn an_allowance_ends() {
    let mut script = Script::new(0, 20);
    script.allowance = Some(50);
    let billed = draws(&script, second(1), 12)
        .iter()
        .filter(|plan| plan.billed)
        .count();
    assert_eq!(billed, 5);
}

#[test]
fn what_was_dropped_is_missed_by_kind_and_where_it_ends() {
    let mut kept = Kept::default();
    kept.set(History::State, Some(128));
    kept.set(History::Logs, Some(1_000));
    let lacks = |method: &str, back| kept.lacks(lookup(method.as_bytes()), back);
    assert_eq!(lacks("eth_getBalance", 128), None);
    assert_eq!(lacks("eth_getBalance", 129), Some(PRUNED));
    assert_eq!(lacks("eth_getLogs", 129), None);
    assert_eq!(lacks("eth_getLogs", 1_001), Some(NO_HISTORY));
    assert_eq!(lacks("eth_getBlockByNumber", u64::MAX), None);
    let mut provider = Provider::new(Script::new(0, 20), 7);
    let told = Ask {
        lacks: Some(PRUNED),
        ..ask(3)
    };
    let (has, lacks) = (
        provider.receive(second(1), &ask(3)),
        provider.receive(second(1), &told),
    );
    assert_eq!(lacks.end, End::Finished(Err(PRUNED.fault(None))));
    assert_eq!(lacks.ends_after, has.ends_after.map(|after| after / 2));
}

#[test]
fn who_comes_when_all_are_busy_waits_and_who_finds_the_line_full_is_refused() {
    let mut servers = queue::Servers::new(Capacity {
        at_once: 2,
        waiting: 1,
    });
    let work = Duration::from_millis(100);
    let at = |ms: u64| Instant(ms * 1_000_000);
    assert_eq!(servers.admit(at(0), work), Some(Duration::ZERO));
    assert_eq!(servers.admit(at(10), work), Some(Duration::ZERO));
    assert_eq!(servers.admit(at(20), work), Some(Duration::from_millis(80)));
    assert_eq!(servers.admit(at(30), work), None, "one waits already");
    assert_eq!(servers.admit(at(105), work), Some(Duration::from_millis(5)));
    assert_eq!(servers.admit(at(400), work), Some(Duration::ZERO));
}
