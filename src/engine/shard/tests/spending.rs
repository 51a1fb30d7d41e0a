//! Accounts and prices in a shard: what is counted, who is left out for it, what is told to the others.

use super::*;
use crate::account::Tally;
use crate::config::{AccountConfig, Allowance, Measure, PriceConfig};
use crate::gossip::News;
use crate::index::{AccountIndex, StrategyIndex};
use crate::strategy::Setting;

const ACCOUNT: AccountIndex = AccountIndex(0);

fn units(amount: u64) -> Option<Allowance> {
    Some(Allowance {
        amount,
        of: Measure::Units,
    })
}

/// `eth_call` counts as 26 units, all else as 10.
fn price(per_unit_pico: u64) -> PriceConfig {
    PriceConfig {
        per_unit_pico,
        units: 10,
        method_units: std::vec![(lookup(b"eth_call"), 26)],
    }
}

/// Upstreams A and B of one account, C without one.
fn config(account: AccountConfig) -> ShardConfig {
    let mut chain = chain(3);
    for upstream in &mut chain.upstreams[..2] {
        upstream.account = Some(ACCOUNT);
        upstream.price = price(7);
    }
    ShardConfig {
        chains: std::vec![chain],
        accounts: std::vec![account],
        ..ShardConfig::default()
    }
}

fn spent(bench: &Bench) -> Vec<(u16, u32, u64)> {
    let spent = |note: &Note| match note.kind {
        NoteKind::Spent {
            upstream,
            units,
            price_pico,
            ..
        } => Some((upstream.0, units, price_pico)),
        _ => None,
    };
    bench.notes.iter().filter_map(spent).collect()
}

fn this_month(bench: &mut Bench) -> Tally {
    bench.shard.account(ACCOUNT, bench.now).unwrap().this_month
}

#[test]
fn every_attempt_that_was_sent_is_spent_and_no_other() {
    let mut bench = Bench::with(config(AccountConfig::default()));
    bench.call_with(read("eth_call"), Ok(()));
    let unsent = Fault::unsent(FaultClass::Transport, "refused");
    bench.call_with(read("eth_call"), Err(unsent));
    bench.call_with(
        read("eth_chainId"),
        Err(Fault::new(FaultClass::Server, "test")),
    );
    assert_eq!(
        spent(&bench),
        [(0, 26, 26 * 7), (1, 26, 26 * 7), (0, 10, 70), (1, 10, 70)]
    );
    assert_eq!(
        this_month(&mut bench),
        Tally {
            calls: 4,
            units: 72
        }
    );
    assert_eq!(
        bench.shard.account(ACCOUNT, bench.now).unwrap().paid_pico,
        72 * 7
    );
    let own = bench.shard.account_of(CHAIN, C).unwrap();
    assert_eq!(
        (own, bench.shard.accounts()),
        (AccountIndex(1), 2),
        "C has one of its own"
    );
    assert_eq!(bench.shard.account(AccountIndex(2), bench.now), None);
}

#[test]
fn hedges_and_cancelled_ones_are_spent_too() {
    let mut hedging = config(AccountConfig::default());
    hedging.chains[0].policies = super::hedges::hedging(3).policies;
    let mut bench = Bench::with(hedging);
    for _ in 0..20 {
        super::hedges::answer(&mut bench, read("eth_call"), 10);
    }
    bench.notes.clear();
    let (mut call, first, _) = super::hedges::hedged(&mut bench);
    bench.finish(&mut call, first, Ok(()));
    bench.poll(&mut call);
    assert_eq!(spent(&bench), [(0, 26, 182), (1, 26, 182)]);
    let mut gone = bench.begin(read("eth_call"));
    bench.dispatched(&mut gone);
    bench
        .shard
        .handle_event(&mut gone, bench.now, Event::ClientGone);
    bench.poll(&mut gone);
    assert_eq!(spent(&bench).len(), 3);
}

#[test]
fn a_dead_connection_is_spent_once_if_nothing_left_through_it() {
    for sent in [false, true] {
        let mut bench = Bench::with(config(AccountConfig::default()));
        let mut call = bench.begin(read("eth_call"));
        let (attempt, _, _) = bench.dispatched(&mut call);
        bench
            .shard
            .handle_event(&mut call, bench.now, Event::Stale { attempt, sent });
        let (fresh, to, _) = bench.dispatched(&mut call);
        assert_eq!(to, A);
        bench.finish(&mut call, fresh, Ok(()));
        bench.poll(&mut call);
        assert_eq!(spent(&bench).len(), 1 + usize::from(sent));
    }
}

