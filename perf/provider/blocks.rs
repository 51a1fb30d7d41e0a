//! Writes the large objects of the chain: blocks, transactions, receipts, logs, traces. All of it is derived from
//! numbers and hashes, so that two providers of one chain agree and a caller gets the same answer twice.

use crate::hex::{data, quantity, seed_of};
use crate::rng::mix;
use std::fmt::Write as _;

/// A block's hash as a seed: the same on every provider, another one on a fork.
pub(super) fn block_seed(number: u64, fork: u64) -> u64 {
    mix(number ^ 0xb10c_0000_0000_0000 ^ fork)
}

/// The seed of a block's transaction.
fn transaction_seed(number: u64, fork: u64, index: usize) -> u64 {
    mix(block_seed(number, fork)
        .wrapping_add(u64::try_from(index).unwrap_or(0))
        .wrapping_add(7))
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// `"name":"0x…data"` and a comma.
fn data_member(out: &mut Vec<u8>, name: &str, seed: u64, bytes: usize) {
    name_of(out, name);
    out.push(b'"');
    data(out, seed, bytes);
    text(out, "\",");
}

/// `"name":"0x1"` and a comma.
fn quantity_member(out: &mut Vec<u8>, name: &str, value: u64) {
    name_of(out, name);
    out.push(b'"');
    quantity(out, value);
    text(out, "\",");
}

/// `"name":"text"` and a comma; the text is hex that came in.
fn text_member(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    name_of(out, name);
    out.push(b'"');
    out.extend_from_slice(value);
    text(out, "\",");
}

fn name_of(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    text(out, name);
    text(out, "\":");
}

/// Replaces the comma that was written last.
fn close(out: &mut Vec<u8>, with: &str) {
    if out.last() == Some(&b',') {
        out.pop();
    }
    text(out, with);
}

/// Which block, and how its transactions are shown.
#[derive(Clone, Copy)]
pub(super) struct BlockShape {
    pub(super) number: u64,
    pub(super) fork: u64,
    pub(super) timestamp_s: u64,
    pub(super) transactions: usize,
    pub(super) full: bool,
}

/// A block as `eth_getBlockByNumber` answers it.
pub(super) fn block(out: &mut Vec<u8>, shape: BlockShape) {
    let seed = block_seed(shape.number, shape.fork);
    out.push(b'{');
    quantity_member(out, "number", shape.number);
    data_member(out, "hash", seed, 32);
    data_member(
        out,
        "parentHash",
        block_seed(shape.number.saturating_sub(1), shape.fork),
        32,
    );
    quantity_member(out, "timestamp", shape.timestamp_s);
    quantity_member(out, "gasLimit", 36_000_000);
    quantity_member(out, "gasUsed", mix(seed) % 36_000_000);
    quantity_member(
        out,
        "baseFeePerGas",
        1_000_000_000 + mix(seed) % 1_000_000_000,
    );
    quantity_member(out, "difficulty", 0);
    quantity_member(out, "size", 80_000 + mix(seed) % 80_000);
    text_member(out, "nonce", b"0x0000000000000000");
    text_member(out, "extraData", b"0x");
    data_member(out, "miner", seed ^ 1, 20);
    data_member(out, "mixHash", seed ^ 2, 32);
    data_member(out, "stateRoot", seed ^ 3, 32);
    data_member(out, "transactionsRoot", seed ^ 4, 32);
    data_member(out, "receiptsRoot", seed ^ 5, 32);
    data_member(out, "sha3Uncles", seed ^ 6, 32);
    data_member(out, "logsBloom", seed ^ 7, 256);
    text(out, "\"uncles\":[],\"transactions\":[");
    for index in 0..shape.transactions {
        if shape.full {
            let hash_seed = transaction_seed(shape.number, shape.fork, index);
            transaction(out, shape.number, shape.fork, index, |out| {
                data(out, hash_seed, 32)
            });
        } else {
            out.push(b'"');
            data(out, transaction_seed(shape.number, shape.fork, index), 32);
            out.push(b'"');
        }
        out.push(b',');
    }
    close(out, "]}");
}

/// A transaction as `eth_getTransactionByHash` answers it; `hash` writes its hash.
pub(super) fn transaction(
    out: &mut Vec<u8>,
    number: u64,
    fork: u64,
    index: usize,
    hash: impl FnOnce(&mut Vec<u8>),
) {
    let seed = transaction_seed(number, fork, index);
    text(out, "{\"hash\":\"");
    hash(out);
    text(out, "\",");
    place(out, number, fork, index);
    text_member(out, "type", b"0x2");
    quantity_member(out, "chainId", 1);
    quantity_member(out, "nonce", seed % 1000);
    data_member(out, "from", seed ^ 1, 20);
    data_member(out, "to", seed ^ 2, 20);
    quantity_member(out, "value", mix(seed) >> 8);
    quantity_member(out, "gas", 21_000 + mix(seed) % 500_000);
    quantity_member(out, "gasPrice", 2_000_000_000);
    quantity_member(out, "maxFeePerGas", 3_000_000_000);
    quantity_member(out, "maxPriorityFeePerGas", 1_000_000);
    data_member(out, "input", seed ^ 3, 68);
    text(out, "\"accessList\":[],");
    quantity_member(out, "v", seed & 1);
    quantity_member(out, "yParity", seed & 1);
    data_member(out, "r", seed ^ 4 | 1, 32);
    data_member(out, "s", seed ^ 5 | 1, 32);
    close(out, "}");
}

/// Where in the chain something stands.
fn place(out: &mut Vec<u8>, number: u64, fork: u64, index: usize) {
    data_member(out, "blockHash", block_seed(number, fork), 32);
    quantity_member(out, "blockNumber", number);
    quantity_member(out, "transactionIndex", u64::try_from(index).unwrap_or(0));
}

/// A receipt; `hash` is the transaction's hash in hex, as asked for.
pub(super) fn receipt(
    out: &mut Vec<u8>,
    hash: &[u8],
    number: u64,
    fork: u64,
    index: usize,
    logs: usize,
) {
    let seed = seed_of(hash);
    out.push(b'{');
    text_member(out, "transactionHash", hash);
    place(out, number, fork, index);
    text_member(out, "status", b"0x1");
    text_member(out, "type", b"0x2");
    data_member(out, "from", seed ^ 1, 20);
    data_member(out, "to", seed ^ 2, 20);
    text(out, "\"contractAddress\":null,");
    quantity_member(out, "gasUsed", 21_000 + seed % 200_000);
    quantity_member(out, "cumulativeGasUsed", 1_000_000 + seed % 10_000_000);
    quantity_member(out, "effectiveGasPrice", 2_000_000_000);
    data_member(out, "logsBloom", seed ^ 3, 256);
    text(out, "\"logs\":[");
    for log_index in 0..logs {
        log(
            out,
            LogShape {
                number,
                fork,
                index,
                log_index,
                address: None,
                hash: Some(hash),
            },
        );
        out.push(b',');
    }
    close(out, "]}");
}

/// One log.
pub(super) struct LogShape<'a> {
    pub(super) number: u64,
    pub(super) fork: u64,
    pub(super) index: usize,
    pub(super) log_index: usize,
    /// In hex, as asked for.
    pub(super) address: Option<&'a [u8]>,
    /// The transaction's hash in hex.
    pub(super) hash: Option<&'a [u8]>,
}

