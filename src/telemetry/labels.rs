//! The closed sets of label values that telemetry itself owns: each value is one index into a cell
//! array, so a client can never invent one. Sets that belong to the decisions (fault classes, breaker
//! states, strategies, exclusion reasons) arrive with [`crate::Dimensions`] instead.
//! Never holds a value that came from a client or a provider.

/// Declares a closed set of label values: an enum, its labels in order, and the index of each.
macro_rules! label_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every label, in the order of the cells.
            pub const LABELS: &'static [&'static str] = &[$($label),+];
            /// Every value, in the order of the cells.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label's text.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The cell that this value counts in.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label_set! {
    /// How one JSON-RPC call ended for the client.
    CallOutcome {
        /// A result was delivered.
        Ok => "ok",
        /// The node's own error about the call was relayed (a revert, bad params).
        NodeError => "node_error",
        /// Livechain answered with an error of its own after trying.
        Failed => "failed",
        /// Refused before any attempt (malformed call, unknown method, denied).
        Rejected => "rejected",
        /// The answer had begun and was cut.
        Aborted => "aborted",
        /// The client went away.
        Cancelled => "cancelled",
    }
}

label_set! {
    /// How one attempt at one upstream ended.
    AttemptOutcome {
        /// A result.
        Ok => "ok",
        /// The node's own error about the call: the upstream did its work.
        NodeError => "node_error",
        /// A fault of the upstream or of the way to it; `livechain_faults_total` has its class.
        Fault => "fault",
        /// Given up by Livechain: the client left, or another attempt won. Nobody's fault.
        Cancelled => "cancelled",
    }
}

label_set! {
    /// Why an HTTP request, or the connection that carried it, was refused before it became calls.
    RequestRefusal {
        /// Framing or syntax of the head is not HTTP/1.1 as RFC 9112 has it.
        BadHead => "bad_head",
        /// The head is longer than allowed.
        HeadTooLarge => "head_too_large",
        /// The body is longer than `max_body_bytes`.
        BodyTooLarge => "body_too_large",
        /// The head was not whole within `header_timeout`.
        HeadTimeout => "head_timeout",
        /// The body was not whole within `body_timeout`.
        BodyTimeout => "body_timeout",
        /// No such path or chain.
        NotFound => "not_found",
        /// A method that the path does not answer.
        BadMethod => "bad_method",
        /// A content type or encoding that is not accepted.
        BadMediaType => "bad_media_type",
        /// The body is not valid JSON, or not a JSON-RPC request or batch.
        BadJson => "bad_json",
        /// More calls in a batch than `max_batch_calls`.
        BatchTooLarge => "batch_too_large",
        /// Shed: a limit of Livechain's own was reached.
        Overloaded => "overloaded",
    }
}

label_set! {
    /// Why a client's connection was turned away.
    ConnectionRefusal {
        /// `max_connections` was reached.
        Limit => "limit",
        /// The process is draining.
        Draining => "draining",
        /// The TLS handshake failed or timed out.
        Tls => "tls",
        /// A connection task could not be started.
        Resources => "resources",
    }
}

label_set! {
    /// How a connect to an upstream ended.
    ConnectOutcome {
        /// Connected, handshakes included.
        Ok => "ok",
        /// No address is known for the host.
        Unresolved => "unresolved",
        /// Refused by the peer.
        Refused => "refused",
        /// No route to the peer.
        Unreachable => "unreachable",
        /// Not connected within the connect timeout.
        Timeout => "timeout",
        /// The TLS handshake failed.
        Tls => "tls",
        /// Any other socket error.
        Other => "other",
    }
}

label_set! {
    /// What an attempt of a call beside its first was for.
    RetryKind {
        /// After a failure, drawn from the retry budget.
        Retry => "retry",
        /// After an answer that says that this upstream cannot serve the call; not drawn from the budget.
        Reroute => "reroute",
        /// The same upstream again on a fresh connection, because a pooled one had died unnoticed.
        Fresh => "fresh",
        /// Beside a first attempt that is slow, drawn from the method's budget of hedges.
        Hedge => "hedge",
        /// Beside the first attempt from the start, drawn from the strategy's budget of races.
        Race => "race",
    }
}

label_set! {
    /// What the cache did for a call. Also the value of the header `x-livechain-cache`.
    CacheStatus {
        /// Answered from the cache.
        Hit => "hit",
        /// Answered with what another call in flight was answered: the call joined its flight.
        Shared => "shared",
        /// Nothing was kept.
        MissAbsent => "miss_absent",
        /// What was kept hung on a head that is no longer the newest.
        MissNewHead => "miss_new_head",
        /// What was kept had reached its age.
        MissTooOld => "miss_too_old",
        /// Answers of the method are not kept.
        BypassMethod => "bypass_method",
        /// The block that the call names does not let its answer be kept (`pending`).
        BypassBlock => "bypass_block",
        /// The parameters have no canonical form that could be a key.
        BypassParams => "bypass_params",
        /// The client asked for a particular provider.
        BypassPinned => "bypass_pinned",
        /// The parameters are longer than a key may be.
        BypassSize => "bypass_size",
        /// The chain keeps no answers.
        BypassDisabled => "bypass_disabled",
    }
}

