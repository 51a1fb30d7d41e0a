//! A second attempt beside one that has waited unusually long, on another provider: when it may be made, and how many. It is worth
//! a small share of extra calls because slow answers are mostly bad luck of one node at one moment (Dean and Barroso, *The Tail at
//! Scale*, 2013). It does not send, does not measure (the score does) and does not choose where to (the strategy does).
//!
//! **Which calls.** Those whose policy hedges and whose method may be sent twice at once without harm, never one with an effect, never one
//! that is for a named upstream. Only beside the call's first attempt, while no byte of an answer has come; a failure before that is a retry's
//! matter. At most one hedge a call.
//!
//! **When.** After the observed quantile of that upstream's answers to that method, or the method's over all upstreams where too
//! little is known of the one, and not before `min_delay`. Where nothing is known, and where that time is not before the
//! attempt's deadline, not at all. An attempt that finds out whether an upstream has come back (a breaker's probe, a
//! trial in quarantine) is not hedged either: outrun and cancelled, it would find out nothing, again and again.
//!
//! **Where to.** To an upstream of another provider that is eligible and plainly well: its breaker closed, no hold-off, no
//! quarantine, since a hedge is load that nobody needs. Never to the least bad.
//!
//! **How many.** Within any ten seconds, hedges are at most `max_extra` of the calls that got a first attempt under the policy on this
//! shard, and one: counted when they are sent, and not before they could be.
//!
//! **What comes of them.** The first good answer, or a node's own final error, ends the call, and the other attempt is cancelled. That is
//! nobody's failure: breakers, hold-offs and health hear nothing of it. But an attempt that was outrun has taken at least as long as it was
//! waited for, which the latency estimate and the quantile are told, so that an upstream which hangs loses its share although none of its
//! calls ever fails. If one of the two fails, the other goes on; if both do, retries go on from there, and the hedge has not used
//! up any.
