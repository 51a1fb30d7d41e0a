//! What is told about the cache, flights, hedges, heads and gossip arrives where it belongs.

use serde_json::Value;

use super::dimensions;
use crate::metrics::{METRICS, Metric};
use crate::{
    CacheLevels, CacheLifetime, CacheStatus, ChainLevels, FlightOutcome, GossipLevels, HeadPoll,
    HedgeOutcome, PollOutcome, Recorder, RetryKind, prometheus,
};

fn told(shard: usize) -> Recorder {
    let mut recorder = Recorder::new(dimensions(), shard);
    for (count, status) in CacheStatus::ALL.iter().enumerate() {
        for _ in 0..=count {
            recorder.cache_looked_up(1, *status);
        }
    }
    for (count, lifetime) in CacheLifetime::ALL.iter().enumerate() {
        for _ in 0..=count {
            recorder.cache_stored(0, *lifetime);
        }
    }
    recorder.cache_evicted(3);
    for (count, outcome) in FlightOutcome::ALL.iter().enumerate() {
        for _ in 0..=count {
            recorder.flight_ended(0, *outcome);
        }
    }
    for (count, outcome) in HedgeOutcome::ALL.iter().enumerate() {
        for _ in 0..=count {
            recorder.hedge_ended(1, *outcome);
        }
    }
    recorder.retried(1, RetryKind::Hedge);
    for (count, kind) in HeadPoll::ALL.iter().enumerate() {
        for _ in 0..=count {
            recorder.head_polled(0, 1, *kind, PollOutcome::Ok);
        }
        recorder.head_polled(0, 1, *kind, PollOutcome::Failed);
    }
    recorder.head_reset(1);
    recorder
}

#[test]
fn each_thing_counts_in_its_own_cell() {
    let snapshot = told(0).snapshot();
    let at = |metric, at: &[usize]| snapshot.value(metric, at).unwrap();
    for (index, status) in CacheStatus::ALL.iter().enumerate() {
        assert_eq!(
            at(Metric::CacheLookups, &[1, index]),
            index as u64 + 1,
            "{}",
            status.label()
        );
        assert_eq!(at(Metric::CacheLookups, &[0, index]), 0);
    }
    for index in 0..3 {
        assert_eq!(at(Metric::CacheStored, &[0, index]), index as u64 + 1);
        assert_eq!(at(Metric::Hedges, &[1, index]), index as u64 + 1);
    }
    for index in 0..4 {
        assert_eq!(at(Metric::Flights, &[0, index]), index as u64 + 1);
        // Flat upstream 1 is the first chain's second.
        assert_eq!(at(Metric::HeadPolls, &[1, index, 0]), index as u64 + 1);
        assert_eq!(at(Metric::HeadPolls, &[1, index, 1]), 1);
    }
    assert_eq!(snapshot.total(Metric::HeadPolls), 1 + 2 + 3 + 4 + 4);
    assert_eq!(snapshot.total(Metric::CacheEvictions), 3);
    assert_eq!(at(Metric::Retries, &[1, RetryKind::Hedge.index()]), 1);
    assert_eq!(at(Metric::HeadResets, &[1]), 1);
}

