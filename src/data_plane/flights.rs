//! Identical calls in flight, joined: the first to ask leads, the others follow and get the same answer. Of one shard. It asks
//! nobody and judges nothing; whether a call may be joined is decided before.
//!
//! - A follower's own deadline is its own affair: it drops its [`Follow`] and is gone.
//! - A leader that lands gives every follower the same outcome. One that is dropped before (its client left, its time is over)
//!   strands nobody: of those who follow, the one with the most time left takes the lead and asks anew. So time that runs out for
//!   many costs one more call and not one each.
//! - A leader that had not the room to hold the answer says nothing to those who have more of it: the same one of these leads.
//! - Equality is over the whole key, never over its hash; the hash is seeded per process.
//!
//! Flights and their buffers are used again: a call that nobody joins allocates nothing.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Flights that are kept for the next calls; more are given back to the allocator.
const MAX_SPARE: usize = 1024;

/// The longest key buffer that is kept with a spare flight.
const MAX_SPARE_KEY_BYTES: usize = 4096;

/// The flights of one shard. `T` is what a leader lands.
pub struct Flights<T> {
    table: RefCell<HashTable<Rc<Flight<T>>>>,
    spare: RefCell<Vec<Rc<Flight<T>>>>,
    hasher: DefaultHashBuilder,
}

/// One flight.
struct Flight<T> {
    key: RefCell<Vec<u8>>,
    hash: Cell<u64>,
    /// The head at which it began.
    height: Cell<u64>,
    state: RefCell<State<T>>,
    /// Whether anybody follows; the leader's exchange looks at it.
    followed: Cell<bool>,
    followers: Cell<usize>,
    /// Who follows, by seat.
    seats: RefCell<Vec<Option<Seat>>>,
}

/// A follower's place.
#[derive(Default)]
struct Seat {
    waker: Option<Waker>,
    /// When its own time is over.
    until_ns: u64,
}

enum State<T> {
    /// Led, and not at its end.
    Flying,
    /// Its leader is gone and nobody has taken over yet.
    Orphaned,
    /// The same, for want of room: an outcome for whoever has no more than so many bytes either.
    Cramped(Rc<T>, usize),
    /// At its end.
    Landed(Rc<T>),
    /// Its leader goes on alone: whoever followed asks for itself.
    Closed,
}

/// What a call becomes when it asks to join.
pub enum Joined<T> {
    /// The first to ask.
    Lead(Lead<T>),
    /// Somebody has asked already.
    Follow(Follow<T>),
}

/// What a follower is told.
pub enum Turn<T> {
    /// The leader's outcome.
    Landed(Rc<T>),
    /// The leader is gone: this call leads now.
    Lead(Lead<T>),
    /// The leader's answer cannot be shared: ask alone.
    Alone,
}

impl<T> Flights<T> {
    /// No flight.
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            table: RefCell::new(HashTable::new()),
            spare: RefCell::new(Vec::new()),
            hasher: DefaultHashBuilder::default(),
        })
    }

    /// Joins the flight of this key, or begins one. A flight that began at another `height` ([`ChainHead::seq`]) is not joined:
    /// its answer may be one that the caller knows to be out of date.
    ///
    /// [`ChainHead::seq`]: engine::head::ChainHead::seq
    pub fn join(self: &Rc<Self>, key: &[u8], height: u64) -> Joined<T> {
        let hash = self.hasher.hash_one(key);
        let mut table = self.table.borrow_mut();
        let same =
            |flight: &Rc<Flight<T>>| flight.height.get() == height && *flight.key.borrow() == key;
        if let Some(flight) = table.find(hash, same) {
            let flight = flight.clone();
            drop(table);
            return Joined::Follow(self.follow(flight));
        }
        let flight = self.blank();
        flight.hash.set(hash);
        flight.height.set(height);
        flight.key.borrow_mut().extend_from_slice(key);
        table.insert_unique(hash, flight.clone(), |flight| flight.hash.get());
        Joined::Lead(self.lead(flight))
    }

    /// How many flights can be joined now.
    pub fn len(&self) -> usize {
        self.table.borrow().len()
    }

    /// Whether nothing can be joined now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lead(self: &Rc<Self>, flight: Rc<Flight<T>>) -> Lead<T> {
        Lead {
            flights: self.clone(),
            flight: Some(flight),
        }
    }

    fn follow(self: &Rc<Self>, flight: Rc<Flight<T>>) -> Follow<T> {
        flight.followed.set(true);
        flight.followers.set(flight.followers.get() + 1);
        let seat = {
            let mut seats = flight.seats.borrow_mut();
            seats.push(Some(Seat::default()));
            seats.len() - 1
        };
        Follow {
            flights: self.clone(),
            flight: Some(flight),
            seat,
        }
    }

    /// A flight that nobody knows yet.
    fn blank(&self) -> Rc<Flight<T>> {
        self.spare.borrow_mut().pop().unwrap_or_else(|| {
            Rc::new(Flight {
                key: RefCell::new(Vec::new()),
                hash: Cell::new(0),
                height: Cell::new(0),
                state: RefCell::new(State::Flying),
                followed: Cell::new(false),
                followers: Cell::new(0),
                seats: RefCell::new(Vec::new()),
            })
        })
    }

    /// Nobody can join any more.
    fn take_off_the_table(&self, flight: &Rc<Flight<T>>) {
        let mut table = self.table.borrow_mut();
        if let Ok(entry) = table.find_entry(flight.hash.get(), |known| Rc::ptr_eq(known, flight)) {
            drop(entry.remove());
        }
    }

    /// Its leader is gone: whoever follows is to see to it.
    fn pass_on(&self, flight: Rc<Flight<T>>, state: State<T>) {
        if flight.followers.get() == 0 {
            self.take_off_the_table(&flight);
            self.put_by(flight);
        } else {
            flight.state.replace(state);
            flight.wake_all();
        }
    }

    /// Keeps a flight that nobody needs any more for the next call.
    fn put_by(&self, flight: Rc<Flight<T>>) {
        let mut spare = self.spare.borrow_mut();
        if Rc::strong_count(&flight) > 1
            || spare.len() >= MAX_SPARE
            || flight.key.borrow().capacity() > MAX_SPARE_KEY_BYTES
        {
            return;
        }
        flight.key.borrow_mut().clear();
        flight.seats.borrow_mut().clear();
        flight.state.replace(State::Flying);
        flight.followed.set(false);
        flight.followers.set(0);
        spare.push(flight);
    }
}

