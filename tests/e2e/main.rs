//! End to end: the real binary on real sockets, in front of synthetic providers that misbehave to order. Real nodes and real
//! client libraries are in `clients/`, run by `tests/run`. Each test of a fault shows that its fault struck.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod agreement;
mod batches;
mod cache_bounds;
mod cache_hits;
mod cache_lives;
mod chaos_answers;
mod chaos_batches;
mod chaos_chain;
mod chaos_doors;
mod chaos_outage;
mod chaos_throttle;
mod chaos_writes;
mod execution_apis;
mod filters;
mod flights;
mod framing;
mod harness;
mod heads;
mod heads_forward;
mod hedging;
mod held_answers;
mod json_rpc;
mod lifecycle;
mod limits;
#[path = "../config/mmdb.rs"]
mod mmdb;
mod observability;
mod own_writes;
mod policies;
mod regions;
mod resilience;
mod sessions;
mod simulate;
mod strategies;
mod streaming;
mod surface;
mod surface_explained;
mod tls;
