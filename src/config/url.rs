//! The URL of an upstream: `http` and `https`, split and checked (RFC 3986, and what the WHATWG
//! standard learned about numeric hosts). A fault never holds a text of the URL but its host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Secret, UpstreamUrl};

/// Why a text is not an upstream's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlFault {
    /// What is wrong, without any secret.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Longest URL, in bytes.
const MAX_URL_BYTES: usize = 2048;

fn fault<T>(message: impl Into<String>, remedy: impl Into<String>) -> Result<T, UrlFault> {
    Err(UrlFault {
        message: message.into(),
        remedy: remedy.into(),
    })
}

impl UpstreamUrl {
    /// Splits a URL.
    ///
    /// # Errors
    /// What is wrong and what to do, without any text of the URL but its host.
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        let (tls, rest) = split_scheme(text)?;
        if text.len() > MAX_URL_BYTES {
            return fault(
                format!("the URL is longer than {MAX_URL_BYTES} bytes"),
                "shorten it",
            );
        }
        if let Some(byte) = rest.bytes().find(|b| !is_url_byte(*b)) {
            let what = if byte.is_ascii_graphic() {
                format!("`{}`", char::from(byte))
            } else {
                "a blank, control or non-ASCII character".to_owned()
            };
            return fault(
                format!("the URL holds {what}"),
                "write such characters percent-encoded, and a host in its ASCII form",
            );
        }
        if rest.contains('#') {
            return fault(
                "the URL has a fragment (`#…`), which is never sent",
                "remove it, or write `%23`",
            );
        }
        if has_bad_escape(rest) {
            return fault(
                "a `%` of the URL is not followed by two hexadecimal digits",
                "write a percent sign as `%25`",
            );
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let (host, port) = split_host(host)?;
        let host = checked_host(host)?;
        let port = match port {
            None => Self::default_port(tls),
            Some(port) => match parse_port(port) {
                Some(port) if port > 0 => port,
                _ => {
                    return fault(
                        "the port of the URL is not a number from 1 to 65535",
                        "correct it or leave it out",
                    );
                }
            },
        };
        let target = if target.starts_with('/') {
            target.to_owned()
        } else {
            format!("/{target}")
        };
        let authorization = userinfo.map(basic_authorization).transpose()?;
        Ok(Self {
            tls,
            host,
            port,
            target: Secret::new(target),
            authorization,
        })
    }
}

/// Whether TLS is used, and what follows `://`.
fn split_scheme(text: &str) -> Result<(bool, &str), UrlFault> {
    let known = "write `https://…` or `http://…`";
    let Some((scheme, rest)) = text.split_once("://") else {
        return fault("this is not a URL", known);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok((true, rest)),
        "http" => Ok((false, rest)),
        "ws" | "wss" => fault(
            "WebSocket upstreams are not supported yet",
            "give the provider's `https://` URL",
        ),
        _ => fault("the URL's scheme is neither `https` nor `http`", known),
    }
}

/// RFC 3986's characters, and those that browsers leave alone in a path or query.
const fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

fn has_bad_escape(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let mut digits = after.bytes();
        !(digits.next().is_some_and(|b| b.is_ascii_hexdigit())
            && digits.next().is_some_and(|b| b.is_ascii_hexdigit()))
    })
}

