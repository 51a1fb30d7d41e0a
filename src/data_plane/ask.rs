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
use super::pipeline::{self, Told};
use super::policies::HeadTold;
use super::terms::Terms;
use super::upstream::body::HoldBudget;
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

    /// Answers from the cache, if it may and can. The answer is appended to `out`.
    pub fn look(&mut self, out: &mut Vec<u8>) -> Option<Told> {
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
            |result| wire::splice::write_result(out, id, result),
        );
        match found {
            Ok(()) => {
                self.meter.looked_up(CacheStatus::Hit);
                Some(Told::OK)
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
            Way::Follow(follow) => match self.follow(follow).await {
                Turn::Landed(settled) => return Ended::Shared(settled),
                Turn::Lead(lead) => Some(lead),
                Turn::Alone => None,
            },
        };
        let live = live.insert(self.begin_attempts());
        self.lead(live, None, lead, budget, may_stream).await
    }

    /// Waits for somebody else's outcome; no longer than the call may take.
    async fn follow(&mut self, mut follow: Follow<Settled>) -> Turn<Settled> {
        let deadline_ns = self.question.request(&self.worker).deadline.0;
        let turn = rt::timeout_at(deadline_ns, follow.turn()).await;
        if let Ok(Turn::Lead(_)) = &turn {
            self.flight_ended(FlightOutcome::Promoted);
        }
        turn.unwrap_or_else(|rt::Elapsed| {
            Turn::Landed(Rc::new(Settled::Error {
                fault: Fault::unsent(FaultClass::DeadlineExceeded, "call_deadline"),
                outcome_unknown: false,
                words: None,
            }))
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
        self.count_hedge(live);
        if self.question.entry.writes() {
            self.worker.wrote(self.question.route.chain);
        }
        if let Settled::Long(begun) = settled {
            if let Some(lead) = lead {
                lead.close();
            }
            return Ended::Long(begun);
        }
        if is_result(&settled) {
            let mut facts = self.facts_of(&settled);
            let (worker, question) = (&self.worker, self.question);
            match heads::correct(worker, question, &settled, &facts, self.meter.upstream) {
                Corrected::Nothing => (),
                Corrected::By(made) => settled = made,
                Corrected::Behind(number) => {
                    let asked = heads::newest_block(worker, question, number, budget);
                    settled = Box::pin(asked).await.unwrap_or(settled);
                    facts = self.facts_of(&settled);
                }
            }
            self.keep(&settled, &facts);
        }
        match lead {
            Some(lead) => self.land(lead, settled),
            None => Ended::Own(settled),
        }
    }

    /// Ends the flight. A leader that ran out of its own time has nothing to say to the others: the next one leads.
    fn land(&self, lead: Lead<Settled>, settled: Settled) -> Ended {
        if lead.followers() == 0 {
            drop(lead);
            return Ended::Own(settled);
        }
        let timed_out = matches!(
            &settled,
            Settled::Error { fault, .. }
                if matches!(fault.class, FaultClass::DeadlineExceeded | FaultClass::Cancelled)
        );
        if timed_out {
            drop(lead);
            return Ended::Own(settled);
        }
        let outcome = match &settled {
            Settled::Answer { fault: None, .. } => FlightOutcome::Answered,
            _ => FlightOutcome::Failed,
        };
        self.flight_ended(outcome);
        let settled = Rc::new(settled);
        lead.land(settled.clone());
        Ended::Shared(settled)
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
