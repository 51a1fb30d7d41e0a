//! One call from its begin to its outcome: asks the engine what to do, does it, and reports what happened. Linear; every
//! decision is the engine's. Dropping it at any point tells the engine that the client is gone.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use engine::call::{Action, Event as EngineEvent, Outcome, Request};
use engine::fault::{Fault, FaultClass};
use engine::index::{AttemptId, UpstreamIndex};
use engine::method::Effect;
use engine::note::Note;
use telemetry::{AttemptOutcome, AttemptRecord};

use super::asked::Question;
use super::attempt::{Begun, Dispatch, Streaming};
use super::explain;
use super::observe;
use super::upstream::Upstream;
use super::upstream::body::HoldBudget;
use super::upstream::exchange::Reached;
use super::upstream::judge::{Answer, Bytes, Judged, Kind, OTHER_CHAIN};
use super::verify;
use super::worker::Worker;

/// How a call ended, as far as the client is concerned.
pub enum Settled {
    /// This answer goes to the client.
    Answer {
        /// The answer.
        answer: Answer,
        /// The upstream was sent the caller's own id.
        own_id_sent: bool,
        /// The class of the node's own error, if it is one.
        fault: Option<Fault>,
    },
    /// A long answer has begun; the rest is to be relayed while it arrives.
    Long(Box<Begun>),
    /// One error of ours.
    Error {
        /// What happened.
        fault: Fault,
        /// The call may have had its effect.
        outcome_unknown: bool,
        /// A node's own words about it, which may be relayed where the fault's rule allows.
        words: Option<Answer>,
        /// For those who share it: the selection that the headers of the call itself explain.
        selection: Option<Box<Note>>,
    },
}

impl Settled {
    /// An error of ours of which there is no more to say.
    pub const fn failed(fault: Fault) -> Self {
        Self::Error {
            fault,
            outcome_unknown: false,
            words: None,
            selection: None,
        }
    }

    /// What an error says to those who share it about the choice that was made.
    pub fn selection(&self) -> Option<Box<Note>> {
        match self {
            Self::Error { selection, .. } => selection.clone(),
            Self::Answer { .. } | Self::Long(_) => None,
        }
    }

    /// The length of its result; 0 where it has none.
    pub fn result_bytes(&self) -> usize {
        match self {
            Self::Answer {
                answer,
                fault: None,
                ..
            } => answer.result().map_or(0, <[u8]>::len),
            _ => 0,
        }
    }
}

/// What is kept of an attempt's answer until the engine says which one is relayed.
struct Kept {
    attempt: AttemptId,
    answer: Answer,
    own_id_sent: bool,
}

/// A call in progress.
pub struct LiveCall<'q> {
    pub(super) worker: Rc<Worker>,
    pub(super) question: &'q Question<'q>,
    pub(super) call: engine::call::Call,
    attempts: u16,
    last_upstream: Option<UpstreamIndex>,
    /// The newest answer, and those before it (a call whose first attempt is answered needs no list).
    kept: Option<Kept>,
    kept_before: Vec<Kept>,
    /// What the engine said while an attempt was out, and is to be done when none is.
    pub(super) waiting: VecDeque<Action>,
    /// The attempts that are out.
    pub(super) out: [Option<Out>; MAX_OUT],
    /// The attempts beside the first, a hedge or a race's, a bit each, and whether one of them gave the answer.
    pub(super) hedges: u16,
    hedge_won: bool,
    /// Bytes of an answer have gone to the client.
    committed: bool,
    /// How its upstreams were chosen; kept only where answers are explained.
    selections: Vec<Note>,
}

/// Attempts of one call that are out at once: its own, and a hedge or the others of a race.
pub(super) const MAX_OUT: usize = engine::call::MAX_LIVE_ATTEMPTS;

// A bit for each attempt that a call can make.
const _: () = assert!(engine::call::MAX_CALL_ATTEMPTS <= 16);

/// The bit of an attempt.
pub(super) const fn bit(attempt: AttemptId) -> u16 {
    1_u16.wrapping_shl(attempt.0 as u32)
}

/// An attempt that is out.
pub struct Out {
    /// What the engine asked for.
    pub dispatch: Dispatch,
    /// Where to.
    pub upstream: Rc<Upstream>,
    /// How far it got.
    pub reached: Rc<Reached>,
    /// When it began, on [`rt::now`].
    pub started_ns: u64,
}

