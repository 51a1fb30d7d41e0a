//! Moments in headers: HTTP dates, `Retry-After`, rate-limit resets. Never reads a clock: now is an argument.

/// Formats `unix_s` as an IMF-fixdate (RFC 9110 §5.6.7), e.g. `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn http_date(unix_s: u64) -> [u8; 29] {
    let _ = unix_s;
    todo!()
}

/// Parses an HTTP date in any of the three forms of RFC 9110 §5.6.7 to seconds since the epoch.
#[must_use]
pub fn parse_http_date(raw: &[u8]) -> Option<u64> {
    let _ = raw;
    todo!()
}

/// Seconds to wait according to `Retry-After` (RFC 9110 §10.2.3: seconds or an HTTP date), 0 for a date in the past.
#[must_use]
pub fn parse_retry_after(raw: &[u8], now_unix_s: u64) -> Option<u64> {
    let _ = (raw, now_unix_s);
    todo!()
}

/// Seconds to wait according to a rate-limit reset header: vendors send seconds from now, or an epoch in seconds or
/// milliseconds; told apart by size.
#[must_use]
pub fn parse_rate_limit_reset(raw: &[u8], now_unix_s: u64) -> Option<u64> {
    let _ = (raw, now_unix_s);
    todo!()
}
