//! The words that values are written in: spans of time, shares, factors, money. Each reads one, and says what it must be.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// The longest span that a scenario may name.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A value that is written as a word.
pub trait Word: Sized {
    /// What it must be, for errors and the manual.
    const MUST_BE: &'static str;
    /// Reads it.
    fn read(text: &str) -> Option<Self>;
}

/// Reads a word where serde asks for a value.
pub fn word<'de, D: Deserializer<'de>, W: Word>(deserializer: D) -> Result<W, D::Error> {
    struct Reader<W>(PhantomData<W>);
    impl<W: Word> Visitor<'_> for Reader<W> {
        type Value = W;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(W::MUST_BE)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<W, E> {
            W::read(text).ok_or_else(|| E::custom(format!("`{text}` is not {}", W::MUST_BE)))
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<W, E> {
            self.visit_str(&number.to_string())
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<W, E> {
            self.visit_str(&number.to_string())
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<W, E> {
            self.visit_str(&number.to_string())
        }
    }
    deserializer.deserialize_str(Reader(PhantomData))
}

macro_rules! reads {
    ($($word:ident)+) => {
        $(impl<'de> Deserialize<'de> for $word {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                word(deserializer)
            }
        })+
    };
}

reads! { Span Share Times Money }

/// A span of time: `250us`, `20ms`, `1.5s`, `2m`, `1h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A share in whole thousandths: `20%`, `0.5%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share(pub u32);

/// A factor in whole hundredths: `5x`, `2.5x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times(pub u32);

/// Money, in millionths of a unit: `1.25`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Money(pub u64);

impl Word for Span {
    const MUST_BE: &'static str = "a span of time up to a week, such as 250us, 20ms, 1.5s or 2m";
    fn read(text: &str) -> Option<Self> {
        let units = [
            ("us", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000),
        ];
        let (number, unit) = units
            .into_iter()
            .find_map(|(unit, ns)| Some((text.strip_suffix(unit)?, ns)))?;
        let span = Duration::from_nanos(decimal(number, unit)?);
        (span <= LONGEST).then_some(Self(span))
    }
}

impl Word for Share {
    const MUST_BE: &'static str =
        "a share in whole thousandths from 0% to 100%, such as 20% or 0.5%";
    fn read(text: &str) -> Option<Self> {
        let permille = decimal(text.strip_suffix('%')?, 10)?;
        (permille <= 1_000).then_some(Self(permille as u32))
    }
}

impl Word for Times {
    const MUST_BE: &'static str =
        "a factor in whole hundredths from 0.01x to 1000x, such as 5x or 2.5x";
    fn read(text: &str) -> Option<Self> {
        let percent = decimal(text.strip_suffix('x')?, 100)?;
        (1..=100_000)
            .contains(&percent)
            .then_some(Self(percent as u32))
    }
}

impl Word for Money {
    const MUST_BE: &'static str = "an amount of money with at most six decimals, such as 1.25";
    fn read(text: &str) -> Option<Self> {
        decimal(text, 1_000_000).map(Self)
    }
}

/// A decimal number in parts of `unit` to one; `None` where it is none, or no whole number of parts.
fn decimal(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    if text.ends_with('.') {
        return None;
    }
    let mut parts = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let scale = 10_u64.pow(fraction.len() as u32);
        let scaled = fraction.parse::<u64>().ok()?.checked_mul(unit)?;
        if !scaled.is_multiple_of(scale) {
            return None;
        }
        parts = parts.checked_add(scaled / scale)?;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_exactly_or_not_at_all() {
        let span = |text| Span::read(text).map(|span| span.0);
        assert_eq!(span("250us"), Some(Duration::from_micros(250)));
        assert_eq!(span("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(span("2m"), Some(Duration::from_secs(120)));
        assert_eq!(span("168h"), Some(LONGEST));
        for text in [
            "", "s", "5", "-1s", "1.s", ".5s", "169h", "1e3s", "1 s", "5 min",
        ] {
            assert_eq!(span(text), None, "{text:?}");
        }
        let share = |text| Share::read(text).map(|share| share.0);
        assert_eq!(
            (share("20%"), share("0.5%"), share("100%")),
            (Some(200), Some(5), Some(1_000))
        );
        for text in ["20", "0.05%", "101%", "%", "-1%"] {
            assert_eq!(share(text), None, "{text:?}");
        }
        assert_eq!(Times::read("2.5x"), Some(Times(250)));
        assert_eq!((Times::read("0x"), Times::read("1001x")), (None, None));
        assert_eq!(Money::read("1.25"), Some(Money(1_250_000)));
        assert_eq!(Money::read("0.0000001"), None);
    }
}
