//! When a call gets a second attempt beside the first, where that goes, and how many there are.

use super::*;
use crate::config::HedgeConfig;
use crate::index::StrategyIndex;
use crate::note::Purpose;

const POLICY: PolicyIndex = PolicyIndex(0);

/// A chain that hedges `eth_call` and the others after the 980th of a thousand and at least 2 ms, without a limit that is felt.
pub(super) fn hedging(upstreams: u16) -> ChainConfig {
    let mut chain = chain(upstreams);
    chain.policies[0].hedge = Some(HedgeConfig {
        max_extra_permille: 1_000,
        ..HedgeConfig::default()
    });
    chain
}

/// Knows that A answers `eth_call` in 10 ms.
pub(super) fn warm(chain: ChainConfig) -> Bench {
    let mut bench = Bench::of(chain);
    for _ in 0..20 {
        answer(&mut bench, read("eth_call"), 10);
    }
    bench.notes.clear();
    bench
}

/// A call that its first attempt answers after so long.
pub(super) fn answer(bench: &mut Bench, request: Request, millis: u64) {
    let mut call = bench.begin(request);
    let (first, _, _) = bench.dispatched(&mut call);
    bench.wait(millis);
    bench.finish(&mut call, first, Ok(()));
    bench.outcome(&mut call);
}

/// A call whose first attempt has been waited for until its hedge was due, and nothing was done about it yet.
pub(super) fn waiting(bench: &mut Bench, request: Request) -> (Call, AttemptId) {
    let mut call = bench.begin(request);
    let (first, _, deadline) = bench.dispatched(&mut call);
    let due = bench.shard.next_deadline(&call).unwrap();
    assert!(
        due < deadline.min(bench.now + Duration::from_secs(1)),
        "no hedge is due"
    );
    bench.now = due;
    (call, first)
}

/// A call with two attempts out, to A and B.
pub(super) fn hedged(bench: &mut Bench) -> (Call, AttemptId, AttemptId) {
    let (mut call, first) = waiting(bench, read("eth_call"));
    bench.shard.handle_timeout(&mut call, bench.now);
    let (second, to, _) = bench.dispatched(&mut call);
    assert_eq!(to, B);
    (call, first, second)
}

pub(super) fn cancel(attempt: AttemptId) -> Action {
    Action::Cancel { attempt }
}

pub(super) fn answered_by(attempt: AttemptId) -> Action {
    Action::Complete(Outcome::Relay {
        attempt,
        fault: None,
    })
}

pub(super) fn has_hedged(bench: &Bench) -> bool {
    let hedge = |note: &Note| {
        matches!(
            note.kind,
            NoteKind::AttemptStarted {
                purpose: Purpose::Hedge,
                ..
            }
        )
    };
    bench.notes.iter().any(hedge)
}

fn denials(bench: &Bench) -> usize {
    let denied = |note: &&Note| matches!(note.kind, NoteKind::HedgeDenied { .. });
    bench.notes.iter().filter(denied).count()
}

/// Nothing of a second attempt comes of this call until its first one's time is over.
fn is_never_hedged(bench: &mut Bench, request: Request) {
    let mut call = bench.begin(request);
    let (_, _, deadline) = bench.dispatched(&mut call);
    while let Some(at) = bench.shard.next_deadline(&call).filter(|&at| at < deadline) {
        bench.now = at;
        bench.shard.handle_timeout(&mut call, at);
        assert_eq!(bench.poll(&mut call), []);
    }
    assert!(!has_hedged(bench));
    bench
        .shard
        .handle_event(&mut call, bench.now, Event::ClientGone);
    bench.poll(&mut call);
}

pub(super) fn nothing_is_held_against(bench: &Bench, upstream: UpstreamIndex) {
    let view = bench.view(upstream);
    assert_eq!((view.health_permille, view.in_flight), (1_000, 0));
    assert!(view.eligible && !view.ramping);
    assert_eq!(bench.shard.live_calls(), 0);
}

