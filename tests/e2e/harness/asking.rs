//! What tests of the cache, the flights, the hedges and the heads share: calls of any method, chains that stand still until a
//! test moves them, and what providers were asked. Never looks into the proxy but through its headers and metrics.

use super::{Client, Proxy, Response, post_bytes, until};
use perf::provider::{Chain, Handle, Options, Provider};
use std::fmt::Display;
use std::time::Duration;

/// The head that a [`standing_chain`] begins with.
pub const HEAD: u64 = 20_000_000;

/// Heads are asked for so often that a test need not wait for them.
pub const QUICK_HEADS: &str =
    "heads: { min_interval: 50ms, max_interval: 200ms, finality_interval: 200ms }";

/// A call; `id` and `params` are JSON text.
pub fn call(id: impl Display, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// What the cache did for a call; needs `explain: true`.
pub fn cache_of(response: &Response) -> &str {
    response
        .header("x-livechain-cache")
        .unwrap_or_else(|| panic!("nothing is said of the cache: {response}"))
}

/// A chain whose head moves only by [`Chain::advance`].
pub fn standing_chain(id: u64) -> Chain {
    Chain::new(id, HEAD, Duration::ZERO)
}

/// A provider of this chain that remembers what it was asked.
pub fn provider_of(chain: &Chain) -> Handle {
    Provider::start(Options {
        chain: chain.clone(),
        keep_requests: 100_000,
        ..Options::default()
    })
    .expect("a loopback port")
}

/// How many requests held this text. Counted when they are read, so also those that are not answered yet.
pub fn asked(provider: &Handle, text: &str) -> usize {
    let recent = provider.recent();
    let holds = |body: &[u8]| body.windows(text.len()).any(|part| part == text.as_bytes());
    recent.iter().filter(|one| holds(&one.body)).count()
}

/// Waits until the proxy serves this head and knows a finalized block.
pub fn knows_head(proxy: &Proxy, newest: u64) {
    until("the heads to be known", || {
        let head = |kind| proxy.metric("livechain_chain_head_block", &[("kind", kind)]);
        (head("newest") >= newest as f64 && head("finalized") > 0.0).then_some(())
    });
}

/// Waits until so many calls are in flight at the proxy.
pub fn in_flight(proxy: &Proxy, calls: usize) {
    until("the calls to be in flight", || {
        let now = proxy.metric("livechain_calls_in_flight", &[]);
        (now == calls as f64).then_some(())
    });
}

/// Sends each body on a connection of its own and waits for no answer.
pub fn send_all(proxy: &Proxy, bodies: impl IntoIterator<Item = String>) -> Vec<Client> {
    let send = |body: String| {
        let mut client = proxy.connect();
        client
            .send(&post_bytes("/", &body))
            .expect("the request is taken");
        client
    };
    bodies.into_iter().map(send).collect()
}
