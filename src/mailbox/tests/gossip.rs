//! The gossip lanes as their users see them: order, turns, what is displaced, who is rung for, who is gone; and threads that sleep.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use mailbox::gossip::{GossipCounts, Port, mesh};

/// Ports, and how often each was rung for.
fn ports<M: Send>(shards: usize, capacity: usize) -> (Vec<Port<M>>, Arc<[AtomicU32]>) {
    let rings: Arc<[AtomicU32]> = (0..shards).map(|_| AtomicU32::new(0)).collect();
    let rung = rings.clone();
    let ports = mesh(shards, capacity, move |to| {
        rung[to].fetch_add(1, Ordering::Relaxed);
    });
    (ports, rings)
}

fn taken<M: Send>(port: &Port<M>) -> Vec<(usize, M)> {
    std::iter::from_fn(|| port.take()).collect()
}

#[test]
fn everyone_else_is_told_and_each_lane_keeps_its_order() {
    let (ports, rings) = ports(3, 4);
    ports[1].tell_all(&"first");
    ports[1].tell_all(&"second");
    assert_eq!(taken(&ports[0]), [(1, "first"), (1, "second")]);
    assert_eq!(taken(&ports[2]), [(1, "first"), (1, "second")]);
    assert_eq!(taken(&ports[1]), []);
    let rung: Vec<_> = rings.iter().map(|r| r.load(Ordering::Relaxed)).collect();
    assert_eq!(rung, [1, 0, 1]);
    assert_eq!(
        (ports[2].number(), ports[2].shards()),
        (2, 3),
        "a port knows its place"
    );
}

#[test]
fn a_full_lane_loses_its_oldest_and_counts_it() {
    let (ports, _) = ports(2, 3);
    for message in 1..=3 {
        ports[0].tell(1, message);
    }
    assert_eq!(ports[0].counts().dropped, 0, "as many as it holds");
    ports[0].tell(1, 4);
    assert_eq!(ports[0].counts().dropped, 1, "one more");
    ports[0].tell(1, 5);
    assert_eq!(taken(&ports[1]), [(0, 3), (0, 4), (0, 5)]);
    let sender = GossipCounts {
        sent: 5,
        dropped: 2,
        received: 0,
    };
    assert_eq!(ports[0].counts(), sender);
    assert_eq!(ports[1].counts().received, 3);
}

#[test]
fn a_lane_of_none_holds_one() {
    let (ports, _) = ports(2, 0);
    ports[0].tell(1, 'a');
    ports[0].tell(1, 'b');
    assert_eq!(taken(&ports[1]), [(0, 'b')]);
}

#[test]
fn a_chatty_sender_neither_starves_nor_displaces_the_others() {
    let (ports, _) = ports(4, 8);
    for message in 0..100 {
        ports[1].tell(0, message);
    }
    ports[2].tell(0, 1000);
    ports[3].tell(0, 2000);
    ports[3].tell(0, 2001);
    let order: Vec<_> = taken(&ports[0]).into_iter().map(|(from, _)| from).collect();
    assert_eq!(order, [1, 2, 3, 1, 3, 1, 1, 1, 1, 1, 1]);
    assert_eq!(ports[2].counts().dropped + ports[3].counts().dropped, 0);
}

#[test]
fn the_turn_goes_on_where_it_was() {
    let (ports, _) = ports(3, 8);
    for message in 0..3 {
        ports[1].tell(0, message);
    }
    assert_eq!(ports[0].take(), Some((1, 0)));
    ports[2].tell(0, 9);
    assert_eq!(ports[0].take(), Some((2, 9)));
    assert_eq!(ports[0].take(), Some((1, 1)));
}

#[test]
fn the_bell_rings_once_until_the_receiver_has_looked() {
    let (ports, rings) = ports(3, 8);
    let rung = || rings[0].load(Ordering::Relaxed);
    ports[1].tell(0, 1);
    ports[1].tell(0, 2);
    ports[2].tell(0, 3);
    assert_eq!(rung(), 1);
    assert_eq!(taken(&ports[0]).len(), 3);
    ports[2].tell(0, 4);
    assert_eq!(rung(), 2, "it found nothing, so it may sleep");
}

