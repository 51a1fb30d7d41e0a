//! Whatever is reported: what holds always.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Newest(u16, u64),
    Finality(u16, bool, u64),
    Failed(u16, HeadKind, bool),
    Answer(u16, u64),
    Final(u16, u64),
    Mark(u32, u64),
    Disown(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let number = prop_oneof![0..200_u64, 900..1_100_u64, any::<u64>()];
    let kind = prop_oneof![
        Just(HeadKind::Newest),
        Just(HeadKind::Safe),
        Just(HeadKind::Finalized)
    ];
    prop_oneof![
        6 => (0..4_u16, number.clone()).prop_map(|(u, n)| Step::Newest(u, n)),
        3 => (0..4_u16, any::<bool>(), number.clone()).prop_map(|(u, f, n)| Step::Finality(u, f, n)),
        1 => (0..4_u16, kind, any::<bool>()).prop_map(|(u, k, b)| Step::Failed(u, k, b)),
        3 => (0..4_u16, number.clone()).prop_map(|(u, n)| Step::Answer(u, n)),
        2 => (0..4_u16, number.clone()).prop_map(|(u, n)| Step::Final(u, n)),
        1 => (0..2_u32, number).prop_map(|(e, n)| Step::Mark(e, n)),
        1 => (0..4_u16).prop_map(Step::Disown),
    ]
}

proptest! {
    /// Within an era nothing goes back; finality is never above the newest; `seq` moves with the head and only then; what a
    /// client is told is never less than what was served; and nothing overflows.
    #[test]
    fn nothing_goes_back_within_an_era(steps in prop::collection::vec((0..20_000_u64, step()), 1..200)) {
        let mut heads = heads(3);
        let mut now = 0;
        let mut before = heads.head();
        for (passed, step) in steps {
            now += passed;
            let at = ms(now);
            match step {
                Step::Newest(upstream, number) => {
                    heads.newest(UpstreamIndex(upstream), number, at);
                }
                Step::Finality(upstream, finalized, number) => {
                    let kind = if finalized { HeadKind::Finalized } else { HeadKind::Safe };
                    heads.report(UpstreamIndex(upstream), kind, number, at);
                }
                Step::Failed(upstream, kind, unknown) => {
                    heads.unanswered(UpstreamIndex(upstream), kind, unknown, at);
                }
                Step::Answer(upstream, number) => {
                    let told = heads.answer(UpstreamIndex(upstream), number, at);
                    prop_assert!(upstream == 3 || Some(told) >= before.newest);
                }
                Step::Final(upstream, number) => {
                    let told = heads.answer_final(UpstreamIndex(upstream), HeadKind::Finalized, number);
                    prop_assert!(before.finalized.is_none_or(|finalized| told >= finalized));
                }
                Step::Mark(era, number) => {
                    let newest = Some(number);
                    heads.raise(Mark::of(&ChainHead { newest, era, ..ChainHead::default() }), at);
                }
                Step::Disown(upstream) => {
                    heads.disown(UpstreamIndex(upstream), at);
                }
            }
            let head = heads.head();
            prop_assert!(head.era >= before.era);
            let told = |head: &ChainHead| {
                (head.era, head.generation, head.newest, head.safe, head.finalized)
            };
            prop_assert_eq!(head.seq > before.seq, told(&head) != told(&before));
            prop_assert!(head.generation >= before.generation);
            prop_assert!(head.era == before.era || head.generation > before.generation);
            if head.era == before.era {
                prop_assert!(head.newest >= before.newest);
                prop_assert!(head.safe >= before.safe && head.finalized >= before.finalized);
            }
            prop_assert!(head.safe <= head.newest && head.finalized <= head.newest);
            for upstream in 0..3 {
                let poll = heads.next_poll(UpstreamIndex(upstream)).unwrap();
                prop_assert!(poll.at <= at + MAX_BACK_OFF.max(ASK_AGAIN));
            }
            before = head;
        }
    }

    /// With two honest ones of three, the third cannot raise what is agreed above what the honest have, nor what is final above
    /// what they call final; and what is served stays within the few blocks that an answer may add.
    #[test]
    fn one_liar_of_three_is_held(lies in prop::collection::vec((0..3_u8, any::<u64>(), 0..100_u64), 50..300)) {
        let mut heads = running(3);
        for (step, (what, lie, near)) in lies.into_iter().enumerate() {
            let now = 11_000 + step as u64 * 333;
            let truth = 1_000 + now / 1_000;
            for honest in [A, B] {
                heads.newest(honest, truth, ms(now));
                heads.report(honest, HeadKind::Finalized, truth - 64, ms(now));
            }
            let lie = if near % 2 == 0 { lie } else { truth.saturating_add(near) };
            match what {
                0 => { heads.newest(C, lie, ms(now + 1)); }
                1 => { heads.report(C, HeadKind::Finalized, lie, ms(now + 1)); }
                _ => {
                    heads.answer(C, lie, ms(now + 1));
                    heads.answer_final(C, HeadKind::Finalized, lie);
                }
            }
            prop_assert_eq!(heads.agreed().unwrap().newest, truth);
            prop_assert!(heads.served().unwrap() <= truth + 4);
            prop_assert!(heads.head().finalized <= Some(truth - 64));
            prop_assert_eq!(heads.head().era, 0);
        }
    }
}
