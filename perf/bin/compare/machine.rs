//! What is said of the machine, without names or paths: how many cores of what kind, which kernel, which day. And the
//! pinning of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Keeps this process, and all threads that it will start, on one processor.
pub fn pin_this_process(cpu: usize) -> Result<(), Box<dyn Error>> {
    let pid = std::process::id().to_string();
    let output = Command::new("taskset")
        .args(["-p", "-c", &cpu.to_string(), &pid])
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "cannot pin to processor {cpu}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    )
    .into())
}

/// A folder for configurations and logs, removed when dropped.
#[derive(Debug)]
pub struct TemporaryFolder {
    path: PathBuf,
    made: Cell<usize>,
}

impl TemporaryFolder {
    /// Makes one.
    pub fn create() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("compare-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self {
            path,
            made: Cell::new(0),
        })
    }

    /// A new folder in it.
    pub fn fresh(&self, name: &str) -> io::Result<PathBuf> {
        let number = self.made.get();
        self.made.set(number + 1);
        let folder = self.path.join(format!("{number}-{name}"));
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Descriptors that the idle lane and the proxies under it want.
const DESCRIPTORS: u64 = 131_072;

/// Lets this process, and the proxies that it starts, hold as many descriptors as they want; where that is not allowed,
/// as many as the system allows.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: Some(DESCRIPTORS),
        maximum: Some(limit.maximum.unwrap_or(u64::MAX).max(DESCRIPTORS)),
    };
    if setrlimit(Resource::Nofile, wanted).is_err() {
        let all = Rlimit {
            current: limit.maximum,
            ..limit
        };
        setrlimit(Resource::Nofile, all)?;
    }
    Ok(())
}

/// The kind of machine: `2core-epyc-vm`.
pub fn kind() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = cpuinfo
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let family = family(field(&cpuinfo, "model name").unwrap_or_default());
    let is_virtual = field(&cpuinfo, "flags")
        .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    format!(
        "{cores}core-{family}{}",
        if is_virtual { "-vm" } else { "" }
    )
}

fn field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn family(model: &str) -> &'static str {
    const FAMILIES: [&str; 8] = [
        "epyc", "ryzen", "xeon", "core", "neoverse", "graviton", "ampere", "atom",
    ];
    let model = model.to_ascii_lowercase();
    FAMILIES
        .into_iter()
        .find(|family| model.contains(family))
        .unwrap_or("cpu")
}

/// The model as it names itself.
pub fn model() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    field(&cpuinfo, "model name")
        .unwrap_or("unnamed")
        .to_owned()
}

/// The kernel's release.
pub fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The day, UTC, as `2026-11-22`.
pub fn today() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a day counted from 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{civil, family};

    #[test]
    fn days_have_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_779), (2026, 11, 22));
    }

    #[test]
    fn models_have_families() {
        assert_eq!(family("AMD EPYC 7763 64-Core Processor"), "epyc");
        assert_eq!(family("Intel(R) Xeon(R) Platinum"), "xeon");
        assert_eq!(family("unheard of"), "cpu");
    }
}
