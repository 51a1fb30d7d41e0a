//! The connections of one shard to one upstream: kept alive, bounded, with a bounded queue in front.
//! A connection goes back only after an exchange that ended cleanly; everything else is closed.
//! It dials nothing and knows nothing of HTTP.
//!
//! A lease is exclusive today (HTTP/1.1: one exchange at a time). The interface leaves the number
//! of calls a connection carries to the lease, so that a shared transport can stand behind it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use rt::Conn;

/// The limits of one pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Connections at once: idle, in use and being dialled.
    pub max_connections: usize,
    /// Exchanges that may wait for a connection; one more is refused.
    pub max_waiting: usize,
    /// An idle connection is closed after this long.
    pub idle_timeout_ns: u64,
}

/// What a pool holds now, for the gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Kept alive, waiting for work.
    pub idle: usize,
    /// In an exchange.
    pub active: usize,
    /// Being dialled.
    pub connecting: usize,
    /// Exchanges waiting for a connection.
    pub waiting: usize,
}

/// The queue in front of the pool is full.
#[derive(Debug, PartialEq, Eq)]
pub struct PoolFull;

/// What a waiter is handed.
enum Grant {
    Conn(Conn),
    Slot,
}

#[derive(Default)]
struct Waiter {
    grant: Cell<Option<Grant>>,
    waker: Cell<Option<Waker>>,
    gone: Cell<bool>,
}

struct Idle {
    conn: Conn,
    since_ns: u64,
}

struct State {
    idle: Vec<Idle>,
    /// Idle, leased and dialling together.
    open: usize,
    connecting: usize,
    waiters: VecDeque<Rc<Waiter>>,
    limits: PoolLimits,
}

/// A pool; shared by the tasks of one shard.
pub struct Pool {
    state: RefCell<State>,
}

/// The right to hold one connection. Dropped without [`Slot::keep`], the connection is gone and the
/// right passes to the next waiter.
pub struct Slot {
    pool: Rc<Pool>,
    armed: bool,
    connecting: bool,
}

impl Pool {
    /// An empty pool.
    pub fn new(limits: PoolLimits) -> Rc<Self> {
        Rc::new(Self {
            state: RefCell::new(State {
                idle: Vec::new(),
                open: 0,
                connecting: 0,
                waiters: VecDeque::new(),
                limits,
            }),
        })
    }

    /// Takes an idle connection, or the right to dial one, waiting in line if the pool is full.
    /// With `fresh`, an idle connection is never handed out: a call that may not be sent twice goes
    /// on a connection that cannot have gone stale (HAProxy's `http-reuse safe`).
    ///
    /// # Errors
    /// [`PoolFull`] when the line is as long as it may be.
    pub async fn acquire(self: &Rc<Self>, fresh: bool) -> Result<(Slot, Option<Conn>), PoolFull> {
        if let Some(found) = self.take_now(fresh) {
            return Ok(found);
        }
        let waiter = {
            let mut state = self.state.borrow_mut();
            if state.waiters.len() >= state.limits.max_waiting {
                return Err(PoolFull);
            }
            let waiter = Rc::new(Waiter::default());
            state.waiters.push_back(waiter.clone());
            waiter
        };
        let mut place = Place {
            pool: self,
            waiter: Some(waiter),
        };
        let grant = poll_fn(|cx| match &place.waiter {
            None => Poll::Ready(Grant::Slot),
            Some(waiter) => match waiter.grant.take() {
                Some(grant) => Poll::Ready(grant),
                None => {
                    waiter.waker.set(Some(cx.waker().clone()));
                    Poll::Pending
                }
            },
        })
        .await;
        place.waiter = None;
        Ok(match grant {
            Grant::Conn(conn) if !fresh && conn.is_quiet() => (self.slot(false), Some(conn)),
            Grant::Conn(_) | Grant::Slot => (self.slot(true), None),
        })
    }

    fn slot(self: &Rc<Self>, connecting: bool) -> Slot {
        if connecting {
            self.state.borrow_mut().connecting += 1;
        }
        Slot {
            pool: self.clone(),
            armed: true,
            connecting,
        }
    }

    /// What can be had without waiting. The newest idle connection first: it is the least likely to
    /// have gone stale, and the oldest ones get to time out.
    fn take_now(self: &Rc<Self>, fresh: bool) -> Option<(Slot, Option<Conn>)> {
        let mut state = self.state.borrow_mut();
        if !fresh {
            while let Some(idle) = state.idle.pop() {
                if idle.conn.is_quiet() {
                    drop(state);
                    return Some((self.slot(false), Some(idle.conn)));
                }
                state.open -= 1;
            }
        }
        if state.open >= state.limits.max_connections && fresh && !state.idle.is_empty() {
            // A full pool with idle connections: the oldest makes room.
            drop(state.idle.remove(0));
            state.open -= 1;
        }
        if state.open < state.limits.max_connections {
            state.open += 1;
            drop(state);
            return Some((self.slot(true), None));
        }
        None
    }

