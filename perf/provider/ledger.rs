//! What a provider remembers between calls: raw transactions and filters. Bounded; holds no blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tiny_keccak::{Hasher, Keccak};

/// Most transactions and filters that are remembered; later ones are taken and forgotten.
const MAX_ENTRIES: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: BTreeSet<[u8; 32]>,
    raw: Vec<String>,
    last_filter: u64,
    filters: BTreeMap<u64, Filter>,
}

/// What a filter tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterKind {
    Logs,
    Blocks,
    Transactions,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) kind: FilterKind,
    /// Newest block that was already told.
    pub(super) told: u64,
}

/// What became of a raw transaction.
pub(super) enum Taken {
    New([u8; 32]),
    Known,
    Malformed,
}

impl Ledger {
    /// Takes a raw transaction in hex, as sent. The hash is keccak-256 of its bytes, as on the real network.
    pub(super) fn take(&self, raw: &str) -> Taken {
        let Some(bytes) = raw
            .strip_prefix("0x")
            .and_then(from_hex)
            .filter(|bytes| !bytes.is_empty())
        else {
            return Taken::Malformed;
        };
        let mut hash = [0; 32];
        let mut keccak = Keccak::v256();
        keccak.update(&bytes);
        keccak.finalize(&mut hash);
        let mut state = self.lock();
        if state.known.contains(&hash) {
            return Taken::Known;
        }
        if state.known.len() < MAX_ENTRIES {
            state.known.insert(hash);
            state.raw.push(raw.to_owned());
        }
        Taken::New(hash)
    }

    pub(super) fn transactions(&self) -> Vec<String> {
        self.lock().raw.clone()
    }

    /// A new filter's id. Ids count from 1 in every provider: two providers use the same ids for different filters, as
    /// real nodes do.
    pub(super) fn create_filter(&self, kind: FilterKind, head: u64) -> u64 {
        let mut state = self.lock();
        state.last_filter += 1;
        let id = state.last_filter;
        if state.filters.len() < MAX_ENTRIES {
            state.filters.insert(id, Filter { kind, told: head });
        }
        id
    }

    /// The filter as it was, marked as told up to `head` where `advance`.
    pub(super) fn read_filter(&self, id: u64, head: u64, advance: bool) -> Option<Filter> {
        let mut state = self.lock();
        let filter = state.filters.get_mut(&id)?;
        let before = *filter;
        if advance {
            filter.told = head;
        }
        Some(before)
    }

    pub(super) fn remove_filter(&self, id: u64) -> bool {
        self.lock().filters.remove(&id).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|&[high, low]| u8::try_from(digit(high)? << 4 | digit(low)?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{FilterKind, Ledger, Taken};

    #[test]
    fn a_transaction_is_new_once() {
        let ledger = Ledger::default();
        // keccak-256 of the single byte 0x80 is the empty trie root.
        let Taken::New(hash) = ledger.take("0x80") else {
            panic!("not taken")
        };
        assert_eq!(hash[..4], [0x56, 0xe8, 0x1f, 0x17]);
        assert!(matches!(ledger.take("0x80"), Taken::Known));
        assert!(matches!(ledger.take("0x8"), Taken::Malformed));
        assert!(matches!(ledger.take("0xzz"), Taken::Malformed));
        assert!(matches!(ledger.take("0x"), Taken::Malformed));
        assert_eq!(ledger.transactions(), ["0x80"]);
    }

    #[test]
    fn a_filter_remembers_what_it_told() {
        let ledger = Ledger::default();
        let id = ledger.create_filter(FilterKind::Blocks, 10);
        assert_eq!(ledger.read_filter(id, 12, true).unwrap().told, 10);
        assert_eq!(ledger.read_filter(id, 13, true).unwrap().told, 12);
        assert!(ledger.remove_filter(id));
        assert!(!ledger.remove_filter(id));
        assert!(ledger.read_filter(id, 14, true).is_none());
    }
}
