//! Patterns over method names, as configurations write them: `eth_getLogs`, `debug_*`, `*`. Matching is case-sensitive, as methods
//! are. It is not a regular expression and never backtracks further than the last star.

use alloc::boxed::Box;

/// The longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 128;

/// A name with any number of `*`, each standing for any run of characters, none included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: Box<str>,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It is empty.
    Empty,
    /// It is longer than [`MAX_PATTERN_BYTES`].
    TooLong,
    /// This character stands in no method's name.
    Character(char),
}

impl core::fmt::Display for PatternError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Empty => out.write_str("a method pattern is empty"),
            Self::TooLong => write!(
                out,
                "a method pattern is longer than {MAX_PATTERN_BYTES} bytes"
            ),
            Self::Character(c) => write!(
                out,
                "{c:?} cannot stand in a method pattern: letters, digits, '_', '-', '.', '/', ':' and '*' can"
            ),
        }
    }
}

impl core::error::Error for PatternError {}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is empty, too long, or holds a character that no method's name has.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./:*".contains(c);
        if let Some(wrong) = text.chars().find(|&c| !allowed(c)) {
            return Err(PatternError::Character(wrong));
        }
        Ok(Self { text: text.into() })
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// It has no star: it names one method.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.text.contains('*')
    }

    /// Which of two matching patterns wins: an exact one before any other, then the one with more characters of its own.
    #[must_use]
    pub fn specificity(&self) -> usize {
        let own = self.text.bytes().filter(|&b| b != b'*').count();
        if self.is_exact() {
            MAX_PATTERN_BYTES + own
        } else {
            own
        }
    }

    /// Does the pattern cover this name?
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        glob(self.text.as_bytes(), name.as_bytes())
    }
}

/// The usual two-finger match: on a mismatch the last star takes one byte more. Quadratic at worst, over short texts.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at_pattern, mut at_name) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(at_name) {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_name));
                at_pattern += 1;
            }
            Some(&expected) if expected == byte => {
                at_pattern += 1;
                at_name += 1;
            }
            _ => match last_star {
                Some((star, covered)) => {
                    last_star = Some((star, covered + 1));
                    at_pattern = star + 1;
                    at_name = covered + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at_pattern..)
        .is_some_and(|rest| rest.iter().all(|&b| b == b'*'))
}