label_set! {
    /// For how long an answer was put into the cache.
    CacheLifetime {
        /// Until the next head.
        Head => "head",
        /// For good.
        Final => "final",
        /// For a time that the configuration gives.
        Timed => "timed",
    }
}

label_set! {
    /// How a flight, an upstream call that several clients' calls may join, ended for its leader.
    FlightOutcome {
        /// With an answer, which the followers got too.
        Answered => "answered",
        /// With an error, which the followers got too.
        Failed => "failed",
        /// The leader left, and nobody had followed.
        Abandoned => "abandoned",
        /// The leader left or gave up, and a follower leads on.
        Promoted => "promoted",
    }
}

label_set! {
    /// What became of a hedge, or of a race's attempts beside the first.
    HedgeOutcome {
        /// It answered first.
        Won => "won",
        /// The attempt that it was to overtake answered first, or it failed.
        Lost => "lost",
        /// It was due, and the budget of extra load did not allow it.
        Denied => "denied",
    }
}

label_set! {
    /// What kind of limit of an upstream was found.
    LimitKind {
        /// Attempts at once.
        InFlight => "in_flight",
        /// Attempts a second.
        Rate => "rate",
    }
}

label_set! {
    /// What was learned of an upstream from its refusals.
    LearnedKind {
        /// How many blocks it takes at once.
        Blocks => "blocks",
        /// How many calls it takes in a batch.
        Batch => "batch",
        /// How old a block it keeps.
        History => "history",
    }
}

label_set! {
    /// A period of the calendar, in UTC.
    Period {
        /// From midnight to midnight.
        Day => "day",
        /// From the first of a month to the first of the next.
        Month => "month",
    }
}

label_set! {
    /// What an upstream was asked so that a chain's heads are known.
    HeadPoll {
        /// Its newest block's number.
        Newest => "newest",
        /// The number of its `safe` block.
        Safe => "safe",
        /// The number of its `finalized` block.
        Finalized => "finalized",
        /// A new head's block itself.
        Block => "block",
    }
}

label_set! {
    /// How a question for a head ended.
    PollOutcome {
        /// With what was asked for.
        Ok => "ok",
        /// Without.
        Failed => "failed",
    }
}

label_set! {
    /// The heads of a chain.
    HeadKind {
        /// The newest block.
        Newest => "newest",
        /// The newest that is unlikely to be reorganised away.
        Safe => "safe",
        /// The newest that never will be.
        Finalized => "finalized",
    }
}

label_set! {
    /// What became of a message between shards.
    GossipResult {
        /// Handed to another shard.
        Sent => "sent",
        /// Taken from another shard.
        Received => "received",
        /// Lost, because the other shard's lane was full; a newer one takes its place.
        Dropped => "dropped",
    }
}

label_set! {
    /// What an upstream's pooled connection is doing.
    PoolState {
        /// Open and free.
        Idle => "idle",
        /// Carrying at least one call.
        Active => "active",
        /// Being connected.
        Connecting => "connecting",
    }
}

label_set! {
    /// The transport of a request from its client.
    Protocol {
        /// HTTP/1.1.
        Http => "http",
        /// WebSocket.
        WebSocket => "websocket",
    }
}

label_set! {
    /// How a refresh of a host's addresses ended.
    ResolveOutcome {
        /// New addresses were published.
        Changed => "changed",
        /// The same addresses as before.
        Unchanged => "unchanged",
        /// The lookup failed; what was known is kept.
        Failed => "failed",
    }
}

/// The HTTP status codes that have a cell of their own.
pub const STATUS_CODES: &[u16] = &[
    200, 204, 400, 403, 404, 405, 408, 411, 413, 414, 415, 417, 429, 431, 500, 501, 502, 503, 504,
    505,
];

/// The labels of [`STATUS_CODES`], and `other` for the rest.
pub const STATUS_LABELS: &[&str] = &[
    "200", "204", "400", "403", "404", "405", "408", "411", "413", "414", "415", "417", "429",
    "431", "500", "501", "502", "503", "504", "505", "other",
];

/// The cell of an HTTP status code; codes without one share the last cell, `other`.
#[must_use]
pub fn status_index(code: u16) -> usize {
    STATUS_CODES
        .iter()
        .position(|known| *known == code)
        .unwrap_or(STATUS_CODES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_labels_follow_the_codes() {
        let (last, codes) = STATUS_LABELS.split_last().unwrap();
        assert_eq!(*last, "other");
        assert_eq!(
            codes,
            STATUS_CODES.iter().map(u16::to_string).collect::<Vec<_>>()
        );
        assert_eq!(STATUS_LABELS[status_index(429)], "429");
        assert_eq!(STATUS_LABELS[status_index(418)], "other");
    }

    #[test]
    fn a_label_set_indexes_its_labels() {
        for value in ConnectOutcome::ALL {
            assert_eq!(ConnectOutcome::LABELS[value.index()], value.label());
        }
    }
}
