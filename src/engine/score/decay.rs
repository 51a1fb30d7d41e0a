//! Exponential decay in integers. No float, no table, no dependency.

use core::time::Duration;

use crate::time::nanos;

/// log2(e) in 1/65536.
const LOG2_E: u64 = 94_548;
/// Older than this (18 minutes) nothing is left of anything that is remembered for less than half a minute; the product below has room
/// for it.
const MAX_AGE_NS: u64 = 1 << 40;

/// `value · e^(−age/memory)`, within half a per cent.
///
/// e⁻ˣ is 2⁻ʸ with y = x·log2(e); the whole part of y is a shift, and 2⁻ᶠ for the rest is a cubic fitted on 0..1.
pub(super) fn decayed(value: u32, age: Duration, memory: Duration) -> u32 {
    let y = nanos(age).min(MAX_AGE_NS) * LOG2_E / nanos(memory).max(1);
    let (whole, f) = (y >> 16, y & 0xFFFF);
    if whole >= 32 {
        return 0;
    }
    // 1 − 0.69315f + 0.24023f² − 0.05550f³ + what makes both ends meet
    let f2 = (f * f) >> 16;
    let f3 = (f2 * f) >> 16;
    let part = 65_536 + ((f2 * 15_500) >> 16) - ((f * 45_400) >> 16) - ((f3 * 2_868) >> 16);
    (((u64::from(value) * part) >> 16) >> whole) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_exponential() {
        // 65536 · e^(−ms/5000), from a table of logarithms.
        let exact = [
            (1, 65523),
            (100, 64238),
            (500, 59299),
            (1000, 53656),
            (2500, 39750),
            (3466, 32766),
            (5000, 24109),
            (7500, 14623),
            (10000, 8869),
            (15000, 3263),
            (20000, 1200),
            (30000, 162),
            (40000, 22),
        ];
        for (millis, value) in exact {
            let ours = decayed(
                65_536,
                Duration::from_millis(millis),
                Duration::from_secs(5),
            );
            assert!(
                ours.abs_diff(value) <= value / 200 + 2,
                "{millis} ms: {ours} for {value}"
            );
        }
    }

    #[test]
    fn never_grows_with_age_and_ends_at_nothing() {
        let memory = Duration::from_secs(5);
        let mut last = u32::MAX;
        for millis in 0..30_000 {
            let now = decayed(1 << 20, Duration::from_millis(millis), memory);
            assert!(now <= last, "{millis}");
            last = now;
        }
        assert_eq!(decayed(u32::MAX, Duration::from_secs(10_000), memory), 0);
        assert_eq!(decayed(77, Duration::ZERO, memory), 77);
        assert_eq!(decayed(77, Duration::MAX, Duration::ZERO), 0);
    }
}
