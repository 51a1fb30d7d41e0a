//! The table of standard methods, sorted by name. Data, and the few shapes that its rows are made of.

use core::time::Duration;

use super::BlockForm::{Hash, NumberOrTag, NumberTagOrHash, Range};
use super::{BlockForm, BlockParam, CacheClass, Effect, FilterRole, MethodClass, StandardPolicy};

const fn shape(class: MethodClass, cache: CacheClass, seconds: u64) -> StandardPolicy {
    StandardPolicy {
        class,
        effect: Effect::None,
        hedgeable: true,
        cache,
        timeout: Duration::from_secs(seconds),
        block_param: None,
        filter: FilterRole::None,
        sensitive: false,
    }
}

impl StandardPolicy {
    const fn with_block(mut self, index: u8, form: BlockForm) -> Self {
        self.block_param = Some(BlockParam {
            index,
            form,
            optional: false,
        });
        self
    }
    const fn with_optional_block(mut self, index: u8, form: BlockForm) -> Self {
        self.block_param = Some(BlockParam {
            index,
            form,
            optional: true,
        });
        self
    }
    const fn unhedged(mut self) -> Self {
        self.hedgeable = false;
        self
    }
    const fn leaves(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self.hedgeable = false;
        self
    }
    const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self.hedgeable = false;
        self
    }
    const fn creates(mut self) -> Self {
        self.filter = FilterRole::Creates;
        self
    }
    const fn uses(mut self) -> Self {
        self.filter = FilterRole::Uses;
        self
    }
}

const STATIC: StandardPolicy = shape(MethodClass::Static, CacheClass::Static, 5);
const HEAD: StandardPolicy = shape(MethodClass::HeadRead, CacheClass::HeadBound, 5);
const READ: StandardPolicy = shape(MethodClass::Read, CacheClass::Finality, 10);
/// Executes once: heavier than a look-up, lighter than a trace.
const CALL: StandardPolicy = shape(MethodClass::Read, CacheClass::Finality, 20);
/// Names its blocks in a form of its own, or means the newest: nothing that a cache could understand.
const BUNDLE: StandardPolicy = shape(MethodClass::Read, CacheClass::Never, 20);
const LOGS: StandardPolicy = shape(MethodClass::Logs, CacheClass::Finality, 20);
/// Its answers carry a key for the next page that is good for minutes only.
const PAGES: StandardPolicy = shape(MethodClass::Logs, CacheClass::HeadBound, 20);
/// Not hedged by default: it is priced many times a read, and a second one doubles the load that makes it slow.
const TRACE: StandardPolicy = shape(MethodClass::Trace, CacheClass::Finality, 60).unhedged();
/// Traces on a state that the call does not name.
const TRACE_NOW: StandardPolicy = shape(MethodClass::Trace, CacheClass::Never, 60).unhedged();
/// True of the node that answers, not of the chain.
const NODE_INFO: StandardPolicy = shape(MethodClass::HeadRead, CacheClass::Never, 5);
const NODE_READ: StandardPolicy = shape(MethodClass::Read, CacheClass::Never, 10).unhedged();
const POOL: StandardPolicy = shape(MethodClass::Read, CacheClass::Never, 20).unhedged();
/// The same signed bytes twice are one transaction, so a retry is safe; a hedge is a broadcast policy's business.
const SUBMIT: StandardPolicy =
    shape(MethodClass::Write, CacheClass::Never, 20).leaves(Effect::SignedTransaction);
/// EIP-7966 holds the request until the receipt is there: a long time-out of its own. Although its transaction is signed, a
/// second send would be answered "already known" instead of with a receipt, so it is never re-sent blindly.
const SUBMIT_AND_WAIT: StandardPolicy =
    shape(MethodClass::Write, CacheClass::Never, 75).leaves(Effect::NodeWrite);
const WRITE: StandardPolicy =
    shape(MethodClass::Write, CacheClass::Never, 20).leaves(Effect::NodeWrite);
/// Uses keys that the node holds. Open by default, since hosted nodes hold none and test chains are used through it.
const KEYSTORE: StandardPolicy =
    shape(MethodClass::Write, CacheClass::Never, 20).leaves(Effect::NodeWrite);
