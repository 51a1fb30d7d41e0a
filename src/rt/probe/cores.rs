//! The processors that this process may use.
#![allow(unsafe_code)]

use super::Check;

/// The processors in this thread's affinity mask, ascending; empty only if the kernel does not say.
pub fn allowed() -> Vec<usize> {
    // SAFETY: a zeroed set is a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer and the size describe `set`.
    if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) } != 0 {
        return Vec::new();
    }
    // SAFETY: every index is below the set's capacity.
    (0..libc::CPU_SETSIZE as usize)
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect()
}

pub(super) fn check(cores: usize) -> Check {
    match cores {
        0 => Check::fail(
            "cores",
            String::from("The kernel does not say which cores this process may use."),
            "Name the cores in the configuration.",
        ),
        1 => Check::pass("cores", String::from("This process may use 1 core.")),
        _ => Check::pass("cores", format!("This process may use {cores} cores.")),
    }
}
