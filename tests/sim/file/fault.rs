//! What is wrong with a scenario file, and where.

use core::fmt;

use serde_saphyr::Location;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFault {
    /// Line and column, from 1, where it has a place.
    pub place: Option<(u64, u64)>,
    /// What is wrong, and what it must be.
    pub message: String,
}

impl FileFault {
    /// Wrong at this place.
    pub(crate) fn at(location: Location, message: impl Into<String>) -> Self {
        let place = (location.line() > 0).then(|| (location.line(), location.column()));
        Self {
            place,
            message: message.into(),
        }
    }

    /// As a line that begins with the file's name.
    #[must_use]
    pub fn line(&self, file: &str) -> String {
        match self.place {
            Some((line, column)) => format!("{file}:{line}:{column}: {}", self.message),
            None => format!("{file}: {}", self.message),
        }
    }
}

impl From<serde_saphyr::Error> for FileFault {
    fn from(error: serde_saphyr::Error) -> Self {
        let message = error.without_snippet().to_string();
        // The place is told apart, so it need not be in the sentence as well.
        let message = match (message.rfind(" at line "), error.location()) {
            (Some(end), Some(_)) => message.get(..end).unwrap_or(&message).to_owned(),
            _ => message,
        };
        let location = error.location().unwrap_or(Location::UNKNOWN);
        Self::at(location, message)
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "line {line}, column {column}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for FileFault {}
