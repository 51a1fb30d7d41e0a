//! What a shard tells its recorder, one verb for each thing that happens. The verbs know which cells an
//! event touches; callers only know that it happened.
//! Never takes a name: chains, upstreams, methods and classes come as the engine's indices.

use crate::labels::{
    AttemptOutcome, CallOutcome, ConnectOutcome, ConnectionRefusal, PoolState, RequestRefusal,
    ResolveOutcome, RetryKind, status_index,
};
use crate::metrics::Metric;
use crate::recorder::Recorder;

/// An HTTP request (or WebSocket frame) that was answered.
#[derive(Clone, Copy, Debug)]
pub struct RequestRecord {
    /// The HTTP status sent.
    pub status: u16,
    /// From the whole head to the last byte of the answer.
    pub duration_us: u64,
    /// Calls in the batch; `None` for a single call.
    pub batch_calls: Option<usize>,
}

/// A JSON-RPC call that ended.
#[derive(Clone, Copy, Debug)]
pub struct CallRecord {
    /// Index of the chain.
    pub chain: usize,
    /// Index of the method; anything beyond the list counts as `_OTHER`.
    pub method: usize,
    /// How it ended.
    pub outcome: CallOutcome,
    /// Index of the fault class the client was told of, for a call that ended in one.
    pub class: Option<usize>,
    /// From `begin` to the outcome.
    pub duration_us: u64,
}

/// An attempt at an upstream that ended.
#[derive(Clone, Copy, Debug)]
pub struct AttemptRecord {
    /// Index of the chain.
    pub chain: usize,
    /// Index of the upstream within the chain.
    pub upstream: usize,
    /// Index of the method; anything beyond the list counts as `_OTHER`.
    pub method: usize,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Index of the fault class, for an attempt that ended in a fault.
    pub class: Option<usize>,
    /// From the dispatch to the judged answer.
    pub duration_us: u64,
    /// From the dispatch to the answer's first byte, if one came.
    pub first_byte_us: Option<u64>,
    /// Bytes sent, the head included.
    pub sent_bytes: u64,
    /// Bytes received, the head included.
    pub received_bytes: u64,
}

/// The levels of one upstream's pool at the time of a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct PoolLevels {
    /// Open and free connections.
    pub idle: u64,
    /// Connections that carry a call.
    pub active: u64,
    /// Connects under way.
    pub connecting: u64,
    /// Attempts that wait for a connection.
    pub waiting: u64,
}

/// The levels of one upstream's standing in the engine at the time of a scrape.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamLevels {
    /// Index of the breaker's state.
    pub breaker_state: usize,
    /// Time until the hold-off ends, 0 without one.
    pub hold_off_us: u64,
    /// Whether the upstream is in quarantine.
    pub quarantined: bool,
    /// Newest block that it reported, 0 when unknown.
    pub head_block: u64,
    /// Blocks behind the best head, 0 when unknown.
    pub head_lag_blocks: u64,
    /// Attempts that have not ended.
    pub in_flight: u64,
}

/// The levels of one shard's runtime at the time of a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuntimeLevels {
    /// Tasks alive.
    pub tasks: u64,
    /// Receive buffers held.
    pub receive_buffers: u64,
    /// Sockets open.
    pub descriptors: u64,
}

/// The client's side.
impl Recorder {
    /// A connection was accepted.
    pub fn connection_opened(&mut self) {
        self.add(Metric::ClientConnectionsAccepted, [], 1);
        self.add(Metric::ClientConnections, [], 1);
    }

    /// An accepted connection was closed.
    pub fn connection_closed(&mut self) {
        self.subtract(Metric::ClientConnections, [], 1);
    }

    /// A connection was turned away.
    pub fn connection_refused(&mut self, why: ConnectionRefusal) {
        self.add(Metric::ClientConnectionsRefused, [why.index()], 1);
    }

    /// Accepting paused for want of descriptors or memory.
    pub fn accept_paused(&mut self) {
        self.add(Metric::AcceptPauses, [], 1);
    }

    /// Bytes went over client sockets.
    #[inline]
    pub fn client_bytes(&mut self, received: u64, sent: u64) {
        self.add(Metric::ClientReceived, [], received);
        self.add(Metric::ClientSent, [], sent);
    }

    /// A request's head was read. Each start is ended by one [`Recorder::request_ended`].
    #[inline]
    pub fn request_started(&mut self) {
        self.add(Metric::RequestsInFlight, [], 1);
    }

