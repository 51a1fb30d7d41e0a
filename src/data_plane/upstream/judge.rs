//! What an upstream's bytes mean: an answer that may be relayed, a fault, or both (a node's own error). The
//! words of vendors are looked up in [`engine::dialect`]; nothing is decided here about retries.

use std::rc::Rc;

use engine::dialect::{self, HttpAnswer, Observed, Verdict};
use engine::fault::{Fault, FaultClass};
use engine::method::FilterRole;
use wire::Span;
use wire::params::{self, Scratch};
use wire::response::{BatchReplies, BatchShape, ErrorView, Reply, ReplyFault, Slot, parse_reply};

use super::Upstream;
use super::exchange::Facts;
use super::facts::Waits;

/// What a revert is called where the upstream's own words would hide it.
const REVERTED: &str = "execution reverted";

/// The bytes that an answer's ranges lie in: its own, or those of a whole upstream batch.
pub enum Bytes {
    /// Of this answer alone.
    Own(Vec<u8>),
    /// Shared by the answers of one upstream batch.
    Shared(Rc<Vec<u8>>),
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Self::Own(bytes) = self {
            rt::recycle(std::mem::take(bytes));
        }
    }
}

impl Bytes {
    /// As a slice.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// What there is to relay.
pub enum Kind {
    /// A result, as the node wrote it.
    Result {
        /// Its raw JSON.
        result: Span,
        /// The whole body may be relayed where its id is the caller's own.
        verbatim_ok: bool,
    },
    /// A result that was made here: a filter's id, a transaction's hash.
    Made(Vec<u8>),
    /// A node's own error.
    Error(ErrorView),
    /// A revert spelled in a vendor's own way, normalised to code 3.
    Revert {
        /// What to say.
        message: String,
        /// The revert's data, hexadecimal with 0x.
        data: String,
    },
}

/// An answer that may be relayed.
pub struct Answer {
    /// Where its ranges lie.
    pub bytes: Bytes,
    /// What it is.
    pub kind: Kind,
}

impl Answer {
    /// The raw JSON of its result; None for an error.
    pub fn result(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Result { result, .. } => Some(result.of(self.bytes.as_slice())),
            Kind::Made(result) => Some(result),
            Kind::Error(_) | Kind::Revert { .. } => None,
        }
    }
}

/// What came of one attempt.
pub struct Judged {
    /// What may be relayed, if the engine says so.
    pub answer: Option<Answer>,
    /// What was wrong; with an answer, the class of the node's own error.
    pub fault: Option<Fault>,
}

/// The rule of a batch that was refused as such.
const BATCH_REFUSED: &str = "batch_refused";

impl Judged {
    /// Whether the upstream refused the whole batch for being one.
    pub fn is_refused_batch(&self) -> bool {
        self.answer.is_none() && self.fault.is_some_and(|fault| fault.rule == BATCH_REFUSED)
    }

    fn fault(fault: Fault) -> Self {
        Self {
            answer: None,
            fault: Some(fault),
        }
    }
}

/// What judgement needs to know of the call.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The method's name; empty if it is not UTF-8.
    pub method: &'a str,
    /// Whether its result is a filter's id.
    pub filter: FilterRole,
    /// What its result must be, if it is the chain's id.
    pub chain_id: Option<u64>,
}

/// The rule of an answer with another chain's id.
pub const OTHER_CHAIN: &str = "other_chain";

/// Judges a whole body that answers one call sent under `expected_id`.
pub fn judge_one(
    upstream: &Upstream,
    asked: Asked<'_>,
    expected_id: u64,
    facts: &Facts,
    body: Vec<u8>,
    scratch: &mut Scratch,
) -> Judged {
    match parse_reply(&body, expected_id) {
        Ok(reply) => judge_reply(upstream, asked, facts, Bytes::Own(body), reply, scratch),
        Err(fault) => {
            let fault = unreadable(upstream, facts, &body, fault);
            rt::recycle(body);
            Judged::fault(fault)
        }
    }
}