/// What the engine wants done next.
pub enum Next {
    /// This send.
    Dispatch(Dispatch),
    /// The call is over.
    Settled(Settled),
}

impl<'q> LiveCall<'q> {
    /// Begins a call.
    pub fn begin(worker: &Rc<Worker>, question: &'q Question<'q>, request: Request) -> Self {
        let now = worker.now();
        let call = {
            let mut engine = worker.engine.borrow_mut();
            engine.report_wait(now, Duration::from_nanos(rt::waited()));
            engine.begin(now, request)
        };
        Self::of(worker, question, call, 0)
    }

    /// Begins it once more, in continuation of one that made so many attempts, for `cost` retries. `None` if the budget does not allow it.
    pub fn go_on(
        worker: &Rc<Worker>,
        question: &'q Question<'q>,
        request: Request,
        attempts: u16,
        cost: u32,
    ) -> Option<Self> {
        let call = worker
            .engine
            .borrow_mut()
            .begin_again(worker.now(), request, cost);
        worker.take_notes(|_| ());
        Some(Self::of(worker, question, call?, attempts))
    }

    fn of(
        worker: &Rc<Worker>,
        question: &'q Question<'q>,
        call: engine::call::Call,
        attempts: u16,
    ) -> Self {
        Self {
            worker: worker.clone(),
            question,
            call,
            attempts,
            last_upstream: None,
            kept: None,
            kept_before: Vec::new(),
            waiting: VecDeque::new(),
            out: [const { None }; MAX_OUT],
            hedges: 0,
            hedge_won: false,
            committed: false,
            selections: Vec::new(),
        }
    }

    /// The question that it asks.
    pub const fn question(&self) -> &'q Question<'q> {
        self.question
    }

    /// Whether a hedge was made or the call was raced, and then whether another attempt than its own gave the answer.
    pub fn hedge_won(&self) -> Option<bool> {
        (self.hedges != 0).then_some(self.hedge_won)
    }

    /// Attempts made so far.
    pub const fn attempts(&self) -> u16 {
        self.attempts
    }

    /// The upstream that was asked last.
    pub const fn last_upstream(&self) -> Option<UpstreamIndex> {
        self.last_upstream
    }

    /// How that upstream was chosen, or why none could be; only where answers are explained.
    pub fn selection(&self) -> Option<Box<Note>> {
        explain::explained(&self.selections, self.last_upstream)
    }

    /// Drives the call to its end, from `first` if that has been asked of the engine already.
    pub async fn drive(
        &mut self,
        first: Option<Next>,
        budget: &HoldBudget,
        streaming: Streaming<'_>,
    ) -> Settled {
        let mut next = first;
        loop {
            let step = match next.take() {
                Some(step) => step,
                None => self.next().await,
            };
            match step {
                Next::Settled(settled) => return self.verified(settled).await,
                Next::Dispatch(dispatch) => {
                    if let Some(begun) = self.race(dispatch, budget, streaming).await {
                        self.last_upstream = Some(begun.out.dispatch.upstream);
                        return Settled::Long(begun);
                    }
                }
            }
        }
    }

    /// The same, unless a transaction that seems refused turns out to have been taken before.
    async fn verified(&self, settled: Settled) -> Settled {
        let doubt = match &settled {
            Settled::Answer {
                fault: Some(fault), ..
            } => verify::is_in_doubt(self.question, fault, self.attempts),
            _ => false,
        };
        let upstream = self
            .last_upstream
            .filter(|_| doubt)
            .and_then(|index| self.worker.upstream(self.question.route.chain, index));
        let Some(upstream) = upstream else {
            return settled;
        };
        match Box::pin(verify::known_hash(self.question, upstream)).await {
            Some(hash) => Settled::Answer {
                answer: Answer {
                    bytes: Bytes::Own(Vec::new()),
                    kind: Kind::Made(hash),
                },
                own_id_sent: false,
                fault: None,
            },
            None => settled,
        }
    }

    /// Waits for the next send, or the end.
    async fn next(&mut self) -> Next {
        loop {
            if let Some(next) = self.next_now() {
                return next;
            }
            let next = self.worker.engine.borrow().next_deadline(&self.call);
            let Some(next) = next else {
                return Next::Settled(broken_promise());
            };
            rt::sleep_until(next.0).await;
            self.on_time();
        }
    }

