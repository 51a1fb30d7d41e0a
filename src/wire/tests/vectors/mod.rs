//! Reads the golden vectors (`tests/vectors`, whose README gives the form). Fails loudly on a line that it cannot read.
#![allow(
    dead_code,
    reason = "not every test that includes this looks at every field"
)]

use std::path::PathBuf;

/// One line of a vector file.
pub struct Vector {
    /// What the case is about, for messages.
    pub name: String,
    /// What must come of it, unescaped (as text; bytes that are no UTF-8 do not occur in expectations).
    pub expected: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The vectors of a file, e.g. `json/accept.txt`. Never empty.
pub fn read(file: &str) -> Vec<Vector> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors")
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let vectors: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut parts = line.splitn(3, " |");
            let name = parts.next().unwrap_or_default().to_owned();
            let mut part = || parts.next().unwrap_or_else(|| panic!("{file}: {line}"));
            let expected = part().trim_start();
            // One blank belongs to the separator.
            let bytes = part();
            let bytes = bytes.strip_prefix(' ').unwrap_or(bytes);
            Vector {
                name,
                expected: String::from_utf8(unescape(expected)).expect("text"),
                bytes: unescape(bytes),
            }
        })
        .collect();
    assert!(!vectors.is_empty(), "{file} has no vectors");
    vectors
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(repeated) = rest.strip_prefix('⟨') {
            let (count, repeated) = repeated.split_once('×').expect("a count");
            let (part, behind) = repeated.split_once('⟩').expect("an end of the repetition");
            let count = count.parse().expect("a number");
            out.extend(unescape(part).repeat(count));
            rest = behind;
            continue;
        }
        let (byte, used) = match rest.as_bytes() {
            [b'\\', b'x', high, low, ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("hex");
                (u8::from_str_radix(digits, 16).expect("hex"), 4)
            }
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'\\', ..] => (b'\\', 2),
            [b'\\', ..] => panic!("unknown escape: {rest}"),
            _ => {
                let mut utf8 = [0; 4];
                out.extend(first.encode_utf8(&mut utf8).as_bytes());
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        out.push(byte);
        rest = &rest[used..];
    }
    out
}