    /// A request was answered, a refusal included.
    #[inline]
    pub fn request_ended(&mut self, request: &RequestRecord) {
        self.subtract(Metric::RequestsInFlight, [], 1);
        self.add(Metric::Requests, [status_index(request.status)], 1);
        self.observe(Metric::RequestDuration, [], request.duration_us);
        if let Some(calls) = request.batch_calls {
            self.observe(Metric::BatchCalls, [], calls as u64);
        }
    }

    /// A started request ended without an answer: its connection was lost or cut.
    pub fn request_lost(&mut self) {
        self.subtract(Metric::RequestsInFlight, [], 1);
    }

    /// A request was refused before it became calls.
    pub fn request_refused(&mut self, why: RequestRefusal) {
        self.add(Metric::RequestsRefused, [why.index()], 1);
    }

    /// A call began. Each start is ended by one [`Recorder::call_ended`].
    #[inline]
    pub fn call_started(&mut self, chain: usize) {
        self.add(Metric::CallsInFlight, [chain], 1);
    }

    /// A call ended.
    #[inline]
    pub fn call_ended(&mut self, call: &CallRecord) {
        let method = self.method_cell(call.method);
        self.subtract(Metric::CallsInFlight, [call.chain], 1);
        self.add(Metric::Calls, [call.chain, method, call.outcome.index()], 1);
        self.observe(Metric::CallDuration, [call.chain, method], call.duration_us);
        if let Some(class) = call.class {
            self.add(Metric::CallFaults, [call.chain, class], 1);
        }
    }

    /// An answer was longer than `hold_bytes` and is relayed while it arrives.
    pub fn response_streamed(&mut self, chain: usize) {
        self.add(Metric::StreamedResponses, [chain], 1);
    }

    /// An answer was cut after its first bytes had gone out.
    pub fn response_aborted(&mut self, chain: usize) {
        self.add(Metric::AbortedResponses, [chain], 1);
    }
}

/// The upstreams' side.
impl Recorder {
    /// An attempt ended. Its duration counts when the upstream answered (a result, or the node's own error):
    /// a refused connect is not a fast answer, and a cancelled attempt has none.
    #[inline]
    pub fn attempt_ended(&mut self, attempt: &AttemptRecord) {
        let upstream = self.flat_upstream(attempt.chain, attempt.upstream);
        let method = self.method_cell(attempt.method);
        self.add(
            Metric::Attempts,
            [upstream, method, attempt.outcome.index()],
            1,
        );
        if matches!(
            attempt.outcome,
            AttemptOutcome::Ok | AttemptOutcome::NodeError
        ) {
            self.observe(
                Metric::AttemptDuration,
                [upstream, method],
                attempt.duration_us,
            );
        }
        if let Some(first_byte_us) = attempt.first_byte_us {
            self.observe(Metric::AttemptFirstByte, [upstream], first_byte_us);
        }
        if let Some(class) = attempt.class {
            self.add(Metric::Faults, [upstream, class], 1);
        }
        self.add(Metric::UpstreamSent, [upstream], attempt.sent_bytes);
        self.add(Metric::UpstreamReceived, [upstream], attempt.received_bytes);
    }

    /// An attempt is made beside the call's first: after one that failed, or as a hedge.
    pub fn retried(&mut self, chain: usize, kind: RetryKind) {
        self.add(Metric::Retries, [chain, kind.index()], 1);
    }

    /// The retry budget refused a retry.
    pub fn retry_denied(&mut self, chain: usize) {
        self.add(Metric::RetriesDenied, [chain], 1);
    }