#[test]
fn a_call_that_waits_unusually_long_goes_to_another_provider_as_well() {
    let mut bench = warm(hedging(3));
    let begun = bench.now;
    let (mut call, first) = waiting(&mut bench, read("eth_call"));
    let waited = bench.now.saturating_duration_since(begun);
    assert!(
        waited >= Duration::from_millis(10) && waited <= Duration::from_micros(11_250),
        "{waited:?}"
    );
    bench
        .shard
        .handle_timeout(&mut call, bench.now - Duration::from_nanos(1));
    assert_eq!(bench.poll(&mut call), [], "not before its time");
    bench.shard.handle_timeout(&mut call, bench.now);
    let (second, to, _) = bench.dispatched(&mut call);
    assert_eq!((second, to), (AttemptId(1), B));
    assert!(has_hedged(&bench));
    bench.shard.handle_timeout(&mut call, bench.now);
    bench.wait(100);
    bench.shard.handle_timeout(&mut call, bench.now);
    assert_eq!(bench.poll(&mut call), [], "one hedge a call");
    bench.finish(&mut call, second, Ok(()));
    assert_eq!(bench.poll(&mut call), [cancel(first), answered_by(second)]);
    nothing_is_held_against(&bench, A);
    nothing_is_held_against(&bench, B);
}

#[test]
fn the_first_may_still_win() {
    let mut bench = warm(hedging(2));
    let mut elsewhere = read("eth_call");
    elsewhere.excluded = UpstreamSet::only(A);
    answer(&mut bench, elsewhere, 10);
    let (mut call, first, second) = hedged(&mut bench);
    let known = |bench: &Bench| {
        bench
            .shard
            .estimate(CHAIN, B, lookup(b"eth_call"), bench.now)
    };
    let before = known(&bench);
    bench.finish(&mut call, first, Ok(()));
    assert_eq!(bench.poll(&mut call), [cancel(second), answered_by(first)]);
    nothing_is_held_against(&bench, B);
    assert_eq!(
        known(&bench),
        before,
        "a hedge that was cut short says nothing"
    );
}

#[test]
fn without_a_policy_for_it_nothing_is_hedged() {
    let mut bench = warm(chain(2));
    is_never_hedged(&mut bench, read("eth_call"));
    assert_eq!(bench.shard.hedges_left(CHAIN, POLICY, bench.now), None);
}

#[test]
fn too_little_is_known_with_nineteen_answers() {
    let mut bench = Bench::of(hedging(2));
    for _ in 0..19 {
        answer(&mut bench, read("eth_call"), 10);
    }
    is_never_hedged(&mut bench, read("eth_call"));
    answer(&mut bench, read("eth_call"), 10);
    waiting(&mut bench, read("eth_call"));
}

#[test]
fn where_an_upstream_is_unknown_the_method_is_not() {
    let mut chain = hedging(2);
    chain
        .strategies
        .push(StrategySpec::new("round_robin", &[]).unwrap());
    let mut bench = warm(chain);
    let mut pinned = read("eth_call");
    pinned.excluded = UpstreamSet::only(A);
    // B may be sent it, and A may not be sent the hedge.
    is_never_hedged(&mut bench, pinned);
    let mut turns = read("eth_call");
    turns.strategy = Some(StrategyIndex(1));
    let mut to_b = false;
    for _ in 0..2 {
        let (call, first) = waiting(&mut bench, turns);
        to_b |= call.upstream_of(first) == Some(B);
    }
    assert!(to_b, "B has answered nothing, yet its calls are hedged");
}

#[test]
fn only_reads_that_nobody_pinned_are_hedged() {
    let mut bench = warm(hedging(3));
    let mut pinned = read("eth_call");
    pinned.pinned = Some(A);
    is_never_hedged(&mut bench, pinned);
    for method in [
        "eth_sendRawTransaction",
        "eth_newFilter",
        "eth_getFilterChanges",
    ] {
        for effect in [Effect::None, Effect::SignedTransaction, Effect::NodeWrite] {
            let request = Request {
                effect,
                ..read(method)
            };
            for _ in 0..20 {
                answer(&mut bench, request, 10);
            }
            is_never_hedged(&mut bench, request);
        }
    }
    for effect in [Effect::SignedTransaction, Effect::NodeWrite] {
        is_never_hedged(
            &mut bench,
            Request {
                effect,
                ..read("eth_call")
            },
        );
    }
}

#[test]
fn another_upstream_of_the_same_company_is_no_hedge() {
    let mut chain = hedging(3);
    chain.upstreams[1].provider = ProviderIndex(0);
    let mut bench = warm(chain.clone());
    let (mut call, _) = waiting(&mut bench, read("eth_call"));
    bench.shard.handle_timeout(&mut call, bench.now);
    assert_eq!(bench.dispatched(&mut call).1, C);
    let (mut call, _) = waiting(&mut bench, read("eth_call"));
    bench.shard.set_reachable(CHAIN, C, false);
    bench.shard.handle_timeout(&mut call, bench.now);
    assert_eq!(bench.poll(&mut call), [], "only B is left, of A's company");
    chain.upstreams[2].provider = ProviderIndex(0);
    is_never_hedged(&mut warm(chain), read("eth_call"));
}

