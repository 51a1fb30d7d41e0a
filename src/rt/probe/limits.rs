//! The resource limits that shards meet: locked memory and descriptors.
#![allow(unsafe_code)]

use std::io;

use super::Check;

/// Locked memory that the first executor insists on, and what each core's file buffers add.
const MEMLOCK_BASE_BYTES: u64 = 512 * 1024;
const MEMLOCK_CORE_BYTES: u64 = 64 * 1024;

/// Fewer descriptors than this serve a test, not clients.
const NOFILE_LEAST: u64 = 1024;

fn limit(resource: libc::__rlimit_resource_t) -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live `rlimit`.
    match unsafe { libc::getrlimit(resource, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(crate) fn memlock(cores: usize) -> Check {
    const NAME: &str = "memlock";
    let need = MEMLOCK_BASE_BYTES + MEMLOCK_CORE_BYTES * u64::try_from(cores).unwrap_or(1).max(1);
    let have = match limit(libc::RLIMIT_MEMLOCK) {
        Ok(limit) => limit.rlim_cur,
        Err(error) => {
            return Check::fail(
                NAME,
                format!("The limit of locked memory cannot be read: {error}."),
                "Allow getrlimit.",
            );
        }
    };
    if have == libc::RLIM_INFINITY {
        return Check::pass(NAME, String::from("Locked memory is not limited."));
    }
    let (have_kib, need_kib) = (have / 1024, need.div_ceil(1024));
    if have >= need {
        return Check::pass(
            NAME,
            format!("Locked memory is limited to {have_kib} KiB; {need_kib} KiB are needed."),
        );
    }
    Check::fail(
        NAME,
        format!(
            "Locked memory is limited to {have_kib} KiB, but {need_kib} KiB are needed (cores: {cores})."
        ),
        format!("Raise it: `ulimit -l {need_kib}`, or LimitMEMLOCK= in the service's unit."),
    )
}

pub(super) fn nofile() -> Check {
    const NAME: &str = "nofile";
    match limit(libc::RLIMIT_NOFILE) {
        Ok(limit) if limit.rlim_max >= NOFILE_LEAST => Check::pass(
            NAME,
            format!(
                "{} open files are allowed (soft limit {}).",
                limit.rlim_max, limit.rlim_cur
            ),
        ),
        Ok(limit) => Check::fail(
            NAME,
            format!(
                "Only {} open files are allowed, and every connection is one.",
                limit.rlim_max
            ),
            "Raise the hard limit: `ulimit -Hn 65536`, or LimitNOFILE= in the service's unit.",
        ),
        Err(error) => Check::fail(
            NAME,
            format!("The limit of open files cannot be read: {error}."),
            "Allow getrlimit.",
        ),
    }
}

/// Raises this process's soft limit of open files to the hard one; returns the limit that holds now.
pub fn raise_nofile() -> io::Result<u64> {
    let mut limit = limit(libc::RLIMIT_NOFILE)?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the pointer is to a live `rlimit`.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(limit.rlim_cur)
}
