//! What is served: it does not go back, nonsense does not raise it, a test chain may be reset, and finality is careful.

use super::*;

#[test]
fn the_served_head_does_not_go_back_and_says_when_it_moves() {
    let mut heads = heads(1);
    assert_eq!(heads.head(), ChainHead::default());
    heads.newest(A, 100, secs(1));
    let first = heads.head();
    heads.newest(A, 99, secs(2));
    heads.newest(A, 100, secs(3));
    assert_eq!(heads.head(), first);
    heads.newest(A, 101, secs(4));
    assert_eq!(heads.served(), Some(101));
    assert!(heads.head().seq > first.seq);
}

#[test]
fn what_hangs_on_the_head_can_be_out_of_date_at_the_same_height() {
    let mut heads = running(1);
    let before = heads.head();
    heads.outdate();
    let after = heads.head();
    assert!(after.seq > before.seq);
    assert_eq!((after.newest, after.era), (before.newest, before.era));
}

#[test]
fn the_second_of_three_decides_and_of_two_the_higher() {
    let mut heads = heads(3);
    heads.newest(A, 100, ms(1));
    heads.newest(B, 101, ms(2));
    assert_eq!(heads.served(), None, "the third is being asked");
    heads.newest(C, 105, ms(3));
    assert_eq!(heads.served(), Some(101));
    heads.newest(A, 104, ms(4));
    assert_eq!(heads.served(), Some(104));

    let mut heads = super::heads(3);
    heads.newest(A, 100, ms(1));
    heads.unanswered(B, HeadKind::Newest, false, ms(2));
    heads.newest(C, 102, ms(3));
    assert_eq!(heads.served(), Some(102), "all were asked");

    let mut heads = super::heads(3);
    heads.newest(A, 100, ms(1));
    heads.newest(A, 100, ms(1_000));
    assert_eq!(heads.served(), None);
    heads.newest(A, 100, ms(1_001));
    assert_eq!(heads.served(), Some(100), "the others are silent");
}

#[test]
fn whoever_fails_or_is_silent_has_no_voice() {
    let mut heads = running(3);
    for at in 0..3 {
        heads.unanswered(B, HeadKind::Newest, false, secs(11 + at));
        heads.unanswered(C, HeadKind::Newest, false, secs(11 + at));
    }
    heads.newest(A, 1_014, secs(14));
    assert_eq!(heads.served(), Some(1_014));

    let mut heads = running(3);
    heads.newest(A, 1_050, secs(50));
    assert_eq!(heads.served(), Some(1_010), "the others may still speak");
    heads.newest(A, 1_060, secs(60));
    assert_eq!(heads.served(), Some(1_060));
}

#[test]
fn a_jump_is_believed_at_the_third_time_or_when_another_says_it() {
    let jump = 1_010 + 80;
    let mut heads = running(1);
    assert_eq!(
        heads.newest(A, 1_010 + 64, ms(10_500)).news,
        Some(HeadKind::Newest)
    );
    let mut heads_too_far = running(1);
    assert_eq!(heads_too_far.newest(A, 1_010 + 65, ms(10_500)).news, None);

    let mut heads = running(2);
    for at in [10_100, 10_200] {
        assert_eq!(heads.newest(A, jump, ms(at)), Reported::default());
        assert_eq!(heads.served(), Some(1_010));
    }
    assert!(heads.newest(A, jump + 1, ms(10_300)).agreed);
    assert_eq!(heads.served(), Some(jump + 1));

    let mut heads = running(2);
    heads.newest(A, jump, ms(10_100));
    heads.newest(B, jump - 3, ms(10_200));
    assert_eq!(heads.served(), Some(jump - 3));

    let mut heads = running(2);
    for (at, number) in [(1, jump), (2, jump * 2), (3, jump * 4), (4, jump)] {
        heads.newest(A, number, ms(10_000 + at));
    }
    assert_eq!(heads.served(), Some(1_010), "it never said the same thing");
}