/// Judges the answer to an upstream batch of `asked.len()` calls sent under ids from `first_id`: one judgement a call, in
/// their order.
pub fn judge_batch(
    upstream: &Upstream,
    asked: &[Asked<'_>],
    first_id: u64,
    facts: &Facts,
    body: Vec<u8>,
    scratch: &mut Scratch,
) -> Vec<Judged> {
    let mut replies = BatchReplies::new();
    let shape = match replies.parse(&body, first_id, asked.len()) {
        Ok(shape) => shape,
        Err(fault) => {
            let fault = unreadable(upstream, facts, &body, fault);
            return asked.iter().map(|_| Judged::fault(fault)).collect();
        }
    };
    let body = Rc::new(body);
    let one = |asked: &Asked<'_>, reply, scratch: &mut Scratch| {
        judge_reply(
            upstream,
            *asked,
            facts,
            Bytes::Shared(body.clone()),
            reply,
            scratch,
        )
    };
    match shape {
        BatchShape::OneError(view) => asked
            .iter()
            .map(|asked| {
                // One error for the whole batch is about the batch, not about this call, and is never relayed. What is no
                // throttle and no failure means that batches are not taken.
                let mut judged = one(asked, Reply::Error(view), scratch);
                judged.answer = None;
                if let Some(fault) = &mut judged.fault
                    && (fault.traits().answered || speaks_of_batches(fault.class))
                {
                    *fault = Fault::new(FaultClass::Server, BATCH_REFUSED).with_hint(fault.hint);
                }
                judged
            })
            .collect(),
        BatchShape::Items => asked
            .iter()
            .zip(replies.slots())
            .map(|(asked, slot)| match slot {
                Slot::Reply(reply) => one(asked, *reply, scratch),
                Slot::Missing => Judged::fault(Fault::malformed("batch_item_missing")),
                Slot::Duplicate => Judged::fault(Fault::malformed("batch_item_twice")),
                Slot::Faulty(fault) => Judged::fault(Fault::malformed(reply_rule(*fault))),
            })
            .collect(),
    }
}

/// Classes that an upstream without batches gives a whole batch.
const fn speaks_of_batches(class: FaultClass) -> bool {
    matches!(
        class,
        FaultClass::UnsupportedMethod | FaultClass::Unclassified | FaultClass::CapabilityRange
    )
}

fn judge_reply(
    upstream: &Upstream,
    asked: Asked<'_>,
    facts: &Facts,
    bytes: Bytes,
    reply: Reply,
    scratch: &mut Scratch,
) -> Judged {
    match reply {
        Reply::Result { .. } if !(200..300).contains(&facts.status) => {
            Judged::fault(status_fault(upstream, facts, bytes.as_slice()))
        }
        Reply::Result {
            result,
            verbatim_ok,
            ..
        } => judge_result(upstream, asked, facts, bytes, result, verbatim_ok),
        Reply::Error(view) => judge_error(upstream, asked, facts, bytes, view, scratch),
    }
}

fn judge_result(
    upstream: &Upstream,
    asked: Asked<'_>,
    facts: &Facts,
    bytes: Bytes,
    result: Span,
    verbatim_ok: bool,
) -> Judged {
    let raw = result.of(bytes.as_slice());
    if let Some(verdict) = dialect::check_result(asked.method, raw) {
        let fault = Some(fault_of(&verdict, facts.waits()));
        let raw = std::str::from_utf8(raw).unwrap_or_default();
        let kind = verdict.normalized.map(|form| Kind::Revert {
            message: REVERTED.to_owned(),
            data: form.hex("", raw).to_owned(),
        });
        return Judged {
            answer: kind.map(|kind| Answer { bytes, kind }),
            fault,
        };
    }
    let is_other = |wanted| wire::quantity::parse_quoted(raw).is_some_and(|said| said != wanted);
    if asked.chain_id.is_some_and(is_other) {
        return Judged::fault(Fault::new(FaultClass::Server, OTHER_CHAIN));
    }
    let kind = if asked.filter == FilterRole::Creates {
        match our_filter_id(upstream, raw) {
            Some(made) => Kind::Made(made),
            None => return Judged::fault(Fault::new(FaultClass::Server, "filter_id_unusable")),
        }
    } else {
        Kind::Result {
            result,
            verbatim_ok,
        }
    };
    Judged {
        answer: Some(Answer { bytes, kind }),
        fault: None,
    }
}

