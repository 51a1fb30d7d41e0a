//! The one table of attributes per fault class. Data; it decides nothing by itself.

use core::time::Duration;

use super::FaultClass;

/// May the same upstream be asked again?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetrySame {
    /// No.
    No,
    /// Once, at once, on a fresh connection: a kept-alive socket may have died of old age.
    OnceFresh,
    /// Once the next block may have arrived (the caller knows the chain's block time).
    AfterBlock,
}

/// May another upstream be asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOther {
    /// No: every upstream would say the same, or the answer is right.
    No,
    /// One more opinion, then stop.
    Once,
    /// As long as deadline, attempts and the retry budget allow.
    Yes,
}

/// What the failure teaches about the upstream besides its health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideEffect {
    /// Nothing.
    None,
    /// Raise the upstream's latency estimate to at least what was waited.
    RaiseLatency,
    /// Send nothing there until the hold-off is over; counted as a throttle, apart from failures.
    HoldOff,
    /// Take the upstream out for long and tell the operator: it does not heal by itself.
    Quarantine,
    /// Do not send this method there for a while.
    BanMethod,
    /// Remember the largest range that the upstream takes.
    LearnRange,
    /// The upstream's floor is higher, or its head lower, than believed.
    MoveBounds,
    /// Not ready until its head catches up.
    MarkNotReady,
    /// Look for the transaction by its hash before believing the error.
    VerifyByHash,
    /// Count the message's fingerprint and sample it into the log, so that a rule can be written.
    Sample,
}

/// What the client is sent when the call ends with this class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitRule {
    /// The node's own error, its code and text unchanged. Where no node said one (an HTTP 413 without a body),
    /// [`emitted`](super::emitted) has ours.
    Relay,
    /// The node's own error if it is a well-formed JSON-RPC error and names no URL, else ours. For failures whose text may be
    /// the only clue to a call that always fails there.
    RelayUnlessRevealing,
    /// Ours from [`emitted`](super::emitted): the upstream's words are about us, our account or our key.
    Own,
    /// Success with the transaction's hash, which the driver computes from the signed bytes.
    TransactionHash,
    /// Nothing: the client is gone, or another attempt answered.
    Nothing,
}

/// Whose doing the failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller's request.
    Client,
    /// The upstream, its vendor, or our account with it.
    Upstream,
    /// This process: its limits, its configuration, its deadline.
    Us,
    /// Nobody: nothing failed.
    Nobody,
}

impl Blame {
    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Us => "us",
            Self::Nobody => "nobody",
        }
    }
}

/// What follows from a fault class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// The class that this row is about.
    pub class: FaultClass,
    /// Its name in metrics, events and logs.
    pub label: &'static str,
    /// May the same upstream be asked again?
    pub retry_same: RetrySame,
    /// May another upstream be asked?
    pub retry_other: RetryOther,
    /// How much of one failure the breaker counts, in per cent; 0 for everything that says nothing about health.
    pub breaker_weight: u8,
    /// How much of one failure the score counts, in per cent.
    pub score_weight: u8,
    /// The upstream did its work: breaker and score count a success.
    pub answered: bool,
    /// What else is learnt.
    pub side_effect: SideEffect,
    /// How long the side effect lasts where the upstream does not say. A hold-off's is configured.
    pub hold_off: Option<Duration>,
    /// What the client is sent.
    pub emit: EmitRule,
    /// Whose doing it is.
    pub blame: Blame,
}

const fn row(class: FaultClass, label: &'static str) -> Traits {
    Traits {
        class,
        label,
        retry_same: RetrySame::No,
        retry_other: RetryOther::No,
        breaker_weight: 0,
        score_weight: 0,
        answered: false,
        side_effect: SideEffect::None,
        hold_off: None,
        emit: EmitRule::Own,
        blame: Blame::Upstream,
    }
}

impl Traits {
    const fn retry(mut self, same: RetrySame, other: RetryOther) -> Self {
        self.retry_same = same;
        self.retry_other = other;
        self
    }
    const fn weigh(mut self, breaker: u8, score: u8) -> Self {
        self.breaker_weight = breaker;
        self.score_weight = score;
        self
    }
    const fn answered(mut self) -> Self {
        self.answered = true;
        self
    }
    const fn causes(mut self, effect: SideEffect, seconds: u64) -> Self {
        self.side_effect = effect;
        if seconds > 0 {
            self.hold_off = Some(Duration::from_secs(seconds));
        }
        self
    }
    const fn emits(mut self, emit: EmitRule) -> Self {
        self.emit = emit;
        self
    }
    const fn blames(mut self, blame: Blame) -> Self {
        self.blame = blame;
        self
    }
}