#[test]
fn who_insists_on_nonsense_is_not_believed_while_another_says_otherwise() {
    let mut heads = running(2);
    for at in 1..50 {
        heads.newest(A, 1 << 60, secs(10 + at));
        heads.newest(B, 1_010 + at, ms((10 + at) * 1_000 + 500));
        assert_eq!(heads.served(), Some(1_010 + at));
    }
    // Fallen silent, the other no longer contradicts.
    for at in 0..3 {
        heads.unanswered(B, HeadKind::Newest, false, secs(60 + at));
    }
    heads.newest(A, 1 << 60, secs(64));
    assert_eq!(heads.served(), Some(1 << 60));
}

#[test]
fn one_that_answers_calls_again_is_soon_asked_again() {
    let mut heads = running(1);
    for kind in [HeadKind::Safe, HeadKind::Finalized] {
        heads.unanswered(A, kind, true, secs(400));
    }
    for at in [20, 500] {
        heads.unanswered(A, HeadKind::Newest, false, secs(at));
    }
    let later = |heads: &Heads| heads.next_poll(A).map(|poll| poll.at);
    assert_eq!(later(&heads), Some(secs(530)));
    heads.works(A);
    assert!(later(&heads) < Some(secs(515)));
}

#[test]
fn a_silent_one_is_asked_after_a_part_of_the_time_that_it_has_been_silent() {
    let mut heads = running(1);
    for kind in [HeadKind::Safe, HeadKind::Finalized] {
        heads.unanswered(A, kind, true, secs(20));
    }
    let (mut at, mut asked, mut longest) = (secs(20), 0, Duration::ZERO);
    while at < secs(20 + 3_600) {
        for kind in [HeadKind::Safe, HeadKind::Finalized] {
            heads.unanswered(A, kind, true, at);
        }
        heads.unanswered(A, HeadKind::Newest, false, at);
        asked += 1;
        let next = heads.next_poll(A).unwrap().at;
        let pause = next.saturating_duration_since(at);
        let out = at.saturating_duration_since(secs(20));
        let least = Duration::from_secs(1);
        assert!(pause <= (out / 16).max(least), "{pause:?} after {out:?}");
        assert!(pause >= longest && pause <= super::MAX_BACK_OFF);
        (at, longest) = (next, pause);
    }
    assert_eq!(longest, super::MAX_BACK_OFF);
    assert!(asked < 160, "{asked} questions in an hour");
}

#[test]
fn what_time_explains_is_no_jump() {
    let mut heads = running(1);
    heads.newest(A, 1_010 + 600, secs(10 + 600));
    assert_eq!(heads.served(), Some(1_610));
}

#[test]
fn a_test_chain_that_was_set_back_is_served_after_half_a_minute() {
    let mut heads = running(1);
    heads.finalized(A, 1_000, ms(10_001));
    assert_eq!(heads.newest(A, 995, secs(20)).reset, None);
    assert_eq!(heads.newest(A, 995, secs(35)).reset, None);
    assert_eq!(heads.newest(A, 996, ms(49_999)).reset, None);
    let before = heads.head();
    assert_eq!(heads.newest(A, 996, secs(50)).reset, Some((1_010, 996)));
    let after = heads.head();
    assert_eq!((after.newest, after.finalized), (Some(996), None));
    assert_eq!((after.era, after.seq > before.seq), (1, true));
    assert!(heads.head() == after && Mark::of(&after) > Mark::of(&before));
    assert_eq!(heads.finalized(A, 2, secs(51)), Some(2));
    heads.newest(A, 997, secs(52));
    assert_eq!(heads.served(), Some(997));
}

#[test]
fn it_takes_three_reports_in_a_row() {
    let mut heads = running(1);
    heads.newest(A, 5, secs(20));
    assert_eq!(heads.newest(A, 5, secs(60)).reset, None, "two");
    heads.unanswered(A, HeadKind::Newest, false, secs(70));
    for at in [80, 90, 100] {
        assert_eq!(
            heads.newest(A, 5, secs(at)).reset,
            None,
            "a failure between"
        );
    }
    assert!(heads.newest(A, 5, secs(110)).reset.is_some());

    let mut heads = running(1);
    for at in 1..100 {
        let number = if at % 3 == 0 { 1_010 } else { 900 };
        assert_eq!(heads.newest(A, number, secs(10 + at)).reset, None);
    }
}

