//! Lanes between the control plane and the shards, and between shards. A lane is bounded and lock-free; it knows nothing of
//! what it carries and never blocks a sender.
//!
//! - [`control`]: acknowledged. A letter that was accepted is answered, or its sender hears that it is lost.
//! - [`gossip`]: lossy by design. The newest message wins, and what it displaced is counted.
//! - [`watermark`]: no lane at all but a number, where the highest is all that anyone wants to know.

#![forbid(unsafe_code)]

pub mod control;
pub mod gossip;
mod sync;
pub mod watermark;
