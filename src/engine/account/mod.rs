//! What may still be spent at a provider: limits per second, day and month, in calls or compute units, what is included in a plan, and what was
//! paid beyond it. Of one process, so shards tell each other what they have spent. It chooses nobody, and knows no upstream.
//!
//! **What counts.** Every attempt whose bytes may have left, be it a hedge, a retry or refused; from its dispatch on as pending, and once it
//! has ended for good. One that certainly was not sent is taken back. In the second's limit it counts from its dispatch, whatever comes of it.
//!
//! **Days and months** are UTC's. What was spent in one is nothing in the next.
//!
//! **Across shards.** Each shard counts what it spends itself, and tells; of what one shard tells of one period the larger counts, and the
//! account's total is the sum over the shards. That is a grow-only counter (Shapiro and others, 2011): it does not matter in which order,
//! how often, or whether every single report arrives. A limit is thus passed by no more than what was in flight, or spent and not told yet. A
//! shard that has not been heard of for [`FRESH`] may be spending unheard: it is taken to have spent at least as much as this one. So
//! without any gossip each shard has its equal part of a limit, and the whole is not passed at all.
//!
//! **Within a second** each shard may send its equal part of the limit, and besides what the others leave of it, by what they said last. Parts
//! that do not come out even go round from second to second. A call that is dearer than such a part has its turn once in as many
//! seconds as there are shards, if nothing else was sent there in that second.
//!
//! **Pace.** [`Accounts::room`] says how much of its share an account can afford: all of it up to the pace that lasts evenly to the
//! period's end, and less the further it is ahead. And of what may be sent in a second, published or learned from throttles, all of it up to a half.
//! A pace is advice; only the limits themselves leave an upstream out.
//!
//! **What is included** costs nothing; beyond it a unit has the upstream's price. The price asked for is that of the next call.

mod calendar;
mod ledger;
mod second;
#[cfg(test)]
mod tests;

pub use calendar::{Calendar, Span};
pub use ledger::Tally;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{AccountConfig, Measure, Period};
use crate::index::AccountIndex;
use crate::time::Instant;

use ledger::{Ledger, ONE, share};
use second::Second;

/// What a shard says of its spending is taken for the present state for so long.
pub const FRESH: Duration = Duration::from_secs(3);
/// Asked or not, a shard that hears of another's spending says after so long how it stands itself.
pub const REPLY_AFTER: Duration = Duration::from_secs(1);

/// A shard tells of its spending so often at most, usually.
pub const TELL_EVERY: Duration = Duration::from_millis(250);
/// And so often where it sends more in a second than its equal part.
pub const TELL_SOON: Duration = Duration::from_millis(20);

/// What one shard has spent of an account. Of two reports of a shard the later period counts, and within one period the larger numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// When it was so.
    pub at: Instant,
    /// What was sent in the last second, in what the account's limit per second counts.
    pub second: u64,
    /// Which day it is: days since 1970-01-01.
    pub day: u32,
    /// Which month it is: months since January 1970.
    pub month: u32,
    /// Spent in this day.
    pub today: Tally,
    /// Spent in this month.
    pub this_month: Tally,
}

impl Report {
    /// What is known of a shard after both reports: the least that is at least as much as either.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let newest = (self.at, self.second).max((other.at, other.second));
        let (day, today) = later((self.day, self.today), (other.day, other.today));
        let (month, this_month) = later(
            (self.month, self.this_month),
            (other.month, other.this_month),
        );
        Self {
            at: newest.0,
            second: newest.1,
            day,
            month,
            today,
            this_month,
        }
    }

    fn spent(&self, period: Period, number: u32) -> Tally {
        let (known, spent) = match period {
            Period::Day => (self.day, self.today),
            Period::Month => (self.month, self.this_month),
        };
        if known == number {
            spent
        } else {
            Tally::default()
        }
    }
}

fn later(one: (u32, Tally), other: (u32, Tally)) -> (u32, Tally) {
    match one.0.cmp(&other.0) {
        core::cmp::Ordering::Less => other,
        core::cmp::Ordering::Equal => (one.0, one.1.max_of_each(other.1)),
        core::cmp::Ordering::Greater => one,
    }
}

