//! Protocols, drained upstreams and the time that is left: who is left out, why, and when not.

use super::*;
use crate::eligibility::{LeastBad, LeftOut};
use crate::protocol::{Protocol, ProtocolSet};
use crate::strategy::REGISTRY;

fn least_bad(bench: &Bench) -> Option<LeastBad> {
    bench.notes.iter().rev().find_map(|note| match note.kind {
        NoteKind::Selected { least_bad, .. } => Some(least_bad),
        _ => None,
    })?
}

/// Where a call goes that is answered at once.
fn goes_to(bench: &mut Bench, request: Request) -> UpstreamIndex {
    bench.call_with(request, Ok(())).0
}

#[test]
fn each_reason_is_kept_apart_and_one_upstream_has_one() {
    let mut left_out = LeftOut::default();
    let mut rest = UpstreamSet::first(LeftOutBy::COUNT + 1);
    for (position, reason) in LeftOutBy::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, position);
        let upstream = UpstreamIndex(position as u16);
        if position % 2 == 0 {
            left_out.add(reason, upstream);
            rest.remove(upstream);
        } else {
            left_out.take(reason, &mut rest, UpstreamSet::only(upstream));
        }
    }
    let last = UpstreamIndex(LeftOutBy::COUNT as u16);
    assert_eq!(rest, UpstreamSet::only(last));
    assert_eq!(left_out.all(), UpstreamSet::first(LeftOutBy::COUNT));
    assert_eq!(left_out.reason(last), None);
    for (position, reason) in LeftOutBy::ALL.into_iter().enumerate() {
        let upstream = UpstreamIndex(position as u16);
        assert_eq!(
            left_out.by(reason),
            UpstreamSet::only(upstream),
            "{reason:?}"
        );
        assert_eq!(left_out.reason(upstream), Some(reason));
    }
    let labels: Vec<_> = LeftOutBy::ALL.map(LeftOutBy::label).into();
    let mut sorted = labels.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), labels.len());
    assert_eq!(left_out.iter().count(), LeftOutBy::COUNT);
}

#[test]
fn a_call_goes_to_whoever_speaks_its_protocol_and_to_nobody_else() {
    let mut config = chain(3);
    config.upstreams[0].protocols = ProtocolSet::only(Protocol::Http);
    config.upstreams[1].protocols =
        ProtocolSet::only(Protocol::Http).or(ProtocolSet::only(Protocol::WebSocket));
    config.upstreams[2].protocols = ProtocolSet::only(Protocol::WebSocket);
    let mut bench = Bench::of(config);
    let subscription = Request {
        protocols: ProtocolSet::only(Protocol::WebSocket),
        ..read("eth_subscribe")
    };
    assert_eq!(goes_to(&mut bench, subscription), B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Protocol));
    assert_eq!(goes_to(&mut bench, read("eth_call")), A);
    let nobody = Request {
        excluded: UpstreamSet(0b110),
        ..subscription
    };
    let mut call = bench.begin(nobody);
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::UnsupportedMethod
    );
}

#[test]
fn a_drained_upstream_gets_nothing_until_it_is_taken_back() {
    let mut bench = Bench::new(2);
    let mut out = bench.begin(read("eth_call"));
    let (attempt, to, _) = bench.dispatched(&mut out);
    assert_eq!(to, A);
    bench.shard.set_drained(CHAIN, A, true);
    assert_eq!(goes_to(&mut bench, read("eth_call")), B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Drained));
    assert!(bench.view(A).drained && !bench.view(A).eligible);
    bench.finish(&mut out, attempt, Ok(()));
    assert_eq!(
        relayed(bench.outcome(&mut out)),
        attempt,
        "what is out goes on"
    );
    bench.shard.set_drained(CHAIN, A, false);
    assert_eq!(goes_to(&mut bench, read("eth_call")), A);
    bench.shard.set_drained(CHAIN, UpstreamIndex(9), true);
    bench.shard.set_drained(ChainIndex(9), A, true);
    assert_eq!(goes_to(&mut bench, read("eth_call")), A);
}

