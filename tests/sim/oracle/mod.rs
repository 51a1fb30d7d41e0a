//! What was possible: an observer who knows every upstream's state and the distribution of its latencies at all times, but not the single
//! draws, and who may hedge as much as the product may.
//!
//! **What it may do.** At a call's arrival it picks any upstream. After a failure it goes to any upstream at once, with as many attempts as the
//! policy allows. Beside the first attempt it may send one hedge, to another provider, after any delay not below the policy's `min_delay`,
//! for methods that may be hedged; hedges are at most the policy's share of the calls within each ten seconds, and one a shard. Limits and
//! capacities bound what it can send where; when what comes is more than all of them together, nobody can serve it, and those calls are left out
//! of everybody's latencies.
//!
//! **How it chooses.** Its p99 is the smallest time T for which some such plan answers 99 % of the answerable calls within T, in expectation. For a
//! given T the best plan is found directly: in each stretch of time in which nothing changes, and for each method, the upstream (and the
//! order of retries) with the highest chance to answer within T; then the hedges, each a pair of upstreams and a delay with a gain in
//! that chance and a price (the chance that it is sent), are bought by gain for price until the budget of their ten seconds is spent. T
//! is found by bisection. p50 is found in the same way with 50 %, with a plan of its own, and so is the cost: the cheapest upstreams that
//! answer, within their limits and allowances. So each figure is the best by itself; no single strategy need reach all of them.
//!
//! **Why it is a fair bound.** It knows what no proxy can know (states, as they change) and nothing that no proxy could ever act upon (the
//! draws). Nothing that obeys the same rules has a lower p99 in expectation: a strategy's figure is a sample, so it may lie below by
//! chance. What the bound leaves out makes it lower than can be reached, never higher: queues do not build up, a hedge's own
//! retries are free, learning costs nothing. Strategies that race from the start spend more than the budget and may beat it.

mod chance;
mod plan;
mod service;
mod stretches;
#[cfg(test)]
mod tests;

pub use plan::{Possible, possible};
pub use service::{Service, Stretch};
