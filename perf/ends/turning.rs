//! The loop: waits for events on all sockets at once and hands each to its side. Decides nothing about requests.

use super::answering::Served;
use super::asking::Asking;
use super::socket::{Socket, plain_congestion_control};
use crate::load::{LoadError, Plan, Report};
use crate::provider::Desk;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};

/// What is asked of the loop.
pub(super) enum Command {
    /// Make a run.
    Ask {
        plan: Box<Plan>,
        reply: SyncSender<Result<Report, LoadError>>,
    },
}

/// What an event is about: a kind in the upper half of its token, a number in the lower.
const BELL: u64 = 0;
const TICK: u64 = 4 << 32;
const LISTENER: u64 = 1 << 32;
const SERVED: u64 = 2 << 32;
const CLIENT: u64 = 3 << 32;
const KIND: u64 = !0 << 32;

/// Time between two ticks, in nanoseconds: how late the end of a run may be seen.
const TICK_NS: i64 = 10_000_000;
/// Bytes of a receive.
const RECEIVE_BYTES: usize = 256 * 1024;
/// Events of a turn.
const EVENTS: usize = 256;

/// The state of the thread.
pub(super) struct Turner {
    epoll: OwnedFd,
    bell: Arc<OwnedFd>,
    commands: Receiver<Command>,
    /// Turns the loop now and then while a run goes on, at the cost of no wait having a time-out of its own.
    ticks: OwnedFd,
    listeners: Vec<TcpListener>,
    desks: Vec<Desk>,
    served: Vec<Option<Served>>,
    /// Places of `served` that are free.
    vacant: Vec<usize>,
    asking: Option<Asking>,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Turner {
    pub(super) fn new(
        desks: Vec<Desk>,
        bell: Arc<OwnedFd>,
        commands: Receiver<Command>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*bell, EventData::new_u64(BELL), EventFlags::IN)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let ticks = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        epoll::add(&epoll, &ticks, EventData::new_u64(TICK), EventFlags::IN)?;
        let mut listeners = Vec::with_capacity(desks.len());
        for index in 0..desks.len() {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            listener.set_nonblocking(true)?;
            plain_congestion_control(&listener);
            let token = EventData::new_u64(LISTENER | u64::try_from(index).unwrap_or(0));
            epoll::add(&epoll, listener.as_fd(), token, EventFlags::IN)?;
            listeners.push(listener);
        }
        Ok(Self {
            epoll,
            bell,
            commands,
            ticks,
            listeners,
            desks,
            served: Vec::new(),
            vacant: Vec::new(),
            asking: None,
            buffer: vec![0; RECEIVE_BYTES],
            out: Vec::with_capacity(16 * 1024),
        })
    }

    pub(super) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// Runs until nobody can give commands any more.
    pub(super) fn run(mut self) {
        // An open loop is kept to the microsecond; a kernel that refuses is late by 50.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        loop {
            let patience = self.asking.as_ref().and_then(Asking::patience);
            let patience = patience.and_then(|time| Timespec::try_from(time).ok());
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), patience.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // The instance is ours and stays open: this does not happen.
                Err(_) => return,
            }
            for event in &events {
                if !self.event(event.data.u64()) {
                    return;
                }
            }
            if let Some(asking) = &mut self.asking {
                if asking.is_open() {
                    asking.pump();
                }
                if asking.is_over() {
                    self.asking.take().into_iter().for_each(Asking::finish);
                    self.tick(false);
                }
            }
        }
    }

    /// One event. Says whether the loop goes on.
    fn event(&mut self, token: u64) -> bool {
        let index = usize::try_from(token & !KIND).unwrap_or(usize::MAX);
        match token & KIND {
            BELL => return self.obey(),
            // Only that the loop turned matters: it looks whether a run is over.
            TICK => drop(rustix::io::read(&self.ticks, &mut [0u8; 8])),
            LISTENER => self.accept(index),
            SERVED => self.serve(index),
            _ => {
                if let Some(asking) = &mut self.asking {
                    asking.event(index, &mut self.buffer);
                }
            }
        }
        true
    }

    fn obey(&mut self) -> bool {
        // Only the wake-up matters.
        let _ = rustix::io::read(&*self.bell, &mut [0u8; 8]);
        loop {
            match self.commands.try_recv() {
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
                Ok(Command::Ask { plan, reply }) => {
                    let head = self.desks.first().map_or(0, Desk::head);
                    let token_of = |index| CLIENT | u64::try_from(index).unwrap_or(0);
                    self.asking = Asking::begin(*plan, head, &self.epoll, token_of, reply);
                    self.tick(self.asking.is_some());
                }
            }
        }
    }

    /// Starts or stops the ticking.
    fn tick(&self, is_wanted: bool) {
        let every = Timespec {
            tv_sec: 0,
            tv_nsec: if is_wanted { TICK_NS } else { 0 },
        };
        let interval = Itimerspec {
            it_interval: every,
            it_value: every,
        };
        // The timer is ours and the time is legal: this does not fail.
        let _ = timerfd_settime(&self.ticks, TimerfdTimerFlags::empty(), &interval);
    }

    fn accept(&mut self, desk: usize) {
        let Some(listener) = self.listeners.get(desk) else {
            return;
        };
        // Nobody there is the usual end; out of descriptors is one too, and reported again.
        while let Ok((stream, _)) = listener.accept() {
            let place = self.vacant.pop().unwrap_or_else(|| {
                self.served.push(None);
                self.served.len() - 1
            });
            let token = SERVED | u64::try_from(place).unwrap_or(0);
            let served = Socket::watch(stream, &self.epoll, token);
            if let (Some(slot), Ok(socket)) = (self.served.get_mut(place), served) {
                *slot = Some(Served::new(socket, desk));
            } else {
                self.vacant.push(place);
            }
        }
    }

    fn serve(&mut self, place: usize) {
        let Some(slot) = self.served.get_mut(place) else {
            return;
        };
        let Some(served) = slot else { return };
        let Some(desk) = self.desks.get_mut(served.desk) else {
            return;
        };
        if !served.serve(desk, &mut self.buffer, &mut self.out) {
            *slot = None;
            self.vacant.push(place);
        }
    }
}
