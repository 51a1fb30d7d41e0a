//! One call from its description to its outcome, wherever that comes from: the cache, somebody else's flight, or an upstream. Linear; what
//! may be kept, shared and shown is the engine's word, what to send where is [`LiveCall`]'s business.

use std::rc::Rc;

use engine::cache;
use engine::fault::{Fault, FaultClass};
use engine::method;
use telemetry::{CacheLifetime, CacheStatus, CallOutcome, FlightOutcome, HedgeOutcome};
use wire::facts::Facts;

use super::asked::Question;
use super::attempt::{Begun, Streaming};
use super::cache::Miss;
use super::call::{LiveCall, Next, Settled};
use super::flights::{Follow, Joined, Lead, Turn};
use super::heads::{self, Corrected};
use super::meter::Meter;
use super::newest;
use super::pipeline::{self, Told};
use super::policies::HeadTold;
use super::terms::Terms;
use super::upstream::body::HoldBudget;
use super::upstream::exchange::NO_ROOM;
use super::worker::Worker;

/// A call on its way to its outcome.
pub struct Ask<'q> {
    worker: Rc<Worker>,
    question: &'q Question<'q>,
    terms: Terms,
    /// Its account.
    pub meter: Meter<'q>,
}

/// How a call that no cached answer serves goes on.
pub enum Way {
    /// Somebody has asked already.
    Follow(Follow<Settled>),
    /// It asks, for others too if there is a flight.
    Lead(Option<Lead<Settled>>),
}

/// An outcome: the call's own, or one that it shares.
pub enum Ended {
    /// Of its own attempts.
    Own(Settled),
    /// Of a flight.
    Shared(Rc<Settled>),
    /// A long answer began: it is relayed while it arrives, and the call ends with it.
    Long(Box<Begun>),
}

impl<'q> Ask<'q> {
    /// Begins a call's account and reads its terms.
    pub fn begin(worker: &Rc<Worker>, question: &'q Question<'q>) -> Self {
        Self {
            worker: worker.clone(),
            question,
            terms: Terms::of(worker, question),
            meter: Meter::begin(worker, question),
        }
    }

    /// The question.
    pub const fn question(&self) -> &'q Question<'q> {
        self.question
    }

    /// Answers from the cache, if it may and can. The answer is appended to `out`; a result of more than `room` bytes is not, and refused
    /// instead.
    pub fn look(&mut self, out: &mut Vec<u8>, room: usize) -> Option<Told> {
        if let Err(why) = self.terms.keeps {
            self.meter.looked_up(why);
            return None;
        }
        let now = self.worker.now();
        let head = &self.terms.began;
        let id = self.question.id();
        let found = self.worker.cache.look(
            &self.terms.key,
            |lifetime| cache::is_fresh(lifetime, head, now),
            |result| {
                let fits = result.len() <= room;
                if fits {
                    wire::splice::write_result(out, id, result);
                }
                fits
            },
        );
        match found {
            Ok(true) => {
                self.meter.looked_up(CacheStatus::Hit);
                Some(Told::OK)
            }
            Ok(false) => {
                self.meter.looked_up(CacheStatus::Hit);
                Some(pipeline::write_too_large(out, self.question))
            }
            Err(miss) => {
                // Said when it is known whether somebody else's answer serves.
                self.meter.cache = Some(match miss {
                    Miss::Absent => CacheStatus::MissAbsent,
                    Miss::Stale(cache::Stale::NewHead) => CacheStatus::MissNewHead,
                    Miss::Stale(cache::Stale::TooOld) => CacheStatus::MissTooOld,
                });
                None
            }
        }
    }

    /// Joins a flight, or leads.
    pub fn join(&mut self) -> Way {
        let missed = self.meter.cache.filter(|_| self.terms.keeps.is_ok());
        if !self.terms.joins {
            missed.into_iter().for_each(|why| self.meter.looked_up(why));
            return Way::Lead(None);
        }
        match self
            .worker
            .flights
            .join(&self.terms.key, self.terms.began.seq)
        {
            Joined::Lead(lead) => {
                missed.into_iter().for_each(|why| self.meter.looked_up(why));
                Way::Lead(Some(lead))
            }
            Joined::Follow(follow) => {
                if self.terms.keeps.is_ok() {
                    self.meter.looked_up(CacheStatus::Shared);
                } else {
                    self.meter.cache = Some(CacheStatus::Shared);
                }
                Way::Follow(follow)
            }
        }
    }

    /// Takes the call to its outcome along that way. What it asks of upstreams, it asks through `live`, which is the caller's so
    /// that it stays where it is.
    pub async fn go(
        &mut self,
        way: Way,
        live: &mut Option<LiveCall<'q>>,
        budget: &HoldBudget,
        may_stream: bool,
    ) -> Ended {
        let lead = match way {
            Way::Lead(lead) => lead,
            Way::Follow(follow) => match self.follow(follow, budget).await {
                Turn::Landed(settled) => {
                    self.meter.selection = settled.selection();
                    return Ended::Shared(settled);
                }
                Turn::Lead(lead) => Some(lead),
                Turn::Alone => None,
            },
        };
        let live = live.insert(self.begin_attempts());
        self.lead(live, None, lead, budget, may_stream).await
    }