/// The filter id that the client gets: the node's, marked with its upstream.
fn our_filter_id(upstream: &Upstream, raw: &[u8]) -> Option<Vec<u8>> {
    let node_id = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut made = vec![b'"'];
    wire::filter_id::encode(&mut made, upstream.filter_tag, node_id).ok()?;
    made.push(b'"');
    Some(made)
}

fn judge_error(
    upstream: &Upstream,
    asked: Asked<'_>,
    facts: &Facts,
    bytes: Bytes,
    view: ErrorView,
    scratch: &mut Scratch,
) -> Judged {
    let words = params::error_words(bytes.as_slice(), &view, scratch);
    let waits = facts.waits();
    let verdict = dialect::classify(&Observed {
        provider: &upstream.provider,
        host: &upstream.host,
        method: asked.method,
        http_status: facts.status,
        code: view.code,
        message: words.message,
        data: words.data,
        retry_after: waits.asked,
        window: waits.window,
    });
    let fault = fault_of(&verdict, waits);
    let kind = match verdict.normalized {
        Some(form) => {
            let dialect::Normalized::Revert { keeps_message, .. } = form;
            Kind::Revert {
                message: if keeps_message {
                    words.message
                } else {
                    REVERTED
                }
                .to_owned(),
                data: form.hex(words.message, words.data).to_owned(),
            }
        }
        None => Kind::Error(view),
    };
    Judged {
        answer: Some(Answer { bytes, kind }),
        fault: Some(fault),
    }
}

fn fault_of(verdict: &Verdict, waits: Waits) -> Fault {
    verdict
        .fault()
        .with_hold_off(verdict.hold_off.or(waits.asked))
}

/// A body that is no JSON-RPC answer. At status 200 its shape says what is wrong; else the status does.
fn unreadable(upstream: &Upstream, facts: &Facts, body: &[u8], fault: ReplyFault) -> Fault {
    let shape_says_it = !matches!(
        fault,
        ReplyFault::Html | ReplyFault::Json(_) | ReplyFault::Empty
    );
    if facts.status == 200 && shape_says_it {
        return Fault::malformed(reply_rule(fault));
    }
    status_fault(upstream, facts, body)
}

fn status_fault(upstream: &Upstream, facts: &Facts, body: &[u8]) -> Fault {
    let waits = facts.waits();
    let verdict = dialect::classify_status(&HttpAnswer {
        provider: &upstream.provider,
        host: &upstream.host,
        method: "",
        status: facts.status,
        content_type_is_json: facts.json,
        body_prefix: body.get(..1024).unwrap_or(body),
        retry_after: waits.asked,
        window: waits.window,
    });
    fault_of(&verdict, waits)
}

/// The name of a fault in an answer's envelope, for metrics and tests.
pub const fn reply_rule(fault: ReplyFault) -> &'static str {
    match fault {
        ReplyFault::Empty => "reply_empty",
        ReplyFault::Html => "reply_html",
        ReplyFault::Json(_) => "reply_not_json",
        ReplyFault::Shape => "reply_shape",
        ReplyFault::Version => "reply_version",
        ReplyFault::WrongId => "reply_wrong_id",
        ReplyFault::Duplicate => "reply_duplicate_member",
        ReplyFault::Both => "reply_both",
        ReplyFault::Neither => "reply_neither",
    }
}
