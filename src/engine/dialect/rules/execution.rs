//! What the EVM did, and nodes that stopped it: sealed answers of simulation, time-outs, reverts and halts. A revert is
//! a right answer and is never asked for twice.

use super::super::rule::{Rule, rule};
use crate::fault::FaultClass as C;

/// Answers whose words quote the call itself, so that no later text may be looked for in them.
#[rustfmt::skip]
pub(super) static SEALED: &[Rule] = &[
    rule("simulate_by_code", C::Execution).methods(&["eth_simulateV1"]).code_range(-38026, -38010)
        .like("block timestamps must be in order: 550 <= 588"),
    rule("simulate_by_text", C::Execution).methods(&["eth_simulateV1"])
        .any(&["^err:"])
        .like("err: nonce has max value: address 0xC000000000000000000000000000000000000000, nonce: 18446744073709551615 (supplied gas 50000000)"),
    // EIP-7966: the transaction is in the pool, its receipt did not come in time (4) or cannot (5, 6). To ask again is the client's choice.
    rule("sync_send_outcome", C::Execution).methods(&["eth_sendRawTransactionSync"]).codes(&[4, 5, 6])
        .like("The transaction was added to the transaction pool but wasn't processed within 2s"),
];

#[rustfmt::skip]
pub(super) static TIMEOUT: &[Rule] = &[
    rule("execution_timeout", C::Timeout)
        .any(&[
            "execution timeout", "execution aborted (timeout", "query timeout of %n seconds exceeded",
            "query timeout exceeded", "evm timeout",
        ])
        .like("execution aborted (timeout = 5s)"),
    rule("request_timeout", C::Timeout)
        .any(&[
            "request timed out", "request timeout", "context deadline exceeded",
            "request was canceled due to enabled timeout", "context canceled", "gateway timeout", "gateway time-out",
            "upstream timeout", "timeout exceeded", "operation timed out", "timed out waiting",
        ]).none(&["504 gateway"])
        .like("request timed out"),
    rule("timeout_by_status", C::Timeout).statuses(&[408, 504, 522, 524])
        .like("no answer in time"),
];

#[rustfmt::skip]
pub(super) static HALT: &[Rule] = &[
    rule("revert_by_text", C::Execution).revert()
        .any(&[
            ": execution reverted", "= execution reverted", "vm exception", "vm execution error",
            "transaction: revert", "transaction reverted", "call reverted", "evm reverted", "^reverted",
            "reverted with reason", "reverted without a reason", "contract_revert_executed",
        ])
        .like("VM execution error.").like_data("Reverted 0x08c379a0"),
    rule("revert_by_data", C::Execution).revert().not_methods(&["eth_send*"])
        .data(&["^0x08c379a0", "^0x4e487b71", "^reverted", "\"data\":\"0x08c379a0", "\"data\":\"0x4e487b71"])
        .like("call failed").like_data("0x08c379a00000000000000000000000000000000000000000000000000000000000000020"),
    rule("halt", C::Execution).not_methods(&["eth_send*"])
        .any(&[
            "out of gas", "gas required exceeds allowance", "intrinsic gas too low", "intrinsic gas too high",
            "stack underflow", "stack limit reached", "stack overflow", "invalid opcode", "write protection",
            "max code size exceeded", "max initcode size exceeded", "invalid jump", "bad jump destination",
            "bad instruction", "evm error", "gas uint64 overflow", "return data out of bounds",
            "invalid code: must not begin with 0xef", "contract address collision", "max call depth exceeded",
        ])
        .like("out of gas"),
    rule("out_of_counters", C::Execution)
        .any(&["out of counters"])
        .like("not enough keccak counters: out of counters"),
];
