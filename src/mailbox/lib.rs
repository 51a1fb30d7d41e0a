//! Lanes between threads: bounded, lock-free, acknowledged. Knows nothing of what it carries.
