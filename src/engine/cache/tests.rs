//! What is kept and for how long: the table's classes, the operator's word, finality, and the heads that answers hang on.

use super::*;
use crate::method::{self, lookup};

const NOW: Instant = Instant(1_000_000_000_000);

const HEAD: ChainHead = ChainHead {
    newest: Some(1_000),
    safe: Some(960),
    finalized: Some(900),
    seq: 7,
    era: 0,
    generation: 0,
};

const HELD: Answer = Answer {
    null: false,
    empty: false,
    own_block: OwnBlock::Absent,
    tells_head: false,
    upstream_head: Some(1_000),
};

const HEAD_BOUND_NOW: Lifetime = Lifetime::Head {
    seq: 7,
    until: Instant(1_000_500_000_000),
};

const FOR_EVER: Lifetime = Lifetime::Final { generation: 0 };

const fn until(until: Instant) -> Lifetime {
    Lifetime::Until {
        generation: 0,
        until,
    }
}

fn of(name: &str) -> &'static StandardPolicy {
    let id = lookup(name.as_bytes());
    assert_ne!(id, crate::method::MethodId::OTHER, "{name}");
    method::policy(id)
}

fn kept(name: &str, block: BlockRef, answer: Answer) -> Option<Lifetime> {
    keep(of(name), None, &block, &answer, &HEAD, &HEAD, NOW)
}

fn told(name: &str, ttl: Ttl, answer: Answer) -> Option<Lifetime> {
    let block = BlockRef::Number(1_000);
    keep(of(name), Some(ttl), &block, &answer, &HEAD, &HEAD, NOW)
}

const fn range(from: u64, to: RangeEnd) -> BlockRef {
    BlockRef::Range {
        from: RangeEnd::Number(from),
        to,
    }
}

#[test]
fn a_block_by_number_is_final_up_to_the_finalized_one() {
    for name in [
        "eth_getBalance",
        "eth_getBlockByNumber",
        "debug_traceBlockByNumber",
    ] {
        assert_eq!(
            kept(name, BlockRef::Number(900), HELD),
            Some(FOR_EVER),
            "{name}"
        );
        assert_eq!(
            kept(name, BlockRef::Number(901), HELD),
            Some(HEAD_BOUND_NOW)
        );
        assert_eq!(kept(name, BlockRef::Earliest, HELD), Some(FOR_EVER));
    }
    assert_eq!(
        kept("eth_getLogs", range(1, RangeEnd::Number(900)), HELD),
        Some(FOR_EVER)
    );
    for to in [RangeEnd::Number(901), RangeEnd::Latest, RangeEnd::Finalized] {
        assert_eq!(
            kept("eth_getLogs", range(1, to), HELD),
            Some(HEAD_BOUND_NOW)
        );
    }
    let backwards = range(901, RangeEnd::Number(900));
    assert_eq!(kept("eth_getLogs", backwards, HELD), Some(HEAD_BOUND_NOW));
}

#[test]
fn tags_hang_on_the_head() {
    for tag in [BlockRef::Latest, BlockRef::Safe, BlockRef::Finalized] {
        assert_eq!(kept("eth_call", tag, HELD), Some(HEAD_BOUND_NOW));
    }
    assert_eq!(
        kept("eth_gasPrice", BlockRef::None, HELD),
        Some(HEAD_BOUND_NOW)
    );
    assert_eq!(
        kept("eth_feeHistory", BlockRef::Number(5), HELD),
        Some(HEAD_BOUND_NOW)
    );
}

#[test]
fn what_is_named_by_a_hash_is_final_when_its_own_block_is() {
    let in_block = |number| Answer {
        own_block: OwnBlock::Number(number),
        ..HELD
    };
    for (name, block) in [
        ("eth_getTransactionReceipt", BlockRef::None),
        ("eth_getTransactionByHash", BlockRef::None),
        ("eth_getBlockByHash", BlockRef::Hash),
    ] {
        assert_eq!(kept(name, block, in_block(900)), Some(FOR_EVER), "{name}");
        assert_eq!(kept(name, block, in_block(901)), Some(HEAD_BOUND_NOW));
        assert_eq!(kept(name, block, HELD), Some(HEAD_BOUND_NOW));
        let waiting = Answer {
            own_block: OwnBlock::Null,
            ..HELD
        };
        assert_eq!(kept(name, block, waiting), None, "not in a block yet");
    }
}