/// How an account stands, as far as one shard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Which.
    pub account: AccountIndex,
    /// Spent today by the process, what is in flight here included.
    pub today: Tally,
    /// Spent this month by the process, what is in flight here included.
    pub this_month: Tally,
    /// What this shard alone has spent today.
    pub own_today: Tally,
    /// What this shard alone has spent this month.
    pub own_this_month: Tally,
    /// Sent by this shard in the last second, in what the limit per second counts.
    pub second: u64,
    /// What this shard may send in a second now; `None` without a limit.
    pub second_allowed: Option<u64>,
    /// What throttles have taught this shard about a second; `None` where they have not.
    pub second_learned: Option<u64>,
    /// How much of its share it can afford, per thousand.
    pub room_permille: u32,
    /// What this shard has paid this month beyond what is included, in 10⁻¹² of the currency.
    pub paid_pico: u64,
    /// The limits are reached: a call of one unit would not be sent. When it could be, if nothing else is sent.
    pub spent_until: Option<Instant>,
}

/// The accounts of a process, as one shard sees them.
#[derive(Clone, Debug)]
pub struct Accounts {
    calendar: Calendar,
    shard: u16,
    shards: u16,
    all: Vec<Account>,
    /// The latest time that anything was asked or said.
    seen: Instant,
}

#[derive(Clone, Debug)]
struct Account {
    config: AccountConfig,
    day: Ledger,
    month: Ledger,
    second: Second,
    /// Dispatched and not ended.
    pending: Tally,
    paid_pico: u64,
    /// By shard: what it told. This shard's own place is not used.
    heard: Box<[Report]>,
    told: Instant,
}

impl Accounts {
    /// Nothing was spent but what is carried over.
    #[must_use]
    pub fn new(calendar: Calendar, shard: u16, shards: u16) -> Self {
        Self {
            calendar,
            shard,
            shards: shards.max(1),
            all: Vec::new(),
            seen: Instant::ZERO,
        }
    }