/// The table. One row a class, in the order of the enumeration.
pub(super) static TABLE: [Traits; FaultClass::COUNT] = {
    use FaultClass as C;
    [
        row(C::Transport, "transport")
            .retry(RetrySame::OnceFresh, RetryOther::Yes)
            .weigh(100, 100),
        // A full failure, as operators count them: each costs its caller half of a deadline. One heavy call that times out on a node
        // that serves all the others trips nothing, since the breaker wants a share of recent outcomes too.
        row(C::Timeout, "timeout")
            .retry(RetrySame::No, RetryOther::Yes)
            .weigh(100, 100)
            .causes(SideEffect::RaiseLatency, 0),
        row(C::Server, "server")
            .retry(RetrySame::No, RetryOther::Yes)
            .weigh(100, 100)
            .emits(EmitRule::RelayUnlessRevealing),
        // How long is each upstream's configuration.
        row(C::RateLimited, "rate_limited")
            .retry(RetrySame::No, RetryOther::Yes)
            .causes(SideEffect::HoldOff, 0),
        row(C::QuotaBilling, "quota_billing")
            .retry(RetrySame::No, RetryOther::Yes)
            .causes(SideEffect::Quarantine, 15 * 60),
        row(C::Auth, "auth")
            .retry(RetrySame::No, RetryOther::Yes)
            .causes(SideEffect::Quarantine, 15 * 60),
        row(C::UnsupportedMethod, "unsupported_method")
            .retry(RetrySame::No, RetryOther::Yes)
            .causes(SideEffect::BanMethod, 10 * 60),
        row(C::CapabilityRange, "capability_range")
            .retry(RetrySame::No, RetryOther::Yes)
            .causes(SideEffect::LearnRange, 0)
            .emits(EmitRule::Relay)
            .blames(Blame::Client),
        row(C::MissingData, "missing_data")
            .retry(RetrySame::AfterBlock, RetryOther::Yes)
            .causes(SideEffect::MoveBounds, 0)
            .emits(EmitRule::Relay),
        row(C::Syncing, "syncing")
            .retry(RetrySame::No, RetryOther::Yes)
            .causes(SideEffect::MarkNotReady, 10)
            .emits(EmitRule::RelayUnlessRevealing),
        row(C::Execution, "execution")
            .answered()
            .emits(EmitRule::Relay)
            .blames(Blame::Client),
        row(C::Client, "client")
            .answered()
            .emits(EmitRule::Relay)
            .blames(Blame::Client),
        row(C::TxIdempotent, "tx_idempotent")
            .answered()
            .emits(EmitRule::TransactionHash)
            .blames(Blame::Client),
        row(C::TxNonceLow, "tx_nonce_low")
            .answered()
            .causes(SideEffect::VerifyByHash, 0)
            .emits(EmitRule::Relay)
            .blames(Blame::Client),
        row(C::TxPoolPolicy, "tx_pool_policy")
            .retry(RetrySame::No, RetryOther::Once)
            .answered()
            .emits(EmitRule::Relay)
            .blames(Blame::Client),
        row(C::TxTerminal, "tx_terminal")
            .answered()
            .emits(EmitRule::Relay)
            .blames(Blame::Client),
        row(C::Cancelled, "cancelled")
            .emits(EmitRule::Nothing)
            .blames(Blame::Nobody),
        // Words that no rule knows, in a well-formed answer, are more often about the call than about the node: with any
        // weight for the breaker, one tenant's odd calls could open it for all. The score's half is enough to prefer
        // another upstream.
        row(C::Unclassified, "unclassified")
            .retry(RetrySame::No, RetryOther::Once)
            .weigh(0, 50)
            .causes(SideEffect::Sample, 0)
            .emits(EmitRule::Relay),
        // Of an attempt: our queue in front of one upstream is full, which says nothing about it; another may have room.
        row(C::Overloaded, "overloaded")
            .retry(RetrySame::No, RetryOther::Yes)
            .blames(Blame::Us),
        row(C::NoUpstream, "no_upstream").blames(Blame::Us),
        row(C::DeadlineExceeded, "deadline_exceeded").blames(Blame::Us),
        row(C::ResponseTooLarge, "response_too_large").blames(Blame::Client),
    ]
};
