//! Parser events to a tree: anchors, merge keys, duplicates, limits. Goes on after what it can go on
//! after; stops at what makes the rest meaningless.

use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Span};

use super::{Entry, MAX_DEPTH, MAX_KEYS, MAX_VALUES, Node, Value};
use crate::path::Path;
use crate::problem::{Problem, shown};
use crate::source::Place;

/// What came of a text.
pub(super) struct Built {
    /// The value of its document, if it has one.
    pub(super) root: Option<Node>,
    pub(super) problems: Vec<Problem>,
    /// Bytes of scalars and comments.
    pub(super) content: Vec<Range<usize>>,
    /// Whether the text was read to its end.
    pub(super) understood: bool,
}

/// Builds the tree of a text. `file` stands for it in problems.
pub(super) fn build(file: &str, text: &str) -> Built {
    let mut builder = Builder::new(file);
    let understood = builder.run(text);
    Built {
        root: builder.root,
        problems: builder.problems,
        content: builder.content,
        understood,
    }
}

/// A collection that is not yet complete.
struct Frame {
    place: Place,
    start: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<Key>,
    },
}

/// A key whose value is awaited. `text` is `None` for one that was already complained about.
struct Key {
    text: Option<String>,
    place: Place,
    span: Range<usize>,
}

/// A value that has an anchor, and what a copy of it costs.
struct Anchored {
    node: Node,
    values: usize,
    depth: usize,
}

struct Builder<'a> {
    file: &'a str,
    problems: Vec<Problem>,
    content: Vec<Range<usize>>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    values: usize,
    root: Option<Node>,
}

impl<'a> Builder<'a> {
    fn new(file: &'a str) -> Self {
        Self {
            file,
            problems: Vec::new(),
            content: Vec::new(),
            stack: Vec::new(),
            anchors: HashMap::new(),
            values: 0,
            root: None,
        }
    }

