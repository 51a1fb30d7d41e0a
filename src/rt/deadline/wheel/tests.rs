//! The wheel against a sorted list: the same deadlines, none early, none later than its resolution.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};

use super::*;

#[derive(Default)]
struct Count(AtomicU64);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (count.clone(), Waker::from(count))
}

fn fire(wheel: &mut Wheel, now_ns: u64) {
    let mut due = Vec::new();
    wheel.advance(now_ns, &mut due);
    due.into_iter().for_each(Waker::wake);
}

#[test]
fn random_deadlines_fire_once_in_their_tick_and_cancelled_ones_never() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut now = 5_000_000_000u64;
    let mut wheel = Wheel::new(now);
    let mut expected: BTreeMap<u64, (u64, Arc<Count>, Entry)> = BTreeMap::new();
    let mut fired = 0;
    for step in 0..20_000u64 {
        let range = [1_000_000, 50_000_000, 3_000_000_000, 400_000_000_000]
            [usize::try_from(step % 4).unwrap()];
        let deadline = now + random() % range;
        let (count, waker) = counting();
        let entry = wheel.insert(deadline, waker);
        expected.insert(step, (deadline, count, entry));
        if step % 3 == 0 {
            let victim = random() % (step + 1);
            if let Some((_, count, entry)) = expected.remove(&victim) {
                assert!(wheel.cancel(entry).is_some());
                assert_eq!(count.0.load(Ordering::Relaxed), 0);
                assert!(wheel.cancel(entry).is_none());
            }
        }
        now += random() % [500_000, 20_000_000][usize::try_from(step % 2).unwrap()];
        fire(&mut wheel, now);
        expected.retain(|_, (deadline, count, entry)| {
            let done = count.0.load(Ordering::Relaxed);
            if done == 0 {
                assert!(
                    now < *deadline + (1 << TICK_SHIFT),
                    "late: {} ns",
                    now - *deadline
                );
                assert!(wheel.holds(*entry));
                return true;
            }
            assert_eq!(done, 1);
            assert!(now >= *deadline, "early");
            fired += 1;
            false
        });
        assert_eq!(wheel.len(), expected.len());
        if let Some(next) = wheel.next_ns() {
            let earliest = expected
                .values()
                .map(|(deadline, ..)| *deadline)
                .min()
                .unwrap();
            assert!(next <= earliest + (1 << TICK_SHIFT));
        } else {
            assert!(expected.is_empty());
        }
    }
    assert!(fired > 5_000, "{fired}");
}

#[test]
fn next_is_exact_near_by_so_that_a_parked_ring_does_not_wake_for_nothing() {
    let mut wheel = Wheel::new(0);
    let (_, waker) = counting();
    assert_eq!(wheel.next_ns(), None);
    wheel.insert(10 << TICK_SHIFT, waker);
    assert_eq!(wheel.next_ns(), Some(10 << TICK_SHIFT));
}

#[test]
fn the_far_future_and_the_past_are_legal() {
    let mut wheel = Wheel::new(1 << 40);
    let (never, waker) = counting();
    let entry = wheel.insert(u64::MAX, waker);
    let (late, waker) = counting();
    wheel.insert(0, waker);
    fire(&mut wheel, 1 << 40);
    assert_eq!(
        (
            never.0.load(Ordering::Relaxed),
            late.0.load(Ordering::Relaxed)
        ),
        (0, 1)
    );
    fire(&mut wheel, 1 << 60);
    assert!(
        wheel.holds(entry),
        "a deadline beyond the horizon moves on with it"
    );
}
