//! The text of a file: places in it, and its lines as they may be shown. Never shows a value that
//! was not declared public: a key may stand anywhere, also where the file could not be understood.

use std::ops::Range;

use crate::problem::{Excerpt, is_deceptive};

/// A place in a file. Both are 0 when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A file's name and text, and which bytes of it may be shown.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Byte offset of each line's start.
    lines: Vec<usize>,
    /// Bytes of scalars and comments: not shown unless revealed.
    content: Vec<Range<usize>>,
    /// Bytes of keys and of values of public kinds.
    public: Vec<Range<usize>>,
    /// Whether nothing is known about the content but where lines begin.
    opaque: bool,
}

/// Longest excerpt, in characters.
const MAX_EXCERPT: usize = 160;

impl Source {
    pub(crate) fn new(name: &str, text: String) -> Self {
        let lines = line_starts(&text);
        Self {
            name: name.to_owned(),
            text,
            lines,
            content: Vec::new(),
            public: Vec::new(),
            opaque: false,
        }
    }

    /// Notes where content stands.
    pub(crate) fn hide(&mut self, range: Range<usize>) {
        self.content.push(range);
    }

    /// Declares bytes to be showable.
    pub(crate) fn reveal(&mut self, range: Range<usize>) {
        self.public.push(range);
    }

    /// The text between two byte offsets, if they are its own.
    pub(crate) fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// When nothing is known about the content (the parser gave up): hides everything but what
    /// begins a line as a key does.
    pub(crate) fn hide_all_but_keys(&mut self) {
        self.opaque = true;
        let keys = self
            .lines
            .iter()
            .filter_map(|&start| leading_key(&self.text, start));
        self.public = keys.collect();
    }

    /// Puts the ranges in order; to be called before the first excerpt.
    pub(crate) fn settle(&mut self) {
        self.content.sort_by_key(|range| range.start);
        self.public.sort_by_key(|range| range.start);
    }

    /// The line of `place` with everything blanked that is not public, and where the caret goes.
    pub(crate) fn excerpt(&self, place: Place) -> Option<Excerpt> {
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        let start = *self.lines.get(index)?;
        let end = self
            .lines
            .get(index + 1)
            .copied()
            .unwrap_or(self.text.len());
        let line = self.text.get(start..end)?.trim_end_matches(['\n', '\r']);
        let column = usize::try_from(place.column).ok()?;
        Some(self.blanked(line, start, column.saturating_sub(1)))
    }

    fn blanked(&self, line: &str, start: usize, caret: usize) -> Excerpt {
        let mut text = String::new();
        let mut width = 0;
        let mut caret_width = None;
        let mut in_blank = false;
        for (index, (offset, character)) in line.char_indices().enumerate() {
            if index == caret {
                caret_width = Some(width);
            }
            if width >= MAX_EXCERPT {
                break;
            }
            let public = self.is_public(start + offset, character);
            if public || !in_blank {
                text.push(if !public {
                    '…'
                } else if is_deceptive(character) {
                    ' '
                } else {
                    character
                });
                width += 1;
            }
            in_blank = !public;
        }
        Excerpt {
            text,
            caret: caret_width.unwrap_or(width),
        }
    }

    /// Keys, values of public kinds, and the blanks and marks of structure between them.
    fn is_public(&self, offset: usize, character: char) -> bool {
        if covers(&self.public, offset) {
            return true;
        }
        if self.opaque {
            return matches!(character, ' ' | '[' | ']' | '{' | '}' | ',' | '"' | '\'');
        }
        let mark = matches!(character, ' ' | '[' | ']' | '{' | '}' | ',' | ':' | '-');
        mark && !covers(&self.content, offset)
    }
}

/// Whether one of the ranges, sorted and not nested, holds `offset`.
fn covers(ranges: &[Range<usize>], offset: usize) -> bool {
    let after = ranges.partition_point(|range| range.start <= offset);
    let candidate = after.checked_sub(1).and_then(|index| ranges.get(index));
    candidate.is_some_and(|range| range.contains(&offset))
}

/// YAML 1.2 §5.4: a line ends with LF, CR, or both.
fn line_starts(text: &str) -> Vec<usize> {
    let mut starts = vec![0];
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((index, byte)) = bytes.next() {
        let bare_cr = byte == b'\r' && bytes.peek().is_none_or(|(_, next)| *next != b'\n');
        if byte == b'\n' || bare_cr {
            starts.push(index + 1);
        }
    }
    starts
}

/// The range of `key:` at the start of a line, with what is before it.
fn leading_key(text: &str, start: usize) -> Option<Range<usize>> {
    let line = text.get(start..)?.lines().next()?;
    let body = line.trim_start_matches([' ', '-']);
    let key = body
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        .count();
    let rest = body.get(key..)?;
    let ends = key <= 64 && (rest == ":" || rest.starts_with(": "));
    ends.then(|| start..start + (line.len() - body.len()) + key + 1)
}
