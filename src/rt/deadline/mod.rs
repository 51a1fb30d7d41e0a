//! A shard's deadlines: one queue, of which the earliest is how long the ring may wait. Nothing here fires early; a
//! deadline is late by at most a tick of the hot ring (1 ms) and a tick of the wheel (0.26 ms).

mod wheel;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::clock;
use crate::shard::Shard;
use wheel::Entry;
pub(crate) use wheel::Wheel;

/// The deadline passed before the future was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct Elapsed;

/// Waits until the shard's clock reaches `deadline_ns` (nanoseconds since the process's base).
///
/// Off a shard there is nothing that could wait, and it returns at once.
pub fn sleep_until(deadline_ns: u64) -> Sleep {
    Sleep {
        deadline_ns,
        shard: Shard::current().ok(),
        entry: None,
    }
}

/// The future of [`sleep_until`].
pub struct Sleep {
    deadline_ns: u64,
    shard: Option<Rc<Shard>>,
    entry: Option<Entry>,
}

impl Sleep {
    /// Moves the deadline; a sleep that is under way goes on to the new one.
    pub fn reset(&mut self, deadline_ns: u64) {
        self.cancel();
        self.deadline_ns = deadline_ns;
    }

    fn cancel(&mut self) {
        if let (Some(shard), Some(entry)) = (&self.shard, self.entry.take()) {
            let spent = shard.wheel.borrow_mut().cancel(entry);
            drop(spent);
        }
    }

    fn poll_deadline(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(shard) = self.shard.clone() else {
            return Poll::Ready(());
        };
        if clock::now() >= self.deadline_ns {
            self.cancel();
            return Poll::Ready(());
        }
        let mut wheel = shard.wheel.borrow_mut();
        let mut displaced = None;
        match self.entry.and_then(|entry| wheel.waker_mut(entry)) {
            Some(known) if known.will_wake(cx.waker()) => {}
            Some(known) => displaced = Some(std::mem::replace(known, cx.waker().clone())),
            None => {
                self.entry = Some(wheel.insert(self.deadline_ns, cx.waker().clone()));
                drop(wheel);
                shard.nudge();
            }
        }
        drop(displaced);
        Poll::Pending
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_deadline(cx)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline_ns", &self.deadline_ns)
            .finish_non_exhaustive()
    }
}

/// Runs `future` until it is ready or the deadline (nanoseconds since the process's base) has passed.
///
/// The future is looked at first, so one that is ready at the deadline wins. It is dropped with the returned future.
pub async fn timeout_at<F: Future>(deadline_ns: u64, future: F) -> Result<F::Output, Elapsed> {
    let mut sleep = sleep_until(deadline_ns);
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        sleep.poll_deadline(cx).map(|()| Err(Elapsed))
    })
    .await
}
