//! Upstreams: URLs that lead to a provider and not back to us, headers that are ours to send, names
//! that are unique. A URL or a header's value never reaches a message.

use std::path::PathBuf;

use super::server::certificates;
use super::{Process, account, destination, narrow, set};
use crate::file::{self, HeaderValue};
use crate::kind::{Pattern, is_header_name};
use crate::model::{
    Batch, Breaker, Header, HoldOff, Limiter, MethodFilter, Pool, Secret, Server, Upstream,
    UpstreamTls, UpstreamUrl,
};
use crate::read::{At, Named, Origin, Reader};
use crate::scalar::format_duration;

/// Most upstreams of a chain: a candidate set is a 64-bit mask.
pub(crate) const MAX_UPSTREAMS: usize = 64;
/// Most headers added to a request.
const MAX_HEADERS: usize = 32;
/// Longest value of a header, in bytes.
const MAX_HEADER_VALUE_BYTES: usize = 4096;

/// Headers that are the connection's or the message's (RFC 9110 §7.6.1, RFC 9112 §6), not the
/// operator's.
const RESERVED_HEADERS: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

pub(crate) fn upstreams(
    list: At<Vec<At<file::Upstream>>>,
    process: &Process<'_>,
    reader: &mut Reader<'_>,
) -> Vec<Upstream> {
    let count = list.value.len();
    if count == 0 && !reader.is_troubled(&list.origin.path) {
        reader.problem_at(
            &list.origin,
            "there is no upstream",
            "add one: `- { name: …, http: \"https://…\" }`",
        );
    }
    if count > MAX_UPSTREAMS {
        let message = format!("{count} upstreams, and a chain has at most {MAX_UPSTREAMS}");
        reader.problem_at(&list.origin, message, "keep the best of them");
    }
    let mut names: Vec<(String, u32)> = Vec::new();
    let mut upstreams = Vec::new();
    for at in list.value {
        if let Some(name) = &at.value.name {
            match names.iter().find(|(known, _)| *known == name.value.0) {
                Some((known, line)) => {
                    let message = format!("the name `{known}` is taken on line {line}");
                    reader.problem_at(
                        &name.origin,
                        message,
                        "give each upstream of a chain a name of its own",
                    );
                }
                None => names.push((name.value.0.clone(), name.origin.place.line)),
            }
        }
        upstreams.extend(upstream(at, process, reader));
    }
    upstreams
}

fn upstream(
    at: At<file::Upstream>,
    process: &Process<'_>,
    reader: &mut Reader<'_>,
) -> Option<Upstream> {
    let file = at.value;
    let name = file.name.map(|at| at.value.0);
    let flagged = file.allow_link_local.is_some_and(|at| at.value);
    let url = url(
        &at.origin,
        file.http,
        file.http_file,
        flagged,
        process.server,
        reader,
    );
    let (url, url_file, url_origin) = match url {
        Some((url, file, origin)) => (Some(url), file, origin),
        None => (None, None, at.origin.clone()),
    };
    let headers = file
        .headers
        .map(|at| headers(at.value, reader))
        .unwrap_or_default();
    if url.as_ref().is_some_and(|url| url.authorization.is_some())
        && headers.iter().any(|header| header.name == "authorization")
    {
        let message = "the URL has a user, and an `Authorization` header is given too";
        reader.problem_at(&url_origin, message, "keep one of them");
    }
    let tls = tls(file.tls, url.as_ref(), reader);
    let account = account::named(file.account, process.accounts, reader);
    let price = account::price(file.price.map(|at| at.value).unwrap_or_default(), reader);
    let hold_off = hold_off(file.hold_off.map(|at| at.value).unwrap_or_default(), reader);

    let mut upstream = Upstream::new(name.as_deref()?, url?);
    upstream.url_file = url_file;
    upstream.allow_link_local = flagged;
    upstream.headers = headers;
    upstream.tls = tls;
    upstream.account = account;
    upstream.price = price;
    upstream.hold_off = hold_off;
    set(&mut upstream.region, file.region, |name| Some(name.0));
    set(&mut upstream.max_in_flight, file.max_in_flight, |n| {
        Some(narrow(u32::MAX)(n.0))
    });
    upstream.limiter = limiter(file.limiter.map(|at| at.value).unwrap_or_default());
    set(&mut upstream.slow_start, file.slow_start, |slow| slow);
    upstream.methods = filter(file.methods.map(|at| at.value).unwrap_or_default());
    upstream.breaker = breaker(file.breaker.map(|at| at.value).unwrap_or_default());
    upstream.pool = pool(file.pool.map(|at| at.value).unwrap_or_default());
    upstream.batch = batch(file.batch.map(|at| at.value).unwrap_or_default());
    set(&mut upstream.provider, file.provider, |name| name.0);
    set(&mut upstream.priority, file.priority, |n| {
        narrow(u32::MAX)(n.0)
    });
    set(&mut upstream.weight, file.weight, |n| narrow(u32::MAX)(n.0));
    set(&mut upstream.timeout, file.timeout, |span| span.0);
    set(
        &mut upstream.connect_timeout,
        file.connect_timeout,
        |span| span.0,
    );
    set(&mut upstream.compression, file.compression, |compression| {
        compression
    });
    Some(upstream)
}

