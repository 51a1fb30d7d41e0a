//! Tasks: one a connection, polled by glommio. A task's panic costs that task alone; it is caught, counted and logged.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::shard::Shard;

/// A task, or a shard's thread, ended by a panic; the message is the panic's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {message}")]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
}

impl Panicked {
    pub(crate) fn from_payload(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self {
            message: text.unwrap_or("(a payload that is no text)").to_owned(),
        }
    }
}

/// A running task. Dropping it cancels the task; [`detach`](Task::detach) lets it run on.
#[must_use = "dropping a task cancels it; detach it to let it run on"]
pub struct Task<T> {
    inner: Option<glommio::Task<Result<T, Panicked>>>,
}

impl<T> Task<T> {
    /// Lets the task run to its end unobserved.
    pub fn detach(mut self) {
        if let Some(inner) = self.inner.take() {
            drop(inner.detach());
        }
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

/// Starts a task on the current shard; its output comes from awaiting the [`Task`].
///
/// # Panics
///
/// Off a shard there is no executor, which is a mistake in the program.
pub fn spawn<F: Future + 'static>(future: F) -> Task<F::Output> {
    let shard = Shard::current().ok();
    if let Some(shard) = &shard {
        shard.tasks.set(shard.tasks.get() + 1);
    }
    let guarded = Guarded {
        future: Some(Box::pin(future)),
        shard,
    };
    Task {
        inner: Some(glommio::spawn_local(guarded)),
    }
}

/// Lets every other runnable task of this shard run first.
pub async fn yield_now() {
    futures_lite::future::yield_now().await;
}

/// A future whose panics end it and nothing else.
struct Guarded<F> {
    future: Option<Pin<Box<F>>>,
    shard: Option<Rc<Shard>>,
}

impl<F> Guarded<F> {
    fn panicked(&self, payload: &(dyn Any + Send)) -> Panicked {
        let panicked = Panicked::from_payload(payload);
        if let Some(shard) = &self.shard {
            shard.panics.set(shard.panics.get() + 1);
        }
        tracing::error!(message = %panicked.message, "a task panicked; it alone is lost");
        panicked
    }

    fn drop_future(&mut self) -> Option<Panicked> {
        let future = self.future.take()?;
        let payload = catch_unwind(AssertUnwindSafe(|| drop(future))).err()?;
        Some(self.panicked(&*payload))
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(shard) = &self.shard {
            shard.polls.set(shard.polls.get().wrapping_add(1));
            shard.note_time_if_parked();
        }
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        let outcome = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(self.panicked(&*payload)),
        };
        // Its destructors may panic too; that is counted, and does not take the output away.
        self.drop_future();
        Poll::Ready(outcome)
    }
}

impl<F> Drop for Guarded<F> {
    fn drop(&mut self) {
        self.drop_future();
        if let Some(shard) = &self.shard {
            shard.tasks.set(shard.tasks.get().saturating_sub(1));
        }
    }
}
