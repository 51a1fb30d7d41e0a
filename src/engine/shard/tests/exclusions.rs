//! Who is left out and why, and who is tried when nobody is left.

use super::*;
use crate::config::MethodSet;
use crate::eligibility::LeastBad;

fn least_bad(bench: &Bench) -> Option<LeastBad> {
    bench.notes.iter().rev().find_map(|note| match note.kind {
        NoteKind::Selected { least_bad, .. } => Some(least_bad),
        _ => None,
    })?
}

#[test]
fn a_denied_method_goes_elsewhere_known_or_unknown() {
    let mut chain = chain(2);
    chain.upstreams[0].denied = MethodSet::from_iter([lookup(b"debug_traceTransaction")]);
    let mut bench = Bench::of(chain);
    let mut call = bench.begin(read("debug_traceTransaction"));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Excluded));
    let mut unknown = read("acme_magic");
    assert_eq!(unknown.method, MethodId::OTHER);
    unknown.excluded = UpstreamSet::only(A);
    let mut call = bench.begin(unknown);
    assert_eq!(bench.dispatched(&mut call).1, B);
}

#[test]
fn a_method_that_is_denied_everywhere_is_unsupported() {
    let mut bench = Bench::new(2);
    let mut request = read("admin_peers");
    request.excluded = UpstreamSet::first(2);
    let mut call = bench.begin(request);
    let (fault, _) = emitted(bench.outcome(&mut call));
    assert_eq!(
        (fault.class, fault.sent),
        (FaultClass::UnsupportedMethod, false)
    );
}

#[test]
fn a_pinned_call_goes_there_or_nowhere() {
    let mut bench = Bench::new(3);
    let mut request = read("eth_getFilterChanges");
    request.pinned = Some(B);
    let mut call = bench.begin(request);
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Pinned));
    bench.fail(&mut call, attempt, FaultClass::Server);
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::Server
    );
    request.pinned = Some(UpstreamIndex(77));
    let mut call = bench.begin(request);
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::NoUpstream
    );
}

#[test]
fn an_upstream_without_an_address_is_never_tried() {
    let mut bench = Bench::new(2);
    bench.shard.set_reachable(CHAIN, A, false);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::NoAddress));
    bench.shard.set_reachable(CHAIN, B, false);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::NoUpstream
    );
    assert!(!bench.shard.is_ready(CHAIN, bench.now));
    bench.shard.set_reachable(CHAIN, A, true);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
}

#[test]
fn an_open_breaker_leaves_out_until_all_are_out() {
    let mut bench = Bench::new(2);
    bench.trip(A);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::BreakerOpen));
    bench.trip(B);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
    assert_eq!(least_bad(&bench), Some(LeastBad::BreakerOpen));
}

#[test]
fn the_least_bad_are_tried_in_their_order() {
    let mut bench = Bench::new(4);
    let (lagging, open, held, refused) = (UpstreamIndex(3), C, B, A);
    bench
        .shard
        .probe_result(bench.now, CHAIN, open, ProbeResult::Head(1_000));
    bench
        .shard
        .probe_result(bench.now, CHAIN, lagging, ProbeResult::Head(10));
    bench.trip(open);
    for _ in 0..2 {
        let mut request = read("eth_call");
        request.pinned = Some(refused);
        let mut call = bench.begin(request);
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench.fail(&mut call, attempt, FaultClass::Auth);
        bench.poll(&mut call);
    }
    let mut request = read("eth_call");
    request.pinned = Some(held);
    let mut call = bench.begin(request);
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::RateLimited);
    bench.poll(&mut call);

    let mut tried = Vec::new();
    let mut request = read("eth_call");
    for _ in 0..4 {
        let mut call = bench.begin(request);
        let (_, upstream, _) = bench.dispatched(&mut call);
        tried.push((upstream, least_bad(&bench).unwrap()));
        request.excluded.insert(upstream);
    }
    assert_eq!(
        tried,
        [
            (lagging, LeastBad::Lagging),
            (open, LeastBad::BreakerOpen),
            (held, LeastBad::HoldOff),
            (refused, LeastBad::Quarantined)
        ]
    );
}

#[test]
fn the_wrong_chain_is_never_used_until_a_check_says_otherwise() {
    let mut bench = Bench::new(1);
    let wrong = ProbeResult::ChainId(crate::chain::ChainId(56));
    bench.shard.probe_result(bench.now, CHAIN, A, wrong);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::NoUpstream
    );
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Quarantined));
    bench.wait(3_600_000);
    let mut call = bench.begin(read("eth_call"));
    bench.outcome(&mut call);
    let right = ProbeResult::ChainId(crate::chain::ChainId(1));
    bench.shard.probe_result(bench.now, CHAIN, A, right);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
}

