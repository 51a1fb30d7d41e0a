//! When an answer's head says to come back: which fields tell of it, how each is written, and which of several counts. It reads field after
//! field and keeps the outcome; it never reads a clock, never decides whether the answer is a throttle, and never fails on any bytes.
//!
//! Two kinds are kept apart. What was *asked for* (`Retry-After` and its variants) is meant for whoever got this answer. A *window* only says when a
//! count begins anew; it stands on good answers, too, and means a wait if the answer is a throttle and the window is used up.

use core::time::Duration;

use super::hint::{MAX_HOLD_OFF, http_date};
use super::wait::{self, Unit};

/// Every field that is read, in lower case. Whoever reads heads has to hand out these.
pub const WAIT_HEADERS: [&str; FIELDS.len()] = {
    let mut names = [""; FIELDS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = FIELDS[at].0;
        at += 1;
    }
    names
};

const FIELDS: [(&str, Field); 16] = [
    ("retry-after", Field::Asked(Unit::Seconds)),
    ("retry-after-ms", Field::Asked(Unit::Millis)),
    ("x-retry-after", Field::Asked(Unit::Seconds)),
    ("x-ratelimit-retry-after", Field::Asked(Unit::Seconds)),
    ("ratelimit", Field::Combined),
    ("ratelimit-reset", Field::Reset(Window::Plain)),
    ("ratelimit-remaining", Field::Remaining(Window::Plain)),
    ("x-ratelimit-reset", Field::Reset(Window::X)),
    ("x-ratelimit-reset-after", Field::ResetAfter(Window::X)),
    ("x-ratelimit-remaining", Field::Remaining(Window::X)),
    ("x-rate-limit-reset", Field::Reset(Window::XRate)),
    ("x-rate-limit-remaining", Field::Remaining(Window::XRate)),
    ("x-ratelimit-reset-requests", Field::Reset(Window::Requests)),
    (
        "x-ratelimit-remaining-requests",
        Field::Remaining(Window::Requests),
    ),
    ("x-ratelimit-reset-tokens", Field::Reset(Window::Tokens)),
    (
        "x-ratelimit-remaining-tokens",
        Field::Remaining(Window::Tokens),
    ),
];

/// How a field is read.
#[derive(Clone, Copy)]
enum Field {
    /// A wait; a bare number counts these.
    Asked(Unit),
    /// When a window is over: from now, or a point in time.
    Reset(Window),
    /// The same, never a point in time.
    ResetAfter(Window),
    /// What is left in a window.
    Remaining(Window),
    /// All of it in one field, of one policy or of several.
    Combined,
}

/// Which fields belong together: a `remaining` is of the `reset` that is spelled like it.
#[derive(Clone, Copy)]
enum Window {
    Plain,
    X,
    XRate,
    Requests,
    Tokens,
}

const WINDOWS: usize = Window::Tokens as usize + 1;

/// What is known of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    reset: Option<Duration>,
    /// Something is left, and nobody said that nothing was.
    left: bool,
    used_up: bool,
}

impl Count {
    fn remaining(&mut self, value: &[u8]) {
        match is_something_left(value) {
            Some(true) => self.left = true,
            Some(false) => self.used_up = true,
            None => {}
        }
    }

    /// Its end, if it is what the throttle is about.
    fn wait(self) -> Option<Duration> {
        self.reset.filter(|_| self.used_up || !self.left)
    }
}

/// What the fields of one head came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadWaits {
    asked: Option<Duration>,
    counts: [Count; WINDOWS],
    combined: Option<Duration>,
}

impl HeadWaits {
    /// Reads one field: seconds or a date in `retry-after`, milliseconds in `retry-after-ms`, the `ratelimit-reset` family (seconds from now, or a
    /// point in time in seconds, milli-, micro- or nanoseconds), and the IETF's combined `ratelimit`.
    ///
    /// Where a number of seconds is due, vendors write fractions (`2.5`), units (`500ms`, `12s`) and Go's durations (`2m30s`, `6m0s`): all are
    /// read, and rounded up to the millisecond. A value of which any part is something else is as good as absent (`soon`, `-1`, `5 apples`), and
    /// so are zero and any name that is none of [`WAIT_HEADERS`]. Nothing is too large: each wait is capped at [`MAX_HOLD_OFF`].
    ///
    /// `name` in any case; `now_unix_s` is the wall clock, which points in time are counted from.
    pub fn take(&mut self, name: &[u8], value: &[u8], now_unix_s: u64) {
        let is_it = |own: &&(&str, Field)| own.0.as_bytes().eq_ignore_ascii_case(name);
        let Some((_, field)) = FIELDS.iter().find(is_it) else {
            return;
        };
        let value = value.trim_ascii();
        let (window, wait) = match *field {
            Field::Asked(unit) => {
                let wait = wait::whole(value, unit).or_else(|| {
                    let until = http_date(value)?.checked_sub(now_unix_s)?;
                    Some(Duration::from_secs(until))
                });
                return self.ask(wait);
            }
            Field::Combined => {
                self.combined = self.combined.max(capped(combined(value)));
                return;
            }
            Field::Remaining(window) => return self.count(window, |count| count.remaining(value)),
            Field::Reset(window) => (window, reset(value, now_unix_s)),
            Field::ResetAfter(window) => (window, wait::whole(value, Unit::Seconds)),
        };
        self.count(window, |count| count.reset = count.reset.max(capped(wait)));
    }

