//! The key of a value as problems name it: `chains.ethereum.upstreams[0].http`. Shows a key that is
//! no plain word only as far as a message may.

use std::fmt::Write as _;

use crate::problem::shown;

/// A key through all the collections around it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(String);

impl Path {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Goes into a mapping's key.
    pub(crate) fn push_key(&mut self, key: &str) {
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if !self.0.is_empty() {
            self.0.push('.');
        }
        if !key.is_empty() && key.len() <= 48 && key.bytes().all(word) {
            self.0.push_str(key);
        } else {
            self.0.push_str(&shown(key).replace('`', "\""));
        }
    }

    /// Goes into a list's item, counted from 0.
    pub(crate) fn push_index(&mut self, index: usize) {
        let _ = write!(self.0, "[{index}]");
    }

    /// Goes back to a length that [`Path::len`] gave.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}