#[test]
fn a_failover_to_one_that_lags_is_no_reset() {
    let mut heads = heads(2);
    for second in 0..=10 {
        heads.newest(A, 1_000 + second, secs(second));
        heads.newest(B, 900 + second, secs(second));
    }
    for second in 11..2_000 {
        heads.unanswered(A, HeadKind::Newest, false, secs(second));
        let lagging = 900 + second.min(100);
        assert_eq!(heads.newest(B, lagging, secs(second)).reset, None);
        assert_eq!(heads.served(), Some(1_010));
        assert_eq!(heads.answer(B, lagging, secs(second)), 1_010);
        assert_eq!(
            heads.is_late(B, secs(second)),
            second < 13,
            "there is no better one"
        );
    }
}

#[test]
fn one_that_gave_the_head_and_is_gone_for_good_does_not_hold_up_a_reset() {
    let mut heads = running(2);
    let mut reset = None;
    for second in 11..1_000 {
        heads.unanswered(A, HeadKind::Newest, false, secs(second));
        if heads.newest(B, 3, secs(second)).reset.is_some() {
            reset = reset.or(Some(second));
        }
    }
    assert_eq!(reset, Some(10 + 600));
}

#[test]
fn nonsense_that_came_first_is_taken_back_when_two_others_agree() {
    let mut heads = heads(3);
    heads.newest(C, 1 << 40, ms(1));
    heads.newest(C, 1 << 40, ms(1_001));
    heads.newest(A, 1_000, ms(1_002));
    assert_eq!(heads.served(), Some(1 << 40));
    let reported = heads.newest(B, 1_001, ms(1_003));
    assert_eq!(reported.reset, Some((1 << 40, 1_001)));
    assert_eq!(heads.head().era, 1);
    heads.newest(C, (1 << 40) + 1, ms(1_004));
    heads.newest(A, 1_001, ms(1_005));
    assert_eq!(heads.served(), Some(1_001));
}

#[test]
fn two_that_start_anew_do_not_take_back_what_was_confirmed() {
    let mut heads = running(3);
    for second in 11..200 {
        heads.newest(A, 1_000 + second, secs(second));
        heads.newest(B, 10, secs(second));
        assert_eq!(heads.newest(C, 10, secs(second)).reset, None, "{second}");
        // They gave the head, too; but A says that it stands.
        assert_eq!(heads.served(), Some(1_010));
        assert!(heads.is_late(B, secs(second)) && !heads.is_late(A, secs(second)));
    }
}

#[test]
fn an_answer_is_never_less_than_what_was_served_and_may_be_a_little_more() {
    let mut heads = running(3);
    assert_eq!(heads.answer(A, 1_005, ms(10_100)), 1_010);
    assert_eq!(heads.answer(A, 1_012, ms(10_100)), 1_012);
    assert_eq!(heads.served(), Some(1_012));
    assert_eq!(heads.answer(B, 1_010, ms(10_200)), 1_012);
    for at in 0..100 {
        assert_eq!(heads.answer(C, 1_013 + at, ms(10_300)), 1_012, "it climbs");
    }
    assert_eq!(heads.answer(C, u64::MAX, ms(10_300)), 1_012);
    assert_eq!(heads.answer(C, 1_014, secs(11)), 1_014, "time has passed");
    let agreed = heads.agreed().unwrap();
    assert_eq!(agreed.newest, 1_010, "an answer convinces nobody");
}

#[test]
fn what_two_have_answered_is_told_before_they_are_asked_again() {
    let mut heads = running(3);
    for _ in 0..5 {
        assert_eq!(heads.answer(A, 1_040, ms(10_100)), 1_010, "one alone");
    }
    assert_eq!(heads.answer(B, 1_042, ms(10_200)), 1_040, "as much as both");
    assert_eq!(heads.served(), Some(1_040));
    assert_eq!(heads.known(B, HeadKind::Newest), Some(1_040));
    assert_eq!(heads.answer(C, 1_042, ms(10_300)), 1_042);
    let agreed = heads.agreed().unwrap();
    assert_eq!(agreed.newest, 1_010, "answers agree on nothing");
    // What both say must be what the chain can have reached, as with reports.
    for upstream in [A, B, C] {
        assert_eq!(heads.answer(upstream, 1_075, ms(10_400)), 1_042);
    }
    assert_eq!(heads.answer(A, 1_074, ms(10_400)), 1_042);
    assert_eq!(heads.answer(B, 1_074, ms(10_400)), 1_074);
}

