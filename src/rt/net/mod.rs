//! Sockets as tasks see them: listeners, streams, and the chunks that they give.

mod chunk;
mod listener;
mod stream;

pub use chunk::Chunk;
pub use listener::{ListenOptions, Listener};
pub use stream::{ByteCounts, Stream};
