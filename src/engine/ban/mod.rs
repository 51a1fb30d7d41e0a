//! Methods that an upstream said it does not serve, each for a while. It says nothing about health.
//!
//! Unknown methods share one id, so none of them is ever banned: one that an upstream lacks would take the others with it.
//!
//! Each method is a register in which the newest counts, so that shards that tell each other theirs come to the same view in any order.

use alloc::vec::Vec;
use core::time::Duration;

use crate::method::MethodId;
use crate::time::Instant;

/// The longest that a ban is believed.
pub const MAX: Duration = Duration::from_secs(24 * 3_600);

/// What is known of one method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ban {
    /// When it was found.
    pub at: Instant,
    /// Until when it is believed; not after `at` if the method is served.
    pub until: Instant,
}

/// One upstream's banned methods. Nothing is allocated until the first.
#[derive(Clone, Debug, Default)]
pub struct Bans {
    methods: Vec<Ban>,
    /// From then on none is banned.
    until: Instant,
}

impl Bans {
    /// Nothing is banned.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            methods: Vec::new(),
            until: Instant::ZERO,
        }
    }

    /// Is no method banned?
    #[must_use]
    pub fn is_empty(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// Is the method banned now?
    #[must_use]
    pub fn contains(&self, method: MethodId, now: Instant) -> bool {
        now < self.until && self.read(method).is_some_and(|ban| now < ban.until)
    }

    /// What is known of a method, if anything ever was.
    #[must_use]
    pub fn read(&self, method: MethodId) -> Option<Ban> {
        let ban = *self.methods.get(method.index())?;
        (ban != Ban::default()).then_some(ban)
    }

    /// Bans a method. The answer is until when; `None` for an unknown method, which cannot be banned.
    pub fn insert(&mut self, method: MethodId, now: Instant, span: Duration) -> Option<Instant> {
        let until = now + span;
        self.take(method, Ban { at: now, until }).then_some(until)
    }

    /// The upstream served the method after all. True if that is news.
    pub fn remove(&mut self, method: MethodId, now: Instant) -> bool {
        self.contains(method, now)
            && self.take(
                method,
                Ban {
                    at: now,
                    until: now,
                },
            )
    }

    /// Takes in what was found, here or elsewhere: of two the newer counts. True if it is news.
    pub fn take(&mut self, method: MethodId, ban: Ban) -> bool {
        if !method.is_known() {
            return false;
        }
        if self.methods.is_empty() {
            self.methods = alloc::vec![Ban::default(); MethodId::COUNT];
        }
        let ban = Ban {
            until: ban.until.min(ban.at + MAX),
            ..ban
        };
        let Some(known) = self.methods.get_mut(method.index()) else {
            return false;
        };
        if *known >= ban {
            return false;
        }
        *known = ban;
        self.until = self.until.max(ban.until);
        true
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
        assert!(!bans.contains(banned, Instant(15)) && bans.is_empty(Instant(15)));
        assert!(!bans.contains(other, Instant(14)));
        assert!(bans.remove(banned, Instant(6)));
        assert!(!bans.contains(banned, Instant(6)));
        assert!(!bans.remove(banned, Instant(7)), "it is none any more");
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

    #[test]
    fn the_newest_word_counts_and_none_is_believed_for_more_than_a_day() {
        let (mut bans, method) = (Bans::new(), MethodId(3));
        let served = Ban {
            at: Instant(9),
            until: Instant(9),
        };
        let banned = Ban {
            at: Instant(8),
            until: Instant::NEVER,
        };
        assert!(bans.take(method, banned));
        assert_eq!(
            bans.read(method).map(|ban| ban.until),
            Some(Instant(8) + MAX)
        );
        assert!(bans.contains(method, Instant(10)));
        assert!(bans.take(method, served));
        assert!(!bans.take(method, banned), "it is older");
        assert!(!bans.contains(method, Instant(10)));
    }
}