    /// Waits for somebody else's outcome; no longer than the call may take.
    async fn follow(&mut self, mut follow: Follow<Settled>, budget: &HoldBudget) -> Turn<Settled> {
        let deadline_ns = self.question.request(&self.worker).deadline.0;
        let turn = follow.turn(deadline_ns, || budget.left_bytes());
        let turn = rt::timeout_at(deadline_ns, turn).await;
        if let Ok(Turn::Lead(_)) = &turn {
            self.flight_ended(FlightOutcome::Promoted);
        }
        turn.unwrap_or_else(|rt::Elapsed| {
            let fault = Fault::unsent(FaultClass::DeadlineExceeded, "call_deadline");
            Turn::Landed(Rc::new(Settled::failed(fault)))
        })
    }

    /// Begins attempts of the call's own.
    pub fn begin_attempts(&self) -> LiveCall<'q> {
        LiveCall::begin(
            &self.worker,
            self.question,
            self.question.request(&self.worker),
        )
    }

    /// Asks upstreams, from `first` on if that has been asked of the engine already, keeps what may be kept, and lands the flight.
    pub async fn lead(
        &mut self,
        live: &mut LiveCall<'q>,
        first: Option<Next>,
        lead: Option<Lead<Settled>>,
        budget: &HoldBudget,
        may_stream: bool,
    ) -> Ended {
        let is_followed = || lead.as_ref().is_some_and(Lead::is_followed);
        // The newest block is held until its number is known: it may be one that clients are past.
        let may_stream = may_stream && !heads::is_newest_block(self.question);
        let streaming = match (may_stream, &lead) {
            (false, _) => Streaming::Never,
            (true, Some(_)) => Streaming::Unless(&is_followed),
            (true, None) => Streaming::Always,
        };
        let mut settled = live.drive(first, budget, streaming).await;
        self.meter.upstream = live.last_upstream();
        self.meter.attempts = live.attempts();
        self.meter.selection = live.selection();
        self.count_hedge(live);
        if self.question.entry.writes() {
            self.worker.wrote(self.question.route.chain);
        }
        if let Settled::Long(begun) = settled {
            heads::show_front(&self.worker, self.question, &begun);
            if let Some(lead) = lead {
                lead.close();
            }
            return Ended::Long(begun);
        }
        if is_result(&settled) {
            let facts = self.facts_of(&settled);
            let (worker, question) = (&self.worker, self.question);
            match heads::correct(worker, question, &settled, &facts, self.meter.upstream) {
                Corrected::Nothing => self.keep(&settled, &facts),
                Corrected::By(made) => {
                    settled = made;
                    self.keep(&settled, &facts);
                }
                Corrected::Behind(number) => {
                    let asked = newest::block(worker, question, number, budget, &mut self.meter);
                    // An older block is what the client gets, but nobody after it.
                    if let Some(found) = Box::pin(asked).await {
                        settled = found;
                        self.keep(&settled, &self.facts_of(&settled));
                    }
                }
            }
        }
        match lead {
            Some(lead) => self.land(lead, settled, budget),
            None => Ended::Own(settled),
        }
    }

    /// Ends the flight. A leader that ran out of its own time or room has nothing to say to those who have more: one of them leads.
    fn land(&self, lead: Lead<Settled>, settled: Settled, budget: &HoldBudget) -> Ended {
        if lead.followers() == 0 {
            drop(lead);
            return Ended::Own(settled);
        }
        let is_late = || rt::now() >= self.question.request(&self.worker).deadline.0;
        match whose(&settled, is_late) {
            Whose::LeadersTime => {
                drop(lead);
                Ended::Own(settled)
            }
            Whose::LeadersRoom => {
                let settled = Rc::new(settled);
                lead.leave_to_roomier(settled.clone(), budget.left_bytes());
                Ended::Shared(settled)
            }
            Whose::Everybodys => {
                let outcome = match &settled {
                    Settled::Answer { fault: None, .. } => FlightOutcome::Answered,
                    _ => FlightOutcome::Failed,
                };
                self.flight_ended(outcome);
                let settled = Rc::new(settled);
                lead.land(settled.clone());
                Ended::Shared(settled)
            }
        }
    }

    fn flight_ended(&self, outcome: FlightOutcome) {
        let chain = self.question.route.chain.as_usize();
        self.worker
            .recorder
            .borrow_mut()
            .flight_ended(chain, outcome);
    }

    fn count_hedge(&mut self, live: &LiveCall<'_>) {
        if let Some(won) = live.hedge_won() {
            self.meter.hedged = true;
            let chain = self.question.route.chain.as_usize();
            let outcome = if won {
                HedgeOutcome::Won
            } else {
                HedgeOutcome::Lost
            };
            self.worker
                .recorder
                .borrow_mut()
                .hedge_ended(chain, outcome);
        }
    }

    /// What a result says of itself, where anybody wants to know.
    fn facts_of(&self, settled: &Settled) -> Facts {
        let tells = matches!(self.question.entry.tells, HeadTold::Block | HeadTold::Own);
        match settled {
            Settled::Answer { answer, .. } if tells || self.terms.keeps.is_ok() => answer
                .result()
                .map_or(Facts::default(), wire::facts::result_facts),
            _ => Facts::default(),
        }
    }

    /// Keeps a result, if it may be.
    fn keep(&self, settled: &Settled, facts: &Facts) {
        let Settled::Answer {
            answer,
            fault: None,
            ..
        } = settled
        else {
            return;
        };
        let Some(result) = answer.result().filter(|_| self.terms.keeps.is_ok()) else {
            return;
        };
        let chain = self.question.route.chain;
        let entry = &self.question.entry;
        if entry.is_odd_network(result) {
            return;
        }
        let said = cache::Answer {
            null: facts.null,
            empty: facts.empty,
            own_block: match facts.block_number {
                Some(number) => cache::OwnBlock::Number(number),
                None if facts.pending => cache::OwnBlock::Null,
                None => cache::OwnBlock::Absent,
            },
            tells_head: heads::tells_head(self.question),
            upstream_head: self
                .meter
                .upstream
                .and_then(|upstream| self.worker.engine.borrow().upstream_head(chain, upstream)),
        };
        let lifetime = cache::keep(
            method::policy(entry.id),
            entry.ttl,
            &self.question.block,
            &said,
            &self.terms.began,
            &self.worker.chain_head(chain),
            self.worker.now(),
        );
        let Some(lifetime) = lifetime else {
            return;
        };
        if self.worker.cache.keep(&self.terms.key, result, lifetime) {
            let kind = match lifetime {
                cache::Lifetime::Head { .. } => CacheLifetime::Head,
                cache::Lifetime::Final { .. } => CacheLifetime::Final,
                cache::Lifetime::Until { .. } => CacheLifetime::Timed,
            };
            self.worker
                .recorder
                .borrow_mut()
                .cache_stored(chain.as_usize(), kind);
            heads::offer(&self.worker, self.question, &self.terms, result);
        }
    }
}

