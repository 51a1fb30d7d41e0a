//! Who of the eligible has had its share: in a brownout, on probation, in a slow start. It counts out calls, evenly: a share of a fifth is every
//! fifth call that could have gone there. Where sessions stay with an upstream it counts out sessions instead, by hash, so that those that stay
//! stay. Shares are relative to the best share among the eligible, so somebody always stays.

use crate::breaker::State;
use crate::call::SessionKey;
use crate::index::{UpstreamIndex, UpstreamSet};
use crate::method::{Effect, MethodGroup};
use crate::rng::mixed;

use super::chain::{Chain, Upstream};

/// A whole call, as credit: what a whole share adds with each call.
pub(super) const WHOLE: u32 = 1_000;

impl Chain {
    /// Those of the eligible that sit this call out. Called once for each selection.
    pub(super) fn thin(
        &mut self,
        eligible: UpstreamSet,
        group: MethodGroup,
        effect: Effect,
        session: Option<SessionKey>,
    ) -> UpstreamSet {
        let thinned = eligible.and(self.thinned);
        if thinned.is_empty() || eligible.len() < 2 {
            return UpstreamSet::EMPTY;
        }
        let whole = eligible.minus(thinned);
        // What an upstream that is not quite back finds out with an effect may cost the client a doubt.
        if effect != Effect::None && !whole.is_empty() {
            return thinned;
        }
        let in_brownout = self.having(thinned, |_, upstream| {
            upstream.breakers.group(group) == State::Brownout
        });
        let each = self.retry_permille / (in_brownout.len() as u32).max(1);
        let best = if whole.is_empty() {
            let shares = thinned.iter().map(|index| self.share(index, group, each));
            shares.max().unwrap_or(WHOLE).max(1)
        } else {
            WHOLE
        };
        let mut out = UpstreamSet::EMPTY;
        for index in thinned.iter() {
            let relative = self.share(index, group, each) * WHOLE / best;
            let identity = self.identities.get(index.as_usize());
            let stays = match (session, self.upstreams.get_mut(index.as_usize())) {
                (Some(session), _) => stays(session, identity.copied().unwrap_or(0), relative),
                (None, Some(upstream)) => upstream.draw(relative),
                (None, None) => false,
            };
            if !stays {
                out.insert(index);
            }
        }
        out
    }

    /// Its share of what it would get, of [`WHOLE`].
    pub(super) fn share(
        &self,
        index: UpstreamIndex,
        group: MethodGroup,
        retry_permille: u32,
    ) -> u32 {
        self.upstream(index).map_or(WHOLE, |upstream| {
            let by_breaker = upstream.breakers.share_permille(group, retry_permille);
            by_breaker.min(upstream.probation.share_permille())
        })
    }
}

/// Is the session among so many of a thousand of this upstream's? Whoever is stays so while the share grows.
const fn stays(session: SessionKey, identity: u64, share: u32) -> bool {
    let hash = mixed(session.get() ^ identity.rotate_left(17));
    hash % (WHOLE as u64) < share as u64
}

impl Upstream {
    /// Adds a share to the credit; true if that makes a call.
    const fn draw(&mut self, share: u32) -> bool {
        self.credit += share;
        let whole = self.credit >= WHOLE;
        if whole {
            self.credit -= WHOLE;
        }
        whole
    }
}
