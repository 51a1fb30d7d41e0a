//! One call's account: counted and logged when it begins and once when it ends, however it is answered. Dropped before its end, the
//! client has left. It decides nothing and sends nothing.

use std::rc::Rc;

use engine::fault::Fault;
use engine::index::UpstreamIndex;
use engine::note::Note;
use telemetry::{CacheStatus, CallOutcome, CallRecord};

use super::asked::Question;
use super::explain::Explain;
use super::observe;
use super::worker::Worker;

/// The account of one call.
pub struct Meter<'q> {
    worker: Rc<Worker>,
    question: &'q Question<'q>,
    started_ns: u64,
    ended: bool,
    /// Who was asked last, or answered.
    pub upstream: Option<UpstreamIndex>,
    /// Attempts made.
    pub attempts: u16,
    /// One of them was a hedge.
    pub hedged: bool,
    /// What the cache did for it.
    pub cache: Option<CacheStatus>,
    /// How `upstream` was chosen, or why nobody was; only where answers are explained.
    pub selection: Option<Box<Note>>,
}

impl<'q> Meter<'q> {
    /// A call begins.
    pub fn begin(worker: &Rc<Worker>, question: &'q Question<'q>) -> Self {
        worker
            .recorder
            .borrow_mut()
            .call_started(question.route.chain.as_usize());
        observe::call_started(worker, question);
        Self {
            worker: worker.clone(),
            question,
            started_ns: rt::now(),
            ended: false,
            upstream: None,
            attempts: 0,
            hedged: false,
            cache: None,
            selection: None,
        }
    }

    /// What the cache did for the call; said once.
    pub fn looked_up(&mut self, status: CacheStatus) {
        self.cache = Some(status);
        self.worker
            .recorder
            .borrow_mut()
            .cache_looked_up(self.question.route.chain.as_usize(), status);
    }

    /// What the explanation headers say of it. The selection is given away.
    pub fn explain(&mut self) -> Explain {
        Explain {
            upstream: self.upstream,
            attempts: self.attempts,
            cache: self.cache,
            selection: self.selection.take(),
        }
    }

    /// The call ended so for its client.
    pub fn ended(
        &mut self,
        outcome: CallOutcome,
        fault: Option<Fault>,
        http_status: u16,
        bytes: usize,
    ) {
        self.ended = true;
        let duration_us = rt::now().saturating_sub(self.started_ns) / 1000;
        self.worker.recorder.borrow_mut().call_ended(&CallRecord {
            chain: self.question.route.chain.as_usize(),
            method: self.question.entry.id.index(),
            outcome,
            class: fault.map(|fault| fault.class.index()),
            duration_us,
        });
        observe::call_ended(
            &self.worker,
            self.question,
            &observe::Ending {
                upstream: self.upstream,
                outcome,
                fault,
                duration_us,
                attempts: self.attempts,
                hedged: self.hedged,
                cache: self.cache,
                http_status,
                response_bytes: bytes,
            },
        );
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.ended(CallOutcome::Cancelled, None, 499, 0);
        }
    }
}
