//! Answers that hold no JSON-RPC error: judged by HTTP status and by the first bytes of the body. Redirects are never followed, and a body
//! is never passed on to a client.

use core::time::Duration;

use super::hint::hold_off;
use super::rule::{Rule, Subject, rule};
use super::{LimitUnit, Observed, Verdict, hint, rules};
use crate::fault::{FaultClass, Hint};

/// What is looked at of a body, in bytes.
const PREFIX_BYTES: usize = super::MAX_MESSAGE_BYTES;

/// An HTTP answer in which there is no JSON-RPC response object.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpAnswer<'a> {
    /// As in [`Observed::provider`].
    pub provider: &'a str,
    /// As in [`Observed::host`].
    pub host: &'a str,
    /// As in [`Observed::method`].
    pub method: &'a str,
    /// The status.
    pub status: u16,
    /// The content type says JSON.
    pub content_type_is_json: bool,
    /// The beginning of the body; a kibibyte is enough.
    pub body_prefix: &'a [u8],
    /// As in [`Observed::retry_after`].
    pub retry_after: Option<Duration>,
    /// As in [`Observed::window`].
    pub window: Option<Duration>,
}

/// Reads an HTTP answer without a JSON-RPC response in it. Never fails, and never calls such an answer a success.
///
/// A text that a rule knows ("App is inactive", "rate limit") beats the status; a page of HTML is only searched for Cloudflare's throttle,
/// since pages talk about anything.
#[must_use]
pub fn classify_status(answer: &HttpAnswer<'_>) -> Verdict {
    let body = beginning(answer.body_prefix);
    let observed = Observed {
        provider: answer.provider,
        host: answer.host,
        method: answer.method,
        http_status: answer.status,
        code: None,
        message: body,
        data: "",
        retry_after: answer.retry_after,
        window: answer.window,
    };
    let subject = Subject::new(&observed);
    let decided = if THROTTLE_PAGES.iter().any(|page| subject.message.has(page)) {
        THROTTLE_PAGE
    } else if looks_like_a_page(&subject, answer.content_type_is_json) {
        by_status(answer.status).unwrap_or(PAGE_INSTEAD_OF_JSON)
    } else {
        // Below 400 a text of a rule is as likely to be part of some result that broke off.
        let by_text = (answer.status >= 400)
            .then(|| rules::first_by_text(&subject))
            .flatten();
        by_text
            .copied()
            .or_else(|| by_status(answer.status))
            .unwrap_or_else(|| {
                if subject.message.is_empty() {
                    EMPTY_BODY
                } else {
                    NOT_JSON_RPC
                }
            })
    };
    let range =
        (decided.class == FaultClass::CapabilityRange).then(|| hint::range(&subject, decided.unit));
    let is_malformed = [PAGE_INSTEAD_OF_JSON.name, NOT_JSON_RPC.name].contains(&decided.name);
    Verdict {
        hold_off: hold_off(&subject, &decided),
        hint: if is_malformed {
            Hint::Malformed
        } else {
            hint::of_range(range.as_ref())
        },
        range,
        ..Verdict::plain(decided.class, decided.name)
    }
}

const THROTTLE_PAGES: [&str; 3] = ["error code: 1015", "<title>error 1015", "enhance_your_calm"];
const THROTTLE_PAGE: Rule = rule("throttle_page", FaultClass::RateLimited);
const PAGE_INSTEAD_OF_JSON: Rule = rule("page_instead_of_json", FaultClass::Transport);
const EMPTY_BODY: Rule = rule("empty_body", FaultClass::Transport);
const NOT_JSON_RPC: Rule = rule("not_json_rpc", FaultClass::Transport);

/// The class that a status has by itself; nothing for 2xx.
fn by_status(status: u16) -> Option<Rule> {
    use FaultClass as C;
    Some(match status {
        200..=299 => return None,
        // A node does not redirect; something before it does. Following it would hand key and call to another host.
        300..=399 => rule("http_redirect", C::Server),
        401 | 403 | 407 => rule("http_auth", C::Auth),
        402 => rule("http_payment", C::QuotaBilling),
        408 | 504 | 522 | 524 => rule("http_timeout", C::Timeout),
        413 => rule("http_too_large", C::CapabilityRange).counts(LimitUnit::Bytes),
        429 | 529 => rule("http_throttle", C::RateLimited),
        // The path or the verb is not served: the address in the configuration is wrong, or the endpoint is gone. The breaker keeps
        // it out and its probes let it back, so nothing worse is concluded.
        404 | 405 | 406 | 410 | 415 => rule("http_endpoint", C::Server),
        421 | 521 | 523 | 525 | 526 => rule("http_unreachable", C::Transport),
        // The call was valid when it left, so one other upstream may judge it.
        400..=499 => rule("http_refused", C::Unclassified),
        500..=599 => rule("http_server", C::Server),
        _ => rule("http_status", C::Transport),
    })
}

/// A page says so in its first tag; one that claims no JSON may have a comment before it.
fn looks_like_a_page(subject: &Subject<'_>, content_type_is_json: bool) -> bool {
    let opens = ["^<!doctype", "^<html", "^<?xml", "^<head", "^<body"];
    let holds = ["<html", "<!doctype html"];
    opens.iter().any(|tag| subject.message.has(tag))
        || (!content_type_is_json && holds.iter().any(|tag| subject.message.has(tag)))
}

/// The body's beginning as text: as much of it as is UTF-8, without a byte-order mark.
fn beginning(body: &[u8]) -> &str {
    let body = body.get(..body.len().min(PREFIX_BYTES)).unwrap_or(body);
    let text = match core::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => body
            .get(..error.valid_up_to())
            .and_then(|valid| core::str::from_utf8(valid).ok())
            .unwrap_or(""),
    };
    text.trim_start_matches('\u{feff}')
}
