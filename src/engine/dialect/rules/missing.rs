//! Blocks, states and transactions that this upstream does not have: tags it does not know, a node out of sync, history
//! pruned or not archived, a head not reached. None of it is ever a failure of the upstream, only a gap.

use super::super::rule::{Rule, rule};
use crate::fault::FaultClass as C;

/// The upstream does not take this form of block. Others do, so the class is that of missing data: ask elsewhere, blame nobody.
#[rustfmt::skip]
pub(super) static BLOCK_TAGS: &[Rule] = &[
    rule("block_tag_unsupported", C::MissingData)
        .any(&[
            "pending block not found", "safe block not found", "finalized block not found",
            "finalized is not a supported", "safe is not a supported", "pending is not a supported",
            "malformed blocknumber", "pending block is not available", "unsupported block tag",
            "block tag not supported", "invalid type: map, expected blocknumber",
        ])
        .like("finalized block not found"),
];

#[rustfmt::skip]
pub(super) static SYNCING: &[Rule] = &[
    rule("syncing", C::Syncing)
        .any(&[
            "node is syncing", "node is still syncing", "catching up to the chain", "node is behind by %n",
            "still syncing", "node is not synced",
        ])
        .like("node is still syncing"),
    rule("indexing", C::Syncing)
        .any(&["transaction indexing is in progress", "indexing is in progress"])
        .like("transaction indexing is in progress"),
];

#[rustfmt::skip]
pub(super) static MISSING: &[Rule] = &[
    // Replaying history on a state that is not quite the right one: the node lacks it, the transaction was fine when it was mined.
    rule("replay_without_state", C::MissingData).methods(&["debug_*", "trace_*"])
        .any(&["insufficient funds", "insufficient balance", "nonce too low", "nonce too high"])
        .like("tracing failed: insufficient funds for gas * price + value"),
    rule("state_pruned_geth", C::MissingData)
        .any(&[
            "missing trie node", "old data not available due to pruning",
            "historical state not available in path scheme", "historical state is not available", "historical state unavailable in",
            "required historical state unavailable", "state histories haven't been fully indexed",
            "historical state %* is not available", "state %* is not available", "genesis is not traceable",
            "trie does not", "state at block %* is pruned", "unexpected state root",
        ])
        .like("missing trie node 6a1f (path ) state 0x6a1f is not available, not found"),
    rule("state_pruned_other_clients", C::MissingData)
        .any(&[
            "no state available for block", "distance to target block exceeds maximum proof window",
            "metadata is not found", "body not found for block", "no historical rpc is available for this historical",
            "historical backend error", "no state found for block", "purged for block", "account changes purged",
            "state is not available", "empty reader set", "failed to load state at height",
            "state not found for block", "no transactions snapshot file for", "could not find block for height",
            "but it out-of-bounds", "version has either been pruned, or is for a future block",
            "is not available, lowest height is", "expect block number from id", "block height passed is invalid",
            "pruned history unavailable", "height is not available", "height %n is not available", "archive node required", "use an archive node",
            "requires an archive node", "beyond historical limit",
        ])
        .like("No state available for block 0x1234"),
    rule("state_pruned_chains", C::MissingData)
        .any(&[
            "node state is pruned", "your node is running with state pruning", "state already discarded for",
            "state does not maintain archive data", "failed to compute tipset state", "bad tipset height",
            "error loading messages for tipset", "load state tree", "requested epoch was a null round",
            "could not find finalizeblock", "evm module does not exist on height", "block with such an id is pruned",
            "block with such an id doesn't exist yet", "unsupported block number",
            "has been pruned; earliest available is", "blocks specified %* cannot be found",
        ])
        .like("Your node is running with state pruning (with the --pruning flag)"),
    rule("head_not_reached", C::MissingData)
        .any(&[
            "header not found", "header for hash not found", "request beyond head block", "after last accepted block",
            "cannot query unfinalized data", "height must be less than or equal", "greater than latest",
            "not currently canonical", "extends beyond current head block", "block height is %n but requested was %n",
            "block is out of range", "beyond the latest block", "block number is in the future",
        ])
        .like("header not found"),
    rule("block_not_found", C::MissingData)
        .any(&[
            "unknown block", "block not found", "block #%n not found", "block %n not found", "block %h not found",
            "^%n could not be found", "block %* could not be found", "block with id %* not found",
            "block does not exist", "unknown header", "no such block", "^parent %h not found",
        ])
        .like("block not found: 0x16e3600"),
];

/// "Not found" and "not available" of what? Methods have had their say by code; what names a thing of the chain is missing data.
#[rustfmt::skip]
pub(super) static NOT_FOUND: &[Rule] = &[
    rule("filter_not_found", C::Client)
        .any(&["filter not found", "filter %h not found", "filter with id %* not found", "filter does not exist"])
        .like("filter not found"),
    rule("chain_object_not_found", C::MissingData)
        .any(&[
            "transaction not found", "transaction %h not found", "receipt not found", "receipts not found",
            "state not found", "tx not found", "block %* not available", "transaction %* not available",
            "receipts %* not available", "batch not found", "epoch %* not found", "height %* not found",
        ]).none(&["method", "module"])
        .like("transaction not found"),
];
