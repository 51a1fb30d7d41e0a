//! What a configuration may take from outside its text: variables and files. Both are asked for
//! through one trait, so that a test needs neither. Never writes anything.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Longest file that a configuration may consist of or name, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Longest database that a configuration may name, in bytes.
pub const MAX_DATABASE_BYTES: u64 = 256 << 20;

/// Where variables and files come from.
pub trait Environment {
    /// The value of a variable; `None` if it is not set or is not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// The content of a file.
    ///
    /// # Errors
    /// What the system says, or `FileTooLarge` above [`MAX_FILE_BYTES`].
    fn file(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The content of a file that may be a database.
    ///
    /// # Errors
    /// What the system says, or `FileTooLarge` above [`MAX_DATABASE_BYTES`].
    fn large_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.file(path)
    }
}

/// The process's own variables and file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        read(path, MAX_FILE_BYTES)
    }

    fn large_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        read(path, MAX_DATABASE_BYTES)
    }
}

fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut content = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut content)?;
    if content.len() as u64 > max_bytes {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(content)
}

/// Variables and files that are given, for tests and simulations. Without `Debug`: it may hold secrets.
#[derive(Clone, Default)]
pub struct GivenEnvironment {
    /// Variables by name.
    pub variables: BTreeMap<String, String>,
    /// Files by path.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Environment for GivenEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Why a `${…}` could not be replaced. Holds names, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadReference {
    /// Byte offset of the `$` in the text.
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${` itself.
///
/// # Errors
/// All references that could not be replaced.
pub(crate) fn substitute(
    text: &str,
    environment: &dyn Environment,
) -> Result<String, Vec<BadReference>> {
    let mut out = String::with_capacity(text.len());
    let mut bad = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, at) = rest.split_at(dollar);
        out.push_str(before);
        if let Some(after) = at.strip_prefix("$${") {
            out.push_str("${");
            rest = after;
        } else if let Some(after) = at.strip_prefix("${") {
            let offset = text.len() - at.len();
            let (value, after) = replace(after, offset, environment);
            match value {
                Ok(value) => out.push_str(&value),
                Err(reference) => bad.push(reference),
            }
            rest = after;
        } else {
            out.push('$');
            rest = at.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    if bad.is_empty() { Ok(out) } else { Err(bad) }
}

/// The value of the reference whose inside begins `text`, and what follows the reference.
fn replace<'a>(
    text: &'a str,
    offset: usize,
    environment: &dyn Environment,
) -> (Result<String, BadReference>, &'a str) {
    let fault = |message: String, remedy: &str| {
        Err(BadReference {
            offset,
            message,
            remedy: remedy.to_owned(),
        })
    };
    let Some((inside, after)) = text.split_once('}') else {
        let remedy = "close it with `}`, or write `$${` for the text `${`";
        return (fault("`${` is not closed".to_owned(), remedy), "");
    };
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let legal = !name.is_empty()
        && name.len() <= 128
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !legal || default.is_some_and(|default| default.contains("${")) {
        let remedy = "write `${NAME}` or `${NAME:-default}`, the name in letters, digits and `_`, the default without another `${`";
        return (
            fault("`${…}` is not a reference to a variable".to_owned(), remedy),
            after,
        );
    }
    let value = match (environment.variable(name), default) {
        (Some(value), _) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (Some(_), None) => fault(
            format!("the environment variable `{name}` is empty"),
            &format!("give it a value, or write `${{{name}:-}}` if it may be empty"),
        ),
        (None, None) => fault(
            format!("the environment variable `{name}` is not set"),
            &format!("set it, or give a default: `${{{name}:-default}}`"),
        ),
    };
    (value, after)
}

/// The text that [`substitute`] turns into `text`.
pub(crate) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests;
