//! Long answers: relayed while they arrive, with bounded memory, and cut rather than ended as if whole when something
//! goes wrong on the way.

use crate::harness::{Client, Pair, Proxy, Setup, post_bytes, provider, until};
use perf::provider::{Fault, Handle, Rule};

const LARGE: usize = 30_000_000;
const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"debug_traceTransaction","params":["0x00000000000000000000000000000000000000000000000000000000000000aa"]}"#;

fn start(bytes: usize) -> (Handle, Proxy) {
    let only = provider();
    only.inject(Rule::always(Fault::LargeResult { bytes }).for_method("debug_traceTransaction"));
    let proxy = Setup::default().upstream("only", &only.url(), "").start();
    (only, proxy)
}

#[test]
fn thirty_megabytes_arrive_whole_with_bounded_memory_however_slowly_they_are_read() {
    let (only, proxy) = start(LARGE);
    let expected = Client::connect(only.address()).post("/", CALL).body;
    let before = proxy.resident_bytes();
    let mut clients: Vec<_> = (0..4).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.send(&post_bytes("/", CALL)).unwrap();
    }
    // Nobody reads: the answers wait at the provider, not in the proxy.
    until("the answers to have begun", || {
        (proxy.metric("livechain_streamed_responses_total", &[]) >= 1.0
            || proxy.metric("livechain_upstream_received_bytes_total", &[]) >= 1_000_000.0)
            .then_some(())
    });
    std::thread::sleep(std::time::Duration::from_millis(500));
    let held = proxy.resident_bytes().saturating_sub(before);
    assert!(
        held < 32 << 20,
        "{held} bytes for four answers that nobody reads"
    );
    for client in &mut clients {
        let (status, headers) = client.head().unwrap();
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .and_then(|(_, value)| value.parse().ok());
        assert_eq!(status, 200);
        let length: usize = length.unwrap_or_else(|| panic!("a known length is told: {headers:?}"));
        let mut body = Vec::with_capacity(length);
        while body.len() < length {
            body.extend(client.take(65_536.min(length - body.len())).unwrap());
        }
        assert!(
            body == expected,
            "an answer of {} bytes was altered on its way",
            body.len()
        );
    }
    let peak = proxy.resident_bytes().saturating_sub(before);
    assert!(peak < 32 << 20, "{peak} bytes after the answers");
    assert!(proxy.metric("livechain_streamed_responses_total", &[]) >= 4.0);
    // The connections are still good.
    for client in &mut clients {
        assert_eq!(
            client.post("/", &crate::harness::balance_call(1)).status,
            200
        );
    }
}

/// A long answer in another shape arrives whole.
fn arrives_whole(fault: Fault, call: &str) {
    let (only, proxy) = start(3_000_000);
    let expected = Client::connect(only.address()).post("/", call).body;
    let fired = only.inject(Rule::always(fault).for_method("debug_traceTransaction"));
    let response = proxy.post(call);
    assert_eq!(response.status, 200);
    assert!(
        response.body == expected,
        "{} bytes instead of {}",
        response.body.len(),
        expected.len()
    );
    assert!(only.hits(fired) >= 1);
}

#[test]
fn a_long_answer_in_chunks_arrives_whole() {
    arrives_whole(Fault::Chunked { chunk_bytes: 5000 }, CALL);
}

#[test]
fn a_long_compressed_answer_arrives_whole() {
    arrives_whole(Fault::Gzip, CALL);
}

#[test]
fn a_long_answer_under_an_id_that_no_integer_holds_arrives_whole() {
    let call = CALL.replace("\"id\":7", "\"id\":\"a \\u0041\"");
    arrives_whole(Fault::Chunked { chunk_bytes: 5000 }, &call);
    arrives_whole(Fault::Gzip, &call);
    arrives_whole(Fault::Interim { code: 103 }, &call);
}

