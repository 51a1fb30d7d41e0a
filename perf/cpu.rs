//! Processor time as the kernel counts it: of threads of this process, and of a process with its children. Reads
//! `/proc`; measures nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The accounting file of the calling thread, readable from any other thread while it lives.
#[derive(Clone, Debug)]
pub struct ThreadAccount(PathBuf);

/// Processor time of one thread or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Time on a processor.
    pub running: Duration,
    /// Time ready to run while others had the processor.
    pub waiting: Duration,
}

impl Spent {
    /// What was spent since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            running: self.running.saturating_sub(before.running),
            waiting: self.waiting.saturating_sub(before.waiting),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            running: self.running + other.running,
            waiting: self.waiting + other.waiting,
        }
    }
}

impl ThreadAccount {
    /// The calling thread's.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn of_this_thread() -> io::Result<Self> {
        Ok(Self(
            Path::new("/proc")
                .join(fs::read_link("/proc/thread-self")?)
                .join("schedstat"),
        ))
    }

    /// What the thread has spent so far.
    ///
    /// # Errors
    /// When the thread has ended or the kernel keeps no such account.
    pub fn read(&self) -> io::Result<Spent> {
        parse_schedstat(&fs::read_to_string(&self.0)?)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "schedstat has another form"))
    }
}

/// `schedstat` is "running waiting slices", the first two in nanoseconds (kernel: Documentation/scheduler/sched-stats).
fn parse_schedstat(text: &str) -> Option<Spent> {
    let mut fields = text.split_ascii_whitespace().map(str::parse);
    let running = Duration::from_nanos(fields.next()?.ok()?);
    let waiting = Duration::from_nanos(fields.next()?.ok()?);
    Some(Spent { running, waiting })
}

/// What the threads of a process and of all its descendants have spent, as far as they live. Compare two readings
/// with [`Tree::since`]; a thread that ended between them is missing from the second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<u64, Spent>);

impl Tree {
    /// Reads the accounts of `pid` and its descendants.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn read(pid: u32) -> io::Result<Self> {
        Self::of(pid, &parents()?)
    }

    /// Reads the accounts of `pid` without its descendants.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn read_alone(pid: u32) -> io::Result<Self> {
        Self::of(pid, &BTreeMap::new())
    }

    fn of(pid: u32, parents: &BTreeMap<u64, u64>) -> io::Result<Self> {
        let mut threads = BTreeMap::new();
        for pid in descendants(pid, parents) {
            for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
                let entry = entry?;
                let tid = entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok());
                // A thread may end while it is looked at.
                let spent = fs::read_to_string(entry.path().join("schedstat")).ok();
                if let (Some(tid), Some(spent)) =
                    (tid, spent.and_then(|text| parse_schedstat(&text)))
                {
                    threads.insert(tid, spent);
                }
            }
        }
        Ok(Self(threads))
    }

    /// What all threads of this reading spent since `before`; those that are new count whole.
    #[must_use]
    pub fn since(&self, before: &Self) -> Spent {
        let spent =
            |(tid, now): (&u64, &Spent)| now.since(before.0.get(tid).copied().unwrap_or_default());
        self.0.iter().map(spent).fold(Spent::default(), Spent::plus)
    }

    /// What those threads spent since `before` that were there already.
    #[must_use]
    pub fn since_of_known(&self, before: &Self) -> Spent {
        let known = self.0.iter().filter(|(tid, _)| before.0.contains_key(tid));
        Self(known.map(|(tid, spent)| (*tid, *spent)).collect()).since(before)
    }

    /// Whether a thread of this reading is missing from a later one: its time since is then not counted.
    #[must_use]
    pub fn lost_in(&self, later: &Self) -> bool {
        self.0.keys().any(|tid| !later.0.contains_key(tid))
    }
}

/// `pid` and all its descendants.
pub(crate) fn family(pid: u32) -> io::Result<Vec<u64>> {
    Ok(descendants(pid, &parents()?))
}

fn descendants(pid: u32, parents: &BTreeMap<u64, u64>) -> Vec<u64> {
    let mut found = vec![u64::from(pid)];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        let children = parents.iter().filter(|(_, parent)| **parent == pid);
        found.extend(children.map(|(child, _)| *child));
    }
    found
}

/// Parent of every process.
fn parents() -> io::Result<BTreeMap<u64, u64>> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        if let Some(parent) = parent_in(&stat) {
            parents.insert(pid, parent);
        }
    }
    Ok(parents)
}

/// The parent in `/proc/<pid>/stat`: the second field after the name, which may itself hold blanks and brackets.
fn parent_in(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::{ThreadAccount, Tree, parent_in, parse_schedstat};
    use std::time::Duration;

    #[test]
    fn fields_are_found() {
        let spent = parse_schedstat("1500 20 3\n").unwrap();
        assert_eq!(
            (spent.running, spent.waiting),
            (Duration::from_nanos(1500), Duration::from_nanos(20))
        );
        assert_eq!(parse_schedstat("x"), None);
        assert_eq!(parent_in("12 (a (b) c) S 7 12 12"), Some(7));
        assert_eq!(parent_in("12 (a"), None);
    }

    #[test]
    fn children_count_unless_they_are_not_wanted() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let tid = u64::from(child.id());
        let (with, alone) = (
            Tree::read(std::process::id()).unwrap(),
            Tree::read_alone(std::process::id()).unwrap(),
        );
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(with.0.contains_key(&tid) && !alone.0.contains_key(&tid));
        assert!(with.lost_in(&alone));
    }

    #[test]
    fn work_shows_up_in_this_threads_and_this_process_account() {
        let account = ThreadAccount::of_this_thread().unwrap();
        let (before, tree_before) = (
            account.read().unwrap(),
            Tree::read(std::process::id()).unwrap(),
        );
        let mut sum = 0u64;
        // The kernel adds to the account at ticks and switches: work until it shows.
        while account.read().unwrap().since(before).running < Duration::from_millis(20) {
            sum = (0..100_000u64).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        let tree = Tree::read(std::process::id()).unwrap();
        assert!(
            tree.since(&tree_before).running >= Duration::from_millis(20),
            "{tree:?}"
        );
        assert!(
            tree.since_of_known(&tree_before).running >= Duration::from_millis(20),
            "{tree:?}"
        );
        assert_eq!(
            tree.since_of_known(&Tree::default()).running,
            Duration::ZERO
        );
        assert!(Tree::read(u32::MAX).is_err());
    }
}
