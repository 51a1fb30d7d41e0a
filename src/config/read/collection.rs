//! Reads mappings and lists: fixed keys, keys that the operator chooses, items. Unknown and missing
//! keys are told here and nowhere else.

use crate::environment::substitute;
use crate::problem::{is_shown_whole, shown, suggestion};
use crate::read::{At, Read, Reader};
use crate::tree::{Entry, Node, Value};

impl Reader<'_> {
    /// The entries of a mapping; none of nothing. Keys are revealed.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries {
                    // A URL or a blob in a key's place is no key.
                    if is_shown_whole(&entry.key) {
                        self.source.reveal(entry.span.clone());
                    }
                }
                Some(entries)
            }
            Value::Null => Some(&[]),
            Value::List(_) | Value::Text(_) => {
                self.problem(
                    node.place,
                    format!("this is not {expected}"),
                    "write `key: value` lines below it, indented",
                );
                None
            }
        }
    }

    /// Opens a section with these keys: unknown ones are told.
    pub(crate) fn section<'n>(
        &mut self,
        node: &'n Node,
        keys: &[(&str, bool)],
    ) -> Option<&'n [Entry]> {
        let entries = self.entries(node, "a mapping")?;
        for entry in entries {
            let known = keys.iter().any(|(name, _)| *name == entry.key);
            let extension = (self.path.len() == 0) && entry.key.starts_with("x-");
            if known || extension {
                continue;
            }
            let remedy = match suggestion(&entry.key, keys.iter().map(|(name, _)| *name)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!(
                    "known here: {}",
                    keys.iter()
                        .map(|(name, _)| *name)
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            };
            self.under(&entry.key, entry.place, |reader| {
                reader.problem(
                    entry.place,
                    format!("unknown key {}", shown(&entry.key)),
                    remedy,
                );
            });
        }
        for (name, _) in keys.iter().filter(|(_, required)| *required) {
            let given =
                |entry: &Entry| entry.key == *name && !matches!(entry.value.value, Value::Null);
            if !entries.iter().any(given) {
                let here = self.here;
                self.under(name, here, |reader| {
                    reader.problem(
                        here,
                        format!("`{name}` is missing"),
                        format!("add `{name}: …`"),
                    );
                });
            }
        }
        Some(entries)
    }

    /// The value of a section's key, if it was given and can be read.
    pub(crate) fn field<T: Read>(&mut self, entries: &[Entry], key: &str) -> Option<At<T>> {
        let entry = entries.iter().find(|entry| entry.key == key)?;
        if self.is_optional_blank(&entry.value) {
            return None;
        }
        if matches!(entry.value.value, Value::Null) {
            if T::IS_SWITCH {
                self.under(key, entry.place, |reader| {
                    reader.problem(
                        entry.value.place,
                        "nothing is said here, neither on nor off",
                        "write it, or remove the key",
                    );
                });
            }
            return None;
        }
        self.under(key, entry.place, |reader| reader.value(&entry.value))
    }

    /// Whether a value is nothing because `${NAME:-}` said so: as if the key were not there.
    fn is_optional_blank(&self, node: &Node) -> bool {
        let Value::Text(text) = &node.value else {
            return false;
        };
        text.contains("${") && substitute(text, self.environment).is_ok_and(|text| text.is_empty())
    }
}

impl<T: Read> Read for Vec<At<T>> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Value::List(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(index, item)| {
                        reader.under_index(index, item.place, |reader| reader.value(item))
                    })
                    .collect(),
            ),
            Value::Null => Some(Vec::new()),
            Value::Text(_) | Value::Map(_) => {
                reader.problem(
                    node.place,
                    "this is not a list",
                    "write it as a list: `[…]`, or one `- …` a line",
                );
                None
            }
        }
    }
}

/// A mapping whose keys the operator chooses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named<T>(pub(crate) Vec<(At<String>, At<T>)>);

impl<T: Read> Read for Named<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let entries = reader.entries(node, "a mapping")?;
        let read = |entry: &Entry, reader: &mut Reader<'_>| {
            reader.under(&entry.key, entry.place, |reader| {
                let key = At {
                    value: entry.key.clone(),
                    origin: reader.origin(entry.place),
                };
                Some((key, reader.value(&entry.value)?))
            })
        };
        Some(Self(
            entries
                .iter()
                .filter_map(|entry| read(entry, reader))
                .collect(),
        ))
    }
}
