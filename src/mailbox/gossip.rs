//! The gossip lanes: from every shard to every other one. They carry what makes the others' decisions better and what the next
//! message replaces. They never block a sender, never fail, never grow, and never promise that a message arrives.
//!
//! - One bounded lane for each ordered pair of shards: a sender contends with nobody, and a chatty one displaces nobody's
//!   messages but its own.
//! - Newest wins: a full lane drops its oldest message for the new one, and counts it.
//! - Waking: the receiver's doorbell is rung when the first message comes after it found none. A receiver that took
//!   messages until [`Port::take`] said `None` never sleeps on mail.
//!
//! Why ringing on that transition alone loses no wake-up: a sender pushes, then sets the receiver's `DUE`, and rings if it was clear;
//! the receiver clears `DUE`, then looks. Both are read-modify-writes of one atomic, so one is before the other. If
//! the sender's is first, the receiver's clearing is ordered after the push, and the look sees it. If it is second, it finds `DUE` clear (or
//! set by another who came after the clearing, and who rings), so a ring follows the look. `tests/models.rs` searches every interleaving.

use std::cell::Cell;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU8, AtomicU64, Ordering, Queue};

/// Something was posted since the receiver began its last look.
const DUE: u8 = 1;
/// The receiver is gone.
const CLOSED: u8 = 2;

/// From one shard to another.
struct Lane<M> {
    messages: Queue<M>,
    /// Messages of this lane that nobody will take. Written by whoever throws one away.
    dropped: AtomicU64,
}

impl<M> Lane<M> {
    fn new(capacity: usize) -> Self {
        Self {
            messages: Queue::new(capacity),
            dropped: AtomicU64::new(0),
        }
    }

    fn drop_all(&self) {
        while self.messages.pop().is_some() {
            self.count_dropped();
        }
    }

    fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// What one shard receives from.
struct Inbox<M> {
    /// By the sender's number; the receiver's own is never used.
    lanes: Box<[Lane<M>]>,
    /// [`DUE`], [`CLOSED`].
    state: CachePadded<AtomicU8>,
}

/// What all ports share.
struct Mesh<M> {
    inboxes: Box<[Inbox<M>]>,
    ring: Box<dyn Fn(usize) + Send + Sync>,
}

impl<M> Mesh<M> {
    fn lane(&self, from: usize, to: usize) -> Option<(&Inbox<M>, &Lane<M>)> {
        let inbox = self.inboxes.get(to)?;
        let lane = inbox.lanes.get(from).filter(|_| from != to)?;
        Some((inbox, lane))
    }
}

/// Makes the lanes between `shards` shards, and returns each shard's port in order. A lane holds at most `capacity` messages (at
/// least one), and their memory is taken here: `shards × (shards − 1) × capacity` messages.
///
/// `ring` is called with the receiver's number, on the sender's thread, when a message has come for one that may sleep; it must
/// be cheap and must not block.
pub fn mesh<M: Send>(
    shards: usize,
    capacity: usize,
    ring: impl Fn(usize) + Send + Sync + 'static,
) -> Vec<Port<M>> {
    let inbox = |to: usize| Inbox {
        lanes: (0..shards)
            .map(|from| Lane::new(if from == to { 1 } else { capacity.max(1) }))
            .collect(),
        state: CachePadded::new(AtomicU8::new(0)),
    };
    let mesh = Arc::new(Mesh {
        inboxes: (0..shards).map(inbox).collect(),
        ring: Box::new(ring),
    });
    (0..shards)
        .map(|number| Port {
            mesh: mesh.clone(),
            number,
            turn: Cell::new(0),
            looking: Cell::new(false),
            sent: Cell::new(0),
            undeliverable: Cell::new(0),
            received: Cell::new(0),
        })
        .collect()
}

/// What one port has sent and received. Over all ports of a mesh, sent = received + dropped + waiting in lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GossipCounts {
    /// Messages that this port was told to send, one for each receiver.
    pub sent: u64,
    /// Those of them that nobody will take: displaced by a newer one, or for a shard that is gone.
    pub dropped: u64,
    /// Messages that this port took.
    pub received: u64,
}

