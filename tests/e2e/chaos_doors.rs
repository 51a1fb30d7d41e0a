//! Chaos: providers that cannot be reached, die and come back, or close connections behind our back.

use crate::harness::{Pair, Setup, balance_call, provider, until};
use perf::provider::{Door, Fault, Rule};
use std::sync::atomic::{AtomicU64, Ordering};

const CALLS: u64 = 30;

fn behind_a_bad_door(door: Door) {
    let pair = Pair::start();
    pair.call(1);
    assert_eq!(pair.counts(), (1, 0), "A serves before the fault");
    pair.a.set_door(door).unwrap();
    pair.a.cut_connections(true).unwrap();
    for id in 2..=CALLS {
        pair.call(id);
    }
    assert_eq!(pair.counts(), (1, CALLS - 1));
    let failed = pair.proxy.metric(
        "livechain_attempts_total",
        &[("upstream", "a"), ("outcome", "fault")],
    );
    assert!(failed >= 1.0, "A was never tried: nothing was shown");
    assert!(failed <= 8.0, "A was tried {failed} times");
    // It comes back by itself once the door is open again.
    pair.a.revive().unwrap();
    let mut id = CALLS;
    until("A to serve again", || {
        id += 1;
        pair.call(id);
        (pair.counts().0 > 1).then_some(())
    });
}

#[test]
fn connects_are_refused() {
    behind_a_bad_door(Door::Refuse);
}

#[test]
fn connects_are_reset() {
    behind_a_bad_door(Door::Reset);
}

#[test]
fn connects_hang() {
    behind_a_bad_door(Door::BlackHole);
}

#[test]
fn connects_are_accepted_and_never_read() {
    behind_a_bad_door(Door::Silent);
}

#[test]
fn a_provider_that_closes_after_every_answer_costs_no_error() {
    const REQUESTS: u64 = 2_000;
    const CLIENTS: u64 = 8;
    let only = provider();
    let proxy = Setup::default().upstream("only", &only.url(), "").start();
    let fired = only.inject(Rule::always(Fault::CloseAfterAnswer).for_method("eth_getBalance"));
    let served = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (proxy, served) = (&proxy, &served);
            scope.spawn(move || {
                let mut connection = proxy.connect();
                for turn in 0..REQUESTS / CLIENTS {
                    let response = connection.post("/", &balance_call(client * 1_000_000 + turn));
                    let answer = response.json();
                    assert!(
                        response.status == 200 && answer["result"].is_string(),
                        "{response}"
                    );
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(served.into_inner(), REQUESTS);
    assert!(only.hits(fired) >= REQUESTS);
}

#[test]
fn connections_cut_between_calls_are_replaced_without_an_error() {
    let only = provider();
    let proxy = Setup::default().upstream("only", &only.url(), "").start();
    let mut connection = proxy.connect();
    for id in 1..=50 {
        let response = connection.post("/", &balance_call(id));
        assert!(response.json()["result"].is_string(), "{response}");
        only.cut_connections(id % 2 == 0).unwrap();
    }
    assert!(only.counters().connections >= 50);
    assert_eq!(only.counters().method("eth_getBalance"), 50);
}

#[test]
fn a_name_with_an_address_where_nobody_listens_is_reached_at_its_other() {
    // `localhost` is ::1 and 127.0.0.1 on most machines; the provider listens at the second only.
    let only = provider();
    let url = format!("http://localhost:{}/", only.address().port());
    let proxy = Setup::default().upstream("only", &url, "").start();
    for id in 1..=20 {
        let response = proxy.post(&balance_call(id));
        assert!(response.json()["result"].is_string(), "{response}");
    }
    assert_eq!(only.counters().method("eth_getBalance"), 20);
    assert!(proxy.metric("livechain_address_lookups_total", &[("outcome", "changed")]) >= 1.0);
}
