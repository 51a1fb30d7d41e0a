//! YAML text to a tree whose every key and value knows its place. Bounded in size, depth and what
//! aliases may multiply; goes on after duplicate keys, tags and the like, so that all are told.

mod builder;

use std::ops::Range;

use crate::problem::Problem;
use crate::source::{Place, Source};

/// Most values in a file, aliases counted as often as they are used.
pub(crate) const MAX_VALUES: usize = 50_000;
/// Most keys of one mapping.
pub(crate) const MAX_KEYS: usize = 2_000;
/// Deepest nesting.
pub(crate) const MAX_DEPTH: usize = 32;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    /// Bytes of the source.
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// What stands at a place.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Any other scalar; kinds are told apart by whoever reads it.
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) span: Range<usize>,
    pub(crate) value: Node,
}

/// Parses `source`. `None` when no tree could be made; `problems` then says why, unless there is
/// nothing in the text.
pub(crate) fn parse(source: &mut Source, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut built = builder::build(&source.name, &source.text);
    problems.append(&mut built.problems);
    for range in built.content {
        source.hide(range);
    }
    if !built.understood {
        source.hide_all_but_keys();
        return None;
    }
    built.root
}
