//! A shard that sleeps is woken by its doorbell alone, with nothing else to end its sleep; one that never rests still hears it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use rt::Options;
use support::{on_shard, on_shard_with, options};

/// Rings `rings` times, a pause after the answer to the ring before.
fn rings_are_answered(rings: u32, direct_wait: bool, pause: fn(u32) -> Duration) {
    let options = Options {
        direct_wait,
        // Nothing but the ring may end a sleep.
        housekeeping: Duration::from_secs(3600),
        ..options()
    };
    let parks = on_shard_with(options, move || async move {
        let bell = rt::doorbell().unwrap();
        let (answers, answered) = mpsc::channel();
        let ringer = std::thread::spawn(move || {
            for number in 0..rings {
                std::thread::sleep(pause(number));
                bell.ring();
                answered
                    .recv_timeout(Duration::from_secs(20))
                    .unwrap_or_else(|_| panic!("ring {number} woke nobody"));
            }
        });
        for _ in 0..rings {
            rt::rung().await;
            let _ = answers.send(());
        }
        ringer.join().unwrap();
        rt::counters().parks
    });
    assert!(parks > 0, "it never slept, so this showed nothing");
}

#[test]
fn a_ring_wakes_a_shard_that_has_slept_for_long() {
    rings_are_answered(50, true, |_| Duration::from_millis(20));
}

#[test]
fn a_ring_wakes_a_shard_that_just_lies_down() {
    rings_are_answered(2000, false, |number| {
        Duration::from_micros(u64::from(number % 100))
    });
}

#[test]
fn a_task_that_never_rests_keeps_no_ring_waiting() {
    // Of a task that lets the others run every 100 µs; the ring is looked at after some passes over the tasks.
    const PASSES: u32 = 100;
    on_shard(|| async {
        let bell = rt::doorbell().unwrap();
        let answered = Rc::new(Cell::new(0));
        let answers = answered.clone();
        rt::spawn(async move {
            loop {
                rt::rung().await;
                answers.set(answers.get() + 1);
            }
        })
        .detach();
        for ring in 1..=200 {
            bell.ring();
            let mut passes = 0;
            while answered.get() < ring {
                passes += 1;
                assert!(passes < PASSES, "ring {ring} is not heard");
                let until = rt::clock::read() + 100_000;
                while rt::clock::read() < until {}
                rt::yield_now().await;
            }
        }
    });
}
