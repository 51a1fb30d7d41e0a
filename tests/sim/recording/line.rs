//! One line of an access log: what of an event a replay needs.

use engine::fault::FaultClass;
use serde::Deserialize;

/// The end of a call.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it ended, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Its chain's name.
    pub chain: String,
    /// Its method's name.
    pub method: String,
    /// The upstream whose answer was used, or that failed last.
    pub upstream: Option<String>,
    /// The company behind it.
    pub provider: Option<String>,
    /// How it ended.
    pub ended: Ended,
    /// From its start, in microseconds.
    pub took_us: u64,
    /// Attempts made.
    pub attempts: u64,
    /// A second attempt was made beside a slow first.
    pub hedged: bool,
    /// The class of what failed.
    pub class: FaultClass,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an answer of a node.
    Answered,
    /// With an error of ours, or cut short.
    Failed,
    /// Its client left.
    Left,
}

/// The keys of an event, as telemetry writes them; others are passed over, since events may have more in later versions.
#[derive(Deserialize)]
struct Event {
    event: String,
    time: Option<String>,
    chain: Option<String>,
    method: Option<String>,
    upstream: Option<String>,
    provider: Option<String>,
    outcome: Option<String>,
    duration_us: Option<u64>,
    attempts: Option<u64>,
    hedged: Option<bool>,
    cache: Option<String>,
    fault_class: Option<String>,
}

impl Line {
    /// Reads a line; `None` for events that are no call's end, and for calls that no upstream was to serve.
    pub fn read(text: &[u8]) -> Result<Option<Self>, String> {
        let event: Event = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let ends = ["livechain.rpc.request.stop", "livechain.rpc.request.error"];
        if !ends.contains(&event.event.as_str()) {
            return Ok(None);
        }
        let missing = |key: &str| format!("`{key}` is missing");
        let outcome = event.outcome.ok_or_else(|| missing("outcome"))?;
        let shared = matches!(event.cache.as_deref(), Some("hit" | "shared"));
        let ended = match outcome.as_str() {
            "rejected" => return Ok(None),
            _ if shared => return Ok(None),
            "ok" | "node_error" => Ended::Answered,
            "cancelled" => Ended::Left,
            _ => Ended::Failed,
        };
        let time = event.time.ok_or_else(|| missing("time"))?;
        let class = event
            .fault_class
            .as_deref()
            .and_then(FaultClass::from_label);
        Ok(Some(Self {
            at_ns: unix_ns(&time).ok_or_else(|| format!("`{time}` is no time"))?,
            chain: event.chain.ok_or_else(|| missing("chain"))?,
            method: event.method.ok_or_else(|| missing("method"))?,
            upstream: event.upstream,
            provider: event.provider,
            ended,
            took_us: event.duration_us.ok_or_else(|| missing("duration_us"))?,
            attempts: event.attempts.unwrap_or(0),
            hedged: event.hedged.unwrap_or(false),
            class: class.unwrap_or(FaultClass::Unclassified),
        }))
    }
}

/// RFC 3339 in UTC as telemetry writes it (`2026-11-22T10:20:30.123456Z`), in nanoseconds since the Unix epoch.
fn unix_ns(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let is_time = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24;
    if !is_time || !(1970..=9999).contains(&year) || fraction.len() > 9 {
        return None;
    }
    // Days from the civil calendar (Howard Hinnant): years begin in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    let scale = 10_u64.pow(9 - fraction.len() as u32);
    let nanos = fraction.parse::<u64>().ok()? * scale;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_microsecond() {
        assert_eq!(unix_ns("1970-01-01T00:00:00.000001Z"), Some(1_000));
        assert_eq!(
            unix_ns("2026-11-22T10:20:30.123456Z"),
            Some(1_795_342_830_123_456_000)
        );
        assert_eq!(
            unix_ns("2024-02-29T00:00:00Z"),
            Some(1_709_164_800_000_000_000)
        );
        for text in [
            "",
            "2026-11-22",
            "2026-13-01T00:00:00Z",
            "2026-11-22T10:20:30+01:00",
        ] {
            assert_eq!(unix_ns(text), None, "{text}");
        }
    }
}
