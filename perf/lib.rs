//! Load generator and synthetic providers: what tests, `livechain load`, `livechain demo` and the comparison
//! harness measure with. Knows nothing of livechain, so that what is measured never shapes the ruler.

pub mod provider;
mod rng;
mod transport;

pub use rng::Rng;
