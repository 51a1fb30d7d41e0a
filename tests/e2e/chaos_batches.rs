//! Chaos where calls travel together: an upstream's batch may come back in any order, short, as one error or not at all; each call
//! is still judged, and saved, on its own.

use crate::harness::{Proxy, Setup, balance_call, provider};
use perf::provider::{Fault, Handle, Rule};

const CALLS: u64 = 40;

/// A takes batches of 20 and is preferred; B takes calls one by one.
fn start() -> (Handle, Handle, Proxy) {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .upstream("a", &a.url(), "batch: { max_calls: 20 }, timeout: 400ms")
        .upstream("b", &b.url(), "")
        .start();
    (a, b, proxy)
}

/// One batch of the client's; every item has to come back good and in its place.
fn ask(proxy: &Proxy) {
    let calls: Vec<_> = (1..=CALLS).map(balance_call).collect();
    let response = proxy.post(&format!("[{}]", calls.join(",")));
    let items = response.json();
    let items = items.as_array().unwrap_or_else(|| panic!("{response}"));
    assert_eq!(items.len(), calls.len(), "{response}");
    for (item, id) in items.iter().zip(1..) {
        assert_eq!(item["id"], id, "{response}");
        assert!(item["result"].is_string(), "{item}");
    }
}

fn counts(a: &Handle, b: &Handle) -> (u64, u64) {
    let count = |provider: &Handle| provider.counters().method("eth_getBalance");
    (count(a), count(b))
}

#[test]
fn calls_travel_together_and_come_back_in_any_order() {
    let (a, b, proxy) = start();
    let fired = a.inject(Rule::always(Fault::BatchOutOfOrder));
    ask(&proxy);
    assert!(
        a.hits(fired) >= 2,
        "nothing travelled together: nothing was shown"
    );
    assert_eq!((counts(&a, &b), a.counters().batches), ((CALLS, 0), 2));
}

#[test]
fn an_answer_that_is_missing_is_asked_for_elsewhere() {
    let (a, b, proxy) = start();
    let fired = a.inject(Rule::always(Fault::BatchMissingItem));
    ask(&proxy);
    assert_eq!(a.hits(fired), 2);
    assert_eq!(counts(&a, &b), (CALLS, 2), "one of each batch was missing");
}

#[test]
fn one_error_for_a_whole_batch_costs_no_call() {
    for fault in [
        Fault::BatchUnsupported,
        Fault::Html,
        Fault::ResetBeforeAnswer,
        Fault::Hang,
        Fault::CloseMidBody { after_bytes: 100 },
        Fault::throttled(Some(1)),
    ] {
        let (a, b, proxy) = start();
        // Of the first batch's answer; what follows call by call is spared.
        let fired = a.inject(Rule::next(1, fault.clone()).for_method("eth_getBalance"));
        ask(&proxy);
        assert_eq!(a.hits(fired), 1, "{fault:?}");
        let (at_a, at_b) = counts(&a, &b);
        assert!(
            at_a + at_b <= 2 * CALLS,
            "{fault:?}: {at_a} + {at_b} calls were sent"
        );
    }
}

#[test]
fn one_call_that_fails_in_a_batch_is_asked_for_elsewhere_alone() {
    for fault in [
        Fault::WrongId,
        Fault::NullId,
        Fault::NeitherResultNorError,
        Fault::rpc_error(-32603, "internal error"),
    ] {
        let (a, b, proxy) = start();
        let fired = a.inject(Rule::next(1, fault.clone()).for_method("eth_getBalance"));
        ask(&proxy);
        assert_eq!(a.hits(fired), 1, "{fault:?}");
        let (_, at_b) = counts(&a, &b);
        assert!(
            (1..=20).contains(&at_b),
            "{fault:?}: {at_b} calls went elsewhere"
        );
    }
}
