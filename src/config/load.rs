//! The road from a file to a configuration, and nothing but the road: each step is a module's.

use std::path::Path;

use crate::catalog::StrategyCatalog;
use crate::environment::{Environment, MAX_FILE_BYTES};
use crate::file::File;
use crate::model::Config;
use crate::problem::{Problem, Problems};
use crate::read::{Read as _, Reader};
use crate::source::{Place, Source};
use crate::tree::{Value, parse as parse_tree};
use crate::validate;

/// The version of the format that this crate reads.
const VERSION: u64 = 1;

/// Loads a configuration from a file.
///
/// # Errors
/// All that is wrong with it, in the file's order.
pub fn load(
    path: &Path,
    environment: &dyn Environment,
    catalog: &StrategyCatalog,
) -> Result<Config, Problems> {
    let name = path.display().to_string();
    let content = match environment.file(path) {
        Ok(content) => content,
        Err(error) => {
            let remedy = match error.kind() {
                std::io::ErrorKind::FileTooLarge => {
                    format!("a configuration has at most {MAX_FILE_BYTES} bytes")
                }
                _ => "check the path and who may read the file".to_owned(),
            };
            return Err(whole(
                &name,
                format!("the file cannot be read: {}", crate::read::reason(&error)),
                &remedy,
            ));
        }
    };
    match String::from_utf8(content) {
        Ok(text) => parse(
            &text,
            &name,
            path.parent().unwrap_or(Path::new("")),
            environment,
            catalog,
        ),
        Err(error) => Err(not_utf8(&name, &error)),
    }
}

/// Reads a configuration from a text. `name` stands for the file in problems; relative paths in it
/// start from `folder`.
///
/// # Errors
/// All that is wrong with it, in the text's order.
pub fn parse(
    text: &str,
    name: &str,
    folder: &Path,
    environment: &dyn Environment,
    catalog: &StrategyCatalog,
) -> Result<Config, Problems> {
    if text.len() as u64 > MAX_FILE_BYTES {
        let remedy = format!("a configuration has at most {MAX_FILE_BYTES} bytes");
        return Err(whole(name, "the file is too large".to_owned(), &remedy));
    }
    let mut source = Source::new(name, text.to_owned());
    let mut problems = Vec::new();
    let tree = parse_tree(&mut source, &mut problems);
    let understood = problems.is_empty();
    let mut reader = Reader::new(&mut source, environment, catalog, folder, problems);
    let config = match tree {
        Some(tree) if !matches!(tree.value, Value::Null) => {
            version_admits(&tree.value, &mut reader).then(|| {
                let file = File::read(&tree, &mut reader)?;
                validate::config(file, &mut reader)
            })
        }
        _ => {
            if understood {
                reader.problem(
                    Place { line: 1, column: 1 },
                    "the file is empty",
                    "start with `version: 1` and `chains:`",
                );
            }
            None
        }
    };
    let has_problems = reader.has_problems();
    let problems = reader.into_problems();
    match config.flatten() {
        Some(config) if !has_problems => Ok(config),
        _ => Err(Problems::new(problems)),
    }
}

/// Whether the file is of our version, or of none that can be told. In a file of another version
/// every key may mean something else, so that nothing more is said about it.
fn version_admits(root: &Value, reader: &mut Reader<'_>) -> bool {
    let Value::Map(entries) = root else {
        return true;
    };
    let Some(entry) = entries.iter().find(|entry| entry.key == "version") else {
        return true;
    };
    let Value::Text(text) = &entry.value.value else {
        return true;
    };
    let Some(version) = crate::scalar::parse_whole(text).filter(|version| *version != VERSION)
    else {
        return true;
    };
    reader.reveal(&entry.value);
    reader.under("version", entry.place, |reader| {
        let message = format!("this program reads version {VERSION}, and the file says {version}");
        let remedy = if version > VERSION {
            "install a newer Livechain, or write the file in version 1"
        } else {
            "write `version: 1`"
        };
        reader.problem(entry.value.place, message, remedy);
    });
    false
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Problems {
    let valid = error.utf8_error().valid_up_to();
    let before = error.as_bytes().get(..valid).unwrap_or_default();
    let start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |index| index + 1);
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let characters = before
        .get(start..)
        .unwrap_or_default()
        .iter()
        .filter(|b| **b & 0xC0 != 0x80)
        .count();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Problems::new(vec![Problem {
        file: name.to_owned(),
        line: number(line),
        column: number(characters + 1),
        path: String::new(),
        message: "the file is not UTF-8 from here on".to_owned(),
        remedy: "save it as UTF-8".to_owned(),
        excerpt: None,
    }])
}

/// A problem of the whole file.
fn whole(name: &str, message: String, remedy: &str) -> Problems {
    Problems::new(vec![Problem {
        file: name.to_owned(),
        line: 0,
        column: 0,
        path: String::new(),
        message,
        remedy: remedy.to_owned(),
        excerpt: None,
    }])
}
