//! What a provider counts, and the last requests that it keeps. Counts only; never decides anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A snapshot of a provider's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// TLS handshakes that failed.
    pub tls_failures: u64,
    /// HTTP requests read whole.
    pub requests: u64,
    /// HTTP requests that no parser of ours could read.
    pub bad_requests: u64,
    /// Requests whose client left before the answer was written.
    pub abandoned: u64,
    /// Among `requests`: batches.
    pub batches: u64,
    /// JSON-RPC calls, those in batches included.
    pub calls: u64,
    /// Calls by method. Past 256 names the rest is `_other`.
    pub by_method: BTreeMap<String, u64>,
    /// Calls that the fixtures did not know.
    pub fixture_misses: u64,
}

impl Counters {
    /// Calls of one method.
    #[must_use]
    pub fn method(&self, name: &str) -> u64 {
        self.by_method.get(name).copied().unwrap_or(0)
    }
}

/// One request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Number of the connection, from 0.
    pub connection: u64,
    /// Request line and headers, the empty line included.
    pub head: Vec<u8>,
    /// Body as sent.
    pub body: Vec<u8>,
}

/// Methods counted without a lock.
const FAST: [&str; 8] = [
    "eth_getBalance",
    "eth_call",
    "eth_blockNumber",
    "eth_chainId",
    "eth_getBlockByNumber",
    "eth_getTransactionReceipt",
    "eth_getLogs",
    "debug_traceTransaction",
];

/// Most other names that are told apart.
const MAX_NAMES: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) connections: AtomicU64,
    pub(super) connections_open: AtomicU64,
    pub(super) tls_failures: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) bad_requests: AtomicU64,
    pub(super) abandoned: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) fixture_misses: AtomicU64,
    fast: [AtomicU64; FAST.len()],
    others: Mutex<BTreeMap<String, u64>>,
    keep_requests: usize,
    recent: Mutex<VecDeque<Recorded>>,
}

impl Tally {
    pub(super) fn new(keep_requests: usize) -> Self {
        Self {
            keep_requests,
            ..Self::default()
        }
    }

    pub(super) fn call(&self, method: &[u8]) {
        if let Some((_, count)) = FAST
            .iter()
            .zip(&self.fast)
            .find(|(name, _)| name.as_bytes() == method)
        {
            count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let name = String::from_utf8_lossy(method);
        let is_full = others.len() >= MAX_NAMES;
        match others.get_mut(name.as_ref()) {
            Some(count) => *count += 1,
            None => {
                let name = if is_full {
                    "_other".to_owned()
                } else {
                    name.into_owned()
                };
                *others.entry(name).or_default() += 1;
            }
        }
    }

    pub(super) fn record(&self, connection: u64, head: &[u8], body: &[u8]) {
        if self.keep_requests == 0 {
            return;
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= self.keep_requests {
            recent.pop_front();
        }
        recent.push_back(Recorded {
            connection,
            head: head.to_vec(),
            body: body.to_vec(),
        });
    }

    pub(super) fn recent(&self) -> Vec<Recorded> {
        self.recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    pub(super) fn counters(&self) -> Counters {
        let mut by_method = self
            .others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (name, count) in FAST.iter().zip(&self.fast) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                by_method.insert((*name).to_owned(), count);
            }
        }
        Counters {
            connections: self.connections.load(Ordering::SeqCst),
            connections_open: self.connections_open.load(Ordering::SeqCst),
            tls_failures: self.tls_failures.load(Ordering::SeqCst),
            requests: self.requests.load(Ordering::SeqCst),
            bad_requests: self.bad_requests.load(Ordering::SeqCst),
            abandoned: self.abandoned.load(Ordering::SeqCst),
            batches: self.batches.load(Ordering::SeqCst),
            calls: by_method.values().sum(),
            by_method,
            fixture_misses: self.fixture_misses.load(Ordering::SeqCst),
        }
    }
}
