//! The text of strings: unescaping what was validated, escaping what we say ourselves. Never guesses at invalid input.

use super::Text;

/// Appends the text of a validated string's content (between its quotes) to `out`, with its escapes resolved.
///
/// A lone surrogate becomes U+FFFD, since it has no UTF-8 of its own. What no validated string could hold (a
/// backslash at the end) is left out.
pub fn unescape(content: &[u8], out: &mut Vec<u8>) {
    let mut rest = content;
    while let Some(slash) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(slash);
        out.extend_from_slice(plain);
        let short = match escape.get(1) {
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let (character, used) = unicode_escape(escape);
                let mut utf8 = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                rest = escape.get(used..).unwrap_or_default();
                continue;
            }
            Some(&other) => other,
            None => return,
        };
        out.push(short);
        rest = escape.get(2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Bytes that [`unescape`] would append, without appending them.
pub(crate) fn unescaped_len(content: &[u8]) -> usize {
    let mut rest = content;
    let mut len = 0;
    while let Some(slash) = memchr::memchr(b'\\', rest) {
        let escape = rest.get(slash..).unwrap_or_default();
        let (written, used) = match escape.get(1) {
            Some(b'u') => {
                let (character, used) = unicode_escape(escape);
                (character.len_utf8(), used)
            }
            Some(_) => (1, 2),
            None => (0, 1),
        };
        len += slash + written;
        rest = escape.get(used..).unwrap_or_default();
    }
    len + rest.len()
}

/// The character of the `\uXXXX` (or pair of them) at the front, and how many bytes spell it.
fn unicode_escape(escape: &[u8]) -> (char, usize) {
    let Some(first) = hex4(escape) else {
        return (char::REPLACEMENT_CHARACTER, 6);
    };
    if let 0xd800..0xdc00 = first
        && let Some(second @ 0xdc00..0xe000) = escape.get(6..).and_then(hex4)
    {
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
            12,
        );
    }
    (
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
        6,
    )
}

/// The number of a `\uXXXX` at the front.
fn hex4(escape: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = escape.get(..6)? else {
        return None;
    };
    let mut number = 0;
    for &digit in digits {
        number = number << 4 | char::from(digit).to_digit(16)?;
    }
    Some(number)
}

/// Whether a string's content spells `plain`, in whatever way.
///
/// `plain` must be of ASCII letters, digits and dots.
pub(crate) fn spells(bytes: &[u8], text: Text, plain: &[u8]) -> bool {
    let mut content = text.span.of(bytes);
    if !text.escaped {
        return content == plain;
    }
    for &due in plain {
        let (got, used) = match content {
            [b'\\', b'u', ..] => {
                let (character, used) = unicode_escape(content);
                (u8::try_from(character).ok(), used)
            }
            // No short escape stands for one of the bytes that `plain` may have.
            [b'\\', ..] | [] => (None, 0),
            [byte, ..] => (Some(*byte), 1),
        };
        if got != Some(due) {
            return false;
        }
        content = content.get(used..).unwrap_or_default();
    }
    content.is_empty()
}

/// Appends `text` as a JSON string with its quotes.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_string_content(out, text);
    out.push(b'"');
}

/// Appends `text` as the content of a JSON string, without quotes.
pub fn write_string_content(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut plain_from = 0;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 | 0x7f => 0,
            _ => continue,
        };
        out.extend_from_slice(bytes.get(plain_from..at).unwrap_or_default());
        plain_from = at + 1;
        if short == 0 {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(bytes.get(plain_from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_text() {
        for content in [
            "",
            "plain",
            r#"a\\b\/\""#,
            r"\u0041",
            r"\u00e9\u20ac\ud83d\ude00",
            r"\ud800\ud800",
            r"\ude00x",
            r"\u12",
            "\\",
            "x\\",
        ] {
            let mut text = Vec::new();
            unescape(content.as_bytes(), &mut text);
            assert_eq!(unescaped_len(content.as_bytes()), text.len(), "{content}");
        }
    }

    #[test]
    fn names_are_compared_as_text() {
        let spelled = |content: &str, name: &[u8]| {
            let text = Text {
                span: crate::Span::new(0, content.len()),
                escaped: content.contains('\\'),
            };
            spells(content.as_bytes(), text, name)
        };
        assert!(spelled("id", b"id") && spelled(r"\u0069d", b"id") && spelled(r"i\u0064", b"id"));
        for other in [
            "ID",
            "i",
            "idd",
            r"\u0069",
            r"\u0069dd",
            r"\u0069D",
            r"\nd",
            r"\u0169d",
            r"\ud800d",
            "",
        ] {
            assert!(!spelled(other, b"id"), "{other}");
        }
    }
}
