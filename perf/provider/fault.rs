//! What can go wrong with a provider, as data: faults, when they strike, and the script of those in force. Decides
//! that a fault strikes and counts it; never does the damage itself (`deliver` and `answer` do).

use crate::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One way of misbehaving. Faults of the door (refused connects, silent accepts) are [`super::Door`]'s.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// RST instead of an answer.
    ResetBeforeAnswer,
    /// RST once this much of the body is sent.
    ResetMidBody {
        /// Bytes of the body that still go out.
        after_bytes: usize,
    },
    /// FIN once this much of the body is sent, as if whole.
    CloseMidBody {
        /// Bytes of the body that still go out.
        after_bytes: usize,
    },
    /// FIN instead of an answer, with no byte of it sent.
    CloseBeforeAnswer,
    /// The request is read, no answer ever comes; the connection stays open.
    Hang,
    /// Silence once this much of the body is sent; the connection stays open.
    BlackHoleMidBody {
        /// Bytes of the body that still go out.
        after_bytes: usize,
    },
    /// The body in small pieces.
    Drip {
        /// Bytes a piece.
        chunk_bytes: usize,
        /// Pause between two pieces.
        interval: Duration,
    },
    /// The response head, a byte at a time.
    SlowHead {
        /// Pause between two bytes.
        interval: Duration,
    },
    /// This answer takes so much longer than the base latency.
    Stall(Duration),
    /// Another status, with the given headers and body instead of the answer. `content-length` is added.
    Status {
        /// HTTP status code.
        code: u16,
        /// Header fields, in order.
        headers: Vec<(String, String)>,
        /// Body, as it is.
        body: Vec<u8>,
    },
    /// An HTML page with status 200, as captive portals and CDNs send.
    Html,
    /// Status 200 with `content-length: 0`.
    EmptyBody,
    /// Status 200 with these bytes as the whole body.
    RawBody(Vec<u8>),
    /// The promised length is longer than the body by this much; then silence (the connection stays open).
    LengthTooLong {
        /// Bytes promised and never sent.
        by_bytes: usize,
    },
    /// The promised length is shorter than the body by this much: the rest follows on the same connection.
    LengthTooShort {
        /// Bytes sent beyond the promise.
        by_bytes: usize,
    },
    /// A whole answer, then these bytes.
    ExtraBytesAfterBody(Vec<u8>),
    /// `transfer-encoding: chunked`. Legal, hence no fault, but a client must cope.
    Chunked {
        /// Bytes a chunk.
        chunk_bytes: usize,
    },
    /// `content-encoding: gzip`, asked for or not.
    Gzip,
    /// FIN right after the answer, which did not announce it: the keep-alive race.
    CloseAfterAnswer,
    /// An interim response (1xx) before the real one.
    Interim {
        /// Status, 100 to 199.
        code: u16,
    },
    /// The same HTTP response twice.
    DuplicateAnswer,
    /// Another id than the request's.
    WrongId,
    /// `"id":null`.
    NullId,
    /// `eth_chainId` and `net_version` tell another chain.
    WrongChain(u64),
    /// This provider's head is behind the chain's.
    StaleHead {
        /// Blocks behind.
        lag_blocks: u64,
    },
    /// The head goes back, onto a fork: newer blocks are unknown, the last ones have other hashes.
    HeadBack {
        /// Blocks back.
        blocks: u64,
    },
    /// An answer with neither `result` nor `error`.
    NeitherResultNorError,
    /// An answer with both.
    BothResultAndError,
    /// Bytes that are no JSON, properly framed.
    InvalidJson,
    /// JSON that stops in the middle, with a length that matches.
    TruncatedJson,
    /// A JSON-RPC error object, in whatever dialect.
    RpcError {
        /// `error.code`.
        code: i64,
        /// `error.message`; escaped when written.
        message: String,
        /// `error.data` as JSON text.
        data: Option<String>,
    },
    /// The result replaced by this JSON text.
    RawResult(String),
    /// The result replaced by a string of about this size.
    LargeResult {
        /// Length of the result in bytes, quotes included.
        bytes: usize,
    },
    /// A batch is answered with one error object.
    BatchUnsupported,
    /// A batch of more calls than this is answered with one error object that says so.
    BatchTooLong {
        /// Calls that it takes.
        most: usize,
    },
    /// A batch's answers come in reverse.
    BatchOutOfOrder,
    /// The last answer of a batch is missing.
    BatchMissingItem,
}

impl Fault {
    /// 429 with a JSON-RPC body, and Retry-After in seconds where given.
    #[must_use]
    pub fn throttled(retry_after_s: Option<u64>) -> Self {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend(retry_after_s.map(|s| ("retry-after".to_owned(), s.to_string())));
        let body =
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":429,"message":"Too many requests"}}"#
                .to_vec();
        Self::Status {
            code: 429,
            headers,
            body,
        }
    }

