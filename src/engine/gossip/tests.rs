//! Merging: any order, any number of times, the same view; and nothing that is told makes a decision unsafe.

use std::vec::Vec;

use proptest::prelude::*;

use super::outbox::{Key, Outbox};
use super::*;
use crate::breaker::State;
use crate::config::{ChainConfig, ShardConfig, UpstreamConfig};
use crate::head::ChainHead;
use crate::index::AccountIndex;
use crate::learned::{History, Learned};
use crate::method::lookup;
use crate::shard::{ProbeResult, Shard, UpstreamView};
use crate::strategy::StrategySpec;

const CHAIN: ChainIndex = ChainIndex(0);
const A: UpstreamIndex = UpstreamIndex(0);
const B: UpstreamIndex = UpstreamIndex(1);

fn ms(millis: u64) -> Instant {
    Instant(millis * 1_000_000)
}

fn shard(seed: u64) -> Shard {
    let chain = ChainConfig {
        upstreams: std::vec![
            UpstreamConfig {
                account: Some(AccountIndex(0)),
                ..UpstreamConfig::default()
            };
            3
        ],
        strategies: std::vec![StrategySpec::new("priority", &[]).unwrap()],
        max_lag_blocks: Some(16),
        ..ChainConfig::default()
    };
    let config = ShardConfig {
        chains: std::vec![chain],
        ..ShardConfig::default()
    };
    Shard::new(config, seed, Instant::ZERO)
}

/// Everything that gossip can change, but for the counter of changes.
type Seen = (
    ChainHead,
    Vec<UpstreamView>,
    Vec<crate::score::Estimate>,
    Vec<Option<u32>>,
    Vec<std::string::String>,
);

fn seen(shard: &Shard, now: Instant) -> Seen {
    let head = ChainHead {
        seq: 0,
        generation: 0,
        ..shard.chain_head(CHAIN)
    };
    let method = lookup(b"eth_call");
    let estimates = (0..3)
        .map(|upstream| {
            shard
                .estimate(CHAIN, UpstreamIndex(upstream), method, now)
                .unwrap()
        })
        .collect();
    let batches = (0..3)
        .map(|upstream| shard.max_batch(CHAIN, UpstreamIndex(upstream), now))
        .collect();
    let views: Vec<UpstreamView> = shard.views(now).collect();
    let facts = (0..3)
        .map(|upstream| shard.facts_of(CHAIN, UpstreamIndex(upstream)))
        .collect();
    (head, views, estimates, batches, facts)
}

fn learned() -> impl Strategy<Value = Learned> {
    let group = || (0..MethodGroup::COUNT).prop_map(|number| MethodGroup::ALL[number]);
    let kind = (0..History::COUNT).prop_map(|number| History::ALL[number]);
    prop_oneof![
        (group(), prop_oneof![1..9_u64, Just(u64::MAX)])
            .prop_map(|(group, most)| Learned::Blocks { group, most }),
        prop_oneof![1..9_u32, Just(u32::MAX)].prop_map(|most| Learned::Batch { most }),
        (kind, 0..9_u64, 0..20_u64).prop_map(|(kind, gone, head)| Learned::History {
            kind,
            gone,
            head
        }),
    ]
}

