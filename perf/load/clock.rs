//! Hands out the arrivals of an open loop, each at its time, to connections that are free. One per thread; a kernel
//! timer of nanosecond resolution keeps it, because the runtime's own timers round to milliseconds.

use super::pacing::Pacing;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The arrivals of one thread.
#[derive(Debug)]
pub(super) struct Clock {
    pacing: Pacing,
    start: Instant,
    /// No arrival is due after this.
    end: Duration,
    /// Nor are there more than so many.
    max_arrivals: u64,
    next: Cell<u64>,
    waiting: RefCell<VecDeque<Waker>>,
}

/// One arrival, handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// When it was due.
    pub(super) due: Duration,
    /// When the connection that got it was free.
    pub(super) taken: Duration,
}

impl Clock {
    pub(super) fn new(pacing: Pacing, start: Instant, end: Duration, max_arrivals: u64) -> Self {
        Self {
            pacing,
            start,
            end,
            max_arrivals,
            next: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    /// The next arrival, once it is due; at once where it is overdue. `None` when the run is over: what is overdue then
    /// stays unsent.
    pub(super) async fn ticket(&self) -> Option<Ticket> {
        let taken = self.start.elapsed();
        poll_fn(|context| {
            let now = self.start.elapsed();
            let Some(due) = self.next_due().filter(|_| now < self.end) else {
                return Poll::Ready(None);
            };
            if due <= now {
                self.next.set(self.next.get() + 1);
                return Poll::Ready(Some(Ticket { due, taken }));
            }
            self.waiting.borrow_mut().push_back(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Arrivals that were due by the end and that nobody was free to send.
    pub(super) fn unsent(&self) -> u64 {
        let next = self.next.get();
        let due = |n: &u64| *n < self.max_arrivals && self.pacing.due(*n) < self.end;
        // A count that does not end is one of a rate that nobody can send.
        u64::try_from((next..).take_while(due).take(MAX_UNSENT).count()).unwrap_or(u64::MAX)
    }

    fn next_due(&self) -> Option<Duration> {
        let due = self.pacing.due(self.next.get());
        (self.next.get() < self.max_arrivals && due < self.end).then_some(due)
    }

    /// Wakes a free connection for every arrival when it is due, and all of them at the end.
    pub(super) async fn run(&self) -> io::Result<()> {
        let timer = Timer::new()?;
        let mut tick = 0;
        loop {
            let due = self.pacing.due(tick);
            if tick >= self.max_arrivals || due >= self.end {
                break;
            }
            while let Some(left) = due
                .checked_sub(self.start.elapsed())
                .filter(|left| !left.is_zero())
            {
                timer.sleep(left).await?;
            }
            if let Some(waker) = self.waiting.borrow_mut().pop_front() {
                waker.wake();
            }
            tick += 1;
        }
        // Every arrival was due: who still waits takes an overdue one, or learns that there are none.
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
        Ok(())
    }
}

/// Most unsent arrivals that are counted.
const MAX_UNSENT: usize = 100_000_000;

struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    #[expect(
        deprecated,
        reason = "deprecated for types whose descriptor may change or close; an OwnedFd's cannot"
    )]
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        AsyncFd::with_interest(descriptor, Interest::READABLE).map(Self)
    }

    async fn sleep(&self, time: Duration) -> io::Result<()> {
        let it_value = Timespec::try_from(time).map_err(io::Error::other)?;
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value,
        };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        let read = |descriptor: &OwnedFd| Ok(rustix::io::read(descriptor, &mut [0u8; 8])?);
        self.0.async_io(Interest::READABLE, read).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Pacing};
    use std::time::{Duration, Instant};
    use tokio::task::LocalSet;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, future)
    }

    #[test]
    fn every_arrival_is_handed_out_once_and_never_early() {
        let end = Duration::from_millis(100);
        let clock = Clock::new(Pacing::new(1000.0, 1, 0), Instant::now(), end, u64::MAX);
        let taker = || async {
            let mut due = Vec::new();
            while let Some(ticket) = clock.ticket().await {
                assert!(clock.start.elapsed() >= ticket.due && ticket.due < end);
                due.push(ticket.due);
                tokio::task::yield_now().await;
            }
            due
        };
        let (first, second, ran) = run(async { tokio::join!(taker(), taker(), clock.run()) });
        ran.unwrap();
        let mut due = [first, second].concat();
        due.sort();
        let expected = (0..).map(|n| clock.pacing.due(n)).take(due.len());
        assert!(due.iter().copied().eq(expected));
        assert_eq!(u64::try_from(due.len()).unwrap() + clock.unsent(), 100);
    }

    #[test]
    fn a_count_ends_the_run() {
        let clock = Clock::new(
            Pacing::new(1e6, 1, 0),
            Instant::now(),
            Duration::from_millis(50),
            7,
        );
        let taken = run(async {
            let take = async {
                let mut count = 0;
                while clock.ticket().await.is_some() {
                    count += 1;
                }
                count
            };
            tokio::join!(take, clock.run()).0
        });
        assert_eq!((taken, clock.unsent()), (7, 0));
    }
}