    /// A wait that was asked for in a form that only the caller reads. Of several the longest counts: a floor is a floor.
    pub fn ask(&mut self, wait: Option<Duration>) {
        self.asked = self.asked.max(capped(wait));
    }

    /// The wait that was asked for.
    #[must_use]
    pub const fn asked(&self) -> Option<Duration> {
        self.asked
    }

    /// Until the last of the windows that are used up is over. A window of which something is left is none of them.
    #[must_use]
    pub fn window(&self) -> Option<Duration> {
        let ends = self.counts.iter().filter_map(|count| count.wait()).max();
        ends.max(self.combined)
    }

    fn count(&mut self, window: Window, change: impl FnOnce(&mut Count)) {
        if let Some(count) = self.counts.get_mut(window as usize) {
            change(count);
        }
    }
}

/// One header of a throttled answer, as if it were the only one.
#[cfg(test)]
pub(super) fn hold_off_from_header(name: &str, value: &str, now_unix_s: u64) -> Option<Duration> {
    let mut waits = HeadWaits::default();
    waits.take(name.as_bytes(), value.as_bytes(), now_unix_s);
    waits.asked().or(waits.window())
}

fn capped(wait: Option<Duration>) -> Option<Duration> {
    wait.filter(|wait| !wait.is_zero())
        .map(|wait| wait.min(MAX_HOLD_OFF))
}

/// What a `remaining` says; nothing if it is no number. Less than one is not enough for a call.
fn is_something_left(value: &[u8]) -> Option<bool> {
    let (number, rest) = wait::decimal(value)?;
    rest.is_empty().then_some(number.whole > 0)
}

/// The IETF's combined field (draft-ietf-httpapi-ratelimit-headers): `limit=10, remaining=0, reset=30`, or `"burst";r=0;t=30` since its
/// eighth version. Of several policies that are used up the longest.
fn combined(value: &[u8]) -> Option<Duration> {
    let (mut longest, mut policy) = (None, Count::default());
    let mut is_quoted = false;
    // A policy's name is quoted, and may have any of the separators in it.
    let parts = value.split(|&byte| {
        is_quoted ^= byte == b'"';
        !is_quoted && b",;".contains(&byte)
    });
    for part in parts {
        let part = part.trim_ascii();
        let equals = part.iter().position(|&byte| byte == b'=');
        let Some(equals) = equals.filter(|_| !part.starts_with(b"\"")) else {
            // The name of the next policy.
            longest = longest.max(core::mem::take(&mut policy).wait());
            continue;
        };
        let (key, value) = part.split_at_checked(equals).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default();
        match key {
            b"r" | b"remaining" => policy.remaining(value),
            b"t" | b"reset" => policy.reset = wait::whole(value, Unit::Seconds),
            _ => {}
        }
    }
    longest.max(policy.wait())
}

/// A bare number may be a point in time; with a unit it is a duration.
fn reset(value: &[u8], now_unix_s: u64) -> Option<Duration> {
    /// Beyond this, seconds from now would be thirty years: it is a point in time, and each finer unit begins a thousand times further.
    const LEAST_POINT_S: u64 = 1_000_000_000;
    const LEAST_POINT_MS: u64 = LEAST_POINT_S * 1_000;
    const LEAST_POINT_US: u64 = LEAST_POINT_MS * 1_000;
    const LEAST_POINT_NS: u64 = LEAST_POINT_US * 1_000;
    let (number, rest) = wait::decimal(value)?;
    let unit = match number.whole {
        _ if !rest.is_empty() => return wait::whole(value, Unit::Seconds),
        0..LEAST_POINT_S => return wait::whole(value, Unit::Seconds),
        LEAST_POINT_S..LEAST_POINT_MS => Unit::Seconds,
        LEAST_POINT_MS..LEAST_POINT_US => Unit::Millis,
        LEAST_POINT_US..LEAST_POINT_NS => Unit::Micros,
        LEAST_POINT_NS.. => Unit::Nanos,
    };
    let now_ns = Duration::from_secs(now_unix_s).as_nanos();
    wait::rounded(number.in_ns(unit).saturating_sub(now_ns))
}