fn news() -> impl Strategy<Value = News> {
    let upstream = (0..4_u16).prop_map(UpstreamIndex);
    let time = (0..40_u64).prop_map(|second| ms(second * 1_000));
    let number = 0..20_u64;
    let kind = prop_oneof![
        Just(HeadKind::Newest),
        Just(HeadKind::Safe),
        Just(HeadKind::Finalized)
    ];
    prop_oneof![
        (
            upstream.clone(),
            kind,
            number.clone(),
            0..30_u64,
            (time.clone(), time.clone())
        )
            .prop_map(
                |(upstream, kind, number, behind, (at, returned))| News::Head {
                    chain: CHAIN,
                    upstream,
                    kind,
                    number,
                    behind,
                    at,
                    returned
                }
            ),
        (0..3_u32, number.clone(), time.clone(), number, 0..3_u64).prop_map(
            |(era, newest, since, finalized, pace)| News::Agreed {
                chain: CHAIN,
                era,
                newest,
                since,
                safe: Some(finalized.min(newest)),
                finalized: Some(finalized.min(newest)),
                block_time: (pace > 0).then(|| core::time::Duration::from_secs(pace)),
            }
        ),
        (
            upstream.clone(),
            prop::option::of((0..MethodGroup::COUNT).prop_map(|number| MethodGroup::ALL[number])),
            time.clone(),
            time.clone()
        )
            .prop_map(|(upstream, group, opened, until)| News::Breaker {
                chain: CHAIN,
                upstream,
                group,
                opened,
                until,
            }),
        (
            upstream.clone(),
            prop_oneof![
                Just(Cause::Auth),
                Just(Cause::QuotaBilling),
                Just(Cause::InvalidAnswers),
                Just(Cause::WrongChain)
            ],
            time.clone(),
            time.clone()
        )
            .prop_map(|(upstream, cause, began, until)| News::Quarantine {
                chain: CHAIN,
                upstream,
                cause,
                began,
                until,
            }),
        (upstream.clone(), 0..4_u16, time.clone(), time.clone()).prop_map(
            |(upstream, method, at, until)| News::Ban {
                chain: CHAIN,
                upstream,
                method: MethodId(method),
                at,
                until,
            }
        ),
        (upstream.clone(), learned(), time.clone()).prop_map(|(upstream, what, at)| {
            News::Learned {
                chain: CHAIN,
                upstream,
                what,
                at,
            }
        }),
        (upstream.clone(), time.clone(), time.clone()).prop_map(|(upstream, floor, until)| {
            News::HoldOff {
                chain: CHAIN,
                upstream,
                floor,
                until,
            }
        }),
        (upstream, time, 0..1_u32 << 17, any::<u32>()).prop_map(
            |(upstream, at, health, relative)| News::Score {
                chain: CHAIN,
                upstream,
                digest: Digest {
                    at,
                    health,
                    relative
                },
            }
        ),
    ]
}

