//! Methods that an upstream said it does not serve, each for a while. It says nothing about health.
//!
//! Unknown methods share one id, so none of them is ever banned: one that an upstream lacks would take the others with it.

use alloc::vec::Vec;
use core::time::Duration;

use crate::method::MethodId;
use crate::time::Instant;

/// One upstream's banned methods. Nothing is allocated until the first.
#[derive(Clone, Debug, Default)]
pub struct Bans {
    until: Vec<Instant>,
}

impl Bans {
    /// Nothing is banned.
    #[must_use]
    pub const fn new() -> Self {
        Self { until: Vec::new() }
    }

    /// Is the method banned now?
    #[must_use]
    pub fn contains(&self, method: MethodId, now: Instant) -> bool {
        self.until
            .get(method.index())
            .is_some_and(|&until| now < until)
    }

    /// Bans a method. The answer is until when; `None` for an unknown method, which cannot be banned.
    pub fn insert(&mut self, method: MethodId, now: Instant, span: Duration) -> Option<Instant> {
        if !method.is_known() {
            return None;
        }
        if self.until.is_empty() {
            self.until = alloc::vec![Instant::ZERO; MethodId::COUNT];
        }
        let until = now + span;
        *self.until.get_mut(method.index())? = until;
        Some(until)
    }

    /// The upstream served the method after all.
    pub fn remove(&mut self, method: MethodId) {
        if let Some(until) = self.until.get_mut(method.index()) {
            *until = Instant::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_ends_by_itself_at_its_time_and_touches_no_other_method() {
        let mut bans = Bans::new();
        let (banned, other) = (MethodId(0), MethodId(1));
        let until = bans.insert(banned, Instant(5), Duration::from_nanos(10));
        assert_eq!(until, Some(Instant(15)));
        assert!(bans.contains(banned, Instant(14)));
        assert!(!bans.contains(banned, Instant(15)));
        assert!(!bans.contains(other, Instant(14)));
        bans.remove(banned);
        assert!(!bans.contains(banned, Instant(6)));
    }

    #[test]
    fn unknown_methods_are_never_banned() {
        let mut bans = Bans::new();
        assert_eq!(
            bans.insert(MethodId::OTHER, Instant(5), Duration::from_secs(10)),
            None
        );
        assert!(!bans.contains(MethodId::OTHER, Instant(6)));
    }
}
