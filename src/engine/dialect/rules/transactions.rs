//! What pools say about transactions. Their texts reach the client unchanged, since wallets match them; none of them ever
//! counts against an upstream.

use super::super::rule::{Rule, rule};
use crate::fault::FaultClass as C;

const SENDS: &[&str] = &["eth_send*"];
/// The methods whose transaction the driver can hash: success may be said in the node's stead.
const SENDS_OF_SIGNED_BYTES: &[&str] = &["eth_sendRawTransaction", "eth_sendPrivateRawTransaction"];

/// These make a success of an error, so they are narrow: "unknown transaction type" must not pass for "known transaction".
const KNOWN_TEXTS: &[&str] = &[
    "already known",
    "^known transaction",
    " known transaction",
    "already imported",
    "alreadyknown",
    "already in mempool",
    "already in the mempool",
    "transaction already exists",
    "already have transaction",
    "already exists in mempool",
    "already exists in cache",
    "pool(alreadyimported)",
    "already_exists",
];

#[rustfmt::skip]
pub(super) static KNOWN: &[Rule] = &[
    rule("already_known", C::TxIdempotent).methods(SENDS_OF_SIGNED_BYTES)
        .any(KNOWN_TEXTS)
        .like("already known"),
    // Success would need something other than the hash (a receipt, a bundle's hash), or a hash that nobody here can compute.
    rule("already_known_elsewhere", C::TxTerminal).methods(SENDS)
        .any(KNOWN_TEXTS)
        .like("already known"),
];

#[rustfmt::skip]
pub(super) static NONCE: &[Rule] = &[
    rule("nonce_low", C::TxNonceLow).methods(SENDS)
        .any(&[
            "nonce too low", "nonce is too low", "nonce has already been used", "oldnonce", "ownnoncealreadyused",
            "invalid transaction nonce", "pool(stale)", "does not match sender account nonce", "nonce too small",
        ])
        .like("nonce too low: next nonce 5, tx nonce 4"),
    rule("nonce_high", C::TxPoolPolicy).methods(SENDS)
        .any(&["nonce too high", "nonce is too high", "noncegap", "nonce gap"])
        .like("nonce too high"),
    rule("nonce_in_call", C::Client).not_methods(SENDS)
        .any(&["nonce too low", "nonce is too low", "nonce too high", "nonce is too high", "nonce has max value"])
        .like("nonce too high: address 0x16c57eDF7Fa9D9525378B0b81Bf8A3cEd0620C1c, tx: 999 state: 0"),
];

#[rustfmt::skip]
pub(super) static POOL: &[Rule] = &[
    // Asking another pool could get the rival transaction accepted there: the caller is told instead.
    rule("replacement_underpriced", C::TxTerminal).methods(SENDS)
        .any(&[
            "replacement transaction underpriced", "could not replace existing tx",
            "existing transaction had higher priority", "newer transaction had higher priority",
            "replacement %* underpriced",
        ])
        .like("replacement transaction underpriced"),
    rule("fee_cap_of_node", C::TxPoolPolicy).methods(SENDS)
        .any(&["exceeds the configured cap"])
        .like("tx fee (1.50 ether) exceeds the configured cap (1.00 ether)"),
    rule("fee_terms", C::TxTerminal)
        .any(&[
            "max fee per gas less than block base fee", "fee cap less than block base fee",
            "max priority fee per gas higher than max fee per gas", "max fee per blob gas", "too many blobs",
            "transaction is outdated", "tip higher than fee cap",
        ])
        .like("max fee per gas less than block base fee: address 0x01, maxFeePerGas: 1, baseFee: 10"),
    rule("underpriced", C::TxPoolPolicy).methods(SENDS)
        .any(&[
            "transaction underpriced", "underpriced", "feetoolow", "fee too low", "gas price below minimum",
            "gas price too low", "gas tip cap %* below minimum",
        ])
        .like("transaction underpriced"),
    rule("pool_full", C::TxPoolPolicy)
        .any(&[
            "txpool is full", "sub-pool is full", "pending tx pool full", "txpool disabled",
            "transaction pool is full", "mempool is full",
        ])
        .like("txpool is full"),
    // Monad evicts with this one word; anything longer is another matter.
    rule("evicted", C::TxPoolPolicy).methods(SENDS)
        .any(&["^rejected$"])
        .like("rejected"),
    rule("type_not_yet", C::TxPoolPolicy)
        .any(&["tx of type %* not supported"])
        .like("tx of type 4 not supported"),
];

#[rustfmt::skip]
pub(super) static FUNDS: &[Rule] = &[
    rule("insufficient_funds", C::TxTerminal)
        .any(&[
            "insufficient funds", "insufficientfunds", "insufficient balance", "insufficient maxfeepergas",
            "insufficient sender balance", "upfront cost exceeds", "transaction would cause overdraft",
            "signer had insufficient balance", "exceeds transaction sender account balance",
        ])
        .like("insufficient funds for gas * price + value: balance 0, tx cost 21000"),
    rule("gas_terms", C::TxTerminal).methods(SENDS)
        .any(&[
            "intrinsic gas too low", "intrinsic gas too high", "exceeds block gas limit", "gas limit reached",
            "out of gas", "gas required exceeds allowance", "max initcode size exceeded", "gas limit too high",
        ])
        .like("intrinsic gas too low: gas 20000, minimum needed 21000"),
    rule("cost_over_gas_limit", C::TxTerminal)
        .any(&["transaction cost exceeds current gas limit", "exceeds block gas limit"]).not_methods(SENDS)
        .like("exceeds block gas limit"),
    rule("cost_over_gas_limit_sent", C::TxTerminal).methods(SENDS)
        .any(&["transaction cost exceeds current gas limit"])
        .like("Transaction cost exceeds current gas limit. Limit: 8000000, got: 9000000. Try decreasing supplied gas."),
    rule("signature_terms", C::TxTerminal).methods(SENDS)
        .any(&[
            "invalid sender", "invalid signature", "invalid chain id", "chain id mismatch", "wrong chain id",
            "only replay-protected",
        ])
        .like("invalid chain id for signer: have 1 want 5"),
];
