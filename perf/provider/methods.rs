//! The table of methods: which result a call gets, derived from what it asks and from where this provider stands.
//! Writes bytes into a buffer; remembers only what the ledger does.

use super::Shared;
use super::blocks::{self, BlockShape, LogShape, quoted};
use super::chain::GENESIS_TIME_S;
use super::ledger::{FilterKind, Taken};
use crate::hex::{self, parse_quantity, quantity, seed_of};
use crate::scan::{self, CallView};

/// An error that a node answers.
pub(super) struct NodeError {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Option<String>,
}

impl NodeError {
    pub(super) fn new(code: i64, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
            data: None,
        }
    }
}

/// Where this provider stands, for one call: on which chain, how far behind, on which fork.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Vantage {
    /// Another chain's id instead of its own.
    pub(super) chain_id: Option<u64>,
    pub(super) lag_blocks: u64,
    pub(super) is_forked: bool,
}

/// The parameters of one call and the chain as this provider sees it.
struct View<'a> {
    call: &'a CallView<'a>,
    shared: &'a Shared,
    head: u64,
    /// First block that differs on the fork, where there is one.
    fork_from: Option<u64>,
}

impl View<'_> {
    fn param(&self, index: usize) -> Option<&[u8]> {
        scan::element(self.call.params?, index)
    }

    fn text(&self, index: usize) -> Option<&[u8]> {
        scan::unquoted(self.param(index)?)
    }

    /// A string of the parameters, as a seed.
    fn seed(&self) -> u64 {
        seed_of(self.call.params.unwrap_or_default())
    }

    fn fork(&self, number: u64) -> u64 {
        u64::from(self.fork_from.is_some_and(|from| number >= from))
    }

    /// The block that a tag or a quantity names; `None` when it is beyond the head.
    fn block_number(&self, tag: &[u8]) -> Option<u64> {
        match tag {
            b"latest" | b"pending" => Some(self.head),
            b"safe" => Some(self.head.saturating_sub(32)),
            b"finalized" => Some(self.head.saturating_sub(64)),
            b"earliest" => Some(0),
            _ => parse_quantity(tag).filter(|&number| number <= self.head),
        }
    }
}

fn invalid(message: &str) -> NodeError {
    NodeError::new(-32602, message)
}

/// Writes the result of a call, or says what is wrong with it.
pub(super) fn result(
    out: &mut Vec<u8>,
    call: &CallView<'_>,
    shared: &Shared,
    vantage: Vantage,
) -> Result<(), NodeError> {
    let chain = &shared.options.chain;
    let head = chain.head().saturating_sub(vantage.lag_blocks);
    let fork_from = vantage
        .is_forked
        .then(|| head.saturating_sub(vantage.lag_blocks));
    let view = View {
        call,
        shared,
        head,
        fork_from,
    };
    let sizes = shared.options.sizes;
    match call.method {
        b"eth_getBalance" => {
            let address = view
                .text(0)
                .ok_or_else(|| invalid("missing value for required argument 0"))?;
            quoted_quantity(out, seed_of(address) >> 4);
        }
        b"eth_call" => quoted_data(out, view.seed(), 32),
        b"eth_blockNumber" => quoted_quantity(out, head),
        b"eth_chainId" => quoted_quantity(out, vantage.chain_id.unwrap_or(chain.id())),
        b"net_version" => quoted(out, &vantage.chain_id.unwrap_or(chain.id()).to_string()),
        b"eth_getBlockByNumber" | b"eth_getHeaderByNumber" => block_by_number(out, &view),
        b"eth_getBlockByHash" => block(out, &view, view.seed() % (head + 1)),
        b"eth_getBlockReceipts" => block_receipts(out, &view),
        b"eth_getTransactionReceipt" => {
            let hash = view
                .text(0)
                .ok_or_else(|| invalid("missing value for required argument 0"))?;
            let number = head.saturating_sub(seed_of(hash) % 64);
            blocks::receipt(out, hash, number, view.fork(number), 0, sizes.receipt_logs);
        }
        b"eth_getTransactionByHash" => {
            let hash = view
                .text(0)
                .ok_or_else(|| invalid("missing value for required argument 0"))?;
            let number = head.saturating_sub(seed_of(hash) % 64);
            blocks::transaction(out, number, view.fork(number), 0, |out| {
                out.extend_from_slice(hash)
            });
        }
        b"eth_getLogs" => logs(out, &view),
        b"eth_sendRawTransaction" => send_raw(out, &view)?,
        b"debug_traceTransaction"
        | b"debug_traceCall"
        | b"debug_traceBlockByNumber"
        | b"debug_traceBlockByHash"
        | b"trace_transaction"
        | b"trace_block"
        | b"trace_replayTransaction" => {
            blocks::trace(out, view.seed(), sizes.trace_bytes);
        }
        _ => return lesser(out, &view),
    }
    Ok(())
}

