//! The rules of the design, executed.