/// Writes a log.
pub(super) fn log(out: &mut Vec<u8>, shape: LogShape<'_>) {
    let seed = transaction_seed(shape.number, shape.fork, shape.index).wrapping_add(seed_of(&[0]));
    out.push(b'{');
    match shape.address {
        Some(address) => text_member(out, "address", address),
        None => data_member(out, "address", seed ^ 1, 20),
    }
    text(
        out,
        "\"topics\":[\"0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef\",",
    );
    for topic in 2..4 {
        out.push(b'"');
        data(out, seed ^ topic, 32);
        text(out, "\",");
    }
    close(out, "],");
    data_member(out, "data", mix(seed), 32);
    place(out, shape.number, shape.fork, shape.index);
    match shape.hash {
        Some(hash) => text_member(out, "transactionHash", hash),
        None => data_member(
            out,
            "transactionHash",
            transaction_seed(shape.number, shape.fork, shape.index),
            32,
        ),
    }
    quantity_member(out, "logIndex", u64::try_from(shape.log_index).unwrap_or(0));
    text(out, "\"removed\":false}");
}

/// A call trace of about so many bytes: nested calls would be no harder to relay than a flat list of them.
pub(super) fn trace(out: &mut Vec<u8>, seed: u64, bytes: usize) {
    let end = out.len() + bytes;
    out.push(b'{');
    frame(out, seed);
    text(out, ",\"calls\":[");
    let mut index = 0;
    while out.len() < end {
        index += 1;
        out.push(b'{');
        frame(out, seed.wrapping_add(index));
        text(out, "},");
    }
    close(out, "]}");
}

