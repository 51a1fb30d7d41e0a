//! What refusals and answers teach of an upstream, through the call's path, and what is told of it.

use super::*;
use crate::breaker::State;
use crate::eligibility::LeastBad;
use crate::fault::Hint;
use crate::gossip::News;
use crate::quarantine::Cause;

fn logs(blocks: u64) -> Request {
    Request {
        height: Height::Latest,
        blocks,
        ..read("eth_getLogs")
    }
}

fn balance_at(number: u64) -> Request {
    Request {
        height: Height::At(number),
        blocks: 1,
        ..read("eth_getBalance")
    }
}

fn too_wide(most: Option<u32>) -> Result<(), Fault> {
    Err(Fault::new(FaultClass::CapabilityRange, "test").with_hint(Hint::TooManyBlocks(most)))
}

fn with_heads(upstreams: u16, head: u64) -> Bench {
    let mut bench = Bench::new(upstreams);
    for upstream in 0..upstreams {
        let upstream = UpstreamIndex(upstream);
        bench
            .shard
            .probe_result(bench.now, CHAIN, upstream, ProbeResult::Head(head));
    }
    bench
}

fn told(bench: &mut Bench) -> Vec<News> {
    core::iter::from_fn(|| bench.shard.poll_news()).collect()
}

#[test]
fn a_range_that_one_refuses_goes_to_another_until_that_is_forgotten() {
    let mut bench = with_heads(2, 10_000);
    let (first, _) = bench.call_with(logs(5_000), too_wide(Some(500)));
    assert_eq!(first, A);
    let mut call = bench.begin(logs(501));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Range));
    let mut call = bench.begin(logs(500));
    assert_eq!(bench.dispatched(&mut call).1, A);
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, A);
    bench.now = bench.now + crate::learned::BELIEVED_FOR;
    let mut call = bench.begin(logs(501));
    assert_eq!(bench.dispatched(&mut call).1, A);
}

#[test]
fn refused_by_all_it_is_asked_once_for_the_node_s_own_words() {
    let mut bench = with_heads(2, 10_000);
    for expected in [2, 1] {
        let mut call = bench.begin(logs(5_000));
        for _ in 0..expected {
            let (attempt, _, _) = bench.dispatched(&mut call);
            bench.finish(&mut call, attempt, too_wide(Some(500)));
        }
        relayed(bench.outcome(&mut call));
    }
    let last = bench.notes.iter().rev().find_map(|note| match note.kind {
        NoteKind::Selected { least_bad, .. } => Some(least_bad),
        _ => None,
    });
    assert_eq!(last, Some(Some(LeastBad::Range)));
}

#[test]
fn history_that_one_has_no_more_is_asked_of_another() {
    let mut bench = with_heads(2, 10_000);
    let pruned = Err(Fault::new(FaultClass::MissingData, "test"));
    bench.call_with(balance_at(9_000), pruned);
    let mut call = bench.begin(balance_at(8_000));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Range));
    let mut call = bench.begin(balance_at(9_001));
    assert_eq!(bench.dispatched(&mut call).1, A);
    // Near the head it may just not be there yet.
    let mut bench = with_heads(2, 10_000);
    bench.call_with(balance_at(9_990), pruned);
    let mut call = bench.begin(balance_at(9_990));
    assert_eq!(bench.dispatched(&mut call).1, A);
}

#[test]
fn an_answer_unlearns_and_the_others_hear_of_both() {
    let mut bench = with_heads(2, 10_000);
    bench.call_with(logs(5_000), too_wide(None));
    let news = told(&mut bench);
    assert!(
        news.iter()
            .any(|news| matches!(news, News::Learned { upstream: A, .. }))
    );
    let mut request = logs(6_000);
    request.pinned = Some(A);
    // Nobody else may take it, so it is asked, and it serves.
    bench.call_with(request, Ok(()));
    let mut call = bench.begin(logs(5_000));
    assert_eq!(bench.dispatched(&mut call).1, A);
    let news = told(&mut bench);
    let unlearned = |news: &News| matches!(news, News::Learned { what, .. } if what.is_nothing());
    assert!(news.iter().any(unlearned), "{news:?}");
}

#[test]
fn what_a_batch_may_hold_is_learned_and_forgotten() {
    let mut bench = Bench::new(2);
    let most = |bench: &Bench, upstream| bench.shard.max_batch(CHAIN, upstream, bench.now);
    assert_eq!(most(&bench, A), None);
    let hint = Hint::TooManyCalls(Some(20));
    bench.shard.batch_refused(bench.now, CHAIN, A, 100, hint);
    assert_eq!((most(&bench, A), most(&bench, B)), (Some(20), None));
    bench
        .shard
        .batch_refused(bench.now, CHAIN, UpstreamIndex(9), 100, hint);
    bench.wait(600_000);
    assert_eq!(most(&bench, A), None);
    assert_eq!(bench.view(A).breaker, State::Closed);
}

#[test]
fn a_banned_method_is_told_of_and_so_is_that_it_is_served_after_all() {
    let mut bench = Bench::new(2);
    let unsupported = Err(Fault::new(FaultClass::UnsupportedMethod, "test"));
    bench.call_with(read("trace_block"), unsupported);
    let is_ban = |news: &News, served: bool| matches!(news, News::Ban { upstream: A, at, until, .. } if (until <= at) == served);
    assert!(told(&mut bench).iter().any(|news| is_ban(news, false)));
    let mut request = read("trace_block");
    request.pinned = Some(A);
    bench.wait(1);
    bench.call_with(request, Ok(()));
    assert!(told(&mut bench).iter().any(|news| is_ban(news, true)));
    let mut call = bench.begin(read("trace_block"));
    assert_eq!(bench.dispatched(&mut call).1, A);
}

