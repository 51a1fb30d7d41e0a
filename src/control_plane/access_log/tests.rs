//! The writer with a real file, and with one that cannot be written.

use telemetry::{AccessLog, Event, EventHead, ForeignText, Protocol};

use super::*;

fn dimensions() -> Arc<Dimensions> {
    Arc::new(Dimensions {
        shards: 2,
        chains: Vec::new(),
        methods: vec!["eth_call"],
        strategies: Vec::new(),
        fault_classes: Vec::new(),
        breaker_states: Vec::new(),
        method_groups: Vec::new(),
        priorities: Vec::new(),
        accounts: Vec::new(),
        exclusions: Vec::new(),
        version: "0",
    })
}

fn event(shard: u16, call: u32) -> Event {
    Event::Start(EventHead {
        at_ns: 0,
        request_id: ForeignText::new(b"r\n1"),
        call,
        shard,
        chain: 0,
        method: 0,
        method_original: None,
        protocol: Protocol::Http,
    })
}

fn start(receiver: EventReceiver, destination: Destination) -> AccessLogWriter {
    AccessLogWriter::start(receiver, dimensions(), 0, destination).unwrap()
}

#[test]
fn everything_sent_before_the_stop_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let (log, receiver) = AccessLog::new(2, 2_000);
    for call in 0..2_000 {
        assert!(log.send(event((call % 2) as u16, call)));
    }
    let writer = start(receiver, Destination::File(path.clone()));
    assert!(writer.stop(Duration::from_secs(30)));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut calls: Vec<u64> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["call"]
                .as_u64()
                .unwrap()
        })
        .collect();
    calls.sort_unstable();
    assert_eq!(calls, (0..2_000).collect::<Vec<u64>>());
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let (log, receiver) = AccessLog::new(1, 16);
    let writer = start(receiver, Destination::File(path.clone()));
    assert!(log.send(event(0, 1)));
    wait_until(|| writer.counts().written == 1);
    std::fs::rename(&path, folder.path().join("access.log.1")).unwrap();
    writer.reopen();
    wait_until(|| path.exists());
    assert!(log.send(event(0, 2)));
    assert!(writer.stop(Duration::from_secs(30)));
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("access.log.1"))
            .unwrap()
            .lines()
            .count(),
        1
    );
}

#[test]
fn what_cannot_be_written_is_counted_and_the_writer_goes_on() {
    let (log, receiver) = AccessLog::new(1, 16);
    // Writes to this device fail with ENOSPC.
    let writer = start(receiver, Destination::File(PathBuf::from("/dev/full")));
    assert!(log.send(event(0, 1)));
    wait_until(|| writer.counts().lost == 1);
    assert!(log.send(event(0, 2)));
    wait_until(|| {
        writer.counts()
            == WriterCounts {
                written: 0,
                lost: 2,
            }
    });
    assert!(writer.stop(Duration::from_secs(30)));
}

#[test]
fn a_file_that_cannot_be_opened_is_told_at_once() {
    let (_log, receiver) = AccessLog::new(1, 16);
    let nowhere = Destination::File(PathBuf::from("/nonexistent/access.log"));
    assert!(AccessLogWriter::start(receiver, dimensions(), 0, nowhere).is_err());
}

/// Waits for something that another thread will do.
fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it never happened");
}
