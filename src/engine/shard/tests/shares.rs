//! Half-broken upstreams and those on their way back, through the call's path: who gets how much, beside whom.

use super::*;
use crate::breaker::State;
use crate::config::{BreakerConfig, LimiterConfig};
use crate::rng::Rng;

/// So many reads, twenty milliseconds apart, of which A fails so many of a thousand; how many first attempts A got, and how many calls
/// failed for the client.
fn play(bench: &mut Bench, calls: u32, failing_permille: u64, draws: &mut Rng) -> (u32, u32) {
    let (mut first_to_a, mut bad) = (0, 0);
    for _ in 0..calls {
        bench.wait(20);
        let mut call = bench.begin(read("eth_call"));
        let mut is_first = true;
        loop {
            match bench.poll(&mut call).as_slice() {
                &[
                    Action::Dispatch {
                        attempt, upstream, ..
                    },
                ] => {
                    first_to_a += u32::from(is_first && upstream == A);
                    is_first = false;
                    if upstream == A && draws.chance(failing_permille, 1_000) {
                        bench.fail(&mut call, attempt, FaultClass::Server);
                    } else {
                        bench.finish(&mut call, attempt, Ok(()));
                    }
                }
                &[Action::Complete(outcome)] => {
                    bad += u32::from(!matches!(outcome, Outcome::Relay { .. }));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    (first_to_a, bad)
}

fn group_state(bench: &Bench, upstream: UpstreamIndex) -> State {
    bench.view(upstream).groups[0]
}

#[test]
fn half_broken_it_keeps_a_fifth_beside_healthy_ones_and_nobody_sees_an_error() {
    for upstreams in [2, 4] {
        let mut bench = Bench::new(upstreams);
        let mut draws = Rng::new(5);
        play(&mut bench, 200, 500, &mut draws);
        assert_eq!(group_state(&bench, A), State::Brownout);
        // All of the traffic would be A's: the strategy is `priority`.
        let (to_a, bad) = play(&mut bench, 2_000, 500, &mut draws);
        assert!((300..=500).contains(&to_a), "{upstreams}: {to_a}");
        assert_eq!(bad, 0, "{upstreams}");
        assert!(bench.view(A).share_permille < 300);
        assert!(bench.view(A).eligible);
        // And it has everything again soon after it is well.
        play(&mut bench, 300, 0, &mut draws);
        assert_eq!(group_state(&bench, A), State::Closed);
        assert_eq!(play(&mut bench, 50, 0, &mut draws).0, 50);
    }
}

#[test]
fn a_fifth_that_fails_costs_half_of_the_calls_and_four_fifths_nearly_all() {
    for (failing, share) in [(200, 350..=700), (800, 0..=150)] {
        let mut bench = Bench::new(2);
        let mut draws = Rng::new(6);
        play(&mut bench, 500, failing, &mut draws);
        let (to_a, bad) = play(&mut bench, 2_000, failing, &mut draws);
        assert!(share.contains(&(to_a / 2)), "{failing}: {to_a} of 2000");
        assert_eq!(bad, 0, "{failing}");
    }
}

#[test]
fn the_only_one_is_used_for_all_it_is_worth() {
    for failing in [200, 500, 800] {
        let mut bench = Bench::new(1);
        let mut draws = Rng::new(7);
        let (to_a, bad) = play(&mut bench, 2_000, failing, &mut draws);
        assert_eq!(to_a, 2_000, "{failing}: everything is sent");
        let failed = bad * 1_000 / 2_000;
        assert!(
            failed <= failing as u32 + 40,
            "{failing}: {failed} of a thousand"
        );
    }
}

#[test]
fn where_all_are_half_broken_nobody_is_held_back() {
    let mut bench = Bench::new(2);
    for _ in 0..60 {
        for upstream in [A, B] {
            for fails in [false, true] {
                let mut request = read("eth_call");
                request.pinned = Some(upstream);
                let mut call = bench.begin(request);
                let (attempt, _, _) = bench.dispatched(&mut call);
                let result = if fails {
                    Err(Fault::new(FaultClass::Server, "test"))
                } else {
                    Ok(())
                };
                bench.finish(&mut call, attempt, result);
                bench.poll(&mut call);
            }
        }
    }
    assert_eq!(
        (group_state(&bench, A), group_state(&bench, B)),
        (State::Brownout, State::Brownout)
    );
    let (to_a, _) = play(&mut bench, 100, 500, &mut Rng::new(8));
    assert!(to_a >= 60, "the strategy's order still counts: {to_a}");
}

#[test]
fn the_share_of_several_is_divided_among_them() {
    // A and B are half broken, C is well: what all repeats may cost is the same as with one.
    let mut bench = Bench::new(3);
    let mut draws = Rng::new(9);
    let (mut repeats, calls) = (0, 4_000);
    for number in 0..calls {
        bench.wait(20);
        let mut call = bench.begin(read("eth_call"));
        loop {
            match bench.poll(&mut call).as_slice() {
                &[
                    Action::Dispatch {
                        attempt, upstream, ..
                    },
                ] => {
                    repeats += u32::from(attempt.0 > 0 && number > 500);
                    if upstream != C && draws.chance(2, 5) {
                        bench.fail(&mut call, attempt, FaultClass::Server);
                    } else {
                        bench.finish(&mut call, attempt, Ok(()));
                    }
                }
                &[Action::Complete(_)] => break,
                other => panic!("{other:?}"),
            }
        }
    }
    let permille = repeats * 1_000 / (calls - 500);
    assert!(permille <= 130, "{permille} repeats of a thousand calls");
}

#[test]
fn a_call_with_an_effect_does_not_find_out_how_well_it_is() {
    let mut bench = Bench::new(2);
    play(&mut bench, 300, 500, &mut Rng::new(5));
    assert_eq!(group_state(&bench, A), State::Brownout);
    let mut write = read("eth_call");
    write.effect = Effect::SignedTransaction;
    for _ in 0..20 {
        let mut call = bench.begin(write);
        assert_eq!(bench.dispatched(&mut call).1, B);
        assert_eq!(bench.last_reason(A), Some(LeftOutBy::Share));
    }
}

#[test]
fn one_that_recovered_comes_back_in_steps() {
    let mut bench = Bench::new(2);
    bench.trip(A);
    bench.now = bench.view(A).open_until.unwrap();
    for _ in 0..2 {
        bench.call_with(read("eth_call"), Ok(()));
    }
    let view = bench.view(A);
    assert_eq!(
        (view.breaker, view.on_probation, view.share_permille),
        (State::Closed, true, 250)
    );
    let noted =
        |bench: &Bench, wanted: NoteKind| bench.notes.iter().any(|note| note.kind == wanted);
    assert!(noted(&bench, NoteKind::ProbationBegan { upstream: A }));
    let mut shares = std::vec::Vec::new();
    for _ in 0..10 {
        let (to_a, _) = play(&mut bench, 50, 0, &mut Rng::new(1));
        shares.push(to_a);
    }
    assert!((10..=16).contains(&shares[0]), "{shares:?}");
    assert!(shares.is_sorted(), "{shares:?}");
    assert_eq!(shares.last(), Some(&50));
    assert!(noted(&bench, NoteKind::ProbationEnded { upstream: A }));
}

#[test]
fn a_new_one_beside_known_ones_starts_slowly_and_alone_at_once() {
    let mut config = chain(2);
    config.upstreams[0].slow_start = true;
    let mut bench = Bench::of(config);
    let (to_a, _) = play(&mut bench, 40, 0, &mut Rng::new(1));
    assert!((4..=8).contains(&to_a), "{to_a}");
    play(&mut bench, 400, 0, &mut Rng::new(1));
    assert_eq!(play(&mut bench, 40, 0, &mut Rng::new(1)).0, 40);
    let mut config = chain(1);
    config.upstreams[0].slow_start = true;
    let mut bench = Bench::of(config);
    assert_eq!(play(&mut bench, 40, 0, &mut Rng::new(1)).0, 40);
    let mut config = chain(2);
    config
        .upstreams
        .iter_mut()
        .for_each(|one| one.slow_start = true);
    let mut bench = Bench::of(config);
    assert_eq!(
        play(&mut bench, 40, 0, &mut Rng::new(1)).0,
        40,
        "all are new"
    );
}

#[test]
fn traces_that_fail_leave_the_reads_where_they_were() {
    let mut bench = Bench::new(2);
    let broken = Err(Fault::new(FaultClass::Server, "test"));
    for _ in 0..10 {
        bench.call_with(read("debug_traceTransaction"), broken);
        bench.call_with(read("eth_call"), Ok(()));
    }
    let mut trace = bench.begin(read("debug_traceTransaction"));
    assert_eq!(bench.dispatched(&mut trace).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::BreakerOpen));
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
    let view = bench.view(A);
    assert_eq!((view.breaker, view.eligible), (State::Closed, true));
    assert_eq!(view.groups[2], State::Open);
}

#[test]
fn a_node_that_refuses_connections_is_out_for_everything() {
    let mut bench = Bench::new(2);
    let refused = Err(Fault::unsent(FaultClass::Transport, "refused"));
    for _ in 0..5 {
        bench.call_with(read("debug_traceTransaction"), refused);
    }
    assert_eq!(bench.view(A).breaker, State::Open);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, B);
}

#[test]
fn one_that_has_enough_is_left_out_while_another_has_room_and_used_where_none_has() {
    let mut config = chain(2);
    for upstream in &mut config.upstreams {
        upstream.limiter = LimiterConfig {
            max_in_flight: 2,
            ..LimiterConfig::default()
        };
    }
    let mut bench = Bench::of(config);
    let mut calls: Vec<_> = (0..4).map(|_| bench.begin(read("eth_call"))).collect();
    let to: Vec<_> = calls
        .iter_mut()
        .map(|call| bench.dispatched(call).1)
        .collect();
    assert_eq!(to, [A, A, B, B]);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Saturated));
    assert!(bench.view(A).saturated && bench.view(A).eligible);
    // Nobody has room: it is sent all the same, and so is its repeat.
    let mut call = bench.begin(read("eth_call"));
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, A);
    bench.fail(&mut call, attempt, FaultClass::Server);
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, B);
    bench.finish(&mut call, attempt, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), AttemptId(1));
}