/// One shard's end of all its lanes. It may be moved to another thread, and used by one alone.
pub struct Port<M> {
    mesh: Arc<Mesh<M>>,
    number: usize,
    /// The lane to look at first.
    turn: Cell<usize>,
    /// Whether lanes are being looked through: `DUE` was cleared, and no look has found all of them empty since.
    looking: Cell<bool>,
    sent: Cell<u64>,
    undeliverable: Cell<u64>,
    received: Cell<u64>,
}

impl<M: Send> Port<M> {
    /// This shard's number in the mesh, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// How many shards the mesh has, this one included.
    pub fn shards(&self) -> usize {
        self.mesh.inboxes.len()
    }

    /// Sends to every other shard. Never blocks: a full lane loses its oldest message, a shard that is gone gets nothing.
    pub fn tell_all(&self, message: &M)
    where
        M: Clone,
    {
        for to in (0..self.shards()).filter(|to| *to != self.number) {
            self.tell(to, message.clone());
        }
    }

    /// Sends to one shard. Never blocks: a full lane loses its oldest message. What is sent to a shard that is gone, to one
    /// that never was, or to this one itself is counted as dropped.
    pub fn tell(&self, to: usize, message: M) {
        add_one(&self.sent);
        let Some((inbox, lane)) = self.mesh.lane(self.number, to) else {
            return add_one(&self.undeliverable);
        };
        if inbox.state.load(Ordering::Relaxed) & CLOSED != 0 {
            return add_one(&self.undeliverable);
        }
        if lane.messages.force_push(message).is_some() {
            lane.count_dropped();
        }
        let before = inbox.state.fetch_or(DUE, Ordering::AcqRel);
        if before & CLOSED != 0 {
            // It closed between the look and the push, and may have emptied this lane before the push.
            lane.drop_all();
        } else if before & DUE == 0 {
            (self.mesh.ring)(to);
        }
    }

    /// A message and its sender's number: each sender's oldest first, the senders in turn. `None` when there is none, and
    /// then a doorbell follows the next one. Who stops before `None` must come back unasked.
    pub fn take(&self) -> Option<(usize, M)> {
        let inbox = self.mesh.inboxes.get(self.number)?;
        if !self.looking.get() {
            if inbox.state.load(Ordering::Relaxed) & DUE == 0 {
                return None;
            }
            inbox.state.fetch_and(!DUE, Ordering::AcqRel);
            self.looking.set(true);
        }
        let lanes = inbox.lanes.len();
        let first = self.turn.get();
        for from in (first..lanes).chain(0..first.min(lanes)) {
            let message = inbox.lanes.get(from).and_then(|lane| lane.messages.pop());
            if let Some(message) = message {
                self.turn.set(from + 1);
                add_one(&self.received);
                return Some((from, message));
            }
        }
        self.looking.set(false);
        None
    }

    /// What was sent and received so far.
    pub fn counts(&self) -> GossipCounts {
        let lanes = (0..self.shards()).filter_map(|to| self.mesh.lane(self.number, to));
        let displaced: u64 = lanes
            .map(|(_, lane)| lane.dropped.load(Ordering::Relaxed))
            .sum();
        GossipCounts {
            sent: self.sent.get(),
            dropped: displaced + self.undeliverable.get(),
            received: self.received.get(),
        }
    }
}

impl<M> Drop for Port<M> {
    fn drop(&mut self) {
        if let Some(inbox) = self.mesh.inboxes.get(self.number) {
            inbox.state.fetch_or(CLOSED, Ordering::AcqRel);
            inbox.lanes.iter().for_each(Lane::drop_all);
        }
    }
}

fn add_one(count: &Cell<u64>) {
    count.set(count.get().wrapping_add(1));
}