#[test]
fn an_answer_that_was_not_believed_is_forgotten_at_the_next_report() {
    let mut heads = running(3);
    assert_eq!(heads.answer(A, 1_040, ms(10_100)), 1_010);
    heads.newest(A, 1_011, secs(11));
    assert_eq!(heads.answer(B, 1_040, ms(11_100)), 1_011);
    heads.disown(B, ms(11_200));
    assert_eq!(heads.answer(C, 1_040, ms(11_300)), 1_011);
}

#[test]
fn where_there_is_one_upstream_only_its_answers_may_jump_as_its_reports_may() {
    let mut heads = running(1);
    assert_eq!(heads.answer(A, 1_074, ms(10_000)), 1_074);
    assert_eq!(heads.answer(A, 1_075, ms(10_000)), 1_074);
}

#[test]
fn what_was_answered_before_anybody_was_asked_is_taken_back_if_it_was_nonsense() {
    let mut heads = heads(2);
    assert_eq!(heads.answer(A, 1 << 40, ms(1)), 1 << 40);
    assert_eq!(heads.newest(B, 1_000, ms(2)).reset, Some((1 << 40, 1_000)));
    let mut heads = super::heads(2);
    assert_eq!(heads.answer(A, 1_060, ms(1)), 1_060);
    assert_eq!(heads.newest(B, 1_000, ms(2)).reset, None);
    assert_eq!(heads.served(), Some(1_060));
    let mut heads = super::heads(3);
    assert_eq!(heads.answer(A, 1_003, ms(1)), 1_003);
    heads.newest(B, 1_000, ms(2));
    heads.newest(C, 1_000, ms(3));
    assert_eq!(heads.newest(A, 1_003, ms(4)).reset, Some((1_003, 1_000)));
}

#[test]
fn what_nobody_can_explain_is_taken_back() {
    let nonsense = Mark::of(&ChainHead {
        newest: Some(1 << 40),
        ..ChainHead::default()
    });
    let mut heads = heads(2);
    heads.newest(A, 1_000, secs(1));
    heads.raise(nonsense, secs(2));
    let reset = Some((1 << 40, 1_001));
    assert_eq!(
        heads.newest(A, 1_001, secs(3)).reset,
        reset,
        "it has just begun"
    );

    let mut heads = running(2);
    heads.raise(nonsense, ms(10_500));
    for second in 11..41 {
        assert_eq!(heads.newest(A, 1_000 + second, secs(second)).reset, None);
    }
    let reset = Some((1 << 40, 1_041));
    assert_eq!(heads.newest(A, 1_041, secs(41)).reset, reset);

    let mut heads = running(2);
    let plausible = Mark::of(&ChainHead {
        newest: Some(1_074),
        ..ChainHead::default()
    });
    heads.raise(plausible, ms(10_500));
    for second in 11..100 {
        let number = (1_000 + second).min(1_060);
        assert_eq!(heads.newest(A, number, secs(second)).reset, None);
    }
}

#[test]
fn until_the_first_agreement_answers_are_held_against_the_first_that_was_served() {
    let mut heads = heads(3);
    assert_eq!(heads.answer(A, 1_000, secs(1)), 1_000);
    assert_eq!(heads.answer(B, 1_003, secs(1)), 1_000);
    for at in 0..10 {
        heads.answer(B, 1_002 + at, secs(1));
    }
    assert_eq!(heads.served(), Some(1_002));
    assert_eq!(heads.answer(A, 1_004, secs(2)), 1_004, "time has passed");

    let mut told = super::heads(3);
    told.raise(Mark::of(&heads.head()), secs(3));
    assert_eq!(told.answer(C, 1_007, secs(3)), 1_004);
    assert_eq!(told.answer(A, 1_006, secs(3)), 1_006);
}

