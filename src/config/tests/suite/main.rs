//! Tests of the whole road from a text to a configuration and back, through the public interface.

mod fixtures;
mod properties;
mod reference;
mod rendering;
mod world;
