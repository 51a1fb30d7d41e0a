//! What came of a run: counts, the time line by seconds, and a hash of everything that happened.

use std::collections::BTreeMap;

use engine::fault::FaultClass;
use engine::time::Instant;

/// FNV-1a, 64 bits: the trace's fingerprint needs no strength, only to be the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace(u64);

impl Trace {
    pub(crate) const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    pub(crate) fn add(&mut self, words: &[u64]) {
        for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

/// One second of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Calls that began.
    pub calls: u64,
    /// Calls that ended with a result, or a node's right error.
    pub good: u64,
    /// Calls that ended with an error of ours, or of a node that failed.
    pub bad: u64,
    /// Attempts by upstream.
    pub attempts: Vec<u64>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The scenario's seed.
    pub seed: u64,
    /// A hash of every dispatch, event and outcome with its time.
    pub trace: Trace,
    /// Calls that began.
    pub calls: u64,
    /// Calls that ended well.
    pub good: u64,
    /// Calls whose client left.
    pub abandoned: u64,
    /// Calls that ended with an error that the client sees, by class.
    pub bad: BTreeMap<FaultClass, u64>,
    /// Attempts of any kind.
    pub attempts: u64,
    /// Of those, the ones that drew the budget.
    pub retries: u64,
    /// Of those, the ones after an answer that said what an upstream cannot do.
    pub reroutes: u64,
    /// Retries that the budget denied.
    pub denied: u64,
    /// Second attempts beside a first that had not answered.
    pub hedges: u64,
    /// Hedges that their share of the calls denied.
    pub hedges_denied: u64,
    /// Latencies of good calls, in microseconds, unsorted.
    pub latencies_us: Vec<u64>,
    /// The time line.
    pub seconds: Vec<Second>,
}

impl Report {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            seed,
            trace: Trace::new(),
            calls: 0,
            good: 0,
            abandoned: 0,
            bad: BTreeMap::new(),
            attempts: 0,
            retries: 0,
            reroutes: 0,
            denied: 0,
            hedges: 0,
            hedges_denied: 0,
            latencies_us: Vec::new(),
            seconds: Vec::new(),
        }
    }

    pub(crate) fn second(&mut self, at: Instant, upstreams: usize) -> &mut Second {
        let number = (at.0 / 1_000_000_000) as usize;
        if self.seconds.len() <= number {
            let empty = Second {
                attempts: vec![0; upstreams],
                ..Second::default()
            };
            self.seconds.resize(number + 1, empty);
        }
        // It was just made long enough.
        &mut self.seconds[number]
    }

    /// The trace's fingerprint: equal for equal scenarios.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.trace.0
    }

    /// Calls that ended with an error that the client sees.
    #[must_use]
    pub fn bad_calls(&self) -> u64 {
        self.bad.values().sum()
    }

    /// Attempts per thousand calls.
    #[must_use]
    pub const fn amplification_permille(&self) -> u64 {
        match (self.attempts * 1_000).checked_div(self.calls) {
            Some(permille) => permille,
            None => 0,
        }
    }

    /// Per thousand attempts of those seconds, how many went to this upstream.
    #[must_use]
    pub fn share_permille(&self, upstream: usize, from_s: usize, until_s: usize) -> u64 {
        let (mut own, mut all) = (0, 0);
        for second in self.seconds.iter().take(until_s).skip(from_s) {
            own += second.attempts.get(upstream).copied().unwrap_or(0);
            all += second.attempts.iter().sum::<u64>();
        }
        (own * 1_000_u64).checked_div(all).unwrap_or(0)
    }

    /// Calls of those seconds that ended with an error that the client sees.
    #[must_use]
    pub fn bad_between(&self, from_s: usize, until_s: usize) -> u64 {
        let seconds = self.seconds.iter().take(until_s).skip(from_s);
        seconds.map(|second| second.bad).sum()
    }

    /// Calls of those seconds that ended well.
    #[must_use]
    pub fn good_between(&self, from_s: usize, until_s: usize) -> u64 {
        let seconds = self.seconds.iter().take(until_s).skip(from_s);
        seconds.map(|second| second.good).sum()
    }

    /// The latency below which this many per thousand of the good calls are, in microseconds.
    #[must_use]
    pub fn latency_us(&self, permille: usize) -> u64 {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let rank = sorted.len().saturating_sub(1) * permille / 1_000;
        sorted.get(rank).copied().unwrap_or(0)
    }
}