#[test]
fn where_heads_are_not_followed_answers_pass_and_nobody_is_asked() {
    let config = HeadConfig {
        enabled: false,
        ..HeadConfig::default()
    };
    let mut heads = Heads::new(1, None, config);
    assert_eq!(heads.answer(A, 10, ms(1)), 10);
    assert_eq!(heads.answer(A, 9, ms(2)), 9);
    assert_eq!(heads.next_poll(A), None);
}

#[test]
fn another_shards_mark_raises_and_a_later_era_replaces() {
    let mut heads = running(2);
    let mark = |era, newest| {
        Mark::of(&ChainHead {
            newest: Some(newest),
            era,
            ..ChainHead::default()
        })
    };
    heads.finalized(A, 1_000, secs(10));
    heads.finalized(B, 1_000, secs(10));
    heads.raise(Mark::NONE, secs(10));
    heads.raise(mark(0, 1_009), secs(10));
    assert_eq!(heads.served(), Some(1_010));
    heads.raise(mark(0, 1_011), secs(10));
    assert_eq!(heads.served(), Some(1_011));
    assert_eq!(heads.head().finalized, Some(1_000));
    heads.raise(mark(1, 3), secs(10));
    assert_eq!((heads.served(), heads.head().finalized), (Some(3), None));
    heads.raise(mark(0, 2_000), secs(10));
    assert_eq!(heads.served(), Some(3));
    assert_eq!(mark(1, 3).read(), Some((1, 3)));
    assert_eq!(mark(0, 0).read(), Some((0, 0)));
    assert_eq!(
        mark(0, Mark::MAX_NUMBER).read(),
        Some((0, Mark::MAX_NUMBER))
    );
    assert_eq!(mark(0, Mark::MAX_NUMBER + 1), Mark::NONE);
    assert_eq!(mark(1 << 16, 3), Mark::NONE);
}

#[test]
fn of_several_two_must_call_a_block_final_and_one_where_it_is_alone() {
    let mut heads = running(3);
    assert_eq!(
        heads.finalized(A, 990, secs(10)),
        None,
        "the others were not asked"
    );
    assert_eq!(heads.finalized(B, 980, secs(10)), Some(980));
    assert_eq!(heads.finalized(C, 1_009, secs(10)), Some(990));
    assert_eq!(
        heads.finalized(A, 0, secs(11)),
        Some(990),
        "it does not go back"
    );
    assert_eq!(heads.finalized(A, u64::MAX, secs(12)), Some(1_009));
    assert_eq!(
        heads.finalized(C, u64::MAX, secs(13)),
        Some(1_010),
        "never above the newest"
    );

    let mut heads = running(2);
    heads.unanswered(B, HeadKind::Finalized, true, secs(10));
    assert_eq!(
        heads.finalized(A, 990, secs(10)),
        Some(990),
        "the other does not know the tag"
    );

    let mut heads = running(2);
    assert_eq!(heads.finalized(A, 990, secs(10)), None);
    assert_eq!(heads.finalized(A, 990, ms(69_999)), None);
    assert_eq!(
        heads.finalized(A, 990, secs(70)),
        Some(990),
        "the other never says"
    );

    let mut heads = running(1);
    assert_eq!(heads.finalized(A, 990, secs(10)), Some(990));
    assert_eq!(heads.head().safe, None);
    heads.report(A, HeadKind::Safe, 995, secs(10));
    assert_eq!(heads.head().safe, Some(995));
}

#[test]
fn an_upstream_of_another_chain_takes_its_head_with_it() {
    let mut heads = heads(2);
    heads.newest(A, 40_000_000, ms(1));
    heads.newest(B, 1_000, ms(2));
    assert_eq!(heads.disown(A, ms(3)), Some((40_000_000, 1_000)));
    assert_eq!(heads.served(), Some(1_000));
    assert_eq!(heads.known(A, HeadKind::Newest), None);
    assert_eq!(heads.disown(A, ms(4)), None);
}

