//! The control lane: from one or more ordinary threads to one shard. It carries configuration,
//! resolved addresses, scrapes, log levels and the drain. It never blocks and never spawns.
//!
//! - Bounded: a full lane refuses the letter and gives it back ([`Refused::Full`]).
//! - Acknowledged: [`Sender::send`] gives a [`Pending`] that resolves when the shard has acted, or
//!   with [`Lost`] when the shard went away without doing so.
//! - Waking: the sender rings the doorbell that the lane was made with, so that a parked or
//!   directly waiting shard turns at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_channel::oneshot;

use crate::sync::{AtomicBool, Ordering, Queue, fence};

/// What the lane holds: a message and where its acknowledgement goes.
struct Letter<M, A> {
    message: M,
    ack: Ack<A>,
}

/// What both ends share.
struct Lane<M, A> {
    letters: Queue<Letter<M, A>>,
    closed: AtomicBool,
}

/// Makes a lane that holds at most `capacity` letters (at least one). `ring` is called after each
/// accepted letter, from the sender's thread; it must be cheap and must not block.
pub fn lane<M, A>(
    capacity: usize,
    ring: impl Fn() + Send + Sync + 'static,
) -> (Sender<M, A>, Receiver<M, A>) {
    let lane = Arc::new(Lane {
        letters: Queue::new(capacity.max(1)),
        closed: AtomicBool::new(false),
    });
    let sender = Sender {
        lane: lane.clone(),
        ring: Arc::new(ring),
    };
    (sender, Receiver { lane })
}

/// The sending end; clone it freely.
pub struct Sender<M, A> {
    lane: Arc<Lane<M, A>>,
    ring: Arc<dyn Fn() + Send + Sync>,
}

impl<M, A> Clone for Sender<M, A> {
    fn clone(&self) -> Self {
        Self {
            lane: self.lane.clone(),
            ring: self.ring.clone(),
        }
    }
}

/// A letter that was not accepted, given back.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<M> {
    /// The lane holds as many letters as it may; the shard is behind.
    Full(M),
    /// The receiving shard is gone.
    Closed(M),
}

impl<M, A> Sender<M, A> {
    /// Posts a letter and rings. The result resolves when the shard has acknowledged it.
    ///
    /// # Errors
    /// Gives the message back when the lane is full or its shard is gone.
    pub fn send(&self, message: M) -> Result<Pending<A>, Refused<M>> {
        if self.lane.closed.load(Ordering::Acquire) {
            return Err(Refused::Closed(message));
        }
        let (to, from) = oneshot::channel();
        let letter = Letter {
            message,
            ack: Ack { to: Some(to) },
        };
        match self.lane.letters.push(letter) {
            Ok(()) => {
                (self.ring)();
                // A receiver that closed between the check and the push will never look again:
                // empty the lane, so that the letter's sender hears `Lost` instead of waiting. The fences here and
                // where it closes make sure that one of the two sees what the other did.
                fence(Ordering::SeqCst);
                if self.lane.closed.load(Ordering::Acquire) {
                    while self.lane.letters.pop().is_some() {}
                }
                Ok(Pending { from })
            }
            Err(letter) => Err(Refused::Full(letter.message)),
        }
    }
}

/// The shard's end.
pub struct Receiver<M, A> {
    lane: Arc<Lane<M, A>>,
}

impl<M, A> Receiver<M, A> {
    /// The oldest letter, if there is one. Dropping its [`Ack`] unanswered tells the sender [`Lost`].
    pub fn take(&self) -> Option<(M, Ack<A>)> {
        self.lane.letters.pop().map(|l| (l.message, l.ack))
    }

    /// How many letters wait.
    pub fn len(&self) -> usize {
        self.lane.letters.len()
    }

    /// Whether no letter waits.
    pub fn is_empty(&self) -> bool {
        self.lane.letters.is_empty()
    }
}

impl<M, A> Drop for Receiver<M, A> {
    fn drop(&mut self) {
        self.lane.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        while self.lane.letters.pop().is_some() {}
    }
}

