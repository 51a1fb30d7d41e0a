//! Two providers of one chain behind the proxy, A preferred and B good, and a third that nobody is sent to: it says what
//! a right answer is. Counts what A got, so that a test can show that its fault fired and that A was not hammered.

use super::{Expected, Proxy, Response, Setup, balance_call, provider};
use perf::provider::Handle;

/// A, B and the proxy before them.
pub struct Pair {
    /// Preferred, and about to fail.
    pub a: Handle,
    /// Good.
    pub b: Handle,
    reference: Handle,
    /// In front of both.
    pub proxy: Proxy,
}

/// A is given up on after this long.
const A_SETTINGS: &str = "timeout: 400ms, connect_timeout: 400ms";

impl Pair {
    /// Both healthy; the proxy ready.
    pub fn start() -> Self {
        Self::start_with(|setup| setup)
    }

    /// With changes to the configuration.
    pub fn start_with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let (a, b) = (provider(), provider());
        let setup = Setup::default()
            .upstream("a", &a.url(), A_SETTINGS)
            .upstream("b", &b.url(), "");
        Self {
            proxy: change(setup).start(),
            a,
            b,
            reference: provider(),
        }
    }

    /// Balance calls that A, B received.
    pub fn counts(&self) -> (u64, u64) {
        let count = |provider: &Handle| provider.counters().method("eth_getBalance");
        (count(&self.a), count(&self.b))
    }

    /// One call; the answer has to be a healthy provider's, to the byte.
    pub fn call(&self, id: u64) -> Response {
        let response = self.proxy.post(&balance_call(id));
        self.check(id, &response);
        response
    }

    /// Whether an answer is the right one.
    pub fn check(&self, id: u64, response: &Response) {
        assert_eq!(response.status, 200, "call {id}: {response}");
        let expected = Expected::of(&self.reference).answer(&balance_call(id));
        assert_eq!(
            response.text(),
            String::from_utf8_lossy(&expected),
            "call {id} did not get a healthy provider's answer"
        );
    }
}
