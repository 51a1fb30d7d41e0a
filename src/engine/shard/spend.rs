//! What calls cost and what accounts allow, put together with who is asked: before a selection the prices, limits and expectations of every
//! upstream, and from an attempt's dispatch to its end what it spends. A chain that has none of it is not even looked at.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::account::{AccountView, Accounts};
use crate::call::{Attempt, Call};
use crate::config::{AccountConfig, ChainConfig, UpstreamConfig};
use crate::index::{AccountIndex, ChainIndex, UpstreamIndex, UpstreamSet};
use crate::method::MethodId;
use crate::note::NoteKind;
use crate::strategy::Offer;
use crate::time::Instant;

use super::Shard;
use super::chain::Chain;

/// What calls to one upstream cost, and whose limits they use up.
#[derive(Clone, Debug)]
pub(super) struct Tariff {
    pub(super) account: AccountIndex,
    per_unit_pico: u64,
    /// By method.
    units: Box<[u32]>,
}

impl Tariff {
    fn new(config: &UpstreamConfig, account: AccountIndex) -> Self {
        let price = &config.price;
        let mut units = alloc::vec![price.units; MethodId::COUNT + 1];
        for &(method, count) in &price.method_units {
            if let Some(slot) = units.get_mut(method.index()) {
                *slot = count;
            }
        }
        Self {
            account,
            per_unit_pico: price.per_unit_pico,
            units: units.into_boxed_slice(),
        }
    }

    pub(super) fn units(&self, method: MethodId) -> u32 {
        self.units.get(method.index()).copied().unwrap_or(1)
    }
}

/// The tariffs of a chain's upstreams, each with an account: its own, or one made for it. None where nothing about them matters: no price, no
/// account, and no strategy that asks.
pub(super) fn tariffs(
    config: &ChainConfig,
    accounts: &mut Accounts,
    configured: usize,
    now: Instant,
) -> Box<[Tariff]> {
    let is_priced =
        |upstream: &UpstreamConfig| upstream.account.is_some() || !upstream.price.is_plain();
    let asks = config
        .strategies
        .iter()
        .any(|spec| spec.build().needs().any());
    if !asks && !config.upstreams.iter().any(is_priced) {
        return Box::default();
    }
    let tariff = |upstream: &UpstreamConfig| {
        let known = upstream
            .account
            .filter(|account| account.as_usize() < configured);
        let account = known.unwrap_or_else(|| accounts.add(AccountConfig::default(), now));
        Tariff::new(upstream, account)
    };
    config.upstreams.iter().map(tariff).collect()
}

/// What a choice saved: its price, and that of the upstream that the leaderboard would have put first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Saving {
    pub(super) price_pico: u64,
    pub(super) best_pico: u64,
}

impl Chain {
    /// Asks the accounts who has spent what it may, and fills in what the call's strategy wants to know.
    fn survey(&mut self, accounts: &mut Accounts, call: &Call, now: Instant) {
        let method = call.request.method;
        let needs = self.needs(call.strategy);
        self.spent = UpstreamSet::EMPTY;
        for (position, (tariff, offer)) in self.tariffs.iter().zip(&mut self.offers).enumerate() {
            let upstream = UpstreamIndex(position as u16);
            let units = tariff.units(method);
            if accounts.allows(tariff.account, units, now).is_err() {
                self.spent.insert(upstream);
            }
            *offer = Offer::default();
            if needs.prices {
                let per_unit = tariff.per_unit_pico;
                offer.price_pico = accounts.price(tariff.account, units, per_unit, now);
            }
            if needs.room {
                offer.room = accounts.room(tariff.account, now);
            }
            if let Some(permille) = needs.quantile_permille {
                let quantile = self.board.quantile(upstream, method, permille, now);
                let us = quantile.map_or(0, |quantile| quantile.as_micros());
                offer.quantile_us = u64::try_from(us).unwrap_or(u64::MAX);
            }
        }
    }
}

