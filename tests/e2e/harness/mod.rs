//! What every end-to-end test stands on: the real binary as a process of its own, a client that sees bytes, and the
//! answers that a synthetic provider gives when it is asked directly. Knows nothing of the inside of the proxy.

mod asking;
mod calls;
mod http;
mod pair;
mod proxy;

pub use asking::{
    HEAD, QUICK_HEADS, asked, cache_of, call, in_flight, knows_head, provider_of, send_all,
    standing_chain,
};
pub use calls::{Expected, balance_call, error_of, ok};
pub use http::{Client, Response, post_bytes};
pub use pair::Pair;
pub use proxy::{Proxy, Setup, free_port, until};

use perf::provider::{Handle, Options, Provider};

/// A healthy synthetic provider of chain 1.
pub fn provider() -> Handle {
    provider_with(Options::default())
}

/// A synthetic provider.
pub fn provider_with(options: Options) -> Handle {
    Provider::start(options).expect("a loopback port")
}
