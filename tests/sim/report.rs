//! What came of a run: counts, the time line, and a hash of everything that happened. It judges nothing.

use std::collections::BTreeMap;

use engine::breaker::State;
use engine::fault::FaultClass;
use engine::index::UpstreamIndex;
use engine::time::Instant;

use crate::scenario::Clients;

/// A fingerprint of words: the trace's needs no strength, only to be the same everywhere and to notice every change of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace(u64);

impl Trace {
    pub(crate) const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    pub(crate) const fn add(&mut self, words: &[u64]) {
        let mut position = 0;
        while position < words.len() {
            // Folded multiplication: every bit of the word reaches every bit of the state.
            let product = (self.0 ^ words[position]) as u128 * 0x9E37_79B9_7F4A_7C15_u128;
            self.0 = (product as u64) ^ ((product >> 64) as u64).rotate_left(23);
            position += 1;
        }
    }

    /// The fingerprint.
    #[must_use]
    pub const fn hash(self) -> u64 {
        crate::provider::mixed(self.0)
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
    /// Where in [`Report::latencies_us`] the calls that ended from this second on begin.
    pub first_latency: usize,
}

/// Something that happened to an upstream on one shard, for the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Instant,
    /// On which shard.
    pub shard: u16,
    /// To which upstream.
    pub upstream: UpstreamIndex,
    /// What.
    pub what: Change,
}

/// What happened to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its breaker entered this state.
    Breaker(State),
    /// It is held off until then.
    HeldOff(Instant),
    /// Its hold-off is over.
    Returned,
    /// It is quarantined until then at least.
    Quarantined(Instant),
    /// It is out of quarantine.
    Released,
}

/// What came of the calls of one region's clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Calls that began.
    pub calls: u64,
    /// Calls that ended well.
    pub good: u64,
    /// Of those, the ones that an upstream of the region answered.
    pub at_home: u64,
    /// Calls whose client left.
    pub abandoned: u64,
    /// As [`Report::latencies_us`].
    pub latencies_us: Vec<u64>,
}

impl Region {
    /// A call ended well, with the answer of an upstream of that region, after a time that counts or not.
    pub(crate) fn answered(&mut self, from: Option<&str>, took_us: Option<u64>) {
        self.good += 1;
        self.at_home += u64::from(from == Some(&self.name));
        self.latencies_us.extend(took_us);
    }
}

/// More moments than this are not kept: a time line has room for fewer.
pub const MAX_MOMENTS: usize = 100_000;

/// Parts of a second in [`Report::tenths`].
pub const TENTH_NS: u64 = 100_000_000;

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
    /// Of those, the ones whose answer was wrong: of another chain, of the past, a lie.
    pub wrong: u64,
    /// Calls whose client left.
    pub abandoned: u64,
    /// Calls that ended with an error that the client sees, by class.
    pub bad: BTreeMap<FaultClass, u64>,
    /// Of those, the ones that began while an upstream was well.
    pub avoidable: u64,
    /// Attempts of any kind.
    pub attempts: u64,
    /// Of those, the ones that drew the budget.
    pub retries: u64,
    /// Of those, the ones after an answer that said what an upstream cannot do.
    pub reroutes: u64,
    /// Retries that the budget denied.
    pub denied: u64,
    /// Attempts made while another of the same call had not ended.
    pub hedges: u64,
    /// Hedges that their share of the calls denied.
    pub hedges_denied: u64,
    /// Latencies of good and right calls that somebody could serve when they began, in microseconds, in the order of their ends.
    pub latencies_us: Vec<u64>,
    /// The calls by where their clients are, where that is known.
    pub regions: Vec<Region>,
    /// Compute units to pay for, by upstream.
    pub units: Vec<u64>,
    /// The time line.
    pub seconds: Vec<Second>,
    /// Attempts by tenth of a second and upstream: those of a tenth stand together.
    pub tenths: Vec<u32>,
    /// What happened to upstreams, in order.
    pub moments: Vec<Moment>,
    upstreams: usize,
}

