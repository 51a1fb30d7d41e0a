//! What upstreams say, read as fault classes: the one place where a vendor's or a node's error is mapped. The knowledge is
//! data ([`rules()`]), tried in a fixed order, first match wins; a test shows that no broad rule hides a narrow one.
//!
//! It sees an error's code, text and data, the HTTP status, the method and whose upstream it was. It never sees a request's
//! parameters, never decides about a retry, and allocates nothing: texts are folded to lower case into buffers of a
//! declared size ([`MAX_MESSAGE_BYTES`], [`MAX_DATA_BYTES`]), what lies beyond is not looked at.
//!
//! Order: a contract's own words (a revert's reason is never read as a throttle) → overrides of the operator → vendors → range and size →
//! the sender's throttle → plan and billing → throttles → method missing by code → block tags → syncing → missing data →
//! time-outs → reverts and halts → already known → nonce → pool → funds → gas → "not found": what? → methods → malformed
//! transactions → parameters → credentials → broken nodes → HTTP status → bare codes.
//!
//! When to come back is read from headers ([`HeadWaits`], every one of [`WAIT_HEADERS`]), data and text in the vendors' spellings: seconds, fractions, units and
//! Go's durations (`500ms`, `2m30s`), rounded up and capped at [`MAX_HOLD_OFF`]; what is not understood is as good as absent.
//!
//! Codes alone decide last, since nearly every code has several meanings.

mod head_waits;
mod hint;
mod http;
mod overrides;
mod revert;
mod rule;
mod rules;
#[cfg(test)]
mod tests;
mod text;
mod vendor;
mod wait;

#[cfg(test)]
use head_waits::hold_off_from_header;
pub use head_waits::{HeadWaits, WAIT_HEADERS};
pub use hint::{LimitUnit, MAX_HOLD_OFF, RangeHint};
pub use http::{HttpAnswer, classify_status};
pub use overrides::Override;
pub use revert::{HexAt, Normalized, check_result};
pub use rules::{RuleRow, rules};
pub use text::{MAX_DATA_BYTES, MAX_MESSAGE_BYTES};

use core::time::Duration;

use crate::fault::{Fault, FaultClass, Hint};
use rule::Subject;

/// One JSON-RPC error as an upstream gave it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed<'a> {
    /// The provider's configured name (`alchemy`, `my-node`): known vendors are recognised by it where the host says nothing.
    pub provider: &'a str,
    /// The upstream's host, without scheme, port or path.
    pub host: &'a str,
    /// The method of the call.
    pub method: &'a str,
    /// The HTTP status; 200 for an answer over WebSocket.
    pub http_status: u16,
    /// `error.code`, if it was an integer.
    pub code: Option<i64>,
    /// `error.message`, as in the JSON text (escapes need not be undone); empty if there was none.
    pub message: &'a str,
    /// `error.data`: the content of a string, else the JSON text as it stands; empty if there was none.
    pub data: &'a str,
    /// The wait that the answer's head asked for ([`HeadWaits::asked`]).
    pub retry_after: Option<Duration>,
    /// Until the window that is used up is over, by the answer's head ([`HeadWaits::window`]). It counts for a throttle that asks for no wait.
    pub window: Option<Duration>,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The class.
    pub class: FaultClass,
    /// How long the upstream asks to be left alone: the longest of what its headers, text and data ask for, else the end of a used-up window, capped at
    /// [`MAX_HOLD_OFF`]. Nothing where it does not say; the class's own duration holds then.
    pub hold_off: Option<Duration>,
    /// The rule that decided.
    pub rule: &'static str,
    /// How to say it to the client where the upstream's own form would not be understood.
    pub normalized: Option<Normalized>,
    /// What a range or size error tells about the upstream's limit.
    pub range: Option<RangeHint>,
    /// What it tells of the upstream besides.
    pub hint: Hint,
}

impl Verdict {
    /// The verdict as a fault of a call that was sent.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::new(self.class, self.rule)
            .with_hold_off(self.hold_off)
            .with_hint(self.hint)
    }

    const fn plain(class: FaultClass, rule: &'static str) -> Self {
        Self {
            class,
            hold_off: None,
            rule,
            normalized: None,
            range: None,
            hint: Hint::None,
        }
    }
}

/// Reads one JSON-RPC error. Never fails: what no rule knows is [`FaultClass::Unclassified`].
#[must_use]
pub fn classify(observed: &Observed<'_>) -> Verdict {
    classify_with(observed, &[])
}

/// [`classify`], with the operator's own rules for this upstream tried first.
#[must_use]
pub fn classify_with(observed: &Observed<'_>, overrides: &[Override]) -> Verdict {
    if let Some(verdict) = overrides::first_match(overrides, observed) {
        return verdict;
    }
    if let Some(verdict) = revert::plain_revert(observed) {
        return verdict;
    }
    let subject = Subject::new(observed);
    let Some(rule) = rules::first_match(&subject) else {
        return Verdict::plain(FaultClass::Unclassified, "unclassified");
    };
    let range =
        (rule.class == FaultClass::CapabilityRange).then(|| hint::range(&subject, rule.unit));
    Verdict {
        class: rule.class,
        hint: hint::of_range(range.as_ref()),
        hold_off: hint::hold_off(&subject, rule),
        rule: rule.name,
        normalized: rule
            .is_revert
            .then(|| revert::normalize(observed))
            .flatten(),
        range,
    }
}
