//! What the head of an upstream's answer says, beyond framing. It reads, and judges nothing; when to come back it reads only if asked.

use std::time::Duration;

use engine::dialect::HeadWaits;
use wire::http1::{self, ResponseHead};

/// What the head of an answer says, beyond framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The status code.
    pub status: u16,
    /// The content type says JSON, or says nothing.
    pub json: bool,
    waits: Lines,
}

/// When to come back, by the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// The wait that is asked for.
    pub asked: Option<Duration>,
    /// Until the window that is used up is over. It means a wait for a throttle only.
    pub window: Option<Duration>,
}

/// So much is kept of a head unread. Of those that providers send on every answer the longest have 140 bytes.
const KEPT_BYTES: usize = 160;

/// The lines that may say when to come back. Whether they matter is known with the body, when the head's buffer is gone, and nearly always they do
/// not: so they are copied, not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    /// There are none.
    None,
    /// The first so many of the bytes.
    Kept(u8, [u8; KEPT_BYTES]),
    /// They were too long to be kept.
    Read(Waits),
}

impl Facts {
    /// What this head says now.
    pub fn of(head: &ResponseHead<'_>) -> Self {
        let json = head.content_type.is_none_or(|value| {
            value
                .windows(4)
                .any(|window| window.eq_ignore_ascii_case(b"json"))
        });
        Self {
            status: head.status,
            json,
            waits: head.waits.map_or(Lines::None, Lines::of),
        }
    }

    /// When it says to come back. For answers that failed: of others it says when a window turns over.
    pub fn waits(&self) -> Waits {
        match &self.waits {
            Lines::None => Waits::default(),
            Lines::Kept(len, bytes) => {
                let lines = bytes.get(..usize::from(*len)).unwrap_or_default();
                read(lines, rt::clock::unix_s())
            }
            Lines::Read(waits) => *waits,
        }
    }
}

impl Lines {
    fn of(lines: &[u8]) -> Self {
        let mut kept = [0; KEPT_BYTES];
        match (kept.get_mut(..lines.len()), u8::try_from(lines.len())) {
            (Some(into), Ok(len)) => {
                into.copy_from_slice(lines);
                Self::Kept(len, kept)
            }
            _ => Self::Read(read(lines, rt::clock::unix_s())),
        }
    }
}

