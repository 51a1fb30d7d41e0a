//! The manual, compiled in so that its links and names are checked with the code.

#[doc = include_str!("manual.md")]
pub mod contents {}
#[doc = include_str!("architecture.md")]
pub mod architecture {}
#[doc = include_str!("life_of_a_request.md")]
pub mod life_of_a_request {}
#[doc = include_str!("runtime.md")]
pub mod runtime {}
#[doc = include_str!("mailbox.md")]
pub mod mailbox {}
#[doc = include_str!("invariants.md")]
pub mod invariants {}
#[doc = include_str!("measuring.md")]
pub mod measuring {}
#[doc = include_str!("simulator.md")]
pub mod simulator {}
#[doc = include_str!("config.md")]
pub mod config {}
#[doc = include_str!("metrics.md")]
pub mod metrics {}
#[doc = include_str!("events.md")]
pub mod events {}
#[doc = include_str!("explanations.md")]
pub mod explanations {}
#[doc = include_str!("dialects.md")]
pub mod dialects {}
