//! Answers and faults to bytes: the only place where either becomes JSON for a client. It decides nothing; codes and
//! texts of our own come from [`engine::fault::emitted`].

use engine::fault::{self, EmitRule, Fault, FaultClass};
use wire::splice;

use super::transaction;
use super::upstream::judge::{Answer, Kind};

/// What the HTTP layer must say beside the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The status of a single call; in a batch it is always 200.
    pub http: u16,
    /// For `Retry-After`.
    pub retry_after_s: Option<u64>,
}

impl Status {
    /// All is well, or is said in the body.
    pub const OK: Self = Self {
        http: 200,
        retry_after_s: None,
    };
}

/// Says what no upstream was asked for, or none could be: one error of ours.
pub struct Refusal<'a> {
    /// The caller's id; None gives null.
    pub id: Option<&'a [u8]>,
    /// JSON-RPC code.
    pub code: i64,
    /// Text.
    pub message: &'a str,
}

/// Writes an error of ours.
pub fn write_refusal(out: &mut Vec<u8>, refusal: &Refusal<'_>) {
    splice::write_error(out, refusal.id, refusal.code, refusal.message, None);
}

/// Writes an answer under the caller's id. `own_id_sent` says that the upstream was sent the caller's very id, so that
/// a regular body may be relayed as it stands.
pub fn write_answer(out: &mut Vec<u8>, id: &[u8], answer: &Answer, own_id_sent: bool) {
    let bytes = answer.bytes.as_slice();
    match &answer.kind {
        Kind::Result {
            result,
            verbatim_ok,
        } => {
            if *verbatim_ok && own_id_sent {
                out.extend_from_slice(bytes);
            } else {
                splice::write_result(out, id, result.of(bytes));
            }
        }
        Kind::Made(result) => splice::write_result(out, id, result),
        Kind::Error(view) if view.regular => {
            splice::write_error_object(out, Some(id), view.raw.of(bytes));
        }
        Kind::Error(view) => {
            let mut text = Vec::new();
            if let Some(message) = &view.message {
                wire::json::unescape(message.span.of(bytes), &mut text);
            }
            let data = view.data.map(|data| data.of(bytes));
            splice::write_error(
                out,
                Some(id),
                view.code.unwrap_or(-32000),
                &String::from_utf8_lossy(&text),
                data,
            );
        }
        Kind::Revert { message, data } => {
            let mut quoted = Vec::new();
            wire::json::write_string(&mut quoted, data);
            splice::write_error(out, Some(id), 3, message, Some(&quoted));
        }
    }
}

/// Whether a node's own words may go to the client for this fault.
pub fn may_relay(fault: &Fault, answer: &Answer, secrets: &[Box<[u8]>]) -> bool {
    let raw = match &answer.kind {
        Kind::Error(view) => view.raw.of(answer.bytes.as_slice()),
        _ => &[],
    };
    let irregular = matches!(&answer.kind, Kind::Error(view) if !view.regular);
    match fault.traits().emit {
        EmitRule::Relay => !has_any(raw, secrets),
        EmitRule::RelayUnlessRevealing => {
            !irregular && memchr::memmem::find(raw, b"://").is_none() && !has_any(raw, secrets)
        }
        EmitRule::Own | EmitRule::TransactionHash | EmitRule::Nothing => {
            matches!(answer.kind, Kind::Revert { .. })
        }
    }
}

/// Whether one of the secrets is in a JSON text, as it stands or spelled with escapes.
fn has_any(raw: &[u8], secrets: &[Box<[u8]>]) -> bool {
    let within = |text: &[u8]| {
        secrets
            .iter()
            .any(|secret| memchr::memmem::find(text, secret).is_some())
    };
    if within(raw) {
        return true;
    }
    if !raw.contains(&b'\\') {
        return false;
    }
    let mut plain = Vec::new();
    wire::json::unescape(raw, &mut plain);
    within(&plain)
}

/// Writes one clear error for a fault, and says what the HTTP layer must say.
pub fn write_fault(
    out: &mut Vec<u8>,
    id: &[u8],
    fault: &Fault,
    method: &str,
    outcome_unknown: bool,
) -> Status {
    if outcome_unknown {
        // −32603 would make viem send it again, which is the one thing that must not happen.
        splice::write_error(
            out,
            Some(id),
            -32000,
            "the outcome of this call is unknown: it may have been carried out, so look before you send it again",
            None,
        );
        return Status::OK;
    }
    let emit = fault::emitted(fault.class);
    let mut message = String::new();
    if emit.write_message(method, &mut message).is_err() {
        message.push_str(emit.message);
    }
    splice::write_error(out, Some(id), emit.code, &message, None);
    Status {
        http: emit.http_status,
        retry_after_s: emit.retry_after.then(|| retry_after_s(fault)),
    }
}

/// At least a second: a client that comes back at once learns nothing.
fn retry_after_s(fault: &Fault) -> u64 {
    fault
        .hold_off
        .map_or(1, |span| {
            span.as_secs() + u64::from(span.subsec_nanos() > 0)
        })
        .max(1)
}

/// Writes what a filter gets whose node is gone: geth's words, on which client libraries make a new filter.
pub fn write_filter_not_found(out: &mut Vec<u8>, id: &[u8]) {
    splice::write_error(out, Some(id), -32000, "filter not found", None);
}

/// Writes the success of a transaction that the node already had. False if the raw transaction cannot be read.
pub fn write_transaction_hash(out: &mut Vec<u8>, id: &[u8], params: Option<&[u8]>) -> bool {
    let raw = params.and_then(|p| Some(wire::params::first_string(p)?.of(p)));
    match raw.and_then(transaction::hash_of_raw) {
        Some(hash) => {
            splice::write_result(out, id, &transaction::quoted_hex(&hash));
            true
        }
        None => false,
    }
}

/// Whether a filter's follow-up that ended so is told "filter not found".
pub const fn filter_is_gone(class: FaultClass) -> bool {
    matches!(class, FaultClass::Transport | FaultClass::NoUpstream)
}