#[test]
fn a_hedge_goes_only_to_who_is_plainly_well() {
    let alone = |spoil: fn(&mut Bench)| {
        let mut bench = warm(hedging(2));
        let (mut call, _) = waiting(&mut bench, read("eth_call"));
        spoil(&mut bench);
        bench.notes.clear();
        bench.shard.handle_timeout(&mut call, bench.now);
        assert_eq!(bench.poll(&mut call), []);
        assert_eq!(denials(&bench), 0, "nobody was there to take it");
    };
    alone(|bench| bench.trip(B));
    alone(|bench| bench.shard.set_reachable(CHAIN, B, false));
    alone(|bench| {
        let lagging = [(A, 1_000), (B, 900)];
        for (upstream, head) in lagging {
            let result = ProbeResult::Head(head);
            bench.shard.probe_result(bench.now, CHAIN, upstream, result);
        }
    });
    alone(|bench| {
        let mut pinned = read("eth_call");
        pinned.pinned = Some(B);
        let mut call = bench.begin(pinned);
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, FaultClass::RateLimited);
        bench.poll(&mut call);
        bench.now = bench.view(B).held_until.unwrap();
        assert!(
            bench.view(B).eligible,
            "a call of its own may climb the ramp"
        );
    });
    let mut last_resort = hedging(2);
    last_resort.upstreams[1].weight = 0;
    let mut bench = warm(last_resort);
    let (mut call, _) = waiting(&mut bench, read("eth_call"));
    bench.shard.handle_timeout(&mut call, bench.now);
    assert_eq!(bench.poll(&mut call), []);
}

#[test]
fn no_probe_is_spent_on_a_hedge_and_none_is_hedged() {
    let mut bench = warm(hedging(2));
    bench.trip(B);
    bench.now = bench.view(B).open_until.unwrap();
    // B's breaker would admit a probe now.
    assert!(bench.view(B).eligible);
    for _ in 0..20 {
        answer(&mut bench, read("eth_call"), 10);
    }
    let (mut call, _) = waiting(&mut bench, read("eth_call"));
    bench.shard.handle_timeout(&mut call, bench.now);
    assert_eq!(bench.poll(&mut call), []);

    let mut bench = Bench::of(hedging(3));
    bench.trip(A);
    bench.now = bench.view(A).open_until.unwrap();
    for _ in 0..20 {
        let mut elsewhere = read("eth_call");
        elsewhere.excluded = UpstreamSet::only(A);
        answer(&mut bench, elsewhere, 10);
    }
    let mut call = bench.begin(read("eth_call"));
    let (_, to, _) = bench.dispatched(&mut call);
    assert_eq!(to, A, "the probe");
    let due = bench.shard.next_deadline(&call).unwrap();
    assert!(
        due >= bench.now + secs(1),
        "it must find out whether A is back"
    );
    let mut elsewhere = read("eth_call");
    elsewhere.excluded = UpstreamSet::only(A);
    waiting(&mut bench, elsewhere);
}

#[test]
fn hedges_have_their_share_and_no_more() {
    let mut chain = hedging(2);
    chain.policies[0].hedge = Some(HedgeConfig::default());
    let mut bench = warm(chain);
    let mut call_hedged = || {
        bench.notes.clear();
        let (mut call, first) = waiting(&mut bench, read("eth_call"));
        for _ in 0..3 {
            bench.shard.handle_timeout(&mut call, bench.now);
            bench.poll(&mut call);
        }
        bench.finish(&mut call, first, Ok(()));
        bench.poll(&mut call);
        (has_hedged(&bench), denials(&bench))
    };
    // Twenty calls went before: one, and one that is always there.
    assert_eq!(call_hedged(), (true, 0));
    assert_eq!(call_hedged(), (true, 0));
    for _ in 0..17 {
        assert_eq!(call_hedged(), (false, 1), "denied, and said once");
    }
    assert_eq!(call_hedged(), (true, 0), "the fortieth call");
    assert_eq!(call_hedged(), (false, 1));
}

