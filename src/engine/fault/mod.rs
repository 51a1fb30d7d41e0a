//! What went wrong, as one of a closed set of classes. The table says what follows from each class: who may be
//! asked again, what the breaker and the score learn, and what the client sees. It never looks at a message (that is
//! [`dialect`](crate::dialect)'s work) and never decides anything about one call.
//!
//! Capability and health are different things: a revert, a range limit, a throttle, missing history or a
//! cancelled hedge has a breaker weight of zero.
//!
//! | class | same upstream | another | breaker | score | side effect | client sees | blame |
//! |---|---|---|---|---|---|---|---|
//! | `transport` | once | yes | 100 | 100 | – | −32603 | upstream |
//! | `timeout` | no | yes | 100 | 100 | raise latency | −32002 | upstream |
//! | `server` | no | yes | 100 | 100 | – | the node's own, else −32603 | upstream |
//! | `rate_limited` | no | yes | 0 | 0 | hold off | −32005, 429 | upstream |
//! | `quota_billing` | no | yes | 0 | 0 | quarantine | −32005, 429 | upstream |
//! | `auth` | no | yes | 0 | 0 | quarantine | −32603 | upstream |
//! | `unsupported_method` | no | yes | 0 | 0 | ban the method there | −32601 | upstream |
//! | `capability_range` | no | yes | 0 | 0 | learn the limit | the node's own, else −32005 | client |
//! | `missing_data` | after a block | yes | 0 | 0 | move the bounds | the node's own, else −32001 | upstream |
//! | `syncing` | no | yes | 0 | 0 | mark not ready | the node's own, else −32603 | upstream |
//! | `execution` | no | no | 0 | 0 | – | the node's own (code 3 + data) | client |
//! | `client` | no | no | 0 | 0 | – | the node's own | client |
//! | `tx_idempotent` | no | no | 0 | 0 | – | success: the transaction's hash | client |
//! | `tx_nonce_low` | no | no | 0 | 0 | verify by hash | the node's own | client |
//! | `tx_pool_policy` | no | once | 0 | 0 | – | the node's own | client |
//! | `tx_terminal` | no | no | 0 | 0 | – | the node's own | client |
//! | `cancelled` | no | no | 0 | 0 | – | nothing | nobody |
//! | `unclassified` | no | once | 0 | 50 | sample | the node's own, else −32603 | upstream |
//! | `overloaded` | no | yes | 0 | 0 | – | −32005, 503 | us |
//! | `no_upstream` | no | no | 0 | 0 | – | −32603, 503 | us |
//! | `deadline_exceeded` | no | no | 0 | 0 | – | −32002 | us |
//! | `response_too_large` | no | no | 0 | 0 | – | −32000 | client |
//!
//! Weights are per cent of one full failure.

mod emit;
mod table;
#[cfg(test)]
mod tests;

pub use emit::{Emit, MAX_METHOD_IN_MESSAGE_BYTES, emitted};
pub use table::{Blame, EmitRule, RetryOther, RetrySame, SideEffect, Traits};

use core::time::Duration;

/// Every way in which an attempt or a call can fail.
///
/// The first eighteen come from what upstreams say and do; the last four are what the proxy says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FaultClass {
    /// No answer that could be read: DNS, refused, reset, TLS, early end, broken JSON, HTML where JSON was due.
    Transport,
    /// The attempt's time ran out here, or the upstream says that its own did.
    Timeout,
    /// The upstream failed: 5xx, −32603 without a better reading, a panic, a corrupt database.
    Server,
    /// The upstream is throttling us for now.
    RateLimited,
    /// The account is used up, unpaid or inactive: it does not come back within minutes.
    QuotaBilling,
    /// The credential is wrong, missing, or of another chain.
    Auth,
    /// This upstream does not serve the method (at all, or on this plan).
    UnsupportedMethod,
    /// The call asks for more blocks, logs, addresses or bytes than this upstream gives at once.
    CapabilityRange,
    /// The upstream lacks the block or state: pruned, not archived, or not yet seen.
    MissingData,
    /// The node says that it is not in sync.
    Syncing,
    /// The EVM ran and failed: a revert, a halt, out of gas. A right answer, not a fault of the node.
    Execution,
    /// The call itself is wrong: its parameters, its encoding, its transaction's form.
    Client,
    /// The node already has this very transaction.
    TxIdempotent,
    /// The nonce is used: perhaps by this very transaction.
    TxNonceLow,
    /// The pool of this node will not take the transaction (price, replacement, full, cap, a nonce gap).
    TxPoolPolicy,
    /// No node will take the transaction: funds, signature, intrinsic gas, wrong chain.
    TxTerminal,
    /// The attempt was given up by us: it lost a hedge, or the client left.
    Cancelled,
    /// An error that no rule knows.
    Unclassified,
    /// We refuse: a queue or a limit of this process is full.
    Overloaded,
    /// No upstream is eligible for the call.
    NoUpstream,
    /// The call's own deadline passed.
    DeadlineExceeded,
    /// The answer is larger than this process passes on.
    ResponseTooLarge,
}

