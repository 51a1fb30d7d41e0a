//! An attempt that waits for an upstream which has gone silent is given up early, while another upstream can still serve the call.
//!
//! Half of what is left may be seconds. When an upstream falls silent, every call that is in flight there would wait that long, and all of them
//! would then want a retry at the same moment: more than the budget has, and so errors that a healthy neighbour could have
//! prevented. But a call that is merely slow must not be cut short on an upstream that is well. So what counts is not the
//! attempt's age but the upstream's silence: for a second, and for sixteen times what its answers took when they last came, it has answered
//! nobody, although at least [`MIN_WAITING`] attempts wait for it; or nobody who asked for the same method, of whom as many wait. And whoever was sent
//! into a silence that is over since then is not answered any more.

use core::time::Duration;

use crate::call::{Attempt, Call};
use crate::fault::{Fault, FaultClass};
use crate::index::{AttemptId, UpstreamIndex};
use crate::method::{Effect, MethodId};
use crate::time::Instant;

use super::Shard;
use super::chain::Chain;

/// Shorter silences are no silence.
const MIN_PATIENCE: Duration = Duration::from_secs(1);
/// Nor are those shorter than so many times what an answer took when one last came.
const PATIENCE: u32 = 16;
/// One or two slow calls on an upstream that has nothing else to do are no silence.
pub(super) const MIN_WAITING: u32 = 4;

/// When to listen for the first time; never where giving up early has no point.
pub(super) fn first_check(call: &Call, is_last: bool, usual: Duration, now: Instant) -> Instant {
    if is_last || call.request.effect == Effect::NodeWrite {
        Instant::NEVER
    } else {
        now + patience(usual)
    }
}

fn patience(usual: Duration) -> Duration {
    usual.saturating_mul(PATIENCE).max(MIN_PATIENCE)
}

impl Chain {
    /// The upstream said something to a question with this method.
    pub(super) fn heard(&mut self, index: UpstreamIndex, method: MethodId, now: Instant) {
        self.board.spoke(index, method, now);
        if let Some(upstream) = self.upstreams.get_mut(index.as_usize()) {
            upstream.heard = now;
        }
    }

    /// Has the upstream of this attempt fallen silent, and can another serve the call? If not, when to listen again.
    fn waits_in_vain(&self, call: &Call, attempt: &Attempt, now: Instant) -> Result<(), Instant> {
        let heard = self
            .upstream(attempt.upstream)
            .map_or(now, |upstream| upstream.heard);
        let patience = patience(attempt.usual());
        let returned = self.board.returned_since(attempt.upstream, attempt.outing);
        let whole = returned.unwrap_or(heard.max(attempt.started)) + patience;
        let (waiting, came) = self.board.waiting(attempt.upstream, call.request.method);
        let over = if waiting >= MIN_WAITING {
            whole.min(came.max(attempt.started) + patience)
        } else {
            whole
        };
        if over > now {
            return Err(over);
        }
        // Others that were sent after a return are answered, and this one is not: it never will be.
        let few = returned.is_none() && self.board.load(attempt.upstream).fresh < MIN_WAITING;
        if few || !self.can_go_elsewhere(call, now) {
            return Err(now + patience);
        }
        Ok(())
    }
}

impl Shard {
    /// Listens for upstreams of attempts that are due for it, and gives up those that wait in vain.
    pub(super) fn listen(&mut self, call: &mut Call, now: Instant) {
        for position in 0..call.attempts_made() as u16 {
            let id = AttemptId(position);
            let due = |attempt: &&mut Attempt| !attempt.committed && attempt.check <= now;
            let Some(attempt) = call.live(id).filter(due).map(|attempt| *attempt) else {
                continue;
            };
            let chain = self.chain(call.request.chain);
            let verdict = chain.map_or(Err(Instant::NEVER), |chain| {
                chain.waits_in_vain(call, &attempt, now)
            });
            match (verdict, call.live(id)) {
                (Err(next), Some(attempt)) => attempt.check = next,
                _ => {
                    call.cancel(id);
                    let fault = Fault::new(FaultClass::Timeout, "upstream_silent");
                    self.finished(call, id, Err(fault), now);
                }
            }
        }
    }
}
