//! Numbers, sizes, spans of time and shares, each with its range in its type. Never clamps.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::model::CacheTtl;
use crate::problem::shown;
use crate::read::{Read, Reader};
use crate::scalar::{
    format_duration, format_share, format_size, parse_duration, parse_share, parse_size,
    parse_whole,
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

/// A share from `MIN` to `MAX` thousandths, in whole ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share<const MIN: u64, const MAX: u64>(pub(crate) f64);

/// A size of what can also be switched off, which a size of nothing does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheSize(pub(crate) u64);

/// How long an answer is kept: a word, or a span of time from `MIN` to `MAX` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ttl<const MIN: u64, const MAX: u64>(pub(crate) CacheTtl);

/// Tells a value out of its range.
fn in_range<T: PartialOrd>(
    node: &Node,
    reader: &mut Reader<'_>,
    value: T,
    bounds: [T; 2],
    show: impl Fn(&T) -> String,
) -> Option<T> {
    in_range_or(node, reader, value, bounds, show, "")
}

/// Tells a value out of its range; `otherwise` ends the remedy.
fn in_range_or<T: PartialOrd>(
    node: &Node,
    reader: &mut Reader<'_>,
    value: T,
    bounds: [T; 2],
    show: impl Fn(&T) -> String,
    otherwise: &str,
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
        format!(
            "choose a value from {} to {}{otherwise}",
            show(&min),
            show(&max)
        ),
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

impl Read for CacheSize {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let value = reader.public(
            node,
            "a size",
            "a size as in `256MiB` or `2GiB`",
            parse_size,
        )?;
        let bounds = [Self::MIN, Self::MAX];
        let otherwise = if value < Self::MIN {
            ", or turn it off with `enabled: false`"
        } else {
            ""
        };
        in_range_or(
            node,
            reader,
            value,
            bounds,
            |bytes| format_size(*bytes),
            otherwise,
        )
        .map(Self)
    }
}

impl CacheSize {
    /// Less is not worth its own bookkeeping once it is split over the cores.
    const MIN: u64 = 1 << 20;
    const MAX: u64 = 1 << 40;
}

impl<const MIN: u64, const MAX: u64> Share<MIN, MAX> {
    const BOUNDS: [f64; 2] = [MIN as f64 / 1e3, MAX as f64 / 1e3];
}

impl<const MIN: u64, const MAX: u64> Read for Share<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, "a share as in `5%` or `0.05`")?;
        reader.reveal(node);
        let Some(value) = parse_share(&text) else {
            let plain = "write it as in `5%` or `0.05`".to_owned();
            // A text from the environment is not the file's; it may be a key in the wrong place.
            let (given, remedy) = if reader.is_verbatim(node, &text) {
                // `98` can only have been meant as percent.
                let meant = parse_share(&format!("{text}%"));
                let remedy = meant.map_or(plain, |share| format!("write `{text}%` or `{share}`"));
                (shown(&text), remedy)
            } else {
                ("the value".to_owned(), plain)
            };
            let message = format!("{given} is not a share from 0 to 1");
            reader.problem(node.place, message, remedy);
            return None;
        };
        let value = in_range(node, reader, value, Self::BOUNDS, |share| {
            format_share(*share)
        })?;
        // What is counted by is thousandths; a finer one would be rounded, and nobody told.
        if (value * 1e3).round() / 1e3 != value {
            let message = format!("{} is finer than a tenth of a percent", format_share(value));
            let remedy =
                "write at most one digit after the point of a percentage, three of a fraction";
            reader.problem(node.place, message, remedy);
            return None;
        }
        Some(Self(value))
    }
}

impl<const MIN: u64, const MAX: u64> Read for Ttl<MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let how = "`never`, `head`, `final`, or a duration as in `500ms`";
        let read = |text: &str| match text {
            "never" => Some(CacheTtl::Never),
            "head" => Some(CacheTtl::Head),
            "final" => Some(CacheTtl::Final),
            _ => parse_duration(text).map(CacheTtl::Time),
        };
        let value = reader.public(node, "a time to keep answers", how, read)?;
        if let CacheTtl::Time(span) = value {
            let bounds = [Duration::from_millis(MIN), Duration::from_millis(MAX)];
            let otherwise = if span.is_zero() { ", or `never`" } else { "" };
            in_range_or(
                node,
                reader,
                span,
                bounds,
                |span| format_duration(*span),
                otherwise,
            )?;
        }
        Some(Self(value))
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
    CacheSize,
    <Size<{ CacheSize::MIN }, { CacheSize::MAX }> as JsonSchema>::json_schema(
        &mut SchemaGenerator::default()
    )
);

impl<const MIN: u64, const MAX: u64> JsonSchema for Share<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let [min, max] = Self::BOUNDS;
        json_schema!({
            "title": "share",
            "anyOf": [
                { "type": "number", "minimum": min, "maximum": max },
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *%$" },
            ],
            "description": format!("A share from {} to {}.", format_share(min), format_share(max)),
        })
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Ttl<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Ttl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let show = |ms| format_duration(Duration::from_millis(ms));
        json_schema!({
            "title": "`never`, `head`, `final` or duration",
            "type": "string",
            "pattern": r"^(never|head|final|([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|ns))+)$",
            "description": format!("A duration is from {} to {}.", show(MIN), show(MAX)),
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