impl FaultClass {
    /// How many classes there are.
    pub const COUNT: usize = 22;

    /// Every class, in the order of the table.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Transport,
        Self::Timeout,
        Self::Server,
        Self::RateLimited,
        Self::QuotaBilling,
        Self::Auth,
        Self::UnsupportedMethod,
        Self::CapabilityRange,
        Self::MissingData,
        Self::Syncing,
        Self::Execution,
        Self::Client,
        Self::TxIdempotent,
        Self::TxNonceLow,
        Self::TxPoolPolicy,
        Self::TxTerminal,
        Self::Cancelled,
        Self::Unclassified,
        Self::Overloaded,
        Self::NoUpstream,
        Self::DeadlineExceeded,
        Self::ResponseTooLarge,
    ];

    /// The position in [`Self::ALL`]: an index for arrays of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in metrics, events and logs, in snake_case. Never changes once published.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.traits().label
    }

    /// The class of this label, if there is one (for override rules in a configuration).
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.label() == label)
    }

    /// What follows from this class.
    #[must_use]
    pub const fn traits(self) -> &'static Traits {
        // The array's length is COUNT and a test holds its order, so every discriminant is an index into it.
        &table::TABLE[self as usize]
    }
}

/// One failure of one attempt, or of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure it is.
    pub class: FaultClass,
    /// How long this upstream asked to be left alone, if it did. A floor, not a promise.
    pub hold_off: Option<Duration>,
    /// The name of the rule that decided the class: for metrics, events and tests, never for decisions.
    pub rule: &'static str,
    /// Bytes of the call may have reached the upstream. False for a refused or failed connect, where even a
    /// write may be tried elsewhere.
    pub sent: bool,
    /// What it tells of the upstream besides.
    pub hint: Hint,
}

/// What a failure tells of its upstream besides its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hint {
    /// Nothing.
    #[default]
    None,
    /// It answered, and that was no answer: a page at status 200, broken JSON, another call's id. Several of those are worse than an
    /// outage, since the next one may be taken for an answer.
    Malformed,
    /// It takes so many blocks at once, first and last included.
    MaxBlocks(u32),
    /// It takes so many calls in one batch.
    MaxCalls(u32),
}

impl Fault {
    /// A fault of a call that may have reached its upstream.
    #[must_use]
    pub const fn new(class: FaultClass, rule: &'static str) -> Self {
        Self {
            class,
            hold_off: None,
            rule,
            sent: true,
            hint: Hint::None,
        }
    }

    /// A fault of an upstream that answered with something that is no answer to this call.
    #[must_use]
    pub const fn malformed(rule: &'static str) -> Self {
        Self::new(FaultClass::Transport, rule).with_hint(Hint::Malformed)
    }

    /// A fault of a call of which no byte left this process.
    #[must_use]
    pub const fn unsent(class: FaultClass, rule: &'static str) -> Self {
        Self {
            class,
            hold_off: None,
            rule,
            sent: false,
            hint: Hint::None,
        }
    }

    /// The same fault with what the upstream said about coming back.
    #[must_use]
    pub const fn with_hold_off(mut self, hold_off: Option<Duration>) -> Self {
        self.hold_off = hold_off;
        self
    }

    /// The same fault with what it tells of the upstream.
    #[must_use]
    pub const fn with_hint(mut self, hint: Hint) -> Self {
        self.hint = hint;
        self
    }

    /// What follows from the fault's class.
    #[must_use]
    pub const fn traits(&self) -> &'static Traits {
        self.class.traits()
    }

    /// How long the side effect lasts: what the upstream asked for, else the class's own duration.
    #[must_use]
    pub fn side_effect_for(&self) -> Option<Duration> {
        self.hold_off.or(self.traits().hold_off)
    }
}