impl Shard {
    /// Before a selection: looks at what has a price or a limit.
    pub(super) fn survey(&mut self, call: &Call, now: Instant) {
        if let Some(chain) = self.chains.get_mut(call.request.chain.as_usize())
            && chain.has_tariffs()
        {
            chain.survey(&mut self.accounts, call, now);
        }
    }

    /// An attempt is dispatched: from now on it counts. The account and the units, where there is one.
    pub(super) fn reserve(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        method: MethodId,
        now: Instant,
    ) -> Option<(AccountIndex, u32)> {
        let tariff = self.chain(chain)?.tariffs.get(upstream.as_usize())?;
        let (account, units) = (tariff.account, tariff.units(method));
        self.accounts.reserve(account, units, now);
        self.mark_spend(account, now);
        Some((account, units))
    }

    /// An attempt ended: what was sent is spent.
    pub(super) fn settle_spend(
        &mut self,
        call: &Call,
        attempt: &Attempt,
        sent: bool,
        now: Instant,
    ) {
        let Some(account) = attempt.account else {
            return;
        };
        let chain = self.chain(call.request.chain);
        let tariff = chain.and_then(|chain| chain.tariffs.get(attempt.upstream.as_usize()));
        let per_unit_pico = tariff.map_or(0, |tariff| tariff.per_unit_pico);
        let price_pico = self
            .accounts
            .settle(account, attempt.units, per_unit_pico, sent, now);
        if !sent {
            return;
        }
        self.mark_spend(account, now);
        let kind = NoteKind::Spent {
            call: call.id,
            upstream: attempt.upstream,
            account,
            units: attempt.units,
            price_pico,
        };
        self.note(now, call.request.chain, kind);
    }

    /// What the choice that was just made saves, where its strategy looks at prices.
    pub(super) fn note_saving(&mut self, call: &Call, now: Instant) {
        let chain = self.chains.get_mut(call.request.chain.as_usize());
        let Some(saving) = chain.and_then(|chain| chain.saving.take()) else {
            return;
        };
        let kind = NoteKind::Priced {
            call: call.id,
            price_pico: saving.price_pico,
            best_pico: saving.best_pico,
        };
        self.note(now, call.request.chain, kind);
    }

    fn mark_spend(&mut self, account: AccountIndex, now: Instant) {
        if self.accounts.is_shared(account) {
            let every = self.accounts.tell_every(account, now);
            self.outbox.mark_spend(account, now, every);
        }
    }

    /// When the first of these upstreams' accounts may spend again.
    pub(super) fn earliest_funds(
        &mut self,
        chain: ChainIndex,
        among: UpstreamSet,
        method: MethodId,
        now: Instant,
    ) -> Option<Instant> {
        let state = self.chains.get(chain.as_usize())?;
        let spent = among.and(state.spent);
        let tariffs: Vec<(AccountIndex, u32)> = spent
            .iter()
            .filter_map(|upstream| state.tariffs.get(upstream.as_usize()))
            .map(|tariff| (tariff.account, tariff.units(method)))
            .collect();
        let accounts = &mut self.accounts;
        let until = |(account, units)| accounts.allows(account, units, now).err();
        tariffs.into_iter().filter_map(until).min()
    }

    /// How an account stands, as far as this shard knows; `None` if there is no such one. The accounts of the configuration come first; behind
    /// them are those that were made for upstreams without one, on chains where prices or limits matter.
    pub fn account(&mut self, account: AccountIndex, now: Instant) -> Option<AccountView> {
        self.accounts.view(account, now)
    }

    /// How many accounts there are.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// The account whose limits calls to an upstream use up; `None` where nobody's.
    #[must_use]
    pub fn account_of(&self, chain: ChainIndex, upstream: UpstreamIndex) -> Option<AccountIndex> {
        let tariff = self.chain(chain)?.tariffs.get(upstream.as_usize())?;
        Some(tariff.account)
    }
}
