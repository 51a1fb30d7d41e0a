//! The table's order and completeness, the look-up, the judgement of unknown names, patterns.

use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// The methods with golden exchanges in ethereum/execution-apis' `tests` (snapshot 2026-08-07).
const EXECUTION_API_METHODS: [&str; 41] = [
    "debug_getRawBlock",
    "debug_getRawHeader",
    "debug_getRawReceipts",
    "debug_getRawTransaction",
    "debug_traceBlockByHash",
    "debug_traceBlockByNumber",
    "debug_traceTransaction",
    "eth_baseFee",
    "eth_blobBaseFee",
    "eth_blockNumber",
    "eth_call",
    "eth_capabilities",
    "eth_chainId",
    "eth_config",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getLogs",
    "eth_getProof",
    "eth_getStorageAt",
    "eth_getStorageValues",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_sendRawTransaction",
    "eth_simulateV1",
    "eth_syncing",
    "net_version",
    "testing_buildBlockV1",
    "txpool_content",
    "txpool_contentFrom",
    "txpool_status",
];

#[test]
fn the_table_is_sorted_unique_and_found_by_every_name() {
    let names: Vec<&str> = all().map(|(_, name, _)| name).collect();
    assert_eq!(names.len(), MethodId::COUNT);
    assert!(
        names.is_sorted_by(|a, b| a < b),
        "sorted, and no name twice"
    );
    for (id, own, own_policy) in all() {
        assert_eq!(lookup(own.as_bytes()), id, "{own}");
        assert_eq!(name(id), own);
        assert_eq!(policy(id), own_policy);
        assert!(id.is_known());
        assert_eq!(id.index(), usize::from(id.0));
    }
}

#[test]
fn every_method_of_the_execution_api_is_known() {
    for own in EXECUTION_API_METHODS {
        assert!(lookup(own.as_bytes()).is_known(), "{own}");
    }
}

#[test]
fn near_misses_are_other() {
    for wrong in [
        "",
        "e",
        "eth_",
        "eth_cal",
        "eth_call ",
        "Eth_call",
        "eth_CALL",
        "eth_call\0",
        "_OTHER",
        "eth_getBalancf",
    ] {
        assert_eq!(lookup(wrong.as_bytes()), MethodId::OTHER, "{wrong:?}");
    }
    assert_eq!(lookup(&[0xff; 4096]), MethodId::OTHER);
    assert_eq!(name(MethodId::OTHER), "_OTHER");
    assert_eq!(MethodId::OTHER.index(), MethodId::COUNT);
    assert_eq!(policy(MethodId::OTHER).class, MethodClass::Other);
}

#[test]
fn what_leaves_an_effect_is_neither_hedged_nor_cached() {
    for (_, own, policy) in all() {
        if policy.effect != Effect::None {
            assert!(!policy.hedgeable, "{own}");
            assert_eq!(policy.cache, CacheClass::Never, "{own}");
        }
        assert!(!policy.timeout.is_zero(), "{own}");
    }
}

/// A cache may bind an answer to a block only where it can tell which: by a parameter, or by a hash that names one thing for ever.
#[test]
fn what_is_bound_to_a_block_names_it() {
    const NAMED_BY_HASH_OR_INDEX: [&str; 21] = [
        "alchemy_getTransactionReceipts",
        "debug_accountAt",
        "debug_executionWitnessByBlockHash",
        "debug_getRawTransaction",
        "debug_preimage",
        "debug_traceBlock",
        "debug_traceTransaction",
        "eth_getRawTransactionByHash",
        "eth_getTransactionByHash",
        "eth_getTransactionBySenderAndNonce",
        "eth_getTransactionReceipt",
        "eth_getUserOperationByHash",
        "eth_getUserOperationReceipt",
        "ots_getContractCreator",
        "ots_getInternalOperations",
        "ots_getTransactionBySenderAndNonce",
        "ots_getTransactionError",
        "ots_traceTransaction",
        "trace_get",
        "trace_replayTransaction",
        "trace_transaction",
    ];
    let unnamed: Vec<&str> = all()
        .filter(|row| row.2.cache == CacheClass::Finality && row.2.block_param.is_none())
        .map(|row| row.1)
        .collect();
    assert_eq!(unnamed, NAMED_BY_HASH_OR_INDEX);
}

#[test]
fn a_signed_transaction_is_idempotent_and_its_synchronous_kin_is_not() {
    let of = |own: &str| policy(lookup(own.as_bytes()));
    assert_eq!(
        of("eth_sendRawTransaction").effect,
        Effect::SignedTransaction
    );
    assert_eq!(of("eth_sendRawTransactionSync").effect, Effect::NodeWrite);
    assert!(of("eth_sendRawTransactionSync").timeout > of("eth_sendRawTransaction").timeout);
    for own in [
        "eth_sendTransaction",
        "eth_sign",
        "eth_signTransaction",
        "personal_sign",
        "evm_mine",
    ] {
        assert_eq!(of(own).effect, Effect::NodeWrite, "{own}");
    }
}

#[test]
fn only_the_six_filter_methods_play_a_part_in_filters() {
    let with = |role| -> Vec<&str> {
        all()
            .filter(|row| row.2.filter == role)
            .map(|row| row.1)
            .collect()
    };
    assert_eq!(
        with(FilterRole::Creates),
        [
            "eth_newBlockFilter",
            "eth_newFilter",
            "eth_newPendingTransactionFilter"
        ]
    );
    assert_eq!(
        with(FilterRole::Uses),
        [
            "eth_getFilterChanges",
            "eth_getFilterLogs",
            "eth_uninstallFilter"
        ]
    );
}

