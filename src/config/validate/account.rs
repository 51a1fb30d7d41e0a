//! Accounts and prices: names that exist, methods that are known. Counts nothing.

use std::collections::HashSet;

use engine::method;

use super::set;
use crate::file;
use crate::kind::{NAME_RULE, Name, PATTERN_RULE, Whole, is_name};
use crate::model::{Account, Included, MethodPattern, Period, Price, Quota};
use crate::problem::{shown, suggestion};
use crate::read::{At, Named, Reader};

/// Most accounts of a process: what the engine keeps room for.
const MAX_ACCOUNTS: usize = engine::index::MAX_ACCOUNTS;

/// Most entries of one upstream's list of compute units.
const MAX_COMPUTE_UNITS: usize = 512;

pub(crate) fn accounts(named: At<Named<file::Account>>, reader: &mut Reader<'_>) -> Vec<Account> {
    if named.value.0.len() > MAX_ACCOUNTS {
        reader.problem_at(
            &named.origin,
            format!("more than {MAX_ACCOUNTS} accounts"),
            "split them over several processes",
        );
    }
    let mut accounts = Vec::new();
    for (key, at) in named.value.0 {
        if !is_name(&key.value) {
            let message = format!("{} cannot name an account", shown(&key.value));
            reader.problem_at(&key.origin, message, format!("use {NAME_RULE}"));
            continue;
        }
        accounts.push(account(&key.value, at.value));
    }
    accounts
}

fn account(name: &str, file: file::Account) -> Account {
    let mut account = Account::new(name);
    let limits = file.limits.map(|at| at.value).unwrap_or_default();
    let quota = |at: Option<At<crate::kind::Amount>>| -> Option<Quota> { at.map(|at| at.value.0) };
    account.per_second = quota(limits.per_second);
    account.per_day = quota(limits.per_day);
    account.per_month = quota(limits.per_month);
    account.included = file.included.and_then(|at| {
        Some(Included {
            units: at.value.compute_units?.value.0,
            per: at.value.per.map_or(Period::Month, |per| per.value),
        })
    });
    account
}

/// The account that an upstream names, if it exists.
pub(crate) fn named(
    given: Option<At<Name>>,
    accounts: &[Account],
    reader: &mut Reader<'_>,
) -> Option<String> {
    let at = given?;
    let name = at.value.0;
    let known = || accounts.iter().map(|account| account.name.as_str());
    if !known().any(|account| account == name) {
        let remedy = match suggestion(&name, known()) {
            Some(account) => format!("did you mean `{account}`?"),
            None => format!("add it: `accounts: {{ {name}: {{ limits: … }} }}`"),
        };
        reader.problem_at(&at.origin, format!("there is no account `{name}`"), remedy);
    }
    Some(name)
}

pub(crate) fn price(file: file::Price, reader: &mut Reader<'_>) -> Price {
    let mut price = Price::default();
    set(&mut price.per_unit_pico, file.per_million, |money| money.0);
    let Some(units) = file.compute_units else {
        return price;
    };
    if units.value.0.len() > MAX_COMPUTE_UNITS {
        reader.problem_at(
            &units.origin,
            format!("more than {MAX_COMPUTE_UNITS} entries"),
            "use patterns, as in `debug_*`",
        );
    }
    let known: HashSet<&str> = method::all().map(|(_, name, _)| name).collect();
    for (key, at) in units.value.0 {
        if let Some(pattern) = counted(&key, &known, reader) {
            let Whole(units) = at.value;
            price
                .compute_units
                .push((pattern, u32::try_from(units).unwrap_or(u32::MAX)));
        }
    }
    price
}

/// The methods that an entry is about, if there are any.
fn counted(
    key: &At<String>,
    known: &HashSet<&str>,
    reader: &mut Reader<'_>,
) -> Option<MethodPattern> {
    let Some(pattern) = MethodPattern::parse(&key.value) else {
        let message = format!(
            "{} is neither a method's name nor a pattern",
            shown(&key.value)
        );
        reader.problem_at(&key.origin, message, format!("write {PATTERN_RULE}"));
        return None;
    };
    if !known.iter().any(|name| pattern.matches(name)) {
        let remedy = match suggestion(&key.value, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "remove it: what is in no table counts as `*` says".to_owned(),
        };
        let message = format!("{} is no method that is known", shown(&key.value));
        reader.problem_at(&key.origin, message, remedy);
        return None;
    }
    Some(pattern)
}
