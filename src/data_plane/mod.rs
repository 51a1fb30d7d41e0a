//! The data plane: one instance a core, from a client's socket to an upstream's and back. It decides nothing about
//! upstreams (that is [`engine`]), names no metric (that is [`telemetry`]) and never blocks.
//!
//! ```text
//! listener → connection → incoming → client_body
//!    → pipeline: envelope → asked → ask ─ terms, cache, flights ─► respond → reply
//!                 └ batch: many calls │                               └ relay: long answers
//!                                     └ call (begin, drive) → race → attempt
//!                                          └ upstream: pool, dial, exchange, judge
//! inbox: letters and gossip     prober, heads: chain ids and heads beside the traffic     meter, observe, explain: a call's account    noted, levels: what is counted
//! ```

pub mod alarm;
pub mod ask;
pub mod asked;
pub mod attempt;
pub mod batch;
pub mod cache;
pub mod call;
pub mod catalog;
pub mod client_body;
pub mod connection;
pub mod decisions;
pub mod drain;
pub mod explain;
pub mod flights;
pub mod heads;
pub mod inbox;
pub mod incoming;
pub mod levels;
pub mod listener;
pub mod meter;
pub mod newest;
mod noted;
pub mod observe;
pub mod pipeline;
pub mod policies;
pub mod prober;
pub mod race;
pub mod received;
pub mod relay;
pub mod reply;
pub mod respond;
pub mod route;
pub mod sender;
pub mod shown;
mod snapshot;
mod tariff;
pub mod terms;
pub mod transaction;
pub mod upstream;
pub mod verify;
pub mod worker;

pub use catalog::catalog;

/// What every shard runs.
pub const SHARD_MAIN: crate::control::ShardMain = |seat| Box::pin(inbox::run(seat));
