//! Behind: the limit, the second voice, chains that move between two questions, and the height that a call needs.

use super::*;
use crate::block::Height as Needed;

const NOW: Instant = Instant(1);

#[test]
fn at_the_limit_it_serves_and_one_behind_it_does_not() {
    let mut heads = heads(2);
    assert_eq!(heads.newest(A, 1_000, ms(1)).crossed, None);
    assert_eq!(heads.newest(B, 984, ms(2)).crossed, None);
    assert!(!heads.is_late(B, NOW));
    let crossed = Crossed {
        lag_blocks: 17,
        left_out: true,
    };
    assert_eq!(heads.newest(B, 983, ms(3)).crossed, Some(crossed));
    assert!(heads.is_late(B, NOW));
    assert_eq!(heads.reported(B, HeadKind::Newest), Some((983, 17, ms(3))));
    assert_eq!(heads.newest(B, 983, ms(4)).crossed, None, "no news");
    assert!(!heads.newest(B, 990, ms(5)).crossed.unwrap().left_out);
    assert!(!heads.is_late(B, NOW));
}

#[test]
fn nobody_is_late_because_another_was_asked_later() {
    let mut heads = heads(2);
    heads.newest(A, 1_000, secs(1));
    heads.newest(B, 1_000, secs(1));
    heads.newest(A, 1_500, secs(60));
    assert!(!heads.is_late(B, NOW), "it was not asked since");
    assert!(!heads.falls_short(B, Needed::Latest));
    assert_eq!(heads.newest(B, 1_501, secs(61)).crossed, None);
}

#[test]
fn one_of_three_cannot_make_the_others_late() {
    let mut heads = heads(3);
    heads.newest(A, 1_000, ms(1));
    heads.newest(B, 1_000, ms(2));
    for at in 3..20 {
        heads.newest(C, u64::MAX, ms(at));
    }
    assert_eq!(
        heads.known(C, HeadKind::Newest),
        Some(u64::MAX),
        "it insists"
    );
    assert_eq!(heads.newest(A, 1_001, ms(20)).crossed, None);
    assert_eq!(heads.newest(B, 1_001, ms(21)).crossed, None);
    assert!(!heads.is_late(A, NOW) && !heads.is_late(B, NOW));
    assert_eq!(heads.served(), Some(1_001));
}

#[test]
fn two_of_three_outvote_the_third() {
    let mut heads = heads(3);
    heads.newest(A, 1_000, ms(1));
    heads.newest(B, 1_000, ms(2));
    assert!(heads.newest(C, 900, ms(3)).crossed.unwrap().left_out);
    assert!(heads.is_late(C, NOW));
}

#[test]
fn without_a_limit_nobody_is_late() {
    let mut heads = Heads::new(2, None, HeadConfig::default());
    heads.newest(A, u64::MAX, ms(1));
    assert_eq!(heads.newest(B, 0, ms(2)).crossed, None);
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
    assert_eq!(heads.newest(B, 5, ms(1)), Reported::default());
    assert_eq!(heads.answer(B, 5, ms(1)), 5);
    assert_eq!(heads.served(), None);
    assert_eq!(heads.next_poll(B), None);
    assert!(!heads.is_late(B, NOW) && !heads.falls_short(B, Needed::At(1)));
}

#[test]
fn a_block_is_asked_of_those_that_have_it() {
    let mut heads = heads(3);
    heads.newest(A, 1_000, ms(1));
    heads.newest(B, 999, ms(2));
    assert!(!heads.falls_short(B, Needed::At(999)));
    assert!(heads.falls_short(B, Needed::At(1_000)));
    assert!(!heads.falls_short(A, Needed::At(1_000)));
    assert!(
        !heads.falls_short(C, Needed::At(1_000)),
        "nothing is known of it"
    );
    assert!(!heads.falls_short(B, Needed::Any));
}

#[test]
fn for_the_newest_block_one_may_be_a_block_behind_and_on_fast_chains_half_a_second() {
    let mut heads = running(3);
    heads.newest(A, 1_012, secs(12));
    heads.newest(B, 1_012, secs(12));
    heads.newest(C, 1_011, secs(12));
    assert!(!heads.falls_short(C, Needed::Latest));
    heads.newest(C, 1_010, ms(12_001));
    assert!(heads.falls_short(C, Needed::Latest));

    let mut fast = super::heads(2);
    for tick in 0..40 {
        fast.newest(A, 1_000 + tick, ms(tick * 250));
    }
    assert_eq!(fast.block_time(), Some(Duration::from_millis(250)));
    fast.newest(B, 1_036, ms(9_750));
    assert!(!fast.falls_short(B, Needed::Latest));
    fast.newest(B, 1_035, ms(9_751));
    assert!(fast.falls_short(B, Needed::Latest));
}

#[test]
fn what_it_answered_counts_as_known_until_it_says_less() {
    let mut heads = running(2);
    assert_eq!(heads.answer(A, 1_011, ms(10_900)), 1_011);
    assert!(!heads.falls_short(A, Needed::At(1_011)));
    assert!(heads.falls_short(B, Needed::At(1_011)));
    heads.newest(A, 1_010, ms(10_950));
    assert!(heads.falls_short(A, Needed::At(1_011)));
}

#[test]
fn one_that_still_says_less_when_the_head_is_half_a_second_old_is_behind_and_no_race() {
    let mut heads = running(2);
    heads.newest(A, 1_011, secs(11));
    heads.newest(B, 1_010, ms(11_499));
    assert!(!heads.falls_short(B, Needed::Latest), "a race");
    heads.newest(B, 1_010, ms(11_500));
    assert!(heads.falls_short(B, Needed::Latest));
    heads.newest(A, 1_012, secs(12));
    assert!(heads.falls_short(B, Needed::Latest), "until it says more");
    heads.newest(B, 1_011, ms(12_100));
    assert!(!heads.falls_short(B, Needed::Latest));
    heads.newest(B, 1_012, ms(12_900));
    assert!(!heads.falls_short(B, Needed::Latest));

    // By what another shard heard, too.
    let mut told = super::heads(2);
    told.join(&heads.agreed().unwrap());
    told.hear(B, HeadKind::Newest, (1_011, 1), ms(12_400));
    assert!(!told.falls_short(B, Needed::Latest));
    told.hear(B, HeadKind::Newest, (1_011, 1), ms(12_600));
    assert!(told.falls_short(B, Needed::Latest));
}
