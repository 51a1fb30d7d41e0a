//! Identical calls in flight: one call to the upstream, an answer for everybody, and nobody stranded when the one who asked leaves,
//! fails or runs out of time. The answer is held back until all have asked, so no test depends on how fast they do.

use crate::harness::{
    Client, HEAD, Proxy, Setup, asked, cache_of, call, error_of, in_flight, knows_head, ok,
    provider_of, send_all, standing_chain, until,
};
use perf::provider::{Fault, Handle, Latency, Rule};
use serde_json::Value;
use std::time::Duration;

const CALLERS: usize = 64;
const METHOD: &str = "eth_getBalance";
const ADDRESS: &str = "0x00000000000000000000000000000000000000aa";

/// Long enough for everybody to ask before it is answered.
const HELD_BACK: Duration = Duration::from_millis(1500);

fn start_with(change: impl FnOnce(Setup) -> Setup) -> (Handle, Proxy) {
    let only = provider_of(&standing_chain(1));
    let setup = Setup::default()
        .server("explain: true")
        .upstream("only", &only.url(), "");
    let proxy = change(setup).start();
    only.set_method_latency(METHOD, Latency::Fixed(HELD_BACK));
    (only, proxy)
}

fn start() -> (Handle, Proxy) {
    start_with(|setup| setup)
}

