//! What was agreed with providers and where they are, from the configuration's words into the engine's numbers. Pure.

use config::{Measure, Period};
use engine::config::{AccountConfig, Allowance, Carried, GeoConfig, PriceConfig};
use engine::index::AccountIndex;
use engine::method;

use crate::control::regions::Regions;

/// An account.
pub fn account(configured: &config::Account) -> AccountConfig {
    let allowance = |quota: Option<config::Quota>| {
        quota.map(|quota| Allowance {
            amount: quota.amount,
            of: match quota.of {
                Measure::Calls => engine::config::Measure::Calls,
                Measure::ComputeUnits => engine::config::Measure::Units,
            },
        })
    };
    let included = configured.included.as_ref();
    AccountConfig {
        per_second: allowance(configured.per_second),
        per_day: allowance(configured.per_day),
        per_month: allowance(configured.per_month),
        included_units: included.map_or(0, |included| included.units),
        included_per: match included.map(|included| included.per) {
            Some(Period::Day) => engine::config::Period::Day,
            Some(Period::Month) | None => engine::config::Period::Month,
        },
        // No ledger outlives the process yet: what was spent before it began is not known.
        today: Carried::default(),
        this_month: Carried::default(),
    }
}

/// The account that pays for an upstream.
pub fn account_of(config: &config::Config, upstream: &config::Upstream) -> Option<AccountIndex> {
    let name = upstream.account.as_deref()?;
    let at = config.accounts.iter().position(|one| one.name == name)?;
    u16::try_from(at).ok().map(AccountIndex)
}

/// A price, with the units of every standard method that counts as something else than a method that is in no table.
pub fn price(configured: &config::Price) -> PriceConfig {
    let units = configured.units_of_unknown();
    PriceConfig {
        per_unit_pico: configured.per_unit_pico,
        units,
        method_units: method::all()
            .map(|(id, name, _)| (id, configured.units_of(name)))
            .filter(|(_, of_method)| *of_method != units)
            .collect(),
    }
}

/// How regions matter on a chain.
pub fn geo(configured: &config::Geo, regions: &Regions) -> GeoConfig {
    let home = configured.home.as_ref();
    GeoConfig {
        home: home.and_then(|name| regions.named(name.as_bytes())),
        bound: configured.bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::MethodPattern;

    #[test]
    fn a_price_names_the_methods_that_are_not_as_the_others() {
        let pattern = |text| MethodPattern::parse(text).unwrap();
        let configured = config::Price {
            per_unit_pico: 450_000,
            compute_units: vec![
                (pattern("*"), 20),
                (pattern("eth_getLogs"), 75),
                (pattern("eth_call"), 20),
            ],
        };
        let price = price(&configured);
        assert_eq!((price.per_unit_pico, price.units), (450_000, 20));
        assert_eq!(price.method_units, [(method::lookup(b"eth_getLogs"), 75)]);
        assert!(self::price(&config::Price::default()).is_plain());
    }

    #[test]
    fn quotas_keep_what_they_count() {
        let mut configured = config::Account::new("growth");
        configured.per_second = Some(config::Quota {
            amount: 330,
            of: Measure::ComputeUnits,
        });
        configured.per_day = Some(config::Quota {
            amount: 7,
            of: Measure::Calls,
        });
        configured.included = Some(config::Included {
            units: 5,
            per: Period::Day,
        });
        let account = account(&configured);
        let allowance = |amount, of| Some(Allowance { amount, of });
        assert_eq!(
            account.per_second,
            allowance(330, engine::config::Measure::Units)
        );
        assert_eq!(
            account.per_day,
            allowance(7, engine::config::Measure::Calls)
        );
        assert_eq!(account.per_month, None);
        let included = (account.included_units, account.included_per);
        assert_eq!(included, (5, engine::config::Period::Day));
    }
}
