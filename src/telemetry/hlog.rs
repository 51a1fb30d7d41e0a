//! Exact latency distributions as an HDR interval log (`.hlog` v1.3, V2 with DEFLATE), readable by the
//! HdrHistogram tools of every language. One line for each method of a chain (`call:chain:method`) and for
//! each method of an upstream (`attempt:chain:upstream:method`); values are µs, the maximum column is ms.
//! Never truncates a distribution; never writes a tag that the format cannot hold.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use crate::metrics::Metric;
use crate::recorder::Shape;
use crate::snapshot::Snapshot;

/// The content type of what [`render`] makes.
pub const CONTENT_TYPE: &str = "text/plain; charset=utf-8";

/// The distributions that are written, with the word that begins their tags.
const WRITTEN: &[(Metric, &str)] = &[
    (Metric::CallDuration, "call"),
    (Metric::AttemptDuration, "attempt"),
];

/// All calls' and attempts' latencies since the process started at `started_unix`, `elapsed` ago.
///
/// # Errors
/// When a histogram cannot be encoded; a process's own histograms always can.
pub fn render(
    snapshot: &Snapshot,
    started_unix: Duration,
    elapsed: Duration,
) -> io::Result<Vec<u8>> {
    let shape = Shape::new(snapshot.dimensions());
    let started = UNIX_EPOCH + started_unix;
    let mut out = Vec::with_capacity(64 * 1024);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[livechain: latencies since start; values in microseconds, Interval_Max in milliseconds]")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(1_000.0)
        .begin_log_with(&mut out, &mut serializer)?;
    for (metric, word) in WRITTEN {
        for (point, series) in snapshot.distributions(&shape, *metric) {
            let mut tag = String::from(*word);
            for (axis, index) in metric.spec().axes.iter().zip(point) {
                axis.describe(snapshot.dimensions(), index, |_, value| {
                    push_tag_part(&mut tag, value)
                });
            }
            log.write_histogram(series.histogram(), Duration::ZERO, elapsed, Tag::new(&tag))
                .map_err(as_io)?;
        }
    }
    drop(log);
    Ok(out)
}

/// The format has no escape for a comma, a space or a line break in a tag; the colon is our own separator.
fn push_tag_part(tag: &mut String, part: &str) {
    tag.push(':');
    tag.extend(part.chars().map(|c| {
        if c == ',' || c == ':' || c.is_whitespace() || c.is_control() {
            '_'
        } else {
            c
        }
    }));
}

fn as_io<E: std::fmt::Debug>(error: IntervalLogWriterError<E>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => {
            io::Error::other(format!("histogram not encoded: {error:?}"))
        }
    }
}
