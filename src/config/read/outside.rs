//! Reads the files that a configuration names. What stands in them never reaches a message.

use std::path::{Path, PathBuf};

use crate::read::{Origin, Reader};

impl Reader<'_> {
    /// A path, taken from the folder of the file when relative.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The content of a secret's file without the line break at its end.
    pub(crate) fn secret_file(&mut self, origin: &Origin, path: &Path) -> Option<String> {
        let content = self.file(origin, path)?;
        let Ok(text) = String::from_utf8(content) else {
            self.problem_at(
                origin,
                "the file is not UTF-8 text",
                "store the secret as plain text",
            );
            return None;
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            self.problem_at(origin, "the file is empty", "write the secret into it");
            return None;
        }
        Some(text.to_owned())
    }

    /// The content of a file that may be larger than a configuration: a database.
    pub(crate) fn large_file(&mut self, origin: &Origin, path: &Path) -> Option<Vec<u8>> {
        let content = self.environment.large_file(path);
        self.told(origin, content)
    }

    /// The content of a file that the configuration names.
    pub(crate) fn file(&mut self, origin: &Origin, path: &Path) -> Option<Vec<u8>> {
        let content = self.environment.file(path);
        self.told(origin, content)
    }

    fn told(&mut self, origin: &Origin, content: std::io::Result<Vec<u8>>) -> Option<Vec<u8>> {
        match content {
            Ok(content) => Some(content),
            Err(error) => {
                let message = format!("the file cannot be read: {}", reason(&error));
                self.problem_at(
                    origin,
                    message,
                    "check the path (relative to this file's folder) and who may read it",
                );
                None
            }
        }
    }
}

/// Why a file cannot be read, in words of the field.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    }
}
