//! A shard that cannot have the memory it needs says so in a sentence. In a process of its own, because the limit is
//! the process's.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[test]
fn too_little_locked_memory_is_a_sentence_and_not_a_panic() {
    let limit = libc::rlimit {
        rlim_cur: 65_536,
        rlim_max: 65_536,
    };
    // SAFETY: the pointer is to a live value.
    assert_eq!(
        unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) },
        0
    );
    let error = rt::spawn_shard(rt::Options::default(), || async {})
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("shard `shard` could not start")
            && error.contains("Locked memory is limited to 64 KiB"),
        "{error}"
    );
    let checks = rt::probe::check();
    let memlock = checks.iter().find(|check| check.name == "memlock").unwrap();
    assert!(
        !memlock.ok && memlock.remedy.contains("ulimit -l"),
        "{memlock:?}"
    );
}