    /// The next send or the end, if the engine names it without waiting.
    pub fn next_now(&mut self) -> Option<Next> {
        loop {
            let action = match self.waiting.pop_front() {
                Some(action) => Some(action),
                None => {
                    let now = self.worker.now();
                    let polled = self
                        .worker
                        .engine
                        .borrow_mut()
                        .poll_action(&mut self.call, now);
                    self.take_notes();
                    polled
                }
            };
            match action? {
                Action::Dispatch {
                    attempt,
                    upstream,
                    deadline,
                    fresh,
                } => {
                    return Some(Next::Dispatch(Dispatch {
                        attempt,
                        upstream,
                        deadline_ns: deadline.0,
                        fresh,
                    }));
                }
                // No attempt is out here, so one that is cancelled has ended already.
                Action::Cancel { .. } => (),
                Action::Complete(outcome) => return Some(Next::Settled(self.settle(outcome))),
            }
        }
    }

    /// An attempt goes out: what is kept of it while it is.
    pub fn goes_out(&mut self, dispatch: Dispatch) -> Option<Out> {
        let upstream = self
            .worker
            .upstream(self.question.route.chain, dispatch.upstream)?;
        self.attempts += 1;
        self.last_upstream = Some(dispatch.upstream);
        Some(Out {
            dispatch,
            upstream: upstream.clone(),
            reached: upstream.marks.blank(),
            started_ns: rt::now(),
        })
    }

    /// Whether the engine wants it sent to several upstreams from the start.
    pub fn is_raced(&self) -> bool {
        self.call.attempts_made() > 1
    }

    /// An attempt goes out alone.
    pub(super) fn goes_alone(&mut self, out: Option<Out>) {
        self.out = [const { None }; MAX_OUT];
        if let Some(place) = self.out.first_mut() {
            *place = out;
        }
    }

    /// The attempt that was out alone is so no longer.
    pub fn comes_back(&mut self) -> Option<Out> {
        self.out.iter_mut().find_map(Option::take)
    }

    /// The attempt that was out alone never got there, and is to be sent another way: as the same one.
    pub fn goes_again(&mut self) -> Option<Dispatch> {
        self.attempts = self.attempts.saturating_sub(1);
        self.comes_back().map(|out| out.dispatch)
    }

    /// Tells the engine what time it is.
    pub(super) fn on_time(&mut self) {
        let now = self.worker.now();
        self.worker
            .engine
            .borrow_mut()
            .handle_timeout(&mut self.call, now);
        self.take_notes();
    }

    /// Reports a judged answer, and keeps it until the engine says what is relayed.
    pub fn take_judged(&mut self, out: &Out, judged: Judged, own_id_sent: bool) {
        let attempt = out.dispatch.attempt;
        if judged.fault.is_some_and(|fault| fault.rule == OTHER_CHAIN) {
            self.worker.found_foreign(&out.upstream);
        }
        if let Some(answer) = judged.answer {
            let newest = Kept {
                attempt,
                answer,
                own_id_sent,
            };
            self.kept_before.extend(self.kept.replace(newest));
        }
        self.report(attempt, judged.fault.map_or(Ok(()), Err));
    }

    /// Says that bytes of a long answer have gone to the client: nothing else can be answered any more. Gives the time that the
    /// attempt may still take: all that is left of the call's, since no other upstream needs a share of it now.
    pub fn commit(&mut self, attempt: AttemptId) -> u64 {
        if !std::mem::replace(&mut self.committed, true) {
            self.hedge_won = self.hedges & bit(attempt) != 0;
            self.event(EngineEvent::Committed { attempt });
            let until = self.worker.engine.borrow().next_deadline(&self.call);
            return until.map_or(0, |until| until.0.saturating_sub(rt::now()));
        }
        0
    }

    /// Reports the end of a long answer.
    pub fn finish_long(&mut self, begun: &Begun, end: Result<(), Fault>) {
        record_attempt(&self.worker, self.question, &begun.out, Some(end.err()));
        self.report(begun.out.dispatch.attempt, end);
        self.let_engine_finish();
    }

    /// Takes what the engine still says of a call that is over.
    fn let_engine_finish(&mut self) {
        let now = self.worker.now();
        while self
            .worker
            .engine
            .borrow_mut()
            .poll_action(&mut self.call, now)
            .is_some()
        {}
        self.take_notes();
    }

    /// Reports what came of an attempt.
    pub fn report(&mut self, attempt: AttemptId, result: Result<(), Fault>) {
        self.event(EngineEvent::Finished { attempt, result });
    }