/// The URL, from the file itself or from one that it names.
fn url(
    upstream: &Origin,
    http: Option<At<crate::kind::SecretText>>,
    http_file: Option<At<crate::kind::FilePath>>,
    flagged: bool,
    server: &Server,
    reader: &mut Reader<'_>,
) -> Option<(UpstreamUrl, Option<PathBuf>, Origin)> {
    let (text, path, origin) = match (http, http_file) {
        (Some(_), Some(file)) => {
            reader.problem_at(
                &file.origin,
                "`http` and `http_file` are both given",
                "keep one of them",
            );
            return None;
        }
        (None, None) => {
            // A URL that was given and could not be read was told already.
            let given = |key: &str| reader.is_troubled(&format!("{}.{key}", upstream.path));
            if !given("http") && !given("http_file") {
                reader.problem_at(
                    upstream,
                    "the upstream has no URL",
                    "add `http: \"https://…\"`, or `http_file:` with the file that holds it",
                );
            }
            return None;
        }
        (Some(http), None) => (http.value.0, None, http.origin),
        (None, Some(file)) => {
            let text = reader.secret_file(&file.origin, &file.value.0)?;
            (text, Some(file.value.0), file.origin)
        }
    };
    let url = match UpstreamUrl::parse(&text) {
        Ok(url) => url,
        Err(fault) => {
            reader.problem_at(&origin, fault.message, fault.remedy);
            return None;
        }
    };
    if let Some(fault) = destination::fault(&url, flagged, server) {
        reader.problem_at(&origin, fault.message, fault.remedy);
    }
    Some((url, path, origin))
}

fn headers(named: Named<HeaderValue>, reader: &mut Reader<'_>) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for (key, value) in named.0 {
        let name = key.value.to_ascii_lowercase();
        let fault = header_name_fault(&name, headers.len()).or_else(|| {
            headers.iter().any(|header| header.name == name).then_some((
                "the header is given twice, names being the same in upper and lower case",
                "keep one of them",
            ))
        });
        if let Some((message, remedy)) = fault {
            reader.problem_at(&key.origin, message, remedy);
            continue;
        }
        let (text, file) = match value.value {
            HeaderValue::Text(text) => (Some(text.0), None),
            HeaderValue::File(file) => match file.value_file {
                Some(at) => (
                    reader.secret_file(&at.origin, &at.value.0),
                    Some(at.value.0),
                ),
                None => (None, None),
            },
        };
        let Some(text) = text else { continue };
        let legal = text
            .bytes()
            .all(|b| b.is_ascii_graphic() || b == b' ' || b == b'\t');
        if !legal || text.len() > MAX_HEADER_VALUE_BYTES || text.trim() != text {
            let message = "the value cannot go into a header";
            let remedy = format!(
                "use up to {MAX_HEADER_VALUE_BYTES} visible ASCII characters, blanks only between them"
            );
            reader.problem_at(&value.origin, message, remedy);
            continue;
        }
        headers.push(Header {
            name,
            value: Secret::new(text),
            file,
        });
    }
    headers
}

