//! The driver's loop: tasks run until none is runnable, then the ring turns. Hot, it waits on its ring directly, and
//! looks at it for a moment before; idle, it parks in the executor on the eventfd of the ring. It never parks while
//! the kernel has more to hand over.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Poll;

use glommio::io::{PollState, PollableFd};

use crate::doorbell;
use crate::ring::{Turn, Wait};
use crate::shard::Shard;

/// Passes over the runnable tasks before the ring is looked at although some are runnable still.
const PASSES: usize = 8;

/// Ticks without traffic after which a shard is no longer hot. To park and to be woken costs about as much as so many ticks.
const QUIET_TICKS: u32 = 8;

/// Ticks between two passes of the executor's reactor while hot. It serves what is slow anyway: timers of the executor, wakes from other
/// threads that do not ring.
const REACTOR_TICKS: u32 = 8;

/// Where a shard sleeps when it is idle: the eventfd of its ring, watched by glommio.
pub(crate) struct Bed {
    eventfd: PollableFd<OwnedFd>,
    watch: PollState,
}

impl Bed {
    pub(crate) fn new(eventfd: OwnedFd) -> io::Result<Self> {
        let eventfd = PollableFd::new(eventfd).map_err(io::Error::from)?;
        Ok(Self {
            eventfd,
            watch: PollState::new(),
        })
    }

    /// Sleeps until the eventfd is signalled or the shard is nudged.
    async fn sleep(&mut self, shard: &Shard) -> io::Result<()> {
        let (eventfd, watch) = (&self.eventfd, &mut self.watch);
        poll_fn(|cx| {
            if shard.take_nudge() {
                return Poll::Ready(Ok(()));
            }
            match eventfd.poll_readable(cx, watch) {
                Poll::Ready(result) => Poll::Ready(result.map_err(io::Error::from)),
                Poll::Pending => {
                    shard.parker.replace(Some(cx.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Gives glommio's reactor one pass: its timers, its channels and wakes from other threads.
    async fn reactor_pass(&mut self, shard: &Shard) -> io::Result<()> {
        doorbell::signal(self.eventfd.get_ref());
        self.sleep(shard).await
    }
}

/// Turns the shard's ring for ever; returns only when the ring is broken.
pub(crate) async fn drive(shard: Rc<Shard>, mut bed: Bed, direct_wait: bool) -> io::Error {
    loop {
        if let Err(error) = drive_until_broken(&shard, &mut bed, direct_wait).await {
            return error;
        }
    }
}

async fn drive_until_broken(shard: &Shard, bed: &mut Bed, direct_wait: bool) -> io::Result<()> {
    let mut quiet_ticks = QUIET_TICKS;
    let busy_poll = shard.look(|driver| driver.patience.is_endless());
    if busy_poll {
        shard.with(|driver| driver.arm_tick());
    }
    let mut ticks = 0;
    loop {
        let runnable = !tasks_rest(shard).await;
        let hot = direct_wait && (busy_poll || quiet_ticks < QUIET_TICKS);
        let mut turn = if hot && !runnable {
            shard.wait()?
        } else {
            shard.turn(Wait::Poll)?
        };
        let idle = turn.events == 0 && turn.woken == 0 && !turn.unfinished && !runnable;
        ticks += u32::from(turn.ticked);
        if ticks >= REACTOR_TICKS && !runnable {
            ticks = 0;
            // The executor looks at its reactor when no task is runnable, or after its preempt period of 100 ms: while a task
            // never rests, waiting for that pass would keep every socket waiting, and it comes by itself.
            bed.reactor_pass(shard).await?;
        } else if idle && !hot {
            turn = park(shard, bed).await?;
        }
        if turn.events > 0 {
            quiet_ticks = 0;
            if direct_wait {
                shard.with(|driver| driver.arm_tick());
            }
        } else if turn.ticked {
            quiet_ticks = quiet_ticks.saturating_add(1);
        }
    }
}

/// Runs every runnable task; false when they went on producing each other.
async fn tasks_rest(shard: &Shard) -> bool {
    for _ in 0..PASSES {
        let polls = shard.polls.get();
        futures_lite::future::yield_now().await;
        if shard.polls.get() == polls {
            return true;
        }
    }
    false
}

/// Sleeps in the executor, if nothing speaks against it; returns what the turn before saw.
async fn park(shard: &Shard, bed: &mut Bed) -> io::Result<Turn> {
    if shard.with(|driver| driver.disarm_tick()) {
        // The end of the tick signals the eventfd too, and would end the sleep that it is to make possible.
        let turn = shard.turn(Wait::Poll)?;
        if turn.events > 0 || turn.woken > 0 {
            return Ok(turn);
        }
    }
    // In this order: what arrives after the eventfd is cleared either shows in the checks or signals it again.
    doorbell::clear(bed.eventfd.get_ref());
    shard.take_nudge();
    let (turn, ready) = shard.ready_to_park()?;
    if ready {
        shard.parks.set(shard.parks.get() + 1);
        shard.set_parked(true);
        let slept = bed.sleep(shard).await;
        shard.set_parked(false);
        slept?;
    }
    Ok(turn)
}