/// Host and port of an authority, brackets kept.
fn split_host(authority: &str) -> Result<(&str, Option<&str>), UrlFault> {
    if authority.starts_with('[') {
        let Some(end) = authority.find(']') else {
            return fault(
                "the `[` of an IPv6 address is not closed",
                "write `[::1]:8545`",
            );
        };
        let (host, rest) = authority
            .split_at_checked(end + 1)
            .unwrap_or((authority, ""));
        return match rest.strip_prefix(':') {
            _ if rest.is_empty() => Ok((host, None)),
            Some(port) => Ok((host, Some(port))),
            None => fault(
                "something follows the `]` of an IPv6 address",
                "write `[::1]:8545`",
            ),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => fault(
            "an IPv6 address stands without brackets",
            "write `[::1]:8545`",
        ),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

/// Digits alone: the standard library would also take a sign.
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    crate::scalar::parse_whole(text).and_then(|port| u16::try_from(port).ok())
}

/// The host in lower case, without brackets.
fn checked_host(host: &str) -> Result<String, UrlFault> {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        return match address.parse::<Ipv6Addr>() {
            Ok(address) => Ok(address.to_string()),
            Err(_) => fault("the brackets do not hold an IPv6 address", "write `[::1]`"),
        };
    }
    if host.is_empty() {
        return fault("the URL has no host", "write `https://host/…`");
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    // `127.1` and `0x7f000001` are addresses to a resolver and names to a check: refuse them.
    let last = host
        .trim_end_matches('.')
        .rsplit('.')
        .next()
        .unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x") {
        return fault(
            "the host looks like an IPv4 address, but is none",
            "write all four numbers in decimal, or a host name",
        );
    }
    if !is_host_name(host) {
        return fault(
            "the host is not a legal name",
            "write letters, digits, `-` and `_` between dots",
        );
    }
    Ok(host.to_ascii_lowercase())
}

/// RFC 1123 names, with the `_` that container networks use.
pub(crate) fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (1..=63).contains(&label.len())
            && label.bytes().all(legal)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let bare = host.strip_suffix('.').unwrap_or(host);
    bare.len() <= 253 && bare.split('.').all(label)
}

/// Whether `text` is `scheme://host[:port]` and nothing more (RFC 6454 §6.2).
pub(crate) fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let legal_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let Ok((host, port)) = split_host(host) else {
        return false;
    };
    legal_scheme && checked_host(host).is_ok() && port.is_none_or(|port| parse_port(port).is_some())
}

/// How many bytes of a URL may be shown: scheme and host, if it is as plain as that.
pub(crate) fn public_prefix(text: &str) -> Option<usize> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let known = matches!(scheme, "http" | "https" | "ws" | "wss");
    let (host, port) = split_host(authority).ok()?;
    let plain = checked_host(host).is_ok() && port.is_none_or(|port| parse_port(port).is_some());
    (known && plain).then_some(scheme.len() + 3 + end)
}

/// `Basic …` of a URL's user and password (RFC 7617).
fn basic_authorization(userinfo: &str) -> Result<Secret, UrlFault> {
    let decoded = percent_decoded(userinfo);
    let (user, _) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    if percent_decoded(user).contains(&b':') || decoded.iter().any(u8::is_ascii_control) {
        return fault(
            "the user or password of the URL cannot go into a header",
            "give an `Authorization` header instead",
        );
    }
    let credentials = if userinfo.contains(':') {
        decoded
    } else {
        [decoded, b":".to_vec()].concat()
    };
    Ok(Secret::new(format!("Basic {}", base64(&credentials))))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut rest = bytes.clone();
        let digit = |byte: Option<u8>| {
            char::from(byte?)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        match (byte, digit(rest.next()), digit(rest.next())) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                bytes = rest;
            }
            _ => out.push(byte),
        }
    }
    out
}

/// RFC 4648 §4, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| group.get(index).copied().map_or(0, u32::from);
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4_usize {
            let index = (word >> (18 - 6 * position)) & 63;
            let symbol = ALPHABET
                .get(index as usize)
                .copied()
                .map_or('=', char::from);
            out.push(if position <= group.len() { symbol } else { '=' });
        }
    }
    out
}

/// Why an upstream at `host` is refused unless `allow_link_local` is given: such addresses are a
/// cloud's metadata service more often than a node.
#[must_use]
pub fn is_link_local(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    if matches!(host, "metadata" | "metadata.google.internal") {
        return true;
    }
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => {
            address.is_link_local() || address == Ipv4Addr::new(100, 100, 100, 200)
        }
        Ok(IpAddr::V6(address)) => {
            address.is_unicast_link_local()
                || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
        Err(_) => false,
    }
}

/// Addresses that no upstream can have.
pub(crate) fn is_unusable(host: &str) -> bool {
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => {
            address.is_unspecified() || address.is_multicast() || address.is_broadcast()
        }
        Ok(IpAddr::V6(address)) => address.is_unspecified() || address.is_multicast(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
