//! Stories of several shards: what one learns the others need not find out, and nothing hangs on their hearing of it.

use super::stories::{play, strategy, with_seeds};
use crate::provider::{Behaviour, INTERNAL, Script};
use crate::report::Change;
use crate::scenario::Scenario;
use engine::breaker::State;

fn three(seed: u64, fault: Behaviour) -> Scenario {
    let upstreams = vec![
        Script::new(0, 20).but(20, 60, fault),
        Script::new(1, 25),
        Script::new(2, 30),
    ];
    let mut scenario = Scenario::new("shards", seed, strategy("round_robin"), upstreams)
        .at_rate(200)
        .lasting(100)
        .on_shards(8);
    // Checks beside the traffic let probes begin before a long open time is over.
    scenario.probe_every = Some(core::time::Duration::from_secs(5));
    scenario
}

#[test]
fn what_one_shard_finds_out_the_others_need_not() {
    with_seeds(|seed| {
        let mut scenario = three(seed, Behaviour::Say(INTERNAL, 1_000));
        let told = play(&scenario);
        scenario.gossip.lost = 1_000;
        let untold = play(&scenario);
        assert_eq!(
            (told.bad_calls(), untold.bad_calls()),
            (0, 0),
            "seed {seed}"
        );
        assert!(
            told.retries * 5 < untold.retries * 4,
            "seed {seed}: {} retries with gossip, {} without",
            told.retries,
            untold.retries
        );
        let opened = |shard: u16| {
            let open = Change::Breaker(State::Open);
            let mut moments = told.moments.iter();
            moments.any(|moment| moment.shard == shard && moment.what == open)
        };
        assert!((0..8).all(opened), "seed {seed}: a shard never heard of it");
    });
}

#[test]
fn gossip_that_is_late_repeated_and_in_disorder_costs_nobody_an_error() {
    with_seeds(|seed| {
        for fault in [
            Behaviour::Refuse,
            Behaviour::Say(INTERNAL, 300),
            Behaviour::Limit(20, Some(3)),
        ] {
            let mut scenario = three(seed, fault);
            scenario.gossip.lost = 400;
            scenario.gossip.repeated = 300;
            scenario.gossip.disorder = core::time::Duration::from_secs(4);
            let report = play(&scenario);
            assert_eq!(
                report.bad_calls(),
                0,
                "seed {seed}, {fault:?}: {:?}",
                report.bad
            );
            let back = report.share_permille(0, 85, 100);
            // A limit that was found is remembered for up to a minute.
            assert!(back > 150, "seed {seed}, {fault:?}: {back}");
        }
    });
}