fn question(id: impl std::fmt::Display) -> String {
    call(id, METHOD, &format!(r#"["{ADDRESS}","latest"]"#))
}

fn questions(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|caller| question(format!("\"caller {caller}\"")))
}

/// Everybody's answer, each of which bears its caller's id.
fn answers(clients: &mut [Client]) -> Vec<Value> {
    let one = |(caller, client): (usize, &mut Client)| {
        let response = client.response();
        let value = response.json();
        assert_eq!(value["id"], format!("caller {caller}"), "{response}");
        value
    };
    clients.iter_mut().enumerate().map(one).collect()
}

/// The first caller's question is out, and the others wait for it.
fn all_wait_for_the_first(only: &Handle, proxy: &Proxy, count: usize) -> (Client, Vec<Client>) {
    let mut leader = send_all(proxy, [question(r#""leader""#)]);
    until("the question to be out", || {
        (asked(only, METHOD) == 1).then_some(())
    });
    let followers = send_all(proxy, questions(count));
    in_flight(proxy, count + 1);
    assert_eq!(asked(only, METHOD), 1, "they did not join");
    (leader.remove(0), followers)
}

fn nothing_is_left(proxy: &Proxy) {
    in_flight(proxy, 0);
    until("all attempts to be over", || {
        (proxy.metric("livechain_attempts_in_flight", &[]) == 0.0).then_some(())
    });
    let active = [("state", "active")];
    until("all connections to be idle", || {
        (proxy.metric("livechain_pool_connections", &active) == 0.0).then_some(())
    });
}

fn flights(proxy: &Proxy, outcome: &str) -> f64 {
    proxy.metric("livechain_flights_total", &[("outcome", outcome)])
}

#[test]
fn many_callers_of_one_new_thing_are_one_call_upstream() {
    let (only, proxy) = start();
    let mut clients = send_all(&proxy, questions(CALLERS));
    in_flight(&proxy, CALLERS);
    let mut shared = 0;
    for (caller, client) in clients.iter_mut().enumerate() {
        let response = client.response();
        ok(&response);
        assert_eq!(response.json()["id"], format!("caller {caller}"));
        shared += usize::from(cache_of(&response) == "shared");
    }
    assert_eq!(shared, CALLERS - 1);
    assert_eq!(only.counters().method(METHOD), 1);
    assert_eq!(flights(&proxy, "answered"), 1.0);
    let lookups = [("result", "shared")];
    assert_eq!(
        proxy.metric("livechain_cache_lookups_total", &lookups),
        (CALLERS - 1) as f64
    );
    assert_eq!(
        proxy.metric("livechain_calls_total", &[("method", METHOD)]),
        CALLERS as f64
    );
    nothing_is_left(&proxy);
}

#[test]
fn without_the_cache_flights_are_joined_all_the_same() {
    let (only, proxy) = start_with(|setup| setup.after("cache: { enabled: false }\n"));
    let mut clients = send_all(&proxy, questions(8));
    in_flight(&proxy, 8);
    answers(&mut clients);
    assert_eq!(only.counters().method(METHOD), 1);
}

#[test]
fn a_leader_that_breaks_off_costs_one_more_call_and_strands_nobody() {
    let (only, proxy) = start();
    let (leader, mut followers) = all_wait_for_the_first(&only, &proxy, 16);
    leader.reset();
    in_flight(&proxy, 16);
    for answer in answers(&mut followers) {
        assert!(answer["result"].is_string(), "{answer}");
    }
    assert_eq!(asked(&only, METHOD), 2);
    assert_eq!(flights(&proxy, "promoted"), 1.0);
    until("the leader's attempt to be cut", || {
        (only.counters().abandoned == 1).then_some(())
    });
    nothing_is_left(&proxy);
}

#[test]
fn leader_after_leader_may_leave() {
    let (only, proxy) = start();
    only.set_method_latency(METHOD, Latency::Fixed(Duration::from_secs(4)));
    let (leader, mut followers) = all_wait_for_the_first(&only, &proxy, 4);
    leader.reset();
    until("the second leader's question", || {
        (asked(&only, METHOD) == 2).then_some(())
    });
    // Who leads now is the proxy's affair: all but the last one leave, one by one.
    let last = followers.pop().unwrap();
    for (gone, follower) in followers.into_iter().enumerate() {
        follower.reset();
        in_flight(&proxy, 3 - gone);
    }
    let mut last = [last];
    let response = last[0].response();
    assert_eq!(response.json()["id"], "caller 3");
    ok(&response);
    assert!(asked(&only, METHOD) <= 5);
    nothing_is_left(&proxy);
}

#[test]
fn followers_that_leave_disturb_nobody() {
    let (only, proxy) = start();
    let (mut leader, followers) = all_wait_for_the_first(&only, &proxy, 8);
    for follower in followers {
        follower.reset();
    }
    in_flight(&proxy, 1);
    ok(&leader.response());
    assert_eq!(asked(&only, METHOD), 1);
    nothing_is_left(&proxy);
}

#[test]
fn all_callers_leave_and_nothing_is_left() {
    let (only, proxy) = start();
    let (leader, followers) = all_wait_for_the_first(&only, &proxy, 8);
    drop(followers);
    drop(leader);
    nothing_is_left(&proxy);
    // The next one begins anew.
    only.set_method_latency(METHOD, Latency::None);
    ok(&proxy.post(&question("1")));
}

#[test]
fn a_nodes_own_error_is_everybodys_and_asked_for_once() {
    let (only, proxy) = start();
    let reverted = Fault::RpcError {
        code: 3,
        message: "execution reverted: no".to_owned(),
        data: Some("\"0x08c379a0\"".to_owned()),
    };
    let fired = only.inject(Rule::always(reverted).for_method(METHOD));
    let mut clients = send_all(&proxy, questions(16));
    in_flight(&proxy, 16);
    for answer in answers(&mut clients) {
        assert_eq!(error_of(&answer), (3, "execution reverted: no"));
        assert_eq!(answer["error"]["data"], "0x08c379a0");
    }
    assert_eq!((asked(&only, METHOD), only.hits(fired)), (1, 1));
    assert_eq!(flights(&proxy, "failed"), 1.0);
}

#[test]
fn an_outage_fails_all_callers_once() {
    let (only, proxy) = start();
    let mut clients = send_all(&proxy, questions(CALLERS));
    in_flight(&proxy, CALLERS);
    only.kill().unwrap();
    for answer in answers(&mut clients) {
        assert_eq!(error_of(&answer).0, -32603, "{answer}");
    }
    let attempts = proxy.metric("livechain_attempts_total", &[]);
    assert!(
        (1.0..=8.0).contains(&attempts),
        "{attempts} attempts for one question"
    );
    assert_eq!(flights(&proxy, "failed"), 1.0);
    nothing_is_left(&proxy);
    only.revive().unwrap();
    only.set_method_latency(METHOD, Latency::None);
    until("service again", || {
        proxy.post(&question("1")).json()["result"]
            .is_string()
            .then_some(())
    });
}

#[test]
fn a_follower_has_its_own_time() {
    let (only, proxy) =
        start_with(|setup| setup.after(&format!("methods:\n  {METHOD}: {{ timeout: 3s }}\n")));
    // Two that ask at different heads join nobody.
    knows_head(&proxy, HEAD);
    only.set_method_latency(METHOD, Latency::Fixed(Duration::from_secs(60)));
    let (mut leader, mut followers) = all_wait_for_the_first(&only, &proxy, 0);
    std::thread::sleep(Duration::from_millis(1500));
    followers.extend(send_all(&proxy, questions(1)));
    in_flight(&proxy, 2);
    assert_eq!(asked(&only, METHOD), 1, "it did not join");
    // Whoever asks from here on is answered at once.
    only.set_method_latency(METHOD, Latency::None);
    let late = leader.response();
    assert_eq!(error_of(&late.json()), (-32002, "request timed out"));
    // The leader's time was over first. That is its own affair: the follower asks anew.
    for answer in answers(&mut followers) {
        assert!(answer["result"].is_string(), "{answer}");
    }
    assert_eq!(asked(&only, METHOD), 2);
    assert_eq!(flights(&proxy, "promoted"), 1.0);
    nothing_is_left(&proxy);
}

#[test]
fn an_upstream_that_is_too_slow_for_its_own_limit_fails_all_callers_once() {
    let only = provider_of(&standing_chain(1));
    let proxy = Setup::default()
        .server("explain: true")
        .upstream("only", &only.url(), "timeout: 1s")
        .start();
    knows_head(&proxy, HEAD);
    only.set_method_latency(METHOD, Latency::Fixed(Duration::from_secs(60)));
    let (mut leader, mut followers) = all_wait_for_the_first(&only, &proxy, 8);
    // The calls have many seconds left: the outcome says something of the upstream.
    let late = leader.response();
    assert_eq!(error_of(&late.json()), (-32002, "request timed out"));
    for answer in answers(&mut followers) {
        assert_eq!(error_of(&answer), (-32002, "request timed out"));
    }
    let attempts = asked(&only, METHOD);
    assert!(attempts <= 2, "{attempts} attempts for one question");
    assert_eq!(flights(&proxy, "failed"), 1.0);
    assert_eq!(flights(&proxy, "promoted"), 0.0);
    nothing_is_left(&proxy);
}

#[test]
fn a_batch_that_has_no_room_left_fails_nobody_else() {
    const OTHER: &str = "eth_getCode";
    let (only, proxy) = start_with(|setup| setup.limit("max_response_bytes: 1MiB"));
    knows_head(&proxy, HEAD);
    only.inject(Rule::always(Fault::LargeResult { bytes: 500_000 }).for_method(OTHER));
    only.inject(Rule::always(Fault::LargeResult { bytes: 600_000 }).for_method(METHOD));
    // Each of them may be held, both together not; and the large one is there first.
    let large = call(1, OTHER, &format!(r#"["{ADDRESS}","latest"]"#));
    let batch = format!("[{large},{},{}]", question(2), question(3));
    let mut batch = send_all(&proxy, [batch]);
    until("the batch's question to be out", || {
        (asked(&only, METHOD) == 1).then_some(())
    });
    in_flight(&proxy, 2);
    let mut alone = send_all(&proxy, questions(1));
    in_flight(&proxy, 3);
    assert_eq!(asked(&only, METHOD), 1, "it did not join");
    let batch = batch[0].response().json();
    assert!(batch[0]["result"].is_string());
    // Of the same batch, and as short of room: asking again would help neither.
    for short in [&batch[1], &batch[2]] {
        assert!(short["error"].is_object(), "it had no room");
    }
    for answer in answers(&mut alone) {
        assert_eq!(answer["result"].as_str().unwrap().len() + 2, 600_000);
    }
    assert_eq!(asked(&only, METHOD), 2);
    nothing_is_left(&proxy);
}

#[test]
fn when_time_is_over_for_all_it_costs_no_call_each() {
    let (only, proxy) =
        start_with(|setup| setup.after(&format!("methods:\n  {METHOD}: {{ timeout: 2s }}\n")));
    let fired = only.inject(Rule::always(Fault::Hang).for_method(METHOD));
    let mut clients = send_all(&proxy, questions(CALLERS));
    for answer in answers(&mut clients) {
        assert_eq!(error_of(&answer), (-32002, "request timed out"));
    }
    assert!(only.hits(fired) >= 1);
    let attempts = asked(&only, METHOD);
    assert!(attempts <= 8, "{attempts} attempts for one question");
    nothing_is_left(&proxy);
}

#[test]
fn long_answers_are_shared_up_to_a_bound_and_streamed_beyond_it() {
    // Held: 64 KiB; shared: sixteen times as much.
    for (bytes, most) in [(200_000, 1), (900_000, 1), (3_000_000, 8)] {
        let (only, proxy) = start();
        only.inject(Rule::always(Fault::LargeResult { bytes }).for_method(METHOD));
        let mut clients = send_all(&proxy, questions(8));
        in_flight(&proxy, 8);
        for answer in answers(&mut clients) {
            let result = answer["result"].as_str().unwrap();
            assert_eq!(result.len() + 2, bytes);
            assert!(
                result
                    .strip_prefix("0x")
                    .unwrap()
                    .bytes()
                    .all(|c| c == b'a')
            );
        }
        let calls = asked(&only, METHOD);
        assert!(
            (1..=most).contains(&calls),
            "{calls} calls for {bytes} bytes, at most {most}"
        );
        nothing_is_left(&proxy);
    }
}

#[test]
fn a_long_answer_that_was_shared_reaches_slow_readers_too() {
    let (only, proxy) = start();
    only.inject(Rule::always(Fault::LargeResult { bytes: 900_000 }).for_method(METHOD));
    let (mut leader, mut followers) = all_wait_for_the_first(&only, &proxy, 4);
    // The leader reads nothing until everybody else has all of it.
    answers(&mut followers);
    assert_eq!(ok(&leader.response()).as_str().unwrap().len() + 2, 900_000);
    assert_eq!(asked(&only, METHOD), 1);
    nothing_is_left(&proxy);
}

#[test]
fn duplicates_within_a_batch_are_one_call() {
    let (only, proxy) = start();
    let items: Vec<_> = questions(10).collect();
    let answers = proxy.post(&format!("[{}]", items.join(","))).json();
    assert_eq!(answers.as_array().unwrap().len(), 10);
    for (caller, answer) in answers.as_array().unwrap().iter().enumerate() {
        assert_eq!(answer["id"], format!("caller {caller}"));
        assert_eq!(answer["result"], answers[0]["result"]);
    }
    assert_eq!(asked(&only, METHOD), 1);
}

#[test]
fn a_batch_and_single_callers_share_a_flight() {
    let (only, proxy) = start_with(|setup| setup.after("cache: { enabled: false }\n"));
    let (mut leader, mut followers) = all_wait_for_the_first(&only, &proxy, 4);
    let batch = format!(
        "[{},{},{}]",
        question(7),
        call(8, METHOD, r#"["0x01","latest"]"#),
        question(9)
    );
    let mut in_batch = send_all(&proxy, [batch]);
    let expected = ok(&leader.response());
    for answer in answers(&mut followers) {
        assert_eq!(answer["result"], expected);
    }
    let batch = in_batch[0].response().json();
    assert_eq!(batch[0]["result"], expected);
    assert_eq!(batch[1]["id"], 8);
    assert_ne!(batch[1]["result"], expected);
    assert_eq!(batch[2]["result"], expected);
    assert!(asked(&only, ADDRESS) <= 2, "the batch may have come late");
}

#[test]
fn off_is_off() {
    for setting in [
        (|setup: Setup| setup.after("coalesce: { enabled: false }\n")) as fn(Setup) -> Setup,
        |setup| setup.chain("coalesce: { enabled: false }"),
    ] {
        let (only, proxy) = start_with(setting);
        let mut clients = send_all(&proxy, questions(8));
        answers(&mut clients);
        assert_eq!(asked(&only, METHOD), 8);
    }
}

#[test]
fn who_names_the_upstream_or_has_an_effect_joins_nobody() {
    let (only, proxy) = start();
    only.inject(
        Rule::always(Fault::RawResult("\"0xaa\"".to_owned())).for_method("eth_sendTransaction"),
    );
    for (method, params) in [
        ("eth_sendRawTransaction", r#"["0x80"]"#),
        ("eth_sendTransaction", r#"[{"from":"0x01","to":"0x02"}]"#),
        ("eth_newBlockFilter", "[]"),
        ("evm_mine", "[]"),
        ("some_unknownMethod", "[]"),
    ] {
        only.set_method_latency(method, Latency::Fixed(HELD_BACK));
        let bodies = (0..4).map(|caller| call(format!("\"caller {caller}\""), method, params));
        let mut clients = send_all(&proxy, bodies);
        answers(&mut clients);
        assert_eq!(asked(&only, method), 4, "{method}");
    }
    let mut clients: Vec<_> = (0..4).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        let bytes = crate::harness::post_bytes("/rpc/provider/only/ethereum", &question(1));
        client.send(&bytes).unwrap();
    }
    for client in &mut clients {
        ok(&client.response());
    }
    assert_eq!(asked(&only, METHOD), 4);
}
