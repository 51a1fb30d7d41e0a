//! A run's report as figures: what an operator would ask of it. Pure; it decides what is counted and how, and nothing is counted anywhere else.
//!
//! **Latencies** are those of calls that were answered rightly and that somebody could serve when they began
//! ([`Service`](crate::oracle::Service)). What nobody could serve has no best latency, and a strategy is not to look better for
//! giving it up sooner. **Success** is the share of the calls that ended well, clients that left aside; wrong answers are answers, and are counted
//! apart. **To detect** a severe fault of some upstreams is to bring their share of the attempts to a tenth of what it was (or 2 %) for a
//! second; **to recover** is to bring it back to half for two seconds. The worst of the faults is told.

use engine::time::Instant;

use crate::file::Band;
use crate::oracle::Possible;
use crate::provider::Script;
use crate::report::{Region, Report, TENTH_NS, quantile_us};

/// A strategy's figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Calls that began.
    pub calls: u64,
    /// Share of the calls that ended well.
    pub success: f64,
    /// Calls that ended with an error although an upstream was well when they began.
    pub avoidable_errors: u64,
    /// Share of the calls whose answer was wrong.
    pub wrong: f64,
    /// Latencies in milliseconds: the median, 95, 99 and 99.9 per cent.
    pub latencies_ms: [f64; 4],
    /// Hedges for each call.
    pub extra_load: f64,
    /// Attempts that were no hedges, for each call.
    pub amplification: f64,
    /// What the upstreams are owed.
    pub spend: f64,
    /// Each upstream's share of the attempts.
    pub shares: Vec<f64>,
    /// The 99th percentile over what was possible.
    pub regret_p99: f64,
    /// How long the worst fault went unnoticed, in milliseconds; `None` where there was none, or it was never noticed.
    pub detect_ms: Option<f64>,
    /// How long the worst recovery took.
    pub recover_ms: Option<f64>,
    /// The same for the clients of each region, where the scenario says where clients are.
    pub regions: Vec<RegionFigures>,
}

/// What the clients of one region got.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegionFigures {
    /// The region.
    pub name: String,
    /// Calls that began.
    pub calls: u64,
    /// Share of the calls that ended well.
    pub success: f64,
    /// Share of those that an upstream of the region answered.
    pub at_home: f64,
    /// Latencies in milliseconds, as those of all calls.
    pub latencies_ms: [f64; 4],
}

/// The figures' latencies, in hundredths of a per cent.
const QUANTILES: [usize; 4] = [5_000, 9_500, 9_900, 9_990];
/// Shares before a fault are taken over so many tenths of a second.
const BEFORE: usize = 50;
/// Nothing is detected of an upstream that has less than this part of the traffic.
const LEAST_SHARE: f64 = 0.05;

/// The figures of a run.
#[must_use]
pub fn figures(report: &Report, scripts: &[Script], best: &Possible, bands: &[Band]) -> Figures {
    let ended = report.calls.saturating_sub(report.abandoned).max(1) as f64;
    let calls = report.calls.max(1) as f64;
    let latencies_ms = quantiles_ms(&report.latencies_us);
    let attempts = report.attempts.max(1) as f64;
    let shares = 0..scripts.len();
    let worst = |of: fn(&Report, usize, &Band) -> Option<u64>| {
        let severe = bands.iter().filter(|band| band.severe);
        let all = severe.filter(|band| band.upstreams.len() < scripts.len());
        let ns = all.filter_map(|band| of(report, scripts.len(), band)).max();
        ns.map(|ns| ns as f64 / 1e6)
    };
    Figures {
        calls: report.calls,
        success: report.good as f64 / ended,
        avoidable_errors: report.avoidable,
        wrong: report.wrong as f64 / ended,
        latencies_ms,
        extra_load: report.hedges as f64 / calls,
        amplification: (report.attempts - report.hedges) as f64 / calls,
        spend: spend(report, scripts),
        shares: shares
            .map(|upstream| report.attempts_to(upstream) as f64 / attempts)
            .collect(),
        regret_p99: if best.p99_ns > 0 {
            latencies_ms[2] * 1e6 / best.p99_ns as f64
        } else {
            1.0
        },
        detect_ms: worst(detected),
        recover_ms: worst(recovered),
        regions: report.regions.iter().map(of_region).collect(),
    }
}

fn quantiles_ms(latencies_us: &[u64]) -> [f64; 4] {
    let mut latencies = latencies_us.to_vec();
    QUANTILES.map(|at| quantile_us(&mut latencies, at) as f64 / 1e3)
}

fn of_region(region: &Region) -> RegionFigures {
    let ended = region.calls.saturating_sub(region.abandoned).max(1) as f64;
    RegionFigures {
        name: region.name.clone(),
        calls: region.calls,
        success: region.good as f64 / ended,
        at_home: region.at_home as f64 / region.good.max(1) as f64,
        latencies_ms: quantiles_ms(&region.latencies_us),
    }
}

