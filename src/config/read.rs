//! Walks the tree and reads typed values from it. A value that cannot be read becomes a problem with
//! its place and the walk goes on. Never puts a text of the file into a message unless its kind is
//! public (a number, a name), and reveals it for excerpts only then.

mod collection;
mod outside;

use std::path::Path;

use crate::catalog::StrategyCatalog;
use crate::environment::{Environment, substitute};
use crate::path::Path as KeyPath;
use crate::problem::{Problem, shown};
use crate::source::{Place, Source};
use crate::tree::{Node, Value};

pub(crate) use collection::Named;
pub(crate) use outside::reason;

/// Most problems that are told; a file with more is another kind of file.
pub(crate) const MAX_PROBLEMS: usize = 200;

/// Where a value stood and which key it had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    pub(crate) place: Place,
    pub(crate) path: String,
}

/// A value and where it stood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// A type that can be read from a node.
pub(crate) trait Read: Sized {
    /// Whether it switches something: a key that is there for that, and then says neither way, is told. Other keys without a value
    /// are as if they were not there.
    const IS_SWITCH: bool = false;

    /// The value, or `None` after telling `reader` what is wrong.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;
}

/// State of a walk: where it is, and what it found.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a mut Source,
    pub(crate) environment: &'a dyn Environment,
    pub(crate) catalog: &'a StrategyCatalog,
    /// Folder that relative paths start from.
    pub(crate) folder: &'a Path,
    problems: Vec<Problem>,
    path: KeyPath,
    /// Place of the innermost key or list item.
    here: Place,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        source: &'a mut Source,
        environment: &'a dyn Environment,
        catalog: &'a StrategyCatalog,
        folder: &'a Path,
        problems: Vec<Problem>,
    ) -> Self {
        let here = Place { line: 1, column: 1 };
        Self {
            source,
            environment,
            catalog,
            folder,
            problems,
            path: KeyPath::default(),
            here,
        }
    }

    /// What was found, each with its excerpt.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        self.source.settle();
        for problem in &mut self.problems {
            problem.excerpt = self.source.excerpt(Place {
                line: problem.line,
                column: problem.column,
            });
        }
        self.problems
    }

    /// Whether a problem was told at this key or below: what is missing there needs no second one.
    pub(crate) fn is_troubled(&self, path: &str) -> bool {
        let below = |problem: &Problem| {
            problem
                .path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.problems.iter().any(below)
    }

    pub(crate) const fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Tells a problem with the current key at `place`.
    pub(crate) fn problem(
        &mut self,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let origin = Origin {
            place,
            path: self.path.as_str().to_owned(),
        };
        self.problem_at(&origin, message, remedy);
    }

    /// Tells a problem with a value that was read before.
    pub(crate) fn problem_at(
        &mut self,
        origin: &Origin,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.problems.len() >= MAX_PROBLEMS {
            return;
        }
        let mut problem = Problem {
            file: self.source.name.clone(),
            line: origin.place.line,
            column: origin.place.column,
            path: origin.path.clone(),
            message: message.into(),
            remedy: remedy.into(),
            excerpt: None,
        };
        if self.problems.len() + 1 == MAX_PROBLEMS {
            problem.path = String::new();
            problem.message = format!("more than {MAX_PROBLEMS} problems; the rest is not shown");
            problem.remedy = String::new();
        }
        self.problems.push(problem);
    }

    /// Lets excerpts show a node's text: for kinds that cannot be secret. Of a URL that slipped into
    /// such a place, its host alone.
    pub(crate) fn reveal(&mut self, node: &Node) {
        match &node.value {
            Value::Text(text) if text.contains("://") => {
                let length = crate::url::public_prefix(text).unwrap_or(0);
                self.reveal_prefix(node, text, length);
            }
            Value::Text(_) | Value::Null => self.source.reveal(node.span.clone()),
            Value::List(_) | Value::Map(_) => {}
        }
    }

    /// Lets excerpts show the first `length` bytes of a node's text, where it stands as written.
    pub(crate) fn reveal_prefix(&mut self, node: &Node, text: &str, length: usize) {
        let written = self.source.slice(&node.span);
        // Nothing but a quote can stand before it; that may be seen too.
        if let Some(start) = written.find(text).filter(|start| *start <= 1) {
            let end = node.span.start + start + length;
            self.source.reveal(node.span.start..end);
        }
    }

    /// The text of a scalar with references replaced. `None` when absent or after a problem.
    pub(crate) fn text(&mut self, node: &Node, expected: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) => {
                let text = self.substituted(node, text)?;
                (!text.is_empty()).then_some(text).or_else(|| {
                    self.problem(
                        node.place,
                        "the value is empty",
                        format!("write {expected}, or remove the key"),
                    );
                    None
                })
            }
            Value::Null => {
                self.problem(
                    node.place,
                    "the value is missing",
                    format!("write {expected}, or remove the key"),
                );
                None
            }
            Value::List(_) => {
                self.problem(node.place, "this is a list", format!("write {expected}"));
                None
            }
            Value::Map(_) => {
                self.problem(node.place, "this is a mapping", format!("write {expected}"));
                None
            }
        }
    }

    fn substituted(&mut self, node: &Node, text: &str) -> Option<String> {
        match substitute(text, self.environment) {
            Ok(text) => Some(text),
            Err(references) => {
                for reference in references {
                    let place = self.place_within(node, text, reference.offset);
                    self.problem(place, reference.message, reference.remedy);
                }
                None
            }
        }
    }

    /// The place of a byte of a scalar's text, where it stands in one line as written; else the
    /// scalar's own.
    fn place_within(&self, node: &Node, text: &str, offset: usize) -> Place {
        let written = self.source.slice(&node.span);
        let Some(start) = written.find(text) else {
            return node.place;
        };
        let Some(before) = written.get(..start + offset) else {
            return node.place;
        };
        if before.contains(['\n', '\r']) {
            return node.place;
        }
        let columns = u32::try_from(before.chars().count()).unwrap_or(0);
        Place {
            column: node.place.column.saturating_add(columns),
            ..node.place
        }
    }

    /// A value of a public kind: its text is revealed, and shown when it cannot be parsed. `what`
    /// names the kind, `how` shows how it is written.
    pub(crate) fn public<T>(
        &mut self,
        node: &Node,
        what: &str,
        how: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(node, how)?;
        self.reveal(node);
        parse(&text).or_else(|| {
            // A text from the environment is not the file's; it may be a key in the wrong place.
            let given = if self.is_verbatim(node, &text) {
                shown(&text)
            } else {
                "the value".to_owned()
            };
            self.problem(
                node.place,
                format!("{given} is not {what}"),
                format!("write {how}"),
            );
            None
        })
    }

    /// Whether `text` stands in the file as it is, nothing from the environment in it.
    pub(crate) fn is_verbatim(&self, node: &Node, text: &str) -> bool {
        matches!(&node.value, Value::Text(written) if written == text)
    }

    /// Runs `read` with `key` appended to the path.
    pub(crate) fn under<T>(
        &mut self,
        key: &str,
        place: Place,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let length = self.path.len();
        self.path.push_key(key);
        self.inside(length, place, read)
    }

    fn under_index<T>(
        &mut self,
        index: usize,
        place: Place,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let length = self.path.len();
        self.path.push_index(index);
        self.inside(length, place, read)
    }

    fn inside<T>(&mut self, length: usize, place: Place, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.here, place);
        let result = read(self);
        self.here = outer;
        self.path.truncate(length);
        result
    }

    pub(crate) fn origin(&self, place: Place) -> Origin {
        Origin {
            place,
            path: self.path.as_str().to_owned(),
        }
    }

    /// The current key's place.
    pub(crate) const fn here(&self) -> Place {
        self.here
    }

    /// Reads a value and keeps where it stood.
    pub(crate) fn value<T: Read>(&mut self, node: &Node) -> Option<At<T>> {
        let value = T::read(node, self)?;
        // A collection is complained about at its key: that is where a reader looks for it.
        let collection = matches!(node.value, Value::List(_) | Value::Map(_));
        let place = if collection { self.here } else { node.place };
        Some(At {
            value,
            origin: self.origin(place),
        })
    }
}
