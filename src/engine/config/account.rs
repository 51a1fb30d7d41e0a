//! What upstreams cost and what their accounts allow, as configured. Money is counted in 10⁻¹² of whatever currency the operator
//! counts in, so that it stays whole: a provider's price of a million units in millionths of the currency is the same number. It
//! counts nothing.

use alloc::vec::Vec;
use core::fmt;

use crate::index::MAX_ACCOUNTS;
use crate::method::MethodId;

/// What calls to one upstream cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceConfig {
    /// What a unit costs beyond what the account includes, in 10⁻¹² of the currency: 0.45 for a million units is 450 000.
    pub per_unit_pico: u64,
    /// What a call counts as where its method has no figure of its own, in the provider's compute units. 1 where a provider counts
    /// calls.
    pub units: u32,
    /// What calls of these methods count as.
    pub method_units: Vec<(MethodId, u32)>,
}

impl PriceConfig {
    /// Is there anything to count that is not the number of calls?
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.per_unit_pico == 0 && self.units == 1 && self.method_units.is_empty()
    }
}

impl Default for PriceConfig {
    fn default() -> Self {
        Self {
            per_unit_pico: 0,
            units: 1,
            method_units: Vec::new(),
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Calls, each as one.
    #[default]
    Calls,
    /// Compute units.
    Units,
}

/// So much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How much; above zero.
    pub amount: u64,
    /// Of what.
    pub of: Measure,
}

/// A period of the calendar, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the first of the next.
    #[default]
    Month,
}

impl Period {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    /// The name in configurations, metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// What was spent of an account in a period before this process counted, by its ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Which day or month: days since 1970-01-01, or months since January 1970. Another than the present one counts for nothing.
    pub period: u32,
    /// Calls.
    pub calls: u64,
    /// Compute units.
    pub units: u64,
}

/// What was agreed with a provider: upstreams of one account (of several chains, too) share it. The limits are the whole
/// process's, and are never passed by more than what shards have not told each other yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountConfig {
    /// The most a second.
    pub per_second: Option<Allowance>,
    /// The most a day.
    pub per_day: Option<Allowance>,
    /// The most a month.
    pub per_month: Option<Allowance>,
    /// So many units cost nothing: a free tier, or what the plan's fixed price pays for.
    pub included_units: u64,
    /// In each such period.
    pub included_per: Period,
    /// What was spent today before this process began.
    pub today: Carried,
    /// What was spent this month before this process began.
    pub this_month: Carried,
}

/// Why the accounts of a configuration are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountError {
    /// More than [`MAX_ACCOUNTS`].
    TooMany(usize),
    /// A limit of this account is zero.
    Nothing(usize),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(count) => {
                write!(f, "there are {count} accounts, the most are {MAX_ACCOUNTS}")
            }
            Self::Nothing(position) => write!(
                f,
                "the limits of account number {position} must be above zero"
            ),
        }
    }
}

impl core::error::Error for AccountError {}

/// Checks the limits that the engine relies on.
///
/// # Errors
/// The first limit that does not hold.
pub fn check(accounts: &[AccountConfig]) -> Result<(), AccountError> {
    if accounts.len() > MAX_ACCOUNTS {
        return Err(AccountError::TooMany(accounts.len()));
    }
    for (position, account) in accounts.iter().enumerate() {
        let limits = [account.per_second, account.per_day, account.per_month];
        if limits.iter().flatten().any(|limit| limit.amount == 0) {
            return Err(AccountError::Nothing(position));
        }
    }
    Ok(())
}
