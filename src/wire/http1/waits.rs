//! The fields of an answer's head that may say when to come back: which they are, and how they are found again in a head. It knows them by name
//! only; it never reads a value.
//!
//! Many providers send some of them on every good answer, and hardly any answer is a throttle. So the parser notes where the first of them
//! begins and the last one ends, and whoever has to know reads those lines.

/// The names, in lower case: those that the reader of the values knows, which a test of both holds against each other.
pub const WAIT_FIELDS: [&str; 16] = [
    "retry-after",
    "retry-after-ms",
    "x-retry-after",
    "x-ratelimit-retry-after",
    "ratelimit",
    "ratelimit-reset",
    "ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-ratelimit-remaining",
    "x-rate-limit-reset",
    "x-rate-limit-remaining",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-tokens",
];

/// Whether a field, by its name in any case, is one of [`WAIT_FIELDS`].
///
/// Asked of every field of every answer: the first byte and the length leave none or one to compare with, but for one pair.
#[inline]
#[must_use]
pub fn is_wait_field(name: &[u8]) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    match name {
        [b'r' | b'R', ..] => match name.len() {
            9 => is("ratelimit"),
            11 => is("retry-after"),
            14 => is("retry-after-ms"),
            15 => is("ratelimit-reset"),
            19 => is("ratelimit-remaining"),
            _ => false,
        },
        [b'x' | b'X', ..] => match name.len() {
            13 => is("x-retry-after"),
            17 => is("x-ratelimit-reset"),
            18 => is("x-rate-limit-reset"),
            21 => is("x-ratelimit-remaining"),
            22 => is("x-rate-limit-remaining"),
            23 => is("x-ratelimit-reset-after") || is("x-ratelimit-retry-after"),
            24 => is("x-ratelimit-reset-tokens"),
            26 => is("x-ratelimit-reset-requests"),
            28 => is("x-ratelimit-remaining-tokens"),
            30 => is("x-ratelimit-remaining-requests"),
            _ => false,
        },
        _ => false,
    }
}

/// The fields that may say when to come back, among the lines that [`super::ResponseHead::waits`] holds, in order: name and value.
pub fn wait_fields(lines: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines.split(|&byte| byte == b'\n').filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at_checked(colon)?;
        let value = value.get(1..)?.trim_ascii();
        is_wait_field(name).then_some((name, value))
    })
}

/// From the first to the last of the fields, as they are met.
#[derive(Clone, Copy, Default)]
pub(super) struct WaitLines<'b> {
    first_name: Option<&'b [u8]>,
    last_value: &'b [u8],
}

impl<'b> WaitLines<'b> {
    #[inline]
    pub(super) fn take(&mut self, name: &'b [u8], value: &'b [u8]) {
        self.first_name.get_or_insert(name);
        self.last_value = value;
    }

    /// The lines, of the head that the fields are slices of.
    #[inline]
    pub(super) fn of(self, head: &'b [u8]) -> Option<&'b [u8]> {
        let offset = |part: &[u8]| part.as_ptr().addr().checked_sub(head.as_ptr().addr());
        let start = offset(self.first_name?)?;
        let end = offset(self.last_value)?.checked_add(self.last_value.len())?;
        head.get(start..end)
    }
}
