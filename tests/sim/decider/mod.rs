//! Whoever decides about calls: the production engine, or a strategy of the field. The world drives all of them alike, through the engine's own
//! vocabulary of requests, events and actions, so that they meet the same calls and the same upstreams.

mod product;

pub use product::Product;

use engine::call::{Action, Event, Outcome, Request};
use engine::fault::Fault;
use engine::gossip::News;
use engine::head::{HeadPoll, Mark};
use engine::index::{AttemptId, UpstreamIndex};
use engine::shard::ProbeResult;
use engine::time::Instant;

use crate::auditor::Check;
use crate::report::{Moment, Report};

/// A call as its decider keeps it.
pub trait Deciding {
    /// Its number, for the trace.
    fn number(&self) -> u64;
    /// Has it ended?
    fn is_done(&self) -> bool;
    /// When it is given up at the latest.
    fn deadline(&self) -> Instant;
}

/// What the driver saw or did, told to whoever keeps books.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// An attempt was sent.
    Dispatched(AttemptId, UpstreamIndex, Instant),
    /// An attempt was given up.
    Cancelled(AttemptId),
    /// An attempt's answer is on its way to the client.
    Committed(AttemptId),
    /// An attempt that was not given up came to its end; the decider is about to be told.
    Finished(AttemptId, Result<(), Fault>),
    /// The call is over.
    Completed(&'a Outcome),
}

/// One shard's decisions.
pub trait Decider {
    /// A call.
    type Call: Deciding;

    /// Begins a call; `slot` is its name until it is over.
    ///
    /// # Errors
    /// What must not be.
    fn begin(&mut self, slot: usize, request: Request, now: Instant) -> Result<Self::Call, String>;
    /// Takes in an event.
    fn handle_event(&mut self, call: &mut Self::Call, event: Event, now: Instant);
    /// Does what is due.
    fn handle_timeout(&mut self, call: &mut Self::Call, now: Instant);
    /// The next thing to do.
    fn poll_action(&mut self, call: &mut Self::Call, now: Instant) -> Option<Action>;
    /// When it wants to be asked again at the latest.
    fn next_deadline(&self, call: &Self::Call) -> Option<Instant>;

    /// A turn of this call begins.
    fn turn(&mut self, _slot: usize, _call: &Self::Call) {}
    /// Is told what was seen.
    ///
    /// # Errors
    /// What must not be.
    fn see(&mut self, _slot: usize, _seen: Seen<'_>, _now: Instant) -> Check {
        Ok(())
    }
    /// A turn is over: observations are taken out.
    ///
    /// # Errors
    /// What must not be.
    fn settle(&mut self, _now: Instant) -> Check {
        Ok(())
    }
    /// The books agree.
    ///
    /// # Errors
    /// Where they do not.
    fn balance(&self, _now: Instant) -> Check {
        Ok(())
    }
    /// Nothing is left; what was counted goes into the report.
    ///
    /// # Errors
    /// What is left.
    fn close(&mut self, _report: &mut Report, _now: Instant) -> Check {
        Ok(())
    }
    /// What happened to upstreams since this was asked last; the shard's number is the world's to fill in.
    fn take_moment(&mut self) -> Option<Moment> {
        None
    }

    /// A check beside the traffic came back.
    fn probed(&mut self, _upstream: UpstreamIndex, _result: ProbeResult, _now: Instant) {}
    /// The next question for an upstream's head.
    fn next_head_poll(&self, _upstream: UpstreamIndex, _now: Instant) -> Option<HeadPoll> {
        None
    }
    /// Something for the other shards.
    fn poll_news(&mut self) -> Option<News> {
        None
    }
    /// Something of another shard.
    ///
    /// # Errors
    /// What must not be.
    fn take_news(&mut self, _from: u16, _news: News, _now: Instant) -> Check {
        Ok(())
    }
    /// The head to tell the other shards.
    fn head_mark(&self) -> Mark {
        Mark::NONE
    }
    /// Another shard has served this head.
    fn raise_head(&mut self, _mark: Mark, _now: Instant) {}
    /// What a client that asked for the newest block's number is told.
    fn answer_block_number(&mut self, _from: UpstreamIndex, answered: u64, _now: Instant) -> u64 {
        answered
    }
}
