//! Every metric, declared once: name, kind, unit, labels, help. Recorders, the scrape, the manual page and
//! the naming lint all read this table; no other file names a metric.
//! Names are `livechain_…` in base units (`process_…` where Prometheus has a standing name).
//! Never declares a label whose values a client could invent.

use crate::dimensions::{Dimensions, OTHER_METHOD};
use crate::labels::{
    AttemptOutcome, CacheLifetime, CacheStatus, CallOutcome, ConnectOutcome, ConnectionRefusal,
    FlightOutcome, GossipResult, HeadKind, HeadPoll, HedgeOutcome, LearnedKind, LimitKind, Period,
    PollOutcome, PoolState, RequestRefusal, ResolveOutcome, RetryKind, STATUS_LABELS,
};

/// What a metric's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; shards add up.
    Counter,
    /// A level; shards add up (connections, or "in how many shards").
    GaugeSum,
    /// A level that every shard sees for itself; the highest counts.
    GaugeMax,
    /// A distribution of durations, recorded in µs, shown in seconds.
    Durations,
    /// A distribution of sizes, recorded and shown as whole numbers.
    Sizes,
}

impl Kind {
    /// The type's name in the Prometheus text format.
    #[must_use]
    pub const fn prometheus(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::GaugeSum | Self::GaugeMax => "gauge",
            Self::Durations | Self::Sizes => "histogram",
        }
    }

    /// True for distributions.
    #[must_use]
    pub const fn is_histogram(self) -> bool {
        matches!(self, Self::Durations | Self::Sizes)
    }
}

/// How a cell's whole number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// As it is.
    One,
    /// Microseconds in the cell, seconds in the scrape.
    Micros,
    /// Thousandths in the cell, ones in the scrape.
    Millis,
    /// 10⁻¹² of the currency in the cell, the currency in the scrape.
    Picos,
}

/// A closed set that a metric is split by: one or more labels, one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// `shard`: the shard's number.
    Shard,
    /// `chain`.
    Chain,
    /// `chain`, `upstream`: all chains' upstreams in one row of cells.
    Upstream,
    /// `chain`, `upstream`, `provider`: for the one series that says who is behind an upstream.
    UpstreamProvider,
    /// `method`: the fixed list, then `_OTHER`.
    Method,
    /// `strategy`.
    Strategy,
    /// `class`: the fault class.
    FaultClass,
    /// `state`: the breaker's state.
    BreakerState,
    /// `group`: the kind of work.
    MethodGroup,
    /// `priority` of a call under overload.
    Priority,
    /// `account`: what was agreed with a provider.
    Account,
    /// `period` of the calendar.
    Period,
    /// `kind` of a limit that was found.
    LimitKind,
    /// `kind` of what was learned.
    LearnedKind,
    /// `reason`: why a candidate was left out.
    Exclusion,
    /// `code`: the HTTP status.
    Status,
    /// `outcome` of a call.
    CallOutcome,
    /// `outcome` of an attempt.
    AttemptOutcome,
    /// `outcome` of a connect.
    ConnectOutcome,
    /// `outcome` of an address lookup.
    ResolveOutcome,
    /// `reason` for which a request was refused.
    RequestRefusal,
    /// `reason` for which a connection was refused.
    ConnectionRefusal,
    /// `kind` of an attempt beside the first.
    RetryKind,
    /// `result` of a look into the cache.
    CacheStatus,
    /// `lifetime` of a kept answer.
    CacheLifetime,
    /// `outcome` of a flight.
    FlightOutcome,
    /// `outcome` of a hedge.
    HedgeOutcome,
    /// `kind` of a question for a head.
    HeadPoll,
    /// `outcome` of one.
    PollOutcome,
    /// `kind` of a chain's head.
    HeadKind,
    /// `result` of a message between shards.
    GossipResult,
    /// `state` of a pooled connection.
    PoolState,
    /// `version` of the program.
    Version,
}

