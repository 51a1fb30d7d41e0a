//! Heads in a shard: who is sent a call that needs a height, and what other shards may change about a call's choice.

use super::*;
use crate::breaker::State;
use crate::gossip::News;
use crate::head::Mark;

fn at_height(height: Height) -> Request {
    Request {
        height,
        ..read("eth_getBalance")
    }
}

impl Bench {
    fn head(&mut self, upstream: UpstreamIndex, number: u64) {
        self.shard
            .probe_result(self.now, CHAIN, upstream, ProbeResult::Head(number));
    }

    fn goes_to(&mut self, height: Height) -> UpstreamIndex {
        self.call_with(at_height(height), Ok(())).0
    }
}

#[test]
fn a_block_is_asked_of_an_upstream_that_has_it() {
    let mut bench = Bench::new(3);
    bench.head(A, 100);
    bench.head(B, 101);
    assert_eq!(bench.goes_to(Height::Any), A);
    assert_eq!(bench.goes_to(Height::At(100)), A);
    assert_eq!(bench.goes_to(Height::At(101)), B);
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Lagging));
    assert_eq!(bench.goes_to(Height::At(102)), C, "of C nothing is known");
    bench.head(C, 100);
    assert_eq!(
        bench.goes_to(Height::At(102)),
        B,
        "nobody has it: whoever came closest"
    );
    assert_eq!(bench.last_reason(A), Some(LeftOutBy::Lagging));
    assert_eq!(bench.last_reason(B), None);
}

#[test]
fn the_newest_block_is_asked_of_those_that_were_up_to_date_when_they_were_asked() {
    let mut bench = Bench::new(2);
    bench.head(B, 100);
    bench.head(A, 96);
    assert_eq!(bench.goes_to(Height::Latest), B);
    bench.head(A, 100);
    bench.wait(10);
    bench.head(B, 104);
    assert_eq!(bench.goes_to(Height::Latest), A, "it was not asked since");
}

#[test]
fn one_that_is_short_is_asked_when_the_others_fail() {
    let mut bench = Bench::new(2);
    bench.head(A, 100);
    bench.head(B, 101);
    let mut call = bench.begin(at_height(Height::At(101)));
    let (first, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, B);
    bench.fail(&mut call, first, FaultClass::Server);
    let (second, upstream, _) = bench.dispatched(&mut call);
    assert_eq!(upstream, A);
    bench.finish(&mut call, second, Ok(()));
    assert_eq!(relayed(bench.outcome(&mut call)), second);
}

#[test]
fn a_reset_is_noted_and_marks_travel() {
    let mut bench = Bench::new(1);
    bench.head(A, 100);
    let before = bench.shard.head_mark(CHAIN);
    for _ in 0..4 {
        bench.wait(10_000);
        bench.head(A, 3);
    }
    let mut notes = core::iter::from_fn(|| bench.shard.poll_note());
    let reset = NoteKind::HeadReset { from: 100, to: 3 };
    assert!(notes.any(|note| note.kind == reset));
    let mark = bench.shard.head_mark(CHAIN);
    assert!(mark > before);
    let mut other = Bench::new(1);
    other.shard.raise_head(CHAIN, before, other.now);
    assert_eq!(other.shard.chain_head(CHAIN).newest, Some(100));
    other.shard.raise_head(CHAIN, mark, other.now);
    other.shard.raise_head(CHAIN, before, other.now);
    assert_eq!(other.shard.chain_head(CHAIN).newest, Some(3));
    assert_eq!(other.shard.head_mark(CHAIN), mark);
    assert_eq!(other.shard.head_mark(ChainIndex(9)), Mark::NONE);
}

#[test]
fn an_upstream_of_another_chain_has_no_say() {
    let mut bench = Bench::new(2);
    let wrong = ProbeResult::ChainId(crate::chain::ChainId(56));
    bench.shard.probe_result(bench.now, CHAIN, A, wrong);
    bench.head(A, 40_000_000);
    bench.head(B, 1_000);
    assert_eq!(bench.shard.chain_head(CHAIN).newest, Some(1_000));
    assert!(!bench.view(B).late);
}

#[test]
fn a_wrong_chain_begins_a_generation_once_until_it_was_right_again() {
    use crate::chain::ChainId;

    let mut bench = Bench::new(2);
    bench.head(A, 100);
    bench.head(B, 100);
    let generation = |bench: &Bench| bench.shard.chain_head(CHAIN).generation;
    let seen = |bench: &mut Bench, result| bench.shard.probe_result(bench.now, CHAIN, B, result);
    seen(&mut bench, ProbeResult::ChainId(ChainId(1)));
    assert_eq!(generation(&bench), 0);
    for wrong in [
        ProbeResult::ChainId(ChainId(56)),
        ProbeResult::ChainId(ChainId(56)),
        ProbeResult::OtherChain,
    ] {
        seen(&mut bench, wrong);
        assert_eq!(generation(&bench), 1);
    }
    assert_eq!(bench.goes_to(Height::Any), A);
    // What it answered before it was found out raises nothing.
    let told = bench.shard.answer_block_number(CHAIN, B, 101, bench.now);
    assert_eq!(told, 100);
    assert_eq!(bench.shard.chain_head(CHAIN).newest, Some(100));
    seen(&mut bench, ProbeResult::ChainId(ChainId(1)));
    seen(&mut bench, ProbeResult::OtherChain);
    assert_eq!(generation(&bench), 2);
    assert!(bench.view(B).quarantined.is_some());
}

