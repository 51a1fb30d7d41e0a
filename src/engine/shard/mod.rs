//! Everything that one core decides: the policies of every chain, wired together. It has no socket, clock or thread; a driver
//! calls its verbs in the order begin, poll_action, handle_event or handle_timeout, and so on until `Complete`.
//!
//! The verbs are here; what they need is beside them: `eligible` (who may be sent a call), `thin` (who has had its share), `regions` (who is too
//! far away), `select` (who is chosen), `settle` (what an attempt's end teaches), `learn` (what an upstream takes), `accounts` (who shares a
//! bill), `spend` (what calls cost and accounts allow), `advance` (what a call does next), `held` (when it waits for those that throttle
//! us), `hedge` (when it is sent to others as well), `silence`
//! (when waiting is in vain), `overload` (whom this shard refuses, and what cannot be done in time), `chain` (one chain's state), `heads` (how
//! far it has come), `news` (what shards tell each other), `view` (what others may see).

mod accounts;
mod advance;
mod chain;
mod eligible;
mod heads;
mod hedge;
mod held;
mod learn;
mod news;
mod overload;
mod regions;
mod select;
mod settle;
mod silence;
mod spend;
#[cfg(test)]
mod tests;
mod thin;
mod view;

pub use view::UpstreamView;

use alloc::vec::Vec;
use core::time::Duration;

use crate::account::{Accounts, Calendar};
use crate::call::{Action, Attempt, Call, Event, Phase, Request};
use crate::chain::ChainId;
use crate::config::{ChainConfig, ShardConfig};
use crate::fault::{Fault, FaultClass};
use crate::gossip::Outbox;
use crate::head::HeadKind;
use crate::index::{AttemptId, CallId, ChainIndex, StrategyIndex, UpstreamIndex};
use crate::note::{Note, NoteKind, Notes, Purpose};
use crate::retry::Budget;
use crate::rng::Rng;
use crate::shed::Shedder;
use crate::time::Instant;

use accounts::Sharers;
use chain::Chain;

/// What a check beside the traffic found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// The upstream's `eth_chainId`.
    ChainId(ChainId),
    /// It answered a client's `eth_chainId` with another one than the chain's.
    OtherChain,
    /// The number of its newest block.
    Head(u64),
    /// The number of its newest safe block.
    Safe(u64),
    /// The number of its newest finalized block.
    Finalized(u64),
    /// It was asked for a head and did not answer: it is asked again, ever more rarely.
    HeadFailed(HeadKind),
    /// It answered that it does not know this kind of head (the tag): it is asked again only after [`ASK_AGAIN`](crate::head::ASK_AGAIN).
    HeadUnknown(HeadKind),
    /// It did not answer. This alone is not held against it: traffic is the judge.
    Failed,
}

/// Everything that one core decides.
#[derive(Debug)]
pub struct Shard {
    chains: Vec<Chain>,
    budget: Budget,
    rng: Rng,
    notes: Notes,
    outbox: Outbox,
    accounts: Accounts,
    /// Who shares an account, and so a throttle.
    sharers: Sharers,
    /// Do prices or limits matter on any chain?
    metered: bool,
    /// Room for later attempts, of calls that are over.
    spare: Vec<Vec<Attempt>>,
    shedder: Shedder,
    held_wait: Duration,
    calls: u64,
    live_calls: u64,
}

/// So many calls' room for later attempts is kept for the next ones.
const MAX_SPARE: usize = 64;

impl Shard {
    /// A shard of this configuration. The seed decides every draw.
    ///
    /// A chain that fails [`ChainConfig::check`](crate::config::ChainConfig::check) gets no traffic: its calls end with `no_upstream`.
    #[must_use]
    pub fn new(config: ShardConfig, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let calendar = Calendar::new(config.unix_zero_ms);
        let mut accounts = Accounts::new(calendar, config.shard, config.shards);
        if config.check().is_ok() {
            for account in &config.accounts {
                accounts.add(*account, now);
            }
        }
        let retry_permille = config.retry_budget.permille_of_calls;
        let configured = accounts.len();
        let mut chain = |mut chain: ChainConfig| {
            if chain.check().is_err() {
                chain.upstreams.clear();
            }
            let tariffs = spend::tariffs(&chain, &mut accounts, configured, now);
            Chain::new(chain, tariffs, retry_permille, rng.fork(1))
        };
        let chains: Vec<Chain> = config.chains.into_iter().map(&mut chain).collect();
        let sharers = Sharers::new(&chains);
        let upstreams = chains.iter().map(|chain| chain.upstreams.len());
        let outbox = Outbox::new(upstreams, accounts.len());
        Self {
            chains,
            budget: Budget::new(config.retry_budget),
            rng,
            notes: Notes::new(),
            outbox,
            metered: !accounts.is_empty(),
            accounts,
            sharers,
            spare: Vec::new(),
            shedder: Shedder::new(config.shedding),
            held_wait: config.held_wait,
            calls: 0,
            live_calls: 0,
        }
    }