/// What is owed to all upstreams, free allowances aside.
fn spend(report: &Report, scripts: &[Script]) -> f64 {
    let owed = |(script, units): (&Script, &u64)| {
        let paid = units.saturating_sub(script.price.free);
        u128::from(paid) * u128::from(script.price.micros_per_million)
    };
    let all: u128 = scripts.iter().zip(&report.units).map(owed).sum();
    all as f64 / 1e12
}

/// The share of the attempts of some tenths of a second that went to some upstreams; `None` where there were none.
fn share(report: &Report, all: usize, of: &[usize], from: usize, until: usize) -> Option<f64> {
    let tenths = report
        .tenths
        .get(from * all..(until * all).min(report.tenths.len()))?;
    let (mut own, mut sum) = (0_u64, 0_u64);
    for tenth in tenths.chunks(all.max(1)) {
        sum += tenth.iter().map(|count| u64::from(*count)).sum::<u64>();
        let struck = of.iter().filter_map(|upstream| tenth.get(*upstream));
        own += struck.map(|count| u64::from(*count)).sum::<u64>();
    }
    (sum > 0).then(|| own as f64 / sum as f64)
}

const fn tenth(at: Instant) -> usize {
    (at.0 / TENTH_NS) as usize
}

fn before(report: &Report, all: usize, band: &Band) -> Option<f64> {
    let from = tenth(band.from);
    let before = share(
        report,
        all,
        &band.upstreams,
        from.saturating_sub(BEFORE),
        from,
    )?;
    (before >= LEAST_SHARE).then_some(before)
}

/// How long until a fault is noticed, in nanoseconds. One that was there from the start is never noticed: there was no before.
fn detected(report: &Report, all: usize, band: &Band) -> Option<u64> {
    let low = (before(report, all, band)? / 10.0).max(0.02);
    let mut tenths = tenth(band.from)..tenth(band.until);
    let found = tenths.find(|&at| {
        let window = share(report, all, &band.upstreams, at, at + 10);
        window.is_some_and(|share| share <= low)
    })?;
    Some((found as u64 * TENTH_NS).saturating_sub(band.from.0))
}

/// How long until an upstream has its traffic back, in nanoseconds.
fn recovered(report: &Report, all: usize, band: &Band) -> Option<u64> {
    let high = before(report, all, band)? / 2.0;
    let last = report.tenths.len() / all.max(1);
    let mut tenths = tenth(band.until)..last.saturating_sub(20);
    let found = tenths.find(|&at| {
        let window = share(report, all, &band.upstreams, at, at + 20);
        window.is_some_and(|share| share >= high)
    })?;
    Some((found as u64 * TENTH_NS).saturating_sub(band.until.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::second;

    /// Ten attempts in each tenth of a second, of which the first upstream has so many.
    fn report(of_first: impl Fn(usize) -> u32) -> Report {
        let mut report = Report::new(1, 2);
        for at in 0..600 {
            report.tenths.extend([of_first(at), 10 - of_first(at)]);
        }
        report
    }

    fn band() -> Band {
        Band {
            from: second(20),
            until: second(40),
            upstreams: vec![0],
            text: String::new(),
            severe: true,
        }
    }

    #[test]
    fn a_fault_is_noticed_when_the_traffic_leaves_and_over_when_it_is_back() {
        let report = report(|at| if (215..430).contains(&at) { 0 } else { 6 });
        // From 21.4 s on a second has one tenth of it left: 6 of 100 attempts, a tenth of what was.
        assert_eq!(detected(&report, 2, &band()), Some(1_400_000_000));
        // Of the two seconds from 42.0 s on, ten tenths have it: half of 0.6 is 0.3.
        assert_eq!(recovered(&report, 2, &band()), Some(2_000_000_000));
    }

    #[test]
    fn who_had_no_traffic_cannot_lose_it_and_who_keeps_it_has_not_noticed() {
        assert_eq!(detected(&report(|_| 0), 2, &band()), None);
        assert_eq!(detected(&report(|_| 6), 2, &band()), None);
        assert_eq!(recovered(&report(|_| 6), 2, &band()), Some(0));
    }

    #[test]
    fn a_region_s_clients_have_figures_of_their_own() {
        let mut region = Region {
            name: "eu".to_owned(),
            calls: 5,
            abandoned: 1,
            ..Region::default()
        };
        region.answered(Some("eu"), Some(20_000));
        region.answered(Some("us"), Some(90_000));
        // Nobody could serve this one when it began.
        region.answered(Some("eu"), None);
        let figures = of_region(&region);
        assert_eq!((figures.calls, figures.success), (5, 0.75));
        assert!((figures.at_home - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(
            (figures.latencies_ms[0], figures.name.as_str()),
            (20.0, "eu")
        );
    }

    #[test]
    fn what_is_free_is_not_paid() {
        let mut scripts = vec![Script::new(0, 1), Script::new(1, 1)];
        scripts[0].price.micros_per_million = 3_000_000;
        scripts[0].price.free = 1_000_000;
        let mut report = report(|_| 5);
        report.units = vec![3_000_000, 9_000_000];
        assert!((spend(&report, &scripts) - 6.0).abs() < 1e-9);
    }
}
