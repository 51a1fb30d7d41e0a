//! Rules that the operator writes for one upstream, tried before all others. They change how an error is classed, never
//! what was said.

use alloc::boxed::Box;
use core::time::Duration;

use super::hint;
use super::rule::{Rule, Subject, rule};
use super::text::{Folded, MAX_MESSAGE_BYTES, find};
use super::{LimitUnit, Observed, Verdict};
use crate::fault::FaultClass;
use crate::method::Pattern;

/// One rule of the operator. Conditions that are absent hold always; one without any condition matches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Only with this JSON-RPC code.
    pub code: Option<i64>,
    /// Only with this HTTP status.
    pub http_status: Option<u16>,
    /// Only for these methods.
    pub method: Option<Pattern>,
    /// Only where the message contains this, without regard to ASCII case.
    pub contains: Option<Box<str>>,
    /// What it is.
    pub class: FaultClass,
    /// How long the upstream is left alone where it does not say.
    pub hold_off: Option<Duration>,
}

impl Override {
    fn matches(&self, observed: &Observed<'_>) -> bool {
        self.code.is_none_or(|code| observed.code == Some(code))
            && self
                .http_status
                .is_none_or(|status| observed.http_status == status)
            && self
                .method
                .as_ref()
                .is_none_or(|pattern| pattern.matches(observed.method))
            && self
                .contains
                .as_ref()
                .is_none_or(|wanted| contains(observed.message, wanted))
    }
}

fn contains(message: &str, wanted: &str) -> bool {
    let wanted: Folded<MAX_MESSAGE_BYTES> = Folded::new(wanted);
    let message: Folded<MAX_MESSAGE_BYTES> = Folded::new(message);
    find(message.bytes(), wanted.bytes()).is_some()
}

pub(super) fn first_match(overrides: &[Override], observed: &Observed<'_>) -> Option<Verdict> {
    const NAMED: Rule = rule("override", FaultClass::Unclassified);
    let own = overrides.iter().find(|own| own.matches(observed))?;
    let subject = Subject::new(observed);
    let named = Rule {
        class: own.class,
        hold_off: own.hold_off,
        ..NAMED
    };
    let range = (own.class == FaultClass::CapabilityRange)
        .then(|| hint::range(&subject, LimitUnit::Unknown));
    Some(Verdict {
        hold_off: hint::hold_off(&subject, &named),
        hint: hint::of_range(range.as_ref()),
        range,
        ..Verdict::plain(own.class, NAMED.name)
    })
}
