//! The levels of one shard, read off its parts for a scrape. It counts nothing and names no metric.

use engine::account::Tally;
use engine::index::{AccountIndex, ChainIndex};
use engine::method::MethodGroup;
use engine::shard::UpstreamView;
use engine::time::Instant;
use mailbox::gossip::Port;
use telemetry::{
    AccountLevels, BearingLevels, CacheLevels, ChainLevels, GossipLevels, PeriodLevels, PoolLevels,
    Recorder, RuntimeLevels, UpstreamLevels,
};

use super::snapshot::nanos;
use super::worker::Worker;

impl Worker {
    /// Sets the levels as they are now.
    pub fn set_levels(&self) {
        let now = self.now();
        let mut recorder = self.recorder.borrow_mut();
        let engine = self.engine.borrow();
        for view in engine.views(now) {
            set_view(&mut recorder, &view, now);
            let batch = engine.max_batch(view.chain, view.upstream, now);
            set_bearing(&mut recorder, &view, batch);
        }
        drop(engine);
        self.set_accounts(&mut recorder, now);
        for upstream in self.chains.iter().flat_map(|chain| &chain.upstreams) {
            let usage = upstream.pool.usage();
            recorder.set_pool(
                upstream.chain.as_usize(),
                upstream.index.as_usize(),
                &PoolLevels {
                    idle: usage.idle as u64,
                    active: usage.active as u64,
                    connecting: usage.connecting as u64,
                    waiting: usage.waiting as u64,
                },
            );
        }
        for chain in 0..self.chains.len() {
            let index = ChainIndex(chain as u16);
            let engine = self.engine.borrow();
            let head = engine.chain_head(index);
            let block_time = engine.block_time(index).unwrap_or_default();
            drop(engine);
            recorder.set_chain(
                chain,
                &ChainLevels {
                    newest: head.newest.unwrap_or(0),
                    safe: head.safe.unwrap_or(0),
                    finalized: head.finalized.unwrap_or(0),
                    block_time_us: u64::try_from(block_time.as_micros()).unwrap_or(u64::MAX),
                },
            );
        }
        let held = self.cache.held();
        recorder.set_cache(&CacheLevels {
            bytes: held.bytes,
            entries: held.entries,
            max_bytes: held.max_bytes,
        });
        recorder.cache_evicted(held.evictions - self.evictions.replace(held.evictions));
        let told = self.gossip.as_ref().map(Port::counts).unwrap_or_default();
        recorder.set_gossip(&GossipLevels {
            sent: told.sent,
            received: told.received,
            dropped: told.dropped,
        });
        let counters = rt::counters();
        recorder.set_runtime(&RuntimeLevels {
            tasks: counters.tasks,
            receive_buffers: counters.chunks_out,
            descriptors: counters.streams,
        });
        recorder.set_task_panics(counters.panics);
        let pauses = counters.accept_pauses;
        for _ in self.accept_pauses.replace(pauses)..pauses {
            recorder.accept_paused();
        }
        recorder.set_ready(!self.draining());
        recorder.set_draining(self.draining());
    }
}

impl Worker {
    /// The accounts that the configuration names.
    fn set_accounts(&self, recorder: &mut Recorder, now: Instant) {
        let mut engine = self.engine.borrow_mut();
        for (at, _) in (0_u16..).zip(&self.epoch.config.accounts) {
            let Some(view) = engine.account(AccountIndex(at), now) else {
                continue;
            };
            let period = |tally: Tally| PeriodLevels {
                calls: tally.calls,
                units: tally.units,
            };
            recorder.set_account(
                usize::from(at),
                &AccountLevels {
                    today: period(view.today),
                    this_month: period(view.this_month),
                    second: view.second,
                    room_permille: view.room_permille.into(),
                    paid_pico: view.paid_pico,
                },
            );
        }
    }
}

/// How an upstream stands.
fn set_view(recorder: &mut Recorder, view: &UpstreamView, now: Instant) {
    let (chain, upstream) = (view.chain.as_usize(), view.upstream.as_usize());
    let held = view
        .held_until
        .map(|until| until.saturating_duration_since(now));
    recorder.set_upstream(
        chain,
        upstream,
        &UpstreamLevels {
            breaker_state: view.breaker as usize,
            hold_off_us: held.map_or(0, |span| nanos(span) / 1000),
            quarantined: view.quarantined.is_some(),
            head_block: view.head.unwrap_or(0),
            head_lag_blocks: view.lag_blocks.unwrap_or(0),
            in_flight: u64::from(view.in_flight),
        },
    );
    for (group, state) in MethodGroup::ALL.into_iter().zip(view.groups) {
        recorder.set_breaker_group(chain, upstream, group as usize, state as usize);
    }
}

/// What an upstream bears.
fn set_bearing(recorder: &mut Recorder, view: &UpstreamView, batch: Option<u32>) {
    recorder.set_bearing(
        view.chain.as_usize(),
        view.upstream.as_usize(),
        &BearingLevels {
            withheld_permille: 1_000_u32.saturating_sub(view.share_permille).into(),
            on_probation: view.on_probation,
            limit_in_flight: view.max_in_flight.unwrap_or(0).into(),
            limit_rate_millis: view.max_rate_millis.unwrap_or(0),
            saturated: view.saturated,
            drained: view.drained,
            batch_calls: batch.unwrap_or(0).into(),
        },
    );
}
