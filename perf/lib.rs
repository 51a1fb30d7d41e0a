//! Load generator and synthetic providers: what tests, `livechain load`, `livechain demo` and the comparison
//! harness measure with. Knows nothing of livechain, so that what is measured never shapes the ruler.

pub mod cpu;
pub mod ends;
mod fields;
mod hex;
pub mod idle;
pub mod load;
pub mod memory;
pub mod provider;
mod rng;
mod scan;
mod transport;

pub use rng::Rng;