#[test]
fn null_and_the_wrong_block_are_never_kept_and_empty_is_never_final() {
    let null = Answer { null: true, ..HELD };
    let empty = Answer {
        empty: true,
        ..HELD
    };
    let wrong = Answer {
        own_block: OwnBlock::Number(899),
        ..HELD
    };
    for ttl in [
        None,
        Some(Ttl::Final),
        Some(Ttl::For(Duration::from_secs(9))),
    ] {
        let policy = of("eth_getBlockByNumber");
        let number = BlockRef::Number(900);
        for answer in [null, wrong] {
            assert_eq!(keep(policy, ttl, &number, &answer, &HEAD, &HEAD, NOW), None);
        }
    }
    assert_eq!(
        kept("eth_getCode", BlockRef::Number(900), empty),
        Some(HEAD_BOUND_NOW)
    );
    assert_eq!(
        kept("eth_getLogs", range(1, RangeEnd::Number(2)), empty),
        Some(HEAD_BOUND_NOW)
    );
}

#[test]
fn without_a_finalized_block_only_what_is_static_lasts() {
    let head = ChainHead {
        finalized: None,
        ..HEAD
    };
    let keep_of = |name, block| keep(of(name), None, &block, &HELD, &head, &head, NOW);
    assert_eq!(
        keep_of("eth_getBalance", BlockRef::Number(0)),
        Some(HEAD_BOUND_NOW)
    );
    assert_eq!(
        keep_of("eth_getBalance", BlockRef::Earliest),
        Some(HEAD_BOUND_NOW)
    );
    assert_eq!(keep_of("eth_chainId", BlockRef::None), Some(FOR_EVER));
}

#[test]
fn what_a_lagging_upstream_said_is_not_kept_and_only_one_past_the_finalized_block_calls_it_final() {
    let from = |head| Answer {
        upstream_head: head,
        ..HELD
    };
    assert_eq!(kept("eth_call", BlockRef::Latest, from(Some(999))), None);
    assert_eq!(
        kept("eth_call", BlockRef::Latest, from(None)),
        Some(HEAD_BOUND_NOW)
    );
    assert_eq!(
        kept("eth_call", BlockRef::Number(10), from(Some(900))),
        Some(FOR_EVER)
    );
    assert_eq!(
        kept("eth_call", BlockRef::Number(10), from(Some(899))),
        None
    );
    assert_eq!(
        kept("eth_call", BlockRef::Number(10), from(None)),
        Some(HEAD_BOUND_NOW)
    );
}

#[test]
fn an_answer_that_a_new_head_overtook_is_kept_only_if_it_is_final() {
    let later = ChainHead {
        newest: Some(1_001),
        seq: 8,
        ..HEAD
    };
    let ahead = Answer {
        upstream_head: Some(1_001),
        ..HELD
    };
    let overtaken = |block| keep(of("eth_call"), None, &block, &ahead, &HEAD, &later, NOW);
    assert_eq!(overtaken(BlockRef::Latest), None);
    assert_eq!(overtaken(BlockRef::Number(900)), Some(FOR_EVER));
    let reset = ChainHead {
        generation: 1,
        ..later
    };
    let over_a_reset = keep(
        of("eth_chainId"),
        None,
        &BlockRef::None,
        &ahead,
        &HEAD,
        &reset,
        NOW,
    );
    assert_eq!(over_a_reset, None);
}

#[test]
fn an_operators_word_counts_more_than_the_table() {
    let span = Duration::from_secs(3);
    assert_eq!(told("eth_call", Ttl::Never, HELD), None);
    assert_eq!(
        told("eth_getBlockByNumber", Ttl::Head, HELD),
        Some(HEAD_BOUND_NOW)
    );
    assert_eq!(told("eth_call", Ttl::Final, HELD), Some(HEAD_BOUND_NOW));
    assert_eq!(
        told("eth_call", Ttl::For(span), HELD),
        Some(until(NOW + span))
    );
    assert_eq!(
        told("net_peerCount", Ttl::For(span), HELD),
        Some(until(NOW + span))
    );
    let lagging = Answer {
        upstream_head: Some(1),
        ..HELD
    };
    assert_eq!(told("eth_call", Ttl::For(span), lagging), None);
}

