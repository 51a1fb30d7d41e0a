//! Calls that are sent to several upstreams from the start: which, where to, how often, and what comes of them.

use super::hedges::{answered_by, cancel, nothing_is_held_against};
use super::*;
use crate::config::{HedgeConfig, PriceConfig};
use crate::index::StrategyIndex;
use crate::note::Purpose;
use crate::strategy::Setting;

/// A chain whose calls are raced by so many, with so much extra load.
fn racing(upstreams: u16, attempts: i64, max_extra: u32) -> ChainConfig {
    let settings = [
        ("attempts", Setting::Integer(attempts)),
        ("max_extra", Setting::Share(max_extra)),
    ];
    ChainConfig {
        strategies: std::vec![StrategySpec::new("race_top_n", &settings).unwrap()],
        ..chain(upstreams)
    }
}

/// Everything that is sent for a call, in order.
fn sent(bench: &mut Bench, call: &mut Call) -> Vec<(AttemptId, UpstreamIndex)> {
    let actions = bench.poll(call);
    let dispatch = |action: &Action| match *action {
        Action::Dispatch {
            attempt, upstream, ..
        } => (attempt, upstream),
        other => panic!("{other:?}"),
    };
    actions.iter().map(dispatch).collect()
}

fn purposes(bench: &Bench) -> Vec<Purpose> {
    let purpose = |note: &Note| match note.kind {
        NoteKind::AttemptStarted { purpose, .. } => Some(purpose),
        _ => None,
    };
    bench.notes.iter().filter_map(purpose).collect()
}

fn denials(bench: &Bench) -> usize {
    let denied = |note: &&Note| matches!(note.kind, NoteKind::RaceDenied { .. });
    bench.notes.iter().filter(denied).count()
}

/// How many attempts a call begins with; it is answered at once.
fn width(bench: &mut Bench, request: Request) -> usize {
    let mut call = bench.begin(request);
    let out = sent(bench, &mut call);
    bench.finish(&mut call, out[0].0, Ok(()));
    bench.poll(&mut call);
    bench.shard.reclaim(&mut call);
    out.len()
}

#[test]
fn the_first_good_answer_is_the_call_s_and_the_others_are_cancelled() {
    for attempts in [2, 3] {
        for winner in 0..attempts {
            let mut bench = Bench::of(racing(4, attempts, 20_000));
            let mut call = bench.begin(read("eth_call"));
            let out = sent(&mut bench, &mut call);
            assert_eq!(out.len() as i64, attempts);
            let mut companies: Vec<_> = out.iter().map(|(_, upstream)| *upstream).collect();
            companies.sort_unstable();
            companies.dedup();
            assert_eq!(companies.len() as i64, attempts, "each of another provider");
            assert_eq!(purposes(&bench)[0], Purpose::First);
            assert!(
                purposes(&bench)[1..]
                    .iter()
                    .all(|&purpose| purpose == Purpose::Race)
            );
            bench.wait(10);
            let (first, _) = out[winner as usize];
            bench.finish(&mut call, first, Ok(()));
            let losers = out.iter().filter(|(attempt, _)| *attempt != first);
            let mut expected: Vec<_> = losers.map(|(attempt, _)| cancel(*attempt)).collect();
            expected.push(answered_by(first));
            assert_eq!(bench.poll(&mut call), expected);
            for (_, upstream) in out {
                nothing_is_held_against(&bench, upstream);
            }
        }
    }
}

#[test]
fn one_that_fails_leaves_the_others_and_all_that_fail_leave_the_retries() {
    let mut bench = Bench::of(racing(4, 3, 20_000));
    let mut call = bench.begin(read("eth_call"));
    let out = sent(&mut bench, &mut call);
    bench.fail(&mut call, out[1].0, FaultClass::Server);
    bench.fail(&mut call, out[0].0, FaultClass::Transport);
    assert_eq!(bench.poll(&mut call), []);
    bench.fail(&mut call, out[2].0, FaultClass::Server);
    let (retry, to, _) = bench.dispatched(&mut call);
    assert!(
        out.iter().all(|(_, upstream)| *upstream != to),
        "the fourth"
    );
    bench.finish(&mut call, retry, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), retry);
}

