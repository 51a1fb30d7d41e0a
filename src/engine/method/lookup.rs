//! From a method's bytes to its place in the table: one multiplication and, nearly always, one comparison. The slots are
//! laid out by the compiler; nothing is built at start-up and nothing is allocated.

use super::{MethodId, table::METHODS};

/// Longer names are in no table, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// Shorter ones neither: it lets the hash read eight bytes from either end.
const MIN_NAME_BYTES: usize = 8;

/// Slots of the table: several times as many as methods, so that chains of collisions stay short.
const SLOTS: usize = 1024;
const SLOT_BITS: u32 = SLOTS.ilog2();
const EMPTY: u16 = u16::MAX;

static INDEX: [u16; SLOTS] = lay_out();

/// The method of this name, compared byte for byte; [`MethodId::OTHER`] where the table has none.
#[must_use]
pub fn lookup(name: &[u8]) -> MethodId {
    let Some(mut slot) = home(name) else {
        return MethodId::OTHER;
    };
    // Ends at an empty slot: the table is checked at compile time to be far from full.
    for _ in 0..SLOTS {
        let Some(&position) = INDEX.get(slot) else {
            break;
        };
        let Some(row) = METHODS.get(usize::from(position)) else {
            break;
        };
        if row.0.as_bytes() == name {
            return MethodId(position);
        }
        slot = (slot + 1) % SLOTS;
    }
    MethodId::OTHER
}

/// The slot where the search for a name begins: from its length and its first and last eight bytes, which tell nearly
/// all methods apart.
const fn home(name: &[u8]) -> Option<usize> {
    if name.len() > MAX_NAME_BYTES || name.len() < MIN_NAME_BYTES {
        return None;
    }
    let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) else {
        return None;
    };
    let mixed = u64::from_le_bytes(*first).rotate_left(29)
        ^ u64::from_le_bytes(*last)
        ^ ((name.len() as u64) << 56);
    // Fibonacci hashing: the high bits of a product with 2^64 divided by the golden ratio.
    Some((mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOT_BITS)) as usize)
}

const fn lay_out() -> [u16; SLOTS] {
    assert!(METHODS.len() < SLOTS / 2, "the index is too full");
    let mut slots = [EMPTY; SLOTS];
    let mut position = 0;
    while position < METHODS.len() {
        let home = home(METHODS[position].0.as_bytes());
        assert!(
            home.is_some(),
            "a name is too short or too long for the index"
        );
        if let Some(mut slot) = home {
            while slots[slot] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = position as u16;
        }
        position += 1;
    }
    slots
}