#[test]
fn a_breaker_without_brownout_or_groups_is_the_old_one() {
    let mut config = chain(2);
    config.upstreams[0].breaker = BreakerConfig {
        brownout: false,
        by_group: false,
        ..BreakerConfig::default()
    };
    let mut bench = Bench::of(config);
    play(&mut bench, 100, 500, &mut Rng::new(5));
    let brownouts = bench.notes.iter().filter(|note| {
        matches!(
            note.kind,
            NoteKind::Breaker {
                to: State::Brownout,
                ..
            }
        )
    });
    assert_eq!(brownouts.count(), 0);
    assert_ne!(bench.view(A).breaker, State::Closed);
}

#[test]
fn a_session_stays_where_it_is_while_its_upstream_has_a_part_of_its_share() {
    let mut config = chain(3);
    let sticky = StrategySpec::new("sticky_session", &[]).unwrap();
    config.strategies.push(sticky);
    let mut bench = Bench::of(config);
    play(&mut bench, 200, 500, &mut Rng::new(5));
    assert_eq!(group_state(&bench, A), State::Brownout);
    // Nothing ends that would change the share; how often does a session's first attempt go elsewhere than the one before?
    let (mut moves, mut at_a, mut last) = (0, 0, [None; 60]);
    for _ in 0..20 {
        for (number, last) in (1..).zip(last.iter_mut()) {
            let mut request = read("eth_call");
            request.strategy = Some(crate::index::StrategyIndex(1));
            request.session = Some(crate::call::SessionKey::new(number));
            let mut call = bench.begin(request);
            let (_, upstream, _) = bench.dispatched(&mut call);
            bench
                .shard
                .handle_event(&mut call, bench.now, Event::ClientGone);
            bench.poll(&mut call);
            at_a += u32::from(upstream == A);
            moves += u32::from(last.is_some_and(|before| before != upstream));
            *last = Some(upstream);
        }
    }
    assert_eq!(moves, 0);
    assert!(at_a > 0, "A has its part of the sessions");
}
