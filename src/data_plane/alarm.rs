//! One standing timer for all the waits of a task, in place of one for each: nearly every wait ends long before its deadline, so
//! setting a timer and taking it back for each would cost more than it is worth. It decides nothing.
//!
//! The timer stands at or before the earliest deadline that is waited for. Where it goes off before that, it is set anew; a
//! connection is woken so at most once in the shortest of its time-outs.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use rt::{Elapsed, Sleep};

/// The timer of one task. All waits on it must be polled with that task's own waker (not within a `FuturesUnordered`, say).
#[derive(Default)]
pub struct Alarm {
    sleep: RefCell<Option<Sleep>>,
    due_ns: Cell<u64>,
}

impl Alarm {
    /// Runs `future` until it is ready or the deadline (on [`rt::now`]) has passed, as [`rt::timeout_at`] does.
    ///
    /// # Errors
    /// [`Elapsed`] at the deadline; a future that is ready then wins.
    pub async fn timeout_at<F: Future>(
        &self,
        deadline_ns: u64,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            self.poll(deadline_ns, cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Ready once the deadline has passed; until then the task is woken by it at the latest.
    fn poll(&self, deadline_ns: u64, cx: &mut Context<'_>) -> Poll<()> {
        if rt::now() >= deadline_ns {
            return Poll::Ready(());
        }
        let mut standing = self.sleep.borrow_mut();
        let sleep = standing.get_or_insert_with(|| {
            self.due_ns.set(deadline_ns);
            rt::sleep_until(deadline_ns)
        });
        if self.due_ns.get() > deadline_ns {
            self.due_ns.set(deadline_ns);
            sleep.reset(deadline_ns);
        }
        if Pin::new(&mut *sleep).poll(cx).is_ready() {
            self.due_ns.set(deadline_ns);
            sleep.reset(deadline_ns);
            return Pin::new(sleep).poll(cx);
        }
        Poll::Pending
    }
}
