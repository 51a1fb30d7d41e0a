//! What the engine noted, as counters and lines of the log. It decides nothing, and names no metric.

use engine::index::UpstreamIndex;
use engine::learned::Learned;
use engine::limit::Limit;
use engine::note::{Note, NoteKind, Purpose};
use engine::shed::Priority;
use telemetry::{HedgeOutcome, LearnedKind, LimitKind, Recorder, RetryKind};

use super::worker::Worker;

impl Worker {
    /// Turns what the engine noted into counters, log lines and, through `selection`, events. To be called
    /// after every verb.
    pub fn take_notes(&self, mut selection: impl FnMut(&Note)) {
        // Nothing is held while `selection` runs: it counts too, when it has to drop an event.
        loop {
            let Some(note) = self.engine.borrow_mut().poll_note() else {
                break;
            };
            self.record_note(&mut self.recorder.borrow_mut(), &note);
            if matches!(
                note.kind,
                NoteKind::Selected { .. } | NoteKind::NothingEligible { .. }
            ) {
                selection(&note);
            }
        }
        let dropped = self.engine.borrow().notes_dropped();
        let new = dropped - self.notes_dropped.replace(dropped);
        if new > 0 {
            self.recorder.borrow_mut().notes_dropped(new);
        }
    }

    fn record_note(&self, recorder: &mut Recorder, note: &Note) {
        let chain = note.chain.as_usize();
        match note.kind {
            NoteKind::Selected {
                strategy,
                chosen,
                left_out,
                least_bad,
                ..
            } => {
                let kind = self.chain(note.chain).map(|c| c.kind_of(strategy));
                let kind = kind.unwrap_or(0);
                recorder.selected(chain, chosen.as_usize(), kind);
                if least_bad.is_some() {
                    recorder.least_bad_chosen(chain, chosen.as_usize());
                }
                for (upstream, why) in left_out.iter() {
                    recorder.excluded(chain, upstream.as_usize(), why as usize);
                }
            }
            NoteKind::NothingEligible { left_out, .. } => {
                recorder.nothing_eligible(chain);
                for (upstream, why) in left_out.iter() {
                    recorder.excluded(chain, upstream.as_usize(), why as usize);
                }
            }
            NoteKind::AttemptStarted { purpose, .. } => match purpose {
                Purpose::First => (),
                Purpose::Hedge => recorder.retried(chain, RetryKind::Hedge),
                Purpose::Race => recorder.retried(chain, RetryKind::Race),
                Purpose::Retry => recorder.retried(chain, RetryKind::Retry),
                Purpose::Reroute => recorder.retried(chain, RetryKind::Reroute),
                Purpose::Fresh => recorder.retried(chain, RetryKind::Fresh),
            },
            NoteKind::RetryDenied { .. } => recorder.retry_denied(chain),
            NoteKind::HedgeDenied { .. } => recorder.hedge_ended(chain, HedgeOutcome::Denied),
            NoteKind::Banned { upstream, .. } => recorder.method_banned(chain, upstream.as_usize()),
            NoteKind::RaceDenied { .. } => recorder.race_denied(chain),
            NoteKind::Priced {
                price_pico,
                best_pico,
                ..
            } => recorder.priced(chain, price_pico, best_pico),
            NoteKind::Spent {
                upstream,
                units,
                price_pico,
                ..
            } => recorder.spent(chain, upstream.as_usize(), units.into(), price_pico),
            NoteKind::Shed { priority, .. } => recorder.call_shed(chain, priority as usize),
            NoteKind::Hopeless { .. } => recorder.call_hopeless(chain),
            NoteKind::Held { .. } => recorder.call_held(chain),
            NoteKind::AttemptFinished { .. }
            | NoteKind::AttemptCancelled { .. }
            | NoteKind::Paused { .. }
            | NoteKind::HoldOffEnded { .. }
            | NoteKind::Probed { .. } => (),
            _ => self.record_turn(recorder, note),
        }
    }

