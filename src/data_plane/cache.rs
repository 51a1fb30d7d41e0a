//! Results that this shard has seen and may answer from: raw `result` bytes by call, within a budget of bytes. What may be kept
//! and for how long is [`engine::cache`]'s decision; nothing is swept, freshness is judged when somebody asks.
//!
//! A key is the whole call ([`super::asked::Question::write_key`]), compared byte for byte; its hash is seeded per process. Eviction
//! is quick_cache's (Clock-PRO, scan-resistant as S3-FIFO is).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use engine::cache::{Lifetime, Stale};
use hashbrown::DefaultHashBuilder;
use quick_cache::{Lifecycle, Weighter, unsync};

/// What an entry costs beside its bytes: the table's slot, two allocations and their headers.
const ENTRY_BYTES: usize = 128;

/// The size of a usual entry, from which the table's first size is guessed.
const USUAL_ENTRY_BYTES: u64 = 1024;

/// The table is not sized for more entries than this at the start; it grows.
const MAX_FIRST_ENTRIES: u64 = 16 * 1024;

/// One result may take at most this share of the budget.
const LARGEST_SHARE: u64 = 8;

/// A kept result.
struct Kept {
    lifetime: Lifetime,
    result: Box<[u8]>,
}

struct ByBytes;

impl Weighter<Box<[u8]>, Kept> for ByBytes {
    fn weight(&self, key: &Box<[u8]>, kept: &Kept) -> u64 {
        (key.len() + kept.result.len() + ENTRY_BYTES) as u64
    }
}

/// Counts what is evicted.
#[derive(Clone, Default)]
struct Evictions(Rc<Cell<u64>>);

impl Lifecycle<Box<[u8]>, Kept> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Box<[u8]>, _: Kept) {
        self.0.set(self.0.get() + 1);
    }
}

type Table = unsync::Cache<Box<[u8]>, Kept, ByBytes, DefaultHashBuilder, Evictions>;

/// The cache of one shard.
pub struct Cache {
    table: RefCell<Table>,
    largest_bytes: usize,
    evictions: Evictions,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The call is not in the cache.
    Absent,
    /// It is, and is true no longer.
    Stale(Stale),
}

/// What the cache holds, for the gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Entries, the stale ones included.
    pub entries: u64,
    /// Bytes, the overhead of entries included.
    pub bytes: u64,
    /// Bytes that it may take.
    pub max_bytes: u64,
    /// Entries evicted so far for want of room.
    pub evictions: u64,
}

impl Cache {
    /// An empty cache of at most so many bytes.
    pub fn new(max_bytes: u64) -> Self {
        let evictions = Evictions::default();
        let first_entries = (max_bytes / USUAL_ENTRY_BYTES).clamp(1, MAX_FIRST_ENTRIES);
        Self {
            table: RefCell::new(unsync::Cache::with(
                usize::try_from(first_entries).unwrap_or(1),
                max_bytes,
                ByBytes,
                DefaultHashBuilder::default(),
                evictions.clone(),
            )),
            largest_bytes: usize::try_from(max_bytes / LARGEST_SHARE).unwrap_or(usize::MAX),
            evictions,
        }
    }

    /// Gives a fresh result to `take`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn look<R>(
        &self,
        key: &[u8],
        is_fresh: impl FnOnce(&Lifetime) -> Result<(), Stale>,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Miss> {
        let table = self.table.borrow();
        let kept = table.get(key).ok_or(Miss::Absent)?;
        is_fresh(&kept.lifetime).map_err(Miss::Stale)?;
        Ok(take(&kept.result))
    }

    /// Keeps a result; one that takes too large a share of the budget is not kept.
    pub fn keep(&self, key: &[u8], result: &[u8], lifetime: Lifetime) -> bool {
        if key.len() + result.len() + ENTRY_BYTES > self.largest_bytes {
            return false;
        }
        let kept = Kept {
            lifetime,
            result: result.into(),
        };
        self.table.borrow_mut().insert(key.into(), kept);
        true
    }

    /// What it holds now.
    pub fn held(&self) -> Held {
        let table = self.table.borrow();
        Held {
            entries: table.len() as u64,
            bytes: table.weight(),
            max_bytes: table.capacity(),
            evictions: self.evictions.0.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINAL: Lifetime = Lifetime::Final { generation: 0 };

    fn always(_: &Lifetime) -> Result<(), Stale> {
        Ok(())
    }

    fn found(cache: &Cache, key: &[u8]) -> Option<Vec<u8>> {
        cache.look(key, always, <[u8]>::to_vec).ok()
    }

    #[test]
    fn what_is_kept_is_found_by_its_whole_key() {
        let cache = Cache::new(1 << 20);
        assert!(cache.keep(b"one", b"1", FINAL));
        assert!(cache.keep(b"one", b"2", FINAL));
        assert_eq!(found(&cache, b"one").unwrap(), b"2");
        assert_eq!(found(&cache, b"on"), None);
        assert_eq!(cache.held().entries, 1);
    }

    #[test]
    fn what_is_stale_says_why() {
        let cache = Cache::new(1 << 20);
        cache.keep(b"k", b"1", FINAL);
        let stale = cache.look(b"k", |_| Err(Stale::NewHead), |_| ());
        assert_eq!(stale, Err(Miss::Stale(Stale::NewHead)));
        assert_eq!(cache.look(b"x", always, |_| ()), Err(Miss::Absent));
    }

    #[test]
    fn the_budget_holds_and_what_is_asked_for_stays() {
        const BUDGET: u64 = 64 * 1024;
        let cache = Cache::new(BUDGET);
        cache.keep(b"asked for again and again", &[7; 1000], FINAL);
        for n in 0..10_000_u32 {
            cache.keep(&n.to_le_bytes(), &[1; 500], FINAL);
            assert!(found(&cache, b"asked for again and again").is_some());
            assert!(cache.held().bytes <= BUDGET, "{:?}", cache.held());
        }
        assert!(cache.held().evictions > 9_000);
    }

    #[test]
    fn one_result_takes_an_eighth_at_most() {
        let cache = Cache::new(8 * 1024);
        assert!(cache.keep(b"", &[0; 1024 - ENTRY_BYTES], FINAL));
        assert!(!cache.keep(b"x", &[0; 1024 - ENTRY_BYTES], FINAL));
        assert_eq!(found(&cache, b"x"), None);
    }
}