#[test]
fn own_successes_speak_against_a_breaker_that_opened_elsewhere() {
    let news = |bench: &Bench| News::Breaker {
        chain: CHAIN,
        upstream: A,
        group: None,
        opened: bench.now,
        until: bench.now + secs(10),
    };
    let mut bench = Bench::new(2);
    bench.wait(5_000);
    bench.call_with(read("eth_call"), Ok(()));
    bench.wait(900);
    let told = news(&bench);
    bench.shard.take_news(1, told, bench.now);
    assert_eq!(
        bench.view(A).breaker,
        State::Closed,
        "it served a moment ago"
    );

    let fault = Fault::new(FaultClass::Server, "test");
    bench.call_with(read("eth_call"), Err(fault));
    let told = news(&bench);
    bench.shard.take_news(1, told, bench.now);
    assert_eq!(
        bench.view(A).breaker,
        State::Open,
        "its own last word agrees"
    );
    assert_eq!(bench.call_with(read("eth_call"), Ok(())).0, B);

    bench.wait(10_000);
    for _ in 0..2 {
        assert_eq!(bench.call_with(read("eth_call"), Ok(())).0, A);
    }
    assert_eq!(bench.view(A).breaker, State::Closed);
    bench.shard.take_news(1, told, bench.now);
    assert_eq!(bench.view(A).breaker, State::Closed, "old news");
}

#[test]
fn a_trip_and_a_throttle_are_told() {
    let mut bench = Bench::new(2);
    bench.trip(A);
    let mut request = read("eth_call");
    request.pinned = Some(B);
    let throttled = Fault::new(FaultClass::RateLimited, "test").with_hold_off(Some(secs(7)));
    bench.call_with_pinned(request, throttled);
    let told: Vec<News> = core::iter::from_fn(|| bench.shard.poll_news()).collect();
    let until = bench.view(A).open_until;
    assert!(told.iter().any(
        |news| matches!(news, News::Breaker { upstream: A, until: at, .. } if Some(*at) == until)
    ));
    let floor = bench.now + secs(7);
    assert!(
        told.iter().any(
            |news| matches!(news, News::HoldOff { upstream: B, floor: at, .. } if *at == floor)
        )
    );
}

#[test]
fn what_was_served_after_a_hold_off_is_not_taken_back_by_hearing_of_it_again() {
    let mut bench = Bench::new(1);
    let told = News::HoldOff {
        chain: CHAIN,
        upstream: A,
        floor: bench.now,
        until: bench.now + secs(5),
    };
    bench.shard.take_news(1, told, bench.now);
    // The least bad: nothing else is there, and the upstream itself named no time.
    bench.wait(1);
    bench.call_with(read("eth_call"), Ok(()));
    assert!(bench.view(A).ramping);
    bench.shard.take_news(2, told, bench.now);
    assert!(bench.view(A).ramping);
}

#[test]
fn how_an_upstream_stands_is_told_when_it_is_known_and_has_changed() {
    let mut bench = Bench::new(1);
    let scores = |bench: &mut Bench| {
        let told = core::iter::from_fn(|| bench.shard.poll_news());
        told.filter(|news| matches!(news, News::Score { .. }))
            .count()
    };
    for _ in 0..7 {
        bench.call_with(read("eth_call"), Ok(()));
        bench.wait(300);
    }
    assert_eq!(scores(&mut bench), 0, "on trial");
    bench.call_with(read("eth_call"), Ok(()));
    assert_eq!(scores(&mut bench), 1);
    bench.wait(300);
    bench.call_with(read("eth_call"), Ok(()));
    assert_eq!(scores(&mut bench), 0, "nothing has changed");
    bench.wait(15_000);
    bench.call_with(read("eth_call"), Ok(()));
    assert_eq!(scores(&mut bench), 1, "it is still so");
}

#[test]
fn who_does_not_want_to_hear_of_us_is_not_asked_for_its_head_either() {
    for asks in [Some(30), None] {
        let mut bench = Bench::impatient(2);
        bench.head(A, 100);
        let mut request = read("eth_call");
        request.pinned = Some(A);
        let asked = asks.map(Duration::from_secs);
        let fault = Fault::new(FaultClass::RateLimited, "test").with_hold_off(asked);
        bench.call_with_pinned(request, fault);
        let until = bench.now + asked.unwrap_or_default();
        assert_eq!(bench.shard.left_alone_until(CHAIN, A), until);
        assert_eq!(bench.shard.left_alone_until(CHAIN, B), Instant::ZERO);
        let poll = |upstream| bench.shard.next_head_poll(CHAIN, upstream, bench.now);
        let at = poll(A).unwrap().at;
        // Our own time is no reason not to look.
        assert!(at >= until && (asks.is_some() || at < bench.now + Duration::from_secs(1)));
        assert_eq!(poll(B).unwrap().at, bench.now);
    }
}
