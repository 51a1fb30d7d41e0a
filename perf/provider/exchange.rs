//! One HTTP exchange under the script: which faults of the whole answer strike it, and what they make of body and
//! delivery. Draws and decides; `deliver` carries it out.

use super::answer;
use super::fault::Fault;
use super::script::Scene;
use crate::Rng;
use crate::scan::CallView;
use std::time::Duration;

/// How the end of an answer is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Reset,
    Close,
    Hole,
}

/// An answer of another status than 200.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status<'a> {
    pub(super) code: u16,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: &'a [u8],
}

/// What happens to an exchange. The default is a plain answer.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    /// Nothing is answered; the connection ends so, or stays silent.
    pub(super) instead: Option<Cut>,
    pub(super) stall: Duration,
    pub(super) status: Option<Status<'a>>,
    pub(super) body: Option<(&'static str, &'a [u8])>,
    pub(super) truncated: bool,
    pub(super) gzip: bool,
    pub(super) chunk_bytes: Option<usize>,
    /// Added to the promised length.
    pub(super) length_delta: i64,
    pub(super) extra: &'a [u8],
    pub(super) interim: Option<u16>,
    pub(super) twice: bool,
    pub(super) close_after: bool,
    /// After so many bytes of the body.
    pub(super) cut: Option<(usize, Cut)>,
    pub(super) pace: Option<(usize, Duration)>,
    pub(super) head_pace: Option<Duration>,
    pub(super) batch: Option<BatchFault>,
}

/// What happens to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchFault {
    Unsupported,
    TooLong(usize),
    OutOfOrder,
    MissingItem,
}

const HTML: &[u8] = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Please wait.</body></html>";
const NO_JSON: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":0x1}";
pub(super) const JSON: &str = "application/json";

impl<'a> Plan<'a> {
    /// Draws the faults that strike a request with these calls.
    pub(super) fn draw(
        scene: &'a Scene,
        calls: &[CallView<'_>],
        is_batch: bool,
        rng: &mut Rng,
    ) -> Self {
        let mut plan = Self::default();
        for active in scene
            .rules
            .iter()
            .filter(|active| !active.rule.fault.strikes_calls())
        {
            let fault = &active.rule.fault;
            let of_batches = matches!(
                fault,
                Fault::BatchUnsupported
                    | Fault::BatchTooLong { .. }
                    | Fault::BatchOutOfOrder
                    | Fault::BatchMissingItem
            );
            let covered = if calls.is_empty() {
                active.rule.method.is_none()
            } else {
                calls.iter().any(|call| active.covers(call.method))
            };
            let short = matches!(fault, Fault::BatchTooLong { most } if calls.len() <= *most);
            if covered && !short && (is_batch || !of_batches) && active.strikes(rng) {
                plan.add(fault);
            }
        }
        plan
    }

    fn add(&mut self, fault: &'a Fault) {
        match fault {
            Fault::ResetBeforeAnswer => first(&mut self.instead, Cut::Reset),
            Fault::CloseBeforeAnswer => first(&mut self.instead, Cut::Close),
            Fault::Hang => first(&mut self.instead, Cut::Hole),
            Fault::ResetMidBody { after_bytes } => first(&mut self.cut, (*after_bytes, Cut::Reset)),
            Fault::CloseMidBody { after_bytes } => first(&mut self.cut, (*after_bytes, Cut::Close)),
            Fault::BlackHoleMidBody { after_bytes } => {
                first(&mut self.cut, (*after_bytes, Cut::Hole))
            }
            Fault::Drip {
                chunk_bytes,
                interval,
            } => first(&mut self.pace, ((*chunk_bytes).max(1), *interval)),
            Fault::SlowHead { interval } => first(&mut self.head_pace, *interval),
            Fault::Stall(time) => self.stall += *time,
            Fault::Status {
                code,
                headers,
                body,
            } => first(
                &mut self.status,
                Status {
                    code: *code,
                    headers,
                    body,
                },
            ),
            Fault::Html => first(&mut self.body, ("text/html", HTML)),
            Fault::EmptyBody => first(&mut self.body, (JSON, b"")),
            Fault::RawBody(bytes) => first(&mut self.body, (JSON, bytes)),
            Fault::InvalidJson => first(&mut self.body, (JSON, NO_JSON)),
            Fault::TruncatedJson => self.truncated = true,
            Fault::LengthTooLong { by_bytes } => self.length_delta = delta(*by_bytes),
            Fault::LengthTooShort { by_bytes } => self.length_delta = -delta(*by_bytes),
            Fault::ExtraBytesAfterBody(bytes) => self.extra = bytes,
            Fault::Chunked { chunk_bytes } => first(&mut self.chunk_bytes, (*chunk_bytes).max(1)),
            Fault::Gzip => self.gzip = true,
            Fault::CloseAfterAnswer => self.close_after = true,
            Fault::Interim { code } => first(&mut self.interim, *code),
            Fault::DuplicateAnswer => self.twice = true,
            Fault::BatchUnsupported => first(&mut self.batch, BatchFault::Unsupported),
            Fault::BatchTooLong { most } => first(&mut self.batch, BatchFault::TooLong(*most)),
            Fault::BatchOutOfOrder => first(&mut self.batch, BatchFault::OutOfOrder),
            Fault::BatchMissingItem => first(&mut self.batch, BatchFault::MissingItem),
            // Those of single calls; `answer` applies them.
            _ => {}
        }
    }

    /// Joins the answers of a batch as the plan wants them.
    pub(super) fn join(&self, mut answers: Vec<Vec<u8>>, out: &mut Vec<u8>) {
        answers.retain(|answer| !answer.is_empty());
        match self.batch {
            Some(BatchFault::Unsupported) => return answer::batch_refused(out),
            Some(BatchFault::TooLong(most)) => return answer::batch_too_long(out, most),
            Some(BatchFault::OutOfOrder) => answers.reverse(),
            Some(BatchFault::MissingItem) => answers.truncate(answers.len().saturating_sub(1)),
            None => {}
        }
        out.push(b'[');
        out.extend_from_slice(&answers.join(&b','));
        out.push(b']');
    }
}

/// Where several faults want one thing, the rule that was injected first has its way.
pub(super) fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

fn delta(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