#[test]
fn a_call_that_ends_before_its_hedge_is_due_is_not_hedged() {
    let mut bench = warm(hedging(2));
    let mut call = bench.begin(read("eth_call"));
    let due = bench.shard.next_deadline(&call).unwrap();
    bench.dispatched(&mut call);
    let mut hurried = read("eth_call");
    for deadline in [bench.now + Duration::from_millis(5), due] {
        hurried.deadline = deadline;
        is_never_hedged(&mut bench, hurried);
    }
    // With one attempt it may use all of the time: at the very deadline there is nothing left to send.
    let mut chain = hedging(2);
    chain.policies[0].attempts = 1;
    let mut bench = warm(chain);
    let mut call = bench.begin(read("eth_call"));
    let due = bench.shard.next_deadline(&call).unwrap();
    bench.dispatched(&mut call);
    let mut hurried = read("eth_call");
    hurried.deadline = due;
    let mut call = bench.begin(hurried);
    let (_, _, deadline) = bench.dispatched(&mut call);
    assert_eq!(deadline, due);
    bench.now = due;
    bench.shard.handle_timeout(&mut call, due);
    assert!(matches!(
        bench.poll(&mut call)[..],
        [Action::Cancel { .. }, Action::Complete(_)]
    ));
    assert!(!has_hedged(&bench));
}

#[test]
fn one_nanosecond_before_the_deadline_is_time_enough() {
    let mut chain = hedging(2);
    chain.policies[0].attempts = 1;
    let mut bench = warm(chain);
    let mut call = bench.begin(read("eth_call"));
    let due = bench.shard.next_deadline(&call).unwrap();
    bench.dispatched(&mut call);
    let mut request = read("eth_call");
    request.deadline = due + Duration::from_nanos(1);
    let mut call = bench.begin(request);
    let (first, _, _) = bench.dispatched(&mut call);
    bench.now = due;
    bench.shard.handle_timeout(&mut call, due);
    let (second, _, deadline) = bench.dispatched(&mut call);
    assert_eq!(deadline, request.deadline);
    bench.now = deadline;
    bench.shard.handle_timeout(&mut call, deadline);
    let actions = bench.poll(&mut call);
    assert_eq!(actions[..2], [cancel(first), cancel(second)]);
    let (fault, _) = match actions[2..] {
        [Action::Complete(outcome)] => emitted(outcome),
        ref other => panic!("{other:?}"),
    };
    assert_eq!(fault.class, FaultClass::Timeout);
}

#[test]
fn an_answer_that_has_begun_is_not_hedged() {
    let mut bench = warm(hedging(2));
    let mut call = bench.begin(read("eth_call"));
    let (first, _, deadline) = bench.dispatched(&mut call);
    let begun = Event::FirstByte { attempt: first };
    bench.shard.handle_event(&mut call, bench.now, begun);
    let due = bench.shard.next_deadline(&call).unwrap();
    assert!(due >= bench.now + secs(1) && due <= deadline);
    bench.now = due;
    bench.shard.handle_timeout(&mut call, due);
    assert_eq!(bench.poll(&mut call), []);

    let mut call = bench.begin(read("eth_call"));
    let (first, _, _) = bench.dispatched(&mut call);
    let committed = Event::Committed { attempt: first };
    bench.shard.handle_event(&mut call, bench.now, committed);
    assert_eq!(bench.shard.next_deadline(&call), Some(call.deadline()));
}

#[test]
fn a_dear_hedge_takes_its_units_out_of_the_share() {
    let mut chain = hedging(2);
    chain.policies[0].hedge.as_mut().unwrap().max_extra_permille = 100;
    for upstream in &mut chain.upstreams {
        upstream.price.method_units = std::vec![(lookup(b"eth_getLogs"), 500)];
    }
    let mut bench = Bench::of(chain);
    for _ in 0..40 {
        answer(&mut bench, read("eth_call"), 10);
        answer(&mut bench, read("eth_getLogs"), 10);
    }
    // Of some 20,000 units a tenth is 2,000: four hedges of 500, and the share of the calls would be eight.
    bench.notes.clear();
    for _ in 0..8 {
        let (mut call, first) = waiting(&mut bench, read("eth_getLogs"));
        bench.shard.handle_timeout(&mut call, bench.now);
        bench.poll(&mut call);
        bench.finish(&mut call, first, Ok(()));
        bench.poll(&mut call);
    }
    let hedges = |note: &&Note| {
        matches!(
            note.kind,
            NoteKind::AttemptStarted {
                purpose: Purpose::Hedge,
                ..
            }
        )
    };
    let made = bench.notes.iter().filter(hedges).count();
    assert!((4..=5).contains(&made), "{made} hedges");
}
