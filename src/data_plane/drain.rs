//! The end of a shard's service: which connections are open, which of them are in the middle of a request, and who is to be told
//! when it begins. It closes nothing itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use super::worker::Worker;

/// The state of the drain.
#[derive(Default)]
pub(super) struct Drain {
    draining: Cell<bool>,
    /// Connections open, and those of them in the middle of a request.
    open: Cell<usize>,
    busy: Cell<usize>,
    /// Who waits for connections to go.
    waiter: Cell<Option<Waker>>,
    /// A seat for each connection, with whom to wake when the drain begins; the free ones are listed.
    seats: RefCell<Vec<Option<Waker>>>,
    free_seats: RefCell<Vec<usize>>,
}

/// A connection's place among the open ones; dropped when it closes.
pub struct Seat {
    worker: Rc<Worker>,
    at: usize,
    busy: Cell<bool>,
}

impl Seat {
    /// A request began or ended on the connection.
    pub fn set_busy(&self, busy: bool) {
        if self.busy.replace(busy) != busy {
            let count = &self.worker.drain.busy;
            let now = count.get();
            count.set(if busy { now + 1 } else { now.saturating_sub(1) });
        }
    }

    /// Resolves when the drain begins; for a connection that waits for its next request.
    pub async fn drain_begun(&self) {
        std::future::poll_fn(|cx| {
            if self.worker.draining() {
                return std::task::Poll::Ready(());
            }
            if let Some(seat) = self.worker.drain.seats.borrow_mut().get_mut(self.at)
                && !seat
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                *seat = Some(cx.waker().clone());
            }
            std::task::Poll::Pending
        })
        .await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.set_busy(false);
        let drain = &self.worker.drain;
        if let Some(seat) = drain.seats.borrow_mut().get_mut(self.at) {
            *seat = None;
        }
        drain.free_seats.borrow_mut().push(self.at);
        drain.open.set(drain.open.get().saturating_sub(1));
        self.worker.recorder.borrow_mut().connection_closed();
        if let Some(waker) = drain.waiter.take() {
            waker.wake();
        }
    }
}

impl Worker {
    /// Whether the shard is draining: no new requests on old connections.
    pub fn draining(&self) -> bool {
        self.drain.draining.get()
    }

    /// Begins the drain: idle connections are woken, so that they close.
    pub fn begin_drain(&self) {
        self.drain.draining.set(true);
        for waker in self.drain.seats.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// A connection opened: its seat.
    pub fn take_seat(self: &Rc<Self>) -> Seat {
        self.drain.open.set(self.drain.open.get() + 1);
        self.recorder.borrow_mut().connection_opened();
        let at = match self.drain.free_seats.borrow_mut().pop() {
            Some(at) => at,
            None => {
                let mut seats = self.drain.seats.borrow_mut();
                seats.push(None);
                seats.len() - 1
            }
        };
        Seat {
            worker: self.clone(),
            at,
            busy: Cell::new(false),
        }
    }

    /// How many connections are in the middle of a request.
    pub fn busy_connections(&self) -> usize {
        self.drain.busy.get()
    }

    /// Resolves when no connection is open any more.
    pub async fn all_closed(&self) {
        std::future::poll_fn(|cx| {
            if self.drain.open.get() == 0 {
                return std::task::Poll::Ready(());
            }
            self.drain.waiter.set(Some(cx.waker().clone()));
            std::task::Poll::Pending
        })
        .await;
    }
}