/// Whose a leader's outcome is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// It says something of the question or of the upstreams.
    Everybodys,
    /// It says that the leader's time was over, or its client gone.
    LeadersTime,
    /// It says that the leader, or its batch, had no room left to hold the answer.
    LeadersRoom,
}

/// Whose an outcome is; `is_late` says whether the leader's own time is over. A time-out before that is the upstream's doing; one
/// that comes with it says no more than that, for the last attempt may take what is left of the call's time. A full queue in front
/// of an upstream is the shard's, and everybody's.
fn whose(settled: &Settled, is_late: impl Fn() -> bool) -> Whose {
    let Settled::Error { fault, .. } = settled else {
        return Whose::Everybodys;
    };
    match fault.class {
        FaultClass::DeadlineExceeded | FaultClass::Cancelled => Whose::LeadersTime,
        FaultClass::Timeout | FaultClass::Overloaded if is_late() => Whose::LeadersTime,
        FaultClass::ResponseTooLarge if fault.rule == NO_ROOM => Whose::LeadersRoom,
        _ => Whose::Everybodys,
    }
}

const fn is_result(settled: &Settled) -> bool {
    matches!(settled, Settled::Answer { fault: None, .. })
}

impl Ended {
    /// Writes what the call's client gets. A long answer is not written here.
    pub fn write(&self, worker: &Worker, out: &mut Vec<u8>, question: &Question<'_>) -> Told {
        match self {
            Self::Own(settled) => pipeline::write_settled(worker, out, question, settled, true),
            Self::Shared(settled) => pipeline::write_settled(worker, out, question, settled, false),
            Self::Long(_) => Told {
                status: super::respond::Status::OK,
                outcome: CallOutcome::Aborted,
                fault: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(class: FaultClass) -> Settled {
        Settled::failed(Fault::new(class, "test"))
    }

    #[test]
    fn time_that_ran_out_with_the_leaders_own_is_nobody_elses() {
        for late in [false, true] {
            for own in [FaultClass::DeadlineExceeded, FaultClass::Cancelled] {
                assert_eq!(whose(&class(own), || late), Whose::LeadersTime);
            }
            for of_all in [FaultClass::Transport, FaultClass::NoUpstream] {
                assert_eq!(whose(&class(of_all), || late), Whose::Everybodys);
            }
        }
        for by_time in [FaultClass::Timeout, FaultClass::Overloaded] {
            assert_eq!(whose(&class(by_time), || true), Whose::LeadersTime);
            assert_eq!(whose(&class(by_time), || false), Whose::Everybodys);
        }
    }

    #[test]
    fn want_of_room_is_the_leaders_and_too_large_is_everybodys() {
        let no_room = Fault::new(FaultClass::ResponseTooLarge, NO_ROOM);
        assert_eq!(
            whose(&Settled::failed(no_room), || false),
            Whose::LeadersRoom
        );
        let too_large = class(FaultClass::ResponseTooLarge);
        assert_eq!(whose(&too_large, || false), Whose::Everybodys);
    }
}
