//! From a call to its answer, under the faults that strike single calls. Writes bytes into a buffer; knows no HTTP and
//! never waits.

use super::Shared;
use super::blocks::quoted;
use super::exchange::first;
use super::fault::Fault;
use super::methods::{self, NodeError, Vantage};
use super::script::Scene;
use crate::Rng;
use crate::scan::CallView;
use std::sync::atomic::Ordering;

/// What the faults that struck a call make of it.
#[derive(Default)]
struct Bent<'a> {
    id: Option<&'static [u8]>,
    vantage: Vantage,
    neither: bool,
    both: bool,
    error: Option<(i64, &'a str, Option<&'a str>)>,
    raw: Option<&'a str>,
    large_bytes: Option<usize>,
}

impl<'a> Bent<'a> {
    fn by(scene: &'a Scene, call: &CallView<'_>, rng: &mut Rng) -> Self {
        let mut bent = Self::default();
        for active in scene
            .rules
            .iter()
            .filter(|active| active.rule.fault.strikes_calls())
        {
            if !active.covers(call.method) || !active.strikes(rng) {
                continue;
            }
            match &active.rule.fault {
                Fault::WrongId => first(&mut bent.id, b"\"another\""),
                Fault::NullId => first(&mut bent.id, b"null"),
                Fault::WrongChain(id) => first(&mut bent.vantage.chain_id, *id),
                Fault::StaleHead { lag_blocks } => {
                    bent.vantage.lag_blocks = bent.vantage.lag_blocks.max(*lag_blocks)
                }
                Fault::HeadBack { blocks } => {
                    bent.vantage.lag_blocks = bent.vantage.lag_blocks.max(*blocks);
                    bent.vantage.is_forked = true;
                }
                Fault::NeitherResultNorError => bent.neither = true,
                Fault::BothResultAndError => bent.both = true,
                Fault::RpcError {
                    code,
                    message,
                    data,
                } => {
                    first(&mut bent.error, (*code, message, data.as_deref()));
                }
                Fault::RawResult(text) => first(&mut bent.raw, text),
                Fault::LargeResult { bytes } => first(&mut bent.large_bytes, *bytes),
                _ => {}
            }
        }
        bent
    }

    /// Whether nothing but the id may be bent: only then a recorded answer will do.
    fn leaves_result_alone(&self) -> bool {
        let is_replaced = self.error.is_some() || self.raw.is_some() || self.large_bytes.is_some();
        !is_replaced && !self.neither && !self.both && self.vantage == Vantage::default()
    }
}

/// Writes the answer to one call. A notification gets none (nothing is written).
pub(super) fn write(
    out: &mut Vec<u8>,
    call: &CallView<'_>,
    shared: &Shared,
    scene: &Scene,
    rng: &mut Rng,
) {
    shared.tally.call(call.method);
    let bent = if scene.rules.is_empty() {
        Bent::default()
    } else {
        Bent::by(scene, call, rng)
    };
    let Some(id) = call.id.map(|id| bent.id.unwrap_or(id)) else {
        // A notification has its effects all the same.
        let _ = methods::result(&mut Vec::new(), call, shared, bent.vantage);
        return;
    };
    if let Some(fixtures) = &shared.options.fixtures {
        let named = CallView {
            id: Some(id),
            ..*call
        };
        if bent.leaves_result_alone() && fixtures.answer(&named, out) {
            return;
        }
        shared.tally.fixture_misses.fetch_add(1, Ordering::SeqCst);
    }
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id);
    if !bent.neither {
        outcome(out, call, shared, &bent);
    }
    out.push(b'}');
}

fn outcome(out: &mut Vec<u8>, call: &CallView<'_>, shared: &Shared, bent: &Bent<'_>) {
    if bent.both {
        error(out, &NodeError::new(-32000, "and yet an error"));
    } else if let Some((code, message, data)) = bent.error {
        let data = data.map(str::to_owned);
        return error(
            out,
            &NodeError {
                code,
                message: message.to_owned(),
                data,
            },
        );
    }
    let start = out.len();
    out.extend_from_slice(b",\"result\":");
    if let Some(raw) = bent.raw {
        out.extend_from_slice(raw.as_bytes());
    } else if let Some(bytes) = bent.large_bytes {
        string_of(out, bytes);
    } else if let Err(failure) = methods::result(out, call, shared, bent.vantage) {
        out.truncate(start);
        error(out, &failure);
    }
}

fn error(out: &mut Vec<u8>, failure: &NodeError) {
    out.extend_from_slice(
        format!(",\"error\":{{\"code\":{},\"message\":", failure.code).as_bytes(),
    );
    quoted(out, &failure.message);
    if let Some(data) = &failure.data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
    }
    out.push(b'}');
}

/// A JSON string of this length, quotes included.
fn string_of(out: &mut Vec<u8>, bytes: usize) {
    out.extend_from_slice(b"\"0x");
    let body_end = out.len() + bytes.saturating_sub(4);
    out.resize(body_end, b'a');
    out.push(b'"');
}

/// The body of an answer to something that is no JSON-RPC.
pub(super) fn parse_error(out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"parse error\"}}",
    );
}

/// The body that a node without batches answers.
pub(super) fn batch_refused(out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"batch requests are not supported\"}}",
    );
}

/// The body that a node answers whose batches are limited.
pub(super) fn batch_too_long(out: &mut Vec<u8>, most: usize) {
    let error = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{{\"code\":-32005,\"message\":\"batch too large: limit is {most} calls\"}}}}"
    );
    out.extend_from_slice(error.as_bytes());
}