#[test]
fn nobodys_word_makes_an_effect_a_filter_or_the_pending_block_kept() {
    let every = [
        None,
        Some(Ttl::Head),
        Some(Ttl::Final),
        Some(Ttl::For(Duration::MAX)),
    ];
    for ttl in every {
        for name in [
            "eth_sendRawTransaction",
            "eth_sendTransaction",
            "eth_newFilter",
            "eth_getFilterChanges",
            "eth_subscribe",
            "debug_dbGet",
            "admin_peers",
        ] {
            let asked = may_look(of(name), ttl, &BlockRef::None);
            assert_eq!(asked, Err(Bypass::Method), "{name}");
            assert!(!may_share(of(name)), "{name}");
        }
        let pending = BlockRef::Range {
            from: RangeEnd::Pending,
            to: RangeEnd::Number(1),
        };
        for block in [BlockRef::Pending, BlockRef::Unreadable, pending] {
            let asked = may_look(of("eth_getTransactionCount"), ttl, &block);
            assert_eq!(asked, Err(Bypass::Block));
        }
    }
    let never = may_look(of("eth_call"), Some(Ttl::Never), &BlockRef::Latest);
    assert_eq!(never, Err(Bypass::Configured));
    assert_eq!(
        may_look(of("eth_syncing"), None, &BlockRef::None),
        Err(Bypass::Method)
    );
    assert_eq!(
        may_look(of("eth_syncing"), Some(Ttl::Head), &BlockRef::None),
        Ok(())
    );
}

/// What no row of the table may ever allow.
#[test]
fn the_table_keeps_and_shares_nothing_that_is_not_a_read_of_the_chain() {
    for (_, name, policy) in method::all() {
        let plain = policy.effect == Effect::None
            && policy.filter == FilterRole::None
            && !policy.sensitive
            && policy.class != MethodClass::Subscription;
        let looked = may_look(policy, None, &BlockRef::Latest).is_ok();
        assert!(plain || !looked, "{name}");
        assert_eq!(looked, may_share(policy), "{name}");
        let node_local = name.starts_with("txpool_") || name.starts_with("net_");
        assert!(!looked || !node_local || name == "net_version", "{name}");
    }
    for name in [
        "web3_clientVersion",
        "eth_syncing",
        "eth_accounts",
        "eth_coinbase",
        "eth_mining",
        "eth_supportedEntryPoints",
        "optimism_syncStatus",
        "optimism_outputAtBlock",
        "debug_getModifiedAccountsByNumber",
        "rpc_modules",
    ] {
        assert_eq!(
            of(name).cache,
            CacheClass::Never,
            "{name} differs by node or by time"
        );
    }
    let fixed: std::vec::Vec<&str> = method::all()
        .filter(|row| row.2.cache == CacheClass::Static)
        .map(|row| row.1)
        .collect();
    assert_eq!(fixed, ["eth_chainId", "net_version", "web3_sha3"]);
}

#[test]
fn freshness_ends_with_the_head_with_time_and_with_the_era() {
    let newer = ChainHead { seq: 8, ..HEAD };
    let just_before = Instant(NOW.0 + 499_999_999);
    let at = NOW + HEAD_BOUND;
    assert_eq!(is_fresh(&HEAD_BOUND_NOW, &HEAD, just_before), Ok(()));
    assert_eq!(is_fresh(&HEAD_BOUND_NOW, &HEAD, at), Err(Stale::TooOld));
    assert_eq!(is_fresh(&HEAD_BOUND_NOW, &newer, NOW), Err(Stale::NewHead));
    let until = until(at);
    assert_eq!(is_fresh(&until, &newer, just_before), Ok(()));
    assert_eq!(is_fresh(&until, &newer, at), Err(Stale::TooOld));
    assert_eq!(is_fresh(&FOR_EVER, &newer, Instant::NEVER), Ok(()));
    let reset = ChainHead {
        generation: 1,
        ..newer
    };
    assert_eq!(is_fresh(&FOR_EVER, &reset, NOW), Err(Stale::NewHead));
}

