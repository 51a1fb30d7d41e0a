//! The attempts of one call that are out at once: its own and, where the engine says so, a hedge or the others of a race. It sends, waits for
//! whichever moves first, and gives up whom the engine gives up; what to do next is never decided here.
//!
//! Giving up is dropping the attempt's future: its connection is cut and never used again, its buffers go back.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use engine::call::{Action, Event};
use engine::fault::{Fault, FaultClass};
use engine::index::AttemptId;

use super::attempt::{Attempted, Begun, Dispatch, Streaming, send};
use super::call::{LiveCall, MAX_OUT, Out, bit, broken_fault, record_attempt};
use super::upstream::body::HoldBudget;
use super::upstream::judge::Judged;

/// Why attempts are given up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GivenUp {
    /// Another one answered.
    Beaten,
    /// They were silent for too long.
    Silent,
}

/// The attempts beside a call's own.
type Beside<F> = [Option<Pin<Box<F>>>; MAX_OUT - 1];

/// They are rare: the places for them cost nothing until then.
const fn nobody_beside<F>(_: &Option<F>) -> Beside<F> {
    [const { None }; MAX_OUT - 1]
}

/// Gives up the attempt at this place: the call's own is at the first.
fn put_away<F>(mut own: Pin<&mut Option<F>>, beside: &mut Beside<F>, at: usize) {
    match at.checked_sub(1).and_then(|at| beside.get_mut(at)) {
        None => own.set(None),
        Some(place) => *place = None,
    }
}

