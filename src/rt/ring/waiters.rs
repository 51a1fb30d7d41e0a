//! Wakers of the tasks that wait for one thing, nearly always one. It never drops a waker of a waiting task unwoken.

use std::task::{Context, Waker};

/// One waker inline, the rest in a list that is usually never allocated.
#[derive(Default)]
pub(crate) struct Waiters {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Waiters {
    /// Notes the task behind `cx`, once.
    pub(crate) fn register(&mut self, cx: &Context<'_>) {
        let new = cx.waker();
        match &self.first {
            None => self.first = Some(new.clone()),
            Some(known) if known.will_wake(new) => {}
            Some(_) => {
                if !self.rest.iter().any(|known| known.will_wake(new)) {
                    self.rest.push(new.clone());
                }
            }
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Moves all wakers out, to be woken once the ring is no longer borrowed.
    pub(crate) fn drain_into(&mut self, wakers: &mut Vec<Waker>) {
        if let Some(first) = self.first.take() {
            wakers.push(first);
            wakers.append(&mut self.rest);
        }
    }
}
