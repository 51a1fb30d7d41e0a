//! Memory as the kernel counts it, of a process with its children. Reads `/proc`; measures nothing else.

use crate::cpu;
use std::fs;
use std::io;

/// Memory that `pid` and its descendants occupy, in bytes, pages that they share with others counted in parts (proportional
/// set size). What the kernel holds for their sockets is not in it.
///
/// # Errors
/// When the process is gone or its account may not be read.
pub fn proportional_bytes(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for pid in cpu::family(pid)? {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        sum += proportional(&text).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "smaps_rollup has another form")
        })?;
    }
    Ok(sum)
}

/// The line `Pss:  123 kB`.
fn proportional(text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::{proportional, proportional_bytes};

    #[test]
    fn the_line_is_found() {
        assert_eq!(
            proportional("Rss: 9 kB\nPss:      12 kB\nPss_Anon: 1 kB\n"),
            Some(12 * 1024)
        );
        assert_eq!(proportional("Rss: 9 kB\n"), None);
        assert_eq!(proportional("Pss: 9 MB\n"), None);
    }

    #[test]
    fn this_process_has_some() {
        assert!(proportional_bytes(std::process::id()).unwrap() > 100_000);
        assert!(proportional_bytes(u32::MAX).is_err());
    }
}