    /// Feeds every event; whether the text was understood to its end.
    fn run(&mut self, text: &str) -> bool {
        let mut options = Options::default();
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        options.disallow_directives = true;
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    let message = format!("this is not YAML: {}", error.kind());
                    let remedy = syntax_remedy(text, error.marker().line());
                    self.problem(place(*error.marker()), message, remedy);
                    return false;
                }
            };
            if let Event::DocumentStart(..) = event {
                documents += 1;
                if documents > 1 {
                    let message = "a second document begins here".to_owned();
                    self.problem(place(span.start), message, "keep one document in a file");
                    return false;
                }
            }
            if !self.event(event, span) {
                return false;
            }
        }
        true
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        let start = place(span.start);
        let bytes = span.byte_range().unwrap_or_default();
        let (Event::Scalar(.., ref tag)
        | Event::SequenceStart(.., ref tag)
        | Event::MappingStart(.., ref tag)) = event
        else {
            return self.event_without_tag(&event, start, bytes);
        };
        if tag.is_some() {
            let message = "tags (`!…`) have no meaning here".to_owned();
            self.problem(
                start,
                message,
                "remove the tag, or quote the value if the `!` belongs to it",
            );
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                self.content.push(bytes.clone());
                let null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let is_key = self.awaits_key();
                let value = if null && !is_key {
                    Value::Null
                } else {
                    Value::Text(text.into_owned())
                };
                self.attach(
                    Node {
                        place: start,
                        span: bytes,
                        value,
                    },
                    anchor,
                )
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(start, bytes.start, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, _) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    key: None,
                };
                self.open(start, bytes.start, anchor, content)
            }
            _ => true,
        }
    }

    fn event_without_tag(&mut self, event: &Event<'_>, start: Place, bytes: Range<usize>) -> bool {
        match event {
            Event::SequenceEnd | Event::MappingEnd => self.close(bytes.end),
            Event::Alias(anchor) => self.alias(*anchor, start),
            Event::Comment(..) => {
                self.content.push(bytes);
                true
            }
            _ => true,
        }
    }

    fn open(&mut self, place: Place, start: usize, anchor: usize, content: Content) -> bool {
        self.stack.push(Frame {
            place,
            start,
            anchor,
            content,
        });
        if self.stack.len() > MAX_DEPTH {
            self.too_deep(place);
            return false;
        }
        true
    }

    fn close(&mut self, end: usize) -> bool {
        let Some(frame) = self.stack.pop() else {
            return false;
        };
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(self.merged(entries)),
        };
        self.attach(
            Node {
                place: frame.place,
                span: frame.start..end,
                value,
            },
            frame.anchor,
        )
    }

    fn alias(&mut self, anchor: usize, place: Place) -> bool {
        let Some(anchored) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside the value it refers to".to_owned();
            self.problem(place, message, "refer only to values that are complete");
            return false;
        };
        if self.stack.len() + anchored.depth > MAX_DEPTH {
            self.too_deep(place);
            return false;
        }
        self.values += anchored.values.saturating_sub(1);
        let node = (self.values <= MAX_VALUES).then(|| anchored.node.clone());
        // Nothing is copied once the limit is passed; `attach` complains.
        self.attach(
            node.unwrap_or(Node {
                place,
                span: 0..0,
                value: Value::Null,
            }),
            0,
        )
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    /// Puts a complete value where it belongs.
    fn attach(&mut self, node: Node, anchor: usize) -> bool {
        self.values += 1;
        if self.values > MAX_VALUES {
            let message =
                format!("more than {MAX_VALUES} values, aliases counted each time they are used");
            self.problem(node.place, message, "use fewer aliases of large values");
            return false;
        }
        if anchor != 0 {
            let (values, depth) = extent(&node);
            self.anchors.insert(
                anchor,
                Anchored {
                    node: node.clone(),
                    values,
                    depth,
                },
            );
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return true;
        };
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                None => {
                    let text = if let Value::Text(text) = node.value {
                        Some(text)
                    } else {
                        None
                    };
                    let complain = text.is_none();
                    *key = Some(Key {
                        text,
                        place: node.place,
                        span: node.span,
                    });
                    if complain {
                        let message = "a key must be a plain text".to_owned();
                        self.problem(node.place, message, "write `key: value`");
                    }
                }
                Some(Key { text: None, .. }) => {}
                Some(Key {
                    text: Some(text),
                    place,
                    span,
                }) => {
                    if let Some(first) = entries.iter().find(|entry| entry.key == text) {
                        let message = format!(
                            "{} is given twice; the first is on line {}",
                            shown(&text),
                            first.place.line
                        );
                        let path = self.path_to(&text);
                        self.problem_at(path, place, message, "keep one of them");
                    } else if entries.len() == MAX_KEYS {
                        let message = format!("more than {MAX_KEYS} keys in one mapping");
                        self.problem(
                            place,
                            message,
                            "split the configuration over several processes",
                        );
                        return false;
                    } else {
                        entries.push(Entry {
                            key: text,
                            place,
                            span,
                            value: node,
                        });
                    }
                }
            },
        }
        true
    }

    /// Resolves merge keys (`<<: *defaults`): what is given beside them wins, then the first merged.
    fn merged(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let Some(index) = entries.iter().position(|entry| entry.key == "<<") else {
            return entries;
        };
        let merge = entries.remove(index);
        let sources = match merge.value.value {
            Value::List(items) => items,
            _ => vec![merge.value],
        };
        for source in sources {
            let Value::Map(map) = source.value else {
                let message = "`<<` merges mappings, and this is none".to_owned();
                self.problem(
                    merge.place,
                    message,
                    "write `<<: *anchor`, the anchor on a mapping",
                );
                continue;
            };
            for entry in map {
                if entries.iter().all(|known| known.key != entry.key) {
                    entries.push(entry);
                }
            }
        }
        entries
    }

    fn too_deep(&mut self, place: Place) {
        let message = format!("nested deeper than {MAX_DEPTH} levels");
        self.problem(
            place,
            message,
            "no key of this configuration lies as deep; look for a stray indent or bracket",
        );
    }

    /// Tells a problem at the value or key that is being read.
    fn problem(&mut self, place: Place, message: String, remedy: &str) {
        let path = self.key_path().as_str().to_owned();
        self.problem_at(path, place, message, remedy);
    }

    /// The key that is being read, through all open collections.
    fn key_path(&self) -> Path {
        let mut path = Path::default();
        for frame in &self.stack {
            match &frame.content {
                Content::List(items) => path.push_index(items.len()),
                Content::Map {
                    key:
                        Some(Key {
                            text: Some(text), ..
                        }),
                    ..
                } => path.push_key(text),
                Content::Map { .. } => {}
            }
        }
        path
    }

    /// A key of the innermost mapping.
    fn path_to(&self, key: &str) -> String {
        let mut path = self.key_path();
        path.push_key(key);
        path.as_str().to_owned()
    }

    fn problem_at(&mut self, path: String, place: Place, message: String, remedy: &str) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            path,
            message,
            remedy: remedy.to_owned(),
            excerpt: None,
        });
    }
}

/// What to do about a syntax error on `line`, from 1.
fn syntax_remedy(text: &str, line: usize) -> &'static str {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    if line.contains("${") {
        return "quote references inside `{ … }` and `[ … ]`: `\"${NAME}\"`";
    }
    if line.trim_start_matches(' ').starts_with('\t') {
        return "indent with blanks, not with tabs";
    }
    "look at the indentation, quotes and brackets here and on the line before"
}

/// Number of values in a tree, and its depth. The depth is at most [`MAX_DEPTH`].
fn extent(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
        Value::Null | Value::Text(_) => return (1, 0),
    };
    children
        .into_iter()
        .map(extent)
        .fold((1, 1), |(values, depth), (v, d)| {
            (values + v, depth.max(d + 1))
        })
}

/// The parser counts columns from 0.
fn place(marker: Marker) -> Place {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        line: number(marker.line()),
        column: number(marker.col()).saturating_add(1),
    }
}