#[test]
fn labels_are_words_of_the_table() {
    let text = prometheus::render(&told(0).snapshot());
    for line in [
        r#"livechain_cache_lookups_total{chain="base",result="hit"} 1"#,
        r#"livechain_cache_lookups_total{chain="base",result="miss_new_head"} 4"#,
        r#"livechain_cache_lookups_total{chain="ethereum",result="bypass_disabled"} 0"#,
        r#"livechain_cache_stored_total{chain="ethereum",lifetime="timed"} 3"#,
        r#"livechain_flights_total{chain="ethereum",outcome="promoted"} 4"#,
        r#"livechain_hedges_total{chain="base",outcome="denied"} 3"#,
        r#"livechain_head_polls_total{chain="base",upstream="drpc",kind="finalized",outcome="failed"} 0"#,
        r#"livechain_chain_head_block{chain="base",kind="safe"} 0"#,
        r#"livechain_gossip_messages_total{result="dropped"} 0"#,
        r#"livechain_retries_total{chain="base",kind="hedge"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn levels_of_shards_become_one_process() {
    let [mut one, mut two] = [
        Recorder::new(dimensions(), 0),
        Recorder::new(dimensions(), 1),
    ];
    for (recorder, number) in [(&mut one, 1), (&mut two, 2)] {
        // What is set again replaces what was.
        for factor in [7, 1] {
            let number = number * factor;
            recorder.set_cache(&CacheLevels {
                bytes: 100 * number,
                entries: number,
                max_bytes: 1_000,
            });
            recorder.set_chain(
                0,
                &ChainLevels {
                    newest: 1_000 + number,
                    safe: 900 + number,
                    finalized: 800 + number,
                    block_time_us: 12_000_000 * number,
                },
            );
            recorder.set_gossip(&GossipLevels {
                sent: 10 * number,
                received: 20 * number,
                dropped: number,
            });
        }
    }
    let mut merged = one.snapshot();
    merged.merge(&two.snapshot()).unwrap();
    let text = prometheus::render(&merged);
    for line in [
        "livechain_cache_bytes 300",
        "livechain_cache_entries 3",
        "livechain_cache_max_bytes 2000",
        // A head and a block time are the highest that any shard knows.
        r#"livechain_chain_head_block{chain="ethereum",kind="newest"} 1002"#,
        r#"livechain_chain_head_block{chain="ethereum",kind="safe"} 902"#,
        r#"livechain_chain_head_block{chain="ethereum",kind="finalized"} 802"#,
        r#"livechain_chain_head_block{chain="base",kind="newest"} 0"#,
        r#"livechain_block_time_seconds{chain="ethereum"} 24"#,
        r#"livechain_gossip_messages_total{result="sent"} 30"#,
        r#"livechain_gossip_messages_total{result="received"} 60"#,
        r#"livechain_gossip_messages_total{result="dropped"} 3"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn what_lies_outside_of_the_axes_counts_nowhere() {
    let mut recorder = Recorder::new(dimensions(), 0);
    recorder.cache_looked_up(2, CacheStatus::Hit);
    recorder.cache_stored(2, CacheLifetime::Head);
    recorder.flight_ended(2, FlightOutcome::Answered);
    recorder.hedge_ended(usize::MAX, HedgeOutcome::Won);
    recorder.head_polled(0, 2, HeadPoll::Newest, PollOutcome::Ok);
    recorder.head_polled(2, 0, HeadPoll::Newest, PollOutcome::Ok);
    recorder.head_reset(2);
    recorder.set_chain(
        2,
        &ChainLevels {
            newest: 1,
            ..ChainLevels::default()
        },
    );
    let untouched = Recorder::new(dimensions(), 0);
    assert_eq!(
        prometheus::render(&recorder.snapshot()),
        prometheus::render(&untouched.snapshot())
    );
}

/// Recording these never makes a distribution, which is what allocates.
#[test]
fn none_of_it_is_a_distribution() {
    let before = told(0).snapshot();
    for (metric, spec) in Metric::ALL.iter().zip(METRICS) {
        if spec.kind.is_histogram() {
            assert!(
                before.distribution_at(*metric, &[]).is_none(),
                "{}",
                spec.name
            );
        }
    }
}

#[test]
fn an_end_says_what_the_cache_did_and_whether_it_was_hedged() {
    let line = |cache, hedged| -> Value {
        let event = super::events::ended(cache, hedged);
        serde_json::from_str(&super::events::line(&event)).unwrap()
    };
    for status in CacheStatus::ALL {
        assert_eq!(line(Some(*status), false)["cache"], status.label());
    }
    let without = line(None, false);
    assert!(without.get("cache").is_none());
    assert_eq!(without["hedged"], false);
    assert_eq!(line(None, true)["hedged"], true);
}
