//! Decisions: which upstream, when to retry, when to stop trusting. No I/O, no clock, no log.
