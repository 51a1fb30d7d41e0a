//! The program's own log: `tracing` events as lines on stderr, as text or JSON, with a level that changes
//! at run time. Every string is escaped and cut, so one event is one line whatever is in it.
//! Never blocks on a lock to decide whether an event is wanted; never colours, never logs spans.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{Interest, SetGlobalDefaultError};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::foreign::push_json_string;
use crate::wall_time::push_rfc3339;

/// The longest message that is written whole, in bytes; a backtrace of a panic fits.
const MAX_MESSAGE_BYTES: usize = 4096;
/// The longest field value, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// What an operator wants to know once.
    Info,
    /// What explains a decision.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level, quietest first.
    pub const ALL: &'static [Self] = &[
        Self::Off,
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The level's name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL
            .iter()
            .copied()
            .find(|level| level.label() == text)
            .ok_or(UnknownLevel)
    }
}

/// Not one of the level names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLevel;

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the level is one of off, error, warn, info, debug, trace")
    }
}

impl std::error::Error for UnknownLevel {}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `time LEVEL target: message key=value`, for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The level in force, for the whole process: a log is one by nature.
static LEVEL: AtomicU8 = AtomicU8::new(LogLevel::Info as u8);

/// The level in force.
#[must_use]
pub fn level() -> LogLevel {
    LogLevel::ALL
        .get(usize::from(LEVEL.load(Ordering::Relaxed)))
        .copied()
        .unwrap_or(LogLevel::Info)
}

/// Changes the level, at once and for every thread.
pub fn set_level(to: LogLevel) {
    LEVEL.store(to as u8, Ordering::Relaxed);
    // `tracing` remembers for each call site whether it is wanted; this makes it ask again.
    tracing::callsite::rebuild_interest_cache();
}

/// Sends the process's `tracing` events to stderr from now on; `clock` says the wall time since the Unix epoch. Once a process.
///
/// # Errors
/// When something else has taken the process's log already.
pub fn install(
    format: LogFormat,
    initial: LogLevel,
    clock: fn() -> Duration,
) -> Result<(), SetGlobalDefaultError> {
    set_level(initial);
    tracing::subscriber::set_global_default(Registry::default().with(Lines {
        format,
        clock,
        write: to_stderr,
    }))
}

/// A log that cannot be written must not stop the program that logs: the line is lost.
fn to_stderr(line: &str) {
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The layer: events to lines.
struct Lines<W> {
    format: LogFormat,
    /// Wall time since the Unix epoch, for a line's own time.
    clock: fn() -> Duration,
    write: W,
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Lines<W> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if wanted(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level().filter())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let unix_us = u64::try_from((self.clock)().as_micros()).unwrap_or(u64::MAX);
        (self.write)(&render(self.format, unix_us, event));
    }
}

fn wanted(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && *metadata.level() <= level().filter()
}

/// One event as one line, line feed included.
fn render(format: LogFormat, unix_us: u64, event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut parts = Parts {
        format,
        ..Parts::default()
    };
    event.record(&mut parts);
    let mut line = String::with_capacity(128 + parts.message.len() + parts.fields.len());
    match format {
        LogFormat::Text => {
            push_rfc3339(&mut line, unix_us);
            let _ = write!(line, " {:>5} {}: ", metadata.level(), metadata.target());
            let message = parts
                .message
                .get(..parts.message.floor_char_boundary(MAX_MESSAGE_BYTES))
                .unwrap_or_default();
            // People read this: quotes stay as they are, all that could leave the line is escaped.
            let mut escaped = String::with_capacity(message.len());
            crate::foreign::push_json_escaped(&mut escaped, message);
            line.push_str(&escaped.replace("\\\"", "\""));
            line.push_str(&parts.fields);
        }
        LogFormat::Json => {
            line.push_str("{\"time\":\"");
            push_rfc3339(&mut line, unix_us);
            let _ = write!(
                line,
                "\",\"level\":\"{}\",\"target\":",
                metadata.level().as_str().to_ascii_lowercase()
            );
            push_json_string(&mut line, metadata.target(), MAX_VALUE_BYTES);
            line.push_str(",\"message\":");
            push_json_string(&mut line, &parts.message, MAX_MESSAGE_BYTES);
            if !parts.fields.is_empty() {
                let _ = write!(line, ",\"fields\":{{{}}}", parts.fields);
            }
            line.push('}');
        }
    }
    line.push('\n');
    line
}

/// An event's message and its other fields, rendered.
struct Parts {
    format: LogFormat,
    message: String,
    fields: String,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            message: String::new(),
            fields: String::new(),
        }
    }
}

impl Parts {
    /// `value` is JSON already.
    fn push_json(&mut self, field: &Field, value: &str) {
        match self.format {
            LogFormat::Text => {
                let _ = write!(self.fields, " {}={value}", field.name());
            }
            LogFormat::Json => {
                if !self.fields.is_empty() {
                    self.fields.push(',');
                }
                push_json_string(&mut self.fields, field.name(), MAX_VALUE_BYTES);
                self.fields.push(':');
                self.fields.push_str(value);
            }
        }
    }

    fn push_text(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
            return;
        }
        let mut json = String::with_capacity(value.len() + 2);
        push_json_string(&mut json, value, MAX_VALUE_BYTES);
        self.push_json(field, &json);
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push_json(field, if value { "true" } else { "false" });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push_json(field, &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_json(field, &value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for what is not finite.
        let text = value.to_string();
        if value.is_finite() {
            self.push_json(field, &text)
        } else {
            self.push_text(field, &text)
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_text(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests;