impl Report {
    pub(crate) fn new(seed: u64, upstreams: usize) -> Self {
        Self {
            seed,
            trace: Trace::new(),
            calls: 0,
            good: 0,
            wrong: 0,
            abandoned: 0,
            bad: BTreeMap::new(),
            avoidable: 0,
            attempts: 0,
            retries: 0,
            reroutes: 0,
            denied: 0,
            hedges: 0,
            hedges_denied: 0,
            latencies_us: Vec::new(),
            regions: Vec::new(),
            units: vec![0; upstreams],
            seconds: Vec::new(),
            tenths: Vec::new(),
            moments: Vec::new(),
            upstreams,
        }
    }

    /// With a place for the calls of each region.
    pub(crate) fn in_regions(mut self, clients: &[Clients]) -> Self {
        let names = clients.iter().map(|clients| clients.region.clone());
        self.regions = names
            .map(|name| Region {
                name,
                ..Region::default()
            })
            .collect();
        self
    }

    /// The region at this position among the scenario's.
    pub(crate) fn region(&mut self, place: Option<u16>) -> Option<&mut Region> {
        self.regions.get_mut(usize::from(place?))
    }

    pub(crate) fn second(&mut self, at: Instant) -> &mut Second {
        let number = (at.0 / 1_000_000_000) as usize;
        if self.seconds.len() <= number {
            let empty = Second {
                attempts: vec![0; self.upstreams],
                first_latency: self.latencies_us.len(),
                ..Second::default()
            };
            self.seconds.resize(number + 1, empty);
        }
        // It was just made long enough.
        &mut self.seconds[number]
    }

    pub(crate) fn count_attempt(&mut self, at: Instant, upstream: usize, is_hedge: bool) {
        self.attempts += 1;
        self.hedges += u64::from(is_hedge);
        if let Some(count) = self.second(at).attempts.get_mut(upstream) {
            *count += 1;
        }
        let tenth = (at.0 / TENTH_NS) as usize;
        let needed = (tenth + 1) * self.upstreams;
        if self.tenths.len() < needed {
            self.tenths.resize(needed, 0);
        }
        if let Some(count) = self.tenths.get_mut(tenth * self.upstreams + upstream) {
            *count += 1;
        }
    }

    pub(crate) fn keep(&mut self, moment: Moment) {
        if self.moments.len() < MAX_MOMENTS {
            self.moments.push(moment);
        }
    }

    /// The trace's fingerprint: equal for equal scenarios.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Calls that ended with an error that the client sees.
    #[must_use]
    pub fn bad_calls(&self) -> u64 {
        self.bad.values().sum()
    }

    /// Attempts for a thousand calls, those made beside another aside.
    #[must_use]
    pub const fn amplification_permille(&self) -> u64 {
        match ((self.attempts - self.hedges) * 1_000).checked_div(self.calls) {
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

    /// Attempts to an upstream in all.
    #[must_use]
    pub fn attempts_to(&self, upstream: usize) -> u64 {
        let seconds = self.seconds.iter();
        seconds
            .filter_map(|second| second.attempts.get(upstream))
            .sum()
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
        quantile_us(&mut self.latencies_us.clone(), permille * 10)
    }

    /// The same of the calls that ended in one second, in hundredths of a per cent.
    #[must_use]
    pub fn latency_in_second_us(&self, second: usize, basis_points: usize) -> Option<u64> {
        let from = self.seconds.get(second)?.first_latency;
        let next = self.seconds.get(second + 1);
        let until = next.map_or(self.latencies_us.len(), |next| next.first_latency);
        let mut own = self.latencies_us.get(from..until)?.to_vec();
        (!own.is_empty()).then(|| quantile_us(&mut own, basis_points))
    }
}

/// The value below which so many of ten thousand are; 0 of none.
pub(crate) fn quantile_us(values: &mut [u64], basis_points: usize) -> u64 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0;
    };
    *values
        .select_nth_unstable((last * basis_points / 10_000).min(last))
        .1
}
