//! Which calls a shard refuses when it is itself overloaded: those that matter least.

use crate::method::{Effect, MethodClass};

/// What a call is worth while not all can be served. The order is the order in which they are shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Priority {
    /// Scans and traces: dear, slow, and mostly of programs that come again.
    Bulk,
    /// Reads.
    Normal,
    /// What is cheap and what everything else waits for: the head, and what never changes.
    Cheap,
    /// Whatever has an effect: a transaction that was refused is money.
    Critical,
}

impl Priority {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// Every priority, in the order in which they are shed.
    pub const ALL: [Self; Self::COUNT] = [Self::Bulk, Self::Normal, Self::Cheap, Self::Critical];

    /// Of a call of this class and effect.
    #[must_use]
    pub const fn of(class: MethodClass, effect: Effect) -> Self {
        if !matches!(effect, Effect::None) {
            return Self::Critical;
        }
        match class {
            MethodClass::Logs | MethodClass::Trace => Self::Bulk,
            MethodClass::HeadRead | MethodClass::Static => Self::Cheap,
            MethodClass::Write => Self::Critical,
            MethodClass::Read
            | MethodClass::Filter
            | MethodClass::Subscription
            | MethodClass::Admin
            | MethodClass::Other => Self::Normal,
        }
    }

    /// The name in metrics and events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Normal => "normal",
            Self::Cheap => "cheap",
            Self::Critical => "critical",
        }
    }
}
