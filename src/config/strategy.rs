//! Reads `strategy: name` and `strategy: { name: …, option: … }` against the caller's catalog. Knows
//! no strategy by itself.

use crate::catalog::{OptionDescription, OptionKind, StrategyCatalog, StrategyDescription};
use crate::file::Strategy;
use crate::model::{Setting, Strategy as Chosen};
use crate::problem::{shown, suggestion};
use crate::read::{Read, Reader};
use crate::scalar::{format_duration, format_share, parse_duration, parse_flag, parse_part};
use crate::tree::{Entry, Node, Value};

impl Read for Strategy {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Value::Map(_) = node.value else {
            let description = find(node, reader)?;
            return Some(Self(Chosen::named(description.name)));
        };
        let entries = reader.entries(node, "a strategy")?;
        let Some(name) = entries.iter().find(|entry| entry.key == "name") else {
            let here = reader.here();
            reader.problem(
                here,
                "the strategy has no `name`",
                "write `{ name: …, option: … }`, or the name alone",
            );
            return None;
        };
        let description = reader.under("name", name.place, |reader| find(&name.value, reader))?;
        let mut options: Vec<(String, Setting)> = Vec::new();
        let own = OptionsOf {
            strategy: description,
            beneath: None,
        };
        // What it is over comes first: it says which other options there are.
        let is_over = |entry: &&Entry| Some(entry.key.as_str()) == description.over;
        let over = entries.iter().find(is_over);
        if let Some(entry) = over {
            let read = reader.under(&entry.key, entry.place, |reader| {
                option(entry, &own, reader)
            });
            options.extend(read);
        }
        let beneath = reader.catalog.chosen_beneath(description, &options);
        let all = OptionsOf { beneath, ..own };
        let others = entries
            .iter()
            .filter(|entry| entry.key != "name" && !is_over(entry));
        for entry in others {
            let read = reader.under(&entry.key, entry.place, |reader| {
                option(entry, &all, reader)
            });
            options.extend(read);
        }
        Some(Self(Chosen {
            name: description.name.to_owned(),
            options,
        }))
    }
}

/// The strategy that a text names.
fn find<'a>(node: &Node, reader: &mut Reader<'a>) -> Option<&'a StrategyDescription> {
    let catalog: &'a StrategyCatalog = reader.catalog;
    let text = reader.text(node, "a strategy's name")?;
    reader.reveal(node);
    let found = catalog.find(&text);
    if found.is_none() {
        let given = if reader.is_verbatim(node, &text) {
            shown(&text)
        } else {
            "the value".to_owned()
        };
        let remedy = match suggestion(&text, catalog.names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!(
                "known strategies: {}",
                catalog.names().collect::<Vec<_>>().join(", ")
            ),
        };
        reader.problem(node.place, format!("{given} is not a strategy"), remedy);
    }
    found
}

/// Whose options may be given: a strategy's own, and of one that is over another that one's.
#[derive(Clone, Copy)]
struct OptionsOf<'a> {
    strategy: &'a StrategyDescription,
    beneath: Option<&'a StrategyDescription>,
}

impl<'a> OptionsOf<'a> {
    /// Its own come first: of an option that both have, its own is meant.
    fn all(self) -> impl Iterator<Item = &'a OptionDescription> {
        let beneath = self.beneath.into_iter().flat_map(|inner| &inner.options);
        self.strategy.options.iter().chain(beneath)
    }
}

fn option(entry: &Entry, of: &OptionsOf<'_>, reader: &mut Reader<'_>) -> Option<(String, Setting)> {
    let names = || of.all().map(|option| option.name);
    let Some(description) = of.all().find(|option| option.name == entry.key) else {
        let remedy = match suggestion(&entry.key, names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None if names().next().is_none() => "it has none".to_owned(),
            None => format!("it has: {}", names().collect::<Vec<_>>().join(", ")),
        };
        let over = of
            .beneath
            .map_or_else(String::new, |inner| format!(" over `{}`", inner.name));
        let message = format!(
            "strategy `{}`{over} has no option {}",
            of.strategy.name,
            shown(&entry.key)
        );
        reader.problem(entry.place, message, remedy);
        return None;
    };
    if matches!(entry.value.value, Value::Null) {
        return None;
    }
    let expected = expectation(&description.kind);
    let setting = reader.public(&entry.value, &expected, &expected, |text| {
        setting(description, text)
    })?;
    Some((entry.key.clone(), setting))
}

fn setting(description: &OptionDescription, text: &str) -> Option<Setting> {
    match description.kind {
        OptionKind::Flag { .. } => parse_flag(text).map(Setting::Flag),
        OptionKind::Integer { min, max, .. } => {
            let number = text.parse::<i64>().ok()?;
            (min..=max)
                .contains(&number)
                .then_some(Setting::Integer(number))
        }
        OptionKind::Share {
            max_basis_points, ..
        } => {
            let points = parse_part(text)? * 10_000.0;
            let whole = points.round();
            // A share is exact to a basis point or it is refused; the last bits are the format's.
            let exact = (points - whole).abs() < 1e-6 && whole <= f64::from(max_basis_points);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 4,294,967,295 by the checks above"
            )]
            exact.then_some(Setting::Share(whole as u32))
        }
        OptionKind::Duration { min, max, .. } => {
            let span = parse_duration(text)?;
            (min..=max)
                .contains(&span)
                .then_some(Setting::Duration(span))
        }
        OptionKind::Word { words, .. } => words
            .contains(&text)
            .then(|| Setting::Word(text.to_owned())),
    }
}

/// What an option's value must be, for messages and the reference page.
pub(crate) fn expectation(kind: &OptionKind) -> String {
    match kind {
        OptionKind::Flag { .. } => "`true` or `false`".to_owned(),
        OptionKind::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
        OptionKind::Share {
            max_basis_points, ..
        } => {
            format!(
                "a share from 0% to {}",
                show(&Setting::Share(*max_basis_points))
            )
        }
        OptionKind::Duration { min, max, .. } => {
            format!(
                "a duration from {} to {}",
                format_duration(*min),
                format_duration(*max)
            )
        }
        OptionKind::Word { words, .. } => {
            format!(
                "one of {}",
                words
                    .iter()
                    .map(|word| format!("`{word}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
    }
}

/// An option's default.
pub(crate) fn default_setting(kind: &OptionKind) -> Setting {
    match *kind {
        OptionKind::Flag { default } => Setting::Flag(default),
        OptionKind::Integer { default, .. } => Setting::Integer(default),
        OptionKind::Share {
            default_basis_points,
            ..
        } => Setting::Share(default_basis_points),
        OptionKind::Duration { default, .. } => Setting::Duration(default),
        OptionKind::Word { words, default } => {
            Setting::Word(words.get(default).copied().unwrap_or_default().to_owned())
        }
    }
}

/// A setting as a configuration writes it.
pub(crate) fn show(setting: &Setting) -> String {
    match setting {
        Setting::Flag(flag) => flag.to_string(),
        Setting::Integer(number) => number.to_string(),
        Setting::Share(points) => format_share(f64::from(*points) / 10_000.0),
        Setting::Duration(span) => format_duration(*span),
        Setting::Word(word) => word.clone(),
    }
}
