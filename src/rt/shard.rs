//! One core's runtime state, reached from the shard's own thread alone. Wakers are always woken, and futures dropped,
//! while nothing here is borrowed.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use crate::clock;
use crate::deadline::Wheel;
use crate::doorbell::Bell;
use crate::ring::{Driver, Turn, Wait};

/// A turn of fewer polls is not worth a look at the clock at its end.
const BUSY_POLLS: u64 = 16;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Shard>>> = const { RefCell::new(None) };
}

/// The state behind every type of this crate that belongs to a shard.
pub(crate) struct Shard {
    driver: RefCell<Driver>,
    pub(crate) wheel: RefCell<Wheel>,
    pub(crate) bell: Arc<Bell>,
    /// How often tasks of this shard were polled: unchanged over a yield means that none is runnable.
    pub(crate) polls: Cell<u64>,
    /// [`Self::polls`] when the ring turned last.
    polls_at_turn: Cell<u64>,
    pub(crate) tasks: Cell<u64>,
    pub(crate) panics: Cell<u64>,
    pub(crate) parks: Cell<u64>,
    parked: Cell<bool>,
    nudged: Cell<bool>,
    pub(crate) parker: RefCell<Option<Waker>>,
    woken: RefCell<Vec<Waker>>,
}

impl Shard {
    pub(crate) fn new(driver: Driver, bell: Arc<Bell>) -> Rc<Self> {
        Rc::new(Self {
            wheel: RefCell::new(Wheel::new(driver.now_ns)),
            driver: RefCell::new(driver),
            bell,
            polls: Cell::new(0),
            polls_at_turn: Cell::new(0),
            tasks: Cell::new(0),
            panics: Cell::new(0),
            parks: Cell::new(0),
            parked: Cell::new(false),
            nudged: Cell::new(false),
            parker: RefCell::new(None),
            woken: RefCell::new(Vec::new()),
        })
    }

    /// The shard of this thread; an error elsewhere.
    pub(crate) fn current() -> io::Result<Rc<Shard>> {
        let current = CURRENT
            .try_with(|current| current.borrow().clone())
            .ok()
            .flatten();
        current
            .ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "this thread is not a shard"))
    }

    pub(crate) fn set_current(shard: Option<Rc<Shard>>) {
        let previous = CURRENT.with(|current| std::mem::replace(&mut *current.borrow_mut(), shard));
        drop(previous);
    }

    /// Uses the ring, then wakes whoever it wants woken; a parked driver is told to look.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Driver) -> R) -> R {
        let mut driver = self.driver.borrow_mut();
        let result = f(&mut driver);
        if !driver.wakers.is_empty() {
            let wakers = std::mem::take(&mut driver.wakers);
            drop(driver);
            wakers.into_iter().for_each(Waker::wake);
        }
        self.nudge();
        result
    }

    /// Looks at the ring without changing it.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&Driver) -> R) -> R {
        f(&self.driver.borrow())
    }

    /// One turn of the ring and of the deadlines.
    pub(crate) fn turn(&self, wait: Wait) -> io::Result<Turn> {
        let polls = self.polls.get();
        let since = polls.wrapping_sub(self.polls_at_turn.replace(polls));
        clock::end_turn(since >= BUSY_POLLS);
        self.turning(|driver| driver.turn(wait))
            .map(|(turn, _)| turn)
    }

    /// A turn that waits for completions, at most a tick.
    pub(crate) fn wait(&self) -> io::Result<Turn> {
        let due_ns = self.wheel.borrow().next_ns().unwrap_or(u64::MAX);
        self.turn(Wait::Tick { due_ns })
    }

    /// Like [`Driver::ready_to_park`], for the earliest deadline of the wheel.
    pub(crate) fn ready_to_park(&self) -> io::Result<(Turn, bool)> {
        let due_ns = self.wheel.borrow().next_ns();
        let ((turn, ready), woken) = self.turning(|driver| driver.ready_to_park(due_ns))?;
        Ok((Turn { woken, ..turn }, ready && woken == 0))
    }

    /// Runs `f` on the ring, then wakes; also tells how many were woken.
    fn turning<T>(&self, f: impl FnOnce(&mut Driver) -> io::Result<T>) -> io::Result<(T, usize)> {
        let mut woken = self.woken.take();
        let (result, now_ns) = {
            let mut driver = self.driver.borrow_mut();
            let result = f(&mut driver);
            woken.append(&mut driver.wakers);
            (result, driver.now_ns)
        };
        self.wheel.borrow_mut().advance(now_ns, &mut woken);
        let count = woken.len();
        woken.drain(..).for_each(Waker::wake);
        self.woken.replace(woken);
        Ok((result?, count))
    }

    /// Marks the driver as parked, or not.
    pub(crate) fn set_parked(&self, parked: bool) {
        self.parked.set(parked);
    }

    /// A task that another thread woke runs while the driver is parked: the last turn's time is of no use to it.
    #[inline]
    pub(crate) fn note_time_if_parked(&self) {
        if self.parked.get() {
            clock::begin_turn();
        }
    }

    /// Tells a parked driver that there is work for it.
    #[inline]
    pub(crate) fn nudge(&self) {
        if self.parked.get() && !self.nudged.replace(true) {
            let parker = self.parker.borrow_mut().take();
            if let Some(parker) = parker {
                parker.wake();
            }
        }
    }

    /// Takes the nudge, if there was one.
    pub(crate) fn take_nudge(&self) -> bool {
        self.nudged.replace(false)
    }
}