#[test]
fn who_is_gone_gets_nothing_and_keeps_nothing() {
    let (mut ports, rings) = ports(2, 4);
    let message = Arc::new(());
    let gone = ports.pop().unwrap();
    ports[0].tell(1, message.clone());
    ports[0].tell(1, message.clone());
    assert!(gone.take().is_some());
    drop(gone);
    assert_eq!(Arc::strong_count(&message), 1);
    let before = rings[1].load(Ordering::Relaxed);
    for _ in 0..1000 {
        ports[0].tell_all(&message);
    }
    assert_eq!(Arc::strong_count(&message), 1);
    assert_eq!(rings[1].load(Ordering::Relaxed), before);
    let counts = GossipCounts {
        sent: 1002,
        dropped: 1001,
        received: 0,
    };
    assert_eq!(ports[0].counts(), counts);
}

#[test]
fn a_message_to_oneself_or_to_nobody_is_dropped() {
    let (ports, rings) = ports(2, 4);
    ports[0].tell(0, 1);
    ports[0].tell(7, 2);
    assert_eq!((ports[0].take(), ports[1].take()), (None, None));
    let counts = ports[0].counts();
    assert_eq!((counts.sent, counts.dropped), (2, 2));
    assert_eq!(rings[0].load(Ordering::Relaxed), 0);
}

#[test]
fn one_shard_alone_has_nobody_to_tell() {
    let (ports, _) = ports(1, 4);
    ports[0].tell_all(&1);
    assert_eq!(ports[0].counts(), GossipCounts::default());
    assert_eq!(ports[0].take(), None);
}

/// Messages that each thread sends to each other one.
const MESSAGES: u32 = 20_000;

/// Sends and takes, then sleeps between takes until it has everybody's last message; the port for the count.
fn chat(port: Port<u32>, burst: u32) -> Port<u32> {
    let mut last = vec![0; port.shards()];
    last[port.number()] = MESSAGES;
    let hear = |last: &mut Vec<u32>| {
        while let Some((from, message)) = port.take() {
            assert!(message > last[from], "a lane keeps its order");
            last[from] = message;
        }
    };
    for message in 1..=MESSAGES {
        port.tell_all(&message);
        if message % burst == 0 {
            hear(&mut last);
        }
    }
    loop {
        hear(&mut last);
        if last.iter().all(|last| *last == MESSAGES) {
            return port;
        }
        // The time is only there to fail rather than hang: nobody else wakes it.
        let slept = std::time::Instant::now();
        thread::park_timeout(Duration::from_secs(60));
        assert!(
            slept.elapsed() < Duration::from_secs(60),
            "it slept on mail"
        );
    }
}

#[test]
fn threads_that_sleep_hear_everybodys_last_word_and_every_message_is_accounted_for() {
    let threads: Arc<[OnceLock<Thread>]> = (0..4).map(|_| OnceLock::new()).collect();
    let bells = threads.clone();
    let ports = mesh(4, 16, move |to| {
        if let Some(thread) = bells[to].get() {
            thread.unpark();
        }
    });
    let running: Vec<_> = ports
        .into_iter()
        .map(|port| {
            let threads = threads.clone();
            thread::spawn(move || {
                threads[port.number()].set(thread::current()).unwrap();
                let burst = [1, 7, 64, 1000][port.number()];
                chat(port, burst)
            })
        })
        .collect();
    // All ports live until all have ended: nobody is told of somebody who is gone.
    let ports: Vec<_> = running.into_iter().map(|t| t.join().unwrap()).collect();
    let total = |of: fn(GossipCounts) -> u64| ports.iter().map(|p| of(p.counts())).sum::<u64>();
    assert_eq!(total(|c| c.sent), 4 * 3 * u64::from(MESSAGES));
    assert_eq!(
        total(|c| c.sent),
        total(|c| c.received) + total(|c| c.dropped)
    );
}

#[test]
fn threads_that_end_while_others_talk_leave_nothing_behind() {
    let message = Arc::new(());
    for _ in 0..200 {
        let mut ports = mesh::<Arc<()>>(3, 2, |_| ());
        let gone = ports.pop().unwrap();
        let talking: Vec<_> = ports
            .into_iter()
            .map(|port| {
                let message = message.clone();
                thread::spawn(move || {
                    (0..50).for_each(|_| port.tell(2, message.clone()));
                    port
                })
            })
            .collect();
        let taken = taken(&gone).len() as u64;
        drop(gone);
        let ports: Vec<_> = talking.into_iter().map(|t| t.join().unwrap()).collect();
        let dropped: u64 = ports.iter().map(|port| port.counts().dropped).sum();
        assert_eq!(taken + dropped, 100);
        assert_eq!(
            Arc::strong_count(&message),
            1,
            "while the senders' ports live"
        );
    }
}
