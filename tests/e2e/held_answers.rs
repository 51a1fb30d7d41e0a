//! Answers that wait for their clients take memory, and that is bounded: within one batch, whoever answers its calls, and over a whole shard
//! while nobody reads. Memory is looked at from outside.

use crate::harness::{
    Client, HEAD, Proxy, QUICK_HEADS, Setup, call, error_of, knows_head, post_bytes, provider_of,
    standing_chain, until,
};
use perf::provider::{Fault, Handle, Rule};
use serde_json::Value;

const MIB: usize = 1 << 20;
/// A result of about so many bytes is an answer up to the limit of one, and several are not.
const RESULT_BYTES: usize = 200_000;

fn start(max_response: &str) -> (Handle, Proxy) {
    let only = provider_of(&standing_chain(1));
    only.inject(
        Rule::always(Fault::LargeResult {
            bytes: RESULT_BYTES,
        })
        .for_method("eth_getCode"),
    );
    let setup = Setup::default()
        .limit(&format!("max_response_bytes: {max_response}"))
        .limit("hold_bytes: 1MiB")
        .server("cores: 1")
        .chain(QUICK_HEADS);
    let proxy = setup.upstream("only", &only.url(), "").start();
    knows_head(&proxy, HEAD);
    (only, proxy)
}

fn code(id: usize) -> String {
    call(
        id,
        "eth_getCode",
        r#"["0x00000000000000000000000000000000000000aa","0x10"]"#,
    )
}

fn batch(calls: usize) -> String {
    format!("[{}]", (1..=calls).map(code).collect::<Vec<_>>().join(","))
}

/// Asks for the same long thing many times in one batch: what fits is answered, the rest is refused, each under its own id.
fn a_part_is_answered(proxy: &Proxy) {
    let response = proxy.post(&batch(100));
    assert!(
        response.body.len() < 2 * MIB,
        "{} bytes of answers where 1 MiB may be held",
        response.body.len()
    );
    let items = response.json();
    let items = items.as_array().expect("an array");
    assert_eq!(items.len(), 100);
    let good = items
        .iter()
        .filter(|item| item["result"].is_string())
        .count();
    assert!((3..=5).contains(&good), "{good} answers of 200 kB in 1 MiB");
    for (item, id) in items.iter().zip(1..) {
        assert_eq!(item["id"], Value::from(id));
        if !item["result"].is_string() {
            let (code, message) = error_of(item);
            assert_eq!(
                (code, message.contains("too large")),
                (-32000, true),
                "{item}"
            );
        }
    }
}

#[test]
fn a_batch_of_hits_and_of_shared_answers_stays_within_what_one_answer_may_take() {
    let (only, proxy) = start("1MiB");
    // One leads and the others follow; then all are hits.
    a_part_is_answered(&proxy);
    assert_eq!(only.counters().method("eth_getCode"), 1);
    a_part_is_answered(&proxy);
    assert_eq!(only.counters().method("eth_getCode"), 1, "nothing was kept");
    // Alone it is served as ever.
    assert!(proxy.post(&code(7)).json()["result"].is_string());
}

#[test]
fn answers_that_nobody_reads_take_no_more_than_the_shard_may_hold() {
    const CLIENTS: usize = 24;
    // Each is 15 MB of hits: more than the kernel takes for a client that does not read. The shard may hold 64 MiB.
    let (_only, proxy) = start("16MiB");
    assert!(proxy.post(&code(1)).json()["result"].is_string());
    let before = proxy.resident_bytes();
    let asked = post_bytes("/", &batch(75));
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.send(&asked).expect("sent");
    }
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let held = proxy.resident_bytes().saturating_sub(before) as usize;
    // As much again while an array is put together, and what the allocator has not given back yet; all of them would be 360 MB.
    assert!(
        held < 2 * (4 * 16 * MIB) + 64 * MIB,
        "{} MiB are held for clients that do not read",
        held / MIB
    );
    let mut served = [0, 0];
    for mut client in clients {
        let items = client.response().json();
        let items = items.as_array().expect("an array");
        assert_eq!(items.len(), 75);
        let whole = items.iter().all(|item| item["result"].is_string());
        served[usize::from(whole)] += 1;
    }
    assert!(served[1] >= 2, "{served:?}");
    assert!(
        served[0] >= 1,
        "all were served whole: nothing was shown, {served:?}"
    );
    until("the budget to be free again", || {
        let items = proxy.post(&batch(75)).json();
        let mut items = items.as_array()?.iter();
        let items = items.all(|item| item["result"].is_string());
        items.then_some(())
    });
}
