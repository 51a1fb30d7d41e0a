//! Stories of clients that are somewhere: who is near is preferred, who is far carries on where nobody near can, and nothing of that changes
//! anybody's luck.

use core::time::Duration;

use engine::config::GeoConfig;
use engine::index::RegionIndex;

use super::stories::{play, strategy, with_seeds};
use crate::provider::{Behaviour, Script};
use crate::scenario::{Clients, Scenario};

const NAMES: [&str; 3] = ["eu", "us", "ap"];

/// An upstream of a region that is so far away.
fn script(number: u16, median_ms: u64, region: u16, distance_ms: u64) -> Script {
    let mut script = Script::new(number, median_ms);
    NAMES[usize::from(region)].clone_into(&mut script.region);
    script.config.region = Some(RegionIndex(region));
    script.distance = Duration::from_millis(distance_ms);
    script
}

fn clients(region: u16, permille: u32) -> Clients {
    Clients {
        region: NAMES[usize::from(region)].to_owned(),
        permille,
        index: Some(RegionIndex(region)),
    }
}

/// Two upstreams at home, two that are near enough, one beyond the bound; clients in all three regions, and some that do not say.
fn world(seed: u64) -> Scenario {
    let upstreams = vec![
        script(0, 25, 0, 0),
        script(1, 30, 0, 0),
        script(2, 8, 1, 10),
        script(3, 9, 1, 10),
        script(4, 10, 2, 150),
    ];
    let mut scenario = Scenario::new("regions", seed, strategy("round_robin"), upstreams)
        .at_rate(200)
        .lasting(120)
        .on_shards(2);
    scenario.clients = vec![clients(0, 500), clients(1, 300), clients(2, 100)];
    scenario.chain.geo = Some(GeoConfig {
        home: Some(RegionIndex(0)),
        ..GeoConfig::default()
    });
    scenario
}

#[test]
fn clients_are_kept_near_and_nobody_is_sent_beyond_the_bound() {
    with_seeds(|seed| {
        let report = play(&world(seed));
        assert_eq!(report.bad_calls(), 0, "seed {seed}");
        let [eu, us, ap] = report.regions.as_slice() else {
            panic!("{:?}", report.regions);
        };
        let at_home = |region: &crate::report::Region| region.at_home * 100 / region.good;
        // Those of us are the fastest of all, so that they are as good for anybody; those of eu are no good for clients in us.
        assert!(at_home(us) >= 95, "seed {seed}: {} %", at_home(us));
        assert!(
            (35..65).contains(&at_home(eu)),
            "seed {seed}: {} %",
            at_home(eu)
        );
        // A look now and then is all that what is beyond the bound gets, even of the clients that are there.
        assert!(at_home(ap) <= 3, "seed {seed}: {} %", at_home(ap));
        assert!(report.share_permille(4, 20, 120) <= 15);
        // One of ten does not say where it is, and of no client more is known than its region.
        let said = eu.calls + us.calls + ap.calls;
        assert!((880..920).contains(&(said * 1_000 / report.calls)));
    });
}

#[test]
fn a_region_that_is_lost_is_carried_by_those_within_the_bound_and_gets_its_clients_back() {
    with_seeds(|seed| {
        let mut scenario = world(seed).lasting(180);
        for script in scenario.upstreams.iter_mut().skip(2).take(2) {
            *script = script.clone().but(40, 70, Behaviour::Refuse);
        }
        let report = play(&scenario);
        assert_eq!(report.bad_calls(), 0, "seed {seed}: {:?}", report.bad);
        let us = |from, until| {
            report.share_permille(2, from, until) + report.share_permille(3, from, until)
        };
        assert!(us(20, 40) > 500, "seed {seed}: {}", us(20, 40));
        assert!(us(45, 70) < 60, "seed {seed}: {}", us(45, 70));
        assert!(us(150, 180) > 400, "seed {seed}: {}", us(150, 180));
        // Its clients are carried by eu, not by what is beyond the bound.
        assert!(report.share_permille(4, 45, 70) <= 20, "seed {seed}");
    });
}

/// Where clients are is no draw: without a preference nothing that happens depends on it.
#[test]
fn regions_change_nobody_s_luck() {
    let mut scenario = world(7);
    scenario.chain.geo = None;
    let somewhere = play(&scenario);
    assert_eq!(somewhere.regions.len(), 3);
    scenario.clients.clear();
    let nowhere = play(&scenario);
    assert_eq!(somewhere.trace_hash(), nowhere.trace_hash());
    assert!(nowhere.regions.is_empty());
}