#[test]
fn what_tells_the_head_does_not_outlive_it_whatever_the_operator_says() {
    let span = Duration::from_secs(3);
    let tells = Answer {
        tells_head: true,
        ..HELD
    };
    let of_head = |name, block| {
        let ttl = Some(Ttl::For(span));
        keep(of(name), ttl, &block, &tells, &HEAD, &HEAD, NOW)
    };
    let until_next = Some(Lifetime::Head {
        seq: 7,
        until: NOW + span,
    });
    assert_eq!(of_head("eth_blockNumber", BlockRef::None), until_next);
    assert_eq!(
        of_head("eth_getBlockByNumber", BlockRef::Finalized),
        until_next
    );
    let newer = ChainHead { seq: 8, ..HEAD };
    let ttl = Some(Ttl::For(span));
    let name = of("eth_blockNumber");
    let overtaken = keep(name, ttl, &BlockRef::None, &tells, &HEAD, &newer, NOW);
    assert_eq!(overtaken, None, "a newer one was told meanwhile");
}

#[test]
fn a_tracer_does_not_say_which_block_its_trace_is_of() {
    let names = Answer {
        own_block: OwnBlock::Number(1),
        ..HELD
    };
    for name in [
        "debug_traceTransaction",
        "debug_traceBlock",
        "ots_traceTransaction",
    ] {
        assert_eq!(
            kept(name, BlockRef::None, names),
            Some(HEAD_BOUND_NOW),
            "{name}"
        );
    }
    assert_eq!(
        kept("debug_traceBlockByHash", BlockRef::Hash, names),
        Some(HEAD_BOUND_NOW)
    );
    assert_eq!(
        kept("eth_getTransactionReceipt", BlockRef::None, names),
        Some(FOR_EVER)
    );
}

#[test]
fn nothing_outlives_the_generation_in_which_it_was_kept() {
    let other = ChainHead {
        generation: 1,
        ..HEAD
    };
    let later = Instant::NEVER;
    for lifetime in [FOR_EVER, until(later)] {
        assert_eq!(is_fresh(&lifetime, &HEAD, NOW), Ok(()));
        assert_eq!(is_fresh(&lifetime, &other, NOW), Err(Stale::NewHead));
    }
}

/// Any answer, any heads: what is kept for ever is of a block that is final.
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_above_the_finalized_block_is_kept_for_ever(
            number in 0..2_000_u64,
            by_hash in any::<bool>(),
            finalized in prop::option::of(0..2_000_u64),
            newest in prop::option::of(0..2_000_u64),
            upstream_head in prop::option::of(0..2_000_u64),
            (null, empty) in (any::<bool>(), any::<bool>()),
            moved in any::<bool>(),
        ) {
            let finalized = finalized.min(newest);
            let began = ChainHead { newest, finalized, ..HEAD };
            let head = ChainHead { seq: HEAD.seq + u64::from(moved), ..began };
            let own_block = OwnBlock::Number(number);
            let answer = Answer { null, empty, own_block, tells_head: false, upstream_head };
            let block = if by_hash { BlockRef::Hash } else { BlockRef::Number(number) };
            let name = if by_hash { "eth_getBlockByHash" } else { "eth_getBlockByNumber" };
            match keep(of(name), None, &block, &answer, &began, &head, NOW) {
                Some(Lifetime::Final { .. }) => {
                    prop_assert!(!null && !empty);
                    prop_assert!(finalized.is_some_and(|finalized| number <= finalized));
                    prop_assert!(upstream_head >= finalized);
                }
                Some(Lifetime::Head { seq, until }) => {
                    prop_assert!(!null && !moved && seq == head.seq && until == NOW + HEAD_BOUND);
                    prop_assert!(upstream_head.is_none() || upstream_head >= newest);
                }
                Some(Lifetime::Until { .. }) => prop_assert!(false, "nobody asked for it"),
                None => {}
            }
        }
    }
}
