//! The breakers' transitions: of one machine, in a brownout, and of an upstream's kinds of work together.

mod brownout;
mod groups;
mod one;

use super::one::{Breaker, Ticket};
use super::*;

const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> Instant {
    Instant(seconds * SECOND)
}
