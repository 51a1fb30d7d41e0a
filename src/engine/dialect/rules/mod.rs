//! The rules, in the order in which they are tried. Data only; the order of the sections is the meaning.
//!
//! No rule may hide a later one: the tests make a message of every single pattern and demand that its own rule wins.

mod execution;
mod last;
mod limits;
mod missing;
mod requests;
mod transactions;
mod vendors;

use super::rule::{Rule, Subject};
use crate::fault::FaultClass;

/// The sections, in order.
pub(super) static SECTIONS: [(&str, &[Rule]); 22] = [
    ("sealed", execution::SEALED),
    ("vendors", vendors::VENDORS),
    ("range and size", limits::RANGE),
    ("the sender's throttle", limits::SENDER),
    ("plan and billing", limits::BILLING),
    ("throttles", limits::THROTTLE),
    ("method missing by code", requests::METHOD_BY_CODE),
    ("block tags", missing::BLOCK_TAGS),
    ("syncing", missing::SYNCING),
    ("missing data", missing::MISSING),
    ("time-outs", execution::TIMEOUT),
    ("reverts and halts", execution::HALT),
    ("already known", transactions::KNOWN),
    ("nonce", transactions::NONCE),
    ("pool", transactions::POOL),
    ("funds and gas", transactions::FUNDS),
    ("not found", missing::NOT_FOUND),
    ("methods", requests::METHOD),
    ("parameters", requests::PARAMS),
    ("credentials", requests::AUTH),
    ("broken nodes", last::SERVER),
    ("status and bare codes", last::BARE),
];

/// The first rule that matches.
pub(super) fn first_match(subject: &Subject<'_>) -> Option<&'static Rule> {
    every().find(|rule| rule.matches(subject))
}

/// The first rule that matches by what is said, not by a code or a status alone: for bodies that are no JSON-RPC.
pub(super) fn first_by_text(subject: &Subject<'_>) -> Option<&'static Rule> {
    every()
        .filter(|rule| !rule.any.is_empty())
        .find(|rule| rule.matches(subject))
}

pub(super) fn every() -> impl Iterator<Item = &'static Rule> {
    SECTIONS.iter().flat_map(|(_, section)| section.iter())
}

/// One rule as a reference page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleRow {
    /// Its section.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it decides.
    pub class: FaultClass,
    /// A message that it decides, as seen in the wild.
    pub example: &'static str,
}

/// All rules, in the order in which they are tried.
pub fn rules() -> impl Iterator<Item = RuleRow> {
    SECTIONS.iter().flat_map(|&(section, rules)| {
        rules.iter().map(move |rule| RuleRow {
            section,
            name: rule.name,
            class: rule.class,
            example: rule.example,
        })
    })
}
