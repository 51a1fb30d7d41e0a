//! Every event and every field of one, declared once; and the small records that shards send.
//! The access log is these events as JSON lines. Records hold indices, not names: the writer looks names up.
//! Never holds a body, params, an address or a key. Foreign text is cut when it is taken.

use crate::foreign::ForeignText;
use crate::labels::{CacheStatus, CallOutcome, Protocol};

/// What a field's value is in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// An array of strings.
    List,
    /// An object: upstream to reason.
    Reasons,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The JSON key.
    pub name: &'static str,
    /// The JSON type.
    pub kind: FieldKind,
    /// One sentence for the manual.
    pub about: &'static str,
}

macro_rules! fields {
    ($($id:ident: $name:literal $kind:ident $about:literal;)+) => {
        /// A field's place in [`FIELDS`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field { $(#[doc = $about] $id,)+ }

        /// The table: every field that an event can have.
        pub const FIELDS: &[FieldSpec] =
            &[$(FieldSpec { name: $name, kind: FieldKind::$kind, about: $about },)+];

        impl Field {
            /// The field's row.
            #[must_use]
            pub const fn spec(self) -> &'static FieldSpec {
                // The enum and the table come out of one macro, row by row.
                &FIELDS[self as usize]
            }
        }
    };
}

fields! {
    Time: "time" Text "When it happened: RFC 3339, UTC, microseconds.";
    Event: "event" Text "The event's name.";
    RequestId: "request_id" Text "The request's id, as in the x-request-id header of the answer.";
    Call: "call" Number "The call's place in its batch, from 0; 0 for a single call.";
    Shard: "shard" Number "The shard that served it.";
    Chain: "chain" Text "The chain's name.";
    Method: "method" Text "The method, _OTHER when it is not one of the known ones.";
    MethodOriginal: "method_original" Text "The method as the client wrote it, when it is not one of the known ones; at most 256 bytes.";
    Protocol: "protocol" Text "The client's transport: http or websocket.";
    Upstream: "upstream" Text "The upstream whose answer was used, or that failed last; absent when none was asked.";
    Provider: "provider" Text "The provider behind the upstream.";
    BreakerState: "breaker_state" Text "State of the upstream's breaker when the call ended.";
    Outcome: "outcome" Text "How the call ended: ok, node_error, failed, rejected, aborted, cancelled.";
    DurationUs: "duration_us" Number "From the call's start to its outcome, in microseconds.";
    Attempts: "attempts" Number "Attempts made at upstreams.";
    Cache: "cache" Text "What the cache did for the call: hit, shared, miss_… or bypass_…, as in the answer's x-livechain-cache header.";
    Hedged: "hedged" Flag "Whether a second attempt was made beside a slow first one.";
    HttpStatus: "http_status" Number "HTTP status of the answer that carries the call's outcome.";
    RequestBytes: "request_bytes" Number "Length of the call as the client sent it.";
    ResponseBytes: "response_bytes" Number "Length of the call's answer as it went to the client.";
    FaultClass: "fault_class" Text "Fault class that the call ended in, or that its node error belongs to.";
    FaultRule: "fault_rule" Text "The rule that told the fault's class.";
    Strategy: "strategy" Text "The strategy that ordered the candidates.";
    Reason: "reason" Text "Why the chosen upstream was chosen, or why none was.";
    Attempt: "attempt" Number "Which attempt of the call the selection was for, from 1.";
    Candidates: "candidates" List "Upstreams that were eligible, best first.";
    LeftOut: "left_out" Reasons "Upstreams that were not, each with the reason.";
}

/// One event of the table.
#[derive(Clone, Copy, Debug)]
pub struct EventSpec {
    /// The event's name.
    pub name: &'static str,
    /// When it is sent, for the manual.
    pub about: &'static str,
    /// Its fields, in the order in which they are written. Those that do not apply are left out of a line.
    pub fields: &'static [Field],
}

const START_FIELDS: &[Field] = &[
    Field::Time,
    Field::Event,
    Field::RequestId,
    Field::Call,
    Field::Shard,
    Field::Chain,
    Field::Method,
    Field::MethodOriginal,
    Field::Protocol,
];

const END_FIELDS: &[Field] = &[
    Field::Time,
    Field::Event,
    Field::RequestId,
    Field::Call,
    Field::Shard,
    Field::Chain,
    Field::Method,
    Field::MethodOriginal,
    Field::Protocol,
    Field::Upstream,
    Field::Provider,
    Field::BreakerState,
    Field::Outcome,
    Field::DurationUs,
    Field::Attempts,
    Field::Cache,
    Field::Hedged,
    Field::HttpStatus,
    Field::RequestBytes,
    Field::ResponseBytes,
    Field::FaultClass,
    Field::FaultRule,
];