/// The shard's duty to answer one letter.
pub struct Ack<A> {
    to: Option<oneshot::Sender<A>>,
}

impl<A> Ack<A> {
    /// Answers. A sender that no longer waits is fine.
    pub fn acknowledge(mut self, answer: A) {
        if let Some(to) = self.to.take() {
            drop(to.send(answer));
        }
    }
}

/// The shard went away, or dropped the letter, without acknowledging it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shard went away without acknowledging")
    }
}

impl std::error::Error for Lost {}

/// The acknowledgement to come: a future for any executor. Dropping it is fine.
#[derive(Debug)]
pub struct Pending<A> {
    from: oneshot::Receiver<A>,
}

impl<A> Future for Pending<A> {
    type Output = Result<A, Lost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.from).poll(cx).map_err(|_| Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Polls once with a waker that does nothing.
    fn poll_once<A>(pending: &mut Pending<A>) -> Poll<Result<A, Lost>> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(pending).poll(&mut cx)
    }

    #[test]
    fn letters_arrive_in_order_ring_and_are_acknowledged() {
        let rings = Arc::new(AtomicUsize::new(0));
        let counted = rings.clone();
        let (tx, rx) = lane::<u32, u32>(4, move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let mut first = tx.send(1).unwrap();
        let mut second = tx.send(2).unwrap();
        assert_eq!(rings.load(Ordering::Relaxed), 2);
        assert!(poll_once(&mut first).is_pending());
        for _ in 0..2 {
            let (message, ack) = rx.take().unwrap();
            ack.acknowledge(message * 10);
        }
        assert_eq!(poll_once(&mut first), Poll::Ready(Ok(10)));
        assert_eq!(poll_once(&mut second), Poll::Ready(Ok(20)));
        assert!(rx.is_empty());
    }

    #[test]
    fn a_full_lane_gives_the_letter_back_and_takes_the_next_once_drained() {
        let (tx, rx) = lane::<&str, ()>(2, || ());
        let _a = tx.send("a").unwrap();
        let _b = tx.send("b").unwrap();
        assert!(matches!(tx.send("c"), Err(Refused::Full("c"))));
        assert_eq!(rx.len(), 2);
        rx.take().unwrap().1.acknowledge(());
        assert!(tx.send("c").is_ok());
    }

    #[test]
    fn a_shard_that_goes_away_loses_nothing_silently() {
        let (tx, rx) = lane::<u8, ()>(2, || ());
        let mut waiting = tx.send(1).unwrap();
        let mut held = tx.send(2).unwrap();
        let (_, ack) = rx.take().unwrap();
        drop(ack);
        assert_eq!(poll_once(&mut waiting), Poll::Ready(Err(Lost)));
        drop(rx);
        assert_eq!(poll_once(&mut held), Poll::Ready(Err(Lost)));
        assert!(matches!(tx.send(3), Err(Refused::Closed(3))));
    }

    #[test]
    fn many_senders_none_lost() {
        let (tx, rx) = lane::<usize, usize>(64, || ());
        let senders: Vec<_> = (0..4)
            .map(|s| {
                let tx = tx.clone();
                std::thread::spawn(move || {
                    let mut pending = Vec::new();
                    for i in 0..1000 {
                        let mut letter = s * 1000 + i;
                        loop {
                            match tx.send(letter) {
                                Ok(p) => break pending.push((s * 1000 + i, p)),
                                Err(Refused::Full(back)) => {
                                    letter = back;
                                    std::thread::yield_now();
                                }
                                Err(Refused::Closed(_)) => panic!("closed"),
                            }
                        }
                    }
                    pending
                })
            })
            .collect();
        let mut seen = Vec::new();
        while seen.len() < 4000 {
            match rx.take() {
                Some((m, ack)) => {
                    seen.push(m);
                    ack.acknowledge(m + 1);
                }
                None => std::thread::yield_now(),
            }
        }
        for sender in senders {
            for (sent, mut pending) in sender.join().unwrap() {
                assert_eq!(poll_once(&mut pending), Poll::Ready(Ok(sent + 1)));
            }
        }
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..4000));
    }
}