    /// Reports a pooled connection that had died. A read is sent again without a word; a write is never: that it may have
    /// been sent is a failure like any other, for the engine to decide about and for the operator to see.
    pub fn report_stale(&mut self, attempt: AttemptId) {
        if self.question.entry.effect == Effect::None {
            self.event(EngineEvent::Stale {
                attempt,
                sent: true,
            });
        } else {
            let fault = Fault::new(FaultClass::Transport, "closed_before_answer");
            self.report(attempt, Err(fault));
        }
    }

    pub(super) fn event(&mut self, event: EngineEvent) {
        let now = self.worker.now();
        self.worker
            .engine
            .borrow_mut()
            .handle_event(&mut self.call, now, event);
        self.take_notes();
    }

    pub(super) fn take_notes(&mut self) {
        let (worker, selections) = (&self.worker, &mut self.selections);
        worker.take_notes(|note| {
            observe::selection(worker, self.question, self.attempts + 1, note);
            if worker.epoch.config.server.explain {
                selections.push(*note);
            }
        });
    }

    fn settle(&mut self, outcome: Outcome) -> Settled {
        match outcome {
            Outcome::Relay { attempt, fault } => match self.take_kept(attempt) {
                Some(kept) => {
                    self.last_upstream = self.call.upstream_of(attempt);
                    self.hedge_won = self.hedges & bit(attempt) != 0;
                    Settled::Answer {
                        answer: kept.answer,
                        own_id_sent: kept.own_id_sent,
                        fault,
                    }
                }
                // A class whose answer the engine would relay, said by a status without a body.
                None => Settled::failed(fault.unwrap_or_else(broken_fault)),
            },
            Outcome::Emit {
                fault,
                attempt,
                outcome_unknown,
            } => Settled::Error {
                fault,
                outcome_unknown,
                words: attempt
                    .and_then(|attempt| self.take_kept(attempt))
                    .map(|kept| kept.answer),
                selection: self.selection(),
            },
            Outcome::Abort { fault } => Settled::failed(fault),
        }
    }

    fn take_kept(&mut self, attempt: AttemptId) -> Option<Kept> {
        if let Some(newest) = self.kept.take_if(|kept| kept.attempt == attempt) {
            return Some(newest);
        }
        let at = self
            .kept_before
            .iter()
            .position(|kept| kept.attempt == attempt)?;
        Some(self.kept_before.swap_remove(at))
    }
}

impl Drop for LiveCall<'_> {
    fn drop(&mut self) {
        for out in &mut self.out {
            if let Some(out) = out.take() {
                record_attempt(&self.worker, self.question, &out, None);
            }
        }
        if !self.call.is_done() {
            self.event(EngineEvent::ClientGone);
            self.let_engine_finish();
        }
        self.worker.engine.borrow_mut().reclaim(&mut self.call);
    }
}

/// Counts an attempt that ended; `end` is None for one that is nobody's fault.
pub fn record_attempt(
    worker: &Worker,
    question: &Question<'_>,
    out: &Out,
    end: Option<Option<Fault>>,
) {
    let (chain, index) = (out.upstream.chain.as_usize(), out.upstream.index.as_usize());
    let reached = &out.reached;
    let mut recorder = worker.recorder.borrow_mut();
    if let Some((outcome, took_us)) = reached.connect.get() {
        recorder.connect_ended(chain, index, outcome, took_us);
    }
    if reached.refused_by_pool.get() {
        recorder.pool_refused(chain, index);
    }
    let outcome = match end {
        None => AttemptOutcome::Cancelled,
        Some(None) => AttemptOutcome::Ok,
        Some(Some(fault)) if fault.traits().answered => AttemptOutcome::NodeError,
        Some(Some(_)) => AttemptOutcome::Fault,
    };
    recorder.attempt_ended(&AttemptRecord {
        chain,
        upstream: index,
        method: question.entry.id.index(),
        outcome,
        class: end.flatten().map(|fault| fault.class.index()),
        duration_us: rt::now().saturating_sub(out.started_ns) / 1000,
        first_byte_us: reached
            .first_byte_ns
            .get()
            .map(|at| at.saturating_sub(out.started_ns) / 1000),
        sent_bytes: reached.sent_bytes.get(),
        received_bytes: reached.received_bytes.get(),
    });
}

/// The fault of a state that the engine's contract rules out; a call ends with it rather than with a panic.
pub(super) const fn broken_fault() -> Fault {
    Fault::unsent(FaultClass::NoUpstream, "engine_contract")
}

const fn broken_promise() -> Settled {
    Settled::failed(broken_fault())
}
