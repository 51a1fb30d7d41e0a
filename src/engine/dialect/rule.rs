//! One rule, and what it is matched against. A rule is data: conditions that must all hold, and a class.

use core::time::Duration;

use super::hint::LimitUnit;
use super::text::{Folded, MAX_DATA_BYTES, MAX_MESSAGE_BYTES};
use super::{Observed, vendor};
use crate::fault::FaultClass;

/// An observed error, prepared once for all rules.
pub(super) struct Subject<'a> {
    pub(super) observed: &'a Observed<'a>,
    pub(super) vendor: Option<&'static str>,
    pub(super) message: Folded<MAX_MESSAGE_BYTES>,
    pub(super) data: Folded<MAX_DATA_BYTES>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(observed: &'a Observed<'a>) -> Self {
        Self {
            observed,
            vendor: vendor::recognise(observed.provider, observed.host),
            message: Folded::new(observed.message.trim_ascii()),
            data: Folded::new(observed.data.trim_ascii()),
        }
    }
}

/// A rule. Conditions that are left empty hold always; the texts are patterns of [`super::text`].
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// Its name, unique: in metrics, events and tests.
    pub(super) name: &'static str,
    pub(super) class: FaultClass,
    /// Only of one of these vendors.
    pub(super) vendors: &'static [&'static str],
    /// Only with one of these codes.
    pub(super) codes: &'static [i64],
    /// Only with a code between these two, both included.
    pub(super) code_range: Option<(i64, i64)>,
    /// Only with one of these HTTP statuses.
    pub(super) statuses: &'static [u16],
    /// Only for these methods: exact, or a prefix with `*` at its end.
    pub(super) methods: &'static [&'static str],
    /// Not for these methods.
    pub(super) not_methods: &'static [&'static str],
    /// At least one of these in the message.
    pub(super) any: &'static [&'static str],
    /// None of these in the message.
    pub(super) none: &'static [&'static str],
    /// At least one of these in the data.
    pub(super) data: &'static [&'static str],
    /// It is a revert: what the client sees is brought into the usual form.
    pub(super) is_revert: bool,
    /// For ranges and sizes: what the limit counts.
    pub(super) unit: LimitUnit,
    /// How long it lasts where the upstream does not say and the class's own duration would be wrong.
    pub(super) hold_off: Option<Duration>,
    /// A message as seen in the wild.
    pub(super) example: &'static str,
    /// The data that came with it.
    pub(super) example_data: &'static str,
}

pub(super) const fn rule(name: &'static str, class: FaultClass) -> Rule {
    Rule {
        name,
        class,
        vendors: &[],
        codes: &[],
        code_range: None,
        statuses: &[],
        methods: &[],
        not_methods: &[],
        any: &[],
        none: &[],
        data: &[],
        is_revert: false,
        unit: LimitUnit::Unknown,
        hold_off: None,
        example: "",
        example_data: "",
    }
}

impl Rule {
    pub(super) const fn of(mut self, vendors: &'static [&'static str]) -> Self {
        self.vendors = vendors;
        self
    }
    pub(super) const fn codes(mut self, codes: &'static [i64]) -> Self {
        self.codes = codes;
        self
    }
    pub(super) const fn code_range(mut self, low: i64, high: i64) -> Self {
        self.code_range = Some((low, high));
        self
    }
    pub(super) const fn statuses(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }
    pub(super) const fn methods(mut self, methods: &'static [&'static str]) -> Self {
        self.methods = methods;
        self
    }
    pub(super) const fn not_methods(mut self, methods: &'static [&'static str]) -> Self {
        self.not_methods = methods;
        self
    }
    pub(super) const fn any(mut self, patterns: &'static [&'static str]) -> Self {
        self.any = patterns;
        self
    }
    pub(super) const fn none(mut self, patterns: &'static [&'static str]) -> Self {
        self.none = patterns;
        self
    }
    pub(super) const fn data(mut self, patterns: &'static [&'static str]) -> Self {
        self.data = patterns;
        self
    }
    pub(super) const fn revert(mut self) -> Self {
        self.is_revert = true;
        self
    }
    pub(super) const fn counts(mut self, unit: LimitUnit) -> Self {
        self.unit = unit;
        self
    }
    pub(super) const fn lasts_minutes(mut self, minutes: u64) -> Self {
        self.hold_off = Some(Duration::from_secs(minutes * 60));
        self
    }
    pub(super) const fn like(mut self, message: &'static str) -> Self {
        self.example = message;
        self
    }
    pub(super) const fn like_data(mut self, data: &'static str) -> Self {
        self.example_data = data;
        self
    }

    /// Do all of the rule's conditions hold? The cheap ones are asked first.
    pub(super) fn matches(&self, subject: &Subject<'_>) -> bool {
        let observed = subject.observed;
        self.covers_code(observed.code)
            && (self.statuses.is_empty() || self.statuses.contains(&observed.http_status))
            && (self.vendors.is_empty()
                || subject
                    .vendor
                    .is_some_and(|own| self.vendors.contains(&own)))
            && (self.methods.is_empty() || covers(self.methods, observed.method))
            && !covers(self.not_methods, observed.method)
            && (self.any.is_empty() || self.any.iter().any(|p| subject.message.has(p)))
            && !self.none.iter().any(|p| subject.message.has(p))
            && (self.data.is_empty() || self.data.iter().any(|p| subject.data.has(p)))
    }

    fn covers_code(&self, code: Option<i64>) -> bool {
        if self.codes.is_empty() && self.code_range.is_none() {
            return true;
        }
        code.is_some_and(|code| {
            self.codes.contains(&code)
                || self
                    .code_range
                    .is_some_and(|(low, high)| (low..=high).contains(&code))
        })
    }
}

fn covers(methods: &[&str], method: &str) -> bool {
    methods.iter().any(|own| match own.strip_suffix('*') {
        Some(prefix) => method.starts_with(prefix),
        None => *own == method,
    })
}
