//! What is wrong with the call, or with us: methods that are not served, malformed transactions and parameters,
//! credentials. It never says what a tenant may call: that is configured.

use super::super::rule::{Rule, rule};
use crate::fault::FaultClass as C;

/// Before the texts about blocks and states: a method's name may hold any of those words.
#[rustfmt::skip]
pub(super) static METHOD_BY_CODE: &[Rule] = &[
    rule("method_by_code", C::UnsupportedMethod).codes(&[-32601])
        .like("the method debug_getHistoricalState does not exist/is not available"),
    rule("method_by_code_1474", C::UnsupportedMethod).codes(&[-32004])
        .like("Method eth_nope is not supported"),
];

#[rustfmt::skip]
pub(super) static METHOD: &[Rule] = &[
    rule("method_not_found", C::UnsupportedMethod)
        .any(&[
            "the method %* does not exist", "does not exist/is not available", "method not found", "unknown method",
            "unsupported method", "method not supported", "method is not supported", "method %* is not supported",
            "method %* not supported", "method not available", "method %* is not available", "method not allowed",
            "not allowed to access method", "method is not allowed", "method not implemented", "^not implemented",
            "no such method", "method %* not found", "method is disabled", "notifications not supported", "method is not enabled",
        ])
        .like("the method eth_nope does not exist/is not available"),
    rule("module_disabled", C::UnsupportedMethod)
        .any(&[
            "containing module is disabled", "no backends available for method", "tracing not enabled",
            "node does not have console", "namespace is not enabled", "namespace is disabled",
        ])
        .like("trace_block found but the containing module is disabled"),
    rule("method_not_in_plan", C::UnsupportedMethod)
        .any(&[
            "is not included in your current plan", "not available on your plan",
            "not available on your current plan", "method is not available on the free",
        ])
        .like("trace_block is not included in your current plan"),
];

#[rustfmt::skip]
pub(super) static PARAMS: &[Rule] = &[
    rule("malformed_transaction", C::Client).methods(&["eth_send*", "debug_*", "trace_rawTransaction"])
        .any(&[
            "typed transaction too short", "rlp: expected", "rlp: input string too", "rlp: value size exceeds",
            "rlp: non-canonical", "invalid transaction", "transaction type not supported", "oversized data",
            "transaction size exceeds", "failed to decode signed transaction", "could not decode transaction",
        ]).none(&["rlp: end of list", "rlp: element is larger"])
        .like("typed transaction too short"),
    rule("params_text", C::Client)
        .any(&[
            "invalid argument %n", "cannot unmarshal", "unable to decode", "invalid hex",
            "hex string without 0x prefix", "hex string has odd length", "hex number with leading zero digits",
            "hex number > %n bits", "hex string of odd length", "wrong number of arguments", "bad address checksum",
            "fromblock not allowed with blockhash", "missing value for required argument", "invalid params",
            "invalid parameters", "too many arguments", "not enough arguments", "invalid block range params",
            "is not a precompile", "cannot specify both blockhash and", "invalid address", "missing required field",
            "expected %* parameters", "both \"data\" and \"input\" are set", "both gasprice and", "< maxpriorityfeepergas",
            "contract creation without any data", "invalid reward percentile", "tracer not found", "referenceerror:",
            "authentication needed: password or unlock", "unknown account",
        ])
        .like("invalid argument 0: hex string without 0x prefix"),
];

#[rustfmt::skip]
pub(super) static AUTH: &[Rule] = &[
    rule("key_refused", C::Auth)
        .any(&[
            "invalid api key", "api key is invalid", "invalid project id", "unauthorized", "must be authenticated",
            "missing api key", "api key is missing", "api key not found", "api key disabled",
            "api key is not allowed", "api key has been disabled", "api key expired", "api key has expired",
            "api key not provided", "missing authentication", "invalid api-key", "invalid access token", "invalid auth token", "invalid jwt", "missing token",
            "authentication failed", "authentication required", "access denied", "^forbidden$", "permission denied",
            "project id does not have access", "key is disabled", "invalid access key",
        ])
        .like("API key is not allowed to access blockchain"),
    rule("key_of_another_chain", C::Auth)
        .any(&[
            "apikey is on another chain", "is not enabled for this app", "network is not enabled",
            "chain is not enabled",
        ])
        .like("apikey is on another chain"),
    rule("auth_by_status", C::Auth).statuses(&[401, 403])
        .like("no"),
    rule("auth_by_code", C::Auth).codes(&[401, 403])
        .like("no"),
];
