//! What a shard tells its recorder about money and accounts. Amounts are whole 10⁻¹² of the currency. Like [`crate::record`], verbs and
//! levels by index.
//! Never adds two currencies: there is one, the configuration's.

use crate::labels::Period;
use crate::metrics::Metric;
use crate::recorder::Recorder;

/// What was spent of an account in one period, by all shards as far as one knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeriodLevels {
    /// Calls.
    pub calls: u64,
    /// Compute units.
    pub units: u64,
}

/// How an account stands, as one shard sees it at the time of a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountLevels {
    /// Today.
    pub today: PeriodLevels,
    /// This month.
    pub this_month: PeriodLevels,
    /// Sent by this shard in the last second.
    pub second: u64,
    /// How much of its share it can afford, per thousand.
    pub room_permille: u64,
    /// What this shard has paid this month.
    pub paid_pico: u64,
}

impl Recorder {
    /// An attempt that was sent has ended, and was spent.
    #[inline]
    pub fn spent(&mut self, chain: usize, upstream: usize, units: u64, price_pico: u64) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(Metric::SpentUnits, [upstream], units);
        self.add(Metric::Spent, [upstream], price_pico);
    }

    /// An upstream was chosen by price; the fastest would have asked `best_pico`.
    #[inline]
    pub fn priced(&mut self, chain: usize, price_pico: u64, best_pico: u64) {
        let saved = best_pico.saturating_sub(price_pico);
        self.add(Metric::Saved, [chain], saved);
        let paid_more = price_pico.saturating_sub(best_pico);
        self.add(Metric::PaidMore, [chain], paid_more);
    }

    /// Races have had their part of the calls: one was sent to fewer upstreams.
    pub fn race_denied(&mut self, chain: usize) {
        self.add(Metric::RacesDenied, [chain], 1);
    }

    /// An account was held off.
    pub fn account_held_off(&mut self, account: usize) {
        self.add(Metric::AccountHoldOffs, [account], 1);
    }

    /// An account, as it is now.
    pub fn set_account(&mut self, account: usize, levels: &AccountLevels) {
        for (period, spent) in [
            (Period::Day, levels.today),
            (Period::Month, levels.this_month),
        ] {
            let at = [account, period.index()];
            self.set(Metric::AccountCalls, at, spent.calls);
            self.set(Metric::AccountUnits, at, spent.units);
        }
        self.set(Metric::AccountSecond, [account], levels.second);
        self.set(Metric::AccountRoom, [account], levels.room_permille);
        self.set(Metric::AccountPaid, [account], levels.paid_pico);
    }
}
