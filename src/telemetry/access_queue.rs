//! The way of events from the shards to the access log's writer: one bounded lock-free queue a shard, and
//! the decision which requests are logged at all.
//! Never blocks a shard and never wakes a thread: a full queue refuses, and the shard counts it.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::events::Event;

/// Where shards send events: one bounded queue a shard, behind one handle that all of them may hold.
#[derive(Clone, Debug)]
pub struct AccessLog {
    queues: Arc<[ArrayQueue<Event>]>,
}

impl AccessLog {
    /// Queues for `shards` shards, `capacity` events each, and the end from which a writer takes them.
    #[must_use]
    pub fn new(shards: usize, capacity: usize) -> (Self, EventReceiver) {
        let queues: Arc<[_]> = (0..shards)
            .map(|_| ArrayQueue::new(capacity.max(1)))
            .collect();
        (
            Self {
                queues: queues.clone(),
            },
            EventReceiver { queues },
        )
    }

    /// Sends an event of the shard that its head names; false when that queue was full and the event is gone.
    #[must_use = "a refused event is to be counted"]
    pub fn send(&self, event: Event) -> bool {
        let queue = self.queues.get(usize::from(event.head().shard));
        queue.is_some_and(|queue| queue.push(event).is_ok())
    }
}

/// The writer's end.
#[derive(Debug)]
pub struct EventReceiver {
    queues: Arc<[ArrayQueue<Event>]>,
}

impl EventReceiver {
    /// Takes up to `limit` events of each shard in turn; returns how many were taken. Events of one shard
    /// come in their order; between shards there is none.
    pub fn drain(&self, limit: usize, mut take: impl FnMut(Event)) -> usize {
        let mut taken = 0;
        for queue in self.queues.iter() {
            // A queue that is filled as fast as it is drained must not starve the others.
            for event in std::iter::from_fn(|| queue.pop()).take(limit) {
                take(event);
                taken += 1;
            }
        }
        taken
    }
}

/// Decides for each request whether its events are logged: a fixed share, spread evenly, the same for the
/// same seed. The rate may change at any time.
#[derive(Clone, Debug)]
pub struct Sampler {
    seed: u64,
    requests: u64,
    /// Of 2^32 requests, how many are sampled.
    threshold: u64,
}

impl Sampler {
    /// A sampler with a rate from 0 (off) to 1 (every request).
    #[must_use]
    pub fn new(seed: u64, rate: f64) -> Self {
        let mut sampler = Self {
            seed,
            requests: 0,
            threshold: 0,
        };
        sampler.set_rate(rate);
        sampler
    }

    /// Changes the rate. What is not between 0 and 1 is taken as the nearer of the two, no number as 0.
    pub fn set_rate(&mut self, rate: f64) {
        // A cast from float saturates, and of NaN is 0.
        self.threshold = (rate.clamp(0.0, 1.0) * 4_294_967_296.0) as u64;
    }

    /// Whether any request is sampled.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.threshold > 0
    }

    /// Whether the next request is sampled.
    #[inline]
    pub fn sample(&mut self) -> bool {
        if self.threshold == 0 {
            return false;
        }
        self.requests = self.requests.wrapping_add(1);
        (mix(self
            .seed
            .wrapping_add(self.requests.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            >> 32)
            < self.threshold
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