fn garbled() -> Result<(), Fault> {
    Err(Fault::malformed("test"))
}

#[test]
fn answers_that_are_none_are_a_quarantine_after_five_and_a_long_way_back() {
    let mut bench = Bench::new(2);
    for number in 0..5 {
        assert_eq!(bench.view(A).quarantined, None, "{number}");
        let mut request = read("eth_call");
        request.pinned = Some(A);
        bench.call_with_pinned(request, garbled().unwrap_err());
    }
    let (cause, until) = bench.view(A).quarantined.unwrap();
    assert_eq!(cause, Cause::InvalidAnswers);
    assert!(until >= bench.now + secs(60));
    let news = told(&mut bench);
    assert!(
        news.iter()
            .any(|news| matches!(news, News::Quarantine { upstream: A, .. }))
    );
    let mut call = bench.begin(read("eth_call"));
    assert_eq!(bench.dispatched(&mut call).1, B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Quarantined));
    bench.now = until;
    for _ in 0..100 {
        let view = bench.view(A);
        if view.quarantined.is_some() || view.breaker != State::Closed {
            bench.call_with(read("eth_call"), Ok(()));
            bench.wait(1);
        }
    }
    assert_eq!(bench.view(A).quarantined, None);
    assert!(
        bench.view(A).share_permille <= 62,
        "{}",
        bench.view(A).share_permille
    );
    // Another one soon, and it is out again.
    bench.wait(20_000);
    let mut request = read("eth_call");
    request.pinned = Some(A);
    bench.call_with_pinned(request, garbled().unwrap_err());
    assert!(bench.view(A).quarantined.is_some());
}

#[test]
fn one_answer_in_six_that_is_none_is_no_quarantine_and_one_in_four_is() {
    for (each, out) in [(6, false), (4, true)] {
        let mut bench = Bench::new(1);
        for number in 0..300 {
            let result = if number % each == 0 {
                garbled()
            } else {
                Ok(())
            };
            let mut call = bench.begin(read("eth_call"));
            let (attempt, _, _) = bench.dispatched(&mut call);
            bench.finish(&mut call, attempt, result);
            bench.poll(&mut call);
        }
        let quarantined = bench
            .notes
            .iter()
            .any(|note| matches!(note.kind, NoteKind::Quarantined { .. }));
        assert_eq!(quarantined, out, "one in {each}");
    }
}

#[test]
fn one_call_that_is_garbled_everywhere_counts_once() {
    let mut bench = Bench::new(3);
    for _ in 0..12 {
        let mut call = bench.begin(read("eth_call"));
        loop {
            match bench.poll(&mut call).as_slice() {
                &[Action::Dispatch { attempt, .. }] => {
                    bench.finish(&mut call, attempt, garbled());
                }
                &[Action::Complete(_)] => break,
                other => panic!("{other:?}"),
            }
        }
    }
    let out = [A, B, C].map(|upstream| bench.view(upstream).quarantined.is_some());
    assert!(out.iter().filter(|out| **out).count() <= 2, "{out:?}");
}

#[test]
fn two_of_an_account_that_throttle_hold_off_the_third_until_the_first_of_them_is_back() {
    let mut config = chain(4);
    for upstream in config.upstreams.iter_mut().take(3) {
        upstream.account = Some(crate::index::AccountIndex(7));
    }
    let mut bench = Bench::of(config);
    let throttle = |bench: &mut Bench, upstream, seconds| {
        let mut request = read("eth_call");
        request.pinned = Some(upstream);
        let fault = Fault::new(FaultClass::RateLimited, "test").with_hold_off(Some(secs(seconds)));
        bench.call_with_pinned(request, fault);
    };
    let d = UpstreamIndex(3);
    throttle(&mut bench, A, 30);
    assert!(bench.view(B).eligible && bench.view(C).eligible);
    throttle(&mut bench, B, 10);
    let (b, c) = (bench.view(B), bench.view(C));
    assert_eq!(
        c.held_until, b.held_until,
        "until the first of the two is back"
    );
    assert!(!c.eligible && bench.view(d).eligible);
    let accounts = bench
        .notes
        .iter()
        .filter(|note| matches!(note.kind, NoteKind::AccountHeldOff { .. }));
    assert_eq!(accounts.count(), 1);
    // It did not say so itself: where nothing else is left it may be asked.
    assert_eq!(c.held_floor, Instant::ZERO);
    let mut request = read("eth_call");
    request.excluded = UpstreamSet::only(d);
    let mut call = bench.begin(request);
    assert_eq!(bench.dispatched(&mut call).1, C);
    // Whoever is held for the account's sake is no second one.
    let news = told(&mut bench);
    let held: Vec<_> = news
        .iter()
        .filter_map(|news| match news {
            News::HoldOff { upstream, .. } => Some(*upstream),
            _ => None,
        })
        .collect();
    assert_eq!(held, [A, B]);
}

#[test]
fn accounts_span_chains_and_two_of_two_change_nothing() {
    let account = Some(crate::index::AccountIndex(1));
    let (mut one, mut two) = (chain(2), chain(1));
    one.upstreams[0].account = account;
    one.upstreams[1].account = account;
    two.upstreams[0].account = account;
    let config = ShardConfig {
        chains: std::vec![one, two],
        ..ShardConfig::default()
    };
    let mut bench = Bench::new(1);
    bench.shard = Shard::new(config, 1, Instant(0));
    for upstream in [A, B] {
        let mut request = read("eth_call");
        request.pinned = Some(upstream);
        let fault = Fault::new(FaultClass::RateLimited, "test").with_hold_off(Some(secs(9)));
        bench.call_with_pinned(request, fault);
    }
    let other = bench.shard.view(ChainIndex(1), A, bench.now).unwrap();
    assert!(other.held_until.is_some());
}
