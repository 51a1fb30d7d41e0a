//! Reproducible randomness: xoshiro256** (Blackman and Vigna, 2018), seeded through SplitMix64. It never seeds itself and
//! is not for secrets.

use core::time::Duration;

/// A small seeded generator. The same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A generator of this seed. Any seed will do, 0 included.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut stream = seed;
        let mut next = || {
            stream = stream.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = stream;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        };
        Self {
            state: [next(), next(), next(), next()],
        }
    }

    /// A generator for one concern, so that a new draw elsewhere does not shift this one's numbers.
    #[must_use]
    pub fn fork(&mut self, concern: u64) -> Self {
        Self::new(self.next_u64() ^ concern.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number in `0..bound`, or 0 where the bound is 0. Lemire's multiplication without the rejection step: the bias is
    /// below bound / 2⁶⁴.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True in `share` of `whole` draws.
    pub fn chance(&mut self, share: u64, whole: u64) -> bool {
        self.below(whole) < share
    }

    /// A span in `[span, span + span·percent/100)`: jitter that never undercuts a floor.
    pub fn stretched(&mut self, span: Duration, percent: u32) -> Duration {
        let extra = crate::time::nanos(span) / 100 * u64::from(percent);
        span.saturating_add(Duration::from_nanos(self.below(extra)))
    }
}

/// SplitMix64's finalizer: every bit of the input moves half of the bits of the output.
pub(crate) const fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let (mut a, mut b, mut c) = (Rng::new(7), Rng::new(7), Rng::new(8));
        let mut differs = false;
        for _ in 0..100 {
            let value = a.next_u64();
            assert_eq!(value, b.next_u64());
            differs |= value != c.next_u64();
        }
        assert!(differs);
    }

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let mut rng = Rng::new(1);
        let mut seen = [0_u32; 5];
        for _ in 0..1_000 {
            let value = rng.below(5) as usize;
            seen[value] += 1;
        }
        assert!(seen.iter().all(|&count| count > 100), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn a_stretched_span_is_never_shorter() {
        let mut rng = Rng::new(2);
        let span = Duration::from_secs(10);
        for _ in 0..1_000 {
            let stretched = rng.stretched(span, 20);
            assert!(stretched >= span && stretched < Duration::from_secs(12));
        }
        assert_eq!(rng.stretched(span, 0), span);
    }
}
