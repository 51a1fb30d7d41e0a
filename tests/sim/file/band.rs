//! A fault as a picture shows it: a band of time with a few words.

use engine::time::Instant;

/// A fault for pictures and for judging how soon it was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// Its first instant.
    pub from: Instant,
    /// The first after it.
    pub until: Instant,
    /// The upstreams that it strikes, by position.
    pub upstreams: Vec<usize>,
    /// What it is, in a few words.
    pub text: String,
    /// It is so bad that an upstream should lose its traffic: all of its calls, or half and more of them, come to nothing.
    pub severe: bool,
}