#[test]
fn block_parameters_stand_where_the_specification_puts_them() {
    for (own, index, form, optional) in [
        ("eth_getBalance", 1, BlockForm::NumberTagOrHash, true),
        ("eth_getStorageAt", 2, BlockForm::NumberTagOrHash, true),
        ("eth_getProof", 2, BlockForm::NumberTagOrHash, true),
        ("eth_call", 1, BlockForm::NumberTagOrHash, true),
        ("eth_getBlockByNumber", 0, BlockForm::NumberOrTag, false),
        ("eth_getBlockByHash", 0, BlockForm::Hash, false),
        ("eth_feeHistory", 1, BlockForm::NumberOrTag, false),
        ("eth_getLogs", 0, BlockForm::Range, false),
        ("debug_traceCall", 1, BlockForm::NumberTagOrHash, false),
        ("trace_call", 2, BlockForm::NumberTagOrHash, true),
    ] {
        let expected = BlockParam {
            index,
            form,
            optional,
        };
        assert_eq!(
            policy(lookup(own.as_bytes())).block_param,
            Some(expected),
            "{own}"
        );
    }
    assert_eq!(
        policy(lookup(b"eth_getTransactionByHash")).block_param,
        None
    );
}

#[test]
fn what_commands_a_node_is_sensitive_in_and_out_of_the_table() {
    for (_, own, policy) in all() {
        if is_sensitive_name(own) {
            assert!(policy.sensitive, "{own}");
        }
    }
    for own in [
        "admin_nodeInfo",
        "personal_unlockAccount",
        "miner_start",
        "engine_newPayloadV4",
        "debug_setHead",
    ] {
        assert!(policy(lookup(own.as_bytes())).sensitive, "{own}");
    }
    for own in [
        "eth_call",
        "debug_traceTransaction",
        "txpool_content",
        "eth_sendTransaction",
    ] {
        assert!(!policy(lookup(own.as_bytes())).sensitive, "{own}");
    }
    assert!(unknown_policy("engine_somethingV9").sensitive);
    assert!(!unknown_policy("zks_getProof").sensitive);
}

#[test]
fn unknown_names_are_judged_by_namespace_and_verb() {
    for own in [
        "personal_anything",
        "miner_x",
        "admin_x",
        "anvil_x",
        "hardhat_x",
        "evm_x",
        "eth_signSomething",
        "eth_sendPrivateThing",
        "zks_sendRawTransactionWithDetailedOutput",
        "foo_setHead",
        "foo_set_head",
        "set",
        "eth_cancelThing",
    ] {
        assert_eq!(effect_of_unknown(own), Effect::NodeWrite, "{own}");
        assert_eq!(unknown_policy(own).class, MethodClass::Write, "{own}");
    }
    for own in [
        "zks_getProof",
        "qn_fetchNFTs",
        "foo_settings",
        "foo_newest",
        "foo_signature",
        "foo",
        "",
        "_",
        "foo_addressOf",
    ] {
        assert_eq!(effect_of_unknown(own), Effect::None, "{own}");
        assert!(!unknown_policy(own).hedgeable, "{own}");
    }
}

#[test]
fn patterns_cover_what_they_say() {
    let covers = |pattern: &str, own: &str| Pattern::new(pattern).unwrap().matches(own);
    assert!(covers("debug_*", "debug_traceCall") && covers("debug_*", "debug_"));
    assert!(!covers("debug_*", "debug") && !covers("debug_*", "xdebug_traceCall"));
    assert!(
        covers("eth_call", "eth_call")
            && !covers("eth_call", "eth_callMany")
            && !covers("eth_call", "eth_Call")
    );
    assert!(covers("*", "") && covers("*", "anything") && covers("**", "x"));
    assert!(covers("*Raw*", "eth_sendRawTransaction") && covers("*ByHash", "eth_getBlockByHash"));
    assert!(covers("a*b*c", "a_b_b_c") && !covers("a*b*c", "a_b_b_d") && !covers("*ab", "a"));
}

#[test]
fn wrong_patterns_say_why() {
    assert_eq!(Pattern::new(""), Err(PatternError::Empty));
    assert_eq!(
        Pattern::new(&"a".repeat(MAX_PATTERN_BYTES + 1)),
        Err(PatternError::TooLong)
    );
    assert_eq!(Pattern::new("eth call"), Err(PatternError::Character(' ')));
    assert!(Pattern::new(&"a".repeat(MAX_PATTERN_BYTES)).is_ok());
}

#[test]
fn the_narrower_pattern_is_the_more_specific() {
    let rank = |pattern: &str| Pattern::new(pattern).unwrap().specificity();
    assert!(
        rank("eth_call") > rank("eth_ca*")
            && rank("eth_ca*") > rank("eth_*")
            && rank("eth_*") > rank("*")
    );
    assert!(rank("a") > rank("eth_sendRawTransaction*"));
}

proptest! {
    #[test]
    fn any_bytes_can_be_looked_up(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let id = lookup(&bytes);
        prop_assert!(!id.is_known() || name(id).as_bytes() == bytes);
    }

    #[test]
    fn a_pattern_agrees_with_its_definition(pattern in "[ab*]{1,8}", own in "[ab]{0,10}") {
        prop_assert_eq!(Pattern::new(&pattern).unwrap().matches(&own), by_definition(&pattern, &own));
    }
}

/// The definition: a star is any run, tried out one by one.
fn by_definition(pattern: &str, own: &str) -> bool {
    match pattern.chars().next() {
        None => own.is_empty(),
        Some('*') => (0..=own.len()).any(|skip| by_definition(&pattern[1..], &own[skip..])),
        Some(expected) => own.starts_with(expected) && by_definition(&pattern[1..], &own[1..]),
    }
}

#[test]
fn a_pattern_reads_back_as_written() {
    let written = String::from("trace_*");
    assert_eq!(Pattern::new(&written).unwrap().as_str(), written);
}
