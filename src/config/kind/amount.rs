//! Prices and quotas. Money is read as whole millionths and never becomes a fraction in binary.

use schemars::json_schema;

use crate::model::{Measure, Period, Quota};
use crate::read::{Read, Reader};
use crate::scalar::{parse_money, parse_whole};
use crate::tree::Node;

/// A price of a million units, in millionths of the currency: of one unit in 10⁻¹² of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Money(pub(crate) u64);

/// Dearest price of a million units, in the currency.
const MAX_MONEY: u64 = 1_000_000;

impl Read for Money {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let how = "an amount as in `0.45`, up to 1000000, with at most six digits after the point";
        let parse =
            |text: &str| parse_money(text).filter(|amount| *amount <= MAX_MONEY * 1_000_000);
        reader.public(node, "a price", how, parse).map(Self)
    }
}

super::inline_schema!(
    Money,
    json_schema!({
        "title": "price",
        "type": ["number", "string"],
        "pattern": r"^[0-9]+(\.[0-9]{1,6})?$",
        "description": "An amount of the currency as in `0.45`, with at most six digits after the point.",
    })
);

/// So many calls, or so many compute units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) Quota);

/// Largest amount.
const MAX_AMOUNT: u64 = 1_000_000_000_000_000;

impl Read for Amount {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let how = "a whole number above zero and what is counted, as in `50 calls` or `330 compute_units`";
        reader
            .public(
                node,
                "a number of calls or compute units",
                how,
                parse_amount,
            )
            .map(Self)
    }
}

fn parse_amount(text: &str) -> Option<Quota> {
    let (number, unit) = text.split_once(' ')?;
    let unit = unit.trim_start_matches(' ');
    let words = [Measure::Calls, Measure::ComputeUnits];
    let of = words.into_iter().find(|measure| measure.word() == unit)?;
    let amount = parse_whole(number).filter(|amount| (1..=MAX_AMOUNT).contains(amount))?;
    Some(Quota { amount, of })
}

super::inline_schema!(
    Amount,
    json_schema!({
        "title": "number of calls or compute units",
        "type": "string",
        "pattern": "^[0-9]+ +(calls|compute_units)$",
        "description": "A number and what is counted: `50 calls`, `330 compute_units`.",
    })
);

super::word::words!(Period { "day" => Self::Day, "month" => Self::Month });