#[test]
fn an_account_that_has_spent_its_day_is_left_out_on_all_its_upstreams_until_midnight() {
    let mut bench = Bench::with(config(AccountConfig {
        per_day: units(60),
        ..AccountConfig::default()
    }));
    let mut went = || {
        let (to, _) = bench.call_with(read("eth_call"), Ok(()));
        (to, bench.last_reason(A), bench.last_reason(B))
    };
    assert_eq!(went(), (A, None, None));
    assert_eq!(went().0, A);
    let quota = Some(LeftOutBy::Quota);
    assert_eq!(went(), (C, quota, quota), "52 and 26 are more than 60");
    assert_eq!(
        bench.call_with(read("eth_chainId"), Ok(())).0,
        C,
        "8 are left"
    );
    assert!(!bench.view(A).eligible);
    bench.now = Instant(0) + secs(86_400);
    assert_eq!(bench.call_with(read("eth_call"), Ok(())).0, A);
}

#[test]
fn where_nothing_but_spent_accounts_is_left_the_client_is_told_when_to_come_back() {
    let mut bench = Bench::with(config(AccountConfig {
        per_day: units(26),
        ..AccountConfig::default()
    }));
    let request = Request {
        excluded: UpstreamSet::only(C),
        ..read("eth_call")
    };
    assert_eq!(bench.call_with(request, Ok(())).0, A);
    bench.wait(1_000);
    let mut call = bench.begin(request);
    let (fault, _) = emitted(bench.outcome(&mut call));
    assert_eq!(
        (fault.class, fault.rule),
        (FaultClass::RateLimited, "quota_spent")
    );
    assert_eq!(fault.hold_off, Some(secs(86_399)));
    // A broken one that may spend is less bad than one that may not.
    bench.trip(C);
    assert_eq!(bench.call_with(read("eth_call"), Ok(())).0, C);
}

#[test]
fn a_retry_and_a_return_stay_within_the_limit() {
    let mut bench = Bench::with(config(AccountConfig {
        per_day: units(30),
        ..AccountConfig::default()
    }));
    let request = Request {
        excluded: UpstreamSet::only(C),
        ..read("eth_call")
    };
    let mut call = bench.begin(request);
    let (attempt, _, _) = bench.dispatched(&mut call);
    bench.fail(&mut call, attempt, FaultClass::Transport);
    if let Some(due) = bench.shard.next_deadline(&call) {
        bench.now = due;
        bench.shard.handle_timeout(&mut call, due);
    }
    assert!(matches!(
        bench.poll(&mut call).as_slice(),
        [Action::Complete(_)]
    ));
    let mut call = bench.begin(Request {
        excluded: UpstreamSet::EMPTY,
        ..request
    });
    let (_, to, _) = bench.dispatched(&mut call);
    assert_eq!(to, C);
    assert_eq!(this_month(&mut bench).units, 26);
}

#[test]
fn cost_aware_takes_the_cheap_one_and_says_what_that_saved() {
    let mut chain = chain(2);
    chain.strategies =
        std::vec![StrategySpec::new("cost_aware", &[("explore", Setting::Share(0))]).unwrap()];
    chain.upstreams[0].price = price(7);
    chain.upstreams[1].price = price(3);
    let mut bench = Bench::of(chain);
    for (upstream, millis) in [(A, 10), (B, 50)].repeat(20) {
        let request = Request {
            pinned: Some(upstream),
            ..read("eth_call")
        };
        super::hedges::answer(&mut bench, request, millis);
    }
    bench.notes.clear();
    for _ in 0..20 {
        super::hedges::answer(&mut bench, read("eth_call"), 50);
    }
    let all_to_b = spent(&bench).iter().all(|spent| *spent == (1, 26, 78));
    assert!(all_to_b, "{:?}", spent(&bench));
    let priced: Vec<_> = bench
        .notes
        .iter()
        .filter_map(|note| match note.kind {
            NoteKind::Priced {
                price_pico,
                best_pico,
                ..
            } => Some((price_pico, best_pico)),
            _ => None,
        })
        .collect();
    assert_eq!(
        priced,
        [(78, 182); 20],
        "A would have been the leaderboard's"
    );
}

#[test]
fn what_is_included_is_used_up_first_and_then_the_cheaper_one_is_taken() {
    let settings = [("explore", Setting::Share(0))];
    let mut shard = config(AccountConfig {
        included_units: 260,
        ..AccountConfig::default()
    });
    shard.chains[0].strategies = std::vec![StrategySpec::new("cost_aware", &settings).unwrap()];
    shard.chains[0].upstreams[2].price = price(1);
    let mut bench = Bench::with(shard);
    let went: Vec<_> = (0..15)
        .map(|_| bench.call_with(read("eth_call"), Ok(())).0)
        .collect();
    assert!(went[..10].iter().all(|&to| to != C), "{went:?}");
    assert!(went[10..].iter().all(|&to| to == C), "{went:?}");
    assert_eq!(
        bench.shard.account(ACCOUNT, bench.now).unwrap().paid_pico,
        0
    );
}

