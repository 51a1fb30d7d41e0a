//! When somebody could have served what. Calls that nobody could serve have no best latency, and their errors are nobody's fault, so
//! they are counted apart, for every strategy alike.

use engine::time::Instant;

/// A stretch of time in which nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its first instant. It ends where the next begins.
    pub from: Instant,
    /// The menu's methods that somebody could serve, a bit each.
    pub served: u64,
    /// Those for which somebody was well: it answers, and rightly, and had room for all that came.
    pub well: u64,
}

/// When somebody could serve which of the menu's methods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    stretches: Vec<Stretch>,
}

impl Service {
    /// Somebody can serve everything, always.
    pub const ALWAYS: Self = Self {
        stretches: Vec::new(),
    };

    /// These stretches, in order.
    #[must_use]
    pub const fn new(stretches: Vec<Stretch>) -> Self {
        Self { stretches }
    }

    /// Could somebody serve this method of the menu now, and was somebody well? `place` is where it was looked last: time only goes on.
    pub(crate) fn at(&self, place: &mut usize, now: Instant, dish: u16) -> (bool, bool) {
        while self
            .stretches
            .get(*place + 1)
            .is_some_and(|next| next.from <= now)
        {
            *place += 1;
        }
        let Some(stretch) = self.stretches.get(*place) else {
            return (true, true);
        };
        let has = |set: u64| set >> dish & 1 == 1;
        (has(stretch.served), has(stretch.well))
    }

    /// The stretches in which nobody could serve anything: from, until.
    pub fn outages(&self, until: Instant) -> impl Iterator<Item = (Instant, Instant)> + '_ {
        let ends = self.stretches.iter().skip(1).map(|next| next.from);
        let pairs = self.stretches.iter().zip(ends.chain(Some(until)));
        pairs
            .filter(|(stretch, _)| stretch.served == 0)
            .map(|(stretch, end)| (stretch.from, end))
    }
}