#[test]
fn a_fault_in_the_middle_cuts_the_connection() {
    for fault in [
        Fault::ResetMidBody {
            after_bytes: 1_000_000,
        },
        Fault::CloseMidBody {
            after_bytes: 1_000_000,
        },
        Fault::LengthTooLong { by_bytes: 10 },
    ] {
        let pair = Pair::start();
        for provider in [&pair.a, &pair.b] {
            provider.inject(
                Rule::always(Fault::LargeResult { bytes: 3_000_000 })
                    .for_method("debug_traceTransaction"),
            );
        }
        let fired = pair
            .a
            .inject(Rule::always(fault.clone()).for_method("debug_traceTransaction"));
        let mut client = pair.proxy.connect();
        client.send(&post_bytes("/", CALL)).unwrap();
        // As many bytes as were promised must never come; the end must not look like one either.
        let outcome = client.try_response();
        assert!(
            outcome.is_err(),
            "{fault:?} looked like a whole answer of {} bytes",
            outcome.map(|r| r.body.len()).unwrap_or(0)
        );
        assert_eq!(pair.a.hits(fired), 1, "{fault:?}");
        assert!(
            pair.proxy.metric("livechain_aborted_responses_total", &[]) >= 1.0,
            "{fault:?}"
        );
    }
}

#[test]
fn a_long_answer_with_a_false_front_is_taken_from_another() {
    for fault in [Fault::WrongId, Fault::NeitherResultNorError] {
        let pair = Pair::start();
        for provider in [&pair.a, &pair.b] {
            provider.inject(
                Rule::always(Fault::LargeResult { bytes: 3_000_000 })
                    .for_method("debug_traceTransaction"),
            );
        }
        let expected = Client::connect(pair.b.address()).post("/", CALL).body;
        let fired = pair
            .a
            .inject(Rule::always(fault.clone()).for_method("debug_traceTransaction"));
        let response = pair.proxy.post(CALL);
        assert!(
            response.body == expected,
            "{fault:?}: {} bytes",
            response.body.len()
        );
        assert!(pair.a.hits(fired) >= 1);
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let (only, proxy) = start(LARGE);
    for _ in 0..10 {
        let mut client = proxy.connect();
        client.send(&post_bytes("/", CALL)).unwrap();
        client.take(100_000).unwrap();
    }
    until("the calls' ends", || {
        (proxy.metric("livechain_calls_in_flight", &[]) < 1.0).then_some(())
    });
    until("the connections' ends", || {
        (proxy.metric("livechain_client_connections", &[]) < 1.0).then_some(())
    });
    // An answer that was not taken to its end leaves no connection to be used again.
    until("the provider's connections", || {
        (only.counters().connections_open <= 2).then_some(())
    });
    assert_eq!(proxy.post(&crate::harness::balance_call(1)).status, 200);
}

#[test]
fn long_answers_in_a_batch_are_whole() {
    let (only, proxy) = start(500_000);
    let batch = format!("[{CALL},{},{CALL}]", crate::harness::balance_call(2));
    let response = proxy.post(&batch);
    let direct = Client::connect(only.address()).post("/", CALL).body;
    let answers = response.json();
    let expected: serde_json::Value = serde_json::from_slice(&direct).unwrap();
    assert!(
        answers[0] == expected && answers[2] == expected,
        "{} bytes",
        response.body.len()
    );
    assert_eq!(answers[1]["id"], 2);
}

#[test]
fn a_stream_that_has_begun_may_take_all_that_is_left_of_its_time() {
    // Half of the time belongs to another upstream only as long as another could still answer.
    let (slow, other) = (provider(), provider());
    let method = "debug_traceTransaction";
    slow.inject(Rule::always(Fault::LargeResult { bytes: 200_000 }).for_method(method));
    let fired = slow.inject(
        Rule::always(Fault::Drip {
            chunk_bytes: 20_000,
            interval: std::time::Duration::from_millis(350),
        })
        .for_method(method),
    );
    let proxy = Setup::default()
        .upstream("slow", &slow.url(), "")
        .upstream("other", &other.url(), "")
        .after("methods:\n  debug_traceTransaction: { timeout: 6s }\n")
        .start();
    let response = proxy.post(CALL);
    assert_eq!(response.status, 200);
    assert!(response.body.len() > 200_000, "{}", response.body.len());
    assert_eq!(slow.hits(fired), 1);
    assert_eq!(other.counters().method(method), 0);
}