/// What a test chain is commanded with. Open by default: no node of a public chain has it.
const TEST: StandardPolicy =
    shape(MethodClass::Write, CacheClass::Never, 20).leaves(Effect::NodeWrite);
const FILTER: StandardPolicy = shape(MethodClass::Filter, CacheClass::Never, 10).unhedged();
const SUBSCRIPTION: StandardPolicy =
    shape(MethodClass::Subscription, CacheClass::Never, 10).unhedged();
const ADMIN: StandardPolicy = shape(MethodClass::Admin, CacheClass::Never, 30)
    .leaves(Effect::NodeWrite)
    .sensitive();
/// Lays open the inside of a node without changing it.
const INSIDE: StandardPolicy = shape(MethodClass::Admin, CacheClass::Never, 30).sensitive();

/// A method of which nothing is known but that it is not in the table.
pub(super) static UNKNOWN: StandardPolicy =
    shape(MethodClass::Other, CacheClass::Never, 30).unhedged();

/// One row: a name and what is known about it.
pub(super) type Row = (&'static str, StandardPolicy);

/// The table.
#[rustfmt::skip]
pub(super) static METHODS: [Row; 257] = [
    ("admin_addPeer", ADMIN),
    ("admin_addTrustedPeer", ADMIN),
    ("admin_datadir", ADMIN),
    ("admin_exportChain", ADMIN),
    ("admin_importChain", ADMIN),
    ("admin_nodeInfo", ADMIN),
    ("admin_peers", ADMIN),
    ("admin_removePeer", ADMIN),
    ("admin_removeTrustedPeer", ADMIN),
    ("admin_startHTTP", ADMIN),
    ("admin_startWS", ADMIN),
    ("admin_stopHTTP", ADMIN),
    ("admin_stopWS", ADMIN),
    ("alchemy_getAssetTransfers", PAGES.with_block(0, Range)),
    ("alchemy_getTokenBalances", HEAD),
    ("alchemy_getTokenMetadata", HEAD),
    ("alchemy_getTransactionReceipts", READ),
    ("anvil_impersonateAccount", TEST),
    ("anvil_mine", TEST),
    ("anvil_setBalance", TEST),
    ("debug_accountAt", TRACE),
    ("debug_accountRange", TRACE.with_block(0, NumberTagOrHash)),
    ("debug_backtraceAt", ADMIN),
    ("debug_blockProfile", ADMIN),
    ("debug_chaindbCompact", ADMIN),
    ("debug_chaindbProperty", ADMIN),
    ("debug_cpuProfile", ADMIN),
    ("debug_dbAncient", INSIDE),
    ("debug_dbAncients", INSIDE),
    ("debug_dbGet", INSIDE),
    ("debug_dumpBlock", TRACE.with_block(0, NumberOrTag)),
    ("debug_executionWitness", TRACE.with_block(0, NumberTagOrHash)),
    ("debug_executionWitnessByBlockHash", TRACE),
    ("debug_freeOSMemory", ADMIN),
    ("debug_gcStats", INSIDE),
    ("debug_getAccessibleState", TRACE_NOW),
    ("debug_getBadBlocks", INSIDE),
    ("debug_getModifiedAccountsByHash", TRACE.with_block(0, Hash)),
    ("debug_getModifiedAccountsByNumber", TRACE_NOW),
    ("debug_getRawBlock", TRACE.with_block(0, NumberTagOrHash)),
    ("debug_getRawHeader", TRACE.with_block(0, NumberTagOrHash)),
    ("debug_getRawReceipts", TRACE.with_block(0, NumberTagOrHash)),
    ("debug_getRawTransaction", TRACE),
    ("debug_goTrace", ADMIN),
    ("debug_intermediateRoots", TRACE.with_block(0, Hash)),
    ("debug_memStats", INSIDE),
    ("debug_mutexProfile", ADMIN),
    ("debug_preimage", TRACE),
    ("debug_printBlock", INSIDE),
    ("debug_seedHash", INSIDE),
    ("debug_setBlockProfileRate", ADMIN),
    ("debug_setGCPercent", ADMIN),
    ("debug_setHead", ADMIN),
    ("debug_setMemoryLimit", ADMIN),
    ("debug_setMutexProfileFraction", ADMIN),
    ("debug_setTrieFlushInterval", ADMIN),
    ("debug_stacks", INSIDE),
    ("debug_standardTraceBadBlockToFile", ADMIN),
    ("debug_standardTraceBlockToFile", ADMIN),
    ("debug_startCPUProfile", ADMIN),
    ("debug_startGoTrace", ADMIN),
    ("debug_stopCPUProfile", ADMIN),
    ("debug_stopGoTrace", ADMIN),
    ("debug_storageRangeAt", TRACE.with_block(0, Hash)),
    ("debug_traceBadBlock", ADMIN),
    ("debug_traceBlock", TRACE),
    ("debug_traceBlockByHash", TRACE.with_block(0, Hash)),
    ("debug_traceBlockByNumber", TRACE.with_block(0, NumberOrTag)),
    ("debug_traceBlockFromFile", ADMIN),
    ("debug_traceCall", TRACE.with_block(1, NumberTagOrHash)),
    ("debug_traceCallMany", TRACE_NOW),
    ("debug_traceTransaction", TRACE),
    ("debug_verbosity", ADMIN),
    ("debug_vmodule", ADMIN),
    ("debug_writeBlockProfile", ADMIN),
    ("debug_writeMemProfile", ADMIN),
    ("debug_writeMutexProfile", ADMIN),
    ("engine_exchangeCapabilities", ADMIN),
    ("engine_exchangeTransitionConfigurationV1", ADMIN),
    ("engine_forkchoiceUpdatedV1", ADMIN),
    ("engine_forkchoiceUpdatedV2", ADMIN),
    ("engine_forkchoiceUpdatedV3", ADMIN),
    ("engine_getBlobsV1", ADMIN),
    ("engine_getBlobsV2", ADMIN),
    ("engine_getClientVersionV1", ADMIN),
    ("engine_getPayloadBodiesByHashV1", ADMIN),
    ("engine_getPayloadBodiesByRangeV1", ADMIN),
    ("engine_getPayloadV1", ADMIN),
    ("engine_getPayloadV2", ADMIN),
    ("engine_getPayloadV3", ADMIN),
    ("engine_getPayloadV4", ADMIN),
    ("engine_getPayloadV5", ADMIN),
    ("engine_newPayloadV1", ADMIN),
    ("engine_newPayloadV2", ADMIN),
    ("engine_newPayloadV3", ADMIN),
    ("engine_newPayloadV4", ADMIN),
    ("erigon_blockNumber", HEAD),
    ("erigon_forks", NODE_INFO),
    ("erigon_getBlockByTimestamp", HEAD),
    ("erigon_getBlockReceiptsByBlockHash", READ.with_block(0, Hash)),
    ("erigon_getHeaderByHash", READ.with_block(0, Hash)),
    ("erigon_getHeaderByNumber", READ.with_block(0, NumberOrTag)),
    ("erigon_getLatestLogs", BUNDLE),
    ("erigon_getLogs", LOGS.with_block(0, Range)),
    ("erigon_getLogsByHash", READ.with_block(0, Hash)),
    ("erigon_nodeInfo", NODE_INFO),
    ("eth_accounts", NODE_READ),
    ("eth_baseFee", HEAD),
    ("eth_blobBaseFee", HEAD),
    ("eth_blockNumber", HEAD),
    ("eth_call", CALL.with_optional_block(1, NumberTagOrHash)),
    ("eth_callBundle", BUNDLE),
    ("eth_callMany", BUNDLE),
    ("eth_cancelBundle", WRITE),
    ("eth_cancelPrivateTransaction", WRITE),
    ("eth_capabilities", NODE_INFO),
    ("eth_chainId", STATIC),
    ("eth_coinbase", NODE_INFO),
    ("eth_config", HEAD),
    ("eth_createAccessList", READ.with_optional_block(1, NumberTagOrHash)),
    ("eth_estimateGas", CALL.with_optional_block(1, NumberTagOrHash)),
    ("eth_estimateUserOperationGas", BUNDLE),
    ("eth_feeHistory", HEAD.with_block(1, NumberOrTag)),
    ("eth_fillTransaction", NODE_READ),
    ("eth_gasPrice", HEAD),
    ("eth_getAccount", CALL.with_optional_block(1, NumberTagOrHash)),
    ("eth_getAccountInfo", CALL.with_optional_block(1, NumberTagOrHash)),
    ("eth_getBalance", READ.with_optional_block(1, NumberTagOrHash)),
    ("eth_getBlockAccessList", READ.with_block(0, NumberTagOrHash)),
    ("eth_getBlockAccessListByBlockHash", READ.with_block(0, Hash)),
    ("eth_getBlockAccessListByBlockNumber", READ.with_block(0, NumberOrTag)),
    ("eth_getBlockByHash", READ.with_block(0, Hash)),
    ("eth_getBlockByNumber", READ.with_block(0, NumberOrTag)),
    ("eth_getBlockReceipts", READ.with_block(0, NumberTagOrHash)),
    ("eth_getBlockTransactionCountByHash", READ.with_block(0, Hash)),
    ("eth_getBlockTransactionCountByNumber", READ.with_block(0, NumberOrTag)),
    ("eth_getCode", READ.with_optional_block(1, NumberTagOrHash)),
    ("eth_getFilterChanges", FILTER.uses()),
    ("eth_getFilterLogs", FILTER.uses()),
    ("eth_getHeaderByHash", READ.with_block(0, Hash)),
    ("eth_getHeaderByNumber", READ.with_block(0, NumberOrTag)),
    ("eth_getLogs", LOGS.with_block(0, Range)),
    ("eth_getProof", READ.with_optional_block(2, NumberTagOrHash)),
    ("eth_getRawTransactionByBlockHashAndIndex", READ.with_block(0, Hash)),
    ("eth_getRawTransactionByBlockNumberAndIndex", READ.with_block(0, NumberOrTag)),
    ("eth_getRawTransactionByHash", READ),
    ("eth_getStorageAt", READ.with_optional_block(2, NumberTagOrHash)),
    ("eth_getStorageValues", READ.with_optional_block(1, NumberTagOrHash)),
    ("eth_getTransactionByBlockHashAndIndex", READ.with_block(0, Hash)),
    ("eth_getTransactionByBlockNumberAndIndex", READ.with_block(0, NumberOrTag)),
    ("eth_getTransactionByHash", READ),
    ("eth_getTransactionBySenderAndNonce", READ),
    ("eth_getTransactionCount", READ.with_optional_block(1, NumberTagOrHash)),
    ("eth_getTransactionReceipt", READ),
    ("eth_getTransactionReceiptsByBlock", READ.with_block(0, NumberTagOrHash)),
    ("eth_getUncleByBlockHashAndIndex", READ.with_block(0, Hash)),
    ("eth_getUncleByBlockNumberAndIndex", READ.with_block(0, NumberOrTag)),
    ("eth_getUncleCountByBlockHash", READ.with_block(0, Hash)),
    ("eth_getUncleCountByBlockNumber", READ.with_block(0, NumberOrTag)),
    ("eth_getUserOperationByHash", READ),
    ("eth_getUserOperationReceipt", READ),
    ("eth_getWork", NODE_READ),
    ("eth_hashrate", NODE_INFO),
    ("eth_maxPriorityFeePerGas", HEAD),
    ("eth_mining", NODE_INFO),
    ("eth_multicallV1", BUNDLE),
    ("eth_newBlockFilter", FILTER.creates()),
    ("eth_newFilter", FILTER.creates().with_block(0, Range)),
    ("eth_newPendingTransactionFilter", FILTER.creates()),
    ("eth_pendingTransactions", NODE_READ),
    ("eth_protocolVersion", NODE_INFO),
    ("eth_resend", KEYSTORE),
    ("eth_sendBundle", WRITE),
    ("eth_sendEndOfBlockBundle", WRITE),
    ("eth_sendPrivateRawTransaction", SUBMIT),
    ("eth_sendPrivateTransaction", WRITE),
    ("eth_sendRawTransaction", SUBMIT),
    ("eth_sendRawTransactionConditional", WRITE),
    ("eth_sendRawTransactionSync", SUBMIT_AND_WAIT),
    ("eth_sendTransaction", KEYSTORE),
    ("eth_sendUserOperation", WRITE),
    ("eth_sign", KEYSTORE),
    ("eth_signTransaction", KEYSTORE),
    ("eth_signTypedData", KEYSTORE),
    ("eth_signTypedData_v3", KEYSTORE),
    ("eth_signTypedData_v4", KEYSTORE),
    ("eth_simulateV1", CALL.with_optional_block(1, NumberTagOrHash)),
    ("eth_submitHashrate", WRITE),
    ("eth_submitWork", WRITE),
    ("eth_subscribe", SUBSCRIPTION),
    ("eth_supportedEntryPoints", NODE_INFO),
    ("eth_syncing", NODE_INFO),
    ("eth_uninstallFilter", FILTER.uses()),
    ("eth_unsubscribe", SUBSCRIPTION),
    ("evm_increaseTime", TEST),
    ("evm_mine", TEST),
    ("evm_revert", TEST),
    ("evm_setNextBlockTimestamp", TEST),
    ("evm_snapshot", TEST),
    ("hardhat_impersonateAccount", TEST),
    ("hardhat_mine", TEST),
    ("hardhat_setBalance", TEST),
    ("mev_sendBundle", WRITE),
    ("miner_setEtherbase", ADMIN),
    ("miner_setExtra", ADMIN),
    ("miner_setGasLimit", ADMIN),
    ("miner_setGasPrice", ADMIN),
    ("miner_start", ADMIN),
    ("miner_stop", ADMIN),
    ("net_listening", NODE_INFO),
    ("net_peerCount", NODE_INFO),
    ("net_version", STATIC),
    ("optimism_outputAtBlock", BUNDLE),
    ("optimism_rollupConfig", NODE_INFO),
    ("optimism_syncStatus", NODE_INFO),
    ("optimism_version", NODE_INFO),
    ("ots_getApiLevel", NODE_INFO),
    ("ots_getBlockDetails", READ.with_block(0, NumberOrTag)),
    ("ots_getBlockDetailsByHash", READ.with_block(0, Hash)),
    ("ots_getBlockTransactions", READ.with_block(0, NumberOrTag)),
    ("ots_getContractCreator", READ),
    ("ots_getInternalOperations", TRACE),
    ("ots_getTransactionBySenderAndNonce", READ),
    ("ots_getTransactionError", TRACE),
    ("ots_hasCode", READ.with_optional_block(1, NumberOrTag)),
    ("ots_searchTransactionsAfter", HEAD),
    ("ots_searchTransactionsBefore", HEAD),
    ("ots_traceTransaction", TRACE),
    ("parity_getBlockReceipts", READ.with_block(0, NumberTagOrHash)),
    ("parity_nextNonce", NODE_INFO),
    ("personal_ecRecover", ADMIN),
    ("personal_importRawKey", ADMIN),
    ("personal_listAccounts", ADMIN),
    ("personal_lockAccount", ADMIN),
    ("personal_newAccount", ADMIN),
    ("personal_sendTransaction", ADMIN),
    ("personal_sign", ADMIN),
    ("personal_signTransaction", ADMIN),
    ("personal_unlockAccount", ADMIN),
    ("qn_getReceipts", READ.with_block(0, NumberTagOrHash)),
    ("rpc_modules", NODE_INFO),
    ("testing_buildBlockV1", ADMIN),
    ("trace_block", TRACE.with_block(0, NumberTagOrHash)),
    ("trace_call", TRACE.with_optional_block(2, NumberTagOrHash)),
    ("trace_callMany", TRACE.with_optional_block(1, NumberTagOrHash)),
    ("trace_filter", TRACE.with_block(0, Range)),
    ("trace_get", TRACE),
    ("trace_rawTransaction", TRACE_NOW),
    ("trace_replayBlockTransactions", TRACE.with_block(0, NumberTagOrHash)),
    ("trace_replayTransaction", TRACE),
    ("trace_transaction", TRACE),
    ("txpool_content", POOL),
    ("txpool_contentFrom", POOL),
    ("txpool_inspect", POOL),
    ("txpool_status", NODE_INFO),
    ("web3_clientVersion", NODE_INFO),
    ("web3_sha3", STATIC),
];