impl Axis {
    /// The label names that this axis writes.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Shard => &["shard"],
            Self::Chain => &["chain"],
            Self::Upstream => &["chain", "upstream"],
            Self::UpstreamProvider => &["chain", "upstream", "provider"],
            Self::Method => &["method"],
            Self::Strategy => &["strategy"],
            Self::FaultClass => &["class"],
            Self::BreakerState | Self::PoolState => &["state"],
            Self::Exclusion | Self::RequestRefusal | Self::ConnectionRefusal => &["reason"],
            Self::Status => &["code"],
            Self::CallOutcome
            | Self::AttemptOutcome
            | Self::ConnectOutcome
            | Self::ResolveOutcome
            | Self::FlightOutcome
            | Self::HedgeOutcome
            | Self::PollOutcome => &["outcome"],
            Self::RetryKind
            | Self::HeadPoll
            | Self::HeadKind
            | Self::LimitKind
            | Self::LearnedKind => &["kind"],
            Self::MethodGroup => &["group"],
            Self::Priority => &["priority"],
            Self::Account => &["account"],
            Self::Period => &["period"],
            Self::CacheStatus | Self::GossipResult => &["result"],
            Self::CacheLifetime => &["lifetime"],
            Self::Version => &["version"],
        }
    }

    /// The labels of an axis whose values do not depend on the configuration.
    #[must_use]
    pub const fn fixed_labels(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Status => Some(STATUS_LABELS),
            Self::CallOutcome => Some(CallOutcome::LABELS),
            Self::AttemptOutcome => Some(AttemptOutcome::LABELS),
            Self::ConnectOutcome => Some(ConnectOutcome::LABELS),
            Self::ResolveOutcome => Some(ResolveOutcome::LABELS),
            Self::RequestRefusal => Some(RequestRefusal::LABELS),
            Self::ConnectionRefusal => Some(ConnectionRefusal::LABELS),
            Self::RetryKind => Some(RetryKind::LABELS),
            Self::CacheStatus => Some(CacheStatus::LABELS),
            Self::CacheLifetime => Some(CacheLifetime::LABELS),
            Self::FlightOutcome => Some(FlightOutcome::LABELS),
            Self::HedgeOutcome => Some(HedgeOutcome::LABELS),
            Self::HeadPoll => Some(HeadPoll::LABELS),
            Self::PollOutcome => Some(PollOutcome::LABELS),
            Self::HeadKind => Some(HeadKind::LABELS),
            Self::LimitKind => Some(LimitKind::LABELS),
            Self::LearnedKind => Some(LearnedKind::LABELS),
            Self::Period => Some(Period::LABELS),
            Self::GossipResult => Some(GossipResult::LABELS),
            Self::PoolState => Some(PoolState::LABELS),
            _ => None,
        }
    }

    /// How many values the axis has.
    #[must_use]
    pub fn len(self, dimensions: &Dimensions) -> usize {
        match self {
            Self::Shard => dimensions.shards,
            Self::Chain => dimensions.chains.len(),
            Self::Upstream | Self::UpstreamProvider => dimensions.upstream_count(),
            Self::Method => dimensions.methods.len() + 1,
            Self::Strategy => dimensions.strategies.len(),
            Self::FaultClass => dimensions.fault_classes.len(),
            Self::BreakerState => dimensions.breaker_states.len(),
            Self::MethodGroup => dimensions.method_groups.len(),
            Self::Priority => dimensions.priorities.len(),
            Self::Account => dimensions.accounts.len(),
            Self::Exclusion => dimensions.exclusions.len(),
            Self::Version => 1,
            _ => self.fixed_labels().map_or(0, <[&str]>::len),
        }
    }

    /// Calls `put(label, value)` for each label of the value at `index`; nothing for an index out of range.
    pub fn describe(
        self,
        dimensions: &Dimensions,
        index: usize,
        mut put: impl FnMut(&'static str, &str),
    ) {
        let listed = |list: &[&'static str]| list.get(index).copied();
        let single = match self {
            Self::Shard => return put("shard", itoa::Buffer::new().format(index)),
            Self::Upstream | Self::UpstreamProvider => {
                if let Some((chain, upstream)) = dimensions.flat_upstream(index) {
                    put("chain", &chain.name);
                    put("upstream", &upstream.name);
                    if self == Self::UpstreamProvider {
                        put("provider", &upstream.provider);
                    }
                }
                return;
            }
            Self::Chain => dimensions
                .chains
                .get(index)
                .map(|chain| chain.name.as_str()),
            Self::Method => Some(listed(&dimensions.methods).unwrap_or(OTHER_METHOD)),
            Self::Strategy => listed(&dimensions.strategies),
            Self::FaultClass => listed(&dimensions.fault_classes),
            Self::BreakerState => listed(&dimensions.breaker_states),
            Self::MethodGroup => listed(&dimensions.method_groups),
            Self::Priority => listed(&dimensions.priorities),
            Self::Account => dimensions.accounts.get(index).map(String::as_str),
            Self::Exclusion => listed(&dimensions.exclusions),
            Self::Version => Some(dimensions.version),
            _ => self
                .fixed_labels()
                .and_then(|labels| labels.get(index).copied()),
        };
        if let (Some(name), Some(value)) = (self.names().first(), single) {
            put(name, value);
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct MetricSpec {
    /// The metric's name in a scrape.
    pub name: &'static str,
    /// What its number means.
    pub kind: Kind,
    /// How its number is shown.
    pub unit: Unit,
    /// What it is split by, outermost first.
    pub axes: &'static [Axis],
    /// One sentence for `# HELP` and the manual.
    pub help: &'static str,
}

impl MetricSpec {
    /// Whether series that were never touched are left out of a scrape. Only what is split by method is
    /// sparse: everything else starts at 0, so that a first occurrence is a step that `rate()` sees.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        self.axes.contains(&Axis::Method)
    }
}

macro_rules! metrics {
    ($($id:ident: $name:literal $kind:ident $unit:ident [$($axis:ident),*] $help:literal;)+) => {
        /// A metric's place in [`METRICS`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Metric { $(#[doc = $help] $id,)+ }

        /// The table: every metric of the program.
        pub const METRICS: &[MetricSpec] = &[$(MetricSpec {
            name: $name, kind: Kind::$kind, unit: Unit::$unit, axes: &[$(Axis::$axis),*], help: $help,
        },)+];

        impl Metric {
            /// Every metric, in the table's order.
            pub const ALL: &'static [Self] = &[$(Self::$id),+];
        }
    };
}

metrics! {
    // What clients ask.
    Requests: "livechain_requests_total" Counter One [Status]
        "HTTP requests answered, by status code.";
    RequestsRefused: "livechain_requests_refused_total" Counter One [RequestRefusal]
        "HTTP requests refused before they became calls.";
    RequestsInFlight: "livechain_requests_in_flight" GaugeSum One []
        "HTTP requests whose head was read and whose answer is not yet out.";
    RequestDuration: "livechain_request_duration_seconds" Durations Micros []
        "Time from a request's whole head to the last byte of its answer.";
    BatchCalls: "livechain_batch_calls" Sizes One []
        "Calls in a client's JSON-RPC batch.";
    Calls: "livechain_calls_total" Counter One [Chain, Method, CallOutcome]
        "JSON-RPC calls by how they ended for the client.";
    CallsInFlight: "livechain_calls_in_flight" GaugeSum One [Chain]
        "JSON-RPC calls begun and not yet ended.";
    CallFaults: "livechain_call_faults_total" Counter One [Chain, FaultClass]
        "Calls that ended in a fault, by the class that the client was told of.";
    CallDuration: "livechain_call_duration_seconds" Durations Micros [Chain, Method]
        "Time from a call's start to its outcome.";

    // What upstreams are asked.
    Attempts: "livechain_attempts_total" Counter One [Upstream, Method, AttemptOutcome]
        "Attempts at an upstream by how they ended.";
    AttemptDuration: "livechain_attempt_duration_seconds" Durations Micros [Upstream, Method]
        "Time from an attempt's dispatch to the upstream's whole answer; attempts that ended in a fault or were cancelled are not in it.";
    AttemptFirstByte: "livechain_attempt_first_byte_seconds" Durations Micros [Upstream]
        "Time from an attempt's dispatch to the first byte of its answer.";
    Faults: "livechain_faults_total" Counter One [Upstream, FaultClass]
        "Attempts that ended in a fault, by its class.";
    Retries: "livechain_retries_total" Counter One [Chain, RetryKind]
        "Attempts of a call beside its first: after one that failed, as a hedge beside one that is slow, or in a race.";
    RetriesDenied: "livechain_retries_denied_total" Counter One [Chain]
        "Retries that the retry budget did not allow.";
    RacesDenied: "livechain_races_denied_total" Counter One [Chain]
        "Calls that were raced at fewer upstreams than their strategy says, because races had had their part of the calls.";
    CallsShed: "livechain_calls_shed_total" Counter One [Chain, Priority]
        "Calls refused because the shard was overloaded, by what they are worth.";
    CallsHopeless: "livechain_calls_hopeless_total" Counter One [Chain]
        "Calls that no upstream could have answered in the time that they had left, so that none was asked.";
    CallsHeld: "livechain_calls_held_total" Counter One [Chain]
        "Calls that waited since every upstream that could take them throttled us or had all the calls a second that it was found to serve, or no retry was left after a throttle.";
    AttemptsInFlight: "livechain_attempts_in_flight" GaugeSum One [Upstream]
        "Attempts at the upstream that have not ended.";
    StreamedResponses: "livechain_streamed_responses_total" Counter One [Chain]
        "Answers relayed while they were still arriving, because they were longer than hold_bytes.";
    AbortedResponses: "livechain_aborted_responses_total" Counter One [Chain]
        "Answers cut after their first bytes had gone to the client.";

    // What need not be asked, or is asked twice.
    CacheLookups: "livechain_cache_lookups_total" Counter One [Chain, CacheStatus]
        "Calls by what the cache did for them: a hit, an answer shared with a call in flight, or why neither.";
    CacheStored: "livechain_cache_stored_total" Counter One [Chain, CacheLifetime]
        "Answers put into the cache, by how long they are good.";
    CacheEvictions: "livechain_cache_evictions_total" Counter One []
        "Answers that the cache dropped to stay within its budget.";
    CacheBytes: "livechain_cache_bytes" GaugeSum One []
        "Bytes that kept answers take, keys included.";
    CacheEntries: "livechain_cache_entries" GaugeSum One []
        "Answers in the cache, those included that are no longer good and not yet replaced.";
    CacheMaxBytes: "livechain_cache_max_bytes" GaugeSum One []
        "Bytes that kept answers may take.";
    Flights: "livechain_flights_total" Counter One [Chain, FlightOutcome]
        "Calls that others could join, by how they ended; those that joined are shared in livechain_cache_lookups_total.";
    Hedges: "livechain_hedges_total" Counter One [Chain, HedgeOutcome]
        "Attempts beside a call's first, as a hedge or in a race, by what became of them.";

    // What is known of the chains.
    HeadPolls: "livechain_head_polls_total" Counter One [Upstream, HeadPoll, PollOutcome]
        "Questions for a chain's heads, each a call that the provider counts.";
    ChainHead: "livechain_chain_head_block" GaugeMax One [Chain, HeadKind]
        "Block number of the chain's head as clients see it; 0 when none is known.";
    BlockTime: "livechain_block_time_seconds" GaugeMax Micros [Chain]
        "Time between two blocks of the chain as learned from its heads; 0 when unknown.";
    HeadResets: "livechain_head_resets_total" Counter One [Chain]
        "Times that what was known of a chain's head was given up because the upstreams said otherwise for long enough.";

    // Who is chosen, and who is not.
    Selections: "livechain_selections_total" Counter One [Upstream, Strategy]
        "Attempts dispatched, by the strategy that chose the upstream.";
    CandidatesExcluded: "livechain_candidates_excluded_total" Counter One [Upstream, Exclusion]
        "Times that an upstream was left out of a candidate set, by reason.";
    LeastBad: "livechain_least_bad_selections_total" Counter One [Upstream]
        "Times that no upstream was eligible and this one was tried as the least bad.";
    NothingEligible: "livechain_nothing_eligible_total" Counter One [Chain]
        "Selections in which there was no upstream that could be tried at all.";
    BreakerState: "livechain_breaker_state" GaugeSum One [Upstream, BreakerState]
        "Number of shards whose breaker for the upstream is in the state.";
    BreakerTransitions: "livechain_breaker_transitions_total" Counter One [Upstream, BreakerState]
        "Changes of a breaker's state, by the state entered.";
    BreakerGroupState: "livechain_breaker_group_state" GaugeSum One [Upstream, MethodGroup, BreakerState]
        "Number of shards whose breaker for a kind of work at the upstream is in the state.";
    BreakerGroupTransitions: "livechain_breaker_group_transitions_total" Counter One [Upstream, MethodGroup, BreakerState]
        "Changes of the state of a breaker for a kind of work, by the state entered.";
    Withheld: "livechain_upstream_withheld_ratio" GaugeMax Millis [Upstream]
        "Part of the calls that the upstream would get and is not given, in a brownout, on probation or in a slow start, in its worst kind of work.";
    Probations: "livechain_upstream_probations_total" Counter One [Upstream]
        "Times that the upstream came back, or was new, and its share began to grow with its answers.";
    OnProbation: "livechain_upstream_on_probation" GaugeSum One [Upstream]
        "Number of shards in which the upstream's share still grows.";
    LimitsFound: "livechain_upstream_limits_found_total" Counter One [Upstream, LimitKind]
        "Times that a limit of the upstream was found by trying, or moved.";
    LimitInFlight: "livechain_upstream_limit_in_flight" GaugeSum One [Upstream]
        "Attempts at once that the upstream may have, found or configured; 0 where there is no limit.";
    LimitRate: "livechain_upstream_limit_per_second" GaugeSum Millis [Upstream]
        "Attempts a second that the upstream was found to serve; 0 where no limit was found.";
    Saturated: "livechain_upstream_saturated" GaugeSum One [Upstream]
        "Number of shards in which the upstream has as much as it can carry.";
    Drained: "livechain_upstream_drained" GaugeSum One [Upstream]
        "Number of shards in which the upstream is drained by an operator.";
    Learned: "livechain_upstream_learned_total" Counter One [Upstream, LearnedKind]
        "Times that something was learned of what the upstream takes.";
    LearnedBatch: "livechain_upstream_learned_batch_calls" GaugeMax One [Upstream]
        "Calls that the upstream takes in one batch, as far as was learned; 0 where nothing was.";
    ChainPanics: "livechain_chain_panics_total" Counter One [Chain]
        "Times that too few of the chain's upstreams were well and those that were out were used as well.";
    ChainPanic: "livechain_chain_panic" GaugeSum One [Chain]
        "Number of shards that use upstreams of the chain that are out, because too few are well.";

    // What it costs.
    AccountHoldOffs: "livechain_account_hold_offs_total" Counter One [Account]
        "Times that an account was held off because upstreams of it throttled us at once.";
    AccountCalls: "livechain_account_calls" GaugeMax One [Account, Period]
        "Calls of the account's present day or month (UTC), by all shards.";
    AccountUnits: "livechain_account_compute_units" GaugeMax One [Account, Period]
        "Compute units of the account's present day or month (UTC), by all shards.";
    AccountSecond: "livechain_account_last_second" GaugeSum One [Account]
        "Sent in the last second, in what the account's limit per second counts.";
    AccountRoom: "livechain_account_room_ratio" GaugeMax Millis [Account]
        "How much of its usual share of the calls the account can afford; 1 where it is within the pace of its limits.";
    AccountPaid: "livechain_account_paid_this_month" GaugeSum Picos [Account]
        "What the present month has cost beyond what the account includes, in the currency of the configured prices.";
    Spent: "livechain_spend_total" Counter Picos [Upstream]
        "What attempts at the upstream have cost beyond what its account includes, in the currency of the configured prices.";
    SpentUnits: "livechain_spend_compute_units_total" Counter One [Upstream]
        "Compute units of attempts at the upstream.";
    Saved: "livechain_saved_total" Counter Picos [Chain]
        "What choices by price have saved beside the upstream that would have been fastest, in the currency of the configured prices.";
    PaidMore: "livechain_paid_more_total" Counter Picos [Chain]
        "What choices by price have paid more than the fastest upstream asks, because the cheaper ones did not meet the objective.";

    // In trouble with us.
    HoldOff: "livechain_upstream_hold_off_seconds" GaugeMax Micros [Upstream]
        "Time until the upstream may be sent to again after it throttled us; 0 when it is not held off.";
    HoldOffs: "livechain_upstream_hold_offs_total" Counter One [Upstream]
        "Times that the upstream was held off because it throttled us.";
    Quarantines: "livechain_upstream_quarantines_total" Counter One [Upstream]
        "Times that the upstream was put in quarantine.";
    MethodBans: "livechain_method_bans_total" Counter One [Upstream]
        "Times that a method was kept away from the upstream because it said that it does not serve it.";
    Quarantined: "livechain_upstream_quarantined" GaugeSum One [Upstream]
        "Number of shards that have the upstream in quarantine (wrong chain, refused key, unpaid bill).";
    HeadBlock: "livechain_upstream_head_block" GaugeMax One [Upstream]
        "Newest block number that the upstream has reported; 0 when none is known.";
    HeadLag: "livechain_upstream_head_lag_blocks" GaugeMax One [Upstream]
        "Blocks that the upstream is behind the best known head; 0 when unknown.";
    UpstreamInfo: "livechain_upstream_info" GaugeMax One [UpstreamProvider]
        "Constant 1, labelled with the provider behind the upstream.";

    // Sockets.
    PoolConnections: "livechain_pool_connections" GaugeSum One [Upstream, PoolState]
        "Connections to the upstream, by what they are doing.";
    PoolWaiting: "livechain_pool_waiting" GaugeSum One [Upstream]
        "Attempts waiting for a connection to the upstream.";
    PoolRefused: "livechain_pool_refused_total" Counter One [Upstream]
        "Attempts turned away because the queue for a connection was full.";
    Connects: "livechain_connects_total" Counter One [Upstream, ConnectOutcome]
        "Connects to the upstream by how they ended.";
    ConnectDuration: "livechain_connect_duration_seconds" Durations Micros [Upstream]
        "Time for a successful connect to the upstream, TLS handshake included.";
    StaleConnections: "livechain_stale_connections_total" Counter One [Upstream]
        "Pooled connections found closed or unclean when they were to be used.";
    UpstreamSent: "livechain_upstream_sent_bytes_total" Counter One [Upstream]
        "Bytes sent to the upstream, heads included.";
    UpstreamReceived: "livechain_upstream_received_bytes_total" Counter One [Upstream]
        "Bytes received from the upstream, heads included.";
    ClientConnections: "livechain_client_connections" GaugeSum One []
        "Client connections open.";
    ClientConnectionsAccepted: "livechain_client_connections_accepted_total" Counter One []
        "Client connections accepted.";
    ClientConnectionsRefused: "livechain_client_connections_refused_total" Counter One [ConnectionRefusal]
        "Client connections turned away.";
    ClientReceived: "livechain_client_received_bytes_total" Counter One []
        "Bytes received from clients, heads included.";
    ClientSent: "livechain_client_sent_bytes_total" Counter One []
        "Bytes sent to clients, heads included.";
    AcceptPauses: "livechain_accept_pauses_total" Counter One []
        "Times that accepting paused because the process was out of descriptors or memory.";

    // The process and its shards.
    Gossip: "livechain_gossip_messages_total" Counter One [GossipResult]
        "Messages between shards about heads, scores and upstreams in trouble.";
    ShardReady: "livechain_shard_ready" GaugeMax One [Shard]
        "1 when the shard serves.";
    ShardShedding: "livechain_shard_shedding" GaugeMax One [Shard]
        "How much the shard refuses because its work waits: 0 nothing, 1 scans and traces, 2 other reads too, 3 everything without an effect.";
    ShardTasks: "livechain_shard_tasks" GaugeMax One [Shard]
        "Tasks alive in the shard.";
    ShardBuffers: "livechain_shard_receive_buffers_in_use" GaugeMax One [Shard]
        "Receive buffers of the shard's ring that are held.";
    ShardDescriptors: "livechain_shard_descriptors" GaugeMax One [Shard]
        "Sockets that the shard has open.";
    TaskPanics: "livechain_task_panics_total" Counter One []
        "Tasks that panicked; each cost its own connection alone. Any is a bug worth a report.";
    NotesDropped: "livechain_notes_dropped_total" Counter One []
        "Observations of the decision engine that its bounded queue had no room for.";
    HistogramsRefused: "livechain_samples_refused_total" Counter One []
        "Durations not recorded because a shard had reached its limit of histograms.";
    Draining: "livechain_draining" GaugeMax One []
        "1 while the process drains.";
    ConfigEpoch: "livechain_config_epoch" GaugeMax One []
        "Number of the configuration snapshot in force.";
    BuildInfo: "livechain_build_info" GaugeMax One [Version]
        "Constant 1, labelled with the program's version.";
    ScrapeMissing: "livechain_scrape_shards_missing" GaugeMax One []
        "Shards that did not answer this scrape in time; their numbers are not in it.";
    EventsLogged: "livechain_access_log_events_total" Counter One []
        "Events written to the access log.";
    EventsDropped: "livechain_access_log_events_dropped_total" Counter One []
        "Events that the access log had no room for, or could not write.";
    Resolves: "livechain_address_lookups_total" Counter One [ResolveOutcome]
        "Lookups of upstream hosts' addresses.";
    ProcessCpu: "process_cpu_seconds_total" Counter Micros []
        "Total user and system CPU time spent in seconds.";
    ProcessResident: "process_resident_memory_bytes" GaugeMax One []
        "Resident memory size in bytes.";
    ProcessDescriptors: "process_open_fds" GaugeMax One []
        "Number of open file descriptors.";
    ProcessMaxDescriptors: "process_max_fds" GaugeMax One []
        "Maximum number of open file descriptors.";
    ProcessStart: "process_start_time_seconds" GaugeMax Micros []
        "Start time of the process since unix epoch in seconds.";
}

impl Metric {
    /// The metric's row.
    #[must_use]
    pub fn spec(self) -> &'static MetricSpec {
        // The enum and the table come out of one macro, row by row.
        &METRICS[self as usize]
    }
}
