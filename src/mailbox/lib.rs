//! Lanes between the control plane and the shards. A lane is bounded and lock-free; it knows nothing
//! of what it carries, never blocks a sender and never drops a letter that it accepted.
//!
//! Today there is the [`control`] lane: every letter is acknowledged. The gossip lane, lossy by
//! design (the newest digest wins, drops are counted), comes beside it.

#![forbid(unsafe_code)]

pub mod control;