    /// 503 with a load balancer's HTML page.
    #[must_use]
    pub fn unavailable() -> Self {
        let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        let body =
            b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>".to_vec();
        Self::Status {
            code: 503,
            headers,
            body,
        }
    }

    /// A JSON-RPC error without data.
    #[must_use]
    pub fn rpc_error(code: i64, message: &str) -> Self {
        Self::RpcError {
            code,
            message: message.to_owned(),
            data: None,
        }
    }

    /// Whether each call of a batch is struck (or spared) on its own; otherwise the HTTP answer as a whole is.
    #[must_use]
    pub const fn strikes_calls(&self) -> bool {
        matches!(
            self,
            Self::WrongId
                | Self::NullId
                | Self::WrongChain(_)
                | Self::StaleHead { .. }
                | Self::HeadBack { .. }
                | Self::NeitherResultNorError
                | Self::BothResultAndError
                | Self::RpcError { .. }
                | Self::RawResult(_)
                | Self::LargeResult { .. }
        )
    }
}

/// When a fault strikes, among the requests (or calls) that its rule is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// Every time.
    Always,
    /// With this probability, 0 to 1.
    Probability(f64),
    /// The next so many times, then never again.
    Next(u64),
    /// What exceeds so many in any one second: a throttle.
    Above {
        /// Requests a second that are spared.
        rate_per_s: u64,
    },
}

/// A fault, when it strikes, and which method's calls it strikes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// When.
    pub when: When,
    /// Only calls of this method; `None` for all.
    pub method: Option<String>,
}

impl Rule {
    /// Strikes always.
    #[must_use]
    pub const fn always(fault: Fault) -> Self {
        Self {
            fault,
            when: When::Always,
            method: None,
        }
    }

    /// Strikes the next `count` times.
    #[must_use]
    pub const fn next(count: u64, fault: Fault) -> Self {
        Self {
            fault,
            when: When::Next(count),
            method: None,
        }
    }

    /// Strikes with a probability.
    #[must_use]
    pub const fn with_probability(share: f64, fault: Fault) -> Self {
        Self {
            fault,
            when: When::Probability(share),
            method: None,
        }
    }

    /// Strikes what exceeds a rate.
    #[must_use]
    pub const fn above(rate_per_s: u64, fault: Fault) -> Self {
        Self {
            fault,
            when: When::Above { rate_per_s },
            method: None,
        }
    }

    /// Restricted to one method.
    #[must_use]
    pub fn for_method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }
}

/// Names an injected rule: to ask how often it struck, and to clear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultId(pub(super) u64);

/// A rule in force, with what it counts.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: FaultId,
    pub(super) rule: Rule,
    hits: AtomicU64,
    remaining: AtomicU64,
    /// Second (since the rule came into force) and count in it, packed as `second << 32 | count`.
    window: AtomicU64,
    since: Instant,
}

impl Active {
    pub(super) fn new(id: FaultId, rule: Rule) -> Arc<Self> {
        let remaining = if let When::Next(count) = rule.when {
            count
        } else {
            0
        };
        Arc::new(Self {
            id,
            rule,
            hits: AtomicU64::new(0),
            remaining: AtomicU64::new(remaining),
            window: AtomicU64::new(0),
            since: Instant::now(),
        })
    }

    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }

    /// Whether the rule is about a call of this method.
    pub(super) fn covers(&self, method: &[u8]) -> bool {
        self.rule
            .method
            .as_ref()
            .is_none_or(|m| m.as_bytes() == method)
    }

    /// Decides for one request or call that the rule covers, and counts a strike.
    pub(super) fn strikes(&self, rng: &mut Rng) -> bool {
        let strikes = match self.rule.when {
            When::Always => true,
            When::Probability(share) => rng.unit() < share,
            When::Next(_) => self
                .remaining
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok(),
            When::Above { rate_per_s } => self.exceeds(rate_per_s),
        };
        if strikes {
            self.hits.fetch_add(1, Ordering::SeqCst);
        }
        strikes
    }

    fn exceeds(&self, rate_per_s: u64) -> bool {
        let second = self.since.elapsed().as_secs();
        let packed = self
            .window
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |packed| {
                let count = if packed >> 32 == second {
                    (packed & 0xffff_ffff) + 1
                } else {
                    1
                };
                Some(second << 32 | count)
            });
        let before = packed.unwrap_or(0);
        before >> 32 == second && (before & 0xffff_ffff) >= rate_per_s
    }
}
