//! The control plane: one a process, an ordinary thread with ordinary libraries. It starts and drains the shards, serves the
//! admin port, looks names up and writes logs. It is never on a request's path and never touches a shard's state: it writes
//! letters ([`crate::control`]).

pub mod access_log;
pub mod admin;
pub mod fleet;
pub mod node;
pub mod regions;
pub mod resolve;
pub mod scrape;
pub mod tls;