#[test]
fn questions_come_once_a_block_after_it_is_due_and_back_off_when_they_fail() {
    let config = HeadConfig {
        min_interval: Duration::from_millis(100),
        ..HeadConfig::default()
    };
    let mut heads = Heads::new(2, None, config);
    let poll = |heads: &Heads| heads.next_poll(A).unwrap();
    assert_eq!(
        (poll(&heads).at, poll(&heads).kind),
        (Instant::ZERO, HeadKind::Newest)
    );
    heads.newest(A, 999, secs(0));
    assert_eq!(poll(&heads).kind, HeadKind::Finalized);
    heads.finalized(A, 900, secs(0));
    assert_eq!(poll(&heads).kind, HeadKind::Safe);
    heads.unanswered(A, HeadKind::Safe, true, secs(0));
    for second in 1..=10 {
        heads.newest(A, 999 + second, secs(second));
    }
    let due = poll(&heads);
    assert_eq!(due.kind, HeadKind::Newest);
    assert!(
        (secs(11) - Duration::from_millis(400)..ms(11_040)).contains(&due.at),
        "{}",
        due.at
    );
    heads.newest(A, 1_009, due.at);
    let again = poll(&heads).at.saturating_duration_since(due.at);
    assert_eq!(again, Duration::from_millis(125));
    heads.unanswered(A, HeadKind::Newest, false, secs(12));
    assert_eq!(poll(&heads).at, secs(13));
    heads.unanswered(A, HeadKind::Newest, false, secs(29));
    assert_eq!(poll(&heads).kind, HeadKind::Finalized);
    assert_eq!(poll(&heads).at, secs(30));
    heads.unanswered(A, HeadKind::Finalized, false, secs(30));
    assert_eq!(
        (poll(&heads).kind, poll(&heads).at),
        (
            HeadKind::Newest,
            secs(29) + Duration::from_micros(1_062_500)
        )
    );
    heads.newest(A, 1_010, secs(74));
    heads.finalized(A, 901, secs(600 - 30));
    heads.newest(A, 1_011, secs(600));
    assert_eq!(
        (poll(&heads).kind, poll(&heads).at),
        (HeadKind::Finalized, secs(600))
    );
    heads.finalized(A, 902, secs(600));
    assert_eq!(
        (poll(&heads).kind, poll(&heads).at),
        (HeadKind::Safe, secs(600))
    );
}

#[test]
fn whoever_was_not_asked_since_the_newest_block_came_is_asked_now() {
    let mut heads = running(3);
    for upstream in [A, B] {
        heads.newest(upstream, 1_011, ms(11_050));
    }
    let due = heads.next_poll(C).unwrap();
    for kind in [HeadKind::Finalized, HeadKind::Safe] {
        heads.unanswered(C, kind, true, secs(11));
    }
    assert_eq!(due.kind, HeadKind::Finalized);
    let due = heads.next_poll(C).unwrap();
    assert!(due.at <= ms(11_300), "{}", due.at);
}

#[test]
fn an_answer_is_the_first_after_a_silence_where_a_question_failed_or_is_answered_long_after_it_was_due()
 {
    // Blocks every twelve seconds, asked for when they are due: answers that are as far apart are no silence.
    let mut heads = heads(1);
    let mut at = secs(1);
    while at < secs(300) {
        assert!(!heads.is_silent(A, at), "{at}");
        heads.report(A, HeadKind::Newest, 1_000 + at.0 / 12_000_000_000, at);
        for kind in [HeadKind::Safe, HeadKind::Finalized] {
            heads.unanswered(A, kind, true, at);
        }
        at = heads.next_poll(A).unwrap().at + Duration::from_millis(40);
    }
    let pace = heads.block_time().unwrap();
    assert!(pace.abs_diff(Duration::from_secs(12)) < Duration::from_millis(100));
    let due = heads.next_poll(A).unwrap().at;
    assert!(!heads.is_silent(A, due + Duration::from_millis(900)));
    assert!(heads.is_silent(A, due + Duration::from_secs(3)));
    heads.unanswered(A, HeadKind::Newest, false, due);
    assert!(heads.is_silent(A, due + Duration::from_millis(1)));
    heads.report(A, HeadKind::Newest, 1_026, due + Duration::from_secs(1));
    assert!(!heads.is_silent(A, due + Duration::from_secs(1)));
    // Of one that was never asked nothing is known.
    assert!(!heads.is_silent(UpstreamIndex(7), due));
}
