//! What a run records: histograms, counts, and failures by kind. One recorder a thread, handed over in intervals and
//! added up by the main thread. Never touched by two threads at once.

use super::pacing::Timing;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Longest latency that is told apart, in microseconds: one hour.
const MAX_LATENCY_US: u64 = 3_600_000_000;
/// Most different JSON-RPC codes that are told apart.
const MAX_RPC_CODES: usize = 64;

/// A histogram of microseconds with three significant digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, hdrhistogram::CreationError> {
    Histogram::new_with_bounds(1, MAX_LATENCY_US, 3)
}

/// Why a request did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Failure {
    /// The connection was refused or could not be made.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// Reset by the peer.
    Reset,
    /// Closed before a whole answer was there.
    Closed,
    /// No whole answer within the time.
    Timeout,
    /// No HTTP/1.1 response, or longer than allowed.
    Framing,
    /// A status other than 200.
    Status(u16),
    /// A JSON-RPC error.
    Rpc(i64),
    /// JSON-RPC errors of codes past the first 64.
    RpcOther,
    /// The body is no JSON-RPC answer.
    NoJson,
    /// The id is not the request's.
    WrongId,
    /// Neither result nor error, or both.
    NoResult,
    /// The result is not what this request must get.
    WrongContent,
    /// A batch's answer has another number of items.
    WrongCount,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("transport/connect"),
            Self::Tls => f.write_str("transport/tls"),
            Self::Reset => f.write_str("transport/reset"),
            Self::Closed => f.write_str("transport/closed"),
            Self::Timeout => f.write_str("transport/timeout"),
            Self::Framing => f.write_str("http/framing"),
            Self::Status(code) => write!(f, "http/{code}"),
            Self::Rpc(code) => write!(f, "rpc/{code}"),
            Self::RpcOther => f.write_str("rpc/other"),
            Self::NoJson => f.write_str("answer/no_json"),
            Self::WrongId => f.write_str("answer/wrong_id"),
            Self::NoResult => f.write_str("answer/no_result"),
            Self::WrongContent => f.write_str("answer/wrong_content"),
            Self::WrongCount => f.write_str("answer/wrong_count"),
        }
    }
}

/// What was recorded in some time.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    /// Latencies of successful requests: from the intended start in an open loop, from the start in a closed one.
    pub(crate) latency_us: Histogram<u64>,
    /// The same requests from their actual start.
    pub(crate) uncorrected_us: Histogram<u64>,
    /// How late the generator itself was.
    pub(crate) lag_us: Histogram<u64>,
    /// Requests that succeeded.
    pub(crate) ok: u64,
    /// Calls in them.
    pub(crate) calls_ok: u64,
    /// Bytes of their answers, heads included.
    pub(crate) bytes: u64,
    pub(crate) failures: BTreeMap<Failure, u64>,
}

impl Interval {
    pub(crate) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            latency_us: histogram()?,
            uncorrected_us: histogram()?,
            lag_us: histogram()?,
            ok: 0,
            calls_ok: 0,
            bytes: 0,
            failures: BTreeMap::new(),
        })
    }

    pub(crate) fn succeed(&mut self, timing: &Timing, calls: usize, bytes: usize) {
        self.latency_us
            .saturating_record(micros(timing.corrected()));
        self.uncorrected_us
            .saturating_record(micros(timing.uncorrected()));
        self.lag_us.saturating_record(micros(timing.lag()));
        self.ok += 1;
        self.calls_ok += u64::try_from(calls).unwrap_or(0);
        self.bytes += u64::try_from(bytes).unwrap_or(0);
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        let is_new_code =
            matches!(failure, Failure::Rpc(_)) && !self.failures.contains_key(&failure);
        let codes = || {
            self.failures
                .keys()
                .filter(|known| matches!(known, Failure::Rpc(_)))
                .count()
        };
        let failure = if is_new_code && codes() >= MAX_RPC_CODES {
            Failure::RpcOther
        } else {
            failure
        };
        *self.failures.entry(failure).or_default() += 1;
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Adds another interval. Bounds are the same everywhere, so nothing can be lost.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), hdrhistogram::AdditionError> {
        self.latency_us.add(&other.latency_us)?;
        self.uncorrected_us.add(&other.uncorrected_us)?;
        self.lag_us.add(&other.lag_us)?;
        self.ok += other.ok;
        self.calls_ok += other.calls_ok;
        self.bytes += other.bytes;
        for (failure, count) in &other.failures {
            *self.failures.entry(*failure).or_default() += count;
        }
        Ok(())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Failure, Interval, Timing};
    use std::time::Duration;

    #[test]
    fn intervals_add_up() {
        let ms = Duration::from_millis;
        let timing = Timing {
            due: ms(0),
            taken: ms(4),
            begun: ms(5),
            done: ms(7),
        };
        let mut one = Interval::new().unwrap();
        one.succeed(&timing, 3, 100);
        one.fail(Failure::Status(503));
        let mut sum = one.clone();
        sum.add(&one).unwrap();
        assert_eq!(
            (sum.ok, sum.calls_ok, sum.bytes, sum.failed()),
            (2, 6, 200, 2)
        );
        assert_eq!(sum.latency_us.max() / 1000, 7);
        assert_eq!(sum.uncorrected_us.max() / 1000, 2);
        assert_eq!(sum.lag_us.max() / 1000, 1);
    }

    #[test]
    fn codes_are_bounded() {
        let mut interval = Interval::new().unwrap();
        for code in 0..1000 {
            interval.fail(Failure::Rpc(code));
        }
        assert_eq!(interval.failed(), 1000);
        assert_eq!(interval.failures.len(), 65);
        assert_eq!(interval.failures[&Failure::RpcOther], 936);
    }
}
