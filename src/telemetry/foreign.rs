//! Text that came from outside, made safe to write: cut at 256 bytes when it is taken, escaped when it is
//! written. What this writes is one JSON string on one line that cannot drive a terminal.
//! Never holds a body, params or a key: callers pass names and ids only.

use std::fmt::Write as _;

/// The longest foreign text that is kept, in bytes of UTF-8.
pub const MAX_FOREIGN_BYTES: usize = 256;

/// A foreign text of at most [`MAX_FOREIGN_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignText(Box<str>);

impl ForeignText {
    /// Takes the front of some bytes; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let front = bytes.get(..MAX_FOREIGN_BYTES).unwrap_or(bytes);
        let mut text = String::from_utf8_lossy(front).into_owned();
        // Each replacement is three bytes where one was.
        text.truncate(text.floor_char_boundary(MAX_FOREIGN_BYTES));
        Self(text.into_boxed_str())
    }

    /// The text, not escaped.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes `text` as a JSON string (RFC 8259), quotes included, cut at `max_bytes` of its own bytes.
pub fn push_json_string(out: &mut String, text: &str, max_bytes: usize) {
    let text = text
        .get(..text.floor_char_boundary(max_bytes))
        .unwrap_or(text);
    out.push('"');
    push_json_escaped(out, text);
    out.push('"');
}

/// Writes `text` as the inside of a JSON string.
pub(crate) fn push_json_escaped(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // All that is beyond U+FFFF here is harmless, so one escape is always enough.
            other if is_deceptive(other) => {
                let _ = write!(out, "\\u{:04x}", u32::from(other));
            }
            other => out.push(other),
        }
    }
}

/// Characters that end a line, move a cursor or reorder what a person reads: C0, DEL, C1, the Unicode line
/// separators, bidirectional controls, the byte-order mark.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_stays_on_its_line() {
        let mut out = String::new();
        push_json_string(
            &mut out,
            "\n{\"level\":\"error\"}\x1b[2J\u{9b}\u{2028}\u{202e}",
            256,
        );
        assert_eq!(
            out,
            r#""\n{\"level\":\"error\"}\u001b[2J\u009b\u2028\u202e""#
        );
    }

    #[test]
    fn text_is_cut_between_characters() {
        let text = ForeignText::new("é".repeat(200).as_bytes());
        assert_eq!(text.as_str(), "é".repeat(128));
        let mut out = String::new();
        push_json_string(&mut out, "aé", 2);
        assert_eq!(out, "\"a\"");
    }

    proptest! {
        #[test]
        fn any_bytes_become_one_short_valid_json_string(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let text = ForeignText::new(&bytes);
            prop_assert!(text.as_str().len() <= MAX_FOREIGN_BYTES);
            let mut out = String::new();
            push_json_string(&mut out, text.as_str(), MAX_FOREIGN_BYTES);
            prop_assert!(!out.chars().any(char::is_control));
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text.as_str());
        }
    }
}
