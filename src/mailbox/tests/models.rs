//! Both lanes and the watermark under loom, which runs the interleavings of the threads (up to a number of preemptions) and every
//! value that the memory model lets a load return. The queue inside a lane is a model of a linearisable one (`sync.rs`); everything
//! around it is the code that ships. The doorbell is a transcription of `rt::Doorbell`. A receiver that sleeps on mail
//! is a deadlock, which loom reports (and then aborts, since destructors run outside of its scheduler).
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mailbox --test models`
//!
//! That the models can fail was tried with these changes to the lanes, one at a time. Each is found:
//!
//! - gossip: `DUE` set and rung for before the push; looking before `DUE` is cleared; `DUE` cleared by a store rather than a
//!   read-modify-write; `DUE` or `CLOSED` set, or `DUE` cleared, with relaxed ordering; no look at `CLOSED` after the push; lanes emptied before `CLOSED`
//!   is set; a displaced message not counted
//! - control: ringing before the push; no look at `closed` after the push; either of the two fences missing; the lane emptied before
//!   `closed` is set
//! - watermark: a store in place of the maximum
#![cfg(loom)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use loom::sync::Notify;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use mailbox::control::{Lost, Pending, Refused, lane};
use mailbox::gossip::{Port, mesh};
use mailbox::watermark::Watermark;

/// `rt::Doorbell` and `rt::rung`: a flag, and an eventfd that is written when the flag was not up.
struct Bell {
    rung: AtomicBool,
    eventfd: Notify,
}

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            rung: AtomicBool::new(false),
            eventfd: Notify::new(),
        })
    }

    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            self.eventfd.notify();
        }
    }

    fn wait(&self) {
        while !self.rung.swap(false, Ordering::SeqCst) {
            self.eventfd.wait();
        }
    }
}

/// Runs a model with at most so many preemptions an execution; most errors need two.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// Ports whose shard 0 has a bell; the others are never rung for.
fn ports<M: Send>(shards: usize, capacity: usize) -> (Arc<Bell>, Vec<Port<M>>) {
    let bell = Bell::new();
    let rung = bell.clone();
    let ports = mesh(shards, capacity, move |to| {
        if to == 0 {
            rung.ring();
        }
    });
    (bell, ports)
}

/// sent = received + dropped + waiting, with the ports in order and what the receiver finds at the end.
fn balance<M: Send>(ports: &[&Port<M>]) {
    let waiting: u64 = ports
        .iter()
        .map(|port| std::iter::from_fn(|| port.take()).count() as u64)
        .sum();
    let total = |of: fn(&Port<M>) -> u64| ports.iter().map(|port| of(port)).sum::<u64>();
    // What was waiting is among the received by now.
    let received = total(|port| port.counts().received);
    assert!(waiting <= received);
    assert_eq!(
        total(|port| port.counts().sent),
        received + total(|port| port.counts().dropped)
    );
}

/// The newest message reaches a receiver that sleeps whenever it finds nothing, in a lane of one; what it displaced is counted.
#[test]
fn gossip_never_leaves_a_sleeper_with_mail() {
    model(3, || {
        let (bell, mut ports) = ports::<u32>(2, 1);
        let sender = ports.pop().unwrap();
        let receiver = ports.pop().unwrap();
        let sending = thread::spawn(move || {
            for message in 1..=3 {
                sender.tell(0, message);
            }
            sender
        });
        let mut last = 0;
        while last < 3 {
            match receiver.take() {
                Some((from, message)) => {
                    assert_eq!(from, 1);
                    assert!(message > last, "a lane keeps its order");
                    last = message;
                }
                None => bell.wait(),
            }
        }
        let sender = sending.join().unwrap();
        assert!(receiver.take().is_none());
        balance(&[&receiver, &sender]);
    });
}

/// Two senders, of whom perhaps only one rings: both are heard.
#[test]
fn a_ring_that_another_sender_made_is_enough() {
    model(3, || {
        let (bell, mut ports) = ports::<u32>(3, 2);
        let sending: Vec<_> = [ports.pop().unwrap(), ports.pop().unwrap()]
            .into_iter()
            .map(|port| thread::spawn(move || port.tell(0, 7)))
            .collect();
        let receiver = ports.pop().unwrap();
        let mut heard = [false; 3];
        while !(heard[1] && heard[2]) {
            match receiver.take() {
                Some((from, _)) => assert!(!std::mem::replace(&mut heard[from], true)),
                None => bell.wait(),
            }
        }
        for sending in sending {
            sending.join().unwrap();
        }
        assert!(receiver.take().is_none());
    });
}

/// A receiver that stops at any time: nothing is left in the lane while the sender lives on, everything is counted, and nobody is rung
/// for in vain for ever.
#[test]
fn a_receiver_that_goes_away_leaves_nothing_in_its_lanes() {
    model(3, || {
        let (_bell, mut ports) = ports::<Arc<()>>(2, 2);
        let sender = ports.pop().unwrap();
        let receiver = ports.pop().unwrap();
        let message = Arc::new(());
        let closing = thread::spawn(move || {
            let taken = receiver.take().is_some();
            drop(receiver);
            u64::from(taken)
        });
        for _ in 0..3 {
            sender.tell(0, message.clone());
        }
        let taken = closing.join().unwrap();
        assert_eq!(Arc::strong_count(&message), 1, "kept by nobody");
        let counts = sender.counts();
        assert_eq!(counts.sent, 3);
        assert_eq!(counts.sent, taken + counts.dropped);
    });
}

/// Two shards that tell each other and take at once.
#[test]
fn what_was_sent_is_received_dropped_or_waiting() {
    model(3, || {
        let (_bell, mut ports) = ports::<u32>(2, 1);
        let other = ports.pop().unwrap();
        let one = ports.pop().unwrap();
        let running = thread::spawn(move || {
            other.tell_all(&1);
            other.take();
            other.tell_all(&2);
            other
        });
        one.tell_all(&1);
        one.tell_all(&2);
        one.take();
        let other = running.join().unwrap();
        balance(&[&one, &other]);
    });
}

fn resolved<A>(pending: &mut Pending<A>) -> Result<A, Lost> {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match Pin::new(pending).poll(&mut cx) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("nobody will ever answer"),
    }
}

/// A receiver that takes one letter or none and goes away: each letter is refused, acknowledged or lost, and none is kept.
#[test]
fn every_letter_is_answered_or_lost() {
    model(3, || {
        let (sender, receiver) = lane::<u32, u32>(2, || ());
        let closing = thread::spawn(move || {
            if let Some((letter, ack)) = receiver.take() {
                ack.acknowledge(letter * 10);
            }
        });
        let sent: Vec<_> = (1..=2)
            .map(|letter| (letter, sender.send(letter)))
            .collect();
        closing.join().unwrap();
        let mut acknowledged = 0;
        for (letter, sent) in sent {
            match sent {
                Ok(mut pending) => match resolved(&mut pending) {
                    Ok(answer) => {
                        assert_eq!(answer, letter * 10);
                        acknowledged += 1;
                    }
                    Err(Lost) => (),
                },
                Err(Refused::Closed(back)) => assert_eq!(back, letter),
                Err(Refused::Full(_)) => panic!("there was room"),
            }
        }
        assert!(acknowledged <= 1);
    });
}

/// Two senders and room for one letter: who was accepted is heard by a receiver that sleeps, who was refused has the letter back.
#[test]
fn control_never_leaves_a_sleeper_with_letters() {
    model(3, || {
        let bell = Bell::new();
        let rung = bell.clone();
        let (sender, receiver) = lane::<u32, u32>(1, move || rung.ring());
        let sending: Vec<_> = (1..=2)
            .map(|letter| {
                let sender = sender.clone();
                thread::spawn(move || match sender.send(letter) {
                    Ok(pending) => Some((letter, pending)),
                    Err(Refused::Full(back)) => {
                        assert_eq!(back, letter);
                        None
                    }
                    Err(Refused::Closed(_)) => panic!("nobody closed"),
                })
            })
            .collect();
        // One is accepted in any case, and its sender rings.
        let mut heard = 0;
        while heard == 0 {
            bell.wait();
            while let Some((letter, ack)) = receiver.take() {
                ack.acknowledge(letter * 10);
                heard += 1;
            }
        }
        let sent: Vec<_> = sending.into_iter().map(|it| it.join().unwrap()).collect();
        while let Some((letter, ack)) = receiver.take() {
            ack.acknowledge(letter * 10);
            heard += 1;
        }
        let accepted: Vec<_> = sent.into_iter().flatten().collect();
        assert_eq!(accepted.len(), heard);
        for (letter, mut pending) in accepted {
            assert_eq!(resolved(&mut pending), Ok(letter * 10));
        }
    });
}

/// Nobody sees it fall, and whoever raised it is told at least as much.
#[test]
fn a_watermark_only_rises() {
    loom::model(|| {
        let mark = Arc::new(Watermark::default());
        let raising: Vec<_> = [2, 3]
            .into_iter()
            .map(|to| {
                let mark = mark.clone();
                thread::spawn(move || {
                    let after = mark.raise(to);
                    assert!(after >= to);
                    assert!(mark.get() >= after);
                })
            })
            .collect();
        let first = mark.get();
        let second = mark.get();
        assert!(second >= first);
        for raising in raising {
            raising.join().unwrap();
        }
        assert_eq!(mark.get(), 3);
    });
}