    /// Adds one, whose index is the next.
    pub fn add(&mut self, config: AccountConfig, now: Instant) -> AccountIndex {
        let now_ms = self.calendar.unix_ms(now);
        let day = Ledger::new(Period::Day, config.per_day, config.today, now_ms);
        let month = Ledger::new(Period::Month, config.per_month, config.this_month, now_ms);
        self.all.push(Account {
            day,
            month,
            config,
            second: Second::default(),
            pending: Tally::default(),
            paid_pico: 0,
            heard: alloc::vec![Report::default(); usize::from(self.shards)].into_boxed_slice(),
            told: Instant::ZERO,
        });
        AccountIndex((self.all.len() - 1) as u16)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// May a call of so many units be sent now?
    ///
    /// # Errors
    /// When it may, if nothing else is spent until then.
    pub fn allows(&mut self, index: AccountIndex, units: u32, now: Instant) -> Result<(), Instant> {
        let Some((account, place)) = self.open(index, now) else {
            return Ok(());
        };
        let wanted = Tally::one(units);
        let mut until = None;
        for ledger in [&account.day, &account.month] {
            let with_it = || account.spent_with(ledger, account.pending.plus(wanted), &place);
            if ledger.limit().is_some() && !ledger.allows(with_it()) {
                until = until.max(Some(place.calendar.instant(ledger.span().to_ms)));
            }
        }
        let until = until.max(account.second_is_spent(wanted, &place));
        until.map_or(Ok(()), Err)
    }

    /// How much of its usual share the account can afford now, in 1/65536.
    pub fn room(&mut self, index: AccountIndex, now: Instant) -> u32 {
        let Some((account, place)) = self.open(index, now) else {
            return ONE as u32;
        };
        let mut room = ONE;
        for ledger in [&account.day, &account.month] {
            if ledger.limit().is_some() {
                room = room.min(ledger.room(account.used(ledger, &place), place.now_ms));
            }
        }
        let published = account.second_allowance(&place);
        let learned = account.second.learned(now);
        if let Some(limit) = published.into_iter().chain(learned).min() {
            let free = limit.saturating_sub(account.second.sent(now));
            room = room.min(share(free, limit.div_ceil(2)));
        }
        room as u32
    }

    /// What a call of so many units would cost now, in 10⁻¹² of the currency.
    pub fn price(
        &mut self,
        index: AccountIndex,
        units: u32,
        per_unit_pico: u64,
        now: Instant,
    ) -> u64 {
        let Some((account, place)) = self.open(index, now) else {
            return u64::from(units).saturating_mul(per_unit_pico);
        };
        let used = || account.used(account.included(), &place);
        account.beyond(units, used).saturating_mul(per_unit_pico)
    }

    /// An attempt of so many units is dispatched.
    pub fn reserve(&mut self, index: AccountIndex, units: u32, now: Instant) {
        let Some((account, _)) = self.open(index, now) else {
            return;
        };
        let tally = Tally::one(units);
        account.pending = account.pending.plus(tally);
        let measure = account.second_measure();
        account.second.add(tally.of(measure), now);
    }

    /// A dispatched attempt ended. If it was sent it is spent, and the answer is what it cost.
    pub fn settle(
        &mut self,
        index: AccountIndex,
        units: u32,
        per_unit_pico: u64,
        sent: bool,
        now: Instant,
    ) -> u64 {
        let Some((account, place)) = self.open(index, now) else {
            return u64::from(units).saturating_mul(per_unit_pico);
        };
        let tally = Tally::one(units);
        account.pending = account.pending.minus(tally);
        if !sent {
            return 0;
        }
        // What is pending beside it has not been paid for yet.
        let spent = || account.spent_with(account.included(), Tally::default(), &place);
        let price_pico = account.beyond(units, spent).saturating_mul(per_unit_pico);
        account.paid_pico = account.paid_pico.saturating_add(price_pico);
        account.day.add(tally);
        account.month.add(tally);
        price_pico
    }

    /// The provider throttled an attempt that was sent at `started`.
    pub fn throttled(&mut self, index: AccountIndex, started: Instant, now: Instant) {
        if let Some((account, _)) = self.open(index, now) {
            account.second.throttled(started, now);
        }
    }

    /// Are the other shards to know what is spent here?
    #[must_use]
    pub fn is_shared(&self, index: AccountIndex) -> bool {
        let account = self.all.get(index.as_usize());
        self.shards > 1
            && account.is_some_and(|account| {
                let config = &account.config;
                config.included_units > 0
                    || config.per_second.is_some()
                    || config.per_day.is_some()
                    || config.per_month.is_some()
            })
    }

    /// How often the other shards are to hear of what is spent here: at once where so little is left of a limit that every call counts.
    pub fn tell_every(&mut self, index: AccountIndex, now: Instant) -> Duration {
        let Some((account, place)) = self.open(index, now) else {
            return TELL_EVERY;
        };
        let tight = |ledger: &Ledger| {
            ledger.limit().is_some_and(|limit| {
                let used = account.used(ledger, &place).of(limit.of);
                limit.amount.saturating_sub(used) <= limit.amount / 64
            })
        };
        if tight(&account.day) || tight(&account.month) {
            return Duration::ZERO;
        }
        let equal = account
            .config
            .per_second
            .map_or(u64::MAX, |limit| limit.amount / u64::from(place.shards));
        if account.second.sent(now) > equal {
            TELL_SOON
        } else {
            TELL_EVERY
        }
    }

    /// What this shard has to tell of an account, as of the last time that anything was asked or said.
    pub fn tell(&mut self, index: AccountIndex) -> Option<Report> {
        let now = self.seen;
        let (account, _) = self.open(index, now)?;
        account.told = now;
        Some(Report {
            at: now,
            second: account.second.sent(now),
            day: account.day.span().number,
            month: account.month.span().number,
            today: account.day.own(),
            this_month: account.month.own(),
        })
    }

    /// Takes in what another shard has told. True if it is time to say how this one stands.
    pub fn hear(&mut self, index: AccountIndex, shard: u16, report: Report, now: Instant) -> bool {
        self.seen = self.seen.max(now);
        if shard == self.shard {
            return false;
        }
        let Some(account) = self.all.get_mut(index.as_usize()) else {
            return false;
        };
        let Some(known) = account.heard.get_mut(usize::from(shard)) else {
            return false;
        };
        *known = known.joined(report);
        now >= account.told + REPLY_AFTER
    }

    /// This shard's number.
    #[must_use]
    pub const fn shard(&self) -> u16 {
        self.shard
    }

    /// How an account stands; `None` if there is no such one.
    pub fn view(&mut self, index: AccountIndex, now: Instant) -> Option<AccountView> {
        let room = self.room(index, now);
        let spent_until = self.allows(index, 1, now).err();
        let (account, place) = self.open(index, now)?;
        Some(AccountView {
            account: index,
            today: account.used(&account.day, &place),
            this_month: account.used(&account.month, &place),
            own_today: account.day.own(),
            own_this_month: account.month.own(),
            second: account.second.sent(now),
            second_allowed: account.second_allowance(&place),
            second_learned: account.second.learned(now),
            room_permille: ((u64::from(room) * 1_000) >> 16) as u32,
            paid_pico: account.paid_pico,
            spent_until,
        })
    }

    /// The account, in the period that it is now.
    fn open(&mut self, index: AccountIndex, now: Instant) -> Option<(&mut Account, Place)> {
        self.seen = self.seen.max(now);
        let place = Place {
            calendar: self.calendar,
            shard: self.shard,
            shards: self.shards,
            now,
            now_ms: self.calendar.unix_ms(now),
        };
        let account = self.all.get_mut(index.as_usize())?;
        account.day.roll(place.now_ms);
        let month = account.month.span().number;
        account.month.roll(place.now_ms);
        if account.month.span().number != month {
            account.paid_pico = 0;
        }
        Some((account, place))
    }
}

/// Where and when a question about an account is asked.
#[derive(Clone, Copy, Debug)]
struct Place {
    calendar: Calendar,
    shard: u16,
    shards: u16,
    now: Instant,
    now_ms: u64,
}

impl Account {
    /// What everybody has spent, as far as is known, and what is pending here.
    fn used(&self, ledger: &Ledger, place: &Place) -> Tally {
        self.spent_with(ledger, self.pending, place)
    }