    /// A strategy chose an upstream.
    #[inline]
    pub fn selected(&mut self, chain: usize, upstream: usize, strategy: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::Selections, [upstream, strategy], 1);
    }

    /// An upstream was left out of a candidate set.
    #[inline]
    pub fn excluded(&mut self, chain: usize, upstream: usize, reason: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::CandidatesExcluded, [upstream, reason], 1);
    }

    /// No upstream was eligible and this one was tried as the least bad.
    pub fn least_bad_chosen(&mut self, chain: usize, upstream: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::LeastBad, [upstream], 1);
    }

    /// No upstream could be tried at all.
    pub fn nothing_eligible(&mut self, chain: usize) {
        self.add(Metric::NothingEligible, [chain], 1);
    }

    /// A hold-off began.
    pub fn held_off(&mut self, chain: usize, upstream: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::HoldOffs, [upstream], 1);
    }

    /// An upstream was put in quarantine.
    pub fn quarantined(&mut self, chain: usize, upstream: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::Quarantines, [upstream], 1);
    }

    /// A method was banned from an upstream.
    pub fn method_banned(&mut self, chain: usize, upstream: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::MethodBans, [upstream], 1);
    }

    /// A breaker entered a state.
    pub fn breaker_entered(&mut self, chain: usize, upstream: usize, state: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::BreakerTransitions, [upstream, state], 1);
    }

    /// A connect ended; `duration_us` counts when it succeeded.
    pub fn connect_ended(
        &mut self,
        chain: usize,
        upstream: usize,
        outcome: ConnectOutcome,
        duration_us: u64,
    ) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::Connects, [upstream, outcome.index()], 1);
        if outcome == ConnectOutcome::Ok {
            self.observe(Metric::ConnectDuration, [upstream], duration_us);
        }
    }

    /// A pooled connection was found closed or unclean.
    pub fn connection_stale(&mut self, chain: usize, upstream: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::StaleConnections, [upstream], 1);
    }

    /// The queue for a connection was full.
    pub fn pool_refused(&mut self, chain: usize, upstream: usize) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::PoolRefused, [upstream], 1);
    }

    /// The pool's levels, as they are now.
    pub fn set_pool(&mut self, chain: usize, upstream: usize, levels: &PoolLevels) {
        let upstream = self.flat_upstream(chain, upstream);
        self.set(
            Metric::PoolConnections,
            [upstream, PoolState::Idle.index()],
            levels.idle,
        );
        self.set(
            Metric::PoolConnections,
            [upstream, PoolState::Active.index()],
            levels.active,
        );
        self.set(
            Metric::PoolConnections,
            [upstream, PoolState::Connecting.index()],
            levels.connecting,
        );
        self.set(Metric::PoolWaiting, [upstream], levels.waiting);
    }

    /// The upstream's standing, as it is now.
    pub fn set_upstream(&mut self, chain: usize, upstream: usize, levels: &UpstreamLevels) {
        let upstream = self.flat_upstream(chain, upstream);
        for state in 0..self.dimensions().breaker_states.len() {
            self.set(
                Metric::BreakerState,
                [upstream, state],
                u64::from(state == levels.breaker_state),
            );
        }
        self.set(Metric::HoldOff, [upstream], levels.hold_off_us);
        self.set(
            Metric::Quarantined,
            [upstream],
            u64::from(levels.quarantined),
        );
        self.set(Metric::HeadBlock, [upstream], levels.head_block);
        self.set(Metric::HeadLag, [upstream], levels.head_lag_blocks);
        self.set(Metric::AttemptsInFlight, [upstream], levels.in_flight);
    }
}

/// The process and its shards.
impl Recorder {
    /// Whether this shard serves.
    pub fn set_ready(&mut self, ready: bool) {
        let shard = self.shard();
        self.set(Metric::ShardReady, [shard], u64::from(ready));
    }

    /// This shard's runtime, as it is now.
    pub fn set_runtime(&mut self, levels: &RuntimeLevels) {
        let shard = self.shard();
        self.set(Metric::ShardTasks, [shard], levels.tasks);
        self.set(Metric::ShardBuffers, [shard], levels.receive_buffers);
        self.set(Metric::ShardDescriptors, [shard], levels.descriptors);
    }

    /// Tasks of this shard that panicked so far.
    pub fn set_task_panics(&mut self, total: u64) {
        self.set(Metric::TaskPanics, [], total);
    }

    /// Whether the process drains.
    pub fn set_draining(&mut self, draining: bool) {
        self.set(Metric::Draining, [], u64::from(draining));
    }

    /// The configuration in force.
    pub fn set_config_epoch(&mut self, epoch: u64) {
        self.set(Metric::ConfigEpoch, [], epoch);
    }

    /// Sets the constant series that describe the program and who is behind each upstream. Once, by one recorder.
    pub fn set_identity(&mut self, started_unix_us: u64) {
        self.set(Metric::BuildInfo, [0], 1);
        self.set(Metric::ProcessStart, [], started_unix_us);
        for upstream in 0..self.dimensions().upstream_count() {
            self.set(Metric::UpstreamInfo, [upstream], 1);
        }
    }

    /// Notes of the engine had no room.
    pub fn notes_dropped(&mut self, count: u64) {
        self.add(Metric::NotesDropped, [], count);
    }

    /// Events found no room in the access log's queue.
    pub fn events_dropped(&mut self, count: u64) {
        self.add(Metric::EventsDropped, [], count);
    }

    /// What the access log's writer has done so far. One recorder only.
    pub fn set_events_written(&mut self, written: u64, lost: u64) {
        self.set(Metric::EventsLogged, [], written);
        self.set(Metric::EventsDropped, [], lost);
    }

    /// A lookup of a host's addresses ended.
    pub fn resolve_ended(&mut self, outcome: ResolveOutcome) {
        self.add(Metric::Resolves, [outcome.index()], 1);
    }
}
