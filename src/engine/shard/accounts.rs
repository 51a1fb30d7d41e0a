//! Whose bill an upstream's calls are on, and what follows for the others of an account when two of its upstreams throttle us. It
//! decides nothing about a call.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::gossip::Key;
use crate::index::{AccountIndex, ChainIndex, UpstreamIndex};
use crate::note::NoteKind;
use crate::time::Instant;

use super::Shard;
use super::chain::Chain;

type Member = (ChainIndex, UpstreamIndex);

/// The accounts that at least three upstreams share: with two, both are held themselves.
#[derive(Debug)]
pub(super) struct Sharers {
    shared: Box<[(AccountIndex, Box<[Member]>)]>,
}

impl Sharers {
    pub(super) fn new(chains: &[Chain]) -> Self {
        let mut all: Vec<(AccountIndex, Vec<Member>)> = Vec::new();
        for (chain, state) in chains.iter().enumerate() {
            for (position, upstream) in state.upstreams.iter().enumerate() {
                let Some(account) = upstream.config.account else {
                    continue;
                };
                let member = (ChainIndex(chain as u16), UpstreamIndex(position as u16));
                match all.iter_mut().find(|(known, _)| *known == account) {
                    Some((_, members)) => members.push(member),
                    None => all.push((account, alloc::vec![member])),
                }
            }
        }
        let shared = all.into_iter().filter(|(_, members)| members.len() > 2);
        Self {
            shared: shared
                .map(|(account, members)| (account, members.into_boxed_slice()))
                .collect(),
        }
    }
}

impl Shard {
    /// A hold-off of this upstream has begun, or ends later than was known: while two of its account are held for throttles of their own, the
    /// others of it are held, too.
    pub(super) fn hold_account(
        &mut self,
        chain: ChainIndex,
        upstream: UpstreamIndex,
        now: Instant,
    ) {
        if self.sharers.shared.is_empty() {
            return;
        }
        let of = |shard: &Self, (chain, upstream): Member| {
            let state = shard.chain(chain)?;
            state.upstream(upstream)?.config.account
        };
        let Some(account) = of(self, (chain, upstream)) else {
            return;
        };
        let sharers = core::mem::take(&mut self.sharers.shared);
        let shared = sharers.iter().find(|(known, _)| *known == account);
        if let Some((_, members)) = shared
            && let Some(until) = self.both_held_until(members, now)
        {
            self.hold_members(account, members, until, now);
        }
        self.sharers.shared = sharers;
    }

    /// Until when two of them are held: the end of the hold-off that ends last but one.
    fn both_held_until(&self, members: &[Member], now: Instant) -> Option<Instant> {
        let (mut last, mut last_but_one) = (None, None);
        for &(chain, upstream) in members {
            let member = self.chain(chain).and_then(|state| state.upstream(upstream));
            let held = member.and_then(|member| member.throttle.held_itself_until(now));
            if held > last {
                (last, last_but_one) = (held, last);
            } else if held > last_but_one {
                last_but_one = held;
            }
        }
        last_but_one
    }

    fn hold_members(
        &mut self,
        account: AccountIndex,
        members: &[Member],
        until: Instant,
        now: Instant,
    ) {
        let mut any = false;
        for &(chain, upstream) in members {
            let Some(state) = self.chains.get_mut(chain.as_usize()) else {
                continue;
            };
            let Some(member) = state.upstreams.get_mut(upstream.as_usize()) else {
                continue;
            };
            if let Some(until) = member.throttle.join_account(until, now) {
                any = true;
                let noted = &mut self.notes;
                let mut note = |kind| noted.push(now, chain, kind);
                note(NoteKind::HoldOffBegan { upstream, until });
                state.turned(upstream, now, &mut note);
            }
        }
        if any && let Some(&(chain, _)) = members.first() {
            self.note(now, chain, NoteKind::AccountHeldOff { account, until });
        }
    }

    /// A hold-off of an upstream began here: the others hear of it, and its account.
    pub(super) fn held(&mut self, chain: ChainIndex, upstream: UpstreamIndex, now: Instant) {
        self.outbox.mark(Key::HoldOff(chain, upstream));
        self.hold_account(chain, upstream, now);
    }
}
