//! A chain that begins anew is noticed at once by what it belies; laggards, liars and pools of nodes behind one URL begin nothing. And
//! an upstream of another chain ends what was kept.

use super::*;

/// As [`running`], with block 990 final by all of them.
fn with_final(upstreams: u16) -> Heads {
    let mut heads = running(upstreams);
    for upstream in 0..upstreams {
        heads.finalized(UpstreamIndex(upstream), 990, secs(10));
    }
    assert_eq!(heads.head().finalized, Some(990));
    heads
}

#[test]
fn a_newest_block_below_the_final_one_said_twice_begins_an_era_at_once() {
    let mut heads = with_final(1);
    assert_eq!(heads.newest(A, 3, secs(11)).reset, None);
    assert_eq!(heads.newest(A, 4, secs(12)).reset, Some((1_010, 4)));
    let head = heads.head();
    assert_eq!((head.era, head.generation, head.finalized), (1, 1, None));
    // It grows past the old head: no second reset, and what is final is of the new chain.
    for step in 0..40 {
        let said = heads.newest(A, 4 + step * 60, secs(13 + step));
        assert_eq!(said.reset, None);
    }
    assert_eq!(heads.finalized(A, 2_000, secs(60)), Some(2_000));
    assert_eq!(heads.head().era, 1);
}

#[test]
fn one_low_word_or_a_little_below_is_a_pool_of_nodes() {
    let mut heads = with_final(1);
    for second in 11..60 {
        let odd = second % 2 == 0;
        let said = heads.newest(A, if odd { 3 } else { 1_000 + second }, secs(second));
        assert_eq!(said.reset, None, "at {second}");
    }
    let mut heads = with_final(1);
    for second in 11..40 {
        assert_eq!(heads.newest(A, 982, secs(second)).reset, None);
    }
}

#[test]
fn a_final_block_that_falls_by_more_than_two_epochs_twice_is_a_restart_that_grew_unseen() {
    let mut heads = with_final(1);
    heads.newest(A, 1_011, secs(11));
    heads.report(A, HeadKind::Safe, 1_000, secs(11));
    let asked = heads.next_poll(A).expect("heads are followed");
    assert_eq!(asked.kind, HeadKind::Newest);
    let first = heads.report(A, HeadKind::Finalized, 900, secs(12));
    assert_eq!(first.reset, None);
    assert_eq!(heads.head().finalized, Some(990));
    let again = heads.next_poll(A).expect("heads are followed");
    assert!(again.at <= secs(12), "it is asked again at once: {again:?}");
    let second = heads.report(A, HeadKind::Finalized, 901, secs(13));
    assert_eq!(second.reset, None, "where is the new chain?");
    let newest = heads.newest(A, 1_012, secs(13));
    assert_eq!(newest.reset, Some((1_012, 1_012)));
    assert_eq!((heads.head().era, heads.head().finalized), (1, None));
    assert_eq!(heads.finalized(A, 901, secs(14)), Some(901));

    let mut heads = with_final(1);
    for second in 11..40 {
        let said = heads.report(A, HeadKind::Finalized, 926, secs(second));
        assert_eq!(said.reset, None, "two epochs: nodes differ by that");
    }
}

#[test]
fn all_who_count_must_say_so() {
    // One liar, or one that was set back alone.
    let mut heads = with_final(2);
    for second in 11..30 {
        assert_eq!(heads.newest(A, 3, secs(second)).reset, None);
        assert_eq!(heads.newest(B, 1_000 + second, secs(second)).reset, None);
        assert_eq!(
            heads.report(A, HeadKind::Finalized, 1, secs(second)).reset,
            None
        );
    }
    assert_eq!(heads.head().era, 0);
    // Both.
    let mut heads = with_final(2);
    assert_eq!(heads.newest(A, 3, secs(11)).reset, None);
    assert_eq!(heads.newest(A, 3, secs(12)).reset, None);
    assert_eq!(heads.newest(B, 3, secs(12)).reset, None);
    assert_eq!(heads.newest(B, 3, secs(13)).reset, Some((1_010, 3)));
}

#[test]
fn a_failover_to_one_far_behind_is_no_restart() {
    let mut heads = heads(2);
    for second in 0..=10 {
        heads.newest(A, 1_000 + second, secs(second));
        heads.newest(B, 3 + second, secs(second));
    }
    heads.finalized(A, 990, secs(10));
    for second in 11..300 {
        heads.unanswered(A, HeadKind::Newest, false, secs(second));
        assert_eq!(heads.newest(B, 3 + second, secs(second)).reset, None);
    }
    assert_eq!(heads.served(), Some(1_010));
}

#[test]
fn an_upstream_of_another_chain_begins_a_generation_whoever_gave_the_head() {
    let mut heads = with_final(3);
    let before = heads.head();
    assert_eq!(heads.disown(C, secs(11)), None);
    let after = heads.head();
    assert_eq!(after.generation, before.generation + 1);
    assert!(after.seq > before.seq);
    assert_eq!((after.era, after.newest), (before.era, before.newest));
}

#[test]
fn what_is_final_goes_forward_by_two_voices() {
    let kind = HeadKind::Finalized;
    let mut heads = with_final(2);
    assert_eq!(heads.answer_final(A, kind, 985), 990, "not back");
    assert_eq!(heads.answer_final(A, kind, 1_005), 990, "one voice");
    assert_eq!(heads.answer_final(B, kind, 1_003), 1_003, "two");
    assert_eq!(heads.head().finalized, Some(1_003));
    assert!(!heads.falls_short(A, Needed::Finalized));
    assert_eq!(heads.answer_final(A, kind, 990), 1_003);
    // What it said to clients since counts no more once it reports less.
    heads.finalized(A, 995, secs(11));
    assert!(heads.falls_short(A, Needed::Finalized));
    assert!(!heads.falls_short(B, Needed::Finalized));
    assert!(
        !heads.falls_short(A, Needed::Safe),
        "no safe block is known"
    );
    assert_eq!(heads.answer_final(B, kind, u64::MAX), 1_003);

    let mut alone = with_final(1);
    assert_eq!(alone.answer_final(A, kind, 1_000), 1_000);
    assert_eq!(
        alone.answer_final(A, kind, u64::MAX),
        1_010,
        "never above the newest"
    );
    assert_eq!(
        alone.answer_final(A, HeadKind::Safe, 7),
        7,
        "nothing is known"
    );
}
