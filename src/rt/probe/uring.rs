//! Whether io_uring can be used, and if not, who forbids it.

use std::fs;
use std::io;

use io_uring::{IoUring, Probe, opcode};

use super::Check;

/// The oldest kernel with everything that the ring uses.
const OLDEST_KERNEL: (u32, u32) = (6, 1);

/// A ring with the flags that shards use, small.
fn try_setup() -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all();
    builder.build(8)
}

/// `Ok`, or one sentence that says why there can be no ring, with the remedy.
pub(crate) fn usable() -> Result<(), String> {
    let check = setup();
    if check.ok {
        Ok(())
    } else {
        Err(format!("{} {}", check.sentence, check.remedy))
    }
}

pub(super) fn setup() -> Check {
    const NAME: &str = "io_uring";
    let error = match try_setup() {
        Ok(_) => return Check::pass(NAME, String::from("io_uring works.")),
        Err(error) => error,
    };
    let (sentence, remedy) = explain(
        error.raw_os_error(),
        disabled_sysctl().as_deref(),
        under_seccomp(),
    );
    Check::fail(
        NAME,
        sentence.unwrap_or_else(|| format!("io_uring cannot be set up: {error}.")),
        remedy,
    )
}

/// Why `io_uring_setup` failed, from what the kernel tells beside the errno.
fn explain(
    errno: Option<i32>,
    sysctl: Option<&str>,
    seccomp: bool,
) -> (Option<String>, &'static str) {
    match (errno, sysctl) {
        (Some(libc::EPERM), Some("2")) => (
            Some(String::from(
                "io_uring is switched off on this machine (sysctl kernel.io_uring_disabled is 2).",
            )),
            "Allow it: `sysctl -w kernel.io_uring_disabled=0`.",
        ),
        (Some(libc::EPERM), Some("1")) => (
            Some(String::from(
                "io_uring is for privileged processes and the group in sysctl kernel.io_uring_group only \
                 (kernel.io_uring_disabled is 1).",
            )),
            "Add the service's user to that group, or `sysctl -w kernel.io_uring_disabled=0`.",
        ),
        (Some(libc::EPERM | libc::EACCES | libc::ENOSYS), _) if seccomp => (
            Some(String::from(
                "A seccomp filter forbids io_uring; container runtimes do so by default.",
            )),
            "Run with a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register.",
        ),
        (Some(libc::EPERM | libc::EACCES), _) => (
            Some(String::from(
                "This process is not permitted to use io_uring.",
            )),
            "Look for a security module (AppArmor, SELinux) that forbids it.",
        ),
        (Some(libc::ENOSYS), _) => (
            Some(String::from("This kernel was built without io_uring.")),
            "Use a kernel with CONFIG_IO_URING, 6.1 or later.",
        ),
        (Some(libc::ENOMEM), _) => (
            Some(String::from(
                "There is not enough memory, or not enough locked memory, for a ring.",
            )),
            "Raise the limit of locked memory (`ulimit -l`) or the container's memory limit.",
        ),
        (Some(libc::EINVAL), _) => (
            Some(String::from(
                "This kernel's io_uring lacks what shards need (DEFER_TASKRUN).",
            )),
            "Use Linux 6.1 or later.",
        ),
        (Some(libc::EMFILE | libc::ENFILE), _) => (
            Some(String::from("No descriptor is left for a ring.")),
            "Raise the limit of open files (`ulimit -n`).",
        ),
        _ => (
            None,
            "Use Linux 6.1 or later, and look at the kernel's log.",
        ),
    }
}

fn disabled_sysctl() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    Some(text.trim().to_owned())
}

/// Whether a seccomp filter is on this process.
fn under_seccomp() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| {
        line.strip_prefix("Seccomp:")
            .is_some_and(|mode| mode.trim() == "2")
    })
}

pub(super) fn kernel() -> Check {
    const NAME: &str = "kernel";
    const REMEDY: &str = "Use Linux 6.1 or later; 6.4 or later costs less.";
    let release = match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => release.trim().to_owned(),
        Err(error) => {
            return Check::fail(
                NAME,
                format!("The kernel's version cannot be read: {error}."),
                REMEDY,
            );
        }
    };
    match version(&release) {
        Some(version) if version >= OLDEST_KERNEL => {
            Check::pass(NAME, format!("The kernel is Linux {release}."))
        }
        _ => Check::fail(
            NAME,
            format!("The kernel is Linux {release}, but 6.1 is needed."),
            REMEDY,
        ),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn operations() -> Check {
    const NAME: &str = "operations";
    const NEEDED: [(u8, &str); 8] = [
        (opcode::Accept::CODE, "accept"),
        (opcode::Recv::CODE, "receive"),
        (opcode::Send::CODE, "send"),
        (opcode::Connect::CODE, "connect"),
        (opcode::AsyncCancel::CODE, "cancel"),
        (opcode::Timeout::CODE, "time-out"),
        (opcode::TimeoutRemove::CODE, "time-out removal"),
        (opcode::PollAdd::CODE, "poll"),
    ];
    let mut probe = Probe::new();
    let asked = try_setup().and_then(|ring| ring.submitter().register_probe(&mut probe));
    if let Err(error) = asked {
        return Check::fail(
            NAME,
            format!("io_uring's operations cannot be asked for: {error}."),
            "Make io_uring usable first.",
        );
    }
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(code, _)| !probe.is_supported(*code))
        .map(|(_, name)| *name)
        .collect();
    if missing.is_empty() {
        return Check::pass(
            NAME,
            String::from("io_uring has every operation that shards use."),
        );
    }
    Check::fail(
        NAME,
        format!("io_uring lacks operations: {}.", missing.join(", ")),
        "Use Linux 6.1 or later.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_as_distributions_write_them() {
        assert_eq!(version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(version("5.15.0-101-generic"), Some((5, 15)));
        assert_eq!(version("6.1-rc3"), Some((6, 1)));
        assert_eq!(version("unknown"), None);
        assert!(Some((6, 1)) >= Some(OLDEST_KERNEL) && (5, 19) < OLDEST_KERNEL);
    }

    #[test]
    fn each_refusal_names_who_refuses() {
        let says =
            |errno, sysctl, seccomp| explain(Some(errno), sysctl, seccomp).0.unwrap_or_default();
        assert!(says(libc::EPERM, Some("2"), true).contains("io_uring_disabled is 2"));
        assert!(says(libc::EPERM, Some("1"), false).contains("io_uring_group"));
        assert!(says(libc::EPERM, Some("0"), true).contains("seccomp"));
        assert!(says(libc::ENOSYS, None, true).contains("seccomp"));
        assert!(says(libc::ENOSYS, None, false).contains("without io_uring"));
        assert!(says(libc::ENOMEM, Some("0"), false).contains("memory"));
        assert!(says(libc::EINVAL, Some("0"), false).contains("DEFER_TASKRUN"));
        assert_eq!(explain(Some(libc::EIO), Some("0"), false).0, None);
    }
}
