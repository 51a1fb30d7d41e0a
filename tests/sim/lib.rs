//! Deterministic simulator of one shard: the production engine, unmodified, under virtual time.
//!
//! It is a second driver around [`engine::shard::Shard`]. It replaces the clock, the network, the providers and the clients, and
//! nothing of the decisions. Every draw comes from one seed, each concern with a stream of its own, so the same
//! [`Scenario`] gives the same [`trace hash`](report::Report::trace_hash), on any machine.
//!
//! ```text
//! scenario ──► world (heap of events, virtual clock) ──► engine::shard
//!    ▲            │ provider: what an upstream would do        │ notes, actions
//!  swarm          ▼                                            ▼
//!  (seed)       report  ◄──────────────────────────────── auditor (invariants, at every step)
//! ```
//!
//! The [`auditor`] knows no policy's code: it holds what must be true from outside (one outcome a call, nothing before a Retry-After is
//! over, retries within their budget, …) and stops the run with a sentence, the time and the seed when it is not.

pub mod auditor;
pub mod heads;
pub mod latency;
pub mod provider;
pub mod report;
pub mod scenario;
pub mod swarm;
#[cfg(test)]
mod tests;
pub mod world;

pub use report::Report;
pub use scenario::Scenario;
pub use world::{Violation, run};