#[test]
fn nothing_that_could_double_and_nothing_that_is_for_one_upstream_is_raced() {
    let mut bench = Bench::of(racing(3, 2, 20_000));
    assert_eq!(width(&mut bench, read("eth_call")), 2);
    let write = Request {
        effect: Effect::SignedTransaction,
        ..read("eth_sendRawTransaction")
    };
    let pinned = Request {
        pinned: Some(B),
        ..read("eth_call")
    };
    let alone = Request {
        excluded: UpstreamSet(0b101),
        ..read("eth_call")
    };
    let filter = Request {
        effect: Effect::NodeWrite,
        ..read("eth_newFilter")
    };
    for request in [
        write,
        pinned,
        alone,
        filter,
        Request {
            method: MethodId::OTHER,
            ..read("eth_call")
        },
    ] {
        assert_eq!(width(&mut bench, request), 1, "{request:?}");
    }
}

#[test]
fn one_company_s_upstreams_do_not_race_each_other() {
    let mut config = racing(4, 3, 20_000);
    for (position, upstream) in config.upstreams.iter_mut().enumerate() {
        upstream.provider = ProviderIndex(position as u16 % 2);
    }
    let mut bench = Bench::of(config);
    assert_eq!(width(&mut bench, read("eth_call")), 2);
}

#[test]
fn only_who_is_plainly_well_is_raced_to_and_no_probe_is_raced() {
    let mut bench = Bench::of(racing(3, 3, 20_000));
    bench.trip(B);
    bench.notes.clear();
    let mut call = bench.begin(read("eth_call"));
    let out = sent(&mut bench, &mut call);
    assert!(out.len() == 2 && out.iter().all(|(_, to)| *to != B));
    bench.finish(&mut call, out[0].0, Ok(()));
    bench.poll(&mut call);
    bench.now = bench.view(B).open_until.unwrap();
    bench.notes.clear();
    let mut probe = bench.begin(read("eth_call"));
    let out = sent(&mut bench, &mut probe);
    assert_eq!(
        out.iter().map(|(_, to)| *to).collect::<Vec<_>>(),
        [B],
        "it finds out"
    );
}

#[test]
fn the_least_bad_is_not_raced() {
    let mut bench = Bench::of(racing(2, 2, 20_000));
    for upstream in [A, B] {
        bench.trip(upstream);
    }
    assert_eq!(width(&mut bench, read("eth_call")), 1);
}

#[test]
fn the_extra_load_stays_within_its_part_of_the_calls() {
    let mut bench = Bench::of(racing(3, 2, 2_500));
    let widths: Vec<_> = (0..100)
        .map(|_| width(&mut bench, read("eth_call")))
        .collect();
    let extra: usize = widths.iter().map(|width| width - 1).sum();
    assert_eq!(extra, 26, "a quarter, and one");
    assert_eq!(denials(&bench), 74);
    for (calls, _) in widths.iter().enumerate() {
        let so_far: usize = widths[..=calls].iter().map(|width| width - 1).sum();
        assert!(so_far <= (calls + 1) / 4 + 1, "{so_far} of {}", calls + 1);
    }
    let left = |bench: &Bench| bench.shard.races_left(CHAIN, StrategyIndex(0), bench.now);
    assert_eq!(left(&bench), Some(0));
    bench.wait(10_000);
    assert_eq!(left(&bench), Some(1));
    assert_eq!(
        bench.shard.races_left(CHAIN, StrategyIndex(1), bench.now),
        None
    );
}

#[test]
fn where_units_are_configured_the_extra_load_is_held_to_its_part_of_them_as_well() {
    let mut config = racing(2, 2, 5_000);
    for upstream in &mut config.upstreams {
        upstream.price = PriceConfig {
            method_units: std::vec![(lookup(b"eth_getLogs"), 75)],
            ..PriceConfig::default()
        };
    }
    let mut bench = Bench::of(config);
    let mut dear = 0;
    let mut cheap = 0;
    for at in 0..400 {
        if at % 20 == 0 {
            dear += width(&mut bench, read("eth_getLogs")) - 1;
        } else {
            cheap += width(&mut bench, read("eth_call")) - 1;
        }
    }
    let (units, extra) = (20 * 75 + 380, dear * 75 + cheap);
    assert!(extra <= units / 2 + 75, "{extra} of {units} units");
    assert!(dear <= 10 && cheap > 100, "{dear} {cheap}");
}