fn read(lines: &[u8], now_unix_s: u64) -> Waits {
    let mut waits = HeadWaits::default();
    for (name, value) in http1::wait_fields(lines) {
        // The dialect knows today's form of a date only.
        if name.eq_ignore_ascii_case(b"retry-after")
            && let Some(date) = http1::parse_http_date(value)
        {
            let until = date.checked_sub(now_unix_s);
            waits.ask(until.map(Duration::from_secs));
        } else {
            waits.take(name, value, now_unix_s);
        }
    }
    Waits {
        asked: waits.asked(),
        window: waits.window(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::dialect::{self, HttpAnswer, Observed};

    const NOW: u64 = 1_735_689_600;

    fn with_head<T>(status: u16, fields: &str, look: impl FnOnce(&ResponseHead<'_>) -> T) -> T {
        let head = format!("HTTP/1.1 {status} Slow\r\n{fields}\r\ncontent-length: 0\r\n\r\n");
        let head =
            http1::parse_response_head(head.as_bytes(), false, &http1::HeadLimits::default());
        look(&head.unwrap().unwrap())
    }

    /// The hold-off of an answer without a JSON-RPC error, in milliseconds.
    fn said(status: u16, fields: &str) -> Option<u128> {
        let waits = with_head(status, fields, |head| {
            read(head.waits.unwrap_or_default(), NOW)
        });
        let answer = HttpAnswer {
            status,
            retry_after: waits.asked,
            window: waits.window,
            ..HttpAnswer::default()
        };
        dialect::classify_status(&answer)
            .hold_off
            .map(|wait| wait.as_millis())
    }

    #[test]
    fn every_header_that_the_dialect_knows_is_captured_and_leads_to_a_hold_off() {
        let sorted = |names: &[&'static str]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        assert_eq!(
            sorted(&dialect::WAIT_HEADERS),
            sorted(&http1::WAIT_FIELDS),
            "the names that the head's parser hands out are not those that the dialect reads"
        );
        for name in dialect::WAIT_HEADERS {
            for name in [name.to_owned(), name.to_ascii_uppercase()] {
                let (field, wait) = match name.to_ascii_lowercase() {
                    // What is left decides whether the window's end counts.
                    lower if lower.contains("remaining") => {
                        let reset = lower.replace("remaining", "reset");
                        let left = format!("{name}: 3\r\n{reset}: 7");
                        assert_eq!(said(429, &left), None, "{name}");
                        (format!("{name}: 0\r\n{reset}: 7"), 7000)
                    }
                    lower if lower == "ratelimit" => (format!("{name}: \"a\";r=0;t=7"), 7000),
                    lower if lower.ends_with("-ms") => (format!("{name}: 70"), 70),
                    _ => (format!("{name}: 7"), 7000),
                };
                assert_eq!(said(429, &field), Some(wait), "{field}");
                let amid = format!("server: x\r\n{field}\r\nvia: 1.1 y");
                assert_eq!(said(429, &amid), Some(wait), "{field}");
            }
        }
    }

    #[test]
    fn the_manual_lists_every_header() {
        let manual = include_str!("../../manual/dialects.md");
        for name in dialect::WAIT_HEADERS {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
        assert!(manual.contains(&format!("{KEPT_BYTES} bytes are read at once")));
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
            ("1735689604001000", Some(4001)),
            ("1735689604001000000", Some(4001)),
            ("1735689600", None),
            ("soon", None),
        ] {
            let field = format!("x-ratelimit-reset: {value}");
            assert_eq!(said(429, &field), wait, "{value}");
            // On an answer that is no throttle it only says when a window turns over.
            assert_eq!(said(503, &field), None, "{value}");
        }
    }

    #[test]
    fn what_is_asked_for_goes_before_a_window_and_of_each_the_longest_counts() {
        for (fields, wait) in [
            ("retry-after: soon\r\nx-ratelimit-reset: 7", Some(7000)),
            ("retry-after: 2\r\nx-ratelimit-reset: 7", Some(2000)),
            ("retry-after: 9\r\nx-ratelimit-reset: 7", Some(9000)),
            ("x-ratelimit-reset: 7\r\nretry-after-ms: 1500", Some(1500)),
            ("retry-after: 2\r\nretry-after-ms: 1500", Some(2000)),
            ("retry-after: 2\r\nretry-after: 5", Some(5000)),
            ("retry-after: 0\r\nratelimit: x;r=0;t=3", Some(3000)),
            ("ratelimit-reset: 4\r\nx-ratelimit-reset: 7", Some(7000)),
            (
                "ratelimit-remaining: 0\r\nratelimit-reset: 4\r\nx-ratelimit-remaining: 1\r\nx-ratelimit-reset: 7",
                Some(4000),
            ),
            ("x-ratelimit-remaining: 1\r\nx-ratelimit-reset: 7", None),
        ] {
            assert_eq!(said(429, fields), wait, "{fields}");
        }
    }

    #[test]
    fn a_throttle_at_200_is_held_off_by_its_head_and_no_other_error_is() {
        let head = "x-ratelimit-remaining: 0\r\nx-ratelimit-reset-after: 7";
        let facts = with_head(200, head, Facts::of);
        assert!(matches!(facts.waits, Lines::Kept(..)), "it was read early");
        let hold_off = |code, message| {
            let waits = facts.waits();
            let observed = Observed {
                http_status: facts.status,
                method: "eth_call",
                code: Some(code),
                message,
                retry_after: waits.asked,
                window: waits.window,
                ..Observed::default()
            };
            dialect::classify(&observed).hold_off
        };
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(hold_off(-32005, "rate limit exceeded"), seconds(7));
        // The error knows better than the window.
        assert_eq!(hold_off(-32005, "rate limit, try again in 2s"), seconds(2));
        assert_eq!(hold_off(-32603, "Internal error"), None);
        assert_eq!(hold_off(3, "execution reverted"), None);
    }

    #[test]
    fn lines_too_long_to_be_kept_are_read_at_once() {
        for filler in [0, KEPT_BYTES - 36, KEPT_BYTES - 35, 2000] {
            let fields = format!(
                "retry-after-ms: 1500\r\nx: {}\r\nratelimit: t=9",
                "a".repeat(filler)
            );
            let facts = with_head(429, &fields, Facts::of);
            let is_kept = matches!(facts.waits, Lines::Kept(..));
            assert_eq!(is_kept, fields.len() <= KEPT_BYTES, "{filler}");
            let due = Waits {
                asked: Some(Duration::from_millis(1500)),
                window: Some(Duration::from_secs(9)),
            };
            assert_eq!(facts.waits(), due, "{filler}");
        }
        assert_eq!(with_head(429, "server: x", Facts::of).waits, Lines::None);
    }
}