fn frame(out: &mut Vec<u8>, seed: u64) {
    text_member(out, "type", b"CALL");
    data_member(out, "from", seed ^ 1, 20);
    data_member(out, "to", seed ^ 2, 20);
    quantity_member(out, "value", 0);
    quantity_member(out, "gas", mix(seed) % 1_000_000);
    quantity_member(out, "gasUsed", mix(seed) % 100_000);
    data_member(out, "input", seed ^ 3, 68);
    data_member(out, "output", seed ^ 4, 32);
    close(out, "");
}

/// A JSON string with the escapes that JSON demands.
pub(super) fn quoted(out: &mut Vec<u8>, value: &str) {
    let mut escaped = String::with_capacity(value.len() + 2);
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c if u32::from(c) < 0x20 => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    out.push(b'"');
    text(out, &escaped);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::{BlockShape, LogShape, block, log, quantity, quoted, receipt, trace};
    use serde_json::Value;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Value {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice(&out)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out)))
    }

    #[test]
    fn quantities_have_no_leading_zero() {
        for (value, expected) in [
            (0, "0x0"),
            (15, "0xf"),
            (16, "0x10"),
            (u64::MAX, "0xffffffffffffffff"),
        ] {
            let mut out = Vec::new();
            quantity(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_block_links_to_its_parent_and_differs_on_a_fork() {
        let shape = BlockShape {
            number: 7,
            fork: 0,
            timestamp_s: 1,
            transactions: 2,
            full: true,
        };
        let child = written(|out| block(out, shape));
        let parent = written(|out| {
            block(
                out,
                BlockShape {
                    number: 6,
                    full: false,
                    ..shape
                },
            )
        });
        let forked = written(|out| block(out, BlockShape { fork: 1, ..shape }));
        assert_eq!(child["parentHash"], parent["hash"]);
        assert_ne!(child["hash"], forked["hash"]);
        assert_eq!(child["transactions"][1]["blockHash"], child["hash"]);
        assert_eq!(parent["transactions"].as_array().unwrap().len(), 2);
        assert!(parent["transactions"][0].is_string());
    }

    #[test]
    fn empty_lists_are_still_json() {
        let shape = BlockShape {
            number: 7,
            fork: 0,
            timestamp_s: 1,
            transactions: 0,
            full: true,
        };
        assert_eq!(
            written(|out| block(out, shape))["transactions"],
            serde_json::json!([])
        );
        assert_eq!(
            written(|out| receipt(out, b"0xab", 7, 0, 0, 0))["logs"],
            serde_json::json!([])
        );
    }

    #[test]
    fn logs_receipts_and_traces_are_json() {
        let shape = LogShape {
            number: 7,
            fork: 0,
            index: 0,
            log_index: 3,
            address: Some(b"0xaa"),
            hash: None,
        };
        assert_eq!(written(|out| log(out, shape))["address"], "0xaa");
        assert_eq!(
            written(|out| receipt(out, b"0xab", 7, 0, 0, 2))["logs"][1]["transactionHash"],
            "0xab"
        );
        let mut out = Vec::new();
        trace(&mut out, 1, 20_000);
        assert!((20_000..21_000).contains(&out.len()), "{}", out.len());
        assert!(serde_json::from_slice::<Value>(&out).is_ok());
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(written(|out| quoted(out, "a\"b\\c\nd")), "a\"b\\c\nd");
    }
}
