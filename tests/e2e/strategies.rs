//! Strategies by race, price and quota, seen from outside: each does what it says before scripted providers.

use crate::harness::{
    Client, Expected, Proxy, Setup, balance_call, call, error_of, ok, provider, until,
};
use perf::provider::{Fault, Handle, Latency, Rule};
use std::time::{Duration, Instant};

const METHOD: &str = "eth_getBalance";

/// What hangs, hangs for longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(120);

fn count(provider: &Handle) -> u64 {
    provider.counters().method(METHOD)
}

fn ask(client: &mut Client, id: u64) {
    ok(&client.post("/", &balance_call(id)));
}

#[test]
fn a_race_is_won_by_the_first_and_the_loser_is_cut() {
    let (a, b, reference) = (provider(), provider(), provider());
    let proxy = Setup::default()
        .forwarding_all()
        .after(&format!(
            "methods:\n  {METHOD}: {{ strategy: {{ name: race_top_n, attempts: 2 }} }}\n"
        ))
        .upstream("a", &a.url(), "")
        .upstream("b", &b.url(), "")
        .start();
    let mut client = proxy.connect();
    let stalled = a.inject(Rule::always(Fault::Stall(FOR_EVER)).for_method(METHOD));
    let calls = 20;
    for id in 1..=calls {
        let began = Instant::now();
        let response = client.post("/", &balance_call(id));
        let expected = Expected::of(&reference).answer(&balance_call(id));
        assert_eq!(response.text(), String::from_utf8_lossy(&expected));
        assert!(began.elapsed() < Duration::from_secs(5), "call {id} waited");
    }
    // Both were asked each time, the first of them in vain.
    assert_eq!((a.hits(stalled), count(&b)), (calls, calls));
    let metric = |name: &str, labels: &[(&str, &str)]| proxy.metric(name, labels);
    let races = metric("livechain_retries_total", &[("kind", "race")]);
    assert_eq!(races, calls as f64);
    let lost = [("upstream", "a"), ("outcome", "cancelled")];
    assert_eq!(metric("livechain_attempts_total", &lost), calls as f64);
    until("the losers' connections to be cut", || {
        (a.counters().abandoned == calls).then_some(())
    });
    // A loser is nobody's fault.
    assert_eq!(metric("livechain_faults_total", &[]), 0.0);
    // Only the method that asks for it is raced, unless the path does.
    let before = a.counters().method("eth_gasPrice") + b.counters().method("eth_gasPrice");
    ok(&client.post("/", &call(1, "eth_gasPrice", "[]")));
    ok(&client.post("/rpc/race_top_n/ethereum", &call(2, "eth_gasPrice", "[]")));
    until("both to have been asked", || {
        let now = a.counters().method("eth_gasPrice") + b.counters().method("eth_gasPrice");
        (now == before + 3).then_some(())
    });
}

#[test]
fn calls_of_a_batch_are_raced_each_for_itself() {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .forwarding_all()
        .chain("strategy: race_top_n")
        .upstream("a", &a.url(), "batch: { max_calls: 10 }")
        .upstream("b", &b.url(), "batch: { max_calls: 10 }")
        .start();
    // An attempt that still waits for its connection when the other one is answered is never sent: B takes its time.
    b.set_method_latency(METHOD, Latency::Fixed(Duration::from_millis(500)));
    // Struck once a request: had the calls gone together, it would be once in all.
    let stalled = a.inject(Rule::always(Fault::Stall(FOR_EVER)).for_method(METHOD));
    let calls: Vec<String> = (1..=10).map(balance_call).collect();
    let response = proxy.post(&format!("[{}]", calls.join(",")));
    let answers = response.json();
    assert_eq!(answers.as_array().unwrap().len(), 10, "{response}");
    for answer in answers.as_array().unwrap() {
        assert!(answer.get("result").is_some(), "{answer}");
    }
    assert_eq!(count(&b), 10);
    assert_eq!(a.hits(stalled), 10);
}

/// A is cheap, B is dear.
fn priced(objective: &str) -> (Handle, Handle, Proxy) {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .forwarding_all()
        .chain(&format!("strategy: {{ name: cost_aware, {objective} }}"))
        .upstream(
            "a",
            &a.url(),
            "price: { per_million: 0.1, compute_units: { \"*\": 20 } }",
        )
        .upstream(
            "b",
            &b.url(),
            "price: { per_million: 1, compute_units: { \"*\": 20 } }",
        )
        .start();
    (a, b, proxy)
}

