//! How much of the past an upstream still has. It knows no chain: who asks says how far back a block is.

use engine::learned::History;
use engine::method::{self, MethodId};

use super::{NO_HISTORY, PRUNED, Saying};

/// How many blocks below its newest an upstream still has, by what of a block is asked for; all where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept([Option<u64>; History::COUNT]);

impl Kept {
    /// It has so many of this; all for `None`.
    pub const fn set(&mut self, kind: History, blocks: Option<u64>) {
        self.0[kind as usize] = blocks;
    }

    /// How many it has of this; `None` for all.
    #[must_use]
    pub const fn of(&self, kind: History) -> Option<u64> {
        self.0[kind as usize]
    }

    /// What it says to a call of this method about a block that is so far below its newest; `None` where it has that.
    #[must_use]
    pub fn lacks(&self, method: MethodId, back: u64) -> Option<Saying> {
        let kind = History::of(method::policy(method));
        let is_gone = self.of(kind).is_some_and(|kept| back > kept);
        is_gone.then_some(match kind {
            History::State | History::Traces => PRUNED,
            History::Blocks | History::Logs => NO_HISTORY,
        })
    }
}
