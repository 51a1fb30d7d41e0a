//! Tests of the whole road from a text to a configuration and back, through the public interface.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod answers;
mod fixtures;
mod limits;
#[path = "../../../../tests/config/mmdb.rs"]
mod mmdb;
mod properties;
mod providers;
mod reference;
mod rendering;
mod world;