    /// What happens seldom, and is worth a line of the log.
    #[inline(never)]
    fn record_turn(&self, recorder: &mut Recorder, note: &Note) {
        let chain = note.chain.as_usize();
        let name =
            |upstream: UpstreamIndex| self.upstream(note.chain, upstream).map_or("", |u| &u.name);
        let chain_name = || self.configured(note.chain).map_or("", |c| c.name.as_str());
        match note.kind {
            NoteKind::Breaker {
                upstream,
                group,
                to,
                ..
            } => {
                let (at, state) = (upstream.as_usize(), to.label());
                let upstream = name(upstream);
                match group {
                    Some(group) => {
                        recorder.breaker_group_entered(chain, at, group as usize, to as usize);
                        tracing::info!(upstream, group = group.label(), state, "breaker");
                    }
                    None => {
                        recorder.breaker_entered(chain, at, to as usize);
                        tracing::info!(upstream, state, "breaker");
                    }
                }
            }
            NoteKind::HoldOffBegan { upstream, until } => {
                recorder.held_off(chain, upstream.as_usize());
                let for_ms = until.saturating_duration_since(note.at).as_millis() as u64;
                tracing::info!(upstream = name(upstream), for_ms, "throttled, held off");
            }
            NoteKind::AccountHeldOff { account, until } => {
                recorder.account_held_off(account.as_usize());
                let for_ms = until.saturating_duration_since(note.at).as_millis() as u64;
                let accounts = &self.epoch.config.accounts;
                let account = accounts.get(account.as_usize());
                let account = account.map_or("", |account| account.name.as_str());
                tracing::info!(account, for_ms, "two of its upstreams throttled: held off");
            }
            NoteKind::Quarantined {
                upstream, cause, ..
            } => {
                recorder.quarantined(chain, upstream.as_usize());
                tracing::warn!(
                    upstream = name(upstream),
                    cause = cause.label(),
                    "quarantined: an operator should look"
                );
            }
            NoteKind::Released { upstream } => {
                tracing::info!(upstream = name(upstream), "out of quarantine");
            }
            NoteKind::ProbationBegan { upstream } => {
                recorder.probation_began(chain, upstream.as_usize());
                tracing::info!(upstream = name(upstream), "on probation: its share grows");
            }
            NoteKind::ProbationEnded { upstream } => {
                tracing::info!(upstream = name(upstream), "has its whole share again");
            }
            NoteKind::Lagging {
                upstream,
                lag_blocks,
                left_out,
            } => {
                tracing::info!(upstream = name(upstream), lag_blocks, left_out, "head lag");
            }
            NoteKind::Limited { upstream, to } => {
                let kind = match to {
                    Limit::InFlight(_) => LimitKind::InFlight,
                    Limit::RateMillis(_) => LimitKind::Rate,
                };
                recorder.limit_found(chain, upstream.as_usize(), kind);
                tracing::debug!(upstream = name(upstream), limit = ?to, "limit");
            }
            NoteKind::Learned { upstream, what } => {
                let kind = match what {
                    Learned::Blocks { .. } => LearnedKind::Blocks,
                    Learned::Batch { .. } => LearnedKind::Batch,
                    Learned::History { .. } => LearnedKind::History,
                };
                recorder.learned(chain, upstream.as_usize(), kind);
                tracing::info!(upstream = name(upstream), ?what, "learned");
            }
            NoteKind::Panic { began, well, of } => {
                recorder.chain_panics(chain, began);
                let chain = chain_name();
                if began {
                    tracing::warn!(
                        chain,
                        well,
                        of,
                        "panic: upstreams that are out are used too"
                    );
                } else {
                    tracing::info!(chain, well, of, "panic is over");
                }
            }
            NoteKind::Overload { lets_in } => {
                recorder.set_shedding(lets_in.map_or(0, |least| least as usize));
                match lets_in.map(Priority::label) {
                    Some(lets_in) => tracing::warn!(lets_in, "overloaded: calls are refused"),
                    None => tracing::info!("no longer overloaded"),
                }
            }
            NoteKind::HeadReset { from, to } => {
                recorder.head_reset(chain);
                tracing::warn!(
                    chain = chain_name(),
                    from,
                    to,
                    "the chain went back: its upstreams name a lower head than they did"
                );
            }
            _ => (),
        }
    }
}
