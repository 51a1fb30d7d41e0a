//! Where the connections of a thread wait for one another, so that they ask at the same moment. One thread; knows no
//! time.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// A place where so many meet again and again.
#[derive(Debug)]
pub(super) struct Meeting {
    size: usize,
    arrived: Cell<usize>,
    /// How often all were there.
    held: Cell<u64>,
    is_over: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Meeting {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            arrived: Cell::new(0),
            held: Cell::new(0),
            is_over: Cell::new(false),
            waiting: RefCell::default(),
        }
    }

    /// Returns once all are here. The last to come decides for all whether it was the last meeting, which is returned.
    pub(super) async fn held(&self, is_over: impl Fn() -> bool) -> bool {
        let before = self.held.get();
        self.arrived.set(self.arrived.get() + 1);
        if self.arrived.get() == self.size {
            self.arrived.set(0);
            self.held.set(before + 1);
            self.is_over.set(is_over());
            self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
        }
        poll_fn(|context| {
            if self.held.get() == before {
                self.waiting.borrow_mut().push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(self.is_over.get())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::Meeting;
    use std::cell::Cell;

    #[test]
    fn nobody_goes_before_all_are_there_and_all_end_together() {
        let meeting = Meeting::new(3);
        let asked = Cell::new(0);
        let attend = |pauses: usize| {
            let (meeting, asked) = (&meeting, &asked);
            async move {
                let mut times = 0;
                while !meeting.held(|| asked.get() >= 9).await {
                    // Everybody has asked as often as everybody else, or is about to.
                    assert!(asked.get() / 3 <= times + 1 && asked.get() / 3 >= times);
                    times += 1;
                    for _ in 0..pauses {
                        tokio::task::yield_now().await;
                    }
                    asked.set(asked.get() + 1);
                }
                times
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let times = runtime.block_on(async { tokio::join!(attend(0), attend(3), attend(1)) });
        assert_eq!(times, (3, 3, 3));
    }
}