#[test]
fn the_cheap_one_is_taken_until_it_is_too_slow_and_again_when_it_is_not() {
    // Looking often makes what was slow forgotten by number; by time alone it takes half a minute.
    let (a, b, proxy) = priced("latency: 250ms, explore: 5%, explore_after: 200ms");
    // B is the faster one, so that speed alone would choose it.
    let late = |ms| Latency::Fixed(Duration::from_millis(ms));
    a.set_method_latency(METHOD, late(30));
    b.set_method_latency(METHOD, late(2));
    let mut client = proxy.connect();
    let mut id = 0;
    let mut some = |calls: u64| {
        let before = (count(&a), count(&b));
        for _ in 0..calls {
            id += 1;
            ask(&mut client, id);
        }
        (count(&a) - before.0, count(&b) - before.1)
    };
    some(60);
    let (at_a, at_b) = some(60);
    assert!(
        at_a >= 50,
        "the cheap one got {at_a} of 60, the dear one {at_b}"
    );
    let spent = |upstream| proxy.metric("livechain_spend_total", &[("upstream", upstream)]);
    assert!(spent("a") > 0.0);
    // 20 units at 0.1 for a million are 0.000002 a call.
    let calls = proxy.metric("livechain_spend_compute_units_total", &[("upstream", "a")]) / 20.0;
    assert!(
        (spent("a") - calls * 0.000_002).abs() < 1e-9,
        "{} for {calls}",
        spent("a")
    );

    a.set_method_latency(METHOD, late(600));
    until("the dear one to be taken", || {
        let (at_a, at_b) = some(10);
        (at_a <= 1 && at_b >= 9).then_some(())
    });
    assert!(spent("b") > 0.0);
    // Before this maybe nobody knew that B is faster: the leaderboard, too, would have taken A, and nothing was saved for sure.
    let saved = || proxy.metric("livechain_saved_total", &[]);
    let before = saved();
    a.set_method_latency(METHOD, late(30));
    until("the cheap one to be taken again", || {
        let (at_a, _) = some(20);
        (at_a >= 18).then_some(())
    });
    // Of twenty calls at least fifteen, by 0.9 for a million units each.
    assert!(saved() - before >= 15.0 * 0.000_018, "{}", saved() - before);
}

#[test]
fn a_provider_s_limit_a_second_is_never_passed() {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .forwarding_all()
        .chain("strategy: quota_aware")
        .chain("heads: { enabled: false }")
        .after("accounts:\n  plan: { limits: { per_second: 20 calls } }\n")
        .upstream("a", &a.url(), "account: plan")
        .upstream("b", &b.url(), "")
        .start();
    // A hard limit: what passes it is throttled.
    let throttle = a.inject(Rule::above(20, Fault::throttled(Some(30))).for_method(METHOD));
    let mut client = proxy.connect();
    let began = Instant::now();
    let mut id = 0;
    while began.elapsed() < Duration::from_secs(4) {
        id += 1;
        ask(&mut client, id);
    }
    assert_eq!(a.hits(throttle), 0, "the limit was passed");
    assert!(count(&a) >= 20, "A was hardly used: {} of {id}", count(&a));
    assert!(id > 200, "too few calls to pass the limit: {id}");
    let quota = [("upstream", "a"), ("reason", "quota")];
    let left_out = proxy.metric("livechain_candidates_excluded_total", &quota);
    assert!(left_out >= 1.0, "A was never left out for its quota");
    let used = [("account", "plan"), ("period", "month")];
    let used = proxy.metric("livechain_account_calls", &used);
    assert!(used >= count(&a) as f64, "{used} of {}", count(&a));
}

#[test]
fn an_account_that_is_used_up_is_an_answer_of_its_own() {
    let a = provider();
    let proxy = Setup::default()
        .forwarding_all()
        .chain("heads: { enabled: false }")
        .after("accounts:\n  free: { limits: { per_day: 100 compute_units } }\n")
        .upstream(
            "a",
            &a.url(),
            "account: free, price: { compute_units: { eth_getBalance: 20 } }",
        )
        .start();
    let mut client = proxy.connect();
    for id in 1..=4 {
        ask(&mut client, id);
    }
    let mut refused = None;
    for id in 5..=7 {
        let response = client.post("/", &balance_call(id));
        if response.json().get("error").is_some() {
            refused = Some(response);
        }
    }
    let refused = refused.expect("five calls of 20 units are the day's 100");
    assert!(error_of(&refused.json()).0 < 0, "{refused}");
    assert!(count(&a) <= 5, "{} calls were sent", count(&a));
    let quota = [("upstream", "a"), ("reason", "quota")];
    assert!(proxy.metric("livechain_candidates_excluded_total", &quota) >= 1.0);
}

#[test]
fn no_provider_gets_more_than_its_part() {
    let (a, b) = (provider(), provider());
    let proxy = Setup::default()
        .forwarding_all()
        .chain("strategy: { name: priority, max_share: 60% }")
        .upstream("a", &a.url(), "")
        .upstream("b", &b.url(), "")
        .start();
    let mut client = proxy.connect();
    for id in 1..=300 {
        ask(&mut client, id);
    }
    assert!(count(&a) <= 200, "A got {} of 300", count(&a));
    assert!(count(&b) >= 100, "B got {} of 300", count(&b));
}