impl<T> Flight<T> {
    fn wake_all(&self) {
        // One at a time, so that a waker may do what it likes with the flight.
        for seat in 0.. {
            let waker = match self.seats.borrow_mut().get_mut(seat) {
                Some(taken) => taken.as_mut().and_then(|seat| seat.waker.take()),
                None => break,
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Whether nobody who follows has more time than until then.
    fn is_longest(&self, until_ns: u64) -> bool {
        let seats = self.seats.borrow();
        seats.iter().flatten().all(|seat| seat.until_ns <= until_ns)
    }
}

/// The duty to land a flight. Dropped without, the flight is orphaned.
pub struct Lead<T> {
    flights: Rc<Flights<T>>,
    flight: Option<Rc<Flight<T>>>,
}

impl<T> Lead<T> {
    /// Whether anybody follows, or has. Others may join later.
    pub fn is_followed(&self) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.followed.get())
    }

    /// How many follow now.
    pub fn followers(&self) -> usize {
        self.flight
            .as_ref()
            .map_or(0, |flight| flight.followers.get())
    }

    /// Ends the flight: every follower gets this.
    pub fn land(mut self, outcome: Rc<T>) {
        self.end(State::Landed(outcome));
    }

    /// Ends the flight without an outcome to share: whoever follows asks alone.
    pub fn close(mut self) {
        self.end(State::Closed);
    }

    /// Leaves the flight for want of room: whoever has no more than `room` bytes either gets this outcome, and one of the others
    /// leads.
    pub fn leave_to_roomier(mut self, outcome: Rc<T>, room: usize) {
        if let Some(flight) = self.flight.take() {
            self.flights.pass_on(flight, State::Cramped(outcome, room));
        }
    }

    fn end(&mut self, state: State<T>) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        self.flights.take_off_the_table(&flight);
        flight.state.replace(state);
        flight.wake_all();
        self.flights.put_by(flight);
    }
}

impl<T> Drop for Lead<T> {
    fn drop(&mut self) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        self.flights.pass_on(flight, State::Orphaned);
    }
}

/// A place in somebody else's flight.
pub struct Follow<T> {
    flights: Rc<Flights<T>>,
    flight: Option<Rc<Flight<T>>>,
    seat: usize,
}