#[test]
fn a_lagging_upstream_is_left_out_while_another_is_not() {
    let mut bench = Bench::new(2);
    bench
        .shard
        .probe_result(bench.now, CHAIN, B, ProbeResult::Head(100));
    bench
        .shard
        .probe_result(bench.now, CHAIN, A, ProbeResult::Head(80));
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Lagging));
    assert!(bench.view(A).late && bench.view(A).lag_blocks == Some(20));
}

#[test]
fn an_unsupported_method_is_banned_there_and_asked_again_later() {
    let mut bench = Bench::new(2);
    let unsupported = Err(Fault::new(FaultClass::UnsupportedMethod, "test"));
    let (first, outcome) = bench.call_with(read("trace_block"), unsupported);
    assert_eq!((first, relayed(outcome)), (A, AttemptId(1)));
    let mut call = bench.begin(read("trace_block"));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Banned));
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(
        bench.dispatched(&mut call).1,
        A,
        "other methods are not touched"
    );
    let ttl = FaultClass::UnsupportedMethod.traits().hold_off.unwrap();
    bench.now = bench.now + ttl;
    let mut call = bench.begin(read("trace_block"));
    assert_eq!(bench.dispatched(&mut call).1, A);
}

#[test]
fn a_method_banned_everywhere_is_asked_once_for_the_node_s_own_words() {
    let mut bench = Bench::new(2);
    for expected in [2, 1] {
        let mut call = bench.begin(read("trace_block"));
        for _ in 0..expected {
            let (attempt, _, _) = bench.dispatched(&mut call);
            bench.fail(&mut call, attempt, FaultClass::UnsupportedMethod);
        }
        let Outcome::Emit { fault, attempt, .. } = bench.outcome(&mut call) else {
            panic!("the table says that the words are ours")
        };
        assert_eq!(
            (fault.class, attempt),
            (FaultClass::UnsupportedMethod, Some(AttemptId(0)))
        );
        assert!(expected == 2 || least_bad(&bench) == Some(LeastBad::Banned));
    }
}

#[test]
fn one_call_cannot_take_out_every_upstream_by_being_refused() {
    let mut bench = Bench::new(3);
    for _ in 0..20 {
        let mut call = bench.begin(read("eth_call"));
        for _ in 0..3 {
            let (attempt, _, _) = bench.dispatched(&mut call);
            bench.fail(&mut call, attempt, FaultClass::Auth);
        }
        bench.outcome(&mut call);
        // Others are served in between.
        for upstream in [A, B, C] {
            let mut request = read("eth_call");
            request.pinned = Some(upstream);
            bench.call_with(request, Ok(()));
        }
    }
    assert!(
        [A, B, C]
            .into_iter()
            .all(|upstream| bench.view(upstream).eligible)
    );
}

#[test]
fn an_upstream_that_syncs_is_left_out_for_its_time() {
    let mut bench = Bench::new(2);
    bench.call_with(
        read("eth_call"),
        Err(Fault::new(FaultClass::Syncing, "test")),
    );
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, B);
    bench.wait(10_000);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
}

#[test]
fn sixty_four_upstreams_are_the_limit_and_all_of_them_serve() {
    let mut bench = Bench::new(64);
    let mut request = read("eth_call");
    request.excluded = UpstreamSet::first(63);
    let mut call = bench.begin(request);
    assert_eq!(bench.dispatched(&mut call).1, UpstreamIndex(63));
    assert_eq!(
        chain(65).check(),
        Err(crate::config::ConfigError::Upstreams(65))
    );
}

#[test]
fn a_throttled_upstream_that_has_the_method_is_told_of_before_one_that_has_not() {
    let mut bench = Bench::new(2);
    let unsupported = Err(Fault::new(FaultClass::UnsupportedMethod, "test"));
    bench.call_with(read("trace_block"), unsupported);
    let throttled = Fault::new(FaultClass::RateLimited, "test").with_hold_off(Some(secs(5)));
    let mut call = bench.begin(read("trace_block"));
    let (attempt, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, B);
    bench.finish(&mut call, attempt, Err(throttled));
    bench.poll(&mut call);
    let mut call = bench.begin(read("trace_block"));
    assert_eq!(
        emitted(bench.outcome(&mut call)).0.class,
        FaultClass::RateLimited
    );
}
