//! Errors as vendors say them, read by the production dialect rules. It decides nothing about a call.

use core::time::Duration;

use engine::dialect::{Observed, classify};
use engine::fault::Fault;

/// An error as some vendor says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saying {
    /// The HTTP status.
    pub http_status: u16,
    /// The JSON-RPC code.
    pub code: Option<i64>,
    /// The text.
    pub message: &'static str,
}

impl Saying {
    /// What the production rules make of it.
    #[must_use]
    pub fn fault(&self, retry_after: Option<Duration>) -> Fault {
        self.fault_of("simulated", retry_after)
    }

    /// The same from an upstream of this provider.
    #[must_use]
    pub fn fault_of(&self, provider: &str, retry_after: Option<Duration>) -> Fault {
        classified(
            provider,
            self.http_status,
            self.code,
            self.message,
            retry_after,
        )
    }
}

/// What the production rules make of an error of this provider.
#[must_use]
pub fn classified(
    provider: &str,
    http_status: u16,
    code: Option<i64>,
    message: &str,
    retry_after: Option<Duration>,
) -> Fault {
    classify(&Observed {
        provider,
        host: "simulated.example",
        method: "eth_call",
        http_status,
        code,
        message,
        data: "",
        retry_after,
        window: None,
    })
    .fault()
}

/// An internal error.
pub const INTERNAL: Saying = saying(200, -32603, "Internal error");
/// A proxy's 502.
pub const BAD_GATEWAY: Saying = Saying {
    http_status: 502,
    code: None,
    message: "",
};
/// A node that has more to do than it can.
pub const UNAVAILABLE: Saying = Saying {
    http_status: 503,
    code: None,
    message: "",
};
/// A throttle.
pub const TOO_MANY: Saying = saying(429, -32005, "Too Many Requests");
/// An allowance that is used up.
pub const USED_UP: Saying = saying(402, -32000, "monthly quota exceeded");
/// History that a node no longer has.
pub const PRUNED: Saying = saying(
    200,
    -32000,
    "missing trie node 0a1b2c (path ) state is not available",
);
/// A block that a node has dropped with all that was in it.
pub const NO_HISTORY: Saying = saying(200, 4444, "pruned history unavailable");
/// A block that a node has not heard of yet.
pub const NOT_YET: Saying = saying(200, -32000, "header not found");
/// A method that is not served.
pub const NO_METHOD: Saying = saying(
    200,
    -32601,
    "the method eth_call does not exist/is not available",
);
/// A revert.
pub const REVERT: Saying = saying(200, 3, "execution reverted");
/// A refused key.
pub const UNAUTHORIZED: Saying = saying(401, -32000, "Must be authenticated!");
/// A node that is catching up.
pub const SYNCING: Saying = saying(200, -32000, "node is syncing");
/// Something no rule knows.
pub const RIDDLE: Saying = saying(200, -39999, "the flux is misaligned");

/// The sayings that a scenario may name.
pub const NAMED: [(&str, Saying); 11] = [
    ("internal", INTERNAL),
    ("bad_gateway", BAD_GATEWAY),
    ("unavailable", UNAVAILABLE),
    ("too_many", TOO_MANY),
    ("used_up", USED_UP),
    ("pruned", PRUNED),
    ("no_method", NO_METHOD),
    ("revert", REVERT),
    ("unauthorized", UNAUTHORIZED),
    ("syncing", SYNCING),
    ("riddle", RIDDLE),
];

const fn saying(http_status: u16, code: i64, message: &'static str) -> Saying {
    Saying {
        http_status,
        code: Some(code),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::fault::FaultClass;

    #[test]
    fn every_named_saying_is_read_as_what_it_is() {
        let class = |name: &str| {
            let found = NAMED.iter().find(|(known, _)| *known == name);
            found.map(|(_, saying)| saying.fault(None).class)
        };
        for (name, wanted) in [
            ("internal", FaultClass::Server),
            ("bad_gateway", FaultClass::Server),
            ("unavailable", FaultClass::Server),
            ("too_many", FaultClass::RateLimited),
            ("used_up", FaultClass::QuotaBilling),
            ("pruned", FaultClass::MissingData),
            ("no_method", FaultClass::UnsupportedMethod),
            ("revert", FaultClass::Execution),
            ("unauthorized", FaultClass::Auth),
            ("syncing", FaultClass::Syncing),
            ("riddle", FaultClass::Unclassified),
        ] {
            assert_eq!(class(name), Some(wanted), "{name}");
        }
        for saying in [NO_HISTORY, NOT_YET] {
            assert_eq!(saying.fault(None).class, FaultClass::MissingData);
        }
    }
}
