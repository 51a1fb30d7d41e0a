//! Configuration: text to file model to validated model, with every problem's place and remedy.
//!
//! The road is `text → tree (with places) → file model → validated model`. Each step goes on after a
//! problem, so that an operator sees all of them at once. The crate opens the files that a
//! configuration names (TLS material, `*_file` secrets) and nothing else: no sockets, no clock, no
//! global state; the environment is passed in. A secret never appears in a problem or a dump.

pub mod model;

pub use model::{
    AccessLog, Batch, Breaker, Chain, Compression, Config, Cores, Cors, Header, Limits, Log,
    LogFormat, LogLevel, LogPath, MethodFilter, MethodPattern, MethodPolicy, MethodRule, Pool,
    Probe, Resolver, Retry, Secret, Server, ServerTls, Setting, Strategy, TrustRoots, Upstream,
    UpstreamTls, UpstreamUrl,
};
