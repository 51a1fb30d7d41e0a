//! What is left: nodes that broke, then what an HTTP status or a bare code means when no text was understood. A code
//! never outranks a text.

use super::super::rule::{Rule, rule};
use crate::fault::FaultClass as C;

#[rustfmt::skip]
pub(super) static SERVER: &[Rule] = &[
    rule("node_broken", C::Server)
        .any(&[
            "mdbx_panic", "leveldb: not found", "pebble: not found", "rlp: end of list",
            "rlp: element is larger than containing list", "failed to apply transaction", "unexpected panic caught",
            "method handler crashed", "runtime error:", "nil pointer",
        ])
        .like("mdbx_panic: MDBX_PANIC: Update of meta page failed"),
    // A gateway's page inside an error's text: nobody who speaks JSON-RPC was reached.
    rule("gateway_page", C::Transport)
        .any(&[
            "<html", "<!doctype html", "502 bad gateway", "503 service unavailable", "504 gateway",
            "invalid character '<'", "unexpected end of json input", "unexpected token <", "unexpected token '<'",
            "connection refused", "connection reset by peer", "no such host", "i/o timeout", "^eof$", "bad gateway",
        ])
        .like("invalid character '<' looking for beginning of value"),
    rule("server_text", C::Server)
        .any(&[
            "internal error", "internal server error", "internal json-rpc error", "upstream unavailable",
            "service unavailable", "temporarily unavailable", "no available upstreams", "no healthy", "all upstreams failed", "no available nodes", "is shutting down",
            "temporary internal error", "something went wrong", "backend is offline",
        ])
        .like("Internal error"),
];

/// No text was understood. Whole families of statuses and codes, the more telling first.
#[rustfmt::skip]
pub(super) static BARE: &[Rule] = &[
    rule("server_by_code_in_status", C::Server).codes(&[500, 502, 503]).like("?"),
    rule("timeout_by_code_in_status", C::Timeout).codes(&[408, 504]).like("?"),
    rule("revert_by_code", C::Execution).revert().codes(&[3]).like("?"),
    // Parity, Nethermind and what descends from them.
    rule("vm_error_by_code", C::Execution).revert().codes(&[-32015]).like("VM failed"),
    rule("parse_error", C::Client).codes(&[-32700]).like("parse error"),
    rule("invalid_request", C::Client).codes(&[-32600]).like("Invalid request"),
    rule("invalid_params", C::Client).codes(&[-32602]).like("?"),
    rule("version_not_supported", C::Client).codes(&[-32006]).like("JSON-RPC version not supported"),
    rule("rejected_by_code", C::TxTerminal).codes(&[-32003]).methods(&["eth_send*"]).like("transaction rejected"),
    rule("too_large_by_code", C::CapabilityRange).codes(&[-32003]).like("?"),
    rule("resource_not_found", C::MissingData).codes(&[-32001]).like("Resource not found"),
    rule("erpc_missing_data", C::MissingData).codes(&[-32014]).like("missing data"),
    // Whatever a node has against a transaction in words that nobody knows: it is about the transaction, or about that
    // node's pool, and never counts against the node. One other pool may think otherwise.
    rule("send_refused", C::TxPoolPolicy).codes(&[-32000, -32603]).methods(&["eth_sendRaw*"])
        .like("address already reserved"),
    // Nethermind's answer to a transaction that it will not have.
    rule("pool_by_code", C::TxPoolPolicy).codes(&[-32010]).methods(&["eth_send*"]).like("Invalid"),
    rule("server_by_code", C::Server).codes(&[-32603, -32055, -32011, -32018]).like("?"),
    rule("server_by_status", C::Server).statuses(&[500, 501, 502, 503, 505, 520, 521, 523, 525, 526, 530]).like("?"),
];