#[test]
fn a_drained_upstream_serves_before_a_broken_one_and_before_an_error() {
    let mut bench = Bench::new(2);
    bench.shard.set_drained(CHAIN, A, true);
    bench.trip(B);
    assert_eq!(goes_to(&mut bench, read("eth_call")), A);
    assert_eq!(least_bad(&bench), Some(LeastBad::Drained));
    bench.shard.set_drained(CHAIN, B, true);
    assert_eq!(goes_to(&mut bench, read("eth_call")), A);
    let pinned = Request {
        pinned: Some(A),
        ..read("eth_call")
    };
    assert_eq!(goes_to(&mut bench, pinned), A, "a filter still lives there");
    // On a failure the other one is asked, although its breaker is open: half of the upstreams are out.
    let (first, outcome) = bench.call_with(
        read("eth_call"),
        Err(Fault::new(FaultClass::Server, "test")),
    );
    assert_eq!((first, relayed(outcome)), (A, AttemptId(1)));
}

#[test]
fn whoever_is_not_expected_to_answer_in_the_time_left_is_left_out_while_another_is() {
    let mut bench = Bench::new(2);
    let answer = |bench: &mut Bench, upstream, millis| {
        let request = Request {
            pinned: Some(upstream),
            ..read("eth_call")
        };
        super::hedges::answer(bench, request, millis);
    };
    for _ in 0..20 {
        answer(&mut bench, A, 300);
        answer(&mut bench, B, 20);
    }
    let within = |bench: &Bench, millis| Request {
        deadline: bench.now + Duration::from_millis(millis),
        ..read("eth_call")
    };
    let soon = within(&bench, 299);
    assert_eq!(goes_to(&mut bench, soon), B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Budget));
    let late = within(&bench, 301);
    assert_eq!(goes_to(&mut bench, late), A);
    let too_soon = within(&bench, 10);
    assert_eq!(
        goes_to(&mut bench, too_soon),
        A,
        "neither fits, so both are asked in their order"
    );
    assert_eq!(bench.last_reason(B), None);
    let alone = Request {
        excluded: UpstreamSet::only(B),
        ..within(&bench, 100)
    };
    assert_eq!(goes_to(&mut bench, alone), A);
}

#[test]
fn a_cap_holds_in_a_shard_and_a_retry_s_other_company_is_counted() {
    let settings = [("max_share", crate::strategy::Setting::Share(6_000))];
    let mut config = chain(2);
    config.strategies = std::vec![StrategySpec::new("priority", &settings).unwrap()];
    let mut bench = Bench::of(config);
    let went: Vec<_> = (0..10)
        .map(|_| goes_to(&mut bench, read("eth_call")).0)
        .collect();
    assert_eq!(went, [0, 0, 1, 0, 1, 0, 0, 1, 0, 1]);
    let capped = |note: &&Note| matches!(note.kind, NoteKind::Selected { reason, .. } if reason == crate::strategy::Reason::Capped);
    assert_eq!(bench.notes.iter().filter(capped).count(), 4);
}

#[test]
fn every_strategy_serves_and_each_request_may_name_its_own() {
    let mut config = chain(3);
    config.strategies = REGISTRY.into_iter().map(StrategySpec::of).collect();
    let mut bench = Bench::of(config);
    for position in 0..REGISTRY.len() as u16 {
        let request = Request {
            strategy: Some(crate::index::StrategyIndex(position)),
            session: Some(crate::call::SessionKey::new(7)),
            ..read("eth_call")
        };
        let mut call = bench.begin(request);
        let actions = bench.poll(&mut call);
        let Some(&Action::Dispatch { attempt, .. }) = actions.first() else {
            panic!("{actions:?}");
        };
        bench.finish(&mut call, attempt, Ok(()));
        assert!(
            bench
                .poll(&mut call)
                .contains(&super::hedges::answered_by(attempt))
        );
    }
}