    /// Begins a call. Never fails: a rejection comes out as [`Action::Complete`].
    pub fn begin(&mut self, now: Instant, request: Request) -> Call {
        self.calls += 1;
        self.live_calls += 1;
        if self.shedder.may_refuse(self.live_calls - 1) && self.sheds(&request, now) {
            return self.shed(request, now);
        }
        self.budget.count_call(now);
        self.begin_counted(now, request)
    }

    /// Begins a call in continuation of one that was answered, but not well enough: for the retry budget it is `cost` retries and not a
    /// call. `None` if they are not left.
    pub fn begin_again(&mut self, now: Instant, request: Request, cost: u32) -> Option<Call> {
        if !self.budget.take(now, cost) {
            let call = CallId(self.calls);
            self.note(now, request.chain, NoteKind::RetryDenied { call });
            return None;
        }
        self.calls += 1;
        self.live_calls += 1;
        Some(self.begin_counted(now, request))
    }

    fn begin_counted(&mut self, now: Instant, request: Request) -> Call {
        let policy = self
            .chain(request.chain)
            .map(|chain| chain.policy(request.policy));
        let policy = policy.unwrap_or_default();
        let strategy = request
            .strategy
            .or(policy.strategy)
            .unwrap_or(StrategyIndex(0));
        let deadline = request.deadline.min(now + policy.timeout);
        let mut call = Call::new(
            CallId(self.calls),
            request,
            strategy,
            deadline,
            policy.attempts,
        );
        call.hurried = request.deadline < now + policy.timeout;
        if deadline <= now {
            let fault = Fault::unsent(FaultClass::DeadlineExceeded, "no_time_left");
            self.emit(&mut call, fault, now);
        } else {
            self.attempt_first(&mut call, now);
        }
        call
    }

