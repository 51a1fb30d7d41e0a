//! What is learned from refusals, unlearned from answers, and forgotten; and that any order of the same facts is the same view.

use proptest::prelude::*;

use super::*;
use crate::method::{lookup, policy};

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

fn logs(blocks: u64) -> Wanted {
    let policy = policy(lookup(b"eth_getLogs"));
    Wanted::of(policy, Height::Latest, blocks, Some(1_000_000))
}

fn state(number: u64, head: u64) -> Wanted {
    let policy = policy(lookup(b"eth_getBalance"));
    Wanted::of(policy, Height::At(number), 1, Some(head))
}

const UNNAMED: Hint = Hint::TooManyBlocks(None);

const fn named(most: u32) -> Hint {
    Hint::TooManyBlocks(Some(most))
}

#[test]
fn what_a_call_asks_for_is_read_off_its_method_and_height() {
    let wanted = logs(101);
    assert_eq!(
        (wanted.group, wanted.history),
        (MethodGroup::Logs, History::Logs)
    );
    assert_eq!(wanted.oldest, Some(999_900));
    assert_eq!(state(5, 9).oldest, Some(5));
    assert_eq!(state(5, 9).history, History::State);
    let blocks = policy(lookup(b"eth_getBlockByNumber"));
    assert_eq!(History::of(blocks), History::Blocks);
    let traces = policy(lookup(b"debug_traceTransaction"));
    assert_eq!(History::of(traces), History::Traces);
    let unknown = Wanted::of(blocks, Height::Latest, 0, Some(7));
    assert_eq!(unknown.oldest, None);
    assert_eq!(Wanted::of(blocks, Height::Any, 1, Some(7)).oldest, None);
    assert_eq!(Wanted::of(blocks, Height::At(3), 10, None).oldest, Some(0));
}

#[test]
fn a_named_limit_is_believed_to_the_block() {
    let mut lessons = Lessons::new();
    assert!(
        lessons
            .refused_blocks(&logs(5_000), named(500), at(1))
            .is_some()
    );
    assert!(!lessons.refuse(&logs(500), at(2)));
    assert!(lessons.refuse(&logs(501), at(2)));
    assert!(!lessons.refuse(&logs(0), at(2)), "nothing is known of it");
    let mut traces = logs(501);
    traces.group = MethodGroup::Traces;
    assert!(!lessons.refuse(&traces, at(2)), "another kind of call");
}

#[test]
fn a_refusal_without_a_number_teaches_no_more_than_itself() {
    let mut lessons = Lessons::new();
    assert!(
        lessons
            .refused_blocks(&logs(5_000), UNNAMED, at(1))
            .is_some()
    );
    assert!(lessons.refuse(&logs(5_000), at(1)));
    assert!(!lessons.refuse(&logs(4_999), at(1)));
}

#[test]
fn what_is_not_about_blocks_teaches_nothing_of_blocks() {
    let mut lessons = Lessons::new();
    for (wanted, hint) in [
        (logs(5_000), Hint::None),
        (logs(5_000), Hint::TooManyCalls(Some(3))),
        (logs(500), named(500)),
        (logs(500), named(10_000)),
        (logs(0), UNNAMED),
        (logs(1), UNNAMED),
    ] {
        assert_eq!(
            lessons.refused_blocks(&wanted, hint, at(1)),
            None,
            "{hint:?}"
        );
    }
    assert!(lessons.is_empty(at(1)));
}

#[test]
fn more_that_was_served_unlearns_it() {
    let mut lessons = Lessons::new();
    lessons.refused_blocks(&logs(5_000), named(500), at(1));
    assert_eq!(lessons.served(&logs(500), at(2)), [None, None]);
    assert!(lessons.refuse(&logs(501), at(2)));
    assert!(lessons.served(&logs(600), at(3))[0].is_some());
    assert!(!lessons.refuse(&logs(5_000), at(3)));
}

#[test]
fn everything_is_forgotten_after_its_time() {
    let mut lessons = Lessons::new();
    lessons.refused_blocks(&logs(5_000), named(500), at(1));
    lessons.refused_batch(100, Hint::None, at(1));
    lessons.lacked(&state(100, 10_000), Some(10_000), at(1));
    let last = Instant(at(601).0 - 1);
    assert!(lessons.refuse(&logs(501), last) && lessons.refuse(&state(100, 10_000), last));
    assert_eq!(lessons.max_batch(last), Some(1));
    assert!(!lessons.is_empty(last));
    assert!(lessons.is_empty(at(601)));
    assert!(!lessons.refuse(&logs(501), at(601)) && !lessons.refuse(&state(100, 10_000), at(601)));
    assert_eq!(lessons.max_batch(at(601)), None);
}