    /// What everybody has spent, as far as is known, and this beside it. Who has not been heard of is taken to spend as much as this shard will have then.
    fn spent_with(&self, ledger: &Ledger, beside: Tally, place: &Place) -> Tally {
        let here = ledger.own().plus(beside);
        let mut others = Tally::default();
        for report in self.others(place) {
            let spent = report.spent(ledger.period(), ledger.span().number);
            others = others.plus(if is_fresh(report, place.now) {
                spent
            } else {
                spent.max_of_each(here)
            });
        }
        ledger.used(others).plus(beside)
    }

    /// The ledger of the period in which units are included.
    fn included(&self) -> &Ledger {
        match self.config.included_per {
            Period::Day => &self.day,
            Period::Month => &self.month,
        }
    }

    fn others(&self, place: &Place) -> impl Iterator<Item = &Report> {
        let own = usize::from(place.shard);
        let heard = self.heard.iter().enumerate();
        heard
            .filter(move |(at, _)| *at != own)
            .map(|(_, report)| report)
    }

    /// The units of a call of so many that are not included any more, when so much was used.
    fn beyond(&self, units: u32, used: impl FnOnce() -> Tally) -> u64 {
        let units = u64::from(units);
        if self.config.included_units == 0 {
            return units;
        }
        units.saturating_sub(self.config.included_units.saturating_sub(used().units))
    }

    fn second_measure(&self) -> Measure {
        self.config
            .per_second
            .map_or(Measure::Calls, |limit| limit.of)
    }

    /// What this shard may send in a second: its part of the limit, or what the others leave of it.
    fn second_allowance(&self, place: &Place) -> Option<u64> {
        let limit = self.config.per_second?.amount;
        let shards = u64::from(place.shards);
        let equal = limit.div_ceil(shards);
        let taken: u64 = self
            .others(place)
            .map(|report| {
                if is_fresh(report, place.now) {
                    report.second
                } else {
                    equal
                }
            })
            .fold(0, u64::saturating_add);
        // Of what does not come out even each shard has its part in turn.
        let turn = (u64::from(place.shard) + place.second()) % shards;
        let up_to = |turn: u64| (u128::from(limit) * u128::from(turn) / u128::from(shards)) as u64;
        let own = up_to(turn + 1) - up_to(turn);
        Some(own.max(limit.saturating_sub(taken)))
    }

    /// When this could be sent, if the second does not allow it now.
    fn second_is_spent(&mut self, wanted: Tally, place: &Place) -> Option<Instant> {
        let allowed = self.second_allowance(place)?;
        let amount = wanted.of(self.second_measure());
        let sent = self.second.sent(place.now);
        let is_turn = place.second() % u64::from(place.shards) == u64::from(place.shard);
        if sent.saturating_add(amount) <= allowed || sent == 0 && is_turn {
            return None;
        }
        let free_at = self.second.free_at(amount, allowed, place.now);
        Some(if free_at > place.now {
            free_at
        } else {
            place.now + Duration::from_secs(1)
        })
    }
}

impl Place {
    /// The number of the second, the same on every shard.
    const fn second(&self) -> u64 {
        self.now.0 / 1_000_000_000
    }
}

fn is_fresh(report: &Report, now: Instant) -> bool {
    report.at > Instant::ZERO && now.saturating_duration_since(report.at) < FRESH
}
