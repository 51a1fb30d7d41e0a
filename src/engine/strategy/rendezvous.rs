//! Weighted rendezvous hashing (highest random weight; Thaler and Ravishankar, 1998): which of several upstreams a key is at home at, without a
//! table. When an upstream goes, only its own keys move, each to where it would be had that upstream never been; when it comes back they
//! do; and when a weight changes only the difference moves.
//!
//! Each upstream draws a number from the hash of its name and the key, and the one with the least −log(number) / weight wins: that
//! is a race of exponential clocks, which each wins in proportion to its weight. All in integers, so that every machine agrees.

use crate::rng::mixed;

/// Bits after the point of a logarithm.
const FRACTION_BITS: u32 = 24;

/// An upstream's number for a key, before its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    /// −log₂ of the number, with [`FRACTION_BITS`].
    clock: u64,
    weight: u64,
}

impl Draw {
    /// The number of the upstream that has this name and weight, for this key.
    pub(super) fn new(key: u64, identity: u64, weight: u32) -> Self {
        let hash = mixed(mixed(key) ^ identity.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self {
            clock: (64 << FRACTION_BITS) - log2(hash | 1),
            weight: u64::from(weight),
        }
    }

    /// Does it win over the other? Of two that are equal the one that is asked does not.
    pub(super) const fn beats(self, other: Self) -> bool {
        // A clock has 30 bits, a weight 32.
        self.clock * other.weight < other.clock * self.weight
    }
}

/// The binary logarithm of a number above zero, with [`FRACTION_BITS`], rounded down: each squaring of the mantissa gives a bit.
fn log2(x: u64) -> u64 {
    let zeros = x.leading_zeros();
    let mut mantissa = x << zeros;
    let mut log = u64::from(63 - zeros);
    for _ in 0..FRACTION_BITS {
        let square = u128::from(mantissa) * u128::from(mantissa);
        let carry = (square >> 127) as u64;
        log = log << 1 | carry;
        mantissa = (square >> (63 + carry)) as u64;
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_exact_to_its_last_bit() {
        let one = 1_u64 << FRACTION_BITS;
        for power in 0..64 {
            assert_eq!(log2(1 << power), power * one);
        }
        // log₂ of 3, 10 and 2⁶⁴ − 1.
        assert_eq!(log2(3), 26_591_258);
        assert_eq!(log2(10), 55_732_705);
        assert_eq!(log2(u64::MAX), 64 * one - 1);
    }

    #[test]
    fn each_wins_in_proportion_to_its_weight() {
        let weights = [100, 100, 200, 400];
        let mut wins = [0_u32; 4];
        for key in 0..40_000 {
            let draws = weights.iter().enumerate();
            let mut draws = draws.map(|(at, &weight)| (at, Draw::new(key, at as u64 + 7, weight)));
            let first = draws.next().unwrap();
            let best = draws.fold(
                first,
                |best, next| {
                    if next.1.beats(best.1) { next } else { best }
                },
            );
            wins[best.0] += 1;
        }
        for (won, expected) in wins.into_iter().zip([5_000, 5_000, 10_000, 20_000]) {
            assert!(won.abs_diff(expected) < 300, "{wins:?}");
        }
    }

    #[test]
    fn without_weight_nobody_is_beaten() {
        let (none, some) = (Draw::new(1, 1, 0), Draw::new(1, 2, 1));
        assert!(!none.beats(some) && some.beats(none) && !none.beats(none));
    }
}