    /// Gives a connection back to the pool, or to whoever waits first.
    fn put_back(&self, conn: Conn, now_ns: u64) {
        let mut state = self.state.borrow_mut();
        match next_waiter(&mut state) {
            Some(waiter) => {
                drop(state);
                hand_over(&waiter, Grant::Conn(conn));
            }
            None => state.idle.push(Idle {
                conn,
                since_ns: now_ns,
            }),
        }
    }

    /// A connection is gone: its right passes on.
    fn release(&self) {
        let mut state = self.state.borrow_mut();
        match next_waiter(&mut state) {
            Some(waiter) => {
                drop(state);
                hand_over(&waiter, Grant::Slot);
            }
            None => state.open = state.open.saturating_sub(1),
        }
    }

    /// Closes idle connections that are dead or have idled too long.
    pub fn reap(&self, now_ns: u64) {
        let mut state = self.state.borrow_mut();
        let limit_ns = state.limits.idle_timeout_ns;
        let before = state.idle.len();
        state
            .idle
            .retain(|idle| idle.conn.is_quiet() && now_ns.saturating_sub(idle.since_ns) < limit_ns);
        let closed = before - state.idle.len();
        state.open = state.open.saturating_sub(closed);
    }

    /// What the pool holds now.
    pub fn usage(&self) -> PoolUse {
        let state = self.state.borrow();
        PoolUse {
            idle: state.idle.len(),
            active: state
                .open
                .saturating_sub(state.idle.len() + state.connecting),
            connecting: state.connecting,
            waiting: state.waiters.len(),
        }
    }
}

/// The first waiter that is still there.
fn next_waiter(state: &mut State) -> Option<Rc<Waiter>> {
    while let Some(waiter) = state.waiters.pop_front() {
        if !waiter.gone.get() {
            return Some(waiter);
        }
    }
    None
}

fn hand_over(waiter: &Waiter, grant: Grant) {
    waiter.grant.set(Some(grant));
    if let Some(waker) = waiter.waker.take() {
        waker.wake();
    }
}

/// A place in the line. Left early (the call was cancelled), it is given up, and what had been
/// granted already passes on.
struct Place<'a> {
    pool: &'a Rc<Pool>,
    waiter: Option<Rc<Waiter>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter.take() else {
            return;
        };
        waiter.gone.set(true);
        match waiter.grant.take() {
            Some(_) => self.pool.release(),
            None => self
                .pool
                .state
                .borrow_mut()
                .waiters
                .retain(|w| !Rc::ptr_eq(w, &waiter)),
        }
    }
}

impl Slot {
    /// The connection that the slot was for has been made.
    pub fn connected(&mut self) {
        if std::mem::take(&mut self.connecting) {
            let mut state = self.pool.state.borrow_mut();
            state.connecting = state.connecting.saturating_sub(1);
        }
    }

    /// The exchange ended cleanly: the connection may serve the next one.
    pub fn keep(mut self, conn: Conn, now_ns: u64) {
        self.armed = false;
        self.pool.put_back(conn, now_ns);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connected();
        if self.armed {
            self.pool.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::poll_once;

    fn pool(max_connections: usize, max_waiting: usize) -> Rc<Pool> {
        Pool::new(PoolLimits {
            max_connections,
            max_waiting,
            idle_timeout_ns: 1_000,
        })
    }

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        futures_lite::future::block_on(poll_once(future))
    }

    #[test]
    fn the_limit_holds_and_the_line_is_bounded() {
        let p = pool(1, 1);
        let (slot, conn) = now(p.acquire(false)).unwrap().unwrap_or_else(|_| panic!());
        assert!(conn.is_none());
        let mut waiting = Box::pin(p.acquire(false));
        assert!(now(waiting.as_mut()).is_none());
        assert!(matches!(now(p.acquire(false)), Some(Err(PoolFull))));
        assert_eq!(
            p.usage(),
            PoolUse {
                idle: 0,
                active: 0,
                connecting: 1,
                waiting: 1
            }
        );
        drop(slot);
        assert!(matches!(now(waiting.as_mut()), Some(Ok((_, None)))));
    }

    #[test]
    fn a_waiter_that_leaves_loses_no_slot() {
        let p = pool(1, 4);
        let (slot, _) = now(p.acquire(false)).unwrap().unwrap_or_else(|_| panic!());
        let mut left_before = Box::pin(p.acquire(false));
        let mut left_after = Box::pin(p.acquire(false));
        let mut patient = Box::pin(p.acquire(true));
        assert!(now(left_before.as_mut()).is_none());
        assert!(now(left_after.as_mut()).is_none());
        assert!(now(patient.as_mut()).is_none());
        drop(left_before);
        assert_eq!(p.usage().waiting, 2);
        drop(slot); // granted to `left_after`, which never looks again
        drop(left_after);
        let got = now(patient.as_mut()).unwrap().unwrap_or_else(|_| panic!());
        drop(got);
        assert_eq!(p.usage(), PoolUse::default());
    }
}