impl LiveCall<'_> {
    /// Makes an attempt, and others beside it if the engine says so; reports what comes of each. Returns when none is out any more, or
    /// with a long answer that began, whose end is reported by [`LiveCall::finish_long`]. The engine is asked meanwhile whenever
    /// it wants to be.
    pub(super) async fn race(
        &mut self,
        dispatch: Dispatch,
        budget: &HoldBudget,
        streaming: Streaming<'_>,
    ) -> Option<Box<Begun>> {
        let (worker, question) = (self.worker.clone(), self.question);
        let sending = |dispatch: Dispatch, out: &Out| {
            send(
                &worker,
                question,
                out.upstream.clone(),
                dispatch,
                budget,
                streaming,
                out.reached.clone(),
            )
        };
        let Some(out) = self.goes_out(dispatch) else {
            self.report(dispatch.attempt, Err(broken_fault()));
            return None;
        };
        // Made where it stays: it has a kilobyte or two.
        let mut own = pin!(Some(sending(dispatch, &out)));
        let mut beside = nobody_beside(own.as_ref().get_ref());
        self.out = [const { None }; MAX_OUT];
        if self.call.attempts_made() > usize::from(dispatch.attempt.0) + 1 {
            // It is raced: the engine wants more than this one sent.
            self.hear_engine();
        }
        if let Some(place) = self.out.first_mut() {
            *place = Some(out);
        }
        loop {
            while let Some(at) = self.out.iter().position(Option::is_none)
                && let Some(dispatch) = self.take_dispatch()
            {
                // Beside an attempt that is out only a hedge or a race's is made, or a dead connection's replacement.
                if !dispatch.fresh {
                    self.hedges |= bit(dispatch.attempt);
                }
                let Some(out) = self.goes_out(dispatch) else {
                    self.report(dispatch.attempt, Err(broken_fault()));
                    continue;
                };
                match at.checked_sub(1).and_then(|at| beside.get_mut(at)) {
                    None => own.set(Some(sending(dispatch, &out))),
                    Some(place) => *place = Some(Box::pin(sending(dispatch, &out))),
                }
                if let Some(place) = self.out.get_mut(at) {
                    *place = Some(out);
                }
            }
            let either = poll_fn(|cx| {
                if let Some(own) = own.as_mut().as_pin_mut()
                    && let Poll::Ready(attempted) = own.poll(cx)
                {
                    return Poll::Ready((0, attempted));
                }
                for (at, other) in beside.iter_mut().enumerate() {
                    if let Some(other) = other
                        && let Poll::Ready(attempted) = other.as_mut().poll(cx)
                    {
                        return Poll::Ready((at + 1, attempted));
                    }
                }
                Poll::Pending
            });
            let due_ns = self.due_ns();
            let moved = match question.context.alarm {
                Some(alarm) => alarm.timeout_at(due_ns, either).await,
                None => rt::timeout_at(due_ns, either).await,
            };
            let given_up = match moved {
                Ok((at, attempted)) => {
                    put_away(own.as_mut(), &mut beside, at);
                    if let Some(begun) = self.take_attempted(at, attempted) {
                        return Some(begun);
                    }
                    GivenUp::Beaten
                }
                Err(rt::Elapsed) => {
                    let late = self.first_late();
                    if let Some(at) = late {
                        put_away(own.as_mut(), &mut beside, at);
                        self.take_late(at);
                    } else {
                        self.tell_first_bytes();
                        self.on_time();
                    }
                    GivenUp::Silent
                }
            };
            if self.nobody_is_out() {
                return None;
            }
            self.hear_engine();
            while let Some(at) = self.take_cancelled(given_up) {
                put_away(own.as_mut(), &mut beside, at);
            }
            if self.nobody_is_out() {
                return None;
            }
        }
    }

    /// When something is due: the engine's next deadline, or an attempt's.
    fn due_ns(&self) -> u64 {
        let engine = self.worker.engine.borrow().next_deadline(&self.call);
        let out = self.out.iter().flatten();
        out.map(|out| out.dispatch.deadline_ns)
            .chain(engine.map(|at| at.0))
            .min()
            .unwrap_or(u64::MAX)
    }

    fn nobody_is_out(&self) -> bool {
        self.out.iter().all(Option::is_none)
    }

    /// An attempt whose own time is up.
    fn first_late(&self) -> Option<usize> {
        let now_ns = rt::now();
        self.out.iter().position(|out| {
            out.as_ref()
                .is_some_and(|out| now_ns >= out.dispatch.deadline_ns)
        })
    }

    /// An attempt's own time is up: at which point, says how far it got.
    fn take_late(&mut self, at: usize) {
        if let Some(out) = self.out.get_mut(at).and_then(Option::take) {
            let judged = Judged {
                answer: None,
                fault: Some(out.reached.timeout()),
            };
            record_attempt(&self.worker, self.question, &out, Some(judged.fault));
            self.take_judged(out.dispatch.attempt, judged, false);
        }
    }

    /// An attempt ended: counts it and tells the engine. A long answer is given back, committed to if another attempt was out.
    fn take_attempted(&mut self, at: usize, attempted: Attempted) -> Option<Box<Begun>> {
        let out = self.out.get_mut(at).and_then(Option::take)?;
        let attempt = out.dispatch.attempt;
        match attempted {
            Attempted::Long(long, expected_id, own_id_sent) => {
                let mut deadline_ns = out.dispatch.deadline_ns;
                if !self.nobody_is_out() {
                    let patience_ns = self.commit(attempt);
                    deadline_ns = deadline_ns.max(rt::now().saturating_add(patience_ns));
                    self.hear_engine();
                    while self.take_cancelled(GivenUp::Beaten).is_some() {}
                }
                return Some(Box::new(Begun {
                    long: *long,
                    out,
                    expected_id,
                    own_id_sent,
                    deadline_ns,
                }));
            }
            Attempted::Stale => {
                record_attempt(&self.worker, self.question, &out, None);
                self.worker
                    .recorder
                    .borrow_mut()
                    .connection_stale(out.upstream.chain.as_usize(), out.upstream.index.as_usize());
                self.report_stale(attempt);
            }
            Attempted::Judged(judged, own_id_sent) => {
                record_attempt(&self.worker, self.question, &out, Some(judged.fault));
                self.take_judged(attempt, judged, own_id_sent);
            }
        }
        None
    }

    /// Takes in what the engine wants done, for when it can be.
    fn hear_engine(&mut self) {
        let now = self.worker.now();
        loop {
            let action = self
                .worker
                .engine
                .borrow_mut()
                .poll_action(&mut self.call, now);
            match action {
                Some(action) => self.waiting.push_back(action),
                None => break,
            }
        }
        self.take_notes();
    }

    /// The place of an attempt that is out and that the engine has given up; it is counted.
    fn take_cancelled(&mut self, why: GivenUp) -> Option<usize> {
        for at in 0..MAX_OUT {
            let attempt = self.out.get(at)?.as_ref().map(|out| out.dispatch.attempt);
            if attempt.is_some_and(|attempt| self.is_given_up(attempt)) {
                let out = self.out.get_mut(at)?.take()?;
                let end = (why == GivenUp::Silent)
                    .then_some(Some(Fault::new(FaultClass::Timeout, "upstream_silent")));
                record_attempt(&self.worker, self.question, &out, end);
                return Some(at);
            }
        }
        None
    }

    fn is_given_up(&self, attempt: AttemptId) -> bool {
        self.waiting.iter().any(|action| match action {
            Action::Cancel { attempt: cancelled } => *cancelled == attempt,
            Action::Complete(_) => true,
            Action::Dispatch { .. } => false,
        })
    }

    /// A send that the engine wants beside the one that is out.
    fn take_dispatch(&mut self) -> Option<Dispatch> {
        let at = self
            .waiting
            .iter()
            .position(|action| matches!(action, Action::Dispatch { .. }))?;
        match self.waiting.remove(at)? {
            Action::Dispatch {
                attempt,
                upstream,
                deadline,
                fresh,
            } => Some(Dispatch {
                attempt,
                upstream,
                deadline_ns: deadline.0,
                fresh,
            }),
            Action::Cancel { .. } | Action::Complete(_) => None,
        }
    }

    /// Tells the engine whose answers have begun: it gives nobody up, and hedges nothing, that speaks.
    fn tell_first_bytes(&mut self) {
        for at in 0..MAX_OUT {
            let speaks = self.out.get(at).and_then(Option::as_ref);
            let speaks = speaks.filter(|out| out.reached.first_byte_ns.get().is_some());
            if let Some(attempt) = speaks.map(|out| out.dispatch.attempt) {
                self.event(Event::FirstByte { attempt });
            }
        }
    }
}
