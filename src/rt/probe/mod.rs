//! Whether this machine can run shards, in sentences: for `doctor`, and for a start that fails with a reason. It
//! changes nothing, but for [`raise_nofile`], which says so.

pub(crate) mod cores;
mod limits;
pub(crate) mod uring;

pub use cores::allowed as allowed_cores;
pub(crate) use limits::memlock;
pub use limits::raise_nofile;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, one word.
    pub name: &'static str,
    /// Whether shards can run as far as this goes.
    pub ok: bool,
    /// What was found.
    pub sentence: String,
    /// What to do about it; empty when nothing is.
    pub remedy: String,
}

impl Check {
    fn pass(name: &'static str, sentence: String) -> Self {
        Self {
            name,
            ok: true,
            sentence,
            remedy: String::new(),
        }
    }

    fn fail(name: &'static str, sentence: String, remedy: impl Into<String>) -> Self {
        Self {
            name,
            ok: false,
            sentence,
            remedy: remedy.into(),
        }
    }
}

/// Looks at everything that shards need: kernel, io_uring and its operations, locked memory, descriptors, cores.
pub fn check() -> Vec<Check> {
    let cores = cores::allowed().len();
    vec![
        uring::kernel(),
        uring::setup(),
        uring::operations(),
        memlock(cores),
        limits::nofile(),
        cores::check(cores),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_sentence_and_every_failure_a_remedy() {
        let checks = check();
        assert_eq!(checks.len(), 6);
        for check in checks {
            assert!(check.sentence.ends_with('.'), "{check:?}");
            assert_eq!(check.ok, check.remedy.is_empty(), "{check:?}");
        }
    }
}