impl<T> Follow<T> {
    /// Waits for the leader's outcome, or for the lead. Its own time is over at `until_ns`, which it has to see to itself; `room`
    /// says how many bytes it could hold of an answer.
    pub async fn turn(&mut self, until_ns: u64, room: impl Fn() -> usize) -> Turn<T> {
        poll_fn(|cx| self.poll_turn(cx, until_ns, &room)).await
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        until_ns: u64,
        room: impl Fn() -> usize,
    ) -> Poll<Turn<T>> {
        let Some(flight) = &self.flight else {
            return Poll::Ready(Turn::Alone);
        };
        let turn = match &mut *flight.state.borrow_mut() {
            State::Landed(outcome) => Turn::Landed(outcome.clone()),
            State::Closed => Turn::Alone,
            State::Cramped(outcome, had) if room() <= *had => Turn::Landed(outcome.clone()),
            free @ (State::Orphaned | State::Cramped(..)) if flight.is_longest(until_ns) => {
                *free = State::Flying;
                Turn::Lead(self.flights.lead(flight.clone()))
            }
            State::Flying | State::Orphaned | State::Cramped(..) => {
                if let Some(Some(seat)) = flight.seats.borrow_mut().get_mut(self.seat) {
                    seat.until_ns = until_ns;
                    if !seat.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                        seat.waker = Some(cx.waker().clone());
                    }
                }
                return Poll::Pending;
            }
        };
        self.leave();
        Poll::Ready(turn)
    }

    /// Gives the place up.
    fn leave(&mut self) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        if let Some(seat) = flight.seats.borrow_mut().get_mut(self.seat) {
            *seat = None;
        }
        let left = flight.followers.get().saturating_sub(1);
        flight.followers.set(left);
        let is_free = matches!(
            &*flight.state.borrow(),
            State::Orphaned | State::Cramped(..)
        );
        if left > 0 {
            if is_free {
                // It may have been the one that the others left the lead to.
                flight.wake_all();
            }
            return;
        }
        let over = match &*flight.state.borrow() {
            State::Flying => false,
            State::Landed(_) | State::Closed => true,
            State::Orphaned | State::Cramped(..) => {
                // The last one left between the leader's going and its own turn to lead.
                self.flights.take_off_the_table(&flight);
                true
            }
        };
        if over {
            self.flights.put_by(flight);
        }
    }
}