/// The methods that a load does not hammer.
fn lesser(out: &mut Vec<u8>, view: &View<'_>) -> Result<(), NodeError> {
    let sizes = view.shared.options.sizes;
    match view.call.method {
        b"eth_gasPrice" => quoted_quantity(out, 2_000_000_000),
        b"eth_maxPriorityFeePerGas" => quoted_quantity(out, 1_000_000),
        b"eth_blobBaseFee" => quoted_quantity(out, 1),
        b"eth_estimateGas" => quoted_quantity(out, 21_000),
        b"eth_getTransactionCount" => quoted_quantity(out, view.seed() % 1000),
        b"eth_getBlockTransactionCountByNumber" | b"eth_getBlockTransactionCountByHash" => {
            quoted_quantity(out, u64::try_from(sizes.transactions).unwrap_or(u64::MAX));
        }
        b"eth_getStorageAt" => quoted_data(out, view.seed(), 32),
        b"eth_getCode" => quoted_data(out, view.seed(), sizes.code_bytes),
        b"eth_feeHistory" => fee_history(out, view),
        b"eth_syncing" => out.extend_from_slice(b"false"),
        b"eth_accounts" => out.extend_from_slice(b"[]"),
        b"net_listening" => out.extend_from_slice(b"true"),
        b"net_peerCount" => quoted_quantity(out, 25),
        b"web3_clientVersion" => quoted(out, "synthetic/1"),
        b"eth_newFilter" => new_filter(out, view, FilterKind::Logs),
        b"eth_newBlockFilter" => new_filter(out, view, FilterKind::Blocks),
        b"eth_newPendingTransactionFilter" => new_filter(out, view, FilterKind::Transactions),
        b"eth_getFilterChanges" => filter_changes(out, view, true)?,
        b"eth_getFilterLogs" => filter_changes(out, view, false)?,
        b"eth_uninstallFilter" => {
            let removed = view
                .text(0)
                .and_then(parse_quantity)
                .is_some_and(|id| view.shared.ledger.remove_filter(id));
            out.extend_from_slice(if removed { b"true" } else { b"false" });
        }
        other => {
            let name = String::from_utf8_lossy(other);
            return Err(NodeError::new(
                -32601,
                &format!("the method {name} does not exist/is not available"),
            ));
        }
    }
    Ok(())
}

fn quoted_quantity(out: &mut Vec<u8>, value: u64) {
    out.push(b'"');
    quantity(out, value);
    out.push(b'"');
}

fn quoted_data(out: &mut Vec<u8>, seed: u64, bytes: usize) {
    out.push(b'"');
    hex::data(out, seed, bytes);
    out.push(b'"');
}

fn block_by_number(out: &mut Vec<u8>, view: &View<'_>) {
    match view.text(0).and_then(|tag| view.block_number(tag)) {
        Some(number) => block(out, view, number),
        None => out.extend_from_slice(b"null"),
    }
}

fn block(out: &mut Vec<u8>, view: &View<'_>, number: u64) {
    let chain = &view.shared.options.chain;
    let shape = BlockShape {
        number,
        fork: view.fork(number),
        timestamp_s: GENESIS_TIME_S
            .saturating_add(number.saturating_mul(chain.block_time().as_secs())),
        transactions: view.shared.options.sizes.transactions,
        full: view.param(1) == Some(b"true"),
    };
    blocks::block(out, shape);
}