#[test]
fn what_is_not_raced_is_hedged_if_the_policy_says_so() {
    let mut config = racing(3, 2, 0);
    config.policies[0].hedge = Some(HedgeConfig {
        max_extra_permille: 1_000,
        ..HedgeConfig::default()
    });
    let mut bench = Bench::of(config);
    for _ in 0..200 {
        let mut call = bench.begin(read("eth_call"));
        let out = sent(&mut bench, &mut call);
        bench.wait(10);
        for (attempt, _) in out {
            bench.finish(&mut call, attempt, Ok(()));
        }
        bench.poll(&mut call);
    }
    assert_eq!(
        purposes(&bench)
            .iter()
            .filter(|&&purpose| purpose == Purpose::Race)
            .count(),
        1,
        "the one that is always allowed"
    );
    let mut call = bench.begin(read("eth_call"));
    let (_, _, deadline) = bench.dispatched(&mut call);
    let due = bench.shard.next_deadline(&call).unwrap();
    assert!(due < deadline);
    bench.now = due;
    bench.shard.handle_timeout(&mut call, due);
    assert_eq!(sent(&mut bench, &mut call).len(), 1);
    assert_eq!(purposes(&bench).last(), Some(&Purpose::Hedge));
}

#[test]
fn a_client_that_leaves_and_an_answer_that_begins_end_the_others() {
    let mut bench = Bench::of(racing(3, 3, 20_000));
    let mut call = bench.begin(read("eth_call"));
    let out = sent(&mut bench, &mut call);
    let attempt = out[1].0;
    bench
        .shard
        .handle_event(&mut call, bench.now, Event::Committed { attempt });
    assert_eq!(bench.poll(&mut call), [cancel(out[0].0), cancel(out[2].0)]);
    bench.finish(&mut call, attempt, Ok(()));
    assert_eq!(bench.poll(&mut call), [answered_by(attempt)]);
    let mut gone = bench.begin(read("eth_call"));
    assert_eq!(sent(&mut bench, &mut gone).len(), 3);
    bench
        .shard
        .handle_event(&mut gone, bench.now, Event::ClientGone);
    assert_eq!(bench.poll(&mut gone).len(), 4);
    assert_eq!(bench.shard.live_calls(), 0);
}

#[test]
fn a_call_s_room_goes_to_the_next_one() {
    let mut bench = Bench::of(racing(3, 2, 20_000));
    for _ in 0..3 {
        assert_eq!(width(&mut bench, read("eth_call")), 2);
        assert_eq!(bench.shard.spare.len(), 1);
    }
    let mut call = bench.begin(read("eth_call"));
    let out = sent(&mut bench, &mut call);
    assert_eq!(bench.shard.spare.len(), 0, "it is in use");
    bench.shard.reclaim(&mut call);
    assert_eq!(
        bench.shard.spare.len(),
        0,
        "and stays so while the call is not over"
    );
    assert_eq!(call.attempts_made(), 2);
    bench.finish(&mut call, out[0].0, Ok(()));
    bench.poll(&mut call);
    bench.shard.reclaim(&mut call);
    assert_eq!(bench.shard.spare.len(), 1);
    let mut many: Vec<_> = (0..100).map(|_| bench.begin(read("eth_call"))).collect();
    for call in &mut many {
        let out = sent(&mut bench, call);
        bench.finish(call, out[0].0, Ok(()));
        bench.poll(call);
    }
    for call in &mut many {
        bench.shard.reclaim(call);
    }
    assert_eq!(bench.shard.spare.len(), crate::shard::MAX_SPARE);
}

#[test]
fn the_most_that_a_call_can_ever_send_is_sent() {
    let mut config = racing(9, 3, 20_000);
    config.policies[0].attempts = crate::config::MAX_ATTEMPTS;
    let mut bench = Bench::of(config);
    let mut call = bench.begin(read("eth_call"));
    let out = sent(&mut bench, &mut call);
    let (attempt, _) = out[0];
    let dead = Event::Stale {
        attempt,
        sent: true,
    };
    bench.shard.handle_event(&mut call, bench.now, dead);
    let (fresh, _, _) = bench.dispatched(&mut call);
    for attempt in [out[1].0, out[2].0, fresh] {
        bench.fail(&mut call, attempt, FaultClass::Server);
    }
    for _ in 1..crate::config::MAX_ATTEMPTS {
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, FaultClass::Server);
    }
    assert!(matches!(bench.outcome(&mut call), Outcome::Emit { .. }));
    assert_eq!(call.attempts_made(), crate::call::MAX_CALL_ATTEMPTS);
    assert_eq!(bench.shard.live_calls(), 0);
}
