//! Numbers, sizes, spans of time and shares, each with its range in its type. Never clamps.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::read::{Read, Reader};
use crate::scalar::{
    format_duration, format_size, parse_duration, parse_share, parse_size, parse_whole,
};
use crate::tree::Node;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole<const MIN: u64, const MAX: u64>(pub(crate) u64);

/// A size from `MIN` to `MAX` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size<const MIN: u64, const MAX: u64>(pub(crate) u64);

/// A span of time from `MIN` to `MAX` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span<const MIN: u64, const MAX: u64>(pub(crate) Duration);

/// A share from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fraction(pub(crate) f64);

/// Tells a value out of its range.
fn in_range<T: PartialOrd>(
    node: &Node,
    reader: &mut Reader<'_>,
    value: T,
    bounds: [T; 2],
    show: impl Fn(&T) -> String,
) -> Option<T> {
    let [min, max] = bounds;
    if value >= min && value <= max {
        return Some(value);
    }
    let side = if value < min { "less" } else { "more" };
    let bound = if value < min { &min } else { &max };
    let message = format!("{} is {side} than {}", show(&value), show(bound));
    reader.problem(
        node.place,
        message,
        format!("choose a value from {} to {}", show(&min), show(&max)),
    );
    None
}

impl<const MIN: u64, const MAX: u64> Read for Whole<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let value = reader.public(
            node,
            "a whole number",
            "digits alone, as in `10`",
            parse_whole,
        )?;
        in_range(node, reader, value, [MIN, MAX], u64::to_string).map(Self)
    }
}

impl<const MIN: u64, const MAX: u64> Read for Size<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let value = reader.public(
            node,
            "a size",
            "a size as in `64KiB`, `5MiB` or `10MB`",
            parse_size,
        )?;
        in_range(node, reader, value, [MIN, MAX], |bytes| format_size(*bytes)).map(Self)
    }
}

impl<const MIN: u64, const MAX: u64> Read for Span<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let how = "a number with its unit, as in `250ms`, `10s` or `1m30s`";
        let value = reader.public(node, "a duration", how, parse_duration)?;
        let bounds = [Duration::from_millis(MIN), Duration::from_millis(MAX)];
        in_range(node, reader, value, bounds, |span| format_duration(*span)).map(Self)
    }
}

impl Read for Fraction {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader
            .public(
                node,
                "a share from 0 to 1",
                "it as in `20%` or `0.2`",
                parse_share,
            )
            .map(Self)
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Whole<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        if MIN == MAX {
            return json_schema!({ "title": format!("`{MIN}`"), "const": MIN });
        }
        json_schema!({
            "title": "number",
            "type": "integer",
            "minimum": MIN,
            "maximum": MAX,
            "description": format!("A whole number from {MIN} to {MAX}."),
        })
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Size<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "size",
            "type": ["string", "integer"],
            "pattern": r"^[0-9]+(\.[0-9]+)? *(B|[kK]B|MB|GB|KiB|MiB|GiB)?$",
            "description": format!("A size from {} to {}.", format_size(MIN), format_size(MAX)),
        })
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Span<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let show = |ms| format_duration(Duration::from_millis(ms));
        json_schema!({
            "title": "duration",
            "type": "string",
            "pattern": r"^([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|ns))+$",
            "description": format!("A duration from {} to {}.", show(MIN), show(MAX)),
        })
    }
}

super::inline_schema!(
    Fraction,
    json_schema!({
        "title": "share",
        "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *%$" },
        ],
        "description": "A share, as `20%` or `0.2`.",
    })
);
