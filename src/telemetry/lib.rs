//! Every metric and event, declared once; per-shard recorders; renderers.
//!
//! - [`metrics`] is the table of metrics, [`events`] the table of events: nothing else names one.
//! - A shard owns a [`Recorder`] and tells it what happens by index; on a scrape it hands out a [`Snapshot`].
//! - The control plane merges snapshots and renders them: [`prometheus`], [`hlog`].
//! - Events go through an [`AccessLog`] to a writer that makes [`event_line`]s of them.
//! - [`log`] is the program's own log, whose level changes at run time.
//!
//! Never reads a clock, opens a socket or a file, or shares a number between threads while it is counted.

mod access_queue;
mod answers;
mod dimensions;
pub mod event_line;
pub mod events;
mod foreign;
mod health;
pub mod hlog;
mod labels;
pub mod log;
pub mod manual;
pub mod metrics;
pub mod prometheus;
mod record;
mod recorder;
mod series;
mod snapshot;
mod spend;
mod wall_time;

#[cfg(test)]
mod tests;

pub use access_queue::{AccessLog, EventReceiver, Sampler};
pub use answers::{CacheLevels, ChainLevels, GossipLevels};
pub use dimensions::{ChainDimension, Dimensions, OTHER_METHOD, UpstreamDimension};
pub use events::{CallEnd, Event, EventHead, SelectionMade};
pub use foreign::{ForeignText, MAX_FOREIGN_BYTES, push_json_string};
pub use health::BearingLevels;
pub use labels::{
    AttemptOutcome, CacheLifetime, CacheStatus, CallOutcome, ConnectOutcome, ConnectionRefusal,
    FlightOutcome, GossipResult, HeadKind, HeadPoll, HedgeOutcome, LearnedKind, LimitKind, Period,
    PollOutcome, PoolState, Protocol, RequestRefusal, ResolveOutcome, RetryKind, STATUS_CODES,
    STATUS_LABELS, status_index,
};
pub use metrics::{METRICS, Metric};
pub use record::{
    AttemptRecord, CallRecord, PoolLevels, RequestRecord, RuntimeLevels, UpstreamLevels,
};
pub use recorder::{COPY_STEP, Copying, MAX_HISTOGRAMS, Recorder};
pub use series::{DURATION_BOUNDS, HIGHEST_DURATION_US, SIZE_BOUNDS, Series};
pub use snapshot::{DimensionsDiffer, Snapshot};
pub use spend::{AccountLevels, PeriodLevels};
pub use wall_time::push_rfc3339;
