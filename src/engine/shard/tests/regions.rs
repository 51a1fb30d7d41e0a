//! Whose region is preferred, and when a measurement says otherwise than a label.

use super::*;
use crate::config::GeoConfig;
use crate::index::RegionIndex;

const EUROPE: RegionIndex = RegionIndex(0);
const AMERICA: RegionIndex = RegionIndex(1);
const D: UpstreamIndex = UpstreamIndex(3);

/// A and B in Europe, C in America, D nowhere; by turns, so that everyone who is left in has his. Latencies as given, well known.
fn bench(latencies_ms: [u64; 4], home: Option<RegionIndex>) -> Bench {
    let mut config = chain(4);
    config.strategies = std::vec![StrategySpec::new("round_robin", &[]).unwrap()];
    config.geo = Some(GeoConfig {
        home,
        bound: Duration::from_millis(80),
    });
    for (upstream, region) in config.upstreams.iter_mut().zip([EUROPE, EUROPE, AMERICA]) {
        upstream.region = Some(region);
    }
    let mut bench = Bench::of(config);
    measure(&mut bench, latencies_ms);
    bench
}

fn measure(bench: &mut Bench, latencies_ms: [u64; 4]) {
    for _ in 0..40 {
        for (upstream, millis) in latencies_ms.into_iter().enumerate() {
            let request = Request {
                pinned: Some(UpstreamIndex(upstream as u16)),
                ..read("eth_call")
            };
            super::hedges::answer(bench, request, millis);
        }
    }
    bench.notes.clear();
}

/// Who is asked, in some calls with an effect, which are never spent on learning.
fn asked(bench: &mut Bench, region: Option<RegionIndex>) -> UpstreamSet {
    let mut set = UpstreamSet::EMPTY;
    for _ in 0..16 {
        let mut call = bench.begin(Request {
            region,
            effect: Effect::SignedTransaction,
            ..read("eth_call")
        });
        let (_, to, _) = bench.dispatched(&mut call);
        set.insert(to);
        bench
            .shard
            .handle_event(&mut call, bench.now, Event::ClientGone);
        bench.poll(&mut call);
    }
    set
}

fn set(upstreams: &[UpstreamIndex]) -> UpstreamSet {
    let mut set = UpstreamSet::EMPTY;
    for &upstream in upstreams {
        set.insert(upstream);
    }
    set
}

#[test]
fn the_client_s_region_is_preferred_and_the_others_are_left_out_for_it() {
    let mut bench = bench([30, 40, 90, 100], None);
    assert_eq!(asked(&mut bench, Some(EUROPE)), set(&[A, B]));
    assert_eq!(bench.last_reason(C), Some(LeftOutBy::Region));
    assert_eq!(bench.last_reason(D), Some(LeftOutBy::Region));
    assert_eq!(
        asked(&mut bench, Some(AMERICA)),
        set(&[A, B, C]),
        "Europe is as near, by measure"
    );
    assert_eq!(
        asked(&mut bench, None),
        set(&[A, B, C, D]),
        "nobody knows where the client is"
    );
    let mut at_home = self::bench([30, 40, 90, 100], Some(EUROPE));
    assert_eq!(asked(&mut at_home, None), set(&[A, B]));
}

#[test]
fn a_label_that_the_measurement_contradicts_counts_for_nothing() {
    // C says that it is in America and is as fast as the fastest one here; B says that it is here.
    let mut bench = bench([30, 140, 25, 100], Some(EUROPE));
    assert_eq!(asked(&mut bench, None), set(&[A, C]));
    // Within the bound the label is believed, although others are faster.
    let mut slower = self::bench([95, 300, 20, 40], Some(EUROPE));
    assert_eq!(asked(&mut slower, None), set(&[A, C, D]));
}

#[test]
fn without_anybody_near_others_are_asked_within_the_bound() {
    let mut bench = bench([300, 300, 60, 150], Some(EUROPE));
    assert_eq!(
        asked(&mut bench, None),
        set(&[C]),
        "Europe is far, and so is D"
    );
    let mut bench = self::bench([30, 40, 110, 150], Some(EUROPE));
    let lose = |bench: &mut Bench, upstream| bench.shard.set_reachable(CHAIN, upstream, false);
    lose(&mut bench, A);
    lose(&mut bench, B);
    assert_eq!(
        asked(&mut bench, None),
        set(&[C, D]),
        "within 80 ms of the fastest left"
    );
    lose(&mut bench, C);
    assert_eq!(asked(&mut bench, None), set(&[D]));
}

#[test]
fn a_call_that_failed_in_its_region_goes_to_another_and_has_time_for_it() {
    let mut bench = bench([30, 300, 90, 300], Some(EUROPE));
    let mut call = bench.begin(read("eth_call"));
    let (first, to, deadline) = bench.dispatched(&mut call);
    assert_eq!(to, A);
    assert!(deadline <= bench.now + secs(4), "another could serve it");
    bench.fail(&mut call, first, FaultClass::Server);
    let (_, to, _) = bench.dispatched(&mut call);
    assert_eq!(to, C);
}

#[test]
fn at_the_bound_nobody_flaps() {
    let mut bench = bench([30, 40, 60, 115], Some(AMERICA));
    assert_eq!(asked(&mut bench, None), set(&[A, B, C]));
    let mut far = self::bench([30, 40, 115, 200], Some(AMERICA));
    assert_eq!(
        asked(&mut far, None),
        set(&[A, B]),
        "115 is beyond 30 and 80"
    );
    measure(&mut far, [30, 40, 105, 200]);
    assert_eq!(asked(&mut far, None), set(&[A, B]), "not yet");
    measure(&mut far, [30, 40, 85, 200]);
    assert_eq!(
        asked(&mut far, None),
        set(&[A, B, C]),
        "within three quarters"
    );
    measure(&mut far, [30, 40, 105, 200]);
    assert_eq!(asked(&mut far, None), set(&[A, B, C]), "and stays");
}

#[test]
fn what_is_not_known_is_believed_and_what_is_far_is_looked_at_now_and_then() {
    let mut config = chain(2);
    config.geo = Some(GeoConfig::default());
    config.upstreams[1].region = Some(EUROPE);
    let mut unknown = Bench::of(config);
    assert_eq!(asked(&mut unknown, Some(EUROPE)), set(&[B]));
    let mut bench = bench([30, 40, 90, 100], Some(EUROPE));
    let mut far = 0;
    for _ in 0..4_000 {
        let mut call = bench.begin(read("eth_call"));
        let (_, to, _) = bench.dispatched(&mut call);
        far += u32::from(to == C || to == D);
        bench
            .shard
            .handle_event(&mut call, bench.now, Event::ClientGone);
        bench.poll(&mut call);
    }
    // By turns half of the calls that go by no region go there.
    assert!((5..40).contains(&far), "{far} of 4000");
}
