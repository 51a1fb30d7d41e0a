//! The access log's writer: one thread that turns the shards' events into lines of a file or of stdout.
//! Never slows a shard down: while it cannot write, the shards' queues fill, and what does not fit is
//! dropped and counted there.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use telemetry::event_line::push_line;
use telemetry::{Dimensions, EventReceiver};

/// Events taken from each shard before what was made of them is written.
const BATCH_EVENTS: usize = 256;

/// How long the writer sleeps after finding nothing: at first, and at most. Shards never wake it, so this is
/// how late a line may be, and a queue must hold what a shard sends in the meantime.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file, appended to, made if it does not exist.
    File(PathBuf),
}

impl Destination {
    fn open(&self) -> io::Result<Box<dyn Write + Send>> {
        match self {
            Self::Stdout => Ok(Box::new(io::stdout())),
            Self::File(path) => Ok(Box::new(open_file(path)?)),
        }
    }
}

fn open_file(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// What the writer and its owner share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    reopen: AtomicBool,
    written: AtomicU64,
    lost: AtomicU64,
}

/// A running writer.
#[derive(Debug)]
pub struct AccessLogWriter {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What was made of the events that reached the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterCounts {
    /// Events written.
    pub written: u64,
    /// Events that could not be written (a full disk, a closed pipe).
    pub lost: u64,
}

impl AccessLogWriter {
    /// Starts the thread. `base_unix_us` is the wall-clock time of the process's time base.
    ///
    /// # Errors
    /// When the file cannot be opened or the thread not started.
    pub fn start(
        events: EventReceiver,
        dimensions: Arc<Dimensions>,
        base_unix_us: u64,
        destination: Destination,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let out = destination.open()?;
        let mut writer = Writer {
            events,
            dimensions,
            base_unix_us,
            destination,
            out,
            shared: shared.clone(),
            lines: String::new(),
        };
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self { shared, thread })
    }

    /// Opens the file anew before the next line, for log rotation. Stdout stays as it is.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.thread().unpark();
    }

    /// What was written so far.
    #[must_use]
    pub fn counts(&self) -> WriterCounts {
        WriterCounts {
            written: self.shared.written.load(Ordering::Relaxed),
            lost: self.shared.lost.load(Ordering::Relaxed),
        }
    }

    /// Writes what the queues hold and ends; call it once the shards have stopped. Blocks for at most
    /// `within`: a pipe that nobody reads must not keep the process from ending. False when it had to give up.
    pub fn stop(self, within: Duration) -> bool {
        self.shared.stop.store(true, Ordering::Release);
        self.thread().unpark();
        let step = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        while !self.thread.is_finished() && waited < within {
            std::thread::sleep(step);
            waited += step;
        }
        self.thread.is_finished() && self.thread.join().is_ok()
    }

    fn thread(&self) -> &Thread {
        self.thread.thread()
    }
}

/// The thread's own state.
struct Writer {
    events: EventReceiver,
    dimensions: Arc<Dimensions>,
    base_unix_us: u64,
    destination: Destination,
    out: Box<dyn Write + Send>,
    shared: Arc<Shared>,
    lines: String,
}

impl Writer {
    fn run(&mut self) {
        let mut sleep = SHORTEST_SLEEP;
        loop {
            // Read before draining: whatever was sent before the stop is then written before the end.
            let stopping = self.shared.stop.load(Ordering::Acquire);
            self.reopen_if_asked();
            if self.write_batch() > 0 {
                sleep = SHORTEST_SLEEP;
            } else if stopping {
                return;
            } else {
                std::thread::park_timeout(sleep);
                sleep = (sleep * 2).min(LONGEST_SLEEP);
            }
        }
    }

    /// Takes one batch and writes it; returns how many events there were.
    fn write_batch(&mut self) -> usize {
        self.lines.clear();
        let Self {
            events,
            dimensions,
            base_unix_us,
            lines,
            ..
        } = self;
        let taken = events.drain(BATCH_EVENTS, |event| {
            push_line(lines, &event, dimensions, *base_unix_us)
        });
        if taken > 0 {
            let written = self
                .out
                .write_all(self.lines.as_bytes())
                .and_then(|()| self.out.flush());
            let count = if written.is_ok() {
                &self.shared.written
            } else {
                &self.shared.lost
            };
            count.fetch_add(taken as u64, Ordering::Relaxed);
        }
        taken
    }

    fn reopen_if_asked(&mut self) {
        if !self.shared.reopen.swap(false, Ordering::AcqRel) {
            return;
        }
        match self.destination.open() {
            Ok(out) => self.out = out,
            Err(error) => {
                tracing::error!(%error, "the access log could not be reopened; the old file stays in use")
            }
        }
    }
}

#[cfg(test)]
mod tests;
