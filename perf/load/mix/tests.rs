//! Mixes keep their proportions, and bodies are distinct where they must be.

use super::{Bodies, Mix, MixError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn bodies(mix: &str, count: usize, connection: u64) -> Vec<Vec<u8>> {
    let mut bodies = Bodies::new(&mix.parse().unwrap(), 1, connection, 1000);
    let written = |_| {
        let mut body = Vec::new();
        bodies.next(&mut body, &mut Vec::new());
        body
    };
    (0..count).map(written).collect()
}

fn methods(mix: &str, count: usize) -> BTreeMap<String, usize> {
    let mut methods = BTreeMap::new();
    for body in bodies(mix, count, 0) {
        let call: Value = serde_json::from_slice(&body).unwrap();
        *methods
            .entry(call["method"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    methods
}

#[test]
fn weights_are_kept() {
    let methods = methods("balance=7,call=3", 10_000);
    assert!(
        (6_800..7_200).contains(&methods["eth_getBalance"]),
        "{methods:?}"
    );
    assert_eq!(methods["eth_getBalance"] + methods["eth_call"], 10_000);
}

#[test]
fn the_tip_mix_has_its_proportions() {
    // A tenth of the steps are two requests, so 100 steps make 110 requests.
    let methods = methods("tip", 110_000);
    for (method, steps) in [
        ("eth_getBlockByNumber", 40_000),
        ("eth_getLogs", 10_000),
        ("eth_getTransactionReceipt", 30_000),
        ("debug_traceTransaction", 20_000),
        ("eth_getBalance", 10_000),
    ] {
        let seen = methods[method];
        assert!(seen.abs_diff(steps) < steps / 20, "{method}: {seen}");
    }
}

#[test]
fn every_body_is_another_on_every_connection() {
    let all: Vec<Vec<u8>> = (0..4)
        .flat_map(|connection| bodies("balance", 10_000, connection))
        .collect();
    let params = |body: &[u8]| crate::scan::member(body, b"params").unwrap().to_vec();
    let distinct: BTreeSet<Vec<u8>> = all.iter().map(|body| params(body)).collect();
    assert_eq!(distinct.len(), 40_000);
}

#[test]
fn the_same_question_differs_only_in_its_id() {
    let all: Vec<Value> = (0..3)
        .flat_map(|connection| bodies("same:call", 10, connection))
        .map(|body| serde_json::from_slice(&body).unwrap())
        .collect();
    assert!(all.iter().all(|call| call["params"] == all[0]["params"]));
    assert_ne!(all[0]["id"], all[1]["id"]);
}

#[test]
fn batches_have_their_size_and_ids() {
    let mut bodies = Bodies::new(&"batch:100".parse().unwrap(), 1, 0, 0);
    let (mut body, mut expected) = (Vec::new(), Vec::new());
    bodies.next(&mut body, &mut expected);
    let batch: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let ids: Vec<u64> = batch
        .iter()
        .map(|call| call["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
    assert_eq!(expected.iter().map(|e| e.id).collect::<Vec<_>>(), ids);
}

#[test]
fn logs_follow_their_block() {
    let bodies = bodies("block-logs", 2, 0);
    let block: Value = serde_json::from_slice(&bodies[0]).unwrap();
    let logs: Value = serde_json::from_slice(&bodies[1]).unwrap();
    assert_eq!(logs["method"], "eth_getLogs");
    assert_eq!(logs["params"][0]["fromBlock"], block["params"][0]);
}

#[test]
fn other_texts_are_refused() {
    assert_eq!(
        "nonsense".parse::<Mix>(),
        Err(MixError::Name("nonsense".to_owned()))
    );
    assert_eq!(
        "batch:0".parse::<Mix>(),
        Err(MixError::Number("0".to_owned()))
    );
    assert_eq!(
        "balance=x".parse::<Mix>(),
        Err(MixError::Number("x".to_owned()))
    );
    assert!("".parse::<Mix>().is_err() && "balance,".parse::<Mix>().is_err());
}

#[test]
fn a_mix_knows_its_methods() {
    let methods = |text: &str| text.parse::<Mix>().unwrap().methods();
    assert_eq!(methods("same:balance"), ["eth_getBalance"]);
    assert_eq!(
        methods("block=2,block-logs,head"),
        ["eth_blockNumber", "eth_getBlockByNumber", "eth_getLogs"]
    );
}
