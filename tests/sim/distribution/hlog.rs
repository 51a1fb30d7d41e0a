//! Latencies out of HDR histograms: an interval log (`.hlog`) as the admin port and `livechain load --hlog` write them, or one histogram in
//! base64 (V2, compressed or not). Values are microseconds. It opens no file.

use std::fmt;

use core::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::{LADDER, Latency};

/// More bytes than this are no histogram of ours.
pub const MAX_BYTES: usize = 64 << 20;

/// Why no latency could be taken from a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HlogFault {
    /// It is longer than [`MAX_BYTES`].
    TooLong,
    /// It is neither an interval log nor a histogram in base64.
    Unreadable(String),
    /// No interval has that tag; these are the ones that there are.
    NoSuchTag(Vec<String>),
    /// Nothing was counted.
    Empty,
}

impl fmt::Display for HlogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is longer than {MAX_BYTES} bytes"),
            Self::Unreadable(why) => write!(f, "it is no HDR histogram: {why}"),
            Self::NoSuchTag(tags) if tags.is_empty() => f.write_str("it has no tags"),
            Self::NoSuchTag(tags) => {
                write!(f, "no interval has that tag; there are {}", tags.join(", "))
            }
            Self::Empty => f.write_str("nothing was counted in it"),
        }
    }
}

impl std::error::Error for HlogFault {}

/// The latencies of all intervals of a log with this tag (of all without a tag, where none is asked for and such are there; else of
/// all), or of one histogram.
///
/// # Errors
/// [`HlogFault`] says what is wrong.
pub fn read(bytes: &[u8], tag: Option<&str>) -> Result<Latency, HlogFault> {
    if bytes.len() > MAX_BYTES {
        return Err(HlogFault::TooLong);
    }
    let text = core::str::from_utf8(bytes)
        .map_err(|_| HlogFault::Unreadable("it is not text".to_owned()))?;
    let is_log = text.contains(',');
    let all = if is_log {
        merge(text, tag)?
    } else {
        decode(text.trim())?
    };
    latency(&all)
}

fn latency(histogram: &Histogram<u64>) -> Result<Latency, HlogFault> {
    if histogram.is_empty() {
        return Err(HlogFault::Empty);
    }
    let mut quantiles: Vec<(u64, Duration)> = Vec::new();
    for millionths in LADDER {
        let us = if millionths == 0 {
            histogram.min()
        } else {
            histogram.value_at_quantile(millionths as f64 / 1e6)
        };
        let before = quantiles
            .last()
            .map_or(0, |&(_, span)| span.as_micros() as u64);
        quantiles.push((millionths, Duration::from_micros(us.max(before).max(1))));
    }
    Latency::through(&quantiles).ok_or(HlogFault::Empty)
}

fn merge(text: &str, tag: Option<&str>) -> Result<Histogram<u64>, HlogFault> {
    let mut intervals = Vec::new();
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        match entry {
            Ok(LogEntry::Interval(interval)) => intervals.push(interval),
            Ok(_) => {}
            Err(error) => return Err(HlogFault::Unreadable(format!("{error:?}"))),
        }
    }
    let untagged = intervals.iter().any(|interval| interval.tag().is_none());
    let mut all: Option<Histogram<u64>> = None;
    for interval in &intervals {
        let own = interval.tag().map(|tag| tag.as_str());
        let wanted = match tag {
            Some(tag) => own == Some(tag),
            None => own.is_none() || !untagged,
        };
        if !wanted {
            continue;
        }
        let one = decode(interval.encoded_histogram())?;
        match &mut all {
            None => all = Some(one),
            Some(sum) => sum
                .add(&one)
                .map_err(|error| HlogFault::Unreadable(format!("{error:?}")))?,
        }
    }
    all.ok_or_else(|| {
        let mut tags: Vec<String> = intervals
            .iter()
            .filter_map(|interval| Some(interval.tag()?.as_str().to_owned()))
            .collect();
        tags.sort();
        tags.dedup();
        HlogFault::NoSuchTag(tags)
    })
}

fn decode(base64: &str) -> Result<Histogram<u64>, HlogFault> {
    let unreadable = |why: String| HlogFault::Unreadable(why);
    let bytes = unbase64(base64).ok_or_else(|| unreadable("bad base64".to_owned()))?;
    let mut histogram: Histogram<u64> = Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| unreadable(format!("{error:?}")))?;
    // Merged with others that may hold more.
    histogram.auto(true);
    Ok(histogram)
}

/// RFC 4648, padded. The histogram crate keeps its own decoder to itself.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let text = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for &byte in group {
            bits = bits << 6 | u32::from(digit(byte)?);
        }
        bits <<= 6 * (4 - group.len());
        let bytes = bits.to_be_bytes();
        out.extend_from_slice(bytes.get(1..group.len())?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};
    use std::time::UNIX_EPOCH;

    fn histogram(from: u64, to: u64) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3).unwrap();
        (from..to).for_each(|value| histogram.record(value).unwrap());
        histogram
    }

    fn log() -> Vec<u8> {
        let (mut out, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
        let mut log = IntervalLogWriterBuilder::new()
            .with_start_time(UNIX_EPOCH)
            .with_base_time(UNIX_EPOCH)
            .begin_log_with(&mut out, &mut serializer)
            .unwrap();
        let second = Duration::from_secs(1);
        for (tag, from, to) in [("attempt:a", 1_000, 2_000), ("attempt:b", 9_000, 9_100)] {
            log.write_histogram(&histogram(from, to), Duration::ZERO, second, Tag::new(tag))
                .unwrap();
        }
        drop(log);
        out
    }

    #[test]
    fn a_tag_s_latencies_are_read_from_a_log() {
        let one = read(&log(), Some("attempt:a")).unwrap();
        let median = one.at(500_000);
        assert!((1_480_000..1_520_000).contains(&median), "{median}");
        let all = read(&log(), None).unwrap();
        assert!(all.at(1_000_000) > 9_000_000);
        let Err(HlogFault::NoSuchTag(tags)) = read(&log(), Some("attempt:c")) else {
            panic!("no such tag");
        };
        assert_eq!(tags, ["attempt:a", "attempt:b"]);
    }

    #[test]
    fn one_histogram_is_read_compressed_or_not() {
        let source = histogram(500, 1_500);
        let mut plain = Vec::new();
        V2Serializer::new().serialize(&source, &mut plain).unwrap();
        let text = base64(&plain);
        assert_eq!(unbase64(&text).unwrap(), plain);
        let latency = read(text.as_bytes(), None).unwrap();
        assert!(latency.at(500_000).abs_diff(1_000_000) < 10_000);
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for group in bytes.chunks(3) {
            let bits = group
                .iter()
                .fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte))
                << (8 * (3 - group.len()));
            for place in 0..4 {
                out.push(if place <= group.len() {
                    DIGITS[(bits >> (18 - 6 * place)) as usize & 63] as char
                } else {
                    '='
                });
            }
        }
        out
    }

    #[test]
    fn what_is_no_histogram_is_refused_with_a_reason() {
        for text in ["", "nonsense!", "AAAA", "#only a comment, and no more\n"] {
            assert!(read(text.as_bytes(), None).is_err(), "{text:?}");
        }
        assert!(read(&[0xFF, 0xFE], None).is_err());
    }
}
