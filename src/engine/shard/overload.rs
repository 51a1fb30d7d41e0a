//! Calls that are not even begun: this shard has too many, or nobody could answer in the time that is left. The rule of the first is
//! [`crate::shed`]'s.
//!
//! **In time.** A call for which no upstream can be quick enough is told so at once, in place of a time-out: it would only have carried load
//! where there is too much already. Quick enough is a quarter of what answers to this method took there when they last came, within the
//! last [`FRESH`]: who has been silent for longer is asked, since what is believed of it may be wrong.

use core::time::Duration;

use crate::call::{Call, Request};
use crate::fault::{Fault, FaultClass};
use crate::index::{CallId, ChainIndex, StrategyIndex, UpstreamIndex, UpstreamSet};
use crate::method;
use crate::note::NoteKind;
use crate::shed::{Priority, RETRY_AFTER};
use crate::time::Instant;

use super::Shard;
use super::chain::Chain;
use super::select::Choice;

/// Nobody is judged by what was longer ago.
const FRESH: Duration = Duration::from_secs(5);
/// Nobody answers in less than this part of what is usual.
const LUCK: u32 = 4;
/// With more time than this left a call is never hopeless.
const PLENTY: Duration = Duration::from_secs(10);

impl Shard {
    /// Work of this shard was done after it had waited for so long: that is how a queue in front of it shows. To be reported for each turn of the
    /// loop, or each read from a socket.
    pub fn report_wait(&mut self, now: Instant, waited: Duration) {
        if self.shedder.waited(waited, now) {
            let lets_in = self.shedder.is_waiting().then(|| self.shedder.lets_in());
            self.note(now, ChainIndex(0), NoteKind::Overload { lets_in });
        }
    }

    /// Is this shard refusing anything for its own sake?
    #[must_use]
    pub fn is_shedding(&self) -> bool {
        self.shedder.may_refuse(self.live_calls)
    }

    pub(super) fn sheds(&mut self, request: &Request, now: Instant) -> bool {
        let others = self.live_calls - 1;
        self.shedder.refuses(priority(request), others, now)
    }

    /// A call that is over before it began.
    pub(super) fn shed(&mut self, request: Request, now: Instant) -> Call {
        let id = CallId(self.calls);
        let mut call = Call::new(id, request, StrategyIndex(0), now, 1);
        let kind = NoteKind::Shed {
            call: id,
            priority: priority(&request),
        };
        self.note(now, request.chain, kind);
        let fault = Fault::unsent(FaultClass::Overloaded, "shed").with_hold_off(Some(RETRY_AFTER));
        self.emit(&mut call, fault, now);
        call
    }

    /// Is there nobody who could answer before the call's end?
    pub(super) fn is_hopeless(&mut self, call: &Call, choice: &Choice, now: Instant) -> bool {
        let left = call.deadline.saturating_duration_since(now);
        if left >= PLENTY {
            return false;
        }
        let Some(chain) = self.chain(call.request.chain) else {
            return false;
        };
        // Mostly the chosen one is quick enough, and nobody else is looked at.
        let needed = chain.needed(call, choice.upstream, now);
        if needed.is_none_or(|needed| needed <= left) {
            return false;
        }
        let needed = chain.least_needed(call, choice, now);
        let Some(needed) = needed.filter(|needed| *needed > left) else {
            return false;
        };
        let kind = NoteKind::Hopeless {
            call: call.id,
            needed,
            left,
        };
        self.note(now, call.request.chain, kind);
        true
    }
}

impl Chain {
    /// The least time that an answer has needed with anybody who could take the call; `None` where that is not known of everybody.
    fn least_needed(&self, call: &Call, choice: &Choice, now: Instant) -> Option<Duration> {
        let mut least = self.needed(call, choice.upstream, now)?;
        let others = choice.candidates.minus(UpstreamSet::only(choice.upstream));
        for index in others.iter() {
            least = least.min(self.needed(call, index, now)?);
        }
        Some(least)
    }

    /// The least time that an answer needs there, as far as is known.
    fn needed(&self, call: &Call, index: UpstreamIndex, now: Instant) -> Option<Duration> {
        let (took, at) = self.board.last_took(index, call.request.method)?;
        (now.saturating_duration_since(at) <= FRESH).then_some(took / LUCK)
    }
}

fn priority(request: &Request) -> Priority {
    Priority::of(method::policy(request.method).class, request.effect)
}
