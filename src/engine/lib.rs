//! Decisions: which upstream, when to retry, when to stop trusting. No I/O, no clock, no log, no thread, no float and no
//! byte of a payload; time and randomness come in as arguments, observations leave as typed notes.
//!
//! The crate reads in three layers. **Vocabulary** names things. **Policies** each answer one question about one upstream
//! or one call and do not know of each other. **Composition** wires them: [`call::Call`] is one call's life,
//! [`shard::Shard`] is everything that one core decides.
//!
//! A driver (the data plane, or the simulator) owns sockets and clocks and turns the crank:
//!
//! ```text
//! begin ──► poll_action* ──► (send, receive, judge) ──► handle_event ──► poll_action* ──► … ──► Complete
//!                 ▲                                          │
//!                 └────────── handle_timeout ◄── next_deadline
//! ```
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

// ── vocabulary ──
pub mod block;
pub mod chain;
pub mod config;
pub mod dialect;
pub mod fault;
pub mod hysteresis;
pub mod index;
pub mod method;
pub mod note;
pub mod protocol;
pub mod rng;
pub mod time;

// ── policies ──
pub mod account;
pub mod ban;
pub mod breaker;
pub mod cache;
pub mod eligibility;
pub mod head;
pub mod hedge;
pub mod learned;
pub mod limit;
pub mod probation;
pub mod quarantine;
pub mod retry;
pub mod score;
pub mod shed;
pub mod strategy;
pub mod throttle;

// ── composition ──
pub mod call;
pub mod gossip;
pub mod shard;
