//! Where a load goes: an URL taken apart once, before the run. Never shows path or query, which may hold a key.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// A parsed `http://` or `https://` URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    is_tls: bool,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither `http://` nor `https://`.
    #[error("a target begins with http:// or https://")]
    Scheme,
    /// No host, or a port that is no number.
    #[error("a target needs a host, and a port between 1 and 65535 where one is given")]
    Authority,
    /// Blanks or control characters, which would end up in the request line.
    #[error("a target holds no blanks or control characters")]
    Characters,
}

impl Target {
    /// Takes an URL apart. User names and passwords in it are not supported: send a header.
    ///
    /// # Errors
    /// When it is none that a load can go to.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(TargetError::Characters);
        }
        let (is_tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(TargetError::Scheme),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| TargetError::Authority)?)
            }
            _ => (authority, if is_tls { 443 } else { 80 }),
        };
        if host.is_empty() || port == 0 || host.contains('@') {
            return Err(TargetError::Authority);
        }
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
            path,
        })
    }

    /// Whether to speak TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The host without brackets: the name that a certificate must carry.
    #[must_use]
    pub fn server_name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// What goes into the `host` header.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Path and query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Resolves the name, once; blocks.
    pub(crate) fn resolve(&self) -> io::Result<SocketAddr> {
        let mut addresses = (self.server_name(), self.port).to_socket_addrs()?;
        addresses
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}",
            if self.is_tls { "https" } else { "http" },
            self.authority()
        )
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, TargetError};

    #[test]
    fn urls_come_apart() {
        let target = Target::parse("http://127.0.0.1:8545/rpc/ethereum?k=v#x").unwrap();
        assert_eq!(
            (target.authority().as_str(), target.path(), target.is_tls()),
            ("127.0.0.1:8545", "/rpc/ethereum?k=v", false)
        );
        let target = Target::parse("https://example.org").unwrap();
        assert_eq!(
            (target.authority().as_str(), target.path(), target.is_tls()),
            ("example.org:443", "/", true)
        );
        let target = Target::parse("http://[::1]:80?a").unwrap();
        assert_eq!((target.server_name(), target.path()), ("::1", "/?a"));
        assert_eq!(
            Target::parse("http://[::1]").unwrap().authority(),
            "[::1]:80"
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, expected) in [
            ("ftp://a", TargetError::Scheme),
            ("http://", TargetError::Authority),
            ("http://a:b", TargetError::Authority),
            ("http://a:0", TargetError::Authority),
            ("http://u:p@a:1", TargetError::Authority),
            ("http://a/ b", TargetError::Characters),
            ("http://a/\r\nx: y", TargetError::Characters),
        ] {
            assert_eq!(Target::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_is_shown_has_no_path() {
        let target = Target::parse("https://example.org/v2/secret-key").unwrap();
        assert_eq!(
            format!("{target} {target:?}"),
            "https://example.org:443 https://example.org:443"
        );
    }
}
