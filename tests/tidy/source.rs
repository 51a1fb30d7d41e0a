//! The repository as the rules see it: its files, and Rust code without its comments and literals. Reads files; judges
//! nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are not the repository's.
const FOREIGN: [&str; 6] = [
    ".git",
    "target",
    "node_modules",
    ".venv",
    "__pycache__",
    "results",
];

/// One text file.
pub struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file below a folder of the repository, in order of path. What is not UTF-8 is left out.
pub fn files(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let path = path
                .strip_prefix(root())
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            Some(Source { path, text })
        })
        .collect()
}

/// Every Rust file below a folder.
pub fn rust(folder: &str) -> Vec<Source> {
    let found: Vec<_> = files(folder)
        .into_iter()
        .filter(|file| file.path.ends_with(".rs"))
        .collect();
    assert!(
        !found.is_empty(),
        "no Rust below {folder}: the rule would hold of nothing"
    );
    found
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        let is_foreign = FOREIGN.iter().any(|foreign| name == *foreign);
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() && !is_foreign {
            collect(&entry.path(), into);
        } else if kind.is_file() {
            into.push(entry.path());
        }
    }
}

impl Source {
    /// Whether it is a test's: what tests may do, the product may not.
    pub fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| part == "tests" || part == "tests.rs" || part == "examples")
    }

    /// The code: comments gone, literals emptied, and of the rest only what stands before the tests in the same file.
    pub fn code(&self) -> String {
        let code = stripped(&self.text);
        match code.find("#[cfg(test)]\nmod tests {") {
            Some(at) => code.get(..at).unwrap_or_default().to_owned(),
            None => code,
        }
    }

    /// The lines of the code that have one of these words, as `path:line: line`.
    pub fn lines_with(&self, words: &[&str]) -> Vec<String> {
        let code = self.code();
        let has = |line: &str| words.iter().any(|word| has_word(line, word));
        let lines = code.lines().enumerate().filter(|(_, line)| has(line));
        lines
            .map(|(at, line)| format!("{}:{}: {}", self.path, at + 1, line.trim()))
            .collect()
    }
}

/// Whether a line has a word, or a path such as `std::net`, bounded on both sides.
pub fn has_word(line: &str, word: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, found)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + found.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(is_inside) && !after.is_some_and(is_inside)
    })
}

/// Rust without comments and with empty literals; lines keep their numbers.
fn stripped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if first == '"' {
            string_length(rest)
        } else if rest.starts_with("r\"") || rest.starts_with("r#\"") || rest.starts_with("r##\"") {
            raw_length(rest)
        } else if first == '\'' {
            character_length(rest)
        } else {
            0
        };
        let length = if skipped == 0 {
            first.len_utf8()
        } else {
            skipped
        };
        let (taken, left) = rest.split_at(length);
        if skipped == 0 {
            out.push_str(taken);
        } else {
            out.extend(taken.chars().filter(|&c| c == '\n'));
        }
        rest = left;
    }
    out
}

fn string_length(text: &str) -> usize {
    let mut escaped = true;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_length(text: &str) -> usize {
    let hashes = text.chars().skip(1).take_while(|&c| c == '#').count();
    let end = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 2;
    let found = text.get(start..).and_then(|inside| inside.find(&end));
    found.map_or(text.len(), |at| start + at + end.len())
}

/// The length of a character literal, or 0 for a lifetime.
fn character_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text
            .get(3..)
            .and_then(|after| after.find('\''))
            .map_or(0, |at| at + 4),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{has_word, stripped};

    #[test]
    fn comments_and_literals_are_gone_and_code_is_not() {
        let code = stripped(
            "let a = \"x \\\" unsafe\"; // unsafe\nlet 'b: c = '\\''; /* unsafe\n */ r#\"un\"safe\"# d('\"') e<'f>",
        );
        assert_eq!(code, "let a = ; \nlet 'b: c = ; \n  d() e<'f>");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use std::net::X;", "std::net"));
        assert!(!has_word("use std::network;", "std::net"));
        assert!(!has_word("my_unsafe()", "unsafe"));
    }
}
