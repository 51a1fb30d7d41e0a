//! One question to one upstream beside the traffic: a probe, a poll for a head, a look for a transaction. Neither the engine nor
//! the meters hear of it. It judges nothing but whether a reply came.

use wire::response::{Reply, parse_reply};

use super::Upstream;
use super::body::HoldBudget;
use super::exchange::{AnswerLimits, Outgoing, Reached, Received, exchange};

/// What came back.
pub enum Said {
    /// A result, as raw JSON.
    Result(Vec<u8>),
    /// An error of the node's, under a status of 200.
    Error,
    /// Nothing that can be used, or nothing in time.
    Nothing,
}

/// Asks, and waits for at most `timeout_ns`. An answer of more than `max_bytes` is none.
pub async fn ask(
    upstream: &Upstream,
    method: &[u8],
    params: Option<&[u8]>,
    max_bytes: usize,
    timeout_ns: u64,
) -> Said {
    let limits = AnswerLimits {
        hold_bytes: max_bytes,
        share_bytes: max_bytes,
        max_response_bytes: max_bytes,
    };
    let id = upstream.take_ids(1);
    let mut payload = rt::take_buffer();
    wire::splice::write_call(&mut payload, id, method, params);
    let budget = HoldBudget::new(max_bytes);
    let outgoing = Outgoing {
        payload: &payload,
        fresh_only: false,
        stream_id: None,
        hold_on: None,
        budget: &budget,
    };
    let reached = Reached::default();
    let until_ns = rt::now().saturating_add(timeout_ns);
    let asked = exchange(upstream, &outgoing, &limits, &reached);
    let received = rt::timeout_at(until_ns, asked).await;
    rt::recycle(payload);
    let Ok(Ok(Received::Whole { facts, body })) = received else {
        return Said::Nothing;
    };
    match parse_reply(&body, id) {
        Ok(Reply::Result { result, .. }) => Said::Result(result.of(&body).to_vec()),
        Ok(Reply::Error(_)) if facts.status == 200 => Said::Error,
        _ => Said::Nothing,
    }
}
