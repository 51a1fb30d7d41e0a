//! Where things are: addresses, files, URLs, origins. URLs are secret but for scheme and host.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::json_schema;

use crate::model::LogPath;
use crate::read::{Read, Reader};
use crate::tree::Node;

/// An address to listen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

const ADDRESS_RULE: &str = "both in numbers, as in `127.0.0.1:8545` or `[::]:8545`";

impl Read for Address {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader
            .public(node, "an address with a port", ADDRESS_RULE, parse_address)
            .map(Self)
    }
}

/// `localhost` is IPv4's: a name that resolves to two addresses cannot be one listener.
fn parse_address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from((
            [127, 0, 0, 1],
            crate::url::parse_port(port)?,
        ))),
        None => text.parse().ok(),
    }
}

super::inline_schema!(
    Address,
    json_schema!({ "title": "address", "type": "string", "description": "An address with a port; port 0 lets the system choose." })
);

/// The control plane's address, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AdminAddress(pub(crate) Option<SocketAddr>);

impl Read for AdminAddress {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let how = format!("{ADDRESS_RULE}, or `off`");
        let parse = |text: &str| {
            if text == "off" {
                Some(None)
            } else {
                parse_address(text).map(Some)
            }
        };
        reader
            .public(node, "an address with a port, or `off`", &how, parse)
            .map(Self)
    }
}

super::inline_schema!(
    AdminAddress,
    json_schema!({ "title": "address or `off`", "type": "string", "description": "An address with a port, or `off`." })
);

/// A file, relative to the configuration's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePath(pub(crate) PathBuf);

impl Read for FilePath {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let parse = |text: &str| (!text.contains(['\0', '\n'])).then(|| text.to_owned());
        let path = reader.public(node, "a path", "a path", parse)?;
        Some(Self(reader.resolve(&path)))
    }
}

super::inline_schema!(
    FilePath,
    json_schema!({ "title": "path", "type": "string", "minLength": 1, "description": "A path, relative to this file's folder." })
);

/// `off`, `stdout` or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogTarget(pub(crate) LogPath);

impl Read for LogTarget {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let parse = |text: &str| (!text.contains(['\0', '\n'])).then(|| text.to_owned());
        let text = reader.public(
            node,
            "`off`, `stdout` or a path",
            "`off`, `stdout` or a path",
            parse,
        )?;
        Some(Self(match text.as_str() {
            "off" => LogPath::Off,
            "stdout" => LogPath::Stdout,
            path => LogPath::File(reader.resolve(path)),
        }))
    }
}

super::inline_schema!(
    LogTarget,
    json_schema!({ "title": "`off`, `stdout` or path", "type": "string", "description": "`off`, `stdout`, or a path, relative to this file's folder." })
);

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretText(pub(crate) String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::model::REDACTED)
    }
}

impl Read for SecretText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, "a text")?;
        // The host helps to find the line; anything else may be a key.
        if let Some(length) = crate::url::public_prefix(&text)
            && reader.is_verbatim(node, &text)
        {
            reader.reveal_prefix(node, &text, length);
        }
        Some(Self(text))
    }
}

super::inline_schema!(
    SecretText,
    json_schema!({ "title": "text", "type": "string", "minLength": 1 })
);

/// An origin as browsers send it, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebOrigin(pub(crate) String);

impl Read for WebOrigin {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let how = "scheme and host alone, as in `https://app.example.org`, or `*`";
        let parse = |text: &str| {
            (text == "*" || crate::url::is_origin(text)).then(|| Self(text.to_ascii_lowercase()))
        };
        reader.public(node, "an origin", how, parse)
    }
}

super::inline_schema!(
    WebOrigin,
    json_schema!({ "title": "origin", "type": "string", "pattern": r"^(\*|[A-Za-z][A-Za-z0-9+.-]*://[^/@?#\s]+)$" })
);