proptest! {
    #[test]
    fn any_order_and_any_number_of_times_give_the_same_view(
        all in prop::collection::vec(news(), 0..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
    ) {
        let now = ms(20_000);
        let (mut one, mut other) = (shard(1), shard(1));
        for news in &all {
            one.take_news(1, *news, now);
        }
        if !all.is_empty() {
            for index in order {
                other.take_news(2, *index.get(&all), now);
            }
        }
        for news in all.iter().rev() {
            other.take_news(3, *news, now);
        }
        prop_assert_eq!(seen(&one, now), seen(&other, now));
        prop_assert_eq!(one.poll_news(), None, "what was told is not told again");
    }

    /// Whatever is told, and whatever of it is lost: a call ends in one way or another, nothing goes to the wrong chain, and after a day of
    /// silence everything is as it was.
    #[test]
    fn nothing_that_is_told_is_unsafe_or_lasts(all in prop::collection::vec(news(), 0..40)) {
        let now = ms(20_000);
        let mut shard = shard(1);
        for news in &all {
            shard.take_news(1, *news, now);
        }
        let request = crate::call::Request {
            chain: CHAIN,
            method: lookup(b"eth_call"),
            blocks: 1,
            ..crate::call::Request::default()
        };
        for at in [now, now + core::time::Duration::from_secs(3 * 24 * 3_600)] {
            let mut call = shard.begin(at, request);
            let action = shard.poll_action(&mut call, at);
            let dispatched = matches!(action, Some(crate::call::Action::Dispatch { .. }));
            // Only its own word keeps an upstream from being asked where nobody else is left.
            let floors = shard.views(at).filter(|view| view.held_floor > at).count();
            prop_assert!(dispatched || floors == 3, "{action:?}");
            shard.handle_event(&mut call, at, crate::call::Event::ClientGone);
            let is_wrong = |view: UpstreamView| view.quarantined.is_some_and(|(cause, _)| cause == Cause::WrongChain);
            prop_assert!(!shard.views(at).any(is_wrong), "only a check says that");
        }
    }
}

#[test]
fn a_shard_that_has_seen_nothing_leaves_out_whom_the_others_know() {
    let mut shard = shard(1);
    let (chain, upstream) = (CHAIN, A);
    let until = ms(60_000);
    let now = ms(1_000);
    let cause = Cause::QuotaBilling;
    let began = now;
    shard.take_news(
        2,
        News::Quarantine {
            chain,
            upstream,
            cause,
            began,
            until,
        },
        now,
    );
    assert_eq!(
        shard.view(CHAIN, A, now).unwrap().quarantined,
        Some((cause, until))
    );
    assert!(!shard.view(CHAIN, A, now).unwrap().eligible);
    // One that was answered there since knows better.
    let mut knows = self::shard(1);
    let method = lookup(b"eth_call");
    let request = crate::call::Request {
        chain,
        method,
        pinned: Some(A),
        blocks: 1,
        ..crate::call::Request::default()
    };
    let mut call = knows.begin(now, request);
    let Some(crate::call::Action::Dispatch { attempt, .. }) = knows.poll_action(&mut call, now)
    else {
        panic!("nothing was sent")
    };
    let result = Ok(());
    knows.handle_event(
        &mut call,
        now,
        crate::call::Event::Finished { attempt, result },
    );
    knows.take_news(
        2,
        News::Quarantine {
            chain,
            upstream,
            cause,
            began,
            until,
        },
        now,
    );
    assert_eq!(knows.view(CHAIN, A, now).unwrap().quarantined, None);
    let group = None;
    knows.take_news(
        2,
        News::Breaker {
            chain,
            upstream,
            group,
            opened: began,
            until,
        },
        now,
    );
    assert_eq!(knows.view(CHAIN, A, now).unwrap().breaker, State::Closed);
}

#[test]
fn what_one_shard_learns_another_one_tells_apart_by_its_key() {
    let mut outbox = Outbox::new([2_usize].into_iter(), 1);
    let keys = [
        Key::Breaker(CHAIN, A, None),
        Key::Breaker(CHAIN, A, Some(MethodGroup::Reads)),
        Key::Breaker(CHAIN, A, Some(MethodGroup::Other)),
        Key::Quarantine(CHAIN, B),
        Key::Ban(CHAIN, A, MethodId(0)),
        Key::Ban(CHAIN, A, MethodId(64)),
        Key::Ban(CHAIN, B, MethodId(1)),
        Key::Learned(CHAIN, B, 0),
        Key::Learned(CHAIN, B, Learned::COUNT as u8 - 1),
    ];
    for key in keys.into_iter().rev().chain(keys) {
        outbox.mark(key);
    }
    let told: Vec<Key> = core::iter::from_fn(|| outbox.take()).collect();
    assert_eq!(told, keys);
    assert_eq!(outbox.superseded(), keys.len() as u64);
    // What does not exist is not told.
    for key in [
        Key::Ban(CHAIN, A, MethodId::OTHER),
        Key::Ban(CHAIN, UpstreamIndex(9), MethodId(0)),
        Key::Learned(CHAIN, A, Learned::COUNT as u8),
    ] {
        outbox.mark(key);
    }
    assert_eq!(outbox.take(), None);
}

#[test]
fn heads_reach_the_other_shards_and_what_was_agreed_with_them() {
    let (mut asks, mut hears) = (shard(1), shard(2));
    for (upstream, number) in [(0, 1_000), (1, 999), (2, 900)] {
        let upstream = UpstreamIndex(upstream);
        asks.probe_result(ms(1), CHAIN, upstream, ProbeResult::Head(number));
        asks.probe_result(ms(2), CHAIN, upstream, ProbeResult::Finalized(number - 64));
    }
    while let Some(news) = asks.poll_news() {
        hears.take_news(0, news, ms(3));
    }
    assert_eq!(hears.chain_head(CHAIN).newest, Some(999));
    assert_eq!(hears.chain_head(CHAIN).finalized, Some(935));
    let late = |shard: &Shard| shard.view(CHAIN, UpstreamIndex(2), ms(3)).unwrap().late;
    assert!(late(&asks) && late(&hears));
    assert_eq!(hears.upstream_head(CHAIN, B), Some(999));
}

#[test]
fn the_newest_of_a_key_is_told_and_what_it_replaced_is_counted() {
    let mut asks = shard(1);
    let head = ProbeResult::Head;
    for upstream in [A, B, UpstreamIndex(2)] {
        asks.probe_result(ms(1), CHAIN, upstream, head(1));
    }
    while asks.poll_news().is_some() {}
    asks.probe_result(ms(2), CHAIN, B, head(5));
    asks.probe_result(ms(2), CHAIN, A, head(2));
    while asks.poll_news().is_some() {}
    assert_eq!(asks.news_superseded(), 0);
    for number in 3..=5 {
        asks.probe_result(ms(number), CHAIN, A, head(number));
    }
    assert_eq!(asks.news_superseded(), 4);
    let told: Vec<News> = core::iter::from_fn(|| asks.poll_news()).collect();
    assert_eq!(told.len(), 2);
    assert!(matches!(told[0], News::Agreed { newest: 5, .. }));
    assert!(matches!(told[1], News::Head { number: 5, .. }));
}

#[test]
fn a_breaker_that_opened_elsewhere_is_believed_where_nothing_speaks_against_it() {
    let opened = |opened, until| News::Breaker {
        chain: CHAIN,
        upstream: A,
        group: None,
        opened: ms(opened),
        until: ms(until),
    };
    let state = |shard: &Shard, at| {
        let view = shard.view(CHAIN, A, ms(at)).unwrap();
        (view.breaker, view.open_until)
    };
    let mut shard = shard(1);
    shard.take_news(1, opened(1_000, 11_000), ms(1_001));
    assert_eq!(state(&shard, 1_001), (State::Open, Some(ms(11_000))));
    shard.take_news(2, opened(2_000, 9_000), ms(2_001));
    assert_eq!(
        state(&shard, 2_001).1,
        Some(ms(11_000)),
        "the later end counts"
    );
    shard.take_news(2, opened(3_000, 15_000), ms(3_001));
    assert_eq!(state(&shard, 3_001).1, Some(ms(15_000)));

    let mut late = self::shard(1);
    late.take_news(1, opened(1_000, 11_000), ms(11_000));
    assert_eq!(state(&late, 11_000).0, State::Closed, "it is over");
}

#[test]
fn a_hold_off_elsewhere_is_a_hold_off_here() {
    let held = |floor, until| News::HoldOff {
        chain: CHAIN,
        upstream: B,
        floor: ms(floor),
        until: ms(until),
    };
    let view = |shard: &Shard| shard.view(CHAIN, B, ms(1)).unwrap();
    let mut shard = shard(1);
    shard.take_news(1, held(3_000, 4_000), ms(1));
    shard.take_news(2, held(3_500, 3_700), ms(1));
    assert_eq!(view(&shard).held_until, Some(ms(4_000)));
    assert_eq!(view(&shard).held_floor, ms(3_500));
    assert!(!view(&shard).eligible);
}

#[test]
fn a_stranger_to_an_upstream_takes_anothers_word_while_it_is_fresh() {
    let method = lookup(b"eth_call");
    let mut shard = shard(1);
    let before = shard.estimate(CHAIN, A, method, ms(1)).unwrap();
    assert!(before.cold);
    let digest = Digest {
        at: ms(1),
        health: crate::score::ONE / 2,
        relative: crate::score::ONE * 2,
    };
    let (chain, upstream) = (CHAIN, A);
    shard.take_news(
        1,
        News::Score {
            chain,
            upstream,
            digest,
        },
        ms(2),
    );
    let told = shard.estimate(CHAIN, A, method, ms(2)).unwrap();
    assert!(!told.cold);
    assert_eq!(told.latency_us, before.latency_us * 2);
    assert_eq!(told.cost_us, before.cost_us * 8);
    let later = shard.estimate(CHAIN, A, method, ms(30_001)).unwrap();
    assert_eq!((later.cold, later.cost_us), (true, before.cost_us));
}

#[test]
fn how_an_upstream_stands_is_told_four_times_a_second_at_most() {
    let mut outbox = Outbox::new([2_usize, 1].into_iter(), 0);
    let mut told = 0;
    for at in 0..1_000 {
        outbox.mark_score(ChainIndex(1), A, ms(at));
        while let Some(key) = outbox.take() {
            assert_eq!(key, Key::Score(ChainIndex(1), A));
            told += 1;
        }
    }
    assert_eq!(told, 4);
}

#[test]
fn what_does_not_exist_is_ignored() {
    let mut outbox = Outbox::new([1_usize].into_iter(), 0);
    outbox.mark(Key::Agreed(ChainIndex(3)));
    outbox.mark_score(ChainIndex(0), UpstreamIndex(9), ms(1));
    assert_eq!(outbox.take(), None);
    let mut shard = shard(1);
    let before = seen(&shard, ms(1));
    for chain in [CHAIN, ChainIndex(9)] {
        for upstream in [UpstreamIndex(3), UpstreamIndex(u16::MAX)] {
            let (until, floor, opened) = (ms(9_000), ms(9_000), ms(1));
            let digest = Digest::default();
            let all = [
                News::Breaker {
                    chain,
                    upstream,
                    group: None,
                    opened,
                    until,
                },
                News::HoldOff {
                    chain,
                    upstream,
                    floor,
                    until,
                },
                News::Score {
                    chain,
                    upstream,
                    digest,
                },
                News::Head {
                    chain,
                    upstream,
                    kind: HeadKind::Newest,
                    number: 1,
                    behind: 0,
                    at: opened,
                    returned: opened,
                },
            ];
            for news in all {
                shard.take_news(0, news, ms(1));
            }
        }
    }
    assert_eq!(seen(&shard, ms(1)), before);
}
