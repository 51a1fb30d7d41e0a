//! One field of a head that was parsed before: for names that only the configuration knows. Never judges a head.

/// The value of the first field of this name (in any case) in `head`, without white space around it; `None` where there is none, or an
/// empty one. `head` is a whole head, its first line included.
#[must_use]
pub fn field_value<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let mut rest = after_line(head)?;
    while let Some(next) = after_line(rest) {
        let line = rest.get(..rest.len() - next.len())?;
        if let (Some(field), Some(b':')) = (line.get(..name.len()), line.get(name.len()))
            && field.eq_ignore_ascii_case(name)
        {
            let value = line.get(name.len() + 1..)?.trim_ascii();
            return (!value.is_empty()).then_some(value);
        }
        rest = next;
    }
    None
}

/// What follows the first line.
fn after_line(text: &[u8]) -> Option<&[u8]> {
    text.get(memchr::memchr(b'\n', text)? + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"POST /x-session-id: no HTTP/1.1\r\nHost: a\r\nX-Session-Id:  one two \r\nx-session-id: later\r\nX-Session-Idle: 5\r\nEmpty:\r\n\r\n";

    #[test]
    fn the_first_field_of_the_name_counts_in_any_case() {
        assert_eq!(field_value(HEAD, b"x-session-id"), Some(&b"one two"[..]));
        assert_eq!(field_value(HEAD, b"HOST"), Some(&b"a"[..]));
        assert_eq!(field_value(HEAD, b"x-session-idle"), Some(&b"5"[..]));
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        for name in ["empty", "x-session", "session-id", "post /x-session-id", ""] {
            assert_eq!(field_value(HEAD, name.as_bytes()), None, "{name}");
        }
        for cut in 0..HEAD.len() {
            let _ = field_value(&HEAD[..cut], b"x-session-id");
        }
    }
}
