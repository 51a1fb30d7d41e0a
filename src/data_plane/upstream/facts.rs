//! What the head of an upstream's answer says, beyond framing. It reads, and judges nothing.

use std::time::Duration;

use engine::dialect;
use wire::http1::{self, ResponseHead};

/// What the head of an answer says, beyond framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The status code.
    pub status: u16,
    /// The content type says JSON, or says nothing.
    pub json: bool,
    /// How long the upstream asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Facts {
    /// What this head says now.
    pub fn of(head: &ResponseHead<'_>) -> Self {
        let json = head.content_type.is_none_or(|value| {
            value
                .windows(4)
                .any(|window| window.eq_ignore_ascii_case(b"json"))
        });
        // Nearly every answer says nothing of it, and then the clock need not be read.
        let may_say = head.retry_after.is_some() || head.status == 429;
        let retry_after = may_say.then(|| hold_off(head, rt::clock::unix_s()));
        Self {
            status: head.status,
            json,
            retry_after: retry_after.flatten(),
        }
    }
}

/// When the head says to come back.
fn hold_off(head: &ResponseHead<'_>, now_unix_s: u64) -> Option<Duration> {
    let read = |name, raw: &[u8]| {
        let value = std::str::from_utf8(raw).ok()?;
        dialect::hold_off_from_header(name, value, now_unix_s)
    };
    let date = |raw: &[u8]| {
        let until = http1::parse_http_date(raw)?.checked_sub(now_unix_s)?;
        (until > 0).then(|| Duration::from_secs(until).min(dialect::MAX_HOLD_OFF))
    };
    // The dialect knows today's form of a date only.
    let retry_after = head.retry_after;
    let said = retry_after.and_then(|raw| read("retry-after", raw).or_else(|| date(raw)));
    // A reset hint on an answer that is no throttle only says when a window turns over.
    let reset = head.rate_limit_reset.filter(|_| head.status == 429);
    said.or_else(|| read("ratelimit-reset", reset?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_735_689_600;

    fn said(status: u16, field: &str) -> Option<u128> {
        let head = format!("HTTP/1.1 {status} Slow\r\n{field}\r\ncontent-length: 0\r\n\r\n");
        let head =
            http1::parse_response_head(head.as_bytes(), false, &http1::HeadLimits::default());
        hold_off(&head.unwrap().unwrap(), NOW).map(|wait| wait.as_millis())
    }

    #[test]
    fn waits_are_read_in_every_spelling() {
        let most = dialect::MAX_HOLD_OFF.as_millis();
        for (value, wait) in [
            ("3", Some(3000)),
            ("2.5", Some(2500)),
            ("500ms", Some(500)),
            ("2m30s", Some(150_000)),
            ("99999999999999999999", Some(most)),
            ("Wed, 01 Jan 2025 00:00:09 GMT", Some(9000)),
            ("Wednesday, 01-Jan-25 00:00:09 GMT", Some(9000)),
            ("Wed Jan  1 00:00:09 2025", Some(9000)),
            ("Thu, 01 Jan 2026 00:00:00 GMT", Some(most)),
            ("Thursday, 01-Jan-26 00:00:00 GMT", Some(most)),
            ("Wed, 01 Jan 2020 00:00:00 GMT", None),
            ("Wednesday, 01-Jan-20 00:00:00 GMT", None),
            ("0", None),
            ("-1", None),
            ("soon", None),
            ("\u{e9}", None),
        ] {
            let field = format!("Retry-After: {value}");
            assert_eq!(said(503, &field), wait, "{value}");
        }
        for (value, wait) in [
            ("6m0s", Some(360_000)),
            ("1735689605", Some(5000)),
            ("1735689604001", Some(4001)),
            ("1735689600", None),
            ("soon", None),
        ] {
            let field = format!("x-ratelimit-reset: {value}");
            assert_eq!(said(429, &field), wait, "{value}");
            // On an answer that is no throttle it only says when a window turns over.
            assert_eq!(said(503, &field), None, "{value}");
        }
        assert_eq!(
            said(429, "retry-after: soon\r\nx-ratelimit-reset: 7"),
            Some(7000)
        );
    }
}
