//! What a scrape of the process is made of: the shards' snapshots as far as they came in time, and what the
//! kernel knows about the process.
//! Never waits for a shard longer than told, and never leaves out that one was missing.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use telemetry::{Metric, Recorder, Snapshot};
use tokio::time::sleep;

/// How long a scrape waits for the shards. A shard answers between two turns of its loop, in well under a
/// millisecond; one that does not within this has a problem that the scrape should show, not share.
pub const SHARD_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The snapshots that came in time.
#[derive(Debug)]
pub struct Collected {
    /// One a shard that answered.
    pub snapshots: Vec<Snapshot>,
    /// Shards that did not.
    pub missing: usize,
}

/// Waits for every shard's answer until `within` has passed for all of them together. The questions must
/// have been sent before: the answers are awaited one after another, while they arrive side by side. `None`
/// is the answer of a shard that went away.
pub async fn collect<F>(answers: impl IntoIterator<Item = F>, within: Duration) -> Collected
where
    F: Future<Output = Option<Snapshot>>,
{
    let mut over = pin!(sleep(within));
    let mut collected = Collected {
        snapshots: Vec::new(),
        missing: 0,
    };
    for answer in answers {
        // An answer that is there already is taken even when the time is over.
        let snapshot = tokio::select! {
            biased;
            snapshot = answer => snapshot,
            () = &mut over, if !over.is_elapsed() => None,
            () = std::future::ready(()), if over.is_elapsed() => None,
        };
        match snapshot {
            Some(snapshot) => collected.snapshots.push(snapshot),
            None => collected.missing += 1,
        }
    }
    collected
}

/// The process's numbers: the control plane's own and those of every shard that answered.
#[must_use]
pub fn merge(own: Snapshot, collected: Collected) -> Snapshot {
    let mut sum = own;
    let mut missing = collected.missing;
    for snapshot in &collected.snapshots {
        if sum.merge(snapshot).is_err() {
            missing += 1;
        }
    }
    sum.set_level(Metric::ScrapeMissing, missing as u64);
    sum
}

/// What `/proc` says about this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// User and system time.
    pub cpu_us: u64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// The soft limit of descriptors.
    pub max_descriptors: u64,
}

impl Process {
    /// Reads `/proc/self`; what cannot be read stays 0.
    #[must_use]
    pub fn read() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cpu_us: parse_cpu_us(&text("/proc/self/stat")),
            resident_bytes: line_value(&text("/proc/self/status"), "VmRSS:") * 1_024,
            // The directory handle that counts them is one of them.
            descriptors: std::fs::read_dir("/proc/self/fd")
                .map_or(0, |entries| entries.count().saturating_sub(1) as u64),
            max_descriptors: line_value(&text("/proc/self/limits"), "Max open files"),
        }
    }

    /// Puts the numbers where a scrape shows them.
    pub fn record(&self, recorder: &mut Recorder) {
        recorder.set(Metric::ProcessCpu, [], self.cpu_us);
        recorder.set(Metric::ProcessResident, [], self.resident_bytes);
        recorder.set(Metric::ProcessDescriptors, [], self.descriptors);
        recorder.set(Metric::ProcessMaxDescriptors, [], self.max_descriptors);
    }
}

/// CPU time in µs of a line of `/proc/PID/stat` (proc(5): fields 14 and 15).
fn parse_cpu_us(stat: &str) -> u64 {
    // The second field is the program's name in parentheses and may hold anything, so counting starts behind it.
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let number = |field: usize| {
        let text = behind_name.split_ascii_whitespace().nth(field - 3);
        text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    // Whatever the kernel's own tick is, it reports hundredths of a second.
    (number(14) + number(15)) * 10_000
}

/// The first number of the line that begins with `key`; 0 when there is none.
fn line_value(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_ascii_whitespace().next())
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::Pin;
    use std::sync::Arc;

    use telemetry::{ChainDimension, Dimensions, prometheus};

    use super::*;

    fn recorder(shard: usize, chain: &str) -> Recorder {
        let dimensions = Dimensions {
            shards: 2,
            chains: vec![ChainDimension {
                name: chain.to_owned(),
                upstreams: Vec::new(),
            }],
            methods: Vec::new(),
            strategies: Vec::new(),
            fault_classes: Vec::new(),
            breaker_states: Vec::new(),
            method_groups: Vec::new(),
            priorities: Vec::new(),
            accounts: Vec::new(),
            exclusions: Vec::new(),
            version: "0",
        };
        let mut recorder = Recorder::new(Arc::new(dimensions), shard);
        recorder.connection_opened();
        recorder
    }

    type Answer = Pin<Box<dyn Future<Output = Option<Snapshot>>>>;

    fn run(answers: Vec<Answer>) -> Snapshot {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let collected = runtime.block_on(collect(answers, SHARD_ANSWER_TIMEOUT));
        merge(recorder(2, "a").snapshot(), collected)
    }

    fn answer(shard: usize, chain: &str) -> Answer {
        Box::pin(ready(Some(recorder(shard, chain).snapshot())))
    }

    #[test]
    fn a_silent_shard_costs_its_own_numbers_only() {
        let sum = run(vec![Box::pin(pending()), answer(1, "a")]);
        assert_eq!(sum.value(Metric::ClientConnections, &[]), Some(2));
        assert_eq!(sum.value(Metric::ScrapeMissing, &[]), Some(1));
        assert!(prometheus::render(&sum).contains("scrape_shards_missing 1\n"));
    }

    #[test]
    fn a_gone_shard_and_one_of_another_epoch_are_missing_too() {
        let sum = run(vec![
            Box::pin(ready(None)),
            answer(0, "other"),
            answer(1, "a"),
        ]);
        assert_eq!(sum.value(Metric::ScrapeMissing, &[]), Some(2));
        assert_eq!(
            run(vec![answer(0, "a"), answer(1, "a")]).value(Metric::ScrapeMissing, &[]),
            Some(0)
        );
    }

    #[test]
    fn proc_is_read_whatever_the_program_is_called() {
        let stat = "42 (evil) name ) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 3 0 123 1000000 256 18446744073709551615";
        assert_eq!(parse_cpu_us(stat), 2_000_000);
        assert_eq!(parse_cpu_us(""), 0);
        assert_eq!(
            line_value("Name:\tx\nVmRSS:\t    1234 kB\n", "VmRSS:"),
            1_234
        );
        let limits = "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 524288               files\n";
        assert_eq!(line_value(limits, "Max open files"), 1_024);
        assert_eq!(
            line_value(
                "Max open files            unlimited unlimited files",
                "Max open files"
            ),
            0
        );
        let process = Process::read();
        assert!(
            process.resident_bytes > 0 && process.descriptors > 0,
            "{process:?}"
        );
    }
}
