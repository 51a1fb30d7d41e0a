//! Who may ask the admin port: no web page, whatever name its author lets point here.
//! A browser always says which host it believes to talk to and, for anything that a page could read or
//! change, which page asks. Never trusts a header to allow more than its absence would.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, HeaderName, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::failure;

/// Sent by browsers with every request (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what may come from a web page; marks every answer as not to be kept and not to be guessed at.
pub(super) async fn check(
    State(hosts): State<Arc<[String]>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match refusal(&request, &hosts) {
        Some((status, sentence)) => failure(status, sentence).into_response(),
        None => next.run(request).await,
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refusal(request: &Request, hosts: &[String]) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    if headers.contains_key(ORIGIN) || is_cross_site(headers) {
        return Some((
            StatusCode::FORBIDDEN,
            "requests of web pages are not answered here",
        ));
    }
    let mut asked = headers.get_all(HOST).iter();
    match (asked.next(), asked.next(), request.version()) {
        (Some(host), None, _) => {
            let named = host.to_str().is_ok_and(|host| is_known_host(host, hosts));
            // An absolute request line names a host as well.
            let absolute = request
                .uri()
                .authority()
                .is_none_or(|authority| is_known_host(authority.as_str(), hosts));
            let sentence = "the Host header must be an IP address, localhost, or the configured name of the admin port";
            (!(named && absolute)).then_some((StatusCode::FORBIDDEN, sentence))
        }
        // Plain health checkers may leave it out in HTTP/1.0; no browser does.
        (None, _, Version::HTTP_10) => None,
        _ => Some((StatusCode::BAD_REQUEST, "exactly one Host header is needed")),
    }
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    headers
        .get(SEC_FETCH_SITE)
        .is_some_and(|site| site != "none" && site != "same-origin")
}

/// An IP literal or `localhost` cannot be made to point here by somebody's name server; the configured names
/// are the operator's. The port does not matter.
fn is_known_host(host: &str, hosts: &[String]) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        let (literal, port) = bracketed.split_once(']').unwrap_or_default();
        return literal.parse::<Ipv6Addr>().is_ok()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let name = name.to_ascii_lowercase();
    is_port(port)
        && (name.parse::<Ipv4Addr>().is_ok() || name == "localhost" || hosts.contains(&name))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_known_host;

    #[test]
    fn hosts_are_literals_localhost_or_configured() {
        let configured = ["proxy.internal".to_owned()];
        for host in [
            "127.0.0.1",
            "127.0.0.1:9545",
            "[::1]",
            "[::1]:9545",
            "localhost:1",
            "LocalHost",
            "Proxy.Internal:9545",
        ] {
            assert!(is_known_host(host, &configured), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9545",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "[::1",
            "[::1]evil",
            "[::1]:x",
            "localhost:",
            "localhost:1:2",
            "[localhost]",
            "127.0.0.1:99999",
            "user@localhost",
            "2130706433",
        ] {
            assert!(!is_known_host(host, &configured), "{host}");
        }
    }
}