    /// Takes in what happened to an attempt, or to the client. Events of attempts that have ended, and of calls
    /// that are over, are ignored.
    pub fn handle_event(&mut self, call: &mut Call, now: Instant, event: Event) {
        if call.is_done() {
            return;
        }
        match event {
            Event::Finished { attempt, result } => self.finished(call, attempt, result, now),
            Event::FirstByte { attempt } => {
                if let Some(attempt) = call.live(attempt) {
                    attempt.first_byte = attempt.first_byte.min(now);
                    let upstream = attempt.upstream;
                    call.hedge_at = Instant::NEVER;
                    if let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) {
                        chain.heard(upstream, call.request.method, now);
                    }
                }
            }
            Event::Committed { attempt } => self.committed(call, attempt, now),
            Event::Stale { attempt, sent } => self.stale(call, attempt, sent, now),
            Event::ClientGone => {
                let fault = Fault {
                    sent: call.sent || call.has_live(),
                    ..Fault::new(FaultClass::Cancelled, "client_gone")
                };
                self.abort(call, fault, now);
            }
        }
    }

    /// Does what is due at `now`. Harmless if nothing is.
    pub fn handle_timeout(&mut self, call: &mut Call, now: Instant) {
        // Bounded: each turn ends an attempt.
        while let Some(attempt) = call.first_live_due(now) {
            call.cancel(attempt);
            let fault = Fault::new(FaultClass::Timeout, "attempt_deadline");
            self.finished(call, attempt, Err(fault), now);
        }
        self.listen(call, now);
        match call.phase {
            Phase::Done => {}
            _ if now >= call.deadline => self.give_up(call, now),
            Phase::Backoff { until } if now >= until => self.return_from_backoff(call, now),
            Phase::Attempting if now >= call.hedge_at => self.hedge(call, now),
            Phase::Backoff { .. } | Phase::Attempting | Phase::Committed { .. } => {}
        }
    }

    /// The next thing to do; poll until `None` after each verb.
    pub fn poll_action(&mut self, call: &mut Call, now: Instant) -> Option<Action> {
        // Everything is decided in the verb that caused it; `now` is there for decisions that may have to wait for the poll.
        let _ = now;
        call.pop()
    }

    /// Takes back the room of a call that is over, for the next one: without this a call with several attempts allocates. Its attempts cannot
    /// be asked for any more.
    pub fn reclaim(&mut self, call: &mut Call) {
        if call.is_done()
            && let Some(room) = call.give_room()
            && self.spare.len() < MAX_SPARE
        {
            self.spare.push(room);
        }
    }

    /// When [`Self::handle_timeout`] must be called if nothing happens before; `None` once the call is over.
    #[must_use]
    pub fn next_deadline(&self, call: &Call) -> Option<Instant> {
        call.next_deadline()
    }

    /// The oldest observation that waits. Drain them after every verb: a call makes two or three, and only
    /// [`MAX_NOTES`](crate::note::MAX_NOTES) are kept.
    pub fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop()
    }

    /// How many notes were dropped because nobody polled.
    #[must_use]
    pub const fn notes_dropped(&self) -> u64 {
        self.notes.dropped()
    }

    /// An upstream has an address now, or has none. Upstreams start with one.
    pub fn set_reachable(&mut self, chain: ChainIndex, upstream: UpstreamIndex, reachable: bool) {
        if let Some(state) = self.chains.get_mut(chain.as_usize()) {
            state.set_reachable(upstream, reachable);
        }
    }

    /// Drains an upstream, or takes it back: it gets no more calls while anybody else can serve them, and those that are out go on.
    pub fn set_drained(&mut self, chain: ChainIndex, upstream: UpstreamIndex, drained: bool) {
        if let Some(state) = self.chains.get_mut(chain.as_usize()) {
            state.set_drained(upstream, drained);
        }
    }

    fn chain(&self, chain: ChainIndex) -> Option<&Chain> {
        self.chains.get(chain.as_usize())
    }

    fn note(&mut self, now: Instant, chain: ChainIndex, kind: NoteKind) {
        self.notes.push(now, chain, kind);
    }

    fn finished(
        &mut self,
        call: &mut Call,
        id: AttemptId,
        result: Result<(), Fault>,
        now: Instant,
    ) {
        let was_committed = call.phase == Phase::Committed { attempt: id };
        let Some(attempt) = call.end(id) else {
            return;
        };
        self.settle(call, id, &attempt, result, now);
        match result {
            Ok(()) => self.relay(call, id, None, now),
            Err(fault) if was_committed => self.abort(call, fault, now),
            Err(fault) => self.failed(call, id, &attempt, fault, now),
        }
    }

    fn committed(&mut self, call: &mut Call, id: AttemptId, now: Instant) {
        let deadline = call.deadline;
        let Some(attempt) = call.live(id) else {
            return;
        };
        let upstream = attempt.upstream;
        // No other upstream can help from here on, so the attempt may use all that is left.
        attempt.deadline = deadline;
        attempt.committed = true;
        attempt.first_byte = attempt.first_byte.min(now);
        call.hedge_at = Instant::NEVER;
        if let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) {
            chain.heard(upstream, call.request.method, now);
        }
        self.cancel_live(call, Some(id), true, now);
        call.phase = Phase::Committed { attempt: id };
    }

    fn stale(&mut self, call: &mut Call, id: AttemptId, sent: bool, now: Instant) {
        let fault = Fault {
            sent,
            ..Fault::new(FaultClass::Transport, "stale_connection")
        };
        self.survey(call, now);
        let is_replaceable = call.live(id).is_some_and(|attempt| !attempt.committed)
            && call.may_send_again(call.sent || sent)
            && !call.replaced_connection
            && now < call.deadline
            && self.admits_again(call, id, now);
        if !is_replaceable {
            return self.finished(call, id, Err(fault), now);
        }
        let Some(attempt) = call.end(id) else {
            return;
        };
        call.sent |= sent;
        call.replaced_connection = true;
        call.attempts_allowed += 1;
        self.settle_stale(call, id, &attempt, &fault, now);
        let has_others = self
            .chain(call.request.chain)
            .is_some_and(|chain| chain.can_go_elsewhere(call, now));
        self.dispatch(call, attempt.upstream, Purpose::Fresh, has_others, now);
    }

    /// Is the upstream of an attempt still one to send to?
    fn admits_again(&self, call: &Call, id: AttemptId, now: Instant) -> bool {
        let chain = self.chain(call.request.chain);
        let upstream = call.upstream_of(id);
        chain
            .zip(upstream)
            .is_some_and(|(chain, upstream)| chain.admits(upstream, call.group, now))
    }
}