const SELECTION_FIELDS: &[Field] = &[
    Field::Time,
    Field::Event,
    Field::RequestId,
    Field::Call,
    Field::Shard,
    Field::Chain,
    Field::Method,
    Field::MethodOriginal,
    Field::Protocol,
    Field::Attempt,
    Field::Strategy,
    Field::Reason,
    Field::Upstream,
    Field::Provider,
    Field::Candidates,
    Field::LeftOut,
];

/// A call began.
pub const REQUEST_START: EventSpec = EventSpec {
    name: "livechain.rpc.request.start",
    about: "A JSON-RPC call began.",
    fields: START_FIELDS,
};

/// A call ended with an answer of a node.
pub const REQUEST_STOP: EventSpec = EventSpec {
    name: "livechain.rpc.request.stop",
    about: "A JSON-RPC call ended with a node's answer: a result, or the node's own error about the call.",
    fields: END_FIELDS,
};

/// A call ended in an error of Livechain's, or in none.
pub const REQUEST_ERROR: EventSpec = EventSpec {
    name: "livechain.rpc.request.error",
    about: "A JSON-RPC call ended otherwise: with an error of Livechain's own, cut short, or its client gone.",
    fields: END_FIELDS,
};

/// A selection was made.
pub const SELECTION: EventSpec = EventSpec {
    name: "livechain.selection",
    about: "An upstream was chosen for an attempt, or none could be.",
    fields: SELECTION_FIELDS,
};

/// The table: every event.
pub const EVENTS: &[&EventSpec] = &[&REQUEST_START, &REQUEST_STOP, &REQUEST_ERROR, &SELECTION];

/// What every event of a call begins with.
#[derive(Clone, Debug)]
pub struct EventHead {
    /// Nanoseconds since the process's time base.
    pub at_ns: u64,
    /// As sent to the client.
    pub request_id: ForeignText,
    /// Place in the batch.
    pub call: u32,
    /// The shard's number.
    pub shard: u16,
    /// Index of the chain.
    pub chain: u16,
    /// Index of the method.
    pub method: u16,
    /// The client's spelling of a method that is not in the list.
    pub method_original: Option<ForeignText>,
    /// The client's transport.
    pub protocol: Protocol,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub struct CallEnd {
    /// Index of the upstream within the chain.
    pub upstream: Option<u16>,
    /// Index of its breaker's state.
    pub breaker_state: Option<u8>,
    /// The outcome.
    pub outcome: CallOutcome,
    /// From the call's start.
    pub duration_us: u64,
    /// Attempts made.
    pub attempts: u16,
    /// What the cache did for it; `None` when it was never looked up.
    pub cache: Option<CacheStatus>,
    /// Whether a second attempt was made beside a slow one.
    pub hedged: bool,
    /// HTTP status sent.
    pub http_status: u16,
    /// Length of the call.
    pub request_bytes: u64,
    /// Length of its answer.
    pub response_bytes: u64,
    /// Index of the fault class.
    pub fault_class: Option<u8>,
    /// The rule that told the class; empty for none.
    pub fault_rule: &'static str,
}

/// How an upstream was chosen.
#[derive(Clone, Debug)]
pub struct SelectionMade {
    /// Which attempt of the call, from 1.
    pub attempt: u16,
    /// Index of the strategy.
    pub strategy: u16,
    /// Why this one, in the engine's words.
    pub reason: &'static str,
    /// Index of the chosen upstream; `None` when there was none to choose.
    pub upstream: Option<u16>,
    /// Indices of the eligible upstreams, best first.
    pub candidates: Box<[u16]>,
    /// Indices of the others, each with the index of its reason.
    pub left_out: Box<[(u16, u8)]>,
}

/// What a shard sends to the access log.
#[derive(Clone, Debug)]
pub enum Event {
    /// [`REQUEST_START`].
    Start(EventHead),
    /// [`REQUEST_STOP`] or [`REQUEST_ERROR`], by the outcome.
    End(EventHead, CallEnd),
    /// [`SELECTION`].
    Selection(EventHead, Box<SelectionMade>),
}

impl Event {
    /// The event's row in the table.
    #[must_use]
    pub const fn spec(&self) -> &'static EventSpec {
        match self {
            Self::Start(_) => &REQUEST_START,
            Self::End(_, end) => match end.outcome {
                CallOutcome::Ok | CallOutcome::NodeError => &REQUEST_STOP,
                _ => &REQUEST_ERROR,
            },
            Self::Selection(..) => &SELECTION,
        }
    }

    /// What the event begins with.
    #[must_use]
    pub const fn head(&self) -> &EventHead {
        match self {
            Self::Start(head) | Self::End(head, _) | Self::Selection(head, _) => head,
        }
    }
}
