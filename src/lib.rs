//! Livechain: one JSON-RPC endpoint in front of many EVM RPC providers.
//!
//! | folder | owns |
//! |---|---|
//! | [`engine`] | decisions: which upstream, when to retry, when to stop trusting. Pure |
//! | [`wire`] | bytes ↔ views: HTTP/1.1, JSON-RPC |
//! | [`mailbox`] | lanes between threads |
//! | [`config`] | text → file model → validated model |
//! | [`telemetry`] | every metric and event, declared once |
//! | [`rt`] | executors, the shard's own ring, sockets, deadlines, TLS |
//! | [`data_plane`] | one instance a core: from a client's socket to an upstream's and back |
//! | [`control`] | the letters between the two planes |
//! | [`control_plane`] | one a process: start, drain, admin port, DNS, logs |
//! | [`cli`] | one file a command |
//! | [`manual`] | architecture, decisions, generated reference |

pub mod cli;
pub mod control;
pub mod control_plane;
pub mod data_plane;
pub mod manual;

#[cfg(test)]
#[path = "../tests/config/mmdb.rs"]
mod mmdb;
