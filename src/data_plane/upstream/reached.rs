//! How far an exchange got: marks that its driver reads when it has ended or its time has run out. Plain data; it times and
//! decides nothing.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use engine::fault::{Fault, FaultClass};
use telemetry::ConnectOutcome;

/// How far an exchange got and what it moved; read when it has ended, or its time has run out.
#[derive(Default)]
pub struct Reached {
    stage: Cell<Stage>,
    began_connect_ns: Cell<u64>,
    /// How a connect ended, and how long it took, if there was one.
    pub connect: Cell<Option<(ConnectOutcome, u64)>>,
    /// When the first byte of the answer came, on [`rt::now`].
    pub first_byte_ns: Cell<Option<u64>>,
    /// Bytes sent, the head included.
    pub sent_bytes: Cell<u64>,
    /// Bytes received, the head included.
    pub received_bytes: Cell<u64>,
    /// The queue for a connection was full.
    pub refused_by_pool: Cell<bool>,
}

/// The stages of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waiting for a connection.
    #[default]
    Pool,
    /// Making one.
    Connect,
    /// The request is on its way.
    Sent,
    /// The answer has begun.
    Answer,
}

impl Reached {
    pub(super) fn at(&self, stage: Stage) {
        self.stage.set(stage);
    }

    pub(super) fn connect_began(&self) {
        self.at(Stage::Connect);
        self.began_connect_ns.set(rt::now());
    }

    /// The first bytes of the answer are here, or further ones.
    pub(super) fn answer_began(&self) {
        if self.stage.replace(Stage::Answer) != Stage::Answer {
            self.first_byte_ns.set(Some(rt::now()));
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received_bytes
            .set(self.received_bytes.get() + bytes as u64);
    }

    pub(super) fn connect_ended(&self, outcome: ConnectOutcome) {
        let took_ns = rt::now().saturating_sub(self.began_connect_ns.get());
        self.connect.set(Some((outcome, took_ns / 1000)));
    }

    /// The fault of an exchange whose time ran out at this point.
    pub fn timeout(&self) -> Fault {
        match self.stage.get() {
            Stage::Pool => Fault::unsent(FaultClass::Overloaded, "timeout_pool"),
            Stage::Connect => {
                self.connect_ended(ConnectOutcome::Timeout);
                Fault::unsent(FaultClass::Timeout, "timeout_connect")
            }
            Stage::Sent => Fault::new(FaultClass::Timeout, "timeout_first_byte"),
            Stage::Answer => Fault::new(FaultClass::Timeout, "timeout_body"),
        }
    }
}

/// Marks that are used again: an exchange allocates none once as many have been made as there are exchanges at once.
#[derive(Default)]
pub struct Marks {
    /// All of them, those in use included, the ones that were handed out longest ago in front.
    all: RefCell<VecDeque<Rc<Reached>>>,
}

/// Marks that are kept for one upstream; more are given back to the allocator.
const MAX_MARKS: usize = 4096;

impl Marks {
    /// Blank marks.
    pub fn blank(&self) -> Rc<Reached> {
        let mut all = self.all.borrow_mut();
        if let Some(mut oldest) = all.pop_front() {
            if let Some(marks) = Rc::get_mut(&mut oldest) {
                *marks = Reached::default();
                all.push_back(oldest.clone());
                return oldest;
            }
            all.push_back(oldest);
        }
        let new = Rc::new(Reached::default());
        if all.len() < MAX_MARKS {
            all.push_back(new.clone());
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_in_use_are_left_alone_and_the_others_used_again() {
        let marks = Marks::default();
        let one = marks.blank();
        one.sent_bytes.set(7);
        let two = marks.blank();
        assert_eq!(two.sent_bytes.get(), 0);
        assert_eq!(one.sent_bytes.get(), 7);
        drop((one, two));
        for _ in 0..10 {
            assert_eq!(marks.blank().sent_bytes.get(), 0);
        }
        assert_eq!(marks.all.borrow().len(), 2);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let marks = Marks::default();
        let out: Vec<_> = (0..MAX_MARKS + 5).map(|_| marks.blank()).collect();
        assert_eq!(marks.all.borrow().len(), MAX_MARKS);
        drop(out);
    }

    #[test]
    fn time_that_runs_out_says_how_far_it_got() {
        let reached = Reached::default();
        assert_eq!(reached.timeout().rule, "timeout_pool");
        reached.at(Stage::Sent);
        assert_eq!(reached.timeout().rule, "timeout_first_byte");
        reached.answer_began();
        assert_eq!(reached.timeout().rule, "timeout_body");
    }
}