#[test]
fn a_batch_s_limit_is_the_named_one_or_half_or_none_at_all() {
    let most = |calls, hint| {
        let mut lessons = Lessons::new();
        lessons.refused_batch(calls, hint, at(1));
        lessons.max_batch(at(1)).unwrap()
    };
    assert_eq!(most(100, Hint::TooManyCalls(Some(50))), 50);
    assert_eq!(most(100, Hint::TooManyCalls(Some(0))), 1);
    assert_eq!(
        most(100, Hint::TooManyCalls(Some(100))),
        50,
        "it has just refused that"
    );
    assert_eq!(most(100, Hint::TooManyCalls(None)), 50);
    assert_eq!(most(1, Hint::TooManyCalls(None)), 1);
    assert_eq!(most(100, Hint::None), 1);
}

#[test]
fn history_that_is_gone_stays_gone_and_moves_up_with_the_head() {
    let mut lessons = Lessons::new();
    assert!(
        lessons
            .lacked(&state(9_800, 10_000), Some(10_000), at(1))
            .is_some()
    );
    assert!(lessons.refuse(&state(9_800, 10_000), at(2)));
    assert!(lessons.refuse(&state(1, 10_000), at(2)), "older");
    assert!(!lessons.refuse(&state(9_801, 10_000), at(2)));
    assert!(
        lessons.refuse(&state(9_850, 10_050), at(2)),
        "it goes on pruning"
    );
    assert!(!lessons.refuse(&state(9_851, 10_050), at(2)));
    let blocks = Wanted {
        history: History::Blocks,
        ..state(9_800, 10_000)
    };
    assert!(
        !lessons.refuse(&blocks, at(2)),
        "it may have the block itself"
    );
    // A younger one is gone, too.
    assert!(
        lessons
            .lacked(&state(9_900, 10_000), Some(10_000), at(3))
            .is_some()
    );
    assert!(lessons.refuse(&state(9_900, 10_000), at(3)));
    // What was known already is no news.
    assert_eq!(
        lessons.lacked(&state(9_700, 10_000), Some(10_000), at(4)),
        None
    );
    // An older one was served: so much less is gone.
    assert!(lessons.served(&state(9_850, 10_000), at(5))[1].is_some());
    assert!(lessons.refuse(&state(9_849, 10_000), at(5)));
    assert!(!lessons.refuse(&state(9_850, 10_000), at(5)));
}

#[test]
fn near_its_own_head_a_block_may_only_be_missing_yet() {
    let mut lessons = Lessons::new();
    let wanted = state(9_968, 10_000);
    assert!(lessons.lacked(&wanted, Some(9_999), at(1)).is_none());
    assert!(lessons.lacked(&wanted, None, at(1)).is_none());
    assert!(lessons.lacked(&wanted, Some(10_000), at(1)).is_some());
    let unknown_head = Wanted {
        head: None,
        ..state(5, 0)
    };
    assert!(lessons.lacked(&unknown_head, Some(10_000), at(1)).is_none());
    assert!(
        lessons
            .lacked(&state(0, 10_000), Some(10_000), at(1))
            .is_none()
    );
}

fn fact() -> impl Strategy<Value = (Learned, Instant)> {
    let group = (0..MethodGroup::COUNT).prop_map(|number| MethodGroup::ALL[number]);
    let kind = (0..History::COUNT).prop_map(|number| History::ALL[number]);
    let what = prop_oneof![
        (group, prop_oneof![1..5_u64, Just(u64::MAX)])
            .prop_map(|(group, most)| Learned::Blocks { group, most }),
        prop_oneof![1..5_u32, Just(u32::MAX)].prop_map(|most| Learned::Batch { most }),
        (kind, 0..5_u64, 0..5_u64).prop_map(|(kind, gone, head)| Learned::History {
            kind,
            gone,
            head
        }),
    ];
    (what, (0..4_u64).prop_map(at))
}

proptest! {
    #[test]
    fn any_order_and_any_number_of_times_give_the_same_view(
        facts in prop::collection::vec(fact(), 0..30),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let (mut one, mut other) = (Lessons::new(), Lessons::new());
        for &(what, since) in &facts {
            one.take(what, since);
        }
        if !facts.is_empty() {
            for index in order {
                let (what, since) = *index.get(&facts);
                other.take(what, since);
            }
        }
        for &(what, since) in facts.iter().rev() {
            other.take(what, since);
        }
        for register in 0..Learned::COUNT {
            prop_assert_eq!(one.read(register), other.read(register));
        }
        prop_assert_eq!(one.is_empty(at(602)), other.is_empty(at(602)));
    }

    #[test]
    fn each_kind_has_a_register_of_its_own(facts in prop::collection::vec(fact(), 2)) {
        let [(a, _), (b, _)] = facts[..] else { unreachable!() };
        prop_assert!(a.register() < Learned::COUNT);
        let same = match (a, b) {
            (Learned::Blocks { group: a, .. }, Learned::Blocks { group: b, .. }) => a == b,
            (Learned::Batch { .. }, Learned::Batch { .. }) => true,
            (Learned::History { kind: a, .. }, Learned::History { kind: b, .. }) => a == b,
            _ => false,
        };
        prop_assert_eq!(a.register() == b.register(), same);
    }
}
