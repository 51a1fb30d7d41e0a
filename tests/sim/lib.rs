//! Deterministic simulator: shards of the production engine, unmodified, under virtual time, beside an oracle and the field's strategies.
//!
//! It is a second driver around [`engine::shard::Shard`]. It replaces the clock, the network, the providers and the clients, and
//! nothing of the decisions. Every draw comes from one seed, each concern with a stream of its own, so the same
//! [`Scenario`] gives the same [`trace hash`](report::Report::trace_hash), on any machine.
//!
//! ```text
//! scenario ──► world (heap of events, virtual clock) ──► deciders: engine::shard, or a strategy of the field
//!    ▲            │ provider: what an upstream would do        │ actions, notes, news for other shards
//!  swarm          ▼                                            ▼
//!  (seed)       report  ◄──────────────────────────────── auditor (invariants, at every step)
//! ```
//!
//! The [`auditor`] knows no policy's code: it holds what must be true from outside (one outcome a call, nothing before a Retry-After is
//! over, retries within their budget, …) and stops the run with a sentence, the time and the seed when it is not.

pub mod auditor;
pub mod baseline;
pub mod decider;
pub mod distribution;
pub mod file;
pub mod heads;
pub mod judge;
pub mod oracle;
pub mod provider;
pub mod recording;
pub mod report;
pub mod scenario;
pub mod show;
pub mod study;
pub mod swarm;
#[cfg(test)]
mod tests;
pub mod world;

pub use report::Report;
pub use scenario::Scenario;
pub use world::{Violation, run};
