//! Regions, seen from outside: a client is sent to its own region while that is near enough, and to another when its own is lost.
//!
//! By rule whoever is as fast as the fastest of the client's region is near as well, whatever its label says. So of two upstreams the faster
//! is left in for everybody, and only the slower is ever left out. Europe's is the slower here, and the one that the strategy prefers: whoever
//! is known to be in Europe gets it by that preference, and for all others it must have been left out.

use crate::harness::{Client, Proxy, Setup, balance_call, ok, provider, until};
use crate::mmdb;
use perf::provider::{Handle, Latency};
use std::time::Duration;

struct Stage {
    eu: Handle,
    us: Handle,
    proxy: Proxy,
}

impl Stage {
    fn start(bound: &str) -> Self {
        let (eu, us) = (provider(), provider());
        // Clearly the slower, and nowhere near the bound.
        eu.set_method_latency("eth_getBalance", Latency::Fixed(Duration::from_millis(20)));
        let database = mmdb::database(
            "GeoLite2-Country",
            &[
                ([127, 0, 3, 0], 24, "DE", "EU"),
                ([127, 0, 4, 0], 24, "US", "NA"),
            ],
        );
        let proxy = Setup::default()
            .server("explain: true")
            .server(
                "client_region: { header: x-client-region, networks: { \"127.0.2.0/24\": eu }, maxmind: { file: places.mmdb, countries: { US: us }, continents: { EU: eu } } }",
            )
            .file("places.mmdb", database)
            .chain("strategy: priority")
            .chain(&format!("geo: {{ home: us, bound: {bound} }}"))
            .forwarding_all()
            .upstream("eu", &eu.url(), "region: eu, connect_timeout: 500ms")
            .upstream("us", &us.url(), "region: us, connect_timeout: 500ms")
            .start();
        Self { eu, us, proxy }
    }

    fn client(&self, network: u8) -> Client {
        self.proxy.connect_from([127, 0, network, 7])
    }
}

/// Where some calls of a client go.
fn share_of_eu(client: &mut Client, headers: &[&str], first: u64) -> usize {
    (first..first + 40)
        .filter(|id| {
            let response = client.post_with("/", headers, &balance_call(*id));
            ok(&response);
            response.header("x-livechain-upstream") == Some("eu")
        })
        .count()
}

#[test]
fn a_client_s_region_is_known_by_header_network_and_database_and_preferred() {
    let stage = Stage::start("10s");
    for (network, headers, eu) in [
        (2, &[][..], true),
        (3, &[], true),
        (4, &[], false),
        // Of this one nothing is known: it is at home.
        (5, &[], false),
        (5, &["x-client-region: eu"], true),
        (2, &["x-client-region: us"], false),
        // A region that there is not tells nothing.
        (2, &["x-client-region: mars"], true),
    ] {
        let mut client = stage.client(network);
        let share = share_of_eu(&mut client, headers, u64::from(network) * 1000);
        // Now and then the other one is looked at.
        let fits = if eu { share >= 36 } else { share <= 4 };
        assert!(
            fits,
            "network {network} {headers:?}: {share} of 40 went to eu"
        );
    }
    let left_out = stage.proxy.metric(
        "livechain_candidates_excluded_total",
        &[("reason", "region"), ("upstream", "eu")],
    );
    // In three of the seven turns, but for the looks.
    assert!(left_out >= 3.0 * 36.0, "{left_out} were left out");
}

#[test]
fn a_lost_region_is_served_by_another() {
    let stage = Stage::start("10s");
    let mut client = stage.client(2);
    assert!(share_of_eu(&mut client, &[], 1) >= 36);
    let before = stage.us.counters().method("eth_getBalance");
    stage.eu.kill().unwrap();
    assert_eq!(share_of_eu(&mut client, &[], 100), 0);
    assert!(stage.us.counters().method("eth_getBalance") >= before + 40);
    stage.eu.revive().unwrap();
    let mut first = 1000;
    until("the region to serve its own again", || {
        first += 100;
        (share_of_eu(&mut client, &[], first) >= 36).then_some(())
    });
}
