//! Names and words: texts from a closed set of characters or a closed list. All are public.

use schemars::json_schema;

use crate::model::{Compression, LogFormat, LogLevel, MethodPattern, TrustRoots};
use crate::problem::{shown, suggestion};
use crate::read::{Read, Reader};
use crate::tree::Node;

/// A name that goes into URLs, headers and labels: `[A-Za-z0-9._-]{1,64}`, not all dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

/// What [`Name`] admits, for messages.
pub(crate) const NAME_RULE: &str = "1 to 64 letters, digits, `.`, `_` or `-`";

/// Whether `text` is a [`Name`]. All dots would be a path's `.` or `..`.
pub(crate) fn is_name(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(legal) && text.bytes().any(|b| b != b'.')
}

impl Read for Name {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.public(node, "a name", NAME_RULE, |text| {
            is_name(text).then(|| Self(text.to_owned()))
        })
    }
}

super::inline_schema!(
    Name,
    json_schema!({ "title": "name", "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" })
);

/// A method's name, or the beginning of one with `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) MethodPattern);

/// What [`Pattern`] admits, for messages.
pub(crate) const PATTERN_RULE: &str =
    "letters, digits and `_`, with a `*` nowhere but at the end, as in `debug_*`";

impl Read for Pattern {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.public(node, "a method's name or pattern", PATTERN_RULE, |text| {
            MethodPattern::parse(text).map(Self)
        })
    }
}

super::inline_schema!(
    Pattern,
    json_schema!({ "title": "method pattern", "type": "string", "pattern": r"^([A-Za-z0-9_]{1,128}|[A-Za-z0-9_]{0,128}\*)$" })
);

/// A host name or address that a certificate may bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerName(pub(crate) String);

impl Read for ServerName {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.public(node, "a host name", "one as in `rpc.example.org`", |text| {
            let legal = text.parse::<std::net::IpAddr>().is_ok() || crate::url::is_host_name(text);
            legal.then(|| Self(text.to_ascii_lowercase()))
        })
    }
}

super::inline_schema!(
    ServerName,
    json_schema!({ "title": "host name", "type": "string", "maxLength": 253 })
);

/// A request header's name, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderName(pub(crate) String);

/// Whether `name` is a header's name: a token (RFC 9110 §5.6.2) of at most 128 bytes.
pub(crate) fn is_header_name(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=128).contains(&name.len()) && name.bytes().all(token)
}

impl Read for HeaderName {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let how = "letters, digits and `-`, as in `X-Session-Id`";
        reader.public(node, "a header's name", how, |text| {
            is_header_name(text).then(|| Self(text.to_ascii_lowercase()))
        })
    }
}

super::inline_schema!(
    HeaderName,
    json_schema!({ "title": "header's name", "type": "string", "minLength": 1, "maxLength": 128 })
);

/// Implements the reader and the schema of an enumeration of words.
macro_rules! words {
    ($kind:ty { $($word:literal => $value:expr),+ $(,)? }) => {
        impl $crate::read::Read for $kind {
            fn read(
                node: &$crate::tree::Node,
                reader: &mut $crate::read::Reader<'_>,
            ) -> Option<Self> {
                $crate::kind::word::word(node, reader, &[$(($word, $value)),+])
            }
        }

        $crate::kind::inline_schema!(
            $kind,
            schemars::json_schema!({ "type": "string", "enum": [$($word),+] })
        );

        impl $kind {
            /// The word that a configuration writes.
            #[must_use]
            pub fn word(self) -> &'static str {
                [$(($word, $value)),+].into_iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
            }
        }
    };
}

pub(super) use words;

words!(Compression { "auto" => Self::Auto, "gzip" => Self::Gzip, "none" => Self::None });
words!(TrustRoots { "webpki" => Self::Webpki, "system" => Self::System });
words!(LogFormat { "text" => Self::Text, "json" => Self::Json });
words!(LogLevel {
    "error" => Self::Error,
    "warn" => Self::Warn,
    "info" => Self::Info,
    "debug" => Self::Debug,
    "trace" => Self::Trace,
});

/// Reads one of a list of words.
pub(crate) fn word<T: Copy>(
    node: &Node,
    reader: &mut Reader<'_>,
    words: &[(&str, T)],
) -> Option<T> {
    let list = words
        .iter()
        .map(|(word, _)| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let expected = format!("one of {list}");
    let text = reader.text(node, &expected)?;
    reader.reveal(node);
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let given = if reader.is_verbatim(node, &text) {
            shown(&text)
        } else {
            "the value".to_owned()
        };
        let remedy = match suggestion(&text, words.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write {expected}"),
        };
        reader.problem(node.place, format!("{given} is not {expected}"), remedy);
    }
    found.map(|(_, value)| *value)
}
