//! `max_connections`, a limit of the process: one counter that shards touch when a connection opens or closes and never
//! while a request is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The process's budget of client connections.
#[derive(Clone)]
pub struct ConnectionBudget {
    open: Arc<AtomicUsize>,
    max: usize,
}

/// The right to hold one connection; given back when dropped.
pub struct ConnectionPermit {
    open: Arc<AtomicUsize>,
}

impl ConnectionBudget {
    /// A budget of `max` connections.
    pub fn new(max: usize) -> Self {
        Self {
            open: Arc::new(AtomicUsize::new(0)),
            max,
        }
    }

    /// Takes one, if fewer than `max` are open.
    pub fn take(&self) -> Option<ConnectionPermit> {
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                (open < self.max).then_some(open + 1)
            })
            .ok()
            .map(|_| ConnectionPermit {
                open: self.open.clone(),
            })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact_and_what_is_given_back_can_be_taken() {
        let budget = ConnectionBudget::new(2);
        let first = budget.take();
        let second = budget.clone().take();
        assert!(first.is_some() && second.is_some());
        assert!(budget.take().is_none());
        drop(first);
        assert!(budget.take().is_some());
    }
}
