//! What is wrong with a configuration, where, and what to do about it. Never holds a secret: texts
//! from the file reach a problem only through [`crate::source`]'s redaction or [`shown`].

use std::fmt::Write as _;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The file, as it was named on the command line.
    pub file: String,
    /// Line, from 1; 0 when the problem has no place in the file.
    pub line: u32,
    /// Column in characters, from 1; 0 when the problem has no place in the file.
    pub column: u32,
    /// The key, as in `chains.ethereum.upstreams[0].http`; empty for the whole file.
    pub path: String,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it, in the imperative; may be empty.
    pub remedy: String,
    /// The line of the file with secrets blanked, when there is one.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// A line of the file with secrets blanked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line.
    pub text: String,
    /// How many characters of `text` stand before the problem's place.
    pub caret: usize,
}

/// All that is wrong with one configuration, in the file's order. Never empty when it is an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts by place and drops repetitions (an aliased value is read once for each use).
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| {
            (a.line, a.column, &a.path, &a.message).cmp(&(b.line, b.column, &b.path, &b.message))
        });
        problems.dedup();
        Self(problems)
    }

    /// The problems, in the file's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }

    /// For a terminal: each problem with its line of the file and a caret, then a count.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for problem in &self.0 {
            problem.render(&mut text);
        }
        let plural = if self.0.len() == 1 { "" } else { "s" };
        let _ = writeln!(text, "{} problem{plural}", self.0.len());
        text
    }

    /// For programs: `{"ok": false, "problems": [{file, line, column, path, message, remedy}]}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "ok": false, "problems": self.0 })
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_text().trim_end())
    }
}

impl std::error::Error for Problems {}

impl Problem {
    fn render(&self, out: &mut String) {
        out.push_str(&self.file);
        if self.line > 0 {
            let _ = write!(out, ":{}:{}", self.line, self.column);
        }
        out.push_str(": ");
        if !self.path.is_empty() {
            let _ = write!(out, "{}: ", self.path);
        }
        let _ = writeln!(out, "{}", self.message);
        if let Some(excerpt) = &self.excerpt {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            let pad = " ".repeat(excerpt.caret);
            let _ = writeln!(out, " {number} | {}\n {gutter} | {pad}^", excerpt.text);
        }
        if !self.remedy.is_empty() {
            let _ = writeln!(out, "   = {}", self.remedy);
        }
        out.push('\n');
    }
}

/// A text of the file as a message may show it: one line, no control characters, at most 48
/// characters, and nothing at all of what looks like a URL.
pub(crate) fn shown(text: &str) -> String {
    if text.contains("://") {
        return "`…`".to_owned();
    }
    let mut out = String::from("`");
    for (count, character) in text.chars().enumerate() {
        if count == 48 {
            out.push('…');
            break;
        }
        if is_deceptive(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out.push('`');
    out
}

/// Whether [`shown`] leaves nothing of a text out.
pub(crate) fn is_shown_whole(text: &str) -> bool {
    shown(text)
        .strip_prefix('`')
        .and_then(|rest| rest.strip_suffix('`'))
        == Some(text)
}

/// Control characters, and those that reorder or hide what a terminal shows.
pub(crate) fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// The one of `known` that `given` was probably meant to be.
pub(crate) fn suggestion<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given: String = given.to_ascii_lowercase().chars().take(64).collect();
    let distance = |candidate: &str| {
        let extends =
            given.len() >= 3 && candidate.starts_with(&given) || given.starts_with(candidate);
        if extends {
            1
        } else {
            strsim::damerau_levenshtein(&given, candidate)
        }
    };
    known
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
