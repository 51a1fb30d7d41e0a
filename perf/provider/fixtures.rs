//! Recorded exchanges (`.io` files of ethereum/execution-apis) as a source of answers. Answers are kept and given to
//! the byte, but for the id, which is the request's.

use crate::scan::{self, CallView};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One recorded exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The file, relative to the folder that was loaded.
    pub file: PathBuf,
    /// The request's bytes.
    pub request: Vec<u8>,
    /// The answer's bytes.
    pub answer: Vec<u8>,
}

/// Why fixtures could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FixturesError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is neither comment, request nor answer, or an answer has no request.
    #[error("{path}:{line}: expected `//`, `>>` or `<<`, a request before its answer")]
    Line {
        /// In which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
}

/// Recorded exchanges, found by method and parameters.
#[derive(Clone, Debug, Default)]
pub struct Fixtures {
    exchanges: Vec<Exchange>,
    by_call: HashMap<Vec<u8>, usize>,
}

impl Fixtures {
    /// Loads every `.io` file below a folder, in order of their names: lines of `// comment`, `>> request` and
    /// `<< answer`. Of two exchanges with the same method and parameters the first is the one answered.
    ///
    /// # Errors
    /// When something cannot be read, or a line is of no known kind.
    pub fn load(folder: &Path) -> Result<Self, FixturesError> {
        let mut files = Vec::new();
        collect(folder, &mut files)?;
        files.sort();
        let mut fixtures = Self::default();
        for path in files {
            let text = fs::read(&path).map_err(|source| FixturesError::Read {
                path: path.clone(),
                source,
            })?;
            fixtures.parse(folder, &path, &text)?;
        }
        Ok(fixtures)
    }

    /// All exchanges, in order.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    fn parse(&mut self, folder: &Path, path: &Path, text: &[u8]) -> Result<(), FixturesError> {
        let file = path.strip_prefix(folder).unwrap_or(path).to_owned();
        let mut request = None;
        for (index, line) in text.split(|&b| b == b'\n').enumerate() {
            let line = line.trim_ascii();
            if let Some(sent) = line.strip_prefix(b">>") {
                request = Some(sent.trim_ascii().to_vec());
            } else if let (Some(answer), Some(_)) = (line.strip_prefix(b"<<"), &request) {
                let answer = answer.trim_ascii().to_vec();
                self.add(Exchange {
                    file: file.clone(),
                    request: request.take().unwrap_or_default(),
                    answer,
                });
            } else if !line.is_empty() && !line.starts_with(b"//") {
                return Err(FixturesError::Line {
                    path: path.to_owned(),
                    line: index + 1,
                });
            }
        }
        Ok(())
    }

    /// Adds an exchange by hand. A request that is not a single call is listed and never matched.
    pub fn add(&mut self, exchange: Exchange) {
        if let scan::Body::Single(call) = scan::body(&exchange.request) {
            self.by_call
                .entry(key(&call))
                .or_insert(self.exchanges.len());
        }
        self.exchanges.push(exchange);
    }

    /// Writes the recorded answer to a call, with the call's id in place of the recorded one. Says whether there was one.
    pub(super) fn answer(&self, call: &CallView<'_>, out: &mut Vec<u8>) -> bool {
        let Some(exchange) = self
            .by_call
            .get(&key(call))
            .and_then(|&index| self.exchanges.get(index))
        else {
            return false;
        };
        let answer = &exchange.answer;
        match scan::member_range(answer, b"id") {
            Some(range) => {
                out.extend_from_slice(answer.get(..range.start).unwrap_or_default());
                out.extend_from_slice(call.id.unwrap_or(b"null"));
                out.extend_from_slice(answer.get(range.end..).unwrap_or_default());
            }
            None => out.extend_from_slice(answer),
        }
        true
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), FixturesError> {
    let failed = |source| FixturesError::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "io") {
            files.push(path);
        }
    }
    Ok(())
}

/// Method and parameters without insignificant white space; absent and empty parameters are the same.
fn key(call: &CallView<'_>) -> Vec<u8> {
    let mut key = call.method.to_vec();
    key.push(b' ');
    let params = call.params.unwrap_or(b"[]");
    let mut in_string = false;
    let mut escaped = false;
    key.extend(params.iter().filter(|&&byte| {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            return true;
        }
        in_string = byte == b'"';
        !byte.is_ascii_whitespace()
    }));
    key
}

#[cfg(test)]
mod tests {
    use super::Fixtures;
    use crate::scan::{Body, body};
    use std::fs;

    fn answer(fixtures: &Fixtures, request: &str) -> Option<String> {
        let Body::Single(call) = body(request.as_bytes()) else {
            panic!("{request}")
        };
        let mut out = Vec::new();
        fixtures
            .answer(&call, &mut out)
            .then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn answers_are_found_by_method_and_params_and_carry_the_callers_id() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("eth_x")).unwrap();
        let text = "// about\n>> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_x\",\"params\":[\"a b\", 1]}\n\
                    << {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x id\"}\n";
        fs::write(folder.path().join("eth_x/one.io"), text).unwrap();
        let fixtures = Fixtures::load(folder.path()).unwrap();
        assert_eq!(fixtures.exchanges().len(), 1);
        let found = answer(
            &fixtures,
            r#"{"id":"q","method":"eth_x","params":["a b",1]}"#,
        );
        assert_eq!(
            found.as_deref(),
            Some(r#"{"jsonrpc":"2.0","id":"q","result":"0x id"}"#)
        );
        assert_eq!(
            answer(&fixtures, r#"{"id":1,"method":"eth_x","params":["ab",1]}"#),
            None
        );
    }

    #[test]
    fn a_stray_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bad.io"), "// fine\nnonsense\n").unwrap();
        let error = Fixtures::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("bad.io:2:"), "{error}");
    }
}
