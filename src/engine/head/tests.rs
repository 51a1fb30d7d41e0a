//! Lag: the limit, the second voice, and chains that move between two checks.

use super::*;

fn heads(upstreams: usize) -> Heads {
    Heads::new(upstreams, Some(16))
}

const A: UpstreamIndex = UpstreamIndex(0);
const B: UpstreamIndex = UpstreamIndex(1);
const C: UpstreamIndex = UpstreamIndex(2);
const NOW: Instant = Instant(1);

#[test]
fn at_the_limit_it_serves_and_one_behind_it_does_not() {
    let mut heads = heads(2);
    assert_eq!(heads.observe(A, 1_000), None);
    assert_eq!(heads.observe(B, 984), None);
    assert!(!heads.is_late(B, NOW));
    let crossed = Crossed {
        lag_blocks: 17,
        left_out: true,
    };
    assert_eq!(heads.observe(B, 983), Some(crossed));
    assert!(heads.is_late(B, NOW));
    assert_eq!(heads.height(B), Some((983, 17)));
    assert_eq!(heads.observe(B, 983), None, "no news");
    assert!(!heads.observe(B, 990).unwrap().left_out);
    assert!(!heads.is_late(B, NOW));
}

#[test]
fn nobody_is_late_because_another_was_asked_later() {
    let mut heads = heads(2);
    heads.observe(A, 1_000);
    heads.observe(B, 1_000);
    heads.observe(A, 1_500);
    assert!(!heads.is_late(B, NOW), "it was not asked since");
    assert_eq!(heads.observe(B, 1_501), None);
}

#[test]
fn one_of_three_cannot_make_the_others_late() {
    let mut heads = heads(3);
    heads.observe(A, 1_000);
    heads.observe(B, 1_000);
    heads.observe(C, u64::MAX);
    assert_eq!(heads.observe(A, 1_001), None);
    assert_eq!(heads.observe(B, 1_001), None);
    assert!(!heads.is_late(A, NOW) && !heads.is_late(B, NOW));
}

#[test]
fn two_of_three_outvote_the_third() {
    let mut heads = heads(3);
    heads.observe(A, 1_000);
    heads.observe(B, 1_000);
    assert!(heads.observe(C, 900).unwrap().left_out);
    assert!(heads.is_late(C, NOW));
}

#[test]
fn without_a_limit_nobody_is_late() {
    let mut heads = Heads::new(2, None);
    heads.observe(A, u64::MAX);
    assert_eq!(heads.observe(B, 0), None);
    assert!(!heads.is_late(B, NOW));
}

#[test]
fn not_in_sync_lasts_for_its_time() {
    let mut heads = heads(1);
    heads.mark_not_ready(A, Instant(0), Duration::from_secs(10));
    assert!(heads.is_late(A, Instant(9_999_999_999)));
    assert!(!heads.is_late(A, Instant(10_000_000_000)));
}

#[test]
fn an_upstream_that_does_not_exist_is_ignored() {
    let mut heads = heads(1);
    assert_eq!(heads.observe(B, 5), None);
    assert!(!heads.is_late(B, NOW));
}