impl<T> Drop for Follow<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    fn lead(joined: Joined<u32>) -> Lead<u32> {
        match joined {
            Joined::Lead(lead) => lead,
            Joined::Follow(_) => panic!("should lead"),
        }
    }

    fn follow(joined: Joined<u32>) -> Follow<u32> {
        match joined {
            Joined::Follow(follow) => follow,
            Joined::Lead(_) => panic!("should follow"),
        }
    }

    fn now(follow: &mut Follow<u32>) -> Option<Turn<u32>> {
        within(follow, 0, 0)
    }

    fn within(follow: &mut Follow<u32>, until_ns: u64, room: usize) -> Option<Turn<u32>> {
        block_on(poll_once(follow.turn(until_ns, || room)))
    }

    fn landed(turn: Option<Turn<u32>>) -> u32 {
        match turn {
            Some(Turn::Landed(value)) => *value,
            _ => panic!("should have landed"),
        }
    }

    #[test]
    fn one_of_another_height_is_not_joined() {
        let flights = Flights::<u32>::new();
        let old = lead(flights.join(b"a", 1));
        let new = lead(flights.join(b"a", 2));
        let mut late = follow(flights.join(b"a", 2));
        old.land(Rc::new(1));
        assert!(
            now(&mut late).is_none(),
            "the old one's answer is not for it"
        );
        new.land(Rc::new(2));
        assert_eq!(landed(now(&mut late)), 2);
        assert!(flights.is_empty());
    }

    #[test]
    fn followers_get_what_the_leader_lands_and_the_next_asks_anew() {
        let flights = Flights::new();
        let leader = lead(flights.join(b"a", 0));
        assert!(!leader.is_followed());
        let mut one = follow(flights.join(b"a", 0));
        let mut two = follow(flights.join(b"a", 0));
        let other = lead(flights.join(b"b", 0));
        assert_eq!((leader.followers(), other.followers()), (2, 0));
        assert!(now(&mut one).is_none());
        leader.land(Rc::new(7));
        assert_eq!(landed(now(&mut one)), 7);
        assert_eq!(landed(now(&mut two)), 7);
        drop(lead(flights.join(b"a", 0)));
        drop(other);
        assert!(flights.is_empty());
    }

    #[test]
    fn a_leader_that_leaves_strands_nobody() {
        let flights = Flights::new();
        let leader = lead(flights.join(b"a", 0));
        let mut one = follow(flights.join(b"a", 0));
        let mut two = follow(flights.join(b"a", 0));
        drop(leader);
        let Some(Turn::Lead(second)) = now(&mut two) else {
            panic!("the first that looks leads");
        };
        assert!(now(&mut one).is_none(), "and only that one");
        let mut late = follow(flights.join(b"a", 0));
        second.land(Rc::new(9));
        assert_eq!(landed(now(&mut one)), 9);
        assert_eq!(landed(now(&mut late)), 9);
        assert!(flights.is_empty());
    }

    #[test]
    fn whoever_has_the_most_time_left_leads() {
        let flights = Flights::new();
        let leader = lead(flights.join(b"a", 0));
        let mut followers: Vec<_> = (0..3).map(|_| follow(flights.join(b"a", 0))).collect();
        for (follower, until_ns) in followers.iter_mut().zip([5, 9, 7]) {
            assert!(within(follower, until_ns, 0).is_none());
        }
        drop(leader);
        assert!(within(&mut followers[2], 7, 0).is_none());
        assert!(within(&mut followers[0], 5, 0).is_none());
        // It leaves before its turn: then it is the next one's.
        drop(followers.remove(1));
        assert!(within(&mut followers[0], 5, 0).is_none());
        let Some(Turn::Lead(second)) = within(&mut followers[1], 7, 0) else {
            panic!("nobody has more time");
        };
        second.land(Rc::new(4));
        assert_eq!(landed(within(&mut followers[0], 5, 0)), 4);
        assert!(flights.is_empty());
    }

    #[test]
    fn who_waits_for_another_to_lead_is_woken_when_it_leaves() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};
        struct Count(AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let flights = Flights::<u32>::new();
        let leader = lead(flights.join(b"a", 0));
        let mut short = follow(flights.join(b"a", 0));
        let mut long = follow(flights.join(b"a", 0));
        assert!(within(&mut long, 9, 0).is_none());
        drop(leader);
        assert!(short.poll_turn(&mut cx, 5, || 0).is_pending());
        drop(long);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(short.poll_turn(&mut cx, 5, || 0).is_ready());
    }

    #[test]
    fn want_of_room_is_told_to_those_who_have_no_more() {
        let flights = Flights::new();
        let leader = lead(flights.join(b"a", 0));
        let mut followers: Vec<_> = (0..3).map(|_| follow(flights.join(b"a", 0))).collect();
        leader.leave_to_roomier(Rc::new(6), 100);
        assert_eq!(landed(within(&mut followers[0], 9, 100)), 6);
        let Some(Turn::Lead(second)) = within(&mut followers[1], 5, 101) else {
            panic!("it has more room");
        };
        assert!(within(&mut followers[2], 5, 101).is_none());
        second.land(Rc::new(7));
        assert_eq!(landed(within(&mut followers[2], 5, 101)), 7);
        assert!(flights.is_empty());
        // Nobody has more: nothing is left of the flight.
        let leader = lead(flights.join(b"a", 0));
        let mut one = follow(flights.join(b"a", 0));
        leader.leave_to_roomier(Rc::new(8), 100);
        assert_eq!(landed(within(&mut one, 5, 1)), 8);
        assert!(flights.is_empty());
        // Nobody follows: neither.
        lead(flights.join(b"a", 0)).leave_to_roomier(Rc::new(8), 100);
        assert!(flights.is_empty());
    }

    #[test]
    fn an_orphan_that_everybody_leaves_is_gone() {
        let flights = Flights::new();
        let leader = lead(flights.join(b"a", 0));
        let one = follow(flights.join(b"a", 0));
        drop(leader);
        assert_eq!(flights.len(), 1);
        drop(one);
        assert!(flights.is_empty());
        drop(lead(flights.join(b"a", 0)));
    }

    #[test]
    fn a_leader_on_its_own_way_sends_its_followers_on_theirs() {
        let flights = Flights::new();
        let leader = lead(flights.join(b"a", 0));
        let mut one = follow(flights.join(b"a", 0));
        leader.close();
        assert!(matches!(now(&mut one), Some(Turn::Alone)));
        assert!(flights.is_empty());
    }

    #[test]
    fn a_follower_may_leave_at_any_time() {
        let flights = Flights::new();
        let leader = lead(flights.join(b"a", 0));
        let mut one = follow(flights.join(b"a", 0));
        assert!(now(&mut one).is_none());
        drop(one);
        assert_eq!(leader.followers(), 0);
        assert!(leader.is_followed(), "its answer may have been held for it");
        leader.land(Rc::new(1));
        assert!(flights.is_empty());
    }

    #[test]
    fn flights_are_used_again_and_bounded() {
        let flights: Rc<Flights<u32>> = Flights::new();
        for _ in 0..3 {
            let leads: Vec<_> = (0..MAX_SPARE as u32 + 10)
                .map(|n| lead(flights.join(&n.to_le_bytes(), 0)))
                .collect();
            for one in leads {
                one.land(Rc::new(0));
            }
        }
        assert_eq!(flights.spare.borrow().len(), MAX_SPARE);
        drop(lead(flights.join(&[0; MAX_SPARE_KEY_BYTES * 2], 0)));
        assert!(
            flights
                .spare
                .borrow()
                .iter()
                .all(|flight| flight.key.borrow().capacity() <= MAX_SPARE_KEY_BYTES)
        );
    }
}
