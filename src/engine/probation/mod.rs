//! A ramp: an upstream that is back, or new, gets a share that grows with its answers.
