//! Starting and ending shards: a thread, a glommio executor pinned to its core, and the shard's ring. What prevents a
//! start is returned as a sentence; nothing panics in a thread that nobody looks at.
#![allow(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use glommio::{LocalExecutorBuilder, Placement};

use crate::clock;
use crate::doorbell::{self, Bell};
use crate::options::{Options, nanos};
use crate::probe;
use crate::ring::{Driver, Limits};
use crate::shard::Shard;
use crate::task::{self, Panicked};
use crate::turns::{self, Bed};

/// Memory for glommio's file I/O, which shards hardly do; this is its least.
const IO_MEMORY_BYTES: usize = 64 * 1024;

/// Why a shard could not start, as a sentence that says what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{sentence}")]
pub struct StartError {
    sentence: String,
}

impl StartError {
    fn new(options: &Options, reason: impl fmt::Display) -> Self {
        let place = options
            .cpu
            .map(|cpu| format!(" on core {cpu}"))
            .unwrap_or_default();
        Self {
            sentence: format!("shard `{}`{place} could not start: {reason}", options.name),
        }
    }
}

/// A running shard.
#[derive(Debug)]
pub struct ShardHandle {
    thread: JoinHandle<Result<(), Panicked>>,
}

impl ShardHandle {
    /// Waits until the shard's main future has ended; tells if it, or the thread, ended by a panic.
    pub fn join(self) -> Result<(), Panicked> {
        self.thread
            .join()
            .unwrap_or_else(|payload| Err(Panicked::from_payload(&*payload)))
    }

    /// Whether the shard has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts a shard and runs `main` on it; returns once its executor and ring are up, or why they are not.
///
/// The shard ends when `main` is ready: its tasks are dropped, what connections still have to send gets
/// `shutdown_flush`, then every descriptor is closed.
pub fn spawn_shard<F, Fut>(options: Options, main: F) -> Result<ShardHandle, StartError>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    if let Some(cpu) = options.cpu
        && !probe::cores::allowed().contains(&cpu)
    {
        return Err(StartError::new(
            &options,
            "this process may not run on that core; see its CPU affinity",
        ));
    }
    let (started, starts) = mpsc::channel();
    let shard_options = options.clone();
    let thread = std::thread::Builder::new()
        .name(options.name.clone())
        .spawn(move || {
            let body = AssertUnwindSafe(|| run(&shard_options, main, &started));
            let ended =
                catch_unwind(body).unwrap_or_else(|payload| Err(Panicked::from_payload(&*payload)));
            Shard::set_current(None);
            clock::end_turns();
            ended
        });
    let thread = thread.map_err(|error| {
        StartError::new(&options, format_args!("no thread could be made: {error}"))
    })?;
    match starts.recv() {
        Ok(Ok(())) => Ok(ShardHandle { thread }),
        Ok(Err(error)) => {
            // The thread has nothing more to do, and its result is the error that we have.
            let _ = thread.join();
            Err(error)
        }
        Err(mpsc::RecvError) => {
            let reason = match (ShardHandle { thread }).join() {
                Err(panicked) => panicked.message,
                Ok(()) => String::from("its thread ended at once"),
            };
            Err(StartError::new(&options, reason))
        }
    }
}

type Started = mpsc::Sender<Result<(), StartError>>;

/// The shard's thread from beginning to end.
fn run<F, Fut>(options: &Options, main: F, started: &Started) -> Result<(), Panicked>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let fail = |reason: &dyn fmt::Display| {
        // Nobody listens only if the starter is gone, and then nobody wants to know.
        let _ = started.send(Err(StartError::new(options, reason)));
        Ok(())
    };
    if let Err(reason) = probe::uring::usable() {
        return fail(&reason);
    }
    let memlock = probe::memlock(1);
    if !memlock.ok {
        return fail(&format_args!("{} {}", memlock.sentence, memlock.remedy));
    }
    let placement = options.cpu.map_or(Placement::Unbound, Placement::Fixed);
    let builder = LocalExecutorBuilder::new(placement)
        .name(&options.name)
        .io_memory(IO_MEMORY_BYTES);
    let executor = match builder.make() {
        Ok(executor) => executor,
        Err(error) => return fail(&format_args!("the executor reports: {error}")),
    };
    let ended = executor.run(async {
        let (shard, bed) = match prepare(options) {
            Ok(prepared) => prepared,
            Err(error) => return fail(&format_args!("its ring could not be set up: {error}")),
        };
        Shard::set_current(Some(shard.clone()));
        let housekeeping = glommio::spawn_local(keep_house(shard.clone(), options.housekeeping));
        let driver = glommio::spawn_local(turns::drive(
            shard,
            bed,
            options.direct_wait || options.busy_poll,
        ));
        // The starter may be gone; the shard runs regardless.
        let _ = started.send(Ok(()));
        let ring_broke = async {
            let error = driver.await;
            tracing::error!(%error, "the shard's ring broke");
            Err(Panicked {
                message: format!("the ring broke: {error}"),
            })
        };
        let ended = futures_lite::future::or(task::spawn(async { main().await }), ring_broke).await;
        drop(housekeeping);
        ended
    });
    // Tasks are dropped here, and give up their connections.
    drop(executor);
    if let Ok(shard) = Shard::current() {
        let flush_until_ns = clock::read().saturating_add(nanos(options.shutdown_flush));
        if !shard.with(|driver| driver.shut_down(flush_until_ns)) {
            tracing::error!(
                "the kernel still holds operations of an ended shard; its memory is kept for it"
            );
            std::mem::forget(shard);
        }
    }
    ended
}

/// The ring, the shard's state and the place where it sleeps.
fn prepare(options: &Options) -> std::io::Result<(Rc<Shard>, Bed)> {
    let limits = Limits {
        held_chunks: options.held_chunks.max(1),
        flush_ns: nanos(options.flush_timeout),
        linger_ns: nanos(options.linger_timeout),
        spin_ns: nanos(options.spin),
        busy_poll: options.busy_poll,
    };
    let eventfd = doorbell::eventfd()?;
    let bell = Arc::new(Bell::new(&eventfd)?);
    let driver = Driver::new(
        options.buffers,
        options.buffer_bytes,
        limits,
        bell.clone(),
        &eventfd,
    )?;
    Ok((Shard::new(driver, bell), Bed::new(eventfd)?))
}

/// Looks after the driver now and then. glommio can park although a task is runnable (community fork, issue 53); any
/// event of its reactor ends that, and this timer is one that always comes.
async fn keep_house(shard: Rc<Shard>, period: Duration) {
    loop {
        glommio::timer::sleep(period).await;
        shard.nudge();
    }
}