fn block_receipts(out: &mut Vec<u8>, view: &View<'_>) {
    let sizes = view.shared.options.sizes;
    let Some(number) = view.text(0).and_then(|tag| view.block_number(tag)) else {
        return out.extend_from_slice(b"null");
    };
    out.push(b'[');
    for index in 0..sizes.transactions {
        if index > 0 {
            out.push(b',');
        }
        let mut hash = Vec::with_capacity(66);
        hex::data(
            &mut hash,
            blocks::block_seed(number, 0).wrapping_add(seed_of(&index.to_le_bytes())),
            32,
        );
        blocks::receipt(
            out,
            &hash,
            number,
            view.fork(number),
            index,
            sizes.receipt_logs,
        );
    }
    out.push(b']');
}

fn logs(out: &mut Vec<u8>, view: &View<'_>) {
    let filter = view.param(0).unwrap_or_default();
    let tag = scan::member(filter, b"fromBlock")
        .and_then(scan::unquoted)
        .unwrap_or(b"latest");
    let address = scan::member(filter, b"address").and_then(|value| {
        scan::unquoted(value).or_else(|| scan::unquoted(scan::element(value, 0)?))
    });
    out.push(b'[');
    let number = view.block_number(tag);
    let count = if number.is_some() {
        view.shared.options.sizes.logs
    } else {
        0
    };
    for log_index in 0..count {
        if log_index > 0 {
            out.push(b',');
        }
        let number = number.unwrap_or(view.head);
        let shape = LogShape {
            number,
            fork: view.fork(number),
            index: log_index,
            log_index,
            address,
            hash: None,
        };
        blocks::log(out, shape);
    }
    out.push(b']');
}

fn send_raw(out: &mut Vec<u8>, view: &View<'_>) -> Result<(), NodeError> {
    let raw = view
        .text(0)
        .and_then(|raw| std::str::from_utf8(raw).ok())
        .unwrap_or_default();
    match view.shared.ledger.take(raw) {
        Taken::New(hash) => {
            out.extend_from_slice(b"\"0x");
            out.extend(
                hash.iter()
                    .flat_map(|byte| format!("{byte:02x}").into_bytes()),
            );
            out.push(b'"');
            Ok(())
        }
        Taken::Known => Err(NodeError::new(-32000, "already known")),
        Taken::Malformed => Err(invalid(
            "invalid argument 0: hex string without or with bad digits",
        )),
    }
}

fn fee_history(out: &mut Vec<u8>, view: &View<'_>) {
    let count = view
        .text(0)
        .and_then(parse_quantity)
        .unwrap_or(1)
        .clamp(1, 1024);
    let oldest = (view.head + 1).saturating_sub(count);
    out.extend_from_slice(b"{\"oldestBlock\":");
    quoted_quantity(out, oldest);
    out.extend_from_slice(b",\"gasUsedRatio\":[");
    out.extend_from_slice(
        vec!["0.5"; usize::try_from(count).unwrap_or(1)]
            .join(",")
            .as_bytes(),
    );
    out.extend_from_slice(b"],\"baseFeePerGas\":[");
    out.extend_from_slice(
        vec!["\"0x3b9aca00\""; usize::try_from(count + 1).unwrap_or(2)]
            .join(",")
            .as_bytes(),
    );
    out.extend_from_slice(b"]}");
}

fn new_filter(out: &mut Vec<u8>, view: &View<'_>, kind: FilterKind) {
    quoted_quantity(out, view.shared.ledger.create_filter(kind, view.head));
}

fn filter_changes(out: &mut Vec<u8>, view: &View<'_>, advance: bool) -> Result<(), NodeError> {
    let id = view
        .text(0)
        .and_then(parse_quantity)
        .ok_or_else(|| invalid("invalid argument 0"))?;
    let ledger = &view.shared.ledger;
    let filter = ledger
        .read_filter(id, view.head, advance)
        .ok_or_else(|| NodeError::new(-32000, "filter not found"))?;
    match filter.kind {
        FilterKind::Logs => logs(out, view),
        FilterKind::Transactions => out.extend_from_slice(b"[]"),
        FilterKind::Blocks => {
            out.push(b'[');
            let first = filter
                .told
                .saturating_add(1)
                .max(view.head.saturating_sub(1000));
            for number in first..=view.head {
                if number > first {
                    out.push(b',');
                }
                quoted_data(out, blocks::block_seed(number, view.fork(number)), 32);
            }
            out.push(b']');
        }
    }
    Ok(())
}
