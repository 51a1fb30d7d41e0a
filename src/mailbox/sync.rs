//! What the lanes are built from: a bounded lock-free queue and atomics. Under `--cfg loom` both are replaced by models, so
//! that the lanes' own protocol around them can be searched for every interleaving (`tests/models.rs`). Decides nothing.

#[cfg(not(loom))]
pub(crate) use crossbeam_queue::ArrayQueue as Queue;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use model::Queue;

/// A linearisable bounded queue for loom, with the part of crossbeam's interface that the lanes use.
///
/// crossbeam-queue does not know loom, so its inside is not searched here (it has tests of its own). The model promises less
/// than the real queue where the lanes could lean on it by accident: whether it is empty is read from a counter without
/// the lock, so that a look which is not ordered after a push may miss it.
#[cfg(loom)]
mod model {
    use std::collections::VecDeque;
    use std::sync::PoisonError;

    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::sync::{Mutex, MutexGuard};

    pub(crate) struct Queue<T> {
        items: Mutex<VecDeque<T>>,
        count: AtomicUsize,
        capacity: usize,
    }

    impl<T> Queue<T> {
        pub(crate) fn new(capacity: usize) -> Self {
            Self {
                items: Mutex::new(VecDeque::new()),
                count: AtomicUsize::new(0),
                capacity,
            }
        }

        fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
            self.items.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn push(&self, item: T) -> Result<(), T> {
            let mut items = self.items();
            if items.len() == self.capacity {
                return Err(item);
            }
            items.push_back(item);
            self.count.store(items.len(), Ordering::Release);
            Ok(())
        }

        pub(crate) fn force_push(&self, item: T) -> Option<T> {
            let mut items = self.items();
            let oldest = (items.len() == self.capacity)
                .then(|| items.pop_front())
                .flatten();
            items.push_back(item);
            self.count.store(items.len(), Ordering::Release);
            oldest
        }

        pub(crate) fn pop(&self) -> Option<T> {
            if self.is_empty() {
                return None;
            }
            let mut items = self.items();
            let oldest = items.pop_front();
            self.count.store(items.len(), Ordering::Release);
            oldest
        }

        pub(crate) fn len(&self) -> usize {
            self.count.load(Ordering::Acquire)
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }
}
