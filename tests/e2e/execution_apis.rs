//! The execution API's own exchanges through the proxy: every answer equal to the byte but for the id, errors included;
//! one by one, all in one batch, and under ids that no integer holds.

use crate::harness::{Proxy, Setup, provider_with};
use perf::provider::{Chain, Exchange, Fixtures, Handle, Options};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CHAIN_ID: u64 = 3_503_995_874_084_926;

fn start(settings: &str) -> (Arc<Fixtures>, Handle, Proxy) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/execution-apis");
    let fixtures = Arc::new(Fixtures::load(&folder).expect("the vectors are in order"));
    assert_eq!(fixtures.exchanges().len(), 236);
    let provider = provider_with(Options {
        chain: Chain::new(CHAIN_ID, 54, Duration::ZERO),
        fixtures: Some(Arc::clone(&fixtures)),
        ..Options::default()
    });
    let proxy = Setup::default()
        .chain(&format!("chain_id: {CHAIN_ID}"))
        .upstream("fixtures", &provider.url(), settings)
        .start();
    (fixtures, provider, proxy)
}

/// Where the id's value stands in an envelope of the vectors: they all write `"id":N`.
fn with_id(envelope: &[u8], id: &str) -> Vec<u8> {
    let text = std::str::from_utf8(envelope).expect("ASCII");
    let (before, after) = text
        .split_once("\"id\":")
        .unwrap_or_else(|| panic!("no id in {text}"));
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}\"id\":{id}{after}").into_bytes()
}

fn request(exchange: &Exchange, id: &str) -> String {
    String::from_utf8(with_id(&exchange.request, id)).expect("ASCII")
}

#[test]
fn every_exchange_one_by_one_under_ids_of_every_kind() {
    let (fixtures, provider, proxy) = start("");
    let mut client = proxy.connect();
    for id in [
        "1",
        "0",
        "\"a-string\"",
        "123456789012345678901234567890",
        "null",
    ] {
        for exchange in fixtures.exchanges() {
            let response = client.post("/", &request(exchange, id));
            assert_eq!(
                response.status,
                200,
                "{}: {response}",
                exchange.file.display()
            );
            let expected = with_id(&exchange.answer, id);
            assert!(
                response.body == expected,
                "{} under id {id}:\n{}\ninstead of\n{}",
                exchange.file.display(),
                response.text(),
                String::from_utf8_lossy(&expected)
            );
        }
    }
    let counters = provider.counters();
    assert_eq!(
        counters.fixture_misses - counters_of_probes(&provider),
        0,
        "{counters:?}"
    );
}

/// What the proxy's own probes ask and the vectors do not hold.
fn counters_of_probes(provider: &Handle) -> u64 {
    provider
        .recent()
        .iter()
        .filter(|request| {
            let body = String::from_utf8_lossy(&request.body);
            body.contains("eth_blockNumber")
                || body.contains("eth_chainId")
                || body.contains("eth_getBlockByNumber")
        })
        .count()
        .min(usize::try_from(provider.counters().fixture_misses).unwrap_or(0)) as u64
}

/// All exchanges as one batch, whatever the proxy makes of it upstream.
fn all_in_one(settings: &str) -> (Handle, Proxy) {
    let (fixtures, provider, proxy) = start(settings);
    let exchanges = fixtures.exchanges();
    let calls: Vec<_> = exchanges
        .iter()
        .enumerate()
        .map(|(at, one)| request(one, &format!("\"call {at}\"")))
        .collect();
    let response = proxy.post(&format!("[{}]", calls.join(",")));
    assert_eq!(response.status, 200);
    let answers: Vec<_> = exchanges
        .iter()
        .enumerate()
        .map(|(at, one)| {
            String::from_utf8(with_id(&one.answer, &format!("\"call {at}\""))).expect("ASCII")
        })
        .collect();
    let expected = format!("[{}]", answers.join(","));
    let text = response.text();
    if text != expected {
        let items: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(&text).expect("an array");
        assert_eq!(items.len(), answers.len());
        for ((item, answer), exchange) in items.iter().zip(&answers).zip(exchanges) {
            assert_eq!(item.get(), answer, "{}", exchange.file.display());
        }
        panic!("the items are right and the array around them is not ours");
    }
    (provider, proxy)
}

#[test]
fn all_exchanges_in_one_batch() {
    let (provider, _proxy) = all_in_one("");
    assert_eq!(
        provider.counters().batches,
        0,
        "they travel one by one unless the upstream allows more"
    );
}

#[test]
fn all_exchanges_in_one_batch_that_stays_one_upstream() {
    let (provider, _proxy) = all_in_one("batch: { max_calls: 50 }");
    assert!(
        provider.counters().batches >= 4,
        "nothing travelled together: {:?}",
        provider.counters()
    );
}