/// Why a header cannot be added under this name.
fn header_name_fault(name: &str, already: usize) -> Option<(&'static str, &'static str)> {
    if !is_header_name(name) {
        return Some((
            "this is not a header's name",
            "write letters, digits and `-`, as in `X-Api-Key`",
        ));
    }
    if RESERVED_HEADERS.contains(&name) {
        return Some((
            "this header belongs to the connection or the message, and Livechain writes it",
            "remove it",
        ));
    }
    (already >= MAX_HEADERS).then_some(("more than 32 headers", "send fewer"))
}

fn tls(
    file: Option<At<file::UpstreamTls>>,
    url: Option<&UpstreamUrl>,
    reader: &mut Reader<'_>,
) -> UpstreamTls {
    let mut tls = UpstreamTls::default();
    let Some(at) = file else { return tls };
    if url.is_some_and(|url| !url.tls) {
        let message = "`tls` is given, and the URL is `http`";
        reader.problem_at(
            &at.origin,
            message,
            "write `https://` in the URL, or remove `tls`",
        );
    }
    if let Some(ca) = at.value.ca {
        certificates(&ca, reader);
        if let Some(roots) = &at.value.roots {
            let message = "`ca` and `roots` are both given, and `ca` alone would count";
            reader.problem_at(&roots.origin, message, "keep one of them");
        }
        tls.ca = Some(ca.value.0);
    }
    set(&mut tls.roots, at.value.roots, |roots| roots);
    set(&mut tls.server_name, at.value.server_name, |name| {
        Some(name.0)
    });
    tls
}

fn filter(file: file::MethodFilter) -> MethodFilter {
    let patterns = |list: Option<At<Vec<At<Pattern>>>>| {
        list.map(|at| at.value.into_iter().map(|at| at.value.0).collect())
            .unwrap_or_default()
    };
    MethodFilter {
        allow: patterns(file.allow),
        deny: patterns(file.deny),
    }
}

fn breaker(file: file::Breaker) -> Breaker {
    let mut breaker = Breaker::default();
    set(&mut breaker.failures, file.failures, |n| {
        narrow(u32::MAX)(n.0)
    });
    set(&mut breaker.window, file.window, |span| span.0);
    set(&mut breaker.open_for, file.open_for, |span| span.0);
    set(&mut breaker.probes, file.probes, |n| narrow(u32::MAX)(n.0));
    set(&mut breaker.brownout, file.brownout, |brownout| brownout);
    set(&mut breaker.by_group, file.by_group, |by_group| by_group);
    breaker
}

fn hold_off(file: file::HoldOff, reader: &mut Reader<'_>) -> HoldOff {
    let mut hold_off = HoldOff::default();
    let first = file.first.as_ref().map(|at| at.origin.clone());
    let longest = file.longest.as_ref().map(|at| at.origin.clone());
    set(&mut hold_off.first, file.first, |span| span.0);
    set(&mut hold_off.longest, file.longest, |span| span.0);
    if hold_off.first > hold_off.longest
        && let Some(origin) = first.or(longest)
    {
        let message = format!(
            "first ({}) is longer than longest ({})",
            format_duration(hold_off.first),
            format_duration(hold_off.longest)
        );
        reader.problem_at(&origin, message, "shorten first, or lengthen longest");
    }
    hold_off
}

fn limiter(file: file::Limiter) -> Limiter {
    let mut limiter = Limiter::default();
    set(&mut limiter.in_flight, file.in_flight, |finds| finds);
    set(&mut limiter.rate, file.rate, |finds| finds);
    limiter
}

fn pool(file: file::Pool) -> Pool {
    let mut pool = Pool::default();
    set(&mut pool.max_connections, file.max_connections, |n| {
        narrow(u32::MAX)(n.0)
    });
    set(&mut pool.max_waiting, file.max_waiting, |n| {
        narrow(u32::MAX)(n.0)
    });
    set(&mut pool.idle_timeout, file.idle_timeout, |span| span.0);
    pool
}

fn batch(file: file::Batch) -> Batch {
    let mut batch = Batch::default();
    set(&mut batch.max_calls, file.max_calls, |n| {
        narrow(u32::MAX)(n.0)
    });
    batch
}
