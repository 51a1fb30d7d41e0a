//! Configuration: text to file model to validated model, with every problem's place and remedy.
//!
//! The road is `text → tree (with places) → file model → validated model`. Each step goes on after a
//! problem, so that an operator sees all of them at once. The crate opens the files that a
//! configuration names (TLS material, `*_file` secrets) and nothing else: no sockets, no clock, no
//! global state; the environment is passed in. A secret never appears in a problem or a dump.

mod aptitude;
mod catalog;
mod dump;
mod environment;
mod file;
mod kind;
mod load;
pub mod model;
mod path;
mod problem;
mod read;
mod reference;
mod report;
mod scalar;
mod schema;
mod source;
mod start;
mod strategy;
mod tree;
mod url;
mod validate;

pub use catalog::{OptionDescription, OptionKind, StrategyCatalog, StrategyDescription};
pub use environment::{
    Environment, GivenEnvironment, MAX_DATABASE_BYTES, MAX_FILE_BYTES, ProcessEnvironment,
};
pub use file::MAX_ATTEMPTS;
pub use load::{load, parse};
pub use model::{
    AccessLog, Account, Batch, Breaker, Cache, CacheTtl, Chain, ChainCache, ClientRegion, Coalesce,
    Compression, Config, Cores, Cors, Geo, Header, Heads, Hedge, HedgeRule, HoldOff, Included,
    Limiter, Limits, Log, LogFormat, LogLevel, LogPath, MaxMind, Measure, MethodFilter,
    MethodPattern, MethodPolicy, MethodRule, Network, Overload, Period, Pool, Price, Probe, Quota,
    Resolver, Retry, Secret, Server, ServerTls, Session, Setting, Strategy, TrustRoots, Upstream,
    UpstreamTls, UpstreamUrl,
};
pub use problem::{Excerpt, Problem, Problems};
pub use reference::reference;
pub use report::{report_json, report_text};
pub use schema::schema;
pub use start::DEFAULT_CHAIN;
pub use url::{UrlFault, is_link_local};