#[test]
fn quota_aware_keeps_away_from_what_throttles_without_an_account_configured() {
    let settings = [("explore", Setting::Share(0))];
    let mut chain = chain(2);
    chain.strategies = std::vec![StrategySpec::new("quota_aware", &settings).unwrap()];
    let mut bench = Bench::of(chain);
    for _ in 0..200 {
        bench.call_with(read("eth_call"), Ok(()));
    }
    let request = Request {
        pinned: Some(A),
        ..read("eth_call")
    };
    bench.call_with_pinned(request, Fault::new(FaultClass::RateLimited, "test"));
    let account = bench.shard.account_of(CHAIN, A).unwrap();
    let view = bench.shard.account(account, bench.now).unwrap();
    assert!(view.second_learned.is_some() && view.room_permille == 0);
}

#[test]
fn shards_tell_each_other_what_they_spend_and_who_is_asked_answers() {
    let shard = |number| {
        Bench::with(ShardConfig {
            shard: number,
            shards: 2,
            ..config(AccountConfig {
                per_day: units(100),
                ..AccountConfig::default()
            })
        })
    };
    let (mut one, mut other) = (shard(0), shard(1));
    let told = |bench: &mut Bench| -> Vec<News> {
        let all = core::iter::from_fn(|| bench.shard.poll_news());
        all.filter(|news| matches!(news, News::Spend { .. }))
            .collect()
    };
    one.wait(10);
    other.now = one.now;
    one.call_with(read("eth_call"), Ok(()));
    let news = told(&mut one);
    assert_eq!(news.len(), 1);
    assert!(
        matches!(news[0], News::Spend { shard: 0, account: ACCOUNT, report } if report.today.units == 26)
    );
    other.wait(2_000);
    other.shard.take_news(0, news[0], other.now);
    assert_eq!(this_month(&mut other).units, 26);
    let answer = told(&mut other);
    assert_eq!(answer.len(), 1, "it has not been heard of for long");
    other.shard.take_news(0, news[0], other.now);
    assert_eq!(told(&mut other), [], "twice is once");
    one.now = other.now;
    one.shard.take_news(1, answer[0], one.now);
    assert_eq!(this_month(&mut one).units, 26);
    // What one has spent is not there for the other: 26 and 52 leave 22.
    for _ in 0..2 {
        assert_eq!(one.call_with(read("eth_call"), Ok(())).0, A);
    }
    for news in told(&mut one) {
        other.shard.take_news(0, news, other.now);
    }
    assert_eq!(this_month(&mut other).units, 78);
    assert_eq!(other.call_with(read("eth_call"), Ok(())).0, C);
}

#[test]
fn news_of_accounts_and_shards_that_do_not_exist_change_nothing() {
    let mut bench = Bench::with(ShardConfig {
        shards: 2,
        ..config(AccountConfig::default())
    });
    let before = bench.shard.account(ACCOUNT, bench.now);
    let report = crate::account::Report {
        today: Tally { calls: 9, units: 9 },
        this_month: Tally { calls: 9, units: 9 },
        ..crate::account::Report::default()
    };
    for (shard, account) in [(0, ACCOUNT), (2, ACCOUNT), (1, AccountIndex(77))] {
        let news = News::Spend {
            shard,
            account,
            report,
        };
        bench.shard.take_news(1, news, bench.now);
    }
    assert_eq!(bench.shard.account(ACCOUNT, bench.now), before);
}

#[test]
fn a_chain_without_prices_limits_or_such_strategies_has_no_accounts() {
    let mut bench = Bench::new(3);
    assert_eq!(bench.shard.accounts(), 0);
    bench.call_with(read("eth_call"), Ok(()));
    assert_eq!(spent(&bench), []);
    assert_eq!(bench.shard.account_of(CHAIN, A), None);
    let mut named = chain(2);
    named
        .strategies
        .push(StrategySpec::new("cost_aware", &[]).unwrap());
    let mut bench = Bench::of(named);
    assert_eq!(bench.shard.accounts(), 2);
    let by_price = Request {
        strategy: Some(StrategyIndex(1)),
        ..read("eth_call")
    };
    bench.call_with(by_price, Ok(()));
    assert_eq!(spent(&bench).len(), 1);
}
