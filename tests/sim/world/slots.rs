//! Where calls live while they do: slots that are used again, so that a run allocates no more than its busiest moment needs.

use engine::fault::Fault;
use engine::head::Mark;
use engine::index::UpstreamIndex;
use engine::time::Instant;

use crate::provider::End;

/// A call and what the driver knows of it.
#[derive(Debug)]
pub struct Live<C> {
    /// The how manieth call of this slot.
    pub life: u32,
    /// The call; `None` while the slot is free.
    pub call: Option<C>,
    /// When it began.
    pub begun: Instant,
    /// The call, the same whoever decides about it.
    pub key: u64,
    /// What is asked for, as a position in the menu.
    pub dish: u16,
    /// The block that is asked for, if one is named.
    pub block: Option<u64>,
    /// Where its client is, as a position among the scenario's.
    pub clients: Option<u16>,
    /// Somebody could serve it when it began.
    pub served: bool,
    /// Somebody was well then.
    pub well: bool,
    /// The earliest time for which a timer was set; [`Instant::NEVER`] for none.
    pub timer: Instant,
    /// The highest block of which a client had been told when it began.
    pub floor: Mark,
    /// Its attempts.
    pub sent: Vec<Sent>,
}

/// An attempt as the driver knows it.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Where.
    pub upstream: UpstreamIndex,
    /// How it will end.
    pub end: End,
    /// A good answer of it is right.
    pub right: bool,
    /// It was reported to have ended, or was given up.
    pub heard: bool,
}

impl Sent {
    /// What the decider is told of its end; `None` for a dead connection.
    pub const fn result(&self) -> Option<Result<(), Fault>> {
        match self.end {
            End::Finished(result) | End::Streamed(result) => Some(result),
            End::Stale => None,
        }
    }
}

/// The slots of one shard.
#[derive(Debug)]
pub struct Slots<C> {
    /// All of them.
    pub lives: Vec<Live<C>>,
    free: Vec<u32>,
}

impl<C> Slots<C> {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            lives: Vec::new(),
            free: Vec::new(),
        }
    }

    /// A free slot.
    pub fn take(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        self.lives.push(Live {
            life: 0,
            call: None,
            begun: Instant::ZERO,
            key: 0,
            dish: 0,
            block: None,
            clients: None,
            served: true,
            well: true,
            timer: Instant::NEVER,
            floor: Mark::NONE,
            sent: Vec::new(),
        });
        self.lives.len() as u32 - 1
    }

    /// The call in a slot is over and forgotten.
    pub fn give_back(&mut self, slot: u32) {
        if let Some(live) = self.lives.get_mut(slot as usize) {
            live.call = None;
            live.life = live.life.wrapping_add(1);
            live.sent.clear();
            self.free.push(slot);
        }
    }
}
